// The layers that take images: convolution and pooling.
#include "catalog/catalog.h"

namespace ravine::catalog {
namespace {

Parameter padding(const std::string& beyond) {
  return {.name = "padding",
          .type = Type::choice,
          .default_value = "valid",
          .choices = {"valid", "same"},
          .help =
              "valid: the window stays in the image, which pad makes larger; same: as many outputs as "
              "inputs, divided by the stride and rounded up, " +
              beyond};
}

Parameter pad() {
  return {.name = "pad",
          .type = Type::integer,
          .default_value = std::int64_t{0},
          .range = {.low = 0, .high = 1e4},
          .help = "rows and columns of padding on each side; 0 with padding = same"};
}

std::vector<Parameter> pooling_parameters() {
  return {{.name = "size",
           .type = Type::integer,
           .default_value = std::int64_t{2},
           .range = {.low = 1, .high = 1e4},
           .help = "height and width of the window"},
          {.name = "stride",
           .type = Type::integer,
           .default_value = std::int64_t{0},
           .range = {.low = 0, .high = 1e4},
           .help = "how far the window moves; 0 for its size"},
          padding("the padding before no larger than that behind; padding is never counted"),
          pad()};
}

}  // namespace

std::vector<Entry> image_layer_entries() {
  return {
      {Kind::layer,
       "convolution",
       "Convolution of an image: the same filters at every position.",
       "y[i, j] = f(sum over u, v of W[u, v] x[i s + u d - p, j s + v d - p] + b)",
       "Y. LeCun et al., Proceedings of the IEEE 86, 1998; lectures L1, L3",
       {{.name = "units",
         .type = Type::integer,
         .range = {.low = 1, .high = 1e6},
         .help = "number of filters: channels of the output"},
        {.name = "kernel",
         .type = Type::integer,
         .default_value = std::int64_t{3},
         .range = {.low = 1, .high = 1e4},
         .help = "height of the window, and its width unless that is given"},
        {.name = "kernel_width",
         .type = Type::integer,
         .default_value = std::int64_t{0},
         .range = {.low = 0, .high = 1e4},
         .help = "width of the window; 0 for its height"},
        {.name = "stride",
         .type = Type::integer,
         .default_value = std::int64_t{1},
         .range = {.low = 1, .high = 1e4},
         .help = "how far the window moves, s"},
        padding("the zeros before no more than those behind"),
        pad(),
        {.name = "dilation",
         .type = Type::integer,
         .default_value = std::int64_t{1},
         .range = {.low = 1, .high = 1e4},
         .help = "distance between the values under the window, d"},
        {.name = "groups",
         .type = Type::integer,
         .default_value = std::int64_t{1},
         .range = {.low = 1, .high = 1e6},
         .help = "channels and filters are divided into as many parts that do not see each other"},
        {.name = "activation",
         .type = Type::component,
         .default_value = "identity",
         .component = Kind::activation,
         .help = "function f of each output"},
        {.name = "use_bias", .type = Type::boolean, .default_value = true, .help = "add the vector b"},
        {.name = "weight_initializer",
         .type = Type::component,
         .default_value = "xavier_uniform",
         .component = Kind::initializer,
         .help = "where the weights W begin"},
        {.name = "bias_initializer",
         .type = Type::component,
         .default_value = "zeros",
         .component = Kind::initializer,
         .help = "where the bias b begins"}}},
      {Kind::layer, "max_pooling", "The largest value of each channel under a moving window.",
       "y[i, j] = max over u, v of x[i s + u - p, j s + v - p]", "M. Ranzato et al., CVPR 2007; lecture L3",
       pooling_parameters()},
      {Kind::layer, "average_pooling", "The mean of each channel under a moving window.",
       "y[i, j] = mean over u, v of x[i s + u - p, j s + v - p]",
       "Y. LeCun et al., Proceedings of the IEEE 86, 1998", pooling_parameters()},
      {Kind::layer,
       "global_max_pooling",
       "The largest value of each channel, as one vector per sample.",
       "y = max over i, j of x[i, j]",
       "M. Oquab et al., CVPR 2015",
       {}},
      {Kind::layer,
       "global_average_pooling",
       "The mean of each channel, as one vector per sample.",
       "y = mean over i, j of x[i, j]",
       "M. Lin, Q. Chen, S. Yan, ICLR 2014; lecture L4",
       {}},
  };
}

}  // namespace ravine::catalog
