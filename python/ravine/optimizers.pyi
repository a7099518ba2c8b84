"""Constructors of the catalog, kind "optimizer". Written by `make stubs`; do not edit."""

from typing import Literal

from ravine.components import Component

__all__ = [
    "Adadelta",
    "AdadeltaWindow",
    "Adagrad",
    "Adam",
    "Adamax",
    "Adamw",
    "Amsgrad",
    "DeltaBarDelta",
    "GradientDescent",
    "Lbfgs",
    "Lion",
    "Momentum",
    "Muon",
    "Nadam",
    "Nesterov",
    "Newton",
    "NewtonCg",
    "Radam",
    "Rmsprop",
    "Rprop",
    "SignDescent",
]

def GradientDescent(
    learning_rate: float = 0.01,
) -> Component:
    """A step against the gradient: of one sample, of a mini-batch, or of all samples.

        theta <- theta - eta g

    Args:
        learning_rate: step size eta, at least 0.

    Source: A. Cauchy, 1847; H. Robbins, S. Monro, 1951.
    """

def SignDescent(
    learning_rate: float = 0.001,
) -> Component:
    """The same distance along every axis, whatever the gradient's size; for the gradient of all samples.

        theta <- theta - eta sign(g)

    Args:
        learning_rate: step size eta, at least 0.

    Source: J. Bernstein et al., ICML 2018.
    """

def Momentum(
    learning_rate: float = 0.01,
    momentum: float = 0.9,
    damped: bool = False,
) -> Component:
    """Steps along a running sum of gradients, the heavy ball: faster along a valley, calmer across it.

        v <- gamma v + eta g, theta <- theta - v

    Args:
        learning_rate: step size eta, at least 0.
        momentum: share gamma of the last step that is kept; L1 lets it grow from 0.5 to 0.9, from 0 and below 1.
        damped: L3's form: the new gradient is weighted with 1 - gamma.

    Source: B. Polyak, 1964; N. Qian, Neural Networks 12, 1999.
    """

def Nesterov(
    learning_rate: float = 0.01,
    momentum: float = 0.9,
) -> Component:
    """Momentum whose gradient is taken where the momentum is about to lead.

        v <- gamma v + eta grad J(theta - gamma v), theta <- theta - v

    Args:
        learning_rate: step size eta, at least 0.
        momentum: share gamma of the last step that is kept; L1 lets it grow from 0.5 to 0.9, from 0 and below 1.

    Source: Y. Nesterov, 1983; I. Sutskever et al., ICML 2013.
    """

def Lion(
    learning_rate: float = 0.0001,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 0.0,
) -> Component:
    """The sign of a momentum: steps of one length, with half of Adam's memory.

        theta <- theta - eta (sign(beta1 m + (1 - beta1) g) + lambda theta), m <- beta2 m + (1 - beta2) g

    Args:
        learning_rate: step size eta, at least 0.
        beta1: share of m in the direction, from 0 and below 1.
        beta2: decay of m, from 0 and below 1.
        weight_decay: lambda, for weights but not for biases; [[groups]] may give their own, at least 0.

    Source: X. Chen et al., NeurIPS 2023, algorithm 2.
    """

def Muon(
    learning_rate: float = 0.02,
    momentum: float = 0.95,
    nesterov: bool = True,
    scaling: Literal["original", "match_rms_adamw"] = "original",
    weight_decay: float = 0.0,
    adamw_ratio: float = 0.05,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-08,
) -> Component:
    """Momentum whose step is the same along every direction in which a weight matrix has a gradient; parameters that are no matrices by Adam with decoupled weight decay.

        m <- mu m + (1 - mu) g, W <- W - eta lambda W - eta s O, O = orthogonalize(mu m + (1 - mu) g)

    Args:
        learning_rate: step size eta; 0.02 (Jordan), less for small batches; with match_rms_adamw what suits Adam, at least 0.
        momentum: decay mu of the running average m, from 0 and below 1.
        nesterov: orthogonalize mu m + (1 - mu) g; false: m.
        scaling: s of a matrix: original: sqrt(max(1, rows / columns)); match_rms_adamw: 0.2 sqrt(max(rows, columns)), with which a step is as long as Adam's (Liu).
        weight_decay: lambda, for weights but not for biases; [[groups]] may give their own, at least 0.
        adamw_ratio: learning rate of what is no matrix, in units of eta, so that schedules reach both, at least 0.
        beta1: decay of the first moment m, from 0 and below 1.
        beta2: decay of the second moment v, from 0 and below 1.
        epsilon: keeps the division finite, above 0.

    Source: K. Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024; J. Liu et al., arXiv 2502.16982, 2025.
    """

def Rprop(
    initial_step: float = 0.01,
    decrease: float = 0.5,
    increase: float = 1.2,
    smallest_step: float = 1e-06,
    largest_step: float = 50.0,
) -> Component:
    """A step size for each weight that grows while the gradient keeps its sign and shrinks where it turns; for the gradient of all samples.

        d <- increase d or decrease d, theta <- theta - sign(g) d

    Args:
        initial_step: step size d at first; the paper's is 0.1, above 0.
        decrease: factor where the sign turns, above 0 up to 1.
        increase: factor while the sign stays, at least 1.
        smallest_step: d is at least this, above 0.
        largest_step: d is at most this, above 0.

    Source: M. Riedmiller, H. Braun, ICNN 1993; C. Igel, M. Huesken, 2000, iRprop-.
    """

def DeltaBarDelta(
    learning_rate: float = 0.01,
    increase: float = 0.05,
    decrease: float = 0.1,
    decay: float = 0.7,
) -> Component:
    """A learning rate for each weight: up by a little while the direction is steady, down by a share where it oscillates; for the gradient of all samples.

        r <- r + kappa or (1 - phi) r, theta <- theta - eta r g

    Args:
        learning_rate: every weight's rate at first, eta, at least 0.
        increase: kappa, as a share of eta, at least 0.
        decrease: phi, as a share of the weight's rate, from 0 up to 1.
        decay: of the running average of gradients that says the direction, from 0 and below 1.

    Source: R. Jacobs, Neural Networks 1, 1988.
    """

def Adagrad(
    learning_rate: float = 0.01,
    epsilon: float = 1e-08,
    epsilon_position: Literal["inside", "outside"] = "inside",
    root: bool = True,
) -> Component:
    """Smaller steps where gradients were large or frequent, for sparse data; all shrink for ever.

        G <- G + g^2, theta <- theta - eta g / sqrt(G + epsilon)

    Args:
        learning_rate: step size eta, at least 0.
        epsilon: keeps the division finite, above 0.
        epsilon_position: sqrt(G + epsilon), L1, L3, L4; outside: sqrt(G) + epsilon, the paper.
        root: false divides by G + epsilon itself, which performs much worse (L3).

    Source: J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011.
    """

def Adadelta(
    learning_rate: float = 1.0,
    decay: float = 0.9,
    epsilon: float = 1e-06,
    form: Literal["final", "preliminary"] = "final",
) -> Component:
    """Steps in the units of the weights: the gradient over its running size, times the running size of the steps.

        dtheta = -RMS[dtheta] / RMS[g] g, RMS[x] = sqrt(E[x^2] + epsilon)

    Args:
        learning_rate: 1 is the lectures' final form, which has no learning rate; eta of the preliminary form, where 0.001 fits, at least 0.
        decay: gamma of both running averages, from 0 and below 1.
        epsilon: keeps the division finite, above 0.
        form: preliminary: -eta / RMS[g] g, before the units are corrected (L3, L4).

    Source: M. Zeiler, arXiv 1212.5701, 2012.
    """

def AdadeltaWindow(
    learning_rate: float = 0.01,
    epsilon: float = 1e-08,
    window: int = 2,
) -> Component:
    """Adagrad over the last few gradients only, the idea before Adadelta's running average.

        G = g_t^2 + ... + g_(t-w+1)^2, theta <- theta - eta g / sqrt(G + epsilon)

    Args:
        learning_rate: step size eta, at least 0.
        epsilon: keeps the division finite, above 0.
        window: gradients w that count, this one too; three earlier ones are kept in memory, from 1 up to 4.

    Source: M. Zeiler, arXiv 1212.5701, 2012, section 3.1.
    """

def Rmsprop(
    learning_rate: float = 0.001,
    decay: float = 0.9,
    epsilon: float = 1e-08,
    epsilon_position: Literal["inside", "outside"] = "inside",
) -> Component:
    """The gradient over its running size: large gradients are tamed, small ones on a plateau count more.

        r <- alpha r + (1 - alpha) g^2, theta <- theta - eta g / sqrt(r + epsilon)

    Args:
        learning_rate: step size eta; 0.001 (L0, L3), or 0.01 with epsilon 1e-6 (L2), at least 0.
        decay: alpha of the running average, from 0 and below 1.
        epsilon: keeps the division finite, above 0.
        epsilon_position: sqrt(r + epsilon), the lectures; outside: sqrt(r) + epsilon, most libraries.

    Source: G. Hinton, Neural networks for machine learning, lecture 6e, 2012.
    """

def Adam(
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-08,
    correction: Literal["standard", "constant", "none"] = "standard",
    epsilon_position: Literal["inside", "outside"] = "outside",
) -> Component:
    """A step for each weight: the gradient's running mean over its running size. A good first choice.

        theta <- theta - eta m_hat / (sqrt(v_hat) + epsilon)

    Args:
        learning_rate: step size eta; 0.001, or L2's 0.01 with beta2 0.99 and epsilon 1e-7, at least 0.
        beta1: decay of the first moment m, from 0 and below 1.
        beta2: decay of the second moment v, from 0 and below 1.
        epsilon: keeps the division finite, above 0.
        correction: m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t); constant: 1 - beta at every step (L2); none: m and v, with first steps 3 times too long at the default decays.
        epsilon_position: sqrt(v_hat) + epsilon; inside: sqrt(v_hat + epsilon), L4's table.

    Source: D. Kingma, J. Ba, ICLR 2015, algorithm 1.
    """

def Adamw(
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-08,
    weight_decay: float = 0.01,
) -> Component:
    """Adam with weight decay apart from the gradient, so that every weight decays at the same rate.

        theta <- theta - eta (m_hat / (sqrt(v_hat) + epsilon) + lambda theta)

    Args:
        learning_rate: step size eta, at least 0.
        beta1: decay of the first moment m, from 0 and below 1.
        beta2: decay of the second moment v, from 0 and below 1.
        epsilon: keeps the division finite, above 0.
        weight_decay: lambda, for weights but not for biases; [[groups]] may give their own, at least 0.

    Source: I. Loshchilov, F. Hutter, ICLR 2019, algorithm 2.
    """

def Adamax(
    learning_rate: float = 0.002,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-08,
) -> Component:
    """Adam with the largest recent gradient in the place of the mean square.

        u <- max(beta2 u, |g| + epsilon), theta <- theta - eta m_hat / u

    Args:
        learning_rate: step size eta, at least 0.
        beta1: decay of the first moment m, from 0 and below 1.
        beta2: decay of the largest gradient u, from 0 and below 1.
        epsilon: keeps the division finite for weights without a gradient; 0 in the paper, above 0.

    Source: D. Kingma, J. Ba, ICLR 2015, algorithm 2.
    """

def Nadam(
    learning_rate: float = 0.002,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-08,
    ramp: bool = True,
    momentum_decay: float = 0.004,
) -> Component:
    """Adam whose momentum looks ahead as Nesterov's does.

        theta <- theta - eta (mu_(t+1) m_hat + (1 - mu_t) g_hat) / (sqrt(v_hat) + epsilon)

    Args:
        learning_rate: step size eta, at least 0.
        beta1: decay of the first moment m, from 0 and below 1.
        beta2: decay of the second moment v, from 0 and below 1.
        epsilon: keeps the division finite, above 0.
        ramp: mu_t = beta1 (1 - 0.96^(psi t) / 2), which grows; false: mu_t = beta1.
        momentum_decay: psi of the ramp, at least 0.

    Source: T. Dozat, ICLR workshop, 2016.
    """

def Amsgrad(
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-08,
    correction: Literal["standard", "none"] = "standard",
) -> Component:
    """Adam with the largest second moment so far: rare large gradients are not forgotten.

        v_max <- max(v_max, v), theta <- theta - eta m_hat / (sqrt(v_max_hat) + epsilon)

    Args:
        learning_rate: step size eta, at least 0.
        beta1: decay of the first moment m, from 0 and below 1.
        beta2: decay of the second moment v, from 0 and below 1.
        epsilon: keeps the division finite, above 0.
        correction: m_hat and v_max_hat as in Adam; none: the paper's m and v_max.

    Source: S. Reddi, S. Kale, S. Kumar, ICLR 2018, algorithm 2.
    """

def Radam(
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-08,
) -> Component:
    """Adam that warms up by itself: it adapts only as far as the second moment can be trusted.

        theta <- theta - eta r_t sqrt(1 - beta2^t) m_hat / (sqrt(v) + epsilon) once rho_t > 5, else - eta m_hat

    Args:
        learning_rate: step size eta, at least 0.
        beta1: decay of the first moment m, from 0 and below 1.
        beta2: decay of the second moment v, from 0 and below 1.
        epsilon: keeps the division finite, above 0.

    Source: L. Liu et al., ICLR 2020, algorithm 2.
    """

def Newton(
    learning_rate: float = 1.0,
    form: Literal["full", "diagonal"] = "full",
    damping: float = 0.0,
) -> Component:
    """The step to the minimum of the parabola that fits best here, or each weight's own optimal rate; for few parameters, since it computes two gradients for each in every step.

        theta <- theta - eta (H + damping I)^-1 g, or theta_i <- theta_i - eta g_i / (d2J/dtheta_i2 + damping)

    Args:
        learning_rate: share eta of the step; 1 reaches the minimum of a parabola at once, at least 0.
        form: full: the matrix of all second derivatives, n x n; diagonal: each weight's own rate eta* = (d2J/dw2)^-1, as if the others stood still.
        damping: added to every curvature; a little (0.001) where the matrix has no inverse, more, beyond their size, where curvatures are negative: saddles attract without it, at least 0.

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, section 3.3; Y. LeCun et al., Efficient BackProp, 1998.
    """

def NewtonCg(
    learning_rate: float = 1.0,
    damping: float = 0.0,
    cg_steps: int = 50,
    line_search: Literal["strong_wolfe", "none"] = "strong_wolfe",
    trials: int = 25,
    tolerance: float = 1e-07,
) -> Component:
    """Newton's method without its matrix: conjugate gradients solve for the step, as far as it pays, and turn aside from saddles.

        theta <- theta + t z, (H + damping I) z = -g up to |r| < min(1/2, sqrt|g|) |g|, t by line search

    Args:
        learning_rate: step eta that is tried first, at least 0.
        damping: added to every curvature, at least 0.
        cg_steps: conjugate gradients in a step, at most; each is two gradients, from 1 up to 100000.
        line_search: strong_wolfe: until the loss has fallen (c1 = 0.0001) and its slope is flatter (c2 = 0.9); none: eta is the step.
        trials: of the line search, at most; each is one gradient, after a first one, from 1 up to 1000.
        tolerance: no step is made where no element of the gradient is larger, at least 0.

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 7.1; R. Dembo, T. Steihaug, Mathematical Programming 26, 1983.
    """

def Lbfgs(
    learning_rate: float = 1.0,
    history: int = 10,
    line_search: Literal["strong_wolfe", "none"] = "strong_wolfe",
    trials: int = 25,
    tolerance: float = 1e-07,
    least_descent: float = 1e-09,
) -> Component:
    """Learns the curvature from the last few steps and the changes of the gradient along them: the choice for the gradient of all samples.

        theta <- theta - t H_m g, H_m from pairs s = change of theta, y = change of g; t by line search

    Args:
        learning_rate: step eta that is tried first; the very first is eta min(1, 1 / |g|_1), at least 0.
        history: pairs m that are kept, two vectors of 8 bytes a parameter each, from 1 up to 1000.
        line_search: strong_wolfe: until the loss has fallen (c1 = 0.0001) and its slope is flatter (c2 = 0.9); none: eta is the step.
        trials: of the line search, at most; each is one gradient, after a first one, from 1 up to 1000.
        tolerance: no step is made where no element of the gradient is larger, at least 0.
        least_descent: no step is made where a whole one would lower the loss by less, by the slope; the default ends about 1e-9 above the minimum, at least 0.

    Source: D. Liu, J. Nocedal, Mathematical Programming 45, 1989; J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithms 3.5, 3.6, 7.4, 7.5.
    """
