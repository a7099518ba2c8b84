"""What becomes of a job where a rank fails: all end in time, one line names the rank, the run can go on."""

from __future__ import annotations

import json
import random
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints

FAULTS = Path(__file__).with_name("faults.py")
RAVINE = ("-m", "ravine")
LAUNCH = (sys.executable, *RAVINE, "launch", "-n", "2")
HOST = socket.gethostname().partition(".")[0]
NAMES = [f"rank {rank} on {HOST}" for rank in range(2)]
SECONDS = 10  # within which all ranks must have ended
TIMEOUT = 3  # seconds that ranks wait for one that does not come
# With a checkpoint after each epoch, of 48 steps.
TRAIN = (
    "train", "digits", "--json", "--quiet", "--threads", "1", "--set", "training.checkpoint_seconds=0",
    "--set", f"parallel.timeout_seconds={TIMEOUT}", "--set", "training.epochs=5",
)  # fmt: skip


@pytest.fixture
def faulty(mpirun, tmp_path):
    """Starts a job of which one rank has a fault: faulty(*command, **fault) -> Job."""
    folder = tmp_path / "faults"
    folder.mkdir()
    shutil.copy(FAULTS, folder / "sitecustomize.py")

    def start(*command, **fault):
        extra = {"PYTHONPATH": str(folder), "FAULT": json.dumps({"rank": 1, **fault})}
        if command[0] == sys.executable:
            return mpirun.run(*command, **extra)
        return mpirun.start(2, *command, **extra)

    return start


def errors(result) -> list[str]:
    """What Ravine calls an error on standard error."""
    found = [line for line in result.err.splitlines() if line.startswith("ravine: error: ")]
    print(f"{result.seconds:.1f} s in all", *found, sep="\n")
    return [line.removeprefix("ravine: error: ") for line in found]


def ended(job, tmp_path, seconds):
    """Waits for the fault, and then no longer than it may take until all have ended."""
    job.until((tmp_path / "fault-time").exists)
    began = time.monotonic()
    result = job.wait(seconds)
    print(f"all gone after {time.monotonic() - began:.2f} s")
    return result


FAULT = "RuntimeError: the flux capacitor is empty; this is a fault of Ravine"
SILENT = f"has given no sign of life for {TIMEOUT} s, after step "
LATE = f"has kept others waiting for {TIMEOUT} s, after step "


FAILS = [  # how, rank, seconds, exit code, what follows the name of the rank
    ("throw", 1, SECONDS, 70, f": {FAULT}"),
    ("throw", 0, SECONDS, 70, f": {FAULT}"),
    ("refuse", 1, SECONDS, 2, ": b.png: no such picture"),
    ("exit", 1, SECONDS, 70, ": SystemExit: 0; this is a fault of Ravine"),
    ("stop", 1, TIMEOUT + SECONDS, 75, f" {SILENT}"),
    ("stop", 0, TIMEOUT + SECONDS, 75, f" {SILENT}"),
    ("hang", 1, TIMEOUT + SECONDS, 75, f" {LATE}"),
    ("hang", 0, TIMEOUT + SECONDS, 75, f" {LATE}"),
    ("hang with the lock", 1, TIMEOUT + SECONDS, 75, f" {SILENT}"),
]
DIES = [  # how, exit code, what follows the name of the rank
    ("kill", 137, "was killed by signal 9 (Killed)"),
    ("segfault", 139, "was killed by signal 11 (Segmentation fault)"),
    ("leave", 1, "left the job without a word"),
]


def check_failure(faulty, tmp_path, case, step) -> None:
    how, rank, seconds, code, message = case
    done = ended(faulty(*RAVINE, *TRAIN, rank=rank, step=step, how=how), tmp_path, seconds)
    found = errors(done)
    assert done.code == code
    assert len(found) == 1
    assert found[0].startswith(NAMES[rank] + message)
    if how == "hang":
        assert "it is in happen (sitecustomize.py:" in found[0]
    run = RunFolder.open(tmp_path / "runs" / "digits")
    assert checkpoints.load_latest(run.path).checkpoint.step >= step - 60  # one interval lost at most
    with run.reader() as reader:
        state = reader.state()
    assert state.state == "crashed"
    if rank:  # rank 0 lives, and records why
        assert "; continue with" not in state.reason
        assert state.reason.partition(";")[0] in found[0]


def check_death(faulty, tmp_path, case, step) -> None:
    how, code, message = case
    done = ended(faulty(*LAUNCH, *TRAIN, step=step, how=how), tmp_path, SECONDS)
    assert done.code == code
    assert errors(done) == [f"{NAMES[1]} {message}"]
    assert done.err.splitlines()[-1] == "ravine launch: go on with: ravine launch -n 2 resume runs/digits"


@pytest.mark.parametrize("case", FAILS, ids=lambda case: f"{case[0]} of rank {case[1]}")
def test_a_rank_fails(faulty, tmp_path, case):
    check_failure(faulty, tmp_path, case, step=100)


@pytest.mark.parametrize("case", DIES, ids=lambda case: case[0])
def test_a_rank_dies(faulty, tmp_path, case):
    """mpirun itself sees it; who started with `ravine launch` gets it in one line."""
    check_death(faulty, tmp_path, case, step=100)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_mpirun_is_ended(faulty, tmp_path, number):
    job = faulty(*RAVINE, *TRAIN, "--set", "training.epochs=1000000")
    job.until(lambda: len(list(tmp_path.glob("runs/digits/checkpoints/step*"))) > 1)
    job.process.send_signal(number)
    assert job.wait(SECONDS).code != 0
    assert checkpoints.load_latest(tmp_path / "runs" / "digits").checkpoint.step > 0


def test_a_signal_to_launch_stops_the_training(mpirun, tmp_path):
    job = mpirun.run(*LAUNCH, *TRAIN, "--set", "training.epochs=1000000")
    job.until(lambda: len(list(tmp_path.glob("runs/digits/checkpoints/step*"))) > 1)
    job.process.send_signal(signal.SIGINT)
    done = job.wait(SECONDS)
    assert done.code == 130
    outcome = json.loads(done.out.splitlines()[-1])
    assert outcome["state"] == "stopped"
    assert checkpoints.load_latest(tmp_path / "runs" / "digits").checkpoint.step == outcome["step"]


def test_restarts_come_to_the_same_bits(faulty, mpirun):
    check_restart(faulty, mpirun, step=100)


def check_restart(faulty, mpirun, step) -> None:
    whole = mpirun.run(*LAUNCH, *TRAIN, "--name", "whole").wait(60)
    broken = faulty(*LAUNCH, "--restarts", "2", *TRAIN, step=step, how="kill", once=True)
    done = broken.wait(60)
    assert (whole.code, done.code) == (0, 0)
    said = [line for line in done.err.splitlines() if line.startswith("ravine launch: ")]
    assert len(said) == 2
    resumed = int(said[1].removeprefix("ravine launch: goes on after step "))
    assert resumed >= step - 60  # one interval lost at most
    assert said[0] == (
        f"ravine launch: rank 1 on {HOST} was killed by signal 9 (Killed); restart 1 of 2, from its last "
        f"checkpoint, step-{resumed:08}.safetensors (runs/digits)"
    )
    outcomes = [json.loads(result.out.splitlines()[-1]) for result in (whole, done)]
    for name in ("step", "metrics", "sha256"):
        assert outcomes[0][name] == outcomes[1][name]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            {"words": ["--set", "optimizer.learning_rate=0.5"]},
            f"optimizer.learning_rate: the ranks disagree: 0.1 for {NAMES[0]}, but 0.5 for {NAMES[1]}",
        ),
        (
            {"words": ["--set", 'compute.dtype="float64"']},
            f"compute.dtype: the ranks disagree: 'float32' for {NAMES[0]}, but 'float64' for {NAMES[1]}",
        ),
        (
            {"version": "9.9"},
            f"Ravine.version: the ranks disagree: '0.1.0' for {NAMES[0]}, but '9.9' for {NAMES[1]}",
        ),
    ],
)
def test_ranks_that_disagree(faulty, tmp_path, fault, message):
    done = faulty(*RAVINE, *TRAIN, **fault).wait(30)
    found = errors(done)
    assert done.code == 2
    assert len(found) == 1
    assert message in found[0]
    assert not (tmp_path / "runs").exists()


TABLE = """
loss = "squared_error"
data = { source = "table", file = "table.csv", task = "regression", table = { target = "y" } }
model = { layers = [{ type = "dense", units = 1 }] }
optimizer = { type = "gradient_descent", learning_rate = 0.01 }
"""


def write_table(folder: Path, last: float) -> None:
    folder.mkdir(exist_ok=True)
    rows = [f"{number % 7},{number % 3},{number % 5}" for number in range(99)]
    (folder / "table.csv").write_text("\n".join(["a,b,y", *rows, f"1,2,{last}"]) + "\n")
    (folder / "table.toml").write_text(TABLE)


def test_ranks_that_have_other_data(faulty, tmp_path):
    write_table(tmp_path, 0.5)
    write_table(tmp_path / "other", 0.25)
    done = faulty(*RAVINE, "train", "table.toml", folder="other").wait(30)
    found = errors(done)
    assert done.code == 2
    assert len(found) == 1
    assert "data.hash: the ranks disagree: " in found[0]
    assert all(name in found[0] for name in NAMES)


def test_a_rank_that_has_no_data(faulty, tmp_path):
    write_table(tmp_path, 0.5)
    write_table(tmp_path / "other", 0.5)
    (tmp_path / "other" / "table.csv").unlink()
    done = faulty(*RAVINE, "train", "table.toml", folder="other").wait(30)
    assert done.code == 2
    found = errors(done)
    assert len(found) == 1
    assert found[0].startswith(f"{NAMES[1]}: ")
    assert "other/table.csv: data.file: does not exist" in found[0]


SCRIPT = """
import sys
from ravine import distributed
world = distributed.start()
for number in range(1000000):
    world.barrier()
    if number == 10 and world.rank == 1:
        HOW
"""


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("raise ValueError('no such thing')", 1, f"{NAMES[1]}: ValueError: no such thing"),
        ("sys.exit(3)", 75, f"{NAMES[1]} ended after step 0, before the others"),
    ],
)
def test_programs_of_ones_own(mpirun, how, code, message):
    done = mpirun(2, "-c", SCRIPT.replace("HOW", how), timeout=SECONDS + 10)
    assert done.code == code
    assert errors(done) == [message]
    assert done.err.count("Traceback") == ("raise" in how)


@pytest.mark.soak
@pytest.mark.parametrize("case", [*FAILS, *DIES], ids=lambda case: f"{case[0]}-{case[1]}")
@pytest.mark.parametrize("number", range(50))
def test_failures_at_any_step(faulty, tmp_path, number, case):
    step = random.Random(number).randrange(230)
    (check_failure if len(case) == 5 else check_death)(faulty, tmp_path, case, step)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(50))
def test_restarts_at_any_step(faulty, mpirun, number):
    check_restart(faulty, mpirun, step=random.Random(number).randrange(1, 230))
