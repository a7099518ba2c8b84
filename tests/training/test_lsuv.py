"""Layer-sequential unit variance: by data, for any activation, from Python and from an experiment."""

from __future__ import annotations

import numpy as np
import pytest

import ravine
from ravine import layers
from ravine.errors import InputError

GENERATOR = np.random.default_rng(4)
BATCH = GENERATOR.normal(size=(300, 40)) @ GENERATOR.normal(size=(40, 40)) + 3.0  # neither white nor centred


def deep(activation, depth=12, dtype="float64", **settings):
    hidden = [layers.Dense(60, activation=activation, **settings) for _ in range(depth)]
    return ravine.Sequential(*hidden, layers.Dropout(0.5), layers.Dense(5)).network(
        [40], loss="squared_error", dtype=dtype, seed=3
    )


def net_inputs(network, x, activation):
    """What each dense layer gives before its activation, in NumPy."""
    rows = []
    names = [row["name"] for row in network.layers if row["type"] == "dense"]
    for name in names:
        net = x @ network.parameters[f"{name}.weight"].T + network.parameters[f"{name}.bias"]
        rows.append((name, net))
        x = activation(net)
    return rows


ACTIVATIONS = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0.0), "identity": lambda x: x}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("orthogonal", [False, True])
def test_unit_variance(activation, orthogonal):
    network = deep(activation, weight_initializer={"type": "normal", "deviation": 0.3})
    done = ravine.lsuv(network, BATCH, orthogonal=orthogonal, tolerance=1e-9)
    nets = net_inputs(network, BATCH, ACTIVATIONS[activation])
    assert [row.name for row in done] == [name for name, _ in nets]
    for row, (name, net) in zip(done, nets, strict=True):
        assert net.var() == pytest.approx(1.0, rel=1e-8), name
        assert row.after == pytest.approx(1.0, rel=1e-8)
    if orthogonal:
        weight = network.parameters["dense_2.weight"]
        product = weight @ weight.T
        np.testing.assert_allclose(product, product[0, 0] * np.eye(60), rtol=0, atol=1e-12)
        assert done[1].scale == pytest.approx(np.sqrt(product[0, 0]))


def test_another_variance_and_a_bias():
    """A bias that differs between units takes several rounds."""
    network = deep("relu", depth=2, bias_initializer={"type": "uniform", "low": -0.5, "high": 0.5})
    done = ravine.lsuv(network, BATCH, variance=2.0, tolerance=1e-3)
    for _, net in net_inputs(network, BATCH, ACTIVATIONS["relu"]):
        assert net.var() == pytest.approx(2.0, rel=1.1e-3)
    assert max(abs(row.after / 2.0 - 1.0) for row in done) <= 1e-3


@pytest.mark.parametrize("before_activation", [False, True])
def test_moments(before_activation):
    network = deep("relu", depth=3)
    found = network.moments(BATCH, before_activation=before_activation)
    nets = net_inputs(network, BATCH, ACTIVATIONS["relu"])
    assert list(found) == [name for name, _ in nets]  # dropout computes nothing here
    for name, net in nets:
        values = net if before_activation or name == "dense_4" else np.maximum(net, 0.0)
        assert found[name]["mean"] == pytest.approx(values.mean(), rel=1e-10, abs=1e-12)
        assert found[name]["variance"] == pytest.approx(values.var(), rel=1e-10)
        assert found[name]["zeros"] == np.mean(values == 0.0)
    assert (found["dense_1"]["zeros"] > 0.2) != before_activation


def test_refused():
    network = deep("relu", depth=1)
    with pytest.raises(InputError, match=r"dense_1.*variance 0"):
        ravine.lsuv(network, np.zeros((5, 40)))
    for settings in ({"variance": 0.0}, {"tolerance": 0.0}, {"variance": np.inf}):
        with pytest.raises(InputError, match=next(iter(settings))):
            ravine.lsuv(network, BATCH, **settings)
    with pytest.raises(InputError, match=r"no parameter 'dense_9\.weight'"):
        network.initialize_parameter("dense_9.weight", "zeros", 1)
    with pytest.raises(InputError, match="rows"):
        network.moments(BATCH[:0])


def test_experiment(tmp_path):
    """Calibrated before the first step and logged; the same bits again, and after a resume."""
    overrides = ["training.epochs=2", "model.calibrate=true"]
    outcomes = [
        ravine.train_experiment(ravine.load_experiment("digits", [*overrides, *more]), parent=tmp_path)
        for more in ([], [], ["model.calibrate=false"], ["training.epochs=1"])
    ]
    assert outcomes[0].sha256 == outcomes[1].sha256 != outcomes[2].sha256
    log = (outcomes[0].path / "log.txt").read_text()
    assert "weights calibrated to unit variance on 512 samples: dense_1 x" in log
    assert "calibrated" not in (outcomes[2].path / "log.txt").read_text()
    resumed = ravine.resume_run(outcomes[3].path, overrides=["training.epochs=2"])
    assert resumed.sha256 == outcomes[0].sha256
