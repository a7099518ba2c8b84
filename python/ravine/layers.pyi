"""Constructors of the catalog, kind "layer". Written by `make stubs`; do not edit."""

from typing import Literal

from ravine.components import Component

__all__ = [
    "Activation",
    "Add",
    "AveragePooling",
    "BatchNormalization",
    "Concatenate",
    "Convolution",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling",
    "GlobalMaxPooling",
    "GroupNormalization",
    "LayerNormalization",
    "MaxPooling",
    "NormalizationPropagation",
    "Softmax",
]

def Dense(
    units: int,
    activation: Component | str = "identity",
    use_bias: bool = True,
    weight_normalization: bool = False,
    weight_initializer: Component | str = "xavier_uniform",
    bias_initializer: Component | str = "zeros",
    *,
    name: str | None = None,
) -> Component:
    """Fully connected layer: every output is a weighted sum of every input.

        y = f(x W^T + b)

    Args:
        units: number of outputs, from 1 up to 1e+07.
        activation: function f of each output.
        use_bias: add the vector b.
        weight_normalization: learn W as g v / |v| for each output, length g (from 1) apart from direction v (T. Salimans, D. Kingma, NIPS 2016; lecture L3).
        weight_initializer: where the weights W begin.
        bias_initializer: where the bias b begins.

    Source: D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986.
    """

def Activation(
    function: Component | str,
    *,
    name: str | None = None,
) -> Component:
    """A function of each value.

        y = f(x)

    Args:
        function: the function f.

    Source: D. Rumelhart, G. Hinton, R. Williams, Nature 323, 1986.
    """

def Softmax(
    *,
    name: str | None = None,
) -> Component:
    """Each row of the last axis as probabilities. Not before the loss softmax_cross_entropy, which takes logits and has it within.

        y_i = e^x_i / sum_j e^x_j

    Source: J. Bridle, 1990.
    """

def Flatten(
    *,
    name: str | None = None,
) -> Component:
    """The values of a sample as one vector.

        y = x

    Source: Y. LeCun et al., Proceedings of the IEEE 86, 1998.
    """

def Dropout(
    rate: float = 0.5,
    form: Literal["inverted", "standard"] = "inverted",
    *,
    name: str | None = None,
) -> Component:
    """Zeroes values at random in training, so that no unit relies on another; of the input too, as first layer. Evaluation uses all values, at the same mean.

        y = x m / (1 - p), m ~ Bernoulli(1 - p); evaluation y = x; standard: y = x m, evaluation y = (1 - p) x

    Args:
        rate: probability p with which a value is zeroed, in steps of 1/65536, from 0 and below 1.
        form: inverted: training divides by 1 - p, evaluation leaves values alone; standard (L1, the paper): evaluation multiplies by 1 - p, as if the weights behind were scaled at test time.

    Source: N. Srivastava et al., JMLR 15, 2014.
    """

def Add(
    *,
    name: str | None = None,
) -> Component:
    """Sum of several layers' outputs of equal shape: where a residual block's branches meet.

        y = x_1 + x_2 + ...

    Source: K. He et al., CVPR 2016.
    """

def Concatenate(
    *,
    name: str | None = None,
) -> Component:
    """Several layers' outputs side by side along the last axis: where columns meet.

        y = [x_1, x_2, ...]

    Source: A. Krizhevsky et al., NIPS 2012.
    """

def BatchNormalization(
    epsilon: float = 1e-05,
    momentum: float = 0.9,
    scale: bool = True,
    centre: bool = True,
    *,
    name: str | None = None,
) -> Component:
    """Normalizes each channel (last axis) over the batch and all places, then scales and shifts it; evaluation uses moving averages of mean and variance instead of the batch's. It stands where the list of layers has it: before the nonlinearity (after a dense layer without activation) or after it. With scale = centre = false it is L3's form, where the weights behind it take x_hat: net = W x_hat + w0.

        y = g x_hat + b, x_hat = (x - mean) / sqrt(variance + e)

    Args:
        epsilon: e, keeps the root away from 0, above 0.
        momentum: share of the moving averages that stays at each step (PyTorch counts the other share: its 0.1 is this 0.9); the average takes the batch's variance without bias, times n / (n - 1), from 0 and below 1.
        scale: learn g, from 1.
        centre: learn b, from 0.

    Source: S. Ioffe, C. Szegedy, ICML 2015; S. Santurkar et al., How does batch normalization help optimization?, NeurIPS 2018.
    """

def LayerNormalization(
    axes: int = 0,
    epsilon: float = 1e-05,
    scale: bool = True,
    centre: bool = True,
    *,
    name: str | None = None,
) -> Component:
    """Normalizes the values of each sample, whatever the rest of the batch, then scales and shifts them.

        y = g x_hat + b, x_hat = (x - mean) / sqrt(variance + e), moments over the last axes of a sample

    Args:
        axes: number of last axes that are normalized together; 0 for all, from 0 up to 8.
        epsilon: e, keeps the root away from 0, above 0.
        scale: learn g of each value, from 1.
        centre: learn b of each value, from 0.

    Source: J. Ba, J. Kiros, G. Hinton, arXiv 1607.06450, 2016.
    """

def NormalizationPropagation(
    units: int,
    activation: Component | str = "relu",
    initial_gain: float = 0.8264462809917356,
    weight_initializer: Component | str = "xavier_uniform",
    bias_initializer: Component | str = "zeros",
    *,
    name: str | None = None,
) -> Component:
    """Fully connected layer whose outputs, at gain 1, have mean 0 and variance 1 where its inputs do: weights are normalized, and the activation by its own moments under a normal distribution, so that no statistics of data are needed behind the first layer.

        y = (f(g v x / |v| + b) - E f(z)) / sqrt(Var f(z)), z ~ N(0, 1)

    Args:
        units: number of outputs, from 1 up to 1e+07.
        activation: function f of each output; for relu E f = 1/sqrt(2 pi), Var f = (1 - 1/pi)/2.
        initial_gain: where the gains g begin: the paper's 1 / 1.21 for relu. At g = 1 the layer's Jacobian stretches gradients by sqrt(E f'(z)^2 / Var f(z)), for relu 1 / sqrt(1 - 1/pi) = 1.21; divided by it they keep their length, above 0.
        weight_initializer: where the directions v begin.
        bias_initializer: where the bias b begins.

    Source: D. Arpit, Y. Zhou, B. Kota, V. Govindaraju, ICML 2016.
    """

def GroupNormalization(
    groups: int,
    epsilon: float = 1e-05,
    scale: bool = True,
    centre: bool = True,
    *,
    name: str | None = None,
) -> Component:
    """Normalizes groups of channels of each sample over all places, then scales and shifts each channel.

        y = g x_hat + b, x_hat = (x - mean) / sqrt(variance + e), moments over a group of channels

    Args:
        groups: number of groups, a divisor of the channels, from 1 up to 1e+07.
        epsilon: e, keeps the root away from 0, above 0.
        scale: learn g of each channel, from 1.
        centre: learn b of each channel, from 0.

    Source: Y. Wu, K. He, ECCV 2018.
    """

def Convolution(
    units: int,
    kernel: int = 3,
    kernel_width: int = 0,
    stride: int = 1,
    padding: Literal["valid", "same"] = "valid",
    pad: int = 0,
    dilation: int = 1,
    groups: int = 1,
    activation: Component | str = "identity",
    use_bias: bool = True,
    weight_normalization: bool = False,
    weight_initializer: Component | str = "xavier_uniform",
    bias_initializer: Component | str = "zeros",
    *,
    name: str | None = None,
) -> Component:
    """Convolution of an image: the same filters at every position.

        y[i, j] = f(sum over u, v of W[u, v] x[i s + u d - p, j s + v d - p] + b)

    Args:
        units: number of filters: channels of the output, from 1 up to 1e+06.
        kernel: height of the window, and its width unless that is given, from 1 up to 10000.
        kernel_width: width of the window; 0 for its height, from 0 up to 10000.
        stride: how far the window moves, s, from 1 up to 10000.
        padding: valid: the window stays in the image, which pad makes larger; same: as many outputs as inputs, divided by the stride and rounded up, the zeros before no more than those behind.
        pad: rows and columns of padding on each side; 0 with padding = same, from 0 up to 10000.
        dilation: distance between the values under the window, d, from 1 up to 10000.
        groups: channels and filters are divided into as many parts that do not see each other, from 1 up to 1e+06.
        activation: function f of each output.
        use_bias: add the vector b.
        weight_normalization: learn each filter W as g v / |v|, length g (from 1) apart from direction v (T. Salimans, D. Kingma, NIPS 2016; lecture L3).
        weight_initializer: where the weights W begin.
        bias_initializer: where the bias b begins.

    Source: Y. LeCun et al., Proceedings of the IEEE 86, 1998.
    """

def MaxPooling(
    size: int = 2,
    stride: int = 0,
    padding: Literal["valid", "same"] = "valid",
    pad: int = 0,
    *,
    name: str | None = None,
) -> Component:
    """The largest value of each channel under a moving window.

        y[i, j] = max over u, v of x[i s + u - p, j s + v - p]

    Args:
        size: height and width of the window, from 1 up to 10000.
        stride: how far the window moves; 0 for its size, from 0 up to 10000.
        padding: valid: the window stays in the image, which pad makes larger; same: as many outputs as inputs, divided by the stride and rounded up, the padding before no larger than that behind; padding is never counted.
        pad: rows and columns of padding on each side; 0 with padding = same, from 0 up to 10000.

    Source: M. Ranzato et al., CVPR 2007.
    """

def AveragePooling(
    size: int = 2,
    stride: int = 0,
    padding: Literal["valid", "same"] = "valid",
    pad: int = 0,
    *,
    name: str | None = None,
) -> Component:
    """The mean of each channel under a moving window.

        y[i, j] = mean over u, v of x[i s + u - p, j s + v - p]

    Args:
        size: height and width of the window, from 1 up to 10000.
        stride: how far the window moves; 0 for its size, from 0 up to 10000.
        padding: valid: the window stays in the image, which pad makes larger; same: as many outputs as inputs, divided by the stride and rounded up, the padding before no larger than that behind; padding is never counted.
        pad: rows and columns of padding on each side; 0 with padding = same, from 0 up to 10000.

    Source: Y. LeCun et al., Proceedings of the IEEE 86, 1998.
    """

def GlobalMaxPooling(
    *,
    name: str | None = None,
) -> Component:
    """The largest value of each channel, as one vector per sample.

        y = max over i, j of x[i, j]

    Source: M. Oquab et al., CVPR 2015.
    """

def GlobalAveragePooling(
    *,
    name: str | None = None,
) -> Component:
    """The mean of each channel, as one vector per sample.

        y = mean over i, j of x[i, j]

    Source: M. Lin, Q. Chen, S. Yan, ICLR 2014.
    """
