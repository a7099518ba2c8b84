#include "catalog/catalog.h"

namespace ravine::catalog {

std::vector<Entry> activation_entries() {
  return {
      {Kind::activation,
       "identity",
       "Leaves values as they are.",
       "y = x",
       "B. Widrow, M. Hoff, Adaptive switching circuits, 1960 (linear units)",
       {},
       {.slides = "L0 'Initialize weights with values too small or too large'",
        .without = "The outputs of a regression would be squeezed into the range of a function. With nothing "
                   "but identities, though, any number of dense layers is one linear map.",
        .example = R"(>>> network = ravine.Sequential("identity").network([3], loss="squared_error")
>>> network.predict(np.array([[-1, 0, 2]], dtype=np.float32)).round(3)
array([[-1.,  0.,  2.]], dtype=float32))"}},
      {Kind::activation,
       "sigmoid",
       "Logistic function, between 0 and 1; saturates on both sides.",
       "y = 1 / (1 + e^-x)",
       "P. Verhulst, 1845; D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986",
       {},
       {.slides = "L1 'Data pre-processing', 'Weight initialization'; L2 'Why ReLUs, again'; L4 'Vanishing "
                  "Gradients'",
        .without = "Nothing but sigmoid turns a logit into the probability of a yes. In hidden layers it is "
                   "itself what goes wrong: its slope is at most 1/4, so that gradients shrink from layer to "
                   "layer, and its outputs are never centred on 0.",
        .example = R"(>>> network = ravine.Sequential("sigmoid").network([3], loss="squared_error")
>>> network.predict(np.array([[-1, 0, 2]], dtype=np.float32)).round(3)
array([[0.269, 0.5  , 0.881]], dtype=float32))"}},
      {Kind::activation,
       "tanh",
       "Hyperbolic tangent, between -1 and 1, centred on 0.",
       "y = tanh x",
       "Y. LeCun et al., Efficient BackProp, 1998",
       {},
       {.slides = "L0 'Initialization (Xavier)'; L1 'Data pre-processing', 'Xavier initialization [Glorot "
                  "2010]'; L2 'KERAS Example'",
        .without = "Sigmoids hand on positive numbers only: the gradients of a unit's weights then all have "
                   "one sign, and the steps zigzag. Far from 0 tanh saturates too, and in deep networks its "
                   "gradients vanish.",
        .example = R"(>>> network = ravine.Sequential("tanh").network([3], loss="squared_error")
>>> network.predict(np.array([[-1, 0, 2]], dtype=np.float32)).round(3)
array([[-0.762,  0.   ,  0.964]], dtype=float32))"}},
      {Kind::activation,
       "relu",
       "Rectified linear unit.",
       "y = max(0, x)",
       "V. Nair, G. Hinton, ICML 2010",
       {},
       {.slides = "L0 'Initialization(He)'; L1 'Data pre-processing', '[He2015] Initialization for ReLUs'; "
                  "L2 'Why ReLUs, again'; L4 'Vanishing Gradients'",
        .without = "Functions that saturate let gradients vanish with depth. ReLU's own fault: a unit that "
                   "is below 0 for every sample gets no gradient and stays dead.",
        .erratum = "L1 counts ReLU among the functions 'centered around 0': it goes through 0, but its "
                   "outputs are never negative, so that their mean is not 0. L2 gives its slope as 1 for z > "
                   "0 and leaves out that it is 0 below.",
        .example = R"(>>> network = ravine.Sequential("relu").network([3], loss="squared_error")
>>> network.predict(np.array([[-1, 0, 2]], dtype=np.float32)).round(3)
array([[0., 0., 2.]], dtype=float32))"}},
      {Kind::activation,
       "leaky_relu",
       "Rectified linear unit that lets a little through below 0, so that no unit dies.",
       "y = x for x > 0, else slope x",
       "A. Maas, A. Hannun, A. Ng, ICML workshop, 2013",
       {{.name = "slope",
         .default_value = 0.01,
         .range = {.low = 0, .low_included = false},
         .help = "slope below 0; at 0 the derivative is this one"}},
       {.slides = "extends L2 'Why ReLUs, again'",
        .without =
            "Units of ReLU whose net is negative for every sample get no gradient and never come back.",
        .example =
            R"(>>> network = ravine.Sequential(ravine.activations.LeakyRelu(slope=0.1)).network([3], loss="squared_error")
>>> network.predict(np.array([[-1, 0, 2]], dtype=np.float32)).round(3)
array([[-0.1,  0. ,  2. ]], dtype=float32))"}},
      {Kind::activation,
       "elu",
       "Exponential linear unit: as ReLU above 0, saturates smoothly at -alpha below.",
       "y = x for x > 0, else alpha (e^x - 1)",
       "D. Clevert, T. Unterthiner, S. Hochreiter, ICLR 2016",
       {{.name = "alpha",
         .default_value = 1.0,
         .range = {.low = 0, .low_included = false},
         .help = "value it saturates at, with the sign turned"}},
       {.slides = "extends L2 'Why ReLUs, again'",
        .without = "ReLU's outputs have a positive mean, which the next layer's biases must take away; ELU's "
                   "negative values bring the mean closer to 0. It costs an exponential a value.",
        .example = R"(>>> network = ravine.Sequential("elu").network([3], loss="squared_error")
>>> network.predict(np.array([[-1, 0, 2]], dtype=np.float32)).round(3)
array([[-0.632,  0.   ,  2.   ]], dtype=float32))"}},
      {Kind::activation,
       "selu",
       "Scaled ELU: with lecun_normal weights it keeps mean 0 and variance 1 from layer to layer.",
       "y = 1.0507 x for x > 0, else 1.0507 1.6733 (e^x - 1)",
       "G. Klambauer et al., NeurIPS 2017",
       {},
       {.slides = "extends L0 'How to find appropriate initialization values'",
        .without =
            "A deep stack of dense layers needs normalization layers to keep mean 0 and variance 1. SELU "
            "keeps them by itself, but only with lecun_normal weights and without ordinary dropout.",
        .example = R"(>>> network = ravine.Sequential("selu").network([3], loss="squared_error")
>>> network.predict(np.array([[-1, 0, 2]], dtype=np.float32)).round(3)
array([[-1.111,  0.   ,  2.101]], dtype=float32))"}},
      {Kind::activation,
       "gelu",
       "Gaussian error linear unit: x weighted by the normal distribution function.",
       "y = x Phi(x)",
       "D. Hendrycks, K. Gimpel, 2016",
       {{.name = "approximate",
         .type = Type::choice,
         .default_value = "none",
         .choices = {"none", "tanh"},
         .help = "none: Phi by erf; tanh: Phi = 1/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))"}},
       {.slides = "extends L2 'Why ReLUs, again'",
        .without = "ReLU's slope jumps at 0; transformers train somewhat better with this smooth form. In "
                   "small networks the difference is hard to see, and it takes longer to compute.",
        .example = R"(>>> network = ravine.Sequential("gelu").network([3], loss="squared_error")
>>> network.predict(np.array([[-1, 0, 2]], dtype=np.float32)).round(3)
array([[-0.159,  0.   ,  1.954]], dtype=float32))"}},
      {Kind::activation,
       "silu",
       "Sigmoid linear unit, also called swish.",
       "y = x / (1 + e^-x)",
       "S. Elfwing, E. Uchibe, K. Doya, Neural Networks 107, 2018",
       {},
       {.slides = "extends L2 'Why ReLUs, again'",
        .without = "As without gelu, which it resembles at less cost: ReLU's slope jumps at 0, and dead "
                   "units stay dead.",
        .example = R"(>>> network = ravine.Sequential("silu").network([3], loss="squared_error")
>>> network.predict(np.array([[-1, 0, 2]], dtype=np.float32)).round(3)
array([[-0.269,  0.   ,  1.762]], dtype=float32))"}},
      {Kind::activation,
       "softplus",
       "Smooth form of ReLU, always above 0.",
       "y = log(1 + e^x)",
       "C. Dugas et al., NIPS 2000; X. Glorot, A. Bordes, Y. Bengio, AISTATS 2011",
       {},
       {.slides = "extends L2 'Why ReLUs, again'",
        .without = "Outputs that must be above 0, such as a variance, would need an exponential, which "
                   "explodes. In hidden layers ReLU trains as well and is cheaper (X. Glorot, 2011).",
        .example = R"(>>> network = ravine.Sequential("softplus").network([3], loss="squared_error")
>>> network.predict(np.array([[-1, 0, 2]], dtype=np.float32)).round(3)
array([[0.313, 0.693, 2.127]], dtype=float32))"}},
  };
}

}  // namespace ravine::catalog
