"""w ~ U(-1/sqrt(n_in), 1/sqrt(n_in)), the default of torch.nn.Linear."""

from __future__ import annotations

import math

CASES = [{}]


def distribution(settings, fan_in, fan_out):
    return "uniform", -1.0 / math.sqrt(fan_in), 1.0 / math.sqrt(fan_in)


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.kaiming_uniform_(tensor, a=math.sqrt(5.0))  # as nn.Linear.reset_parameters
