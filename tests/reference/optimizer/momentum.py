"""v <- gamma v + eta g, theta <- theta - v; damped: v <- gamma v + (1 - gamma) eta g."""

from __future__ import annotations

CASES = [
    {},
    {"learning_rate": 0.1, "momentum": 0.5},
    {"learning_rate": 0.3, "momentum": 0.9, "damped": True},
    {"learning_rate": 0.2, "momentum": 0.0},
]


def step(theta, gradient, state, settings, t):
    gamma = settings["momentum"]
    weight = 1.0 - gamma if settings["damped"] else 1.0
    state["velocity"] = gamma * state["velocity"] + weight * settings["learning_rate"] * gradient(theta)
    return theta - state["velocity"]


def torch_equivalent(torch, parameters, settings):
    parameters = list(parameters)
    gamma = settings["momentum"]
    optimizer = torch.optim.SGD(
        parameters,
        lr=settings["learning_rate"],
        momentum=gamma,
        dampening=gamma if settings["damped"] else 0.0,
    )
    for parameter in parameters:  # PyTorch would leave its first step undamped
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer
