"""y[i, j] = mean over u, v of x[i s + u - p, j s + v - p]; padding is not counted."""

from __future__ import annotations

import numpy as np
from reference.layer.convolution import torch_padded
from reference.layer.max_pooling import CASES as CASES
from reference.layer.max_pooling import windows


def forward(x, parameters, settings, mask_key):
    return np.nanmean(windows(x, settings, np.nan), axis=3)


def torch_equivalent(torch, x, parameters, settings):
    size = settings["size"]
    pool = torch.nn.functional.avg_pool2d
    stride = settings["stride"] or size
    if settings["padding"] == "valid" and 2 * settings["pad"] <= size:
        image = x.permute(0, 3, 1, 2)
        return pool(image, size, stride, settings["pad"], count_include_pad=False).permute(0, 2, 3, 1)
    share = torch_padded(torch, torch.ones_like(x), (size, size), settings)
    value = pool(torch_padded(torch, x, (size, size), settings), size, stride) / pool(share, size, stride)
    return value.permute(0, 2, 3, 1)
