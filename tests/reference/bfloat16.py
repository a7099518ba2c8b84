"""bfloat16 (1 sign, 8 exponent and 7 fraction bits: the upper half of a float32), rounded by its bits."""

from __future__ import annotations

import numpy as np
import pytest

from ravine import _core

needs_bfloat16 = pytest.mark.skipif(
    not any(name == "bfloat16" and there for name, there, _ in _core.report()),
    reason="needs a processor with AVX512-BF16, and oneDNN",
)


def rounded(values):
    """To the nearest of 8 significant bits, ties to the even one; float64 of finite float32 values."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    bits = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    return (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)
