"""The orders of samplers, against their definitions in NumPy and plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import philox

from ravine.data import (
    BalancedSampler,
    HardSampler,
    MixedSampler,
    Sampler,
    SamplerSettings,
    SequentialSampler,
    as_dataset,
    epoch_order,
)
from ravine.data.sampler import make_sampler, sampler_settings
from ravine.errors import InputError, NotFiniteError


@given(st.integers(0, 2**63 - 1), st.integers(0, 10_000), st.integers(1, 2000))
def test_every_sample_once(seed: int, epoch: int, count: int) -> None:
    order = epoch_order(seed, epoch, count)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(count))
    np.testing.assert_array_equal(epoch_order(seed, epoch, count), order)


def test_another_epoch_or_seed_is_another_order() -> None:
    orders = {epoch_order(seed, epoch, 100).tobytes() for seed in range(10) for epoch in range(10)}
    assert len(orders) == 100


def test_without_shuffling() -> None:
    assert SequentialSampler(5, 4).order(3).tolist() == [0, 1, 2, 3]


def test_every_sample_is_equally_likely_at_every_position() -> None:
    count, epochs = 8, 8000
    table = np.zeros((count, count))
    for epoch in range(epochs):
        table[np.arange(count), epoch_order(1, epoch, count)] += 1
    expected = epochs / count
    # Rows and columns of a permutation matrix sum to 1, hence the factor; chi-square with (count - 1)^2 = 49
    # degrees of freedom, 10^-7 on either side.
    statistic = ((table - expected) ** 2 / expected).sum() * (count - 1) / count
    assert 13.4 < statistic < 118.8


def test_neighbours_are_independent() -> None:
    """All 24 orders of 4 samples are equally likely: a shuffle with a bias in its index draw fails here."""
    counts: dict[bytes, int] = {}
    for epoch in range(24_000):
        order = epoch_order(2, epoch, 4).tobytes()
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    statistic = sum((found - 1000) ** 2 / 1000 for found in counts.values())
    assert 2.8 < statistic < 76.9  # 23 degrees of freedom, 10^-7 on either side


def draws(seed: int, epoch: int, count: int, stream: int) -> list[int]:
    """64 random bits a place, by the reference of Philox."""
    words = philox.words(seed, philox.SHUFFLE, stream, epoch, np.arange(count), np.zeros(count, np.uint64))
    return [(int(word[0]) << 32) | int(word[1]) for word in words]


def shuffled(seed: int, epoch: int, count: int, stream: int = 0) -> list[int]:
    order, bits = list(range(count)), draws(seed, epoch, count, stream)
    for i in range(count - 1, 0, -1):
        pick = bits[i] * (i + 1) >> 64
        order[i], order[pick] = order[pick], order[i]
    return order


def mixed(seed: int, epoch: int, labels: list[int]) -> list[int]:
    """The definition: which class may come next, and how likely each is."""
    left: dict[int, list[int]] = {label: [] for label in range(max(labels) + 1)}
    for row in shuffled(seed, epoch, len(labels)):
        left[labels[row]].append(row)
    bits, order, last = draws(seed, epoch, len(labels), 1), [], -1
    for place in range(len(labels)):
        remain = len(labels) - place
        forced = [label for label, rows in left.items() if 2 * len(rows) > remain]
        if forced:
            chosen = forced[0]
        else:
            others = [label for label in left if label != last]
            total = sum(len(left[label]) for label in others)
            number = (bits[place] >> 32) * total >> 32
            for chosen in others:
                if number < len(left[chosen]):
                    break
                number -= len(left[chosen])
        order.append(left[chosen].pop(0))
        last = chosen
    return order


def pairs_of_one_class(labels: np.ndarray, order: np.ndarray) -> int:
    return int((labels[order][1:] == labels[order][:-1]).sum())


@given(st.integers(0, 2**63 - 1), st.integers(0, 9), st.lists(st.integers(0, 6), min_size=1, max_size=80))
def test_mixed_puts_no_two_of_a_class_in_a_row_where_possible(
    seed: int, epoch: int, classes: list[int]
) -> None:
    labels = np.array(classes, np.int32)
    order = MixedSampler(seed, labels).order(epoch)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(labels)))
    counts = np.bincount(labels)
    most = int(counts.max())
    # With k others the largest class falls into k + 1 stretches at most.
    assert pairs_of_one_class(labels, order) == max(0, most - (len(labels) - most) - 1)
    if most <= (len(labels) + 1) // 2:
        assert order.tolist() == mixed(seed, epoch, classes)


@pytest.mark.parametrize("others", [0, 1, 2, 7, 30])
def test_a_class_over_half_is_spread_evenly(others: int) -> None:
    labels = np.array([2] * 70 + [0, 1] * (others // 2) + [0] * (others % 2), np.int32)
    orders = [MixedSampler(3, labels).order(epoch) for epoch in range(40)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(len(labels)))
        text = "".join("x" if labels[row] == 2 else "o" for row in order)
        lengths = [len(stretch) for stretch in text.split("o")]
        assert len(lengths) == others + 1
        assert max(lengths) - min(lengths) <= 1
    assert len({order.tobytes() for order in orders}) == 40


def test_mixed_orders_of_equal_classes_are_equally_likely() -> None:
    """Two classes of two: AB AB alternate in 2 ways, with 2 x 2 orders of the samples within them."""
    labels = np.array([0, 0, 1, 1], np.int32)
    counts: dict[tuple[int, ...], int] = {}
    for epoch in range(8000):
        order = tuple(MixedSampler(5, labels).order(epoch).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 8
    statistic = sum((found - 1000) ** 2 / 1000 for found in counts.values())
    assert 0.09 < statistic < 44.7  # 7 degrees of freedom, 10^-7 on either side


def test_mixed_first_classes_are_as_likely_as_they_are_frequent() -> None:
    labels = np.repeat(np.arange(4, dtype=np.int32), [10, 20, 30, 40])
    first = np.zeros(4)
    for epoch in range(10_000):
        first[labels[MixedSampler(6, labels).order(epoch)[0]]] += 1
    expected = np.array([1000, 2000, 3000, 4000])
    assert ((first - expected) ** 2 / expected).sum() < 34.7  # 3 degrees of freedom, 10^-7


@given(st.integers(0, 99), st.integers(0, 4), st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_balanced_by_its_definition(seed: int, epoch: int, classes: list[int]) -> None:
    """Place p of all epochs is of class p mod C; each class goes through its samples, order after order."""
    labels = np.array(classes, np.int32)
    present = sorted(set(classes))
    members = [[row for row, label in enumerate(classes) if label == one] for one in present]
    chosen = []
    for place, (label, rows) in enumerate(zip(present, members, strict=True)):
        numbers = [p for p in range((epoch + 1) * len(classes)) if p % len(present) == place]
        for number, p in enumerate(numbers):
            if p >= epoch * len(classes):
                turn = shuffled(seed, number // len(rows), len(rows), 16 + label)
                chosen.append(rows[turn[number % len(rows)]])
    order = BalancedSampler(seed, labels).order(epoch)
    expected = [chosen[i] for i in shuffled(seed, epoch, len(classes))]
    assert order.tolist() == expected


def test_balanced_classes_and_samples_come_equally_often() -> None:
    labels = np.repeat(np.array([0, 3, 4], np.int32), [80, 15, 6])
    sampler = BalancedSampler(1, labels)
    seen = np.zeros(len(labels), int)
    for epoch in range(30):
        order = sampler.order(epoch)
        assert len(order) == 101
        counts = np.bincount(labels[order], minlength=5)[[0, 3, 4]]
        assert counts.max() - counts.min() <= 1
        seen += np.bincount(order, minlength=101)
        for label in (0, 3, 4):
            of_class = seen[labels == label]
            assert of_class.max() - of_class.min() <= 1
    assert [seen[labels == label].sum() for label in (0, 3, 4)] == [1010, 1010, 1010]


@given(
    st.integers(0, 2**63 - 1),
    st.integers(1, 5),
    st.lists(st.floats(0, 1e6), min_size=1, max_size=50),
    st.sampled_from([1.0, 2.0, 4.0]),
)
def test_hard_by_its_definition(seed: int, epoch: int, losses: list[float], cap: float) -> None:
    """n p rounded up or down; p in proportion to the loss, but no more than cap times the mean."""
    count = len(losses)
    sampler = HardSampler(seed, count, cap)
    assert sampler.order(0).tolist() == shuffled(seed, 0, count)
    assert not sampler.knows(epoch)
    with pytest.raises(ValueError, match="were not observed"):
        sampler.order(epoch)
    sampler.observe(epoch, losses)
    assert sampler.knows(epoch)
    assert not sampler.knows(epoch + 1)
    order = sampler.order(epoch)
    values = np.array(losses)
    weights = np.minimum(values, cap * values.mean())
    times = np.bincount(order, minlength=count)
    assert times.sum() == count
    if weights.sum() > 0:
        expected = count * weights / weights.sum()
        assert (times >= np.floor(expected - 1e-6)).all()
        assert (times <= np.ceil(expected + 1e-6)).all()
    else:
        assert (times == 1).all()


def test_hard_samples_come_as_often_as_their_capped_loss() -> None:
    losses = np.array([0.1, 0.2, 0.4, 0.8, 1.6, 100.0])
    weights = np.minimum(losses, 2 * losses.mean())
    seen = np.zeros(6)
    for seed in range(4000):
        sampler = HardSampler(seed, 6, cap=2.0)
        sampler.observe(1, losses)
        seen += np.bincount(sampler.order(1), minlength=6)
    # Each count is rounded up or down, so that its variance is at most a quarter.
    np.testing.assert_allclose(seen / 4000, 6 * weights / weights.sum(), atol=5 * 0.5 / np.sqrt(4000))


def test_a_loss_that_is_not_finite_is_named() -> None:
    with pytest.raises(NotFiniteError, match="row 2: the loss is nan"):
        HardSampler(0, 4).observe(1, [0.0, 1.0, np.nan, 2.0])


@pytest.mark.parametrize("kind", ["shuffle", "sequential", "mixed", "balanced", "hard"])
def test_an_order_depends_on_seed_epoch_and_data_alone(kind: Any) -> None:
    data = as_dataset(np.zeros((60, 2)), np.arange(60) % 4)

    def sampler(seed: int) -> Sampler:
        made = make_sampler(SamplerSettings(type=kind), data, seed)
        if isinstance(made, HardSampler):
            made.observe(3, np.arange(60.0))
        return made

    one = sampler(7)
    assert one.order(3).tobytes() == one.order(3).tobytes() == sampler(7).order(3).tobytes()
    assert (one.order(3).tobytes() == sampler(8).order(3).tobytes()) == (kind == "sequential")
    assert len(one.order(3)) == 60


def test_settings() -> None:
    assert sampler_settings({"type": "hard", "cap": 2}).cap == 2.0
    for given_, message in (
        ("hart", "expected shuffle, sequential, mixed, balanced or hard"),
        ({"type": "hard", "cap": 0.5}, "expected"),
        ({"type": "mixed", "cap": 2.0}, "`cap` belongs to type"),
        ({"kind": "mixed"}, "kind"),
    ):
        with pytest.raises(InputError, match=message):
            sampler_settings(given_)
    for kind in ("mixed", "balanced", "hard"):
        with pytest.raises(InputError, match="shuffle = false keeps the order"):
            sampler_settings(kind, shuffle=False)
    values = as_dataset(np.zeros((3, 1)), np.zeros(3))
    for kind in ("mixed", "balanced"):
        with pytest.raises(InputError, match="needs class labels"):
            make_sampler(sampler_settings(kind), values, 0)


@pytest.mark.parametrize("given", [3, None, ["mixed"]])
def test_what_is_no_sampler(given: object) -> None:
    with pytest.raises(InputError, match="expected shuffle, sequential, mixed, balanced or hard, or a table"):
        sampler_settings(given)  # type: ignore[arg-type]
