"""Memory of a device: what does not fit is refused before, with what would; and copies that nobody asked for.

RAVINE_TWIN_MEMORY stands for the memory of a card, where the twin is the device.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.network import build

from ravine import DeviceError, _core
from ravine.cli import main

MEGABYTE = 1e6
LIBRARY = os.environ.get("RAVINE_CUDA_LIBRARY", "")
UNITS, WORKSPACE = 512, 32 * 2**20

pytestmark = pytest.mark.usefixtures("needs_device")


@pytest.fixture
def needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("of a device: give it with --device")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives the twin so much memory, in megabytes, beside what lies in it and its workspace."""
    if "twin" not in LIBRARY:
        pytest.skip("only the twin has as much memory as a test wants")

    def give(megabytes: float) -> None:
        monkeypatch.delenv("RAVINE_TWIN_MEMORY", raising=False)
        gc.collect()  # what tests before have left would be free later
        free, total = build([{"type": "dense", "units": 1}], [1], batch_size=1).device_memory
        kept = total - free  # by this network too, which is gone in a moment
        monkeypatch.setenv("RAVINE_TWIN_MEMORY", str(round(kept + megabytes * MEGABYTE)))

    return give


def network(device: str, batch: int, **settings: Any) -> Any:
    layers = [{"type": "dense", "units": UNITS, "activation": "tanh"}, {"type": "dense", "units": 10}]
    given = {"dtype": "float32", "device": device, "batch_size": batch, **settings}
    return build(layers, [UNITS], "softmax_cross_entropy", **given)


def data(rows: int) -> tuple[Any, Any]:
    return np.zeros((rows, UNITS), np.float32), np.zeros(rows, np.int32)


def largest(message: str) -> int:
    found = re.search(r"the largest batch that fits is (\d+)$", message)
    assert found, message
    return int(found[1])


def test_a_batch_that_no_card_has_room_for(device):
    made = network(device, 16)
    with pytest.raises(DeviceError) as refused:
        made.describe("training", 10**9)
    assert re.fullmatch(
        r"batch_size: training in batches of 1000000000 needs [\d.]+ [TP]B on cuda:\d+, where [\d.]+ \w+ of "
        r"[\d.]+ \w+ are free; the largest batch that fits is \d+",
        str(refused.value),
    )
    assert made.train(_core.Optimizer("adam"), *data(16), batch_size=16).steps == 1  # nothing is broken


def test_the_largest_batch_fits_and_no_larger(device, card):
    card(24)
    with pytest.raises(DeviceError) as refused:
        network(device, 4096).describe("training")
    most = largest(str(refused.value))
    assert 100 < most < 4096
    with pytest.raises(DeviceError):
        network(device, most + most // 50).describe("training")
    made = network(device, most)
    made.describe("training")
    assert made.device_memory[0] < 0.03 * 24 * MEGABYTE


def test_the_state_of_a_rule_counts(device, card):
    """Adam's two moments are as large as the weights; the message says with which batch they fit too."""
    card(24)
    with pytest.raises(DeviceError) as refused:
        network(device, 4096).describe("training")
    most = largest(str(refused.value))
    made = network(device, most)
    made.describe("training")
    with pytest.raises(DeviceError, match="training with adam needs") as refused:
        _core.Optimizer("adam").attach(made)
    fewer = largest(str(refused.value))
    assert fewer < most
    del made
    made = network(device, fewer)
    result = made.train(_core.Optimizer("adam"), *data(fewer), batch_size=fewer)
    assert (result.steps, result.trouble) == (1, "")


def test_smaller_passes_where_an_evaluation_does_not_fit(device, card):
    """256 rows at once, or fewer where the device lacks memory, but no fewer than the batch."""
    wide = [{"type": "dense", "units": 4, "activation": "tanh"}] * 2
    shape, rows = [20_000], 256

    def metrics() -> Any:
        made = build(wide, shape, batch_size=8, dtype="float32", device=device)
        random = np.random.default_rng(1)
        x = random.normal(size=(rows, *shape)).astype(np.float32)
        y = random.normal(size=(rows, 4)).astype(np.float32)
        found = made.evaluate(x, y), {plan[1] for plan in made.plans}
        return found

    card(1e6)
    expected, batches = metrics()
    assert batches == {256}
    card(10)
    found, batches = metrics()
    assert max(batches) <= 128
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-6)


def test_weights_that_do_not_fit(device, card):
    card(1.5)
    with pytest.raises(DeviceError, match=r"the weights and their gradients need 2\.1 MB on cuda:0, where"):
        network(device, 1)


EXPERIMENT = """
name = "large"
[data]
source = "npz"
file = "data.npz"
[model]
layers = [{ type = "dense", units = 512, activation = "relu" }, { type = "dense", units = 2 }]
[optimizer]
type = "adam"
[training]
epochs = 1
batch_size = 900
[compute]
threads = 1
"""


def test_the_command_line(device, card, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("data.npz", inputs=np.zeros((1000, 512), np.float32), targets=np.arange(1000) % 2)
    Path("large.toml").write_text(EXPERIMENT, encoding="utf-8")
    card(6)
    assert main(["train", "large.toml", "--device", device, "--quiet"]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "training.batch_size" in error
    assert "needs" in error
    assert "the largest batch that fits is" in error
    card(100)
    assert main(["describe", "large.toml", "--set", f'compute.device="{device}"']) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("device"))
    assert re.fullmatch(r"device +[\d.]+ \w+ needed on cuda:0, [\d.]+ \w+ of [\d.]+ \w+ free beside it", line)


def crossed() -> int:
    """Bytes that went to the twin and back so far."""
    function = ctypes.CDLL(LIBRARY).ravine_cuda_twin_crossed
    function.restype = ctypes.c_size_t
    return int(function())


def test_a_look_from_another_thread_changes_nothing(device):
    """What it saw in the middle of a call, and let go of, does not come back."""
    x, y = data(64)
    x[:] = np.random.default_rng(1).normal(size=x.shape)

    def trained(*, watched: bool) -> bytes:
        made, done = network(device, 4), threading.Event()

        def look() -> None:
            while not done.is_set():
                assert np.isfinite(made.flat_parameters[:100]).all()

        thread = threading.Thread(target=look)
        if watched:
            thread.start()
        optimizer = _core.Optimizer("adam")
        for _ in range(3):
            made.train(optimizer, x, y, batch_size=4)
        if watched:
            done.set()
            thread.join()
        return bytes(made.flat_parameters.tobytes())

    assert trained(watched=True) == trained(watched=False)


def test_what_nobody_holds_is_not_copied(device):
    if "twin" not in LIBRARY:
        pytest.skip("only the twin counts what is copied")
    made = network(device, 4)
    optimizer = _core.Optimizer("adam")
    x, y = data(4)
    weights = made.flat_parameters.nbytes

    def train() -> int:
        before = crossed()
        assert made.train(optimizer, x, y, batch_size=4).steps == 1
        return crossed() - before

    train()
    assert train() < weights / 20  # the batch, and what was measured
    held = made.flat_parameters
    assert 2 * weights <= train() < 2.2 * weights  # there and back, by the call
    held[0] = 1.0
    del held
    assert weights <= train() < 1.2 * weights  # there for the last time, as it may have been written to
    assert train() < weights / 20
    assert made.flat_parameters[0] == pytest.approx(1.0, abs=0.1)
