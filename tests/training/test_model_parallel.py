"""Networks that several ranks share, from Python: training, what each rank holds, and whole checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ravine import Columns, Sequential, _core, layers
from ravine.errors import CheckpointError, InputError
from ravine.runs.checkpoint_file import Checkpoint
from ravine.training import checkpoint as checkpoints
from ravine.training.slices import gathered, sliced

BATCH, STEPS = 20, 50
RNG = np.random.default_rng(4)
INPUTS = RNG.uniform(-1, 1, (BATCH * STEPS, 8, 8, 2))
LABELS = RNG.integers(0, 3, BATCH * STEPS, dtype=np.int32)


def column(filters: int) -> list[Any]:
    return [layers.Convolution(filters, kernel=3, activation="relu"), layers.Convolution(3, kernel=3)]


TWO_COLUMNS = Sequential(
    Columns(column(4), column(5)),
    "relu",
    layers.Flatten(),
    layers.Dense(14, activation="tanh"),
    layers.Dropout(rate=0.25),
    layers.Dense(3),
)
SPLIT = Sequential(
    layers.Convolution(5, kernel=3, activation="relu"),
    "batch_normalization",
    layers.Flatten(),
    layers.Dense(14, activation="tanh", weight_normalization=True),
    layers.Dropout(rate=0.25),
    layers.Dense(3),
)
NAMES = ["convolution_1", "dense_1"]


class Rank:
    """A network on a rank (or alone), with its optimizer."""

    def __init__(
        self, model: Sequential, split: Sequence[str] | None, group: _core.Communicator | None
    ) -> None:
        ranks = None if group is None else _core.Ranks(model=group, split=None if split is None else [*split])
        self.network = model.network(
            [8, 8, 2],
            loss="softmax_cross_entropy",
            batch_size=BATCH,
            dtype="float64",
            threads=1,
            seed=9,
            ranks=ranks,
        )
        self.optimizer = _core.Optimizer("adam", l2=0.01, clip_norm=0.5)
        self.loss = 0.0

    def train(self, first: int, steps: int) -> None:
        rows = slice(first * BATCH, (first + steps) * BATCH)
        self.loss = self.network.train(
            self.optimizer, INPUTS[rows], LABELS[rows], batch_size=BATCH, budget_seconds=0
        ).loss

    def tensors(self) -> dict[str, NDArray[Any]]:
        slots = {f"optimizer.{name}": values for name, values in self.optimizer.slots.items()}
        kept = {f"training.{name}": values for name, values in self.network.parameters.items()}
        return gathered(self.network, self.network.parameters | self.network.state | slots | kept)

    def take(self, checkpoint: Checkpoint) -> None:
        """As a resume does."""
        self.network.train(self.optimizer, INPUTS[:BATCH], LABELS[:BATCH], batch_size=BATCH)  # attached
        own = sliced(self.network, checkpoint).tensors
        for name, values in (self.network.parameters | self.network.state).items():
            values[...] = own[name]
        for name, values in self.optimizer.slots.items():
            values[...] = own[f"optimizer.{name}"]
        self.optimizer.step_count = self.network.step = checkpoint.step


def on_ranks(
    count: int, model: Sequential, split: Sequence[str] | None, function: Callable[[Rank], Any]
) -> list[Any]:
    if count == 1:
        return [function(Rank(model, split, None))]
    with ThreadPoolExecutor(count) as pool:
        groups = _core.thread_communicators(count)
        return list(pool.map(lambda group: function(Rank(model, split, group)), groups))


def trained(rank: Rank) -> Rank:
    rank.train(0, STEPS)
    return rank


@pytest.mark.parametrize(
    ("model", "split", "count"), [(SPLIT, NAMES, 2), (SPLIT, NAMES, 3), (TWO_COLUMNS, ["dense_1"], 2)]
)
def test_ranks_that_share_a_network_compute_what_one_does(
    model: Sequential, split: list[str], count: int
) -> None:
    (alone,) = on_ranks(1, model, split, trained)
    expected = alone.tensors()
    steps, values = alone.network.drain()
    for network, loss, tensors, drained in on_ranks(
        count, model, split, lambda r: (trained(r).network, r.loss, r.tensors(), r.network.drain())
    ):
        assert loss == pytest.approx(alone.loss, rel=1e-12)
        assert tensors.keys() == expected.keys()
        for name, array in tensors.items():
            assert array.shape == expected[name].shape
            np.testing.assert_allclose(array, expected[name], rtol=1e-10, atol=1e-13, err_msg=name)
        np.testing.assert_array_equal(drained[0], steps)
        np.testing.assert_allclose(drained[1], values, rtol=1e-5, atol=1e-6)
        assert network.flat_parameters.size < alone.network.flat_parameters.size
        assert network.layers == alone.network.layers


def test_what_a_rank_holds_and_sends() -> None:
    def held(rank: Rank) -> tuple[Any, ...]:
        network = rank.network
        shapes = {name: values.shape for name, values in network.parameters.items()}
        plan = network.describe("training")
        return network.slices, network.places, shapes, plan["sent_bytes"], plan["operations"]

    split = on_ranks(2, SPLIT, NAMES, held)
    slices, places, shapes, sent, operations = split[1]
    assert slices["dense_1.direction"] == ((14, 6 * 6 * 5), 7, 7)
    assert slices["convolution_1.weight"] == ((5, 3, 3, 2), 2, 3)
    assert places["convolution_1"] == "2 + 3 units"
    assert places["batch_normalization_1"] == "every rank"
    assert shapes["dense_1.direction"] == (7, 180)
    assert shapes["dense_2.weight"] == (3, 14)
    named = [one["operation"] for one in operations if one["sent"] > 0]
    assert named == [
        "gather columns",
        "gather columns",
        "sum over ranks",
        "merge measurements",
    ]
    # Its columns of both outputs, the gradient of the second layer's input, a square of each parameter.
    parameters = len(shapes)
    assert sent == 8 * (BATCH * 36 * 3 + BATCH * 7 + BATCH * 180 + parameters)

    slices, places, shapes, _, _ = on_ranks(2, TWO_COLUMNS, ["dense_1"], held)[0]
    assert places["convolution_1"] == "rank 0"
    assert places["convolution_4"] == "rank 1"
    assert shapes["convolution_2.weight"] == (3, 3, 3, 4)
    assert shapes["convolution_4.weight"] == (0, 3, 3, 5)
    assert slices["convolution_4.weight"] == ((3, 3, 3, 5), 0, 0)


def test_answers_are_those_of_the_whole_network() -> None:
    def answers(rank: Rank) -> tuple[Any, ...]:
        metrics = rank.network.evaluate(INPUTS[:300], LABELS[:300])
        return metrics, rank.network.predict(INPUTS[:7]), rank.network.moments(INPUTS[:BATCH])

    ((metrics, shown, moments),) = on_ranks(1, TWO_COLUMNS, None, answers)
    for other_metrics, other_shown, other_moments in on_ranks(2, TWO_COLUMNS, None, answers):
        assert other_metrics == pytest.approx(metrics, rel=1e-12)
        np.testing.assert_allclose(other_shown, shown, rtol=1e-12)
        assert other_moments.keys() == moments.keys()
        for name, row in moments.items():
            assert other_moments[name] == pytest.approx(row, rel=1e-12)


@pytest.mark.parametrize(("model", "split"), [(SPLIT, NAMES), (TWO_COLUMNS, ["dense_1"])])
def test_a_checkpoint_of_some_ranks_is_resumed_on_others(
    model: Sequential, split: list[str], tmp_path: Path
) -> None:
    def saved(rank: Rank) -> dict[str, NDArray[Any]]:
        rank.train(0, 30)
        return rank.tensors()

    first, second = on_ranks(2, model, split, saved)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)
    file = checkpoints.save(tmp_path, Checkpoint(30, first)).path
    checkpoint = checkpoints.load(file)

    def resumed(rank: Rank) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        rank.take(checkpoint)
        before = {name: values.copy() for name, values in rank.tensors().items()}
        rank.train(30, 20)
        return before, rank.tensors()

    ((_, expected),) = on_ranks(1, model, split, lambda r: (0, trained(r).tensors()))
    for count in (1, 2) if model is TWO_COLUMNS else (1, 2, 4):
        for before, after in on_ranks(count, model, split, resumed):
            for name, values in before.items():
                np.testing.assert_array_equal(values, first[name], err_msg=f"{name} on {count} ranks")
            for name, values in after.items():
                np.testing.assert_allclose(values, expected[name], rtol=1e-10, atol=1e-13, err_msg=name)


def test_a_checkpoint_of_another_network_is_refused() -> None:
    def refused(rank: Rank) -> str:
        tensors = rank.network.parameters | {"dense_1.direction": np.zeros((14, 3))}
        with pytest.raises(CheckpointError) as raised:
            sliced(rank.network, Checkpoint(1, tensors))
        return str(raised.value)

    for message in on_ranks(2, SPLIT, ["dense_1"], refused):
        assert "'dense_1.direction' is float64 [14, 3], the network needs [14, 180]" in message


@pytest.mark.parametrize(
    ("split", "ranks", "message", "layer"),
    [
        (["dense_2"], 4, "has 3 units, fewer than the 4 ranks of the model group", "dense_2"),
        (["dense"], 2, "no such layer; those that can be split: convolution_1, dense_1, dense_2", "dense"),
        (["dropout_1"], 2, "only dense and convolution layers have units", "dropout_1"),
        (None, 2, "nothing in this network that 2 ranks could share", None),
    ],
)
def test_what_cannot_be_shared_is_refused(
    split: list[str] | None, ranks: int, message: str, layer: str | None
) -> None:
    with pytest.raises(InputError, match=message):
        Rank(SPLIT, split, _core.thread_communicators(ranks)[0])


def test_columns_that_do_not_match_the_ranks_are_refused() -> None:
    with pytest.raises(InputError, match="no block of columns has 3"):
        Rank(TWO_COLUMNS, None, _core.thread_communicators(3)[0])
