"""Whole trainings on several ranks with cards: what one rank does, and what the processor does."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ravine import train_experiment
from ravine.experiment import Experiment

FOLDER = Path(__file__).parents[1] / "distributed" / "training"


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ranks_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


parity, threads = _module("test_parity"), _module("conftest")
folder = parity.folder  # a fixture: the data of all experiments


@pytest.fixture(autouse=True)
def _needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("trains on a device: give it with --device")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, Experiment], Any]:
    """Trains on so many ranks, which are threads."""

    def train(ranks: int, experiment: Experiment) -> Any:
        parent = tmp_path_factory.mktemp("runs")
        outcomes = threads.run_on(
            ranks, lambda world: train_experiment(experiment, parent=parent, world=world)
        )
        assert len({outcome.sha256 for outcome in outcomes}) == 1  # all ranks have the same weights
        return parity.found(outcomes[0].path)

    return train


CELLS = ["pictures", "micro batches", "an uneven last batch of two", "averaged weights", "values"]


@pytest.mark.parametrize("cell", CELLS)
def test_ranks_agree_with_one(cell: str, device: str, folder: Path, trained: Callable[..., Any]) -> None:
    text, overrides = parity.CELLS[cell]
    on_processor = parity.experiment_of(folder, text, *overrides, "training.epochs=2")
    on_cards = parity.experiment_of(
        folder, text, *overrides, "training.epochs=2", f"compute.device={device}",
        "parallel.bucket_megabytes=0.001",
    )  # fmt: skip
    alone = trained(1, on_cards)
    parity.assert_close(trained(1, on_processor), alone, 1e-10)
    parity.assert_close(alone, trained(3, on_cards), 1e-12)


@pytest.mark.parametrize("cell", ["pictures", "averaged weights"])
def test_deterministic(cell: str, device: str, folder: Path, trained: Callable[..., Any]) -> None:
    text, overrides = parity.CELLS[cell]
    experiment = parity.experiment_of(
        folder, text, *overrides, "training.epochs=2", f"compute.device={device}", "compute.dtype=float32",
        "parallel.deterministic=true", "parallel.deterministic_parts=8",
    )  # fmt: skip
    parity.assert_same_bits(trained(1, experiment), trained(3, experiment))
