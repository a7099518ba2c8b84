"""w ~ N(0, 1 / n). Y. LeCun et al., "Efficient BackProp", 1998."""

from __future__ import annotations

import math

CASES = [{}, {"mode": "fan_out"}]


def distribution(settings, fan_in, fan_out):
    return "normal", 0.0, math.sqrt(1.0 / (fan_in if settings["mode"] == "fan_in" else fan_out))


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.kaiming_normal_(tensor, mode=settings["mode"], nonlinearity="linear")
