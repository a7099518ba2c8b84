"""Networks to begin with, fitted to the shape of the data."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from ravine.settings import Table

Layers = list[Any]
Make = Callable[[tuple[int, ...], int], Layers]


@dataclass(frozen=True)
class Preset:
    """A network.

    Args:
        title: on its button.
        help: what it is good for.
        layers: from the shape of a sample and the number of outputs.
        optimizer: settings that train it.
    """

    title: str
    help: str
    layers: Make
    optimizer: Table


def _dense(units: int, activation: str = "") -> Table:
    layer: Table = {"type": "dense", "units": units}
    return {**layer, "activation": activation} if activation else layer


def _convolution(units: int, kernel: int, activation: str = "", **settings: Any) -> Table:
    layer: Table = {"type": "convolution", "units": units, "kernel": kernel, **settings}
    layer["weight_initializer"] = "he_normal"
    return {**layer, "activation": activation} if activation else layer


def _flat(shape: tuple[int, ...]) -> Layers:
    return ["flatten"] if len(shape) > 1 else []


def multilayer(shape: tuple[int, ...], outputs: int) -> Layers:
    """Two hidden layers of rectified linear units."""
    width = 64 if prod(shape) <= 256 else 256
    first, second = _dense(width, "relu"), _dense(width // 2, "relu")
    for layer in (first, second):
        layer["weight_initializer"] = "he_normal"
    return [*_flat(shape), first, second, _dense(outputs)]


def deep_tanh(shape: tuple[int, ...], outputs: int) -> Layers:
    """Twenty layers of tanh: what happens to gradients on their way back (lecture L3)."""
    return [*_flat(shape), *[_dense(64, "tanh") for _ in range(20)], _dense(outputs)]


def lenet(shape: tuple[int, ...], outputs: int) -> Layers:
    """Y. LeCun et al., 1998, with rectified linear units."""
    return [
        _convolution(32, 5, "relu"), "max_pooling", _convolution(64, 5, "relu"), "max_pooling", "flatten",
        {**_dense(512, "relu"), "weight_initializer": "he_normal"}, _dense(outputs),
    ]  # fmt: skip


def _normalized(units: int, kernel: int = 3, stride: int = 1) -> Layers:
    settings: Table = {"stride": stride} if stride > 1 else {}
    if kernel > 1:
        settings["pad"] = kernel // 2
    return [_convolution(units, kernel, use_bias=False, **settings), "batch_normalization"]


def _residual(units: int, stride: int = 1) -> Layers:
    block: Table = {"type": "residual", "body": [*_normalized(units, 3, stride), "relu", *_normalized(units)]}
    if stride > 1:
        block["shortcut"] = _normalized(units, 1, stride)
    return [block, "relu"]


def resnet20(shape: tuple[int, ...], outputs: int) -> Layers:
    """K. He et al., CVPR 2016, for small pictures."""
    layers = [*_normalized(16), "relu"]
    for units, stride in ((16, 1), (32, 2), (64, 2)):
        layers += [*_residual(units, stride), *_residual(units), *_residual(units)]
    return [*layers, "global_average_pooling", {**_dense(outputs), "weight_initializer": "he_normal"}]


def alexnet(shape: tuple[int, ...], outputs: int) -> Layers:
    """A. Krizhevsky et al., NIPS 2012, in two columns that meet before the third convolution and at the end.

    For pictures of 224 x 224; smaller ones get smaller windows and strides.
    """
    large = min(shape[:2]) >= 128 if len(shape) == 3 else False
    first = {"kernel": 11, "stride": 4, "pad": 2} if large else {"kernel": 3, "pad": 1}
    pool: Table = {"type": "max_pooling", "size": 3, "stride": 2} if large else {"type": "max_pooling"}

    def one(units: int, kernel: int, **settings: Any) -> Table:
        return _convolution(units, kernel, "relu", pad=kernel // 2, **settings)

    def begin() -> Layers:
        kernel = int(first["kernel"])
        rest = {key: value for key, value in first.items() if key != "kernel"}
        second = 5 if large else 3
        return [_convolution(48, kernel, "relu", **rest), dict(pool), one(128, second), dict(pool)]

    def end() -> Layers:
        return [one(192, 3), one(128, 3), dict(pool), "flatten"]

    width = 2048 if large else 512
    return [
        {"type": "columns", "columns": [begin(), begin()]},
        {"type": "columns", "columns": [[one(192, 3), *end()], [one(192, 3), *end()]]},
        {"type": "dropout", "rate": 0.5}, {**_dense(width, "relu"), "weight_initializer": "he_normal"},
        {"type": "dropout", "rate": 0.5}, {**_dense(width, "relu"), "weight_initializer": "he_normal"},
        _dense(outputs),
    ]  # fmt: skip


def _rate(learning_rate: float, kind: str = "momentum") -> Table:
    return {"type": kind, "learning_rate": learning_rate}


PRESETS = (
    Preset("MLP", "Two hidden layers: the network to try first", multilayer, _rate(0.02)),
    Preset("Deep tanh MLP", "Twenty layers of tanh: watch gradients vanish", deep_tanh, _rate(0.01)),
    Preset("LeNet", "Two convolutions; for pictures from 16 x 16 up", lenet, _rate(0.02)),
    Preset("ResNet-20", "Residual blocks with batch normalization; for pictures", resnet20, _rate(0.05)),
    Preset(
        "Two-column AlexNet", "Two columns side by side; for pictures from 32 x 32 up", alexnet, _rate(0.01)
    ),
)


def with_preset(table: Table, preset: Preset, shape: tuple[int, ...], outputs: int) -> Table:
    """An experiment with the layers of a preset, and an optimizer that trains them."""
    found = copy.deepcopy(table)
    found.setdefault("model", {})["layers"] = preset.layers(shape, outputs)
    found["optimizer"] = dict(preset.optimizer)
    return found
