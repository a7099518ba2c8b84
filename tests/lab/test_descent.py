"""`ravine.lab.descend`: optimizers on functions of a few weights."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import names, reference, resolved

from ravine import InputError, _core, make_optimizer
from ravine.lab import descend

CURVATURE = np.array([1.0, 30.0, 4.0])
START = [1.0, -0.5, 2.0]
BY_GRADIENTS = [
    entry.name for entry in _core.catalog("optimizer") if not entry.closure and entry.name != "muon"
]


def gradient(point: np.ndarray) -> np.ndarray:
    return CURVATURE * point + 0.1 * np.sin(point)


@pytest.mark.parametrize("name", BY_GRADIENTS)
def test_path_is_that_of_the_reference(name: str) -> None:
    """Point by point, for Nesterov's the gradient ahead too."""
    path = descend(name, gradient, START, 30)
    rule, settings = reference("optimizer", name), resolved("optimizer", name, {}) | {"decays": 1.0}
    theta = np.array(START)
    state = dict.fromkeys(_core.Optimizer(name).slot_names, np.zeros(3))
    assert path.shape == (31, 3)
    np.testing.assert_array_equal(path[0], theta)
    for step in range(1, 31):
        theta = rule.step(theta, gradient, state, settings, step)
        np.testing.assert_allclose(path[step], theta, rtol=1e-12, atol=1e-12)


def test_it_ends_where_it_is_told_to() -> None:
    path = descend("gradient_descent", lambda w: [-100.0], [0.0], 50, until=lambda w: bool(w[0] >= 3))
    np.testing.assert_allclose(path[:, 0], [0, 1, 2, 3])
    assert len(descend("adam", gradient, START, 0)) == 1


def test_regularization_and_a_state_that_goes_on() -> None:
    optimizer = make_optimizer({"type": "gradient_descent", "learning_rate": 0.1}, l2=0.5)
    np.testing.assert_allclose(descend(optimizer, lambda w: 0 * w, [2.0], 2)[:, 0], [2.0, 1.9, 1.805])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("adm", gradient, START, 3), "did you mean 'adam'"),
        (("adam", gradient, START, -1), "steps"),
        (("adam", gradient, [], 3), "start"),
        (("adam", lambda w: [np.nan], [1.0], 3), "gradient: .*in step 0"),
        (("newton", gradient, START, 3), "network.train"),
    ],
)
def test_bad_input(arguments: tuple, words: str) -> None:
    with pytest.raises(InputError, match=words):
        descend(*arguments)


def test_there_are_rules_to_compare() -> None:
    assert set(names("optimizer")) > set(BY_GRADIENTS)
    assert len(BY_GRADIENTS) >= 17
