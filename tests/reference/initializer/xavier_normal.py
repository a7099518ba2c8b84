"""w ~ N(0, gain^2 2 / (n_in + n_out)). X. Glorot, Y. Bengio, AISTATS 2010."""

from __future__ import annotations

import math

CASES = [{}, {"gain": 4.0}, {"gain": "tanh"}]


def distribution(settings, fan_in, fan_out):
    return "normal", 0.0, settings["gain"] * math.sqrt(2.0 / (fan_in + fan_out))


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.xavier_normal_(tensor, settings["gain"])
