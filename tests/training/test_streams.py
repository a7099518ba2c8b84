"""Trainings on batches without an end: the bits of a training on arrays, and every way a stream can end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ravine import InputError, NotFiniteError, Sequential, Trainer
from ravine.errors import RavineWarning
from ravine.layers import BatchNormalization, Dense, Dropout
from ravine.training.callback import Callback

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(60, 5)).astype(np.float32)
LABELS = RANDOM.integers(0, 3, 60)


def trainer(**settings: Any) -> Trainer:
    model = Sequential(Dense(8, "tanh"), Dropout(0.25), Dense(3))
    defaults = {"loss": "softmax_cross_entropy", "optimizer": "adam", "seed": 3, "batch_size": 10}
    return Trainer(model, **{**defaults, **settings})


def batches(size: int = 10, start: int = 0) -> Iterator[tuple[Any, Any]]:
    """The samples in their order, again and again."""
    for number in itertools.count(start):
        begin = number * size % 60
        yield INPUTS[begin : begin + size], LABELS[begin : begin + size]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Any:
    def ours() -> set[str]:
        return {thread.name for thread in threading.enumerate() if thread.name.startswith("ravine")}

    assert ours() == set()
    yield
    assert ours() == set()


def test_the_bits_are_those_of_a_training_on_the_same_batches() -> None:
    settings = {"schedules": {"learning_rate": "cosine"}}
    arrays, stream = trainer(shuffle=False, **settings), trainer(**settings)
    expected = arrays.fit(INPUTS, LABELS, epochs=3, validation=(INPUTS[:20], LABELS[:20]))
    found = stream.fit_stream(batches(), steps=18, evaluate_every=6, validation=(INPUTS[:20], LABELS[:20]))
    assert stream.network.flat_parameters.tobytes() == arrays.network.flat_parameters.tobytes()
    assert found.values.tobytes() == expected.values.tobytes()
    assert found.evaluations == expected.evaluations
    assert [record.split for record in found.evaluations] == ["train", "validation"] * 3


def test_weights_come_with_their_samples() -> None:
    weights = RANDOM.uniform(0, 2, 60)
    arrays, stream = trainer(shuffle=False), trainer()
    arrays.fit(INPUTS, LABELS, sample_weight=weights, epochs=1)
    parts = [slice(begin, begin + 10) for begin in range(0, 60, 10)]
    stream.fit_stream(((INPUTS[p], LABELS[p], weights[p]) for p in parts), steps=6)
    assert stream.network.flat_parameters.tobytes() == arrays.network.flat_parameters.tobytes()


def test_a_second_call_goes_on_with_the_iterator_and_the_steps() -> None:
    """So many batches are read as there are steps, and no more."""
    once, twice = trainer(), trainer()
    once.fit_stream(batches(), steps=12)
    source = batches()
    for steps in (5, 7):
        twice.fit_stream(source, steps=steps)
    assert twice.network.flat_parameters.tobytes() == once.network.flat_parameters.tobytes()
    assert twice.position.step == 12
    np.testing.assert_array_equal(next(source)[0], INPUTS[:10])  # the thirteenth batch


def test_batches_of_changing_size() -> None:
    sizes = [10, 3, 10, 1, 7]
    ends = np.cumsum(sizes)
    parts = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    stream = trainer()
    history = stream.fit_stream(((INPUTS[p], LABELS[p]) for p in parts), steps=5)
    by_hand = trainer(shuffle=False)
    for part in parts:  # a step each, of whatever size
        by_hand.batch_size = int(part.stop - part.start)
        by_hand.fit(INPUTS[part], LABELS[part], epochs=1)
    assert stream.network.flat_parameters.tobytes() == by_hand.network.flat_parameters.tobytes()
    losses = history["loss"].astype(float)
    metrics = history.evaluations[0].metrics
    assert metrics["loss"] == pytest.approx((losses * sizes).sum() / sum(sizes), rel=1e-6)
    assert stream.position.epoch == 1


def test_many_sizes_are_warned_of() -> None:
    with pytest.warns(RavineWarning, match="9 different sizes"):
        trainer().fit_stream(((INPUTS[:n], LABELS[:n]) for n in range(1, 10)), steps=9)


def test_callbacks_and_statistics_are_those_of_fit() -> None:
    called: list[tuple[str, int]] = []

    class Listen(Callback):
        def __getattribute__(self, name: str) -> Any:
            if not name.startswith("on_"):
                return super().__getattribute__(name)
            return lambda trainer, *others: called.append((name, trainer.position.step))

    stream = trainer(callbacks=[Listen()], statistics="full", full_every=2)
    history = stream.fit_stream(batches(), steps=4, evaluate_every=2)
    assert called[0] == ("on_start", 0)
    assert called[-1] == ("on_end", 4)
    for name, steps in (("on_epoch_end", [2, 4]), ("on_steps", [1, 2, 3, 4]), ("on_distributions", [2, 4])):
        assert [step for one, step in called if one == name] == steps
    assert history["gradient_norm"].shape == (4,)
    assert stream.epochs_done == 2.0


@pytest.mark.parametrize(("given", "evaluations"), [(7, [5, 7]), (5, [5])])
def test_a_stream_that_ends_early(given: int, evaluations: list[int]) -> None:
    """The training ends with it, its last round is evaluated, and one line says so."""
    stream = trainer()
    with pytest.warns(RavineWarning, match=f"the stream has ended after {given} of 15 batches"):
        history = stream.fit_stream(
            itertools.islice(batches(), given), steps=15, evaluate_every=5, validation=(INPUTS, LABELS)
        )
    assert stream.position.step == given
    assert stream.finished
    assert [r.step for r in history.evaluations if r.split == "validation"] == evaluations
    expected = trainer()
    expected.fit_stream(batches(), steps=given)
    assert stream.network.flat_parameters.tobytes() == expected.network.flat_parameters.tobytes()


def raising(error: BaseException, after: int = 2) -> Iterator[Any]:
    yield from itertools.islice(batches(), after)
    raise error


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (lambda: iter([]), "batches: there is no batch in the stream"),
        (lambda: 5, "batches: is a int, expected an iterator"),
        (lambda: raising(ValueError("the sensor\nis off")),
         "batch 3 of the stream: the iterator raised ValueError: the sensor is off"),
        (lambda: raising(ValueError("off"), 0), "batch 1 of the stream: the iterator raised ValueError: off"),
        (lambda: raising(InputError("is gone", file="x.csv", row=7)), "x.csv: row 7: is gone"),
        (lambda: [*itertools.islice(batches(), 3), INPUTS[:4]],
         r"batch 4 of the stream: is a ndarray, expected \(inputs, targets\)"),
        (lambda: [(INPUTS,)], "batch 1 of the stream: is a tuple of 1, expected"),
        (lambda: [(INPUTS, LABELS[:-1])], "batch 1 of the stream: there are 60 inputs and 59 targets"),
        (lambda: [(INPUTS, LABELS), (INPUTS[:0], LABELS[:0])], "batch 2 of the stream: "),
        (lambda: [(INPUTS, LABELS), (INPUTS[:, :4], LABELS)],
         r"batch 2 of the stream: has samples of shape \[4\], those before had \[5\]"),
        (lambda: [(INPUTS, LABELS), (INPUTS, LABELS + 1)],
         "batch 2 of the stream: row .*: label 3 is outside 0..2"),
        (lambda: [(INPUTS, LABELS), (INPUTS * np.nan, LABELS)],
         "batch 2 of the stream: row 0: inputs.* is NaN"),
        (lambda: [(INPUTS, LABELS), (["a"], ["b"])], "batch 2 of the stream: inputs must be integers or"),
    ],
)  # fmt: skip
def test_a_batch_that_cannot_be_used_is_named(source: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        trainer().fit_stream(source(), steps=9)
    assert "\n" not in str(caught.value)


def test_settings_that_do_not_fit_a_stream() -> None:
    for settings, message in (
        ({"steps": 0}, "steps: "),
        ({"steps": 10, "evaluate_every": 3}, "evaluate_every: is 3, which does not divide 10 steps"),
    ):
        with pytest.raises(InputError, match=message):
            trainer().fit_stream(batches(), **settings)
    with pytest.raises(InputError, match="optimizer: lbfgs compares the loss of the same samples"):
        trainer(optimizer="lbfgs").fit_stream(batches(), steps=2)
    normalized = Trainer(
        Sequential(Dense(4), BatchNormalization(), Dense(3)), loss="softmax_cross_entropy", optimizer="adam"
    )
    with pytest.raises(InputError, match=r"batch 2 of the stream: .*: it has 1 samples: "):
        normalized.fit_stream([(INPUTS, LABELS), (INPUTS[:1], LABELS[:1])], steps=2)


def test_a_loss_that_is_not_finite_ends_the_thread_too() -> None:
    optimizer = {"type": "gradient_descent", "learning_rate": 1e38}
    diverging = Trainer(Sequential(Dense(1)), loss="squared_error", optimizer=optimizer)
    with pytest.raises(NotFiniteError):
        diverging.fit_stream(((x, x[:, 0]) for x, _ in batches()), steps=50)


def test_a_stop_does_not_wait_for_a_batch_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """The iterator hangs in its fourth batch; the training is told to stop while it waits for that."""
    monkeypatch.setattr("ravine.data.prefetch.JOIN_SECONDS", 0.0)
    release, hanging = threading.Event(), threading.Event()

    def source() -> Iterator[Any]:
        yield from itertools.islice(batches(), 3)
        hanging.set()
        release.wait()
        yield next(batches())

    stream = trainer()

    def stop() -> None:
        hanging.wait()
        stream.stop()

    watcher = threading.Thread(target=stop)
    watcher.start()
    stream.fit_stream(source(), steps=100)
    assert 2 <= stream.position.step <= 3
    assert not stream.stopping
    release.set()  # the thread sees that nobody waits for its batch, and ends
    watcher.join()
    for thread in threading.enumerate():
        if thread.name == "ravine stream":
            thread.join()


def test_a_stop_by_a_callback() -> None:
    class Stop(Callback):
        def on_steps(self, trainer: Trainer, steps: Any, values: Any) -> None:
            if trainer.position.step == 4:
                trainer.stop()

    stream = trainer(callbacks=[Stop()])
    stream.fit_stream(batches(), steps=100)
    assert stream.position.step == 4
    assert not stream.finished


def test_an_interrupt_ends_the_thread() -> None:
    class Interrupt(Callback):
        def on_steps(self, trainer: Trainer, steps: Any, values: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(callbacks=[Interrupt()]).fit_stream(batches(), steps=100)


@pytest.mark.parametrize("sampler", ["mixed", "balanced", "hard"])
def test_a_stream_has_an_order_already(sampler: str) -> None:
    with pytest.raises(InputError, match=f'sampler: is "{sampler}", which orders samples that are known'):
        trainer(sampler=sampler).fit_stream(batches(), steps=2)
