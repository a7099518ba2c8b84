"""gain times the Q of a standard normal matrix's QR decomposition, R's diagonal positive; rows are outputs.

A. Saxe, J. McClelland, S. Ganguli, ICLR 2014.
"""

from __future__ import annotations

import numpy as np

CASES = [{}, {"gain": 1.5}, {"gain": "selu"}]


def distribution(settings, fan_in, fan_out):
    return "normal", 0.0, 1.0


def arrange(values, settings):
    """The parameter made of these draws."""
    matrix = values.reshape(len(values), -1)
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    q, r = np.linalg.qr(tall)
    q = q * np.where(np.diag(r) < 0.0, -1.0, 1.0)
    return settings["gain"] * (q if tall is matrix else q.T).reshape(values.shape)


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.orthogonal_(tensor, settings["gain"])
