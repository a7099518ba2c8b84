"""Optimizers that want the loss of all samples: in trainings, experiments, resumes; what they reach."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravine.optimizers
from ravine import InputError, Sequential, Trainer, _core
from ravine.cli import main
from ravine.data import load_digits
from ravine.errors import CheckpointError
from ravine.experiment import load_experiment
from ravine.layers import BatchNormalization, Dense, Dropout
from ravine.training.callback import Callback
from ravine.training.session import resume_run, train_experiment

NAMES = [entry.name for entry in _core.catalog("optimizer") if entry.closure]
SAMPLES = 30


def data(samples: int = SAMPLES) -> tuple[Any, Any]:
    generator = np.random.default_rng(3)
    x = generator.normal(size=(samples, 3))
    return x, x @ [1.0, -2.0, 0.5] + 0.1 * generator.normal(size=samples)


def trainer(optimizer: Any, *layers: Any, **options: Any) -> Trainer:
    settings = {"loss": "squared_error", "batch_size": "all", "dtype": "float64"} | options
    return Trainer(Sequential(*(layers or (Dense(1),))), optimizer=optimizer, **settings)


@pytest.mark.parametrize("name", NAMES)
def test_the_minimum_of_least_squares(name: str) -> None:
    x, y = data()
    exact = {"least_descent": 0.0} if name == "lbfgs" else {}
    trained = trainer({"type": name, **exact})
    history = trained.fit(x, y, epochs=20)
    solution, *_ = np.linalg.lstsq(np.column_stack([x, np.ones(SAMPLES)]), y)
    np.testing.assert_allclose(trained.network.flat_parameters, solution, rtol=0, atol=1e-6)
    assert len(history["loss"]) == 20
    if name == "newton":  # one step is all it takes, up to the rounding in differences
        once = trainer(name)
        once.fit(x, y, epochs=1)
        np.testing.assert_allclose(once.network.flat_parameters, solution, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_minimum_that_scipy_finds(name: str) -> None:
    """Softmax regression on digits with L2, a convex function of 130 parameters."""
    optimize = pytest.importorskip("scipy.optimize")
    x, y = load_digits().inputs[:300, ::5].astype(float), load_digits().targets[:300]
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1.0)
    settings: dict[str, Any] = {"newton": {"damping": 1e-6}, "lbfgs": {"least_descent": 0.0}}.get(name, {})
    trained = trainer({"type": name, **settings}, Dense(10), loss="softmax_cross_entropy", l2=0.05)
    trained.fit(x, y, epochs=8 if name == "newton" else 60)
    count = x.shape[1] * 10

    def function(theta: Any) -> tuple[float, Any]:
        logits = x @ theta[:count].reshape(10, -1).T + theta[count:]
        logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(y)), y]).mean() + 0.025 * (theta[:count] ** 2).sum()
        delta = (p - np.eye(10)[y]) / len(y)
        slope = (delta.T @ x).ravel() + 0.05 * theta[:count]
        return loss, np.concatenate([slope, delta.sum(axis=0)])

    start = np.zeros(count + 10)
    found = optimize.minimize(function, start, jac=True, method="BFGS", options={"gtol": 1e-8})
    ours = trained.network.flat_parameters
    assert function(ours)[0] == pytest.approx(found.fun, abs=1e-10)
    np.testing.assert_allclose(ours[:count], found.x[:count], rtol=0, atol=1e-5)


def test_one_weight() -> None:
    """Newton's method in one dimension: the second derivative of logistic regression is known."""
    x, y = np.array([[-2.0], [-0.5], [0.3], [1.0], [2.5]]), np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    layer = Dense(1, use_bias=False, weight_initializer="zeros")
    w = 0.0
    for steps in range(1, 5):
        p = 1 / (1 + np.exp(-w * x[:, 0]))
        w -= ((p - y) @ x[:, 0]) / ((p * (1 - p)) @ x[:, 0] ** 2)
        for form in ("full", "diagonal"):
            trained = trainer({"type": "newton", "form": form}, layer, loss="binary_cross_entropy")
            trained.fit(x, y, epochs=steps)
            assert trained.network.flat_parameters[0] == pytest.approx(w, rel=1e-8)


class Budget(Callback):
    """Stops at the last step that begins within so many gradients."""

    def __init__(self, gradients: int) -> None:
        self.gradients = gradients

    def on_steps(self, trainer: Trainer, steps: Any, values: Any) -> None:
        if max(trainer.optimizer.evaluations, trainer.optimizer.step_count) >= self.gradients:
            trainer.stop()


def loss_on_digits(optimizer: Any, gradients: int, dtype: str = "float64") -> float:
    x, y = load_digits().inputs / 16.0, load_digits().targets
    trained = trainer(
        optimizer, Dense(16, activation="tanh"), Dense(10),
        loss="softmax_cross_entropy", dtype=dtype, seed=1, callbacks=[Budget(gradients)],
    )  # fmt: skip
    trained.fit(x, y, epochs=gradients)
    used = max(trained.optimizer.evaluations, trained.optimizer.step_count)
    assert used <= 1.3 * gradients
    return trained.evaluate(x, y)["loss"]


def test_lower_than_gradient_descent_on_digits() -> None:
    """For as many gradients of all samples, at the best of its learning rates."""
    rates = (0.3, 1.0, 2.0, 4.0)
    best = min(loss_on_digits(ravine.optimizers.GradientDescent(rate), 80) for rate in rates)
    assert loss_on_digits("lbfgs", 80) < 0.1 * best
    assert loss_on_digits("lbfgs", 80, "float32") < 0.1 * best
    assert loss_on_digits(ravine.optimizers.NewtonCg(cg_steps=10), 80) < 0.7 * best


def test_damping_lets_newton_train_a_network() -> None:
    """Without it, a saddle or a maximum draws it: the loss rises, or the matrix has no inverse."""
    x = np.linspace(-2, 2, 25)[:, None]
    y = np.sin(2 * x[:, 0])
    layers = [Dense(5, activation="tanh"), Dense(1)]
    damped = trainer({"type": "newton", "damping": 0.3}, *layers, seed=2).fit(x, y, epochs=60)
    assert damped["loss"][-1] < 0.2 * damped["loss"][0]
    bare = trainer("newton", *layers, seed=2).fit(x, y, epochs=10)
    assert bare["loss"].max() > bare["loss"][0]


@pytest.mark.parametrize("name", NAMES)
def test_smaller_batches_are_refused(name: str, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    x, y = data()
    refusal = rf'{name} compares the loss of all samples .* 29 of 30 .*; set batch_size to "all" \(here 30\)'
    with pytest.raises(InputError, match=refusal) as refused:
        trainer(name, batch_size=SAMPLES - 1).fit(x, y, epochs=1)
    assert refused.value.key == "batch_size"
    trainer(name, batch_size=SAMPLES).fit(x, y, epochs=1)
    trainer(name, batch_size="all", micro_batch=7).fit(x, y, epochs=1)
    monkeypatch.chdir(tmp_path)
    words = ["train", "digits", "--set", f"optimizer={{type='{name}'}}", "--set", "compute.dtype='float64'"]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "training.batch_size" in line
    clipped = ["--set", "training.batch_size='all'", "--set", "regularization.clip_norm=1.0"]
    assert main([*words, *clipped]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "regularization.clip_norm" in line
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_refused_where_gradients_are_subtracted(name: str) -> None:
    x, y = data()
    if name == "lbfgs":
        trained = trainer(name, dtype="float32")
        trained.fit(x, y, epochs=20)
        exact = trainer(name)
        exact.fit(x, y, epochs=20)
        np.testing.assert_allclose(
            trained.network.flat_parameters, exact.network.flat_parameters, rtol=0, atol=1e-4
        )
        return
    with pytest.raises(InputError, match=r'float32 would round away; set dtype to "float64"') as refused:
        trainer(name, dtype="float32").fit(x, y, epochs=1)
    assert refused.value.key == "dtype"


def test_memory_of_a_matrix() -> None:
    """One of 10^6 rows takes 8 terabytes; nothing of it is asked for. What is frozen has no row."""
    x, y = np.zeros((2, 1000)), np.zeros(2)
    with pytest.raises(InputError) as refused:
        trainer("newton", Dense(999), Dense(1)).fit(x, y, epochs=1)
    message = refused.value.message
    assert "newton needs 8.0 TB of memory for 1000999 parameters, and " in message
    assert "are available; use newton_cg or lbfgs" in message
    settings = {"type": "newton", "damping": 1.0}
    frozen = [{"match": "*.weight", "freeze": True}]
    fitted = trainer(settings, Dense(2), Dense(1), groups=frozen)
    fitted.fit(x, y, epochs=1)
    assert fitted.optimizer.evaluations == 1 + 2 * 3  # three biases


def test_memory_of_a_history() -> None:
    available = next(
        1024 * int(line.split()[1])
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemAvailable")
    )
    if available > 60e9:
        pytest.skip("needs a machine on which a history of 60 GB does not fit")
    wide = trainer({"type": "lbfgs", "history": 1000}, Dense(2000), dtype="float32")
    with pytest.raises(InputError, match=r"lbfgs needs 64\.\d GB of memory .*; use a smaller history"):
        wide.fit(np.zeros((1, 2000)), np.zeros((1, 2000)), epochs=1)


def test_a_singular_matrix_says_what_to_do() -> None:
    x, y = data()
    for form in ("full", "diagonal"):
        with pytest.raises(InputError, match=r"set damping above 0, such as 0\.001") as refused:
            trainer({"type": "newton", "form": form}).fit(x * [1.0, 1.0, 0.0], y, epochs=1)
        assert refused.value.key == "optimizer.damping"


def test_a_failed_step_leaves_the_network_alone() -> None:
    x, y = data()
    x[:, 2] = 0.0
    trained = trainer("newton", BatchNormalization(), Dense(1))
    network = trained.compile([3])
    before = [v.tobytes() for v in (network.flat_parameters, *network.state.values())]
    with pytest.raises(InputError, match="damping"):
        trained.fit(x, y, epochs=1)
    assert [v.tobytes() for v in (network.flat_parameters, *network.state.values())] == before
    assert trained.optimizer.step_count == 0


def test_a_long_step_can_be_broken_off() -> None:
    """One of 9,000 gradients, by a signal whose handler raises: nothing has moved."""
    x, y = load_digits().inputs / 16.0, load_digits().targets
    trained = trainer({"type": "newton", "damping": 1.0}, Dense(60), Dense(10), loss="softmax_cross_entropy")
    network = trained.compile([64])
    before = network.flat_parameters.tobytes()

    class AlarmError(Exception):
        pass

    def ring(number: int, frame: Any) -> None:
        raise AlarmError

    old = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        start = time.process_time()
        with pytest.raises(AlarmError):
            trained.fit(x, y, epochs=1)
        assert time.process_time() - start < 5.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, old)
    assert network.flat_parameters.tobytes() == before
    assert trained.optimizer.step_count == 0
    trained.evaluate(x, y)  # the network is free again


SETTINGS = {"newton": "damping=1.0, form='diagonal'", "newton_cg": "cg_steps=5", "lbfgs": "history=4"}


@pytest.mark.parametrize("name", NAMES)
def test_resume_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    """Over dropout, a schedule and averaged weights, across a stop in the middle."""
    settings = [
        f"optimizer={{type='{name}', {SETTINGS[name]}}}",
        "model.layers=[{type='dense', units=4, activation='tanh'}, {type='dropout', rate=0.1}, "
        "{type='dense', units=10}]",
        "compute.dtype='float64'", "training.batch_size='all'", "regularization.l2=0.01",
        "data.split={validation_fraction=0.7, test_fraction=0.2}", "training.average_weights=0.5",
        "schedules.learning_rate={type='linear_ramp', start=0.5}",
    ]  # fmt: skip
    whole = train_experiment(load_experiment("digits", [*settings, "training.epochs=6"]), parent=tmp_path)

    class Stop(Callback):
        def on_epoch_end(self, trainer: Trainer) -> None:
            if trainer.position.step == 3:
                trainer.stop()

    experiment = load_experiment("digits", [*settings, "training.epochs=6"])
    broken = train_experiment(experiment, parent=tmp_path, callbacks=[Stop()])
    assert (broken.state, broken.step) == ("stopped", 3)
    resumed = resume_run(broken.path)
    assert (resumed.state, resumed.step) == ("finished", 6)
    assert resumed.sha256 == whole.sha256
    if name == "lbfgs":
        with pytest.raises(
            CheckpointError, match=r"holds no 'step_5' of the optimizer; .* the length of a history"
        ):
            resume_run(resumed.path, overrides=["optimizer.history=5", "training.epochs=7"])
    assert resumed.sha256 != broken.sha256


def test_masks_stay_for_a_step() -> None:
    """L-BFGS trains through dropout: the loss it compares is the same function all step long."""
    x, y = data(200)
    trained = trainer("lbfgs", Dense(20, activation="tanh"), Dropout(0.2), Dense(1), seed=4)
    history = trained.fit(x, y, epochs=40)
    assert trained.evaluate(x, y)["loss"] < 0.1 * history["loss"][0]
