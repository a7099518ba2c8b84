"""w ~ N(0, 2 / n). K. He et al., ICCV 2015."""

from __future__ import annotations

import math

CASES = [{}, {"mode": "fan_out"}]


def distribution(settings, fan_in, fan_out):
    return "normal", 0.0, math.sqrt(2.0 / (fan_in if settings["mode"] == "fan_in" else fan_out))


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.kaiming_normal_(tensor, mode=settings["mode"], nonlinearity="relu")
