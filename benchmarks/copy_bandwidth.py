"""What the memory of a GPU can do: how long a copy within it takes, by the driver's interface."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from contenders import LeftOutError


class Driver:
    """The functions of libcuda.so.1 that are used; each raises where it does not return 0."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libcuda.so.1")
        except OSError:
            raise LeftOutError("there is no NVIDIA driver") from None

    def __call__(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise LeftOutError(f"{name} returned {status}")


def prepare(index: int, bytes_copied: int, copies: int) -> Callable[[], int]:
    """A function that copies a buffer on the card to another, and returns how often.

    Args:
        index: of the card.
        bytes_copied: of each copy, several times as much as its cache.
        copies: timed in one go.
    """
    driver = Driver()
    device, context, stream = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
    source, target = ctypes.c_uint64(), ctypes.c_uint64()
    driver("cuInit", 0)
    driver("cuDeviceGet", ctypes.byref(device), index)
    driver("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    driver("cuCtxSetCurrent", context)
    driver("cuStreamCreate", ctypes.byref(stream), 1)
    for buffer in (source, target):
        driver("cuMemAlloc_v2", ctypes.byref(buffer), ctypes.c_size_t(bytes_copied))
        driver("cuMemsetD32_v2", buffer, 1, ctypes.c_size_t(bytes_copied // 4))

    def run() -> int:
        for _ in range(copies):
            driver("cuMemcpyDtoDAsync_v2", target, source, ctypes.c_size_t(bytes_copied), stream)
        driver("cuStreamSynchronize", stream)
        return copies

    return run
