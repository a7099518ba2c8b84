"""What a row's loss counts in the weighted mean of a batch."""

from __future__ import annotations

import numpy as np


def shares(weights, rows):
    """w / sum w, all 0 where the sum is; the same for each row where there are no weights."""
    if weights is None:
        return np.full(rows, 1.0 / rows)
    total = weights.sum()
    return weights / total if total > 0.0 else np.zeros(rows)


def mean(losses, weights):
    """sum w l / sum w of the rows' mean losses; `losses` [rows, outputs]."""
    return float(np.sum(shares(weights, len(losses)) * losses.mean(axis=1)))


def of_mean(derivatives, weights):
    """The gradient of `mean` from the derivatives of its losses."""
    return shares(weights, len(derivatives))[:, np.newaxis] * derivatives / derivatives.shape[1]
