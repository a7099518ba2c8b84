"""Labels between two classes (mixup): loss and gradients are those of soft targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import augmentation as reference

from ravine import Sequential, layers, losses
from ravine.errors import InputError

RANDOM = np.random.default_rng(0)
ROWS, FEATURES, CLASSES = 37, 6, 7
INPUTS = RANDOM.normal(size=(ROWS, FEATURES))
LABELS, OTHERS = (RANDOM.integers(0, CLASSES, ROWS).astype(np.int32) for _ in range(2))
SHARES = RANDOM.uniform(0, 1, ROWS)
SHARES[:3] = 0, 1, 0.5
WEIGHTS = [0.5, 1.0, 2.0, 0.0, 1.5, 1.0, 3.0]


def network(dtype: str = "float64", **settings: Any) -> Any:
    model = Sequential(layers.Dense(9, activation="tanh"), layers.Dense(CLASSES))
    loss = losses.SoftmaxCrossEntropy(**settings)
    return model.network([FEATURES], loss=loss, batch_size=ROWS, dtype=dtype, seed=3, threads=2)


def test_gradients_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    for smoothing in (0.0, 0.1):
        net = network(label_smoothing=smoothing)
        net.forward(INPUTS, training=True)
        loss = net.loss(LABELS, None, (OTHERS, SHARES))
        net.backward()
        leaves = {
            name: torch.tensor(values.copy(), requires_grad=True) for name, values in net.parameters.items()
        }
        weights = list(leaves.values())
        hidden = torch.tanh(torch.tensor(INPUTS) @ weights[0].T + weights[1])
        eye = torch.eye(CLASSES, dtype=torch.float64)
        share = torch.tensor(SHARES)[:, None]
        target = share * eye[LABELS.astype(int)] + (1 - share) * eye[OTHERS.astype(int)]
        there = torch.nn.functional.cross_entropy(
            hidden @ weights[2].T + weights[3], target, label_smoothing=smoothing
        )
        there.backward()
        assert loss == pytest.approx(there.item(), rel=1e-12)
        for name, leaf in leaves.items():
            np.testing.assert_allclose(net.gradients[name], leaf.grad.numpy(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.2}, {"class_weights": WEIGHTS},
                                      {"label_smoothing": 0.2, "class_weights": WEIGHTS}])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_loss_is_that_of_the_formula(settings: dict[str, Any], dtype: str) -> None:
    net = network(dtype, **settings)
    logits = net.forward(INPUTS.astype(dtype), training=True)
    found = net.loss(LABELS, None, (OTHERS, SHARES.astype(dtype)))
    weights = np.array(settings["class_weights"]) if "class_weights" in settings else None
    expected = reference.mixed_cross_entropy(
        logits.astype(float), LABELS, OTHERS, SHARES, settings.get("label_smoothing", 0.0), weights
    )
    assert found == pytest.approx(expected, rel=2e-6 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("settings", [{"label_smoothing": 0.2, "class_weights": WEIGHTS}, {}])
def test_the_gradient_is_that_of_differences(settings: dict[str, Any]) -> None:
    net = network(**settings)
    step = 1e-6

    def loss() -> float:
        net.forward(INPUTS, training=True)
        return float(net.loss(LABELS, None, (OTHERS, SHARES)))

    loss()
    net.backward()
    gradient = net.flat_gradients.copy()
    for place in RANDOM.choice(len(gradient), 25, replace=False):
        kept = net.flat_parameters[place]
        net.flat_parameters[place] = kept + step
        upper = loss()
        net.flat_parameters[place] = kept - step
        lower = loss()
        net.flat_parameters[place] = kept
        assert gradient[place] == pytest.approx((upper - lower) / (2 * step), abs=1e-8)


def test_a_share_of_one_changes_no_bit() -> None:
    for settings in ({}, {"label_smoothing": 0.1, "class_weights": WEIGHTS}):
        plain, mixed = network("float32", **settings), network("float32", **settings)
        inputs = INPUTS.astype(np.float32)
        plain.forward(inputs, training=True)
        mixed.forward(inputs, training=True)
        loss = plain.loss(LABELS)
        assert loss == mixed.loss(LABELS, None, (OTHERS, np.ones(ROWS, np.float32)))
        plain.backward()
        mixed.backward()
        assert plain.flat_gradients.tobytes() == mixed.flat_gradients.tobytes()
        # What was bound once is not there in the next call.
        mixed.forward(inputs, training=True)
        assert mixed.loss(LABELS) == loss


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        ((OTHERS[:5], SHARES), "got 5 labels and 37 shares for 37 rows"),
        ((np.full(ROWS, CLASSES, np.int32), SHARES), "the label 7 of row 0 is outside 0 .. 6"),
        ((OTHERS, SHARES * 1.5), "shares are from 0 to 1"),
        ((OTHERS, np.full(ROWS, np.nan)), "the share of row 0 is"),
        ((OTHERS, SHARES.astype(np.float32)), "mixture"),
    ],
)
def test_errors(mixture: Any, message: str) -> None:
    net = network()
    net.forward(INPUTS, training=True)
    with pytest.raises(InputError, match=message) as caught:
        net.loss(LABELS, None, mixture)
    assert caught.value.key == "mixture"


def test_values_have_no_shares() -> None:
    net = Sequential(layers.Dense(1)).network([FEATURES], loss="squared_error", dtype="float64")
    net.forward(INPUTS, training=True)
    with pytest.raises(InputError, match="only class labels have shares"):
        net.loss(np.zeros((ROWS, 1)), None, (OTHERS, SHARES))
