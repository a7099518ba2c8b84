"""Residual blocks and columns: what they compute, their gradients' truth in PyTorch, and their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ravine import Columns, Residual, Sequential
from ravine.errors import InputError
from ravine.layers import Dense
from ravine.model import specification

BODY = [{"type": "dense", "units": 5, "activation": "tanh"}, {"type": "dense", "units": 4}]
PROJECTION = [{"type": "dense", "units": 4, "use_bias": False}]


def parameters(network: Any) -> dict[str, np.ndarray]:
    return dict(network.parameters.items())


def dense(x: np.ndarray, values: dict[str, np.ndarray], name: str) -> np.ndarray:
    return x @ values[f"{name}.weight"].T + values.get(f"{name}.bias", 0.0)


def compiled(*layers: Any, inputs: int = 4) -> Any:
    return Sequential(*layers).network(
        [inputs], loss="squared_error", batch_size=8, dtype="float64", threads=1
    )


@pytest.mark.parametrize("shortcut", [[], PROJECTION])
def test_a_residual_block_adds_its_shortcut(shortcut: list[Any]) -> None:
    network = compiled(Residual(*BODY, shortcut=shortcut))
    x = np.random.default_rng(0).standard_normal((8, 4))
    values = parameters(network)
    expected = dense(np.tanh(dense(x, values, "dense_1")), values, "dense_2")
    expected += dense(x, values, "dense_3") if shortcut else x
    np.testing.assert_allclose(network.forward(x), expected, rtol=1e-12)


def test_columns_meet_side_by_side_and_can_be_added() -> None:
    x = np.random.default_rng(0).standard_normal((8, 4))
    for join in ("concatenate", "add"):
        network = compiled(Columns([Dense(3)], [Dense(3, activation="relu")], join=join))
        values = parameters(network)
        columns = [dense(x, values, "dense_1"), np.maximum(dense(x, values, "dense_2"), 0)]
        expected = np.concatenate(columns, axis=1) if join == "concatenate" else sum(columns)
        np.testing.assert_allclose(network.forward(x), expected, rtol=1e-12)


def test_gradients_of_nested_blocks_agree_with_torch() -> None:
    torch = pytest.importorskip("torch")
    network = compiled(
        Dense(4, activation="tanh"),
        Residual(*BODY, shortcut=PROJECTION),
        Columns([Residual(Dense(4))], [Dense(2, activation="sigmoid"), Dense(3)]),
        Dense(2),
    )
    random = np.random.default_rng(1)
    x, y = random.standard_normal((8, 4)), random.standard_normal((8, 2))
    network.forward(x, training=True)
    network.loss(y)
    network.backward()
    p = {name: torch.tensor(value, requires_grad=True) for name, value in parameters(network).items()}

    def layer(value: Any, number: int) -> Any:
        value = value @ p[f"dense_{number}.weight"].T
        return value + p[f"dense_{number}.bias"] if f"dense_{number}.bias" in p else value

    value = torch.tanh(layer(torch.tensor(x), 1))
    value = layer(torch.tanh(layer(value, 2)), 3) + layer(value, 4)
    value = torch.cat([layer(value, 5) + value, layer(torch.sigmoid(layer(value, 6)), 7)], dim=1)
    torch.nn.functional.mse_loss(layer(value, 8), torch.tensor(y)).backward()
    for name, gradient in network.gradients.items():
        np.testing.assert_allclose(gradient, p[name].grad.numpy(), rtol=1e-10, atol=1e-14, err_msg=name)


def test_a_layer_may_name_its_inputs() -> None:
    spec = specification(
        [4], [{"type": "dense", "units": 4, "name": "a"}, {"type": "add", "inputs": ["input", "a"]}]
    )
    again = specification([4], spec.layers)
    assert again.layers == spec.layers
    assert spec.layers[1]["inputs"] == ["input", "a"]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Residual(Dense(5))], "cannot add shapes 5 and 4"),
        ([{"type": "add"}], "at least two inputs"),
        ([Dense(3), {"type": "add", "inputs": ["dense_1", "dens_2"]}], "no layer 'dens_2'"),
        ([Dense(3), {"type": "dense", "units": 2, "inputs": ["input"]}], "no other layer takes its output"),
        ([{"type": "dense", "units": 2, "inputs": ["input", "input"]}], "takes one input"),
        ([{"type": "columns", "columns": [["flatten"]]}], "at least two columns"),
        ([{"type": "residual", "bdy": []}], "did you mean 'body'"),
        ([{"type": "residual", "body": []}], "list of layers"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(layers: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compiled(*layers)


def test_layers_know_their_columns() -> None:
    """The outermost ones, also when written out one by one, as experiments of runs are."""
    layers = [
        "relu",
        {
            "type": "columns",
            "columns": [["relu", {"type": "residual", "body": ["relu"]}], ["relu"], ["relu"]],
        },
        {"type": "columns", "columns": [["relu"], [{"type": "columns", "columns": [["relu"], ["relu"]]}]]},
    ]
    written = specification([4], layers).layers
    expected = [None, [0, 3], [0, 3], [0, 3], [1, 3], [2, 3], None, [0, 2], [1, 2], [1, 2], [1, 2], None]
    assert [table.get("column") for table in written] == expected
    assert specification([4], written).layers == written


@pytest.mark.parametrize("column", [0, [0], [2, 2], [-1, 2], [0.0, 2], "left", [0, 1, 2], [True, 2]])
def test_a_column_that_cannot_be(column: object) -> None:
    with pytest.raises(InputError, match=r"such as \[0, 2\]") as raised:
        specification([4], [{"type": "relu", "column": column}])
    assert raised.value.key == "layers.0.column"
