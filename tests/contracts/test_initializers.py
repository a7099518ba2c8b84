"""Initial values: each equal to the reference's draw, and distributed as the formula says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from reference import philox
from reference.catalog import names, reference, resolved
from reference.network import build
from scipy import stats

from ravine import _core
from ravine.errors import InputError

INITIALIZERS = [
    (name, settings) for name in names("initializer") for settings in reference("initializer", name).CASES
]


def initialized(name, settings, inputs, units, seed, dtype="float64"):
    layer = {"type": "dense", "units": units, "weight_initializer": {"type": name, **settings}}
    return build([layer], [inputs], seed=seed, dtype=dtype)


def distribution(name, settings, fan_in, fan_out):
    return reference("initializer", name).distribution(
        resolved("initializer", name, settings), fan_in, fan_out
    )


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # the known answers that come with Random123
        ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_known_answers(counter, key, expected):
    assert list(_core.philox(counter, key)) == expected
    assert philox.philox(np.array(counter, dtype=np.uint64), tuple(key)).tolist() == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "settings"), INITIALIZERS)
def test_draws(name, settings, dtype):
    """Element by element; the second parameter has a stream of its own."""
    seed, inputs, units = 2**63 + 12345, 37, 23
    initializer = {"type": name, **settings}
    layer = {
        "type": "dense",
        "units": units,
        "weight_initializer": initializer,
        "bias_initializer": initializer,
    }
    network = build([layer], [inputs], seed=seed, dtype=dtype)
    tolerance = {"float32": 2e-7, "float64": 1e-14}[dtype]
    for position, values in enumerate(network.parameters.values()):
        expected = philox.draw(distribution(name, settings, inputs, units), seed, position, values.size)
        module = reference("initializer", name)
        if hasattr(module, "arrange"):
            full = resolved("initializer", name, settings)
            expected = module.arrange(expected.reshape(values.shape), full).ravel()
            tolerance = max(tolerance, 1e-12)
        np.testing.assert_allclose(values.ravel(), expected, rtol=tolerance, atol=tolerance)
    before = network.flat_parameters.copy()
    network.initialize(seed)
    np.testing.assert_array_equal(network.flat_parameters, before)


@pytest.mark.parametrize(
    ("name", "settings"),
    [case for case in INITIALIZERS if not hasattr(reference("initializer", case[0]), "arrange")],
)
def test_distribution(name, settings):
    """Bounds, moments and the Kolmogorov-Smirnov distance of a million draws."""
    inputs, units = 800, 1250
    kind, *numbers = distribution(name, settings, inputs, units)
    values = np.sort(initialized(name, settings, inputs, units, seed=4).parameters["dense_1.weight"].ravel())
    count = values.size
    assert count == 10**6
    if kind == "constant":
        assert values[0] == values[-1] == numbers[0]
        return
    if kind == "truncated_normal":
        mean, deviation, low, high = numbers
        assert low <= values[0] < values[-1] <= high
        truth = stats.truncnorm((low - mean) / deviation, (high - mean) / deviation, mean, deviation)
        assert stats.kstest(values, truth.cdf).pvalue > 1e-3
        assert abs(values.mean() - truth.mean()) < 4.5 * truth.std() / math.sqrt(count)
        assert values.std() == pytest.approx(truth.std(), rel=0.01)
        return
    mean, deviation = numbers
    kurtosis = 3.0
    if kind == "uniform":
        low, high = numbers
        assert low < values[0] < low + (high - low) * 2e-5
        assert high - (high - low) * 2e-5 < values[-1] < high
        mean, deviation, kurtosis = (low + high) / 2, (high - low) / math.sqrt(12.0), 1.8
    errors = 4.5 / math.sqrt(count)
    standard = (values - mean) / deviation
    assert abs(standard.mean()) < errors
    assert abs((standard**2).mean() - 1.0) < errors * math.sqrt(kurtosis - 1.0)
    assert abs((standard**3).mean()) < errors * math.sqrt(15.0)
    assert abs((standard**4).mean() - kurtosis) < errors * math.sqrt(105.0)
    points = np.linspace(standard[0], standard[-1], 3001)
    if kind == "uniform":
        truth = np.clip(0.5 + points / math.sqrt(12.0), 0.0, 1.0)
    else:
        truth = np.array([0.5 * math.erfc(-point / math.sqrt(2.0)) for point in points])
    distance = np.max(np.abs(np.searchsorted(standard, points) / count - truth))
    assert distance < 1.95 / math.sqrt(count)  # exceeded by one sample in a thousand


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("inputs", "units"), [(64, 64), (200, 31), (31, 200), (1, 7), (7, 1), (513, 130)])
def test_orthogonal(inputs, units, dtype):
    """Orthonormal rows or columns, whichever are fewer, times the gain; no direction is preferred."""
    weight = initialized("orthogonal", {"gain": 1.5}, inputs, units, seed=6, dtype=dtype).parameters[
        "dense_1.weight"
    ]
    matrix = weight.astype(np.float64)
    product = matrix @ matrix.T if units <= inputs else matrix.T @ matrix
    limit = {"float32": 1e-6, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(product, 1.5**2 * np.eye(len(product)), rtol=0, atol=limit)
    if matrix.size > 1000:
        assert abs(matrix.mean()) < 4.5 * matrix.std() / math.sqrt(matrix.size)
        assert abs(np.mean(matrix > 0) - 0.5) < 4.5 * 0.5 / math.sqrt(matrix.size)


SLOPE = 0.01  # of leaky_relu, where none is given
GAINS = {
    "identity": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "leaky_relu": math.sqrt(2 / (1 + SLOPE**2)),
    "selu": 3 / 4,
}


def test_gains_of_activations():
    """Every initializer with a gain takes the activations that have one, by name, and refuses the others."""
    entries = [entry for entry in _core.catalog("initializer") if "gain" in str(entry.parameters)]
    assert {entry.name for entry in entries} == {"xavier_uniform", "xavier_normal", "orthogonal"}
    for entry in entries:
        for activation in names("activation"):
            if activation in GAINS:
                gain = resolved("initializer", entry.name, {"gain": activation})["gain"]
                assert gain == pytest.approx(GAINS[activation], rel=1e-15)
            else:
                refusal = f"^gain: .*{', '.join(GAINS)}, got '{activation}'.* number$"
                with pytest.raises(InputError, match=refusal):
                    resolved("initializer", entry.name, {"gain": activation})
    table = {"type": "leaky_relu", "slope": 2.0}
    assert resolved("initializer", "orthogonal", {"gain": table})["gain"] == pytest.approx(0.4**0.5)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"low": 0.5, "high": 0.5}, "low: .*must be below high"),
        ({"low": 0.5, "high": -0.5}, "low: .*must be below high"),
        ({"low": 40.0, "high": 50.0, "deviation": 1.0}, "mean: .*low and high lie more than 37 deviations"),
        ({"low": -50.0, "high": -40.0, "deviation": 1.0}, "mean: .*low and high lie more than 37 deviations"),
    ],
)
def test_empty_intervals_are_refused(settings, fault):
    with pytest.raises(InputError, match=fault):
        initialized("truncated_normal", settings, 3, 2, seed=1)


def test_seeds_and_streams_are_independent():
    """Neither another seed (in either half) nor another layer gives the same or related numbers."""
    layers = [{"type": "dense", "units": 100, "weight_initializer": "normal"} for _ in range(2)]
    draws = [build(layers, [100], seed=seed) for seed in (1, 2, 1 + 2**32)]
    samples = [
        weights.ravel() for network in draws for key, weights in network.parameters.items() if "weight" in key
    ]
    correlations = np.corrcoef(samples) - np.eye(len(samples))
    assert np.max(np.abs(correlations)) < 4.5 / math.sqrt(10_000)


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_permutation(count):
    for seed, epoch in [(0, 0), (2**40, 1), (2**40, 2)]:
        np.testing.assert_array_equal(
            _core.permutation(seed, epoch, count), philox.permutation(seed, epoch, count)
        )
