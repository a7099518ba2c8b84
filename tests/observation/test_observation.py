"""Reading layers' outputs and recorded statistics by layer, compared with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ravine import LayerOutputs, Residual, Sequential, Trainer
from ravine.errors import InputError
from ravine.layers import BatchNormalization, Convolution, Dense, Dropout

RANDOM = np.random.default_rng(3)
INPUTS = RANDOM.normal(size=(70, 4))  # more than two batches of 32, the last not full
LABELS = RANDOM.integers(0, 3, 70)


def dense(x: np.ndarray, network: Any, name: str) -> np.ndarray:
    return x @ network.parameters[f"{name}.weight"].T + network.parameters[f"{name}.bias"]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_outputs_are_those_of_evaluation_and_follow_the_training() -> None:
    model = Sequential(
        Dense(5),
        "sigmoid",
        BatchNormalization(),
        Dropout(0.5),
        Residual(Dense(5, activation="tanh")),
        Dense(3),
    )
    trainer = Trainer(model, optimizer="adam", loss="softmax_cross_entropy", dtype="float64")
    network = trainer.compile([4])
    read = LayerOutputs(network)
    for _ in range(2):
        trainer.fit(INPUTS, LABELS, epochs=2)  # after read was made; it sees the weights of now
        found = read(INPUTS)
        expected: dict[str, np.ndarray] = {"dense_1": dense(INPUTS, network, "dense_1")}
        expected["activation_1"] = sigmoid(expected["dense_1"])
        name = "batch_normalization_1"
        centred = expected["activation_1"] - network.state[f"{name}.moving_mean"]
        expected[name] = (
            centred
            / np.sqrt(network.state[f"{name}.moving_variance"] + 1e-5)
            * network.parameters[f"{name}.scale"]
            + network.parameters[f"{name}.centre"]
        )
        expected["dropout_1"] = expected[name]
        expected["dense_2"] = np.tanh(dense(expected[name], network, "dense_2"))
        expected["add_1"] = expected["dense_2"] + expected[name]
        expected["dense_3"] = dense(expected["add_1"], network, "dense_3")
        assert list(found) == list(expected) == read.names
        for layer, values in expected.items():
            np.testing.assert_allclose(found[layer], values, rtol=1e-12, atol=1e-14, err_msg=layer)


def test_the_network_is_left_as_it_was() -> None:
    network = Sequential(Dense(5), BatchNormalization(), Dense(3)).network([4], loss="softmax_cross_entropy")
    network.forward(INPUTS.astype(np.float32), training=True)
    before = network.flat_parameters.copy()
    state = {name: values.copy() for name, values in network.state.items()}
    LayerOutputs(network, ["batch_normalization_1"])(INPUTS + 7)
    assert np.array_equal(network.flat_parameters, before)
    assert all(np.array_equal(network.state[name], values) for name, values in state.items())


def test_outputs_as_in_a_training_step() -> None:
    """Batch normalization by the moments of the samples that are given, and dropout."""
    network = Sequential(Dense(5), BatchNormalization(), Dropout(0.25), Dense(3)).network(
        [4], loss="softmax_cross_entropy", dtype="float64"
    )
    read = LayerOutputs(network)
    for count in (70, 32):
        found = read(INPUTS[:count], training=True)
        z = dense(INPUTS[:count], network, "dense_1")
        expected = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5)
        np.testing.assert_allclose(found["batch_normalization_1"], expected, rtol=1e-9, atol=1e-12)
        kept = found["dropout_1"] != 0
        assert 0.6 < kept.mean() < 0.9
        np.testing.assert_allclose(found["dropout_1"][kept], expected[kept] / 0.75, rtol=1e-9, atol=1e-12)
    assert np.all(network.state["batch_normalization_1.moving_mean"] == 0)


def test_chosen_layers_come_in_the_order_asked_for_with_their_shapes() -> None:
    network = Sequential(
        Convolution(3, kernel=3), "relu", "max_pooling", "flatten", Dense(2, activation="tanh"), Dense(2)
    ).network([8, 8, 2], loss="softmax_cross_entropy", dtype="float64")
    images = RANDOM.normal(size=(5, 8, 8, 2))
    found = LayerOutputs(network, ["dense_1", "activation_1", "convolution_1"])(images)
    assert {name: values.shape for name, values in found.items()} == {
        "dense_1": (5, 2), "activation_1": (5, 6, 6, 3), "convolution_1": (5, 6, 6, 3),
    }  # fmt: skip
    assert list(found) == ["dense_1", "activation_1", "convolution_1"]
    assert found["convolution_1"].min() < 0
    np.testing.assert_array_equal(found["activation_1"], np.maximum(found["convolution_1"], 0))
    pooled = found["activation_1"].reshape(5, 3, 2, 3, 2, 3).max(axis=(2, 4)).reshape(5, -1)
    np.testing.assert_allclose(found["dense_1"], np.tanh(dense(pooled, network, "dense_1")), rtol=1e-12)


def test_a_branch_that_leads_nowhere_is_left_out() -> None:
    """In a residual block, the shortcut alone: the body, which comes before it, is not needed."""
    block = Residual(Dense(6), shortcut=[Dense(6)])
    network = Sequential(block, Dense(2)).network([4], loss="squared_error", dtype="float64")
    found = LayerOutputs(network, ["dense_2"])(INPUTS)["dense_2"]
    np.testing.assert_allclose(found, dense(INPUTS, network, "dense_2"), rtol=1e-12)


def test_layers_may_have_any_names() -> None:
    layers = [{**Dense(3), "name": "read-"}, {**Dense(3), "name": "read-read-"}, Dense(2)]
    network = Sequential(*layers).network([4], loss="squared_error", dtype="float64")
    found = LayerOutputs(network)(INPUTS)
    np.testing.assert_allclose(found["read-"], dense(INPUTS, network, "read-"), rtol=1e-12)


def test_a_layer_that_is_not_there_is_named() -> None:
    network = Sequential(Dense(3)).network([4], loss="squared_error")
    with pytest.raises(InputError, match=r"no layer 'dens_1'; did you mean 'dense_1'\?"):
        LayerOutputs(network, ["dens_1"])
    with pytest.raises(InputError, match="inputs"):
        LayerOutputs(network)(INPUTS[:, :3])
    with pytest.raises(InputError, match="no rows"):
        LayerOutputs(network)(INPUTS[:0])


def test_the_specification_makes_the_same_network_again() -> None:
    network = Sequential(Dense(5, activation="tanh"), Residual(Dense(5)), Dense(3)).network(
        [4], loss="squared_error", seed=9
    )
    again = type(network)(
        network.specification,
        "squared_error",
        batch_size=32,
        dtype="float32",
        device="cpu",
        threads=1,
        seed=9,
    )
    assert again.layers == network.layers
    assert np.array_equal(again.flat_parameters, network.flat_parameters)


def test_history_by_layer() -> None:
    trainer = Trainer(
        Sequential(Dense(5, activation="tanh"), "relu", Dense(3)),
        optimizer="adam", loss="softmax_cross_entropy", batch_size=10,
    )  # fmt: skip
    history = trainer.fit(INPUTS, LABELS, epochs=1)
    norms = history.by_layer("gradient_norm")
    assert list(norms) == ["dense_1", "dense_2"]
    assert all(np.array_equal(history[f"{layer}.gradient_norm"], values) for layer, values in norms.items())
    total = np.sqrt(sum(values.astype(float) ** 2 for values in norms.values()))
    np.testing.assert_allclose(total, history["gradient_norm"], rtol=1e-5)
    assert list(history.by_layer("activation_variance")) == ["dense_1", "activation_1", "dense_2"]
    with pytest.raises(InputError, match=r"gradient_size: no layer records it; there are: .*gradient_norm"):
        history.by_layer("gradient_size")
