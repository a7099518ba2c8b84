"""w ~ U(-b, b), b = gain sqrt(6 / (n_in + n_out)). X. Glorot, Y. Bengio, AISTATS 2010."""

from __future__ import annotations

import math

CASES = [{}, {"gain": 4.0}, {"gain": "relu"}]


def distribution(settings, fan_in, fan_out):
    bound = settings["gain"] * math.sqrt(6.0 / (fan_in + fan_out))
    return "uniform", -bound, bound


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.xavier_uniform_(tensor, settings["gain"])
