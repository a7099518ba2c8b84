"""Workers give the same bits under load, on few processors and beside others; idle, they use no processor."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from ravine import Sequential, Trainer, _core
from ravine.layers import Dense, Dropout


def digest(threads: int | str, *, steps: int = 400, calls: int = 1) -> str:
    """Trains a network that is worth sharing; what its weights are then."""
    random = np.random.default_rng(1)
    inputs = random.standard_normal((64 * steps // 4, 64)).astype(np.float32)
    labels = random.integers(0, 10, len(inputs)).astype(np.int32)
    trainer = Trainer(
        Sequential(Dense(96, activation="tanh"), Dropout(0.2), Dense(96, activation="relu"), Dense(10)),
        loss="softmax_cross_entropy",
        optimizer="momentum",
        batch_size=64,
        threads=threads,
        seed=4,
    )
    for _ in range(calls):
        trainer.fit(inputs, labels, epochs=4 // calls)
    available = _core.available_processors()
    assert trainer.network.threads in (range(1, available + 1) if threads == "auto" else [threads])
    return hashlib.sha256(trainer.network.flat_parameters.tobytes()).hexdigest()


def in_a_process(code: str, **environment: str) -> str:
    """What Python prints; `digest` is there."""
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def alone() -> str:
    """The bits that one worker gives."""
    return digest(1)


@pytest.mark.parametrize("threads", [2, 8])
def test_the_bits_are_those_of_one_worker(threads: int, alone: str) -> None:
    assert digest(threads) == alone


@pytest.mark.parametrize("calls", [1, 4])
def test_numbers_that_are_measured_change_no_bit(calls: int) -> None:
    """Over chunks of a call and over calls the measuring goes on where it was."""
    assert digest("auto", steps=2000, calls=calls) == digest(1, steps=2000, calls=calls)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_eight_workers_on_one_processor(alone: str) -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    assert in_a_process(f"{code}from test_workers import digest; print(digest(8))") == alone


def test_other_load_slows_and_changes_nothing(alone: str) -> None:
    burners = [
        subprocess.Popen([sys.executable, "-c", "import os\nos.nice(5)\nwhile True: pass"]) for _ in range(2)
    ]
    try:
        assert digest(2) == alone
        assert digest("auto") == alone
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def test_trainers_of_one_process_at_once(alone: str) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(digest(2))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 3


def test_an_idle_network_uses_no_processor() -> None:
    code = (
        "import time\nimport numpy as np\n"
        "from ravine import Sequential, Trainer\nfrom ravine.layers import Dense\n"
        "trainer = Trainer(Sequential(Dense(2)), loss='squared_error', optimizer='adam', threads=4)\n"
        "trainer.fit(np.ones((64, 3)), np.ones((64, 2)), epochs=2)\n"
        "before = time.process_time()\ntime.sleep(1)\nprint(time.process_time() - before)"
    )
    assert float(in_a_process(code)) < 0.2


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"OMP_NUM_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "1,2"}, 1),
        ({"OMP_NUM_THREADS": "9999"}, None),
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "9999"}, 1),
        ({"MPI_LOCALNRANKS": "9999"}, 1),
        ({"OMP_NUM_THREADS": "many"}, None),
    ],
)
def test_processors_are_shared(environment: dict[str, str], expected: int | None) -> None:
    print_it = "from ravine import _core; print(_core.available_processors())"
    found = int(in_a_process(print_it, **environment))
    assert found == (expected or int(in_a_process(print_it)))
