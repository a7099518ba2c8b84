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
       "Y. LeCun et al., Proceedings of the IEEE 86, 1998",
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
        {.name = "weight_normalization",
         .type = Type::boolean,
         .default_value = false,
         .help =
             "learn each filter W as g v / |v|, length g (from 1) apart from direction v (T. Salimans, D. "
             "Kingma, NIPS 2016; lecture L3)"},
        {.name = "weight_initializer",
         .type = Type::component,
         .default_value = "xavier_uniform",
         .component = Kind::initializer,
         .help = "where the weights W begin"},
        {.name = "bias_initializer",
         .type = Type::component,
         .default_value = "zeros",
         .component = Kind::initializer,
         .help = "where the bias b begins"}},
       {.slides = "L3 'Model parallelism', 'CPU vs GPU'",
        .without = "A dense layer has a weight for every pair of pixels and must learn a pattern anew at "
                   "every place. Convolution supposes that patterns are local and may be anywhere, which is "
                   "wrong for tables.",
        .example =
            R"(>>> network = ravine.Sequential(ravine.layers.Convolution(6, kernel=5)).network([28, 28, 1], loss="squared_error")
>>> network.output_shape, network.layers[0]["parameters"]  # 5 * 5 * 6 + 6
((24, 24, 6), 156))"}},
      {Kind::layer,
       "max_pooling",
       "The largest value of each channel under a moving window.",
       "y[i, j] = max over u, v of x[i s + u - p, j s + v - p]",
       "M. Ranzato et al., CVPR 2007",
       pooling_parameters(),
       {.slides = "extends L3 'Model parallelism'",
        .without = "Later layers see as many places as the image has pixels, and a pattern that moves by one "
                   "pixel looks new. What is thrown away is where exactly it was.",
        .example = R"(>>> image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
>>> network = ravine.Sequential("max_pooling").network([4, 4, 1], loss="squared_error")
>>> network.predict(image)[0, :, :, 0]
array([[ 5.,  7.],
       [13., 15.]], dtype=float32))"}},
      {Kind::layer,
       "average_pooling",
       "The mean of each channel under a moving window.",
       "y[i, j] = mean over u, v of x[i s + u - p, j s + v - p]",
       "Y. LeCun et al., Proceedings of the IEEE 86, 1998",
       pooling_parameters(),
       {.slides = "extends L3 'Model parallelism'",
        .without = "As without max_pooling. The mean is smoother and lets gradients to every pixel, but "
                   "blurs a pattern that is rare.",
        .example = R"(>>> image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
>>> network = ravine.Sequential("average_pooling").network([4, 4, 1], loss="squared_error")
>>> network.predict(image)[0, :, :, 0]
array([[ 2.5,  4.5],
       [10.5, 12.5]], dtype=float32))"}},
      {Kind::layer,
       "global_max_pooling",
       "The largest value of each channel, as one vector per sample.",
       "y = max over i, j of x[i, j]",
       "M. Oquab et al., CVPR 2015",
       {},
       {.slides = "extends L4 'Vanishing Gradients'",
        .without =
            "A dense layer behind a convolution has a weight for every place and fits one size of image "
            "only. This one says whether a pattern is anywhere; gradients reach one place of each channel.",
        .example = R"(>>> image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
>>> network = ravine.Sequential("global_max_pooling").network([4, 4, 1], loss="squared_error")
>>> network.predict(image)
array([[15.]], dtype=float32))"}},
      {Kind::layer,
       "global_average_pooling",
       "The mean of each channel, as one vector per sample.",
       "y = mean over i, j of x[i, j]",
       "M. Lin, Q. Chen, S. Yan, ICLR 2014",
       {},
       {.slides = "extends L4 'Vanishing Gradients'",
        .without =
            "A dense layer behind a convolution has a weight for every place: most of an old network's "
            "weights, and much of its overfitting. Where in the image something was is lost.",
        .example = R"(>>> image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
>>> network = ravine.Sequential("global_average_pooling").network([4, 4, 1], loss="squared_error")
>>> network.predict(image)
array([[7.5]], dtype=float32))"}},
  };
}

}  // namespace ravine::catalog
