"""v <- gamma v + eta grad J(theta - gamma v), theta <- theta - v."""

from __future__ import annotations

CASES = [{}, {"learning_rate": 0.1, "momentum": 0.5}, {"learning_rate": 0.2, "momentum": 0.0}]


def step(theta, gradient, state, settings, t):
    gamma = settings["momentum"]
    at_look_ahead = gradient(theta - gamma * state["velocity"])
    state["velocity"] = gamma * state["velocity"] + settings["learning_rate"] * at_look_ahead
    return theta - state["velocity"]


def torch_equivalent(torch, parameters, settings):
    # PyTorch keeps the look-ahead point as its parameters: its losses are the ones Ravine sees in training.
    gamma = settings["momentum"]
    return torch.optim.SGD(parameters, lr=settings["learning_rate"], momentum=gamma, nesterov=gamma > 0.0)
