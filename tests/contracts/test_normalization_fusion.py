"""Batch normalization, shortcut and activation in one pass: against NumPy, and against the passes apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.catalog import reference, resolved
from reference.differences import numerical_gradient, relative_error
from reference.network import randomize

from ravine import Residual, Sequential, _core
from ravine.layers import BatchNormalization, Convolution, Dense, Flatten

OUTPUT_ALONE = ("relu", "leaky_relu", "tanh", "sigmoid", "elu", "selu", "softplus")
READS_INPUT = ("gelu", "silu")


def dense_layers(activation: str) -> list[Any]:
    """Units that are no multiple of a vector's lanes, and more of them than a piece of columns."""
    return [
        Dense(70), BatchNormalization(), activation,
        Residual(Dense(70, use_bias=False), BatchNormalization(), activation,
                 Dense(70), BatchNormalization()),
        activation,
        Residual(Dense(5), BatchNormalization(scale=False),
                 shortcut=[Dense(5), BatchNormalization(centre=False)]),
        activation,
        Dense(3),
    ]  # fmt: skip


def image_layers(activation: str) -> list[Any]:
    def convolution(units: int, stride: int = 1) -> Any:
        return Convolution(units, kernel=3, pad=1, stride=stride, use_bias=False)

    return [
        convolution(4), BatchNormalization(), activation,
        Residual(convolution(4), BatchNormalization(), activation, convolution(4), BatchNormalization()),
        activation,
        Residual(convolution(6, 2), BatchNormalization(), activation, convolution(6), BatchNormalization(),
                 shortcut=[Convolution(6, kernel=1, stride=2), BatchNormalization()]),
        activation,
        Flatten(), Dense(3),
    ]  # fmt: skip


KINDS = {"dense": (dense_layers, (9,)), "images": (image_layers, (6, 5, 2))}


def compiled(kind: str, activation: str = "relu", dtype: str = "float64", **options: Any) -> Any:
    layers, shape = KINDS[kind]
    settings = {"batch_size": 12, "dtype": dtype, "threads": 1, "seed": 1} | options
    return Sequential(*layers(activation)).network(shape, loss="softmax_cross_entropy", **settings)


def problem(network: Any, rows: int, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    randomize(network, generator)
    x = generator.normal(0.3, 2.0, size=(rows, *network.input_shape)).astype(network.flat_parameters.dtype)
    return x, generator.integers(0, 3, rows).astype(np.int32)


def normalized(x: np.ndarray, values: dict[str, np.ndarray], name: str) -> np.ndarray:
    axes = tuple(range(x.ndim - 1))
    x_hat = (x - x.mean(axes)) / np.sqrt(x.var(axes) + 1e-5)
    return x_hat * values.get(f"{name}.scale", 1.0) + values.get(f"{name}.centre", 0.0)


def outputs_in_numpy(network: Any, x: np.ndarray, activation: str) -> dict[str, np.ndarray]:
    """What every layer of `dense_layers` gives in training."""
    given = {name: array.astype(np.float64) for name, array in network.parameters.items()}
    out = {"input": x.astype(np.float64)}
    rule, settings = reference("activation", activation), resolved("activation", activation, {})

    def norm(number: int, before: str) -> None:
        dense, name = f"dense_{number}", f"batch_normalization_{number}"
        out[dense] = out[before] @ given[f"{dense}.weight"].T + given.get(f"{dense}.bias", 0.0)
        out[name] = normalized(out[dense], given, name)

    def active(number: int, before: str) -> None:
        out[f"activation_{number}"] = rule.forward(out[before], settings)

    norm(1, "input")
    active(1, "batch_normalization_1")
    norm(2, "activation_1")
    active(2, "batch_normalization_2")
    norm(3, "activation_2")
    out["add_1"] = out["batch_normalization_3"] + out["activation_1"]
    active(3, "add_1")
    norm(4, "activation_3")
    norm(5, "activation_3")
    out["add_2"] = out["batch_normalization_4"] + out["batch_normalization_5"]
    active(4, "add_2")
    out["dense_6"] = out["activation_4"] @ given["dense_6.weight"].T + given["dense_6.bias"]
    del out["input"]
    return out


def trained(network: Any, rows: int, steps: int = 4, rate: float = 0.05, **options: Any) -> tuple[Any, ...]:
    """Weights, moving averages, what was recorded, and what is predicted afterwards."""
    x, labels = problem(network, rows * steps)
    optimizer = _core.Optimizer({"type": "momentum", "learning_rate": rate})
    network.train(optimizer, x, labels, batch_size=rows, **options)
    _, recorded = network.drain()
    state = np.concatenate([value.ravel() for value in network.state.values()])
    return network.flat_parameters.copy(), state, recorded, network.predict(x)


def operations(network: Any, mode: str = "training") -> list[str]:
    return [row["operation"] for row in network.describe(mode, 12)["operations"]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [2, 12, 300])
@pytest.mark.parametrize("activation", [*OUTPUT_ALONE, *READS_INPUT])
def test_every_layer_is_measured_as_if_it_were_kept(activation: str, rows: int, dtype: str) -> None:
    network = compiled("dense", activation, dtype)
    x, labels = problem(network, rows)
    expected = outputs_in_numpy(network, x, activation)
    network.train(
        _core.Optimizer({"type": "gradient_descent", "learning_rate": 0.0}), x, labels, batch_size=rows
    )
    _, recorded = network.drain()
    # The columns are float32. Two rows are normalized to -1 and 1 whatever they differ by.
    tolerance = {"float64": 3e-7, "float32": 2e-5 if rows > 2 else 3e-2}[dtype]
    for name, values in expected.items():
        for column, value in [
            ("mean", values.mean()), ("variance", values.var()), ("zeros", np.mean(values == 0.0)),
        ]:  # fmt: skip
            if column == "zeros" and activation in READS_INPUT and dtype == "float32":
                continue  # far below 0 they round to it
            found = recorded[0, network.columns.index(f"{name}.activation_{column}")]
            assert found == pytest.approx(value, rel=tolerance, abs=tolerance), f"{name}: {column}"
    output = network.forward(x, training=True)
    tolerance = {"float64": 1e-9, "float32": tolerance * 50}[dtype]
    np.testing.assert_allclose(output, expected["dense_6"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient(kind: str, activation: str) -> None:
    network = compiled(kind, activation)
    for seed in (2, 3):
        x, labels = problem(network, 5, seed)
        chosen = np.random.default_rng(seed).choice(network.flat_parameters.size, 150, replace=False)

        def loss() -> float:
            network.forward(x, training=True)  # noqa: B023
            return float(network.loss(labels))  # noqa: B023

        loss()
        network.backward()
        analytic = network.flat_gradients[chosen].copy()
        cell = network.flat_parameters

        class Chosen:
            """Some of the parameters, as an array to change."""

            size = len(chosen)

            def __getitem__(self, index: int) -> float:
                return float(cell[chosen[index]])  # noqa: B023

            def __setitem__(self, index: int, value: float) -> None:
                cell[chosen[index]] = value  # noqa: B023

        numerical = numerical_gradient(loss, Chosen())  # type: ignore[arg-type]
        assert np.isnan(numerical).mean() < 0.2
        assert relative_error(analytic, numerical) < 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "elu", "gelu"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_pass_computes_what_several_do(kind: str, activation: str, dtype: str) -> None:
    # Whatever all networks are asked for (--compute): else other roundings come in, too.
    one = compiled(kind, activation, dtype, compute={"fuse": True, "fuse_normalization": True})
    several = compiled(kind, activation, dtype, compute={"fuse": True, "fuse_normalization": False})
    assert "add" in operations(several)
    assert "add" not in operations(one, "prediction")
    tolerance = {"float64": 1e-9, "float32": 2e-3}[dtype]
    for found, expected in zip(trained(one, 12), trained(several, 12), strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_same_bits_for_any_number_of_threads_and_whether_measured_or_not(kind: str, dtype: str) -> None:
    single = trained(compiled(kind, dtype=dtype, batch_size=300), 300)
    for threads in (2, 4):
        found = trained(compiled(kind, dtype=dtype, batch_size=300, threads=threads), 300)
        assert [values.tobytes() for values in found] == [values.tobytes() for values in single]
    for statistics in ("off", "full"):
        other = trained(compiled(kind, dtype=dtype, batch_size=300), 300, statistics=statistics, full_every=2)
        for index in (0, 1, 3):
            assert other[index].tobytes() == single[index].tobytes()


@pytest.mark.parametrize("shape", [(3,), (16,), (4, 4, 24)])
@pytest.mark.parametrize("outlier", [0.0, 1e4])
def test_moments_far_from_zero(shape: tuple[int, ...], outlier: float) -> None:
    """A small spread around a large mean is not lost in float32, nor behind a first row that lies far off."""
    network = Sequential(BatchNormalization(momentum=0.0), Flatten(), Dense(2)).network(
        shape, loss="squared_error", batch_size=333, dtype="float32", threads=1
    )
    x = np.random.default_rng(4).normal(1000.0, 1.0, size=(333, *shape)).astype(np.float32)
    x[0] += np.float32(outlier)
    network.forward(x, training=True)
    values = x.reshape(-1, shape[-1]).astype(np.float64)
    mean, variance = network.state.values()
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=2e-7)
    np.testing.assert_allclose(variance, values.var(axis=0, ddof=1), rtol=2e-6)
