"""Training on several GPUs as users start it: which card a rank takes, what carries gradients, what fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import InputError, load_experiment, train_experiment
from ravine.distributed import cards
from ravine.distributed.communicator import Communicator, Serial
from ravine.distributed.settings import ParallelSettings
from ravine.training import checkpoint as checkpoints

SETTINGS = (
    "compute.dtype=float64", "compute.threads=1", "training.epochs=2", "training.checkpoint_seconds=1000",
)  # fmt: skip
# The libraries of this process, and two cards of the twin.
TWO_CARDS = {
    name: os.environ[name] for name in ("RAVINE_CUDA_LIBRARY", "RAVINE_NCCL_LIBRARY") if name in os.environ
} | {"RAVINE_TWIN_CARDS": "9.0,9.0"}
AS_IF = """
import sys
from ravine import cli
from ravine.distributed import mpi
mpi.knows_cuda = lambda: True  # the twin's memory is the host's
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def _needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("trains on a device: give it with --device")


def is_twin() -> bool:
    return "twin" in os.environ.get("RAVINE_CUDA_LIBRARY", "")


def words(*overrides: str) -> list[str]:
    return [word for setting in (*SETTINGS, *overrides) for word in ("--set", setting)]


def errors_of(done: Any) -> list[str]:
    return [line for line in done.err.splitlines() if line.startswith("ravine: error: ")]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What one rank on the processor comes to."""
    parent = tmp_path_factory.mktemp("alone")
    outcome = train_experiment(load_experiment("digits", SETTINGS), parent=parent)
    return checkpoints.load_latest(outcome.path).checkpoint.tensors


@pytest.mark.parametrize("backend", ["host", "cuda_mpi", "nccl"])
def test_ranks_that_are_processes(
    backend: str, device: str, mpirun: Any, tmp_path: Path, alone: dict[str, np.ndarray]
) -> None:
    if not is_twin() and len(cards.usable()) < 2:
        pytest.skip("needs two cards")
    given = words(f"parallel.backend={backend}", "parallel.bucket_megabytes=0.01")
    as_if = ("-c", AS_IF) if backend == "cuda_mpi" and is_twin() else ("-m", "ravine")
    train = ("train", "digits", "--name", "run", "--device", device)
    done = mpirun(2, *as_if, *train, *given, timeout=240, **TWO_CARDS)
    assert done.code == 0, done
    log = (tmp_path / "runs" / "run" / "log.txt").read_text()
    assert ": cuda:0, rank 1 on " in log
    assert f": cuda:1; gradients travel through {cards.CARRIERS[backend]}" in log
    found = checkpoints.load_latest(tmp_path / "runs" / "run").checkpoint.tensors
    for name, values in alone.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-10 * (abs(values).max() or 1))


def test_a_failure_of_nccl_ends_all_ranks(device: str, mpirun: Any) -> None:
    if not is_twin():
        pytest.skip("cards do not fail when they are asked to")
    given = words("parallel.backend=nccl", "training.epochs=1000")
    train = ("-m", "ravine", "train", "digits", "--device", device)
    done = mpirun(2, *train, *given, RAVINE_FAKE_NCCL_FAILS="1:30", **TWO_CARDS)
    assert done.code == 70, done
    assert len(errors_of(done)) == 1, done
    assert "rank 1 on " in errors_of(done)[0]
    assert "cuda:1: NCCL failed: unhandled system error (the cable was pulled)" in errors_of(done)[0]


def test_a_sum_of_nccl_that_does_not_end(device: str, mpirun: Any) -> None:
    """What waits in NCCL, and not in MPI, is noticed all the same."""
    if not is_twin():
        pytest.skip("cards do not hang when they are asked to")
    given = words("parallel.backend=nccl", "training.epochs=1000", "parallel.timeout_seconds=3")
    train = ("-m", "ravine", "train", "digits", "--device", device)
    done = mpirun(2, *train, *given, RAVINE_FAKE_NCCL_HANGS="1:30", **TWO_CARDS)
    assert done.code == 75, done
    assert len(errors_of(done)) == 1, done
    assert "all ranks have waited in the same exchange for 3 s, after step " in errors_of(done)[0]


class Hosts(Serial):
    """Rank 2 of three, of which two are on its machine."""

    def __init__(self, others: dict[str, Any]) -> None:
        super().__init__()
        self.rank, self.size, self.host, self.hosts = 2, 3, "b", ["a", "b", "b"]
        self.others = others

    def gather(self, value: Any) -> list[Any]:
        return [self.others, self.others, value]


def found_on(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    count: int,
    lacks_nccl: str = "",
    address: str = "",
    **settings: Any,
) -> cards.Placement:
    shown = f"a card, PCI {address}" if address else "a card"
    monkeypatch.setattr(cards, "usable", lambda: {f"cuda:{card}": shown for card in range(count)})
    monkeypatch.setattr(cards, "lacks_nccl", lambda: lacks_nccl)
    world: Communicator = Hosts(
        {"device": "cuda:0", "card": address or "cuda:0", "kind": "a card", "nccl": "", "mpi": False}
    )
    return cards.placed(world, device, ParallelSettings(**settings))


def test_which_card_a_rank_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    placement = found_on(monkeypatch, "cuda", 2)
    assert (placement.device, placement.backend, placement.warning) == ("cuda:1", "nccl", "")
    shared = found_on(monkeypatch, "cuda", 1)
    assert (shared.device, shared.backend) == ("cuda:0", "host")
    assert "rank 1 on b and rank 2 on b compute on one card, by turns" in shared.warning
    assert found_on(monkeypatch, "cuda:3", 8).device == "cuda:3"
    # A launcher may show each rank one card alone: the others have that of another address.
    monkeypatch.setattr(
        Hosts, "gather", lambda hosts, mine: [hosts.others, hosts.others, mine | {"card": "3b"}]
    )
    shown = found_on(monkeypatch, "cuda", 1, address="5e")
    assert (shown.device, shown.backend, shown.warning) == ("cuda:0", "nccl", "")
    assert found_on(monkeypatch, "cuda", 0).device == "cuda:0"


def test_what_is_to_carry_gradients_and_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found_on(monkeypatch, "cuda", 2, "it is missing").backend == "host"
    with pytest.raises(InputError, match=r"^parallel\.backend: is nccl, but for rank 2 on b it is missing"):
        found_on(monkeypatch, "cuda", 2, "it is missing", backend="nccl")
    with pytest.raises(InputError, match="NCCL takes one rank a card, and rank 1 on b and rank 2 on b share"):
        found_on(monkeypatch, "cuda", 1, backend="nccl")
    with pytest.raises(InputError, match="the MPI of rank 0 on a, rank 1 on b and rank 2 on b does not say"):
        found_on(monkeypatch, "cuda", 2, backend="cuda_mpi")
