// Parts of a network that are written as one and become several layers.
#include "catalog/catalog.h"

namespace ravine::catalog {

std::vector<Entry> block_entries() {
  return {
      {Kind::block,
       "residual",
       "Layers with a way past them: their output is added to their input, or to what a projection makes of "
       "it.",
       "y = x + f(x), or y = s(x) + f(x)",
       "K. He et al., Deep residual learning for image recognition, CVPR 2016",
       {{.name = "body",
         .type = Type::layers,
         .help = "the layers of f; their output has the shape of the shortcut's"},
        {.name = "shortcut",
         .type = Type::layers,
         .default_value = std::vector<double>{},
         .help = "the layers of s, a projection where shapes differ; empty for the identity"}},
       {.slides = "L4 'Vanishing Gradients'",
        .without =
            "Gradients reach lower layers only through the weights of all layers above, and plain networks "
            "of 20 and more layers train worse than shallow ones. In networks of few layers it changes "
            "little; without normalization signals grow from block to block, for variances add up.",
        .example =
            R"(>>> zero = ravine.layers.Dense(2, weight_initializer="zeros")
>>> network = ravine.Sequential(ravine.Residual(zero)).network([2], loss="squared_error")
>>> network.predict(np.array([[-1, 2]], dtype=np.float32))  # f is 0: what remains is the way past it
array([[-1.,  2.]], dtype=float32))",
        .family = "layers"}},
      {Kind::block,
       "columns",
       "Lists of layers side by side: all take the same input, and their outputs are joined.",
       "y = [f_1(x), f_2(x), ...], or y = f_1(x) + f_2(x) + ...",
       "A. Krizhevsky, I. Sutskever, G. Hinton, NIPS 2012 (AlexNet)",
       {{.name = "columns", .type = Type::layers, .help = "two or more lists of layers, f_1, f_2, ..."},
        {.name = "join",
         .type = Type::choice,
         .default_value = std::string("concatenate"),
         .choices = {"concatenate", "add"},
         .help = "concatenate: side by side along the last axis; add: the sum, of equal shapes"}},
       {.slides = "L3 'Model parallelism'",
        .without =
            "A network too large for one device had to be cut within its layers, where every value is "
            "needed on both sides. Columns meet at chosen layers only, with fewer weights; what one column "
            "finds, the other does not know until then. Ranks that share a network, as many as there are "
            "columns, compute one each; a rank alone computes all.",
        .example =
            R"(>>> narrow, wide = [ravine.layers.Dense(3)], [ravine.layers.Dense(8, activation="relu"), ravine.layers.Dense(4)]
>>> network = ravine.Sequential(ravine.Columns(narrow, wide)).network([5], loss="squared_error")
>>> network.output_shape
(7,))",
        .family = "layers"}},
  };
}

}  // namespace ravine::catalog
