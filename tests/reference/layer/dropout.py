"""m ~ Bernoulli(1 - p). Inverted: training y = x m / (1 - p), evaluation y = x; standard: x m and (1 - p) x.

The mask: see reference.philox.
"""

from __future__ import annotations

import numpy as np
from reference.philox import dropout_mask

CASES = [
    ({}, (6,)),
    ({"rate": 0.2}, (300,)),
    ({"rate": 0.0}, (5,)),
    ({"rate": 0.7}, (3, 5, 2)),
    ({"rate": 0.3, "form": "standard"}, (300,)),
    ({"form": "standard"}, (4, 3, 1)),
]
WITHOUT_TORCH = "PyTorch draws other masks; the mask is compared with the reference of Philox instead"


def forward(x, parameters, settings, mask_key):
    standard = settings.get("form") == "standard"
    if mask_key is None:
        threshold = np.floor(settings["rate"] * 65536 + 0.5)
        return x * (65536 - threshold) / 65536 if standard else x.copy()
    rows = x.reshape(len(x), -1)
    mask = dropout_mask(*mask_key, *rows.shape, settings["rate"])
    return (rows * (mask > 0 if standard else mask)).reshape(x.shape)
