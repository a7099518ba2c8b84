"""theta <- theta - eta g."""

from __future__ import annotations

CASES = [{}, {"learning_rate": 0.5}]


def step(theta, gradient, state, settings, t):
    return theta - settings["learning_rate"] * gradient(theta)


def torch_equivalent(torch, parameters, settings):
    return torch.optim.SGD(parameters, lr=settings["learning_rate"])
