#include "catalog/catalog.h"

namespace ravine::catalog {

std::vector<Entry> layer_entries() {
  return {
      {Kind::layer,
       "dense",
       "Fully connected layer: every output is a weighted sum of every input.",
       "y = f(x W^T + b)",
       "D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986",
       {{.name = "units",
         .type = Type::integer,
         .range = {.low = 1, .high = 1e7},
         .help = "number of outputs"},
        {.name = "activation",
         .type = Type::component,
         .default_value = "identity",
         .component = Kind::activation,
         .help = "function f of each output"},
        {.name = "use_bias", .type = Type::boolean, .default_value = true, .help = "add the vector b"},
        {.name = "weight_normalization",
         .type = Type::boolean,
         .default_value = false,
         .help = "learn W as g v / |v| for each output, length g (from 1) apart from direction v (T. "
                 "Salimans, D. Kingma, NIPS 2016; lecture L3)"},
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
       {.slides = "L1 'A Neural/Deep Network in a nutshell'; L2 'Backpropagation: What are our terms', "
                  "'Backpropagation: More than one unit per layer', 'KERAS Example'; L3 'Other Normalization "
                  "Approaches'",
        .without =
            "It is what a network is made of. On images its weights know nothing of neighbourhood, and are "
            "many: then convolution. weight_normalization sets length and direction of the weights apart, so "
            "that the step of one does not change the other; it does not centre anything.",
        .example =
            R"(>>> network = ravine.Sequential(ravine.layers.Dense(10)).network([64], loss="squared_error")
>>> network.output_shape, network.layers[0]["parameters"]  # 64 * 10 + 10
((10,), 650))"}},
      {Kind::layer,
       "activation",
       "A function of each value.",
       "y = f(x)",
       "D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986",
       {{.name = "function",
         .type = Type::component,
         .component = Kind::activation,
         .help = "the function f"}},
       {.slides = "L1 'A Neural/Deep Network in a nutshell'; L2 'KERAS Example'; L4 'Vanishing Gradients'",
        .without = "Dense layers behind each other, with nothing between them, are one linear map. As a "
                   "layer of its own it may stand behind a normalization; otherwise the setting of dense and "
                   "convolution is the same in one pass.",
        .example = R"(>>> network = ravine.Sequential("relu").network([2], loss="squared_error")
>>> network.predict(np.array([[-1, 2]], dtype=np.float32))
array([[0., 2.]], dtype=float32))"}},
      {Kind::layer,
       "softmax",
       "Each row of the last axis as probabilities. Not before the loss softmax_cross_entropy, which takes "
       "logits "
       "and has it within.",
       "y_i = e^x_i / sum_j e^x_j",
       "J. Bridle, 1990",
       {},
       {.slides = "L2 'KERAS Example'",
        .without = "Outputs are logits of any sign and size, no probabilities. With softmax_cross_entropy, "
                   "which has it within, this layer would be a second one: gradients nearly vanish.",
        .example = R"(>>> network = ravine.Sequential("softmax").network([2], loss="squared_error")
>>> network.predict(np.log(np.array([[1, 3]], dtype=np.float32))).round(2)
array([[0.25, 0.75]], dtype=float32))"}},
      {Kind::layer,
       "flatten",
       "The values of a sample as one vector.",
       "y = x",
       "Y. LeCun et al., Proceedings of the IEEE 86, 1998",
       {},
       {.slides = "extends L2 'KERAS Example'",
        .without = "A dense layer takes vectors; images must be laid out as one first. Their order of values "
                   "is height, width, channel.",
        .example = R"(>>> network = ravine.Sequential("flatten").network([4, 4, 2], loss="squared_error")
>>> network.output_shape
(32,))"}},
      {Kind::layer,
       "dropout",
       "Zeroes values at random in training, so that no unit relies on another; of the input too, as first "
       "layer. Evaluation uses all values, at the same mean.",
       "y = x m / (1 - p), m ~ Bernoulli(1 - p); evaluation y = x; standard: y = x m, evaluation y = (1 - p) "
       "x",
       "N. Srivastava et al., JMLR 15, 2014",
       {{.name = "rate",
         .type = Type::real,
         .default_value = 0.5,
         .range = {.low = 0, .high = 1, .high_included = false},
         .help = "probability p with which a value is zeroed, in steps of 1/65536"},
        {.name = "form",
         .type = Type::choice,
         .default_value = std::string("inverted"),
         .choices = {"inverted", "standard"},
         .help =
             "inverted: training divides by 1 - p, evaluation leaves values alone; standard (L1, the "
             "paper): evaluation multiplies by 1 - p, as if the weights behind were scaled at test time"}},
       {.slides = "L1 'Dropout [Srivastava2014]', 'Dropout'; L2 'Dropout'; L3 'Dropout'; L4 'Regularization "
                  "1: Dropout'",
        .without =
            "Units come to rely on each other, and a large network learns few samples by heart. It slows "
            "training down (L2: twice as many epochs), and a network that does not overfit gets worse by it.",
        .erratum = "L1 reweights by p at test time: right where p is the probability that a unit is kept. "
                   "L4's call Dropout(p=0.5) means the probability that it is dropped, and Keras calls it "
                   "rate. At 0.5 the two agree; here rate is of dropping.",
        .example =
            R"(>>> network = ravine.Sequential(ravine.layers.Dropout(0.5)).network([1000], loss="squared_error")
>>> sorted({float(v) for v in network.forward(np.ones((1, 1000), dtype=np.float32), training=True)[0]})
[0.0, 2.0])",
        .family = "regularization"}},
      {Kind::layer,
       "add",
       "Sum of several layers' outputs of equal shape: where a residual block's branches meet.",
       "y = x_1 + x_2 + ...",
       "K. He et al., CVPR 2016",
       {},
       {.slides = "L4 'Vanishing Gradients'",
        .without = "Gradients reach lower layers only through the weights of all layers above; plain "
                   "networks of 20 and more layers train worse than shallow ones. Without projection the "
                   "branches must have equal shapes.",
        .example =
            R"(>>> block = ravine.Residual(ravine.layers.Dense(8, activation="relu"), ravine.layers.Dense(8))
>>> network = ravine.Sequential(block).network([8], loss="squared_error")
>>> network.layers[-1]["type"], network.output_shape
('add', (8,)))"}},
      {Kind::layer,
       "concatenate",
       "Several layers' outputs side by side along the last axis: where columns meet.",
       "y = [x_1, x_2, ...]",
       "A. Krizhevsky et al., NIPS 2012",
       {},
       {.slides = "L3 'Model parallelism'",
        .without =
            "Columns that run side by side, each on its machine, would never see each other's features.",
        .example = R"(>>> columns = ravine.Columns([ravine.layers.Dense(4)], [ravine.layers.Dense(3)])
>>> network = ravine.Sequential(columns).network([8], loss="squared_error")
>>> network.layers[-1]["type"], network.output_shape
('concatenate', (7,)))"}},
      {Kind::layer,
       "batch_normalization",
       "Normalizes each channel (last axis) over the batch and all places, then scales and shifts it; "
       "evaluation uses moving averages of mean and variance instead of the batch's. It stands where the "
       "list of layers has it: before the nonlinearity (after a dense layer without activation) or after "
       "it. With scale = centre = false it is L3's form, where the weights behind it take x_hat: net = W "
       "x_hat + w0.",
       "y = g x_hat + b, x_hat = (x - mean) / sqrt(variance + e)",
       "S. Ioffe, C. Szegedy, ICML 2015; S. Santurkar et al., How does batch normalization help "
       "optimization?, NeurIPS 2018",
       {{.name = "epsilon",
         .default_value = 1e-5,
         .range = {.low = 0, .low_included = false},
         .help = "e, keeps the root away from 0"},
        {.name = "momentum",
         .default_value = 0.9,
         .range = {.low = 0, .high = 1, .high_included = false},
         .help = "share of the moving averages that stays at each step (PyTorch counts the other share: its "
                 "0.1 is this 0.9); the average takes the batch's variance without bias, times n / (n - 1)",
         .reason = "at 1 the averages would never take in a batch"},
        {.name = "scale", .type = Type::boolean, .default_value = true, .help = "learn g, from 1"},
        {.name = "centre", .type = Type::boolean, .default_value = true, .help = "learn b, from 0"}},
       {.slides = "L1 'Batch normalization [Ioffe2015]', 'Batch normalization - The algorithm', 'Batch "
                  "normalization - Intuition II', 'From training to test time'; L2 'Batch Normalisation'; L3 "
                  "'Internal Covariate Shift', 'Batch Normalization in every layer', 'Batch Normalization - "
                  "BP'; L4 'Vanishing Gradients'",
        .without = "Deep networks need small rates and careful initialization, and saturate or explode "
                   "otherwise. With it samples of a batch depend on each other: small batches give noisy "
                   "moments, and evaluation differs from training.",
        .erratum = "L1 calls the mini-batch variance sigma_B where sigma_B^2 is meant ('The algorithm', "
                   "'From training to test time'), and its quiz the deviation of the output gamma: it is "
                   "|gamma|. L2 and L3 explain its success by internal covariate shift, L1 with doubts "
                   "('Intuition II'); the paper on L1's reading list finds a smoother loss instead.",
        .example =
            R"(>>> network = ravine.Sequential("batch_normalization").network([1], loss="squared_error", batch_size=3)
>>> network.forward(np.array([[1], [2], [3]], dtype=np.float32), training=True).round(2).ravel()
array([-1.22,  0.  ,  1.22], dtype=float32))",
        .family = "normalization"}},
      {Kind::layer,
       "layer_normalization",
       "Normalizes the values of each sample, whatever the rest of the batch, then scales and shifts them.",
       "y = g x_hat + b, x_hat = (x - mean) / sqrt(variance + e), moments over the last axes of a sample",
       "J. Ba, J. Kiros, G. Hinton, arXiv 1607.06450, 2016",
       {{.name = "axes",
         .type = Type::integer,
         .default_value = std::int64_t{0},
         .range = {.low = 0, .high = 8},
         .help = "number of last axes that are normalized together; 0 for all"},
        {.name = "epsilon",
         .default_value = 1e-5,
         .range = {.low = 0, .low_included = false},
         .help = "e, keeps the root away from 0"},
        {.name = "scale",
         .type = Type::boolean,
         .default_value = true,
         .help = "learn g of each value, from 1"},
        {.name = "centre",
         .type = Type::boolean,
         .default_value = true,
         .help = "learn b of each value, from 0"}},
       {.slides = "L3 'Other Normalization Approaches'",
        .without = "Batch normalization needs batches of some size, and behaves otherwise in evaluation; "
                   "this one does neither, but makes all units of a layer share one mean and variance, which "
                   "images take less well.",
        .example =
            R"(>>> network = ravine.Sequential("layer_normalization").network([3], loss="squared_error")
>>> network.predict(np.array([[1, 2, 3]], dtype=np.float32)).round(2)
array([[-1.22,  0.  ,  1.22]], dtype=float32))",
        .family = "normalization"}},
      {Kind::layer,
       "normalization_propagation",
       "Fully connected layer whose outputs, at gain 1, have mean 0 and variance 1 where its inputs do: "
       "weights are normalized, and the activation by its own moments under a normal distribution, so that "
       "no "
       "statistics of data are needed behind the first layer.",
       "y = (f(g v x / |v| + b) - E f(z)) / sqrt(Var f(z)), z ~ N(0, 1)",
       "D. Arpit, Y. Zhou, B. Kota, V. Govindaraju, ICML 2016",
       {{.name = "units",
         .type = Type::integer,
         .range = {.low = 1, .high = 1e7},
         .help = "number of outputs"},
        {.name = "activation",
         .type = Type::component,
         .default_value = "relu",
         .component = Kind::activation,
         .help = "function f of each output; for relu E f = 1/sqrt(2 pi), Var f = (1 - 1/pi)/2"},
        {.name = "initial_gain",
         .default_value = 1 / 1.21,
         .range = {.low = 0, .low_included = false},
         .help = "where the gains g begin: the paper's 1 / 1.21 for relu. At g = 1 the layer's Jacobian "
                 "stretches gradients by sqrt(E f'(z)^2 / Var f(z)), for relu 1 / sqrt(1 - 1/pi) = 1.21; "
                 "divided by it they keep their length"},
        {.name = "weight_initializer",
         .type = Type::component,
         .default_value = "xavier_uniform",
         .component = Kind::initializer,
         .help = "where the directions v begin"},
        {.name = "bias_initializer",
         .type = Type::component,
         .default_value = "zeros",
         .component = Kind::initializer,
         .help = "where the bias b begins"}},
       {.slides = "L3 'Other Normalization Approaches'",
        .without = "Batch normalization's moments are noisy in small batches. This one takes none, but its "
                   "moments are those of a normal distribution, which inner layers have only roughly, and "
                   "only while inputs are standardized.",
        .example =
            R"(>>> network = ravine.Sequential(ravine.layers.NormalizationPropagation(500, initial_gain=1.0)).network([400], loss="squared_error")
>>> x = np.random.default_rng(0).normal(size=(32, 400)).astype(np.float32)
>>> abs(float(network.predict(x).mean())) < 0.1, abs(float(network.predict(x).std()) - 1) < 0.1
(True, True))",
        .family = "normalization"}},
      {Kind::layer,
       "group_normalization",
       "Normalizes groups of channels of each sample over all places, then scales and shifts each channel.",
       "y = g x_hat + b, x_hat = (x - mean) / sqrt(variance + e), moments over a group of channels",
       "Y. Wu, K. He, ECCV 2018",
       {{.name = "groups",
         .type = Type::integer,
         .range = {.low = 1, .high = 1e7},
         .help = "number of groups, a divisor of the channels"},
        {.name = "epsilon",
         .default_value = 1e-5,
         .range = {.low = 0, .low_included = false},
         .help = "e, keeps the root away from 0"},
        {.name = "scale",
         .type = Type::boolean,
         .default_value = true,
         .help = "learn g of each channel, from 1"},
        {.name = "centre",
         .type = Type::boolean,
         .default_value = true,
         .help = "learn b of each channel, from 0"}},
       {.slides = "extends L3 'Other Normalization Approaches'",
        .without = "Images whose batches must be small, for they are large, have noisy batch moments; layer "
                   "normalization mixes channels that mean different things. The number of groups is one "
                   "more thing to choose.",
        .example =
            R"(>>> network = ravine.Sequential(ravine.layers.GroupNormalization(2)).network([4], loss="squared_error")
>>> network.predict(np.array([[1, 3, 10, 30]], dtype=np.float32)).round(2)
array([[-1.,  1., -1.,  1.]], dtype=float32))",
        .family = "normalization"}},
  };
}

}  // namespace ravine::catalog
