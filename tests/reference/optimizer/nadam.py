"""Adam with m_bar = mu_(t+1) m / (1 - mu_1 ... mu_(t+1)) + (1 - mu_t) g / (1 - mu_1 ... mu_t) for m_hat."""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"learning_rate": 0.01, "ramp": False},
    {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95, "epsilon": 0.01, "momentum_decay": 0.5},
]


def step(theta, gradient, state, settings, t):
    b1, b2 = settings["beta1"], settings["beta2"]
    g = gradient(theta)
    m = state["first_moment"] = b1 * state["first_moment"] + (1.0 - b1) * g
    v = state["second_moment"] = b2 * state["second_moment"] + (1.0 - b2) * g**2
    rounds = np.arange(1, t + 2)
    mu = b1 * (1.0 - 0.5 * 0.96 ** (rounds * settings["momentum_decay"]) * settings["ramp"])
    m_bar = mu[-1] * m / (1.0 - np.prod(mu)) + (1.0 - mu[-2]) * g / (1.0 - np.prod(mu[:-1]))
    v_hat = v / (1.0 - b2**t)
    return theta - settings["learning_rate"] * m_bar / (np.sqrt(v_hat) + settings["epsilon"])


def torch_equivalent(torch, parameters, settings):
    if not settings["ramp"]:
        return None
    parameters = list(parameters)
    optimizer = torch.optim.NAdam(
        parameters,
        lr=settings["learning_rate"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"],
        momentum_decay=settings["momentum_decay"],
    )
    for parameter in parameters:  # PyTorch would keep the product of the mu in float32
        optimizer.state[parameter] = {
            "step": torch.tensor(0.0),
            "mu_product": torch.tensor(1.0, dtype=torch.float64),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer
