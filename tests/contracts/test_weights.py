"""Weights of samples and classes: sum w l / sum w in every loss, forward, backward and over many steps."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import fitted, names, reference, resolved
from reference.differences import numerical_gradient, relative_error
from reference.network import build, randomize

from ravine import _core
from ravine.errors import InputError

CASES = [(name, settings) for name in names("loss") for settings in reference("loss", name).CASES]
TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}
BATCH, STEPS, INPUTS, CLASSES = 260, 7, 40, 90  # several tiles of rows
BY_HAND = {"type": "softmax_cross_entropy", "class_weights": [0.5, 2.0, 1.0], "label_smoothing": 0.1}


def drawn(generator, rows):
    """Weights of very different sizes, a fifth of them 0."""
    return np.where(generator.random(rows) < 0.2, 0.0, 10.0 ** generator.uniform(-2, 2, rows))


def samples(rows, classes=3, inputs=4, seed=2, dtype="float64"):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(rows, inputs)).astype(dtype)
    y = generator.integers(0, classes, rows).astype(np.int32)
    return x, y, drawn(generator, rows).astype(dtype)


@pytest.mark.parametrize(("name", "settings"), CASES)
@pytest.mark.parametrize(("rows", "outputs"), [(7, 5), (300, 70)])
def test_against_the_formula(name, settings, rows, outputs):
    settings = fitted("loss", name, settings, outputs)
    rule, full = reference("loss", name), resolved("loss", name, settings)
    generator = np.random.default_rng(rows)
    network = build([{"type": "dense", "units": outputs}], [3], {"type": name, **settings})
    randomize(network, generator, scale=5.0)
    x, weights = generator.normal(size=(rows, 3)), drawn(generator, rows)
    y = rule.targets(generator, rows, (outputs,))
    output = network.forward(x, training=True).copy()
    expected = rule.loss(output, y, full, weights)
    assert abs(expected - rule.loss(output, y, full)) > 1e-6 * abs(expected), "the weights say nothing"
    assert network.loss(y, weights) == pytest.approx(expected, rel=1e-12)
    network.backward()
    gradient = rule.gradient(output, y, full, weights)
    np.testing.assert_allclose(network.gradients["dense_1.bias"], gradient.sum(axis=0), **TOLERANCE)
    np.testing.assert_allclose(network.gradients["dense_1.weight"], gradient.T @ x, **TOLERANCE)
    plain, weighted = network.evaluate(x, y), network.evaluate(x, y, weights)
    assert weighted.pop("loss") == pytest.approx(expected, rel=1e-12)
    assert plain.pop("loss") == pytest.approx(rule.loss(output, y, full), rel=1e-12)
    assert plain == weighted  # accuracies count rows


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_gradient_by_differences(name, settings):
    network = build(
        [{"type": "dense", "units": 6, "activation": "tanh"}, {"type": "dense", "units": 4}],
        [3],
        {"type": name, **fitted("loss", name, settings, 4)},
    )
    for seed in (1, 2):
        generator = np.random.default_rng(seed)
        randomize(network, generator)
        x, weights = generator.normal(size=(9, 3)), drawn(generator, 9)
        y = reference("loss", name).targets(generator, 9, (4,))

        def loss(x=x, y=y, weights=weights):
            network.forward(x, training=True)
            return float(network.loss(y, weights))

        loss()
        network.backward()
        analytic = network.flat_gradients.copy()
        assert np.max(np.abs(analytic)) > 1e-3
        assert relative_error(analytic, numerical_gradient(loss, network.flat_parameters)) < 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", names("loss"))
def test_equal_weights_change_nothing(name, dtype):
    """Weights of 1 give the bits of none, and any other size the same to rounding."""
    generator = np.random.default_rng(5)
    x = generator.normal(size=(33, 4)).astype(dtype)
    y = reference("loss", name).targets(generator, 33, (6,))
    y = y if y.dtype == np.int32 else y.astype(dtype)
    network = build([{"type": "dense", "units": 6}], [4], name, dtype=dtype)
    found = []
    for weights in (None, np.ones(33, dtype), np.full(33, 0.3, dtype)):
        network.forward(x, training=True)
        loss = network.loss(y, weights)
        network.backward()
        found.append((loss, network.flat_gradients.copy()))
    assert found[0][0] == found[1][0]
    assert found[0][1].tobytes() == found[1][1].tobytes()
    assert found[2][0] == pytest.approx(found[0][0], rel=1e-6)
    np.testing.assert_allclose(found[2][1], found[0][1], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_no_weight_at_all(name, settings):
    """A batch whose weights are all 0 has loss 0 and gradient 0, and changes no weight."""
    loss = {"type": name, **fitted("loss", name, settings, 5)}
    network = build([{"type": "dense", "units": 5}], [3], loss, batch_size=8)
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(16, 3)), reference("loss", name).targets(generator, 16, (5,))
    zeros = np.zeros(16)
    network.forward(x, training=True)
    assert network.loss(y, zeros) == 0.0
    network.backward()
    assert not network.flat_gradients.any()
    assert network.evaluate(x, y, zeros)["loss"] == 0.0
    before = network.flat_parameters.copy()
    result = network.train(_core.Optimizer("gradient_descent"), x, y, weights=zeros, batch_size=8)
    assert (result.steps, result.loss, result.weight, result.trouble) == (2, 0.0, 0.0, "")
    assert network.flat_parameters.tobytes() == before.tobytes()
    steps, values = network.drain()
    assert len(steps) == 2
    assert not values[:, network.columns.index("loss")].any()


def test_a_class_of_weight_zero():
    """Rows of a class that does not count give nothing, and a batch of them no NaN."""
    network = build([{"type": "dense", "units": 3}], [4], {**BY_HAND, "class_weights": [1.0, 0.0, 2.0]})
    x, _, _ = samples(6)
    network.forward(x, training=True)
    assert network.loss(np.ones(6, np.int32)) == 0.0
    network.backward()
    assert not network.flat_gradients.any()


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_whole_weights_are_samples_taken_several_times(name):
    x, y, _ = samples(60)
    counts = np.random.default_rng(4).integers(0, 4, 60)
    counts[::6] = 1  # every batch of 6 has one at least
    networks = [build([{"type": "dense", "units": 3}], [4], BY_HAND) for _ in range(2)]
    optimizers = [_core.Optimizer(name) for _ in networks]
    result = networks[0].train(optimizers[0], x, y, weights=counts.astype(float), batch_size=6)
    total = 0.0
    for begin in range(0, 60, 6):
        rows = np.repeat(np.arange(begin, begin + 6), counts[begin : begin + 6])
        total += networks[1].train(optimizers[1], x[rows], y[rows], batch_size=len(rows)).loss
    np.testing.assert_allclose(networks[0].flat_parameters, networks[1].flat_parameters, rtol=1e-12)
    assert result.loss == pytest.approx(total, rel=1e-12)
    unweighted = build([{"type": "dense", "units": 3}], [4], BY_HAND)
    unweighted.train(_core.Optimizer(name), x, y, batch_size=6)
    assert np.max(np.abs(unweighted.flat_parameters - networks[0].flat_parameters)) > 1e-4


def trained(threads, dtype, loss):
    layers = [{"type": "dense", "units": 130, "activation": "relu"}, {"type": "dense", "units": CLASSES}]
    network = build(layers, [INPUTS], loss, batch_size=BATCH, dtype=dtype, threads=threads)
    x, y, weights = samples(BATCH * STEPS, CLASSES, INPUTS, dtype=dtype)
    result = network.train(_core.Optimizer("adam"), x, y, weights=weights, batch_size=BATCH)
    metrics = network.evaluate(x, y, weights)
    return (
        network.flat_parameters.tobytes(),
        network.drain()[1].tobytes(),
        result.loss,
        result.weight,
        metrics,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_any_number_of_threads(dtype):
    classes = np.random.default_rng(8).uniform(0.1, 5.0, CLASSES)
    for loss in ("softmax_cross_entropy", {**BY_HAND, "class_weights": classes}):
        single = trained(1, dtype, loss)
        for threads in (2, 4):
            assert trained(threads, dtype, loss) == single
    assert trained(1, dtype, "softmax_cross_entropy") != single


def test_native_loop_equals_loop_by_hand():
    """To the bit; the loss of each batch is recorded, and the sums go on where they are told."""
    x, y, weights = samples(48)
    native, by_hand = (build([{"type": "dense", "units": 3}], [4], BY_HAND) for _ in range(2))
    first, second = _core.Optimizer("adam"), _core.Optimizer("adam")
    result = native.train(first, x, y, weights=weights, batch_size=8)
    losses = []
    for rows in (slice(begin, begin + 8) for begin in range(0, 48, 8)):
        by_hand.forward(x[rows], training=True)
        losses.append(by_hand.loss(y[rows], weights[rows]))
        by_hand.backward()
        second.step(by_hand)
    assert native.flat_parameters.tobytes() == by_hand.flat_parameters.tobytes()
    _, values = native.drain()
    np.testing.assert_array_equal(values[:, native.columns.index("loss")], np.float32(losses))
    class_weights = np.array(BY_HAND["class_weights"])[y]
    assert result.weight == pytest.approx(np.sum(weights * class_weights), rel=1e-14)
    batches = (weights * class_weights).reshape(6, 8).sum(axis=1)
    assert result.loss == pytest.approx(np.sum(batches * losses), rel=1e-13)

    often, optimizer, loss, weight = build([{"type": "dense", "units": 3}], [4], BY_HAND), None, 0.0, 0.0
    optimizer = _core.Optimizer("adam")
    for rows in (slice(0, 8), slice(8, 40), slice(40, 48)):
        part = often.train(
            optimizer, x[rows], y[rows], weights=weights[rows], batch_size=8, loss_so_far=loss,
            weight_so_far=weight,
        )  # fmt: skip
        loss, weight = part.loss, part.weight
    assert (loss, weight) == (result.loss, result.weight)


@pytest.mark.parametrize("micro_batch", [1, 5, 8])
def test_parts_of_a_batch(micro_batch):
    """Parts count by their weight, also by that of their classes; one of no weight adds nothing."""
    x, y, weights = samples(40)
    weights[:10] = 0.0
    whole, parts = (build([{"type": "dense", "units": 3}], [4], BY_HAND) for _ in range(2))
    results = [
        network.train(_core.Optimizer("momentum"), x, y, weights=weights, batch_size=20, micro_batch=micro)
        for network, micro in ((whole, 0), (parts, micro_batch))
    ]
    np.testing.assert_allclose(parts.flat_parameters, whole.flat_parameters, rtol=1e-12, atol=1e-14)
    assert results[1].loss == pytest.approx(results[0].loss, rel=1e-12)
    assert results[1].weight == pytest.approx(results[0].weight, rel=1e-14)


def test_sums_of_an_evaluation():
    network = build([{"type": "dense", "units": 3}], [4], BY_HAND)
    x, y, weights = samples(700)
    parts = [network.measure(x[rows], y[rows], weights[rows]) for rows in (slice(0, 100), slice(100, 700))]
    whole = network.metrics(parts[0] + parts[1])
    expected = network.evaluate(x, y, weights)
    assert whole.pop("loss") == pytest.approx(expected.pop("loss"), rel=1e-13)
    assert whole == expected
    assert parts[0].rows + parts[1].rows == 700


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: np.where(np.arange(8) == 3, -1.0, w), "weights: the weight of row 3 is -1.0.*at least 0"),
        (lambda w: np.where(np.arange(8) == 5, np.nan, w), "weights: the weight of row 5 is nan"),
        (lambda w: np.where(np.arange(8) == 0, np.inf, w), "weights: the weight of row 0 is inf"),
        (lambda w: w[:7], "weights: got 7 weights for 8 rows"),
        (lambda w: w[:, None], "weights: expected shape rows"),
        (lambda w: w.astype(np.float32), "weights: expected an array of float64"),
    ],
)
def test_weights_that_mean_nothing(change, words):
    x, y, _ = samples(8)
    weights = change(np.ones(8))
    network = build([{"type": "dense", "units": 3}], [4], "softmax_cross_entropy")
    for call in (
        lambda: network.evaluate(x, y, weights),
        lambda: network.train(_core.Optimizer("adam"), x, y, weights=weights, batch_size=4),
        lambda: (network.forward(x), network.loss(y, weights)),
    ):
        with pytest.raises(InputError, match=words) as raised:
            call()
        assert "\n" not in str(raised.value)
    assert network.step == 0


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ({"class_weights": [1.0, 2.0]}, "class_weights: layer .*: there are 2 weights for 3 classes"),
        ({"class_weights": [0.0, 0.0, 0.0]}, "class_weights: all weights are 0"),
        ({"class_weights": [1.0, -2.0, 1.0]}, "class_weights: must be at least 0, got -2.0"),
        ({"class_weights": [1.0, float("nan"), 1.0]}, "class_weights: must be at least 0"),
        (
            {"class_weights": "equal"},
            "class_weights: expected a list of numbers .* or 'balanced', got 'equal'",
        ),
        ({"class_weights": "balanced"}, "class_weights: .*training samples, which are not there"),
        ({"type": "binary_cross_entropy", "positive_weight": [1.0, 2.0]}, "2 numbers for 3 outputs"),
        ({"type": "binary_cross_entropy", "positive_weight": -1}, "positive_weight: must be at least 0"),
        ({"type": "binary_cross_entropy", "positive_weight": []}, "positive_weight: expected a list"),
        ({"type": "hinge", "class_weights": [1.0]}, "unknown setting of hinge"),
    ],
)
def test_settings_that_mean_nothing(loss, words):
    with pytest.raises(InputError, match=words) as raised:
        build([{"type": "dense", "units": 3}], [4], {"type": "softmax_cross_entropy", **loss})
    assert "\n" not in str(raised.value)


def test_numpy_arrays_as_settings():
    given = _core.resolve("loss", {"type": "softmax_cross_entropy", "class_weights": np.array([1, 2])})
    assert given["class_weights"] == [1.0, 2.0]
