"""Training: y = x m / (1 - p), m ~ Bernoulli(1 - p); evaluation: y = x. The mask: see reference.philox."""

from __future__ import annotations

from reference.philox import dropout_mask

CASES = [({}, (6,)), ({"rate": 0.2}, (300,)), ({"rate": 0.0}, (5,)), ({"rate": 0.7}, (3, 5, 2))]
WITHOUT_TORCH = "PyTorch draws other masks; the mask is compared with the reference of Philox instead"


def forward(x, parameters, settings, mask_key):
    if mask_key is None:
        return x.copy()
    rows = x.reshape(len(x), -1)
    mask = dropout_mask(*mask_key, *rows.shape, settings["rate"])
    return (rows * mask).reshape(x.shape)
