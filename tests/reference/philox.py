"""Philox4x32-10 in NumPy, and how Ravine keys it.

J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

Keying: the key is the seed (low word, high word); the counter is (low half of the index, high half of the
index, step, purpose << 24 | stream). Purposes: 1 initialize (stream: the parameter's position), 2 shuffle
(step: the epoch), 3 dropout (stream: the layer's position; step: the training step; the index's high half:
the row in the global batch), 4 augmentation (stream: the step's place in the list; step: the epoch; the
index's high half: the sample, its low half: the call).
"""

from __future__ import annotations

import numpy as np
from scipy import special

INITIALIZE, SHUFFLE, DROPOUT = 1, 2, 3
LOW = np.uint64(0xFFFFFFFF)
WORD = np.uint64(32)


def philox(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Ten rounds over counters of shape (..., 4); returns words of the same shape as uint64 below 2^32."""
    c0, c1, c2, c3 = (np.asarray(counter[..., i], dtype=np.uint64) for i in range(4))
    k0, k1 = key
    for _ in range(10):
        left = c0 * np.uint64(0xD2511F53)
        right = c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (right >> WORD) ^ c1 ^ np.uint64(k0),
            right & LOW,
            (left >> WORD) ^ c3 ^ np.uint64(k1),
            left & LOW,
        )
        k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF
        k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1)


def words(seed: int, purpose: int, stream: int, step: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The four words of each index given by its two halves, keyed as Ravine keys them."""
    low, high = np.broadcast_arrays(low, high)
    counter = np.empty((*low.shape, 4), dtype=np.uint64)
    counter[..., 0] = low
    counter[..., 1] = high
    counter[..., 2] = step
    counter[..., 3] = purpose << 24 | stream
    return philox(counter, (seed & 0xFFFFFFFF, seed >> 32))


def uniform(bits: np.ndarray) -> np.ndarray:
    """Words to the open interval (0, 1): the middles of 2^32 cells."""
    return (bits.astype(np.float64) + 0.5) / 2.0**32


def draw(distribution: tuple, seed: int, parameter: int, count: int) -> np.ndarray:
    """A parameter's first `count` initial values."""
    kind, *settings = distribution
    if kind == "constant":
        return np.full(count, settings[0])
    index = np.arange(count, dtype=np.uint64)
    bits = words(seed, INITIALIZE, parameter, 0, index & LOW, index >> WORD)
    if kind == "uniform":
        low, high = settings
        return low + (high - low) * uniform(bits[:, 0])
    if kind == "truncated_normal":
        return truncated_normal(uniform(bits[:, 0]), *settings)
    mean, deviation = settings  # normal, by Box and Muller
    radius = np.sqrt(-2.0 * np.log(uniform(bits[:, 0])))
    return mean + deviation * radius * np.cos(2.0 * np.pi * uniform(bits[:, 1]))


def truncated_normal(p: np.ndarray, mean: float, deviation: float, low: float, high: float) -> np.ndarray:
    """The value with a share p below it; by symmetry in the tail that keeps its digits."""
    sign = -1.0 if low + high > 2.0 * mean else 1.0
    first, last = sorted((sign * (low - mean) / deviation, sign * (high - mean) / deviation))
    below = special.ndtr(first), special.ndtr(last)
    return mean + sign * deviation * special.ndtri(below[0] + (below[1] - below[0]) * p)


def dropout_mask(seed: int, layer: int, step: int, rows: int, columns: int, rate: float) -> np.ndarray:
    """1 / (1 - rate) where a value is kept, else 0; of shape (rows, columns).

    A row is cut into chunks of 128 columns. Chunk c takes calls 16 c .. 16 c + 15; element e of it takes 16
    bits: half e // 64 of word (e // 16) % 4 of call e % 16. Kept is what is not below the rate in 1/65536.
    """
    chunks = (columns + 127) // 128
    bits = words(seed, DROPOUT, layer, step, np.arange(16 * chunks)[None, :], np.arange(rows)[:, None])
    element = np.arange(columns)
    call = element // 128 * 16 + element % 16
    word = element % 128 // 16 % 4
    half = element % 128 // 64
    number = (bits[:, call, word] >> (np.uint64(16) * half.astype(np.uint64))) & np.uint64(0xFFFF)
    threshold = min(int(rate * 65536 + 0.5), 65535)
    return np.where(number < threshold, 0.0, 65536.0 / (65536.0 - threshold))


def permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    """Fisher-Yates from the top, each pick the high part of a 64-bit draw times what is left."""
    order = np.arange(count)
    bits = words(seed, SHUFFLE, 0, epoch, np.arange(count), np.zeros(count, dtype=np.uint64))
    for i in range(count - 1, 0, -1):
        number = (int(bits[i, 0]) << 32) | int(bits[i, 1])
        pick = number * (i + 1) >> 64
        order[i], order[pick] = order[pick], order[i]
    return order
