"""w ~ U(-b, b), b = sqrt(3 / n). Y. LeCun et al., "Efficient BackProp", 1998."""

from __future__ import annotations

import math

CASES = [{}, {"mode": "fan_out"}]


def distribution(settings, fan_in, fan_out):
    bound = math.sqrt(3.0 / (fan_in if settings["mode"] == "fan_in" else fan_out))
    return "uniform", -bound, bound


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.kaiming_uniform_(tensor, mode=settings["mode"], nonlinearity="linear")
