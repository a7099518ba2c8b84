"""Recorded distributions against NumPy: counts, percentiles, histograms; and that they change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from reference.network import Perceptron, build, randomize

from ravine import LayerOutputs, _core
from ravine.distributions import Distribution, DistributionRow
from ravine.errors import InputError

SIZES = [130, 70, 60, 10]
LAYERS = ["dense_1", "dense_2", "dense_3"]
FINEST = 2.0**-126
QUANTILES = np.array([0, 1, 5, 15, 25, 50, 75, 85, 95, 99, 100])


def drained(network):
    """The distributions since the last call, by step, name and kind."""
    rows = [Distribution.of(DistributionRow(*row)) for row in network.drain_distributions()]
    found = {(row.step, row.name, row.kind): row for row in rows}
    assert len(found) == len(rows)
    return found


def lower_edges():
    """Of the bins of positive values, by their definition: 16 equal parts of each factor of two."""
    return np.array([2.0**e * (1 + part / 16) for e in range(-126, 128) for part in range(16)] + [2.0**128])


def expected_counts(values):
    """Counts by number of bin."""
    edges = lower_edges()
    magnitude = np.abs(np.asarray(values, np.float64).ravel())
    number = np.where(magnitude < FINEST, 0, np.searchsorted(edges, magnitude, side="right"))
    return np.unique(np.where(np.ravel(values) < 0, -number, number), return_counts=True)


def assert_distribution(found, values, exact=True):
    values = np.asarray(values, np.float64).ravel()
    bins, counts = expected_counts(values)
    np.testing.assert_array_equal(found.bins, bins)
    np.testing.assert_array_equal(found.counts, counts)
    tolerance = 0 if exact else 1e-12
    np.testing.assert_allclose([found.minimum, found.maximum], [values.min(), values.max()], rtol=tolerance)
    # A value of the sorted ones is off by a sixteenth at most; a percentile lies between two of them.
    ordered = np.sort(values)
    place = QUANTILES / 100 * (len(values) - 1)
    below, above = ordered[np.floor(place).astype(int)], ordered[np.ceil(place).astype(int)]
    share = place % 1
    bound = ((1 - share) * np.abs(below) + share * np.abs(above)) / 16 + 1e-13
    off = np.abs(found.percentile(QUANTILES) - np.percentile(values, QUANTILES))
    assert (off <= bound).all()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_dense_network(dtype, threads):
    """Outputs and gradients at the parameters before the step, weights after it."""
    model = Perceptron(SIZES, ["relu", "tanh", "identity"], "softmax_cross_entropy")
    network = model.build(batch_size=48, dtype=dtype, threads=threads)
    generator = np.random.default_rng(1)
    randomize(network, generator)
    x = generator.normal(size=(96, SIZES[0])).astype(dtype)
    y = generator.integers(0, SIZES[-1], 96).astype(np.int32)
    optimizer = _core.Optimizer({"type": "gradient_descent", "learning_rate": 0.1}, clip_norm=1e-3)
    network.train(optimizer, x[:48], y[:48], batch_size=48, statistics="full", full_every=2)
    assert drained(network) == {}
    theta = network.flat_parameters.astype(np.float64)
    network.train(optimizer, x[48:], y[48:], batch_size=48, statistics="full", full_every=2)
    found = drained(network)
    names = [f"{layer}.{part}" for layer in LAYERS for part in ("weight", "bias")]
    assert set(found) == {(2, layer, "output") for layer in LAYERS} | {
        (2, name, kind) for name in names for kind in ("weight", "gradient")
    }
    for name in names:
        assert_distribution(found[2, name, "weight"], network.parameters[name])
        assert_distribution(found[2, name, "gradient"], network.gradients[name])
    if dtype == "float64":  # in float32 roundings move values between bins
        outputs = [output for _, output in model.forward(theta, x[48:])]
        for layer, output in zip(LAYERS, outputs, strict=True):
            assert_distribution(found[2, layer, "output"], output, exact=False)
        expected = model.unpack(model.gradient(theta, x[48:], y[48:]))
        for layer, (weight, bias) in zip(LAYERS, expected, strict=True):
            assert_distribution(found[2, f"{layer}.weight", "gradient"], weight, exact=False)
            assert_distribution(found[2, f"{layer}.bias", "gradient"], bias, exact=False)
        zeros = found[2, "dense_1", "output"]
        assert zeros.counts[zeros.bins == 0] == np.sum(outputs[0] == 0)


def test_all_kinds_of_layers():
    """Whatever computes a layer's output counts it: each as often as it has values."""
    layers = [
        {"type": "convolution", "units": 6, "kernel": 3, "padding": "same"},
        "batch_normalization",
        "relu",
        {"type": "max_pooling", "size": 2},
        "layer_normalization",
        "add",
        {"type": "dropout", "rate": 0.4},
        "flatten",
        {"type": "dense", "units": 9, "activation": "gelu"},
        {"type": "dense", "units": 4},
    ]
    network = build(layers, [8, 8, 2], "softmax_cross_entropy", threads=2)
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=(20, 8, 8, 2)), generator.integers(0, 4, 20).astype(np.int32)
    names = [layer["name"] for layer in network.layers]
    before = names[: names.index("dropout_1")]  # whose masks depend on the network's own layers
    outputs = LayerOutputs(network, before)(x, training=True)
    optimizer = _core.Optimizer({"type": "gradient_descent", "learning_rate": 0.0})
    network.train(optimizer, x, y, batch_size=20, statistics="full", full_every=1)
    found = drained(network)
    sizes = {layer["name"]: 20 * int(np.prod(layer["output_shape"])) for layer in network.layers}
    computed = [name for name in names if not name.startswith("flatten")]
    assert [name for _, name, kind in found if kind == "output"] == computed
    for name in computed:
        assert found[1, name, "output"].count == sizes[name]
    for name in set(before) & set(computed):
        assert_distribution(found[1, name, "output"], outputs[name], exact=False)


def test_parts_of_a_batch_and_threads_give_the_same():
    """Counts are whole numbers: no cut of the work changes them."""
    records = []
    for threads, parts, kept in [(1, 0, 0), (2, 0, 0), (4, 0, 1), (2, 7, 0)]:
        model = Perceptron([20, 80, 10], ["tanh", "identity"], "softmax_cross_entropy")
        # Outputs that are computed again are not counted again.
        network = model.build(batch_size=32, threads=threads, compute={"checkpoint_every": kept})
        generator = np.random.default_rng(0)
        x = generator.normal(size=(96, 20))
        y = generator.integers(0, 10, 96).astype(np.int32)
        network.train(
            _core.Optimizer("adam"), x, y, batch_size=32, micro_batch=parts, statistics="full", full_every=1
        )
        records.append(network.drain_distributions())
        assert len(records[-1]) == 3 * (2 + 2 * 4)
    assert records[0] == records[1] == records[2]
    first = [row for row in records[0] if row[2] == "output" and row[0] == 1]
    assert first == [row for row in records[3] if row[2] == "output" and row[0] == 1]


def test_special_values():
    """Zeros of both signs, what is smaller than a normal float32, the largest, and edges of bins."""
    special = np.array(
        [0.0, -0.0, 1e-40, -1e-40, FINEST, -FINEST, 1.0, -1.0, 1.0625, 1.06249988, 2.0, -2.0, 3.4e38, -3.4e38,
         1e-30, -17.0]
    )  # fmt: skip
    for dtype in ("float32", "float64"):
        network = build([{"type": "dense", "units": 4}], [4], dtype=dtype)
        network.parameters["dense_1.weight"][...] = special.reshape(4, 4)
        x = np.zeros((16, 4), dtype)
        optimizer = _core.Optimizer({"type": "gradient_descent", "learning_rate": 0.0})
        network.train(optimizer, x, x, batch_size=16, statistics="full", full_every=1)
        found = drained(network)
        values = special.astype(dtype).astype(np.float64)
        weight = found[1, "dense_1.weight", "weight"]
        bins, counts = expected_counts(values)
        np.testing.assert_array_equal(weight.bins, bins)
        np.testing.assert_array_equal(weight.counts, counts)
        assert (weight.minimum, weight.maximum) == (values.min(), values.max())
        gradient = found[1, "dense_1.weight", "gradient"]
        assert (gradient.minimum, gradient.maximum, gradient.percentile(50)) == (0.0, 0.0, 0.0)
        assert (gradient.bins.tolist(), gradient.counts.tolist()) == ([0], [16])


def test_bits_do_not_depend_on_the_level():
    weights = []
    for level in ("off", "norms", "full"):
        network = build(
            [{"type": "dense", "units": 40, "activation": "tanh"}, "batch_normalization", "dropout",
             {"type": "dense", "units": 3}],
            [12], "softmax_cross_entropy", dtype="float32", threads=2,
        )  # fmt: skip
        generator = np.random.default_rng(2)
        x = generator.normal(size=(640, 12)).astype(np.float32)
        y = generator.integers(0, 3, 640).astype(np.int32)
        optimizer = _core.Optimizer("nesterov", clip_norm=1.0)
        for half in (slice(0, 320), slice(320, 640)):
            network.train(optimizer, x[half], y[half], batch_size=32, statistics=level, full_every=3)
            network.time_passes(x[:32], distributions=level == "full", most=3, seconds=1.0)
        weights.append([network.flat_parameters.tobytes(), *(v.tobytes() for v in network.state.values())])
        steps = sorted({step for step, _, _ in drained(network)})
        assert steps == ([3, 6, 9, 12, 15, 18] if level == "full" else [])
    assert weights[0] == weights[1] == weights[2]


def test_a_full_store_ends_the_call():
    """No record is lost: the call returns before the step that has no room; the next goes on."""
    network = build([{"type": "dense", "units": 2}], [3])
    x, y = np.ones((400, 3)), np.ones((400, 2))
    optimizer = _core.Optimizer("adam")
    done, steps = 0, []
    while done < 200:
        result = network.train(
            optimizer, x[2 * done :], y[2 * done :], batch_size=2, statistics="full", full_every=1
        )
        done += result.steps
        steps += sorted({step for step, _, _ in drained(network)})
        assert result.steps > 0
    assert result.steps < 200
    assert steps == list(range(1, 201))
    # Without draining, the next call makes room.
    for _ in range(2):
        network.train(optimizer, x, y, batch_size=2, statistics="full", full_every=1)
    assert network.train(optimizer, x[:2], y[:2], batch_size=2, statistics="full", full_every=1).steps == 1


@pytest.mark.parametrize("micro_batch", [0, 3])
def test_a_step_that_is_given_up_leaves_nothing(micro_batch):
    network = build([{"type": "dense", "units": 4}, {"type": "dense", "units": 2}], [3])
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(16, 3)), generator.normal(size=(16, 2))
    broken = x.copy()
    broken[-1] = np.nan
    optimizer = _core.Optimizer("adam")
    settings = {"batch_size": 8, "statistics": "full", "full_every": 1, "micro_batch": micro_batch}
    assert network.train(optimizer, broken, y, **settings).trouble
    found = drained(network)
    assert {step for step, _, _ in found} == {1}
    network.train(optimizer, x[8:], y[8:], **settings)
    found = drained(network)
    assert {step for step, _, _ in found} == {2}
    assert found[2, "dense_2", "output"].count == 16
    # Finite gradients, but weights that the update makes infinite.
    optimizer = _core.Optimizer({"type": "gradient_descent", "learning_rate": 1e308})
    for _ in range(3):
        result = network.train(optimizer, x[:8], 1e300 + y[:8], **settings)
        steps = {step for step, _, _ in drained(network)}
        if result.trouble:
            break
        assert steps == {optimizer.step_count}
    assert result.trouble
    assert steps == set()


def test_full_batch_rules_record_the_gradient_of_the_step():
    """And not that of a point which the rule has tried."""
    model = Perceptron([4, 6, 3], ["tanh", "identity"], "softmax_cross_entropy")
    network = model.build(batch_size=30)
    generator = np.random.default_rng(0)
    randomize(network, generator)
    x, y = generator.normal(size=(30, 4)), generator.integers(0, 3, 30).astype(np.int32)
    theta = network.flat_parameters.copy()
    network.train(_core.Optimizer("lbfgs"), x, y, batch_size=30, statistics="full", full_every=1)
    found = drained(network)
    (weight, bias), _ = model.unpack(model.gradient(theta, x, y))
    assert_distribution(found[1, "dense_1.weight", "gradient"], weight, exact=False)
    assert_distribution(found[1, "dense_1.bias", "gradient"], bias, exact=False)
    assert_distribution(found[1, "dense_2", "output"], model.forward(theta, x)[-1][1], exact=False)
    assert_distribution(found[1, "dense_1.weight", "weight"], network.parameters["dense_1.weight"])


def test_histograms_of_ones_own():
    """Edges of the bins give exact counts; between them a bin's values are shared out evenly."""
    network = build([{"type": "dense", "units": 300}], [200])
    values = np.random.default_rng(4).normal(size=(300, 200)) * 0.3
    network.parameters["dense_1.weight"][...] = values
    x = np.zeros((4, 200))
    optimizer = _core.Optimizer({"type": "gradient_descent", "learning_rate": 0.0})
    network.train(optimizer, x, np.zeros((4, 300)), batch_size=4, statistics="full", full_every=1)
    found = drained(network)
    weight = found[1, "dense_1.weight", "weight"]
    edges = np.array([-2.0, -0.5, -0.0625, 0.0, 0.0625 * 1.5, 0.5, 2.0])
    np.testing.assert_allclose(weight.histogram(edges), np.histogram(values, edges)[0], rtol=1e-12)
    edges = np.linspace(-1, 1, 21)
    expected = np.histogram(values, edges)[0]
    np.testing.assert_allclose(weight.histogram(edges), expected, rtol=0.05, atol=25)
    assert weight.histogram([-5.0, 5.0]).tolist() == [values.size]
    # Zeros lie in one place; an upper edge belongs to the last bin alone.
    bias = found[1, "dense_1.bias", "weight"]
    assert bias.histogram([-1.0, 0.0, 1.0]).tolist() == [0, 300]
    assert bias.histogram([-1.0, 0.0]).tolist() == [300]
    for wrong in ([0.0], [1.0, 0.0], [[0.0, 1.0]], [0.0, np.nan]):
        with pytest.raises(InputError, match="ascending"):
            bias.histogram(wrong)
    for wrong in (-1, 101, np.nan):
        with pytest.raises(InputError, match="0 to 100"):
            bias.percentile(wrong)


@pytest.mark.parametrize(
    "packed",
    [b"\x80", b"\x01", b"\x80" * 12, b"\xe0\x1f\x00", b"\xe0\x1f\x01\x00\x01", b"\xff\xff\x7f\x01"],
)
def test_bytes_that_cannot_be(packed):
    with pytest.raises(ValueError, match=r"cannot be|does not end"):
        Distribution.of(DistributionRow(1, "dense_1", "output", 0.0, 1.0, packed))


def test_unknown_levels_are_refused():
    network = build([{"type": "dense", "units": 2}], [3])
    with pytest.raises(InputError, match="off, norms or full"):
        network.train(
            _core.Optimizer("adam"), np.ones((2, 3)), np.ones((2, 2)), batch_size=2, statistics="all"
        )
