"""w ~ N(0, 2 / ((1 + slope^2) n)). K. He et al., ICCV 2015."""

from __future__ import annotations

import math

CASES = [{}, {"mode": "fan_out"}, {"slope": 0.75}]


def distribution(settings, fan_in, fan_out):
    fan = fan_in if settings["mode"] == "fan_in" else fan_out
    return "normal", 0.0, math.sqrt(2.0 / ((1.0 + settings["slope"] ** 2) * fan))


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.kaiming_normal_(
        tensor, a=settings["slope"], mode=settings["mode"], nonlinearity="leaky_relu"
    )
