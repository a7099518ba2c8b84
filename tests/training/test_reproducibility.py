"""The same seed gives the same bits: for any threads, chunks, statistics, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import Sequential, Trainer, _core
from ravine.data import epoch_order
from ravine.experiment import Experiment
from ravine.layers import Dense, Dropout
from ravine.runs import RunFolder
from ravine.training import meeting, recorder
from ravine.training.session import train_experiment


def trained(experiment: Experiment, parent: Path) -> tuple[str, list[tuple[Any, ...]], bytes]:
    """Parameters, evaluations and recorded values."""
    outcome = train_experiment(experiment, parent=parent, stop_on_signal=False)
    with RunFolder.open(outcome.path).reader() as reader:
        evaluations = [(e.step, e.split, e.metrics) for e in reader.evaluations()]
        return outcome.sha256, evaluations, reader.tail(limit=10**6).values.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads(experiment: Callable[..., Experiment], tmp_path: Path, dtype: str) -> None:
    found = [
        trained(experiment("training.epochs=2", f"compute.threads={n}", f"compute.dtype={dtype}"), tmp_path)
        for n in (1, 2, 4)
    ]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_chunks(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    chosen = experiment(f"compute.dtype={dtype}")
    expected = trained(chosen, tmp_path)
    for seconds, most in ((1e-9, 1024), (1e-4, 1024), (10.0, 1024), (10.0, 5)):
        monkeypatch.setattr(meeting, "CONTROL_SECONDS", seconds)
        monkeypatch.setattr(meeting, "MOST_STEPS", most)
        monkeypatch.setattr(recorder, "WRITE_SECONDS", 0.0)
        assert trained(chosen, tmp_path) == expected


def test_statistics_change_nothing(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    expected = trained(experiment(), tmp_path)
    for overrides in (
        ["statistics.every=0"],
        ["statistics.level=off"],
        ["statistics.every=7"],
    ):
        found = trained(experiment(*overrides), tmp_path)
        assert found[:2] == expected[:2]
        assert found[2] != expected[2]


def test_seeds_differ(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    expected = trained(experiment("training.epochs=1"), tmp_path)
    other = trained(experiment("training.epochs=1", "seed=12"), tmp_path)
    assert expected[0] != other[0]


def test_records_every_so_many_steps(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    outcome = train_experiment(experiment("statistics.every=7"), parent=tmp_path, stop_on_signal=False)
    with RunFolder.open(outcome.path).reader() as reader:
        rows = reader.tail(limit=10**6)
    assert rows.steps.tolist() == list(range(7, outcome.step + 1, 7))
    np.testing.assert_allclose(rows.epochs, rows.steps / 22, rtol=1e-12)
    assert (np.diff(rows.seconds) >= 0).all()


@pytest.mark.parametrize("clip_norm", [0.0, 0.5])
@pytest.mark.parametrize("rule", ["momentum", "nesterov", "adam"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_by_hand(rule: str, dtype: str, clip_norm: float) -> None:
    """forward, loss, backward and step in Python give the bits of the native loop.

    The norm of the whole gradient is summed in another order by hand, so clipping may differ by roundings.
    """
    random = np.random.default_rng(3)
    inputs = random.normal(size=(45, 6)).astype(dtype)
    targets = random.integers(0, 3, 45).astype(np.int32)
    model = Sequential(Dense(8, activation="tanh"), Dropout(0.3), Dense(3))
    settings: dict[str, Any] = {"l2": 1e-3, "clip_norm": clip_norm}
    native = Trainer(
        model,
        loss="softmax_cross_entropy",
        optimizer=rule,
        batch_size=16,
        seed=9,
        dtype=dtype,
        **settings,
    )
    history = native.fit(inputs, targets, epochs=3)

    network = model.network([6], loss="softmax_cross_entropy", batch_size=16, dtype=dtype, seed=9)
    optimizer = _core.Optimizer(rule, **settings)
    optimizer.attach(network)
    losses = []
    for epoch in range(3):
        order = epoch_order(9, epoch, 45)
        for begin in range(0, 45, 16):
            rows = order[begin : begin + 16]
            optimizer.look_ahead(network)
            network.forward(inputs[rows], training=True)
            losses.append(network.loss(targets[rows]))
            network.backward()
            optimizer.step(network)
    pairs = [(network.flat_parameters, native.network.flat_parameters)]
    pairs += [(slot, native.optimizer.slots[name]) for name, slot in optimizer.slots.items()]
    for by_hand, in_the_loop in pairs:
        if clip_norm:
            np.testing.assert_allclose(by_hand, in_the_loop, rtol=0, atol=100 * np.finfo(dtype).eps)
        else:
            assert by_hand.tobytes() == in_the_loop.tobytes()
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-6)
