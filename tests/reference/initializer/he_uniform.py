"""w ~ U(-b, b), b = sqrt(6 / ((1 + slope^2) n)). K. He et al., ICCV 2015."""

from __future__ import annotations

import math

CASES = [{}, {"mode": "fan_out"}, {"slope": 0.75}]


def distribution(settings, fan_in, fan_out):
    fan = fan_in if settings["mode"] == "fan_in" else fan_out
    bound = math.sqrt(6.0 / ((1.0 + settings["slope"] ** 2) * fan))
    return "uniform", -bound, bound


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.kaiming_uniform_(
        tensor, a=settings["slope"], mode=settings["mode"], nonlinearity="leaky_relu"
    )
