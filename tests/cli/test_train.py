"""`ravine train` and `ravine resume`."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

QUICK = ("--set", "training.epochs=2")
# Long enough to be interrupted, by a factor of ten at least.
LONG = ("--set", "training.epochs=40", "--set", "model.layers.0.units=1500")


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ravine", *words]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_trains_and_says_what_came_out_and_what_is_next(ravine, tmp_path: Path) -> None:
    done = ravine("train", "digits")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert len([line for line in lines if line.startswith("epoch ")]) == 15
    found = re.search(
        r"^test accuracy (0\.\d+), .*loss (\d\.\d+) after 15 epochs in ", done.out, re.MULTILINE
    )
    assert found is not None
    assert float(found[1]) >= 0.96
    assert "run folder: runs/digits" in lines
    assert any("ravine predict runs/digits " in line for line in lines)
    assert (tmp_path / "runs/digits/run.db").is_file()


def test_one_epoch_is_said_in_the_singular(ravine) -> None:
    assert " after 1 epoch in " in ravine("train", "digits", "--set", "training.epochs=1").out


def test_json_is_the_last_line_of_standard_output(ravine) -> None:
    done = ravine("train", "digits", *QUICK, "--json")
    assert done.code == 0
    assert len(done.out.splitlines()) == 1
    assert "epoch 2/2" in done.err
    outcome = done.json
    assert set(outcome) == {
        "path", "state", "step", "epochs", "seconds", "metrics", "sha256", "best_step", "statistics_cost",
    }  # fmt: skip
    assert (outcome["path"], outcome["state"]) == ("runs/digits", "finished")
    assert (outcome["step"], outcome["epochs"]) == (2 * 48, 2)  # 1,527 samples in batches of 32
    assert 0.8 < outcome["metrics"]["test"]["accuracy"] <= 1
    assert re.fullmatch("[0-9a-f]{64}", outcome["sha256"])
    assert outcome["best_step"] is None  # nothing was stopped early
    cost = outcome["statistics_cost"]
    assert set(cost) == {"share", "seconds", "passes"}
    assert cost["share"] >= 0
    assert 1 <= cost["passes"] <= 64
    bare = ravine("train", "digits", *QUICK, "--set", "statistics.level=off", "--json").json
    assert bare["statistics_cost"] is None
    assert bare["sha256"] == outcome["sha256"]


def test_options_reach_the_experiment(ravine, tmp_path: Path) -> None:
    words = ["--seed", "7", "--threads", "2", "--device", "cpu", "--name", 'a "b"', "--runs", "elsewhere"]
    done = ravine("train", "digits", *QUICK, *words, "--quiet", "--json")
    assert (done.code, done.json["path"]) == (0, 'elsewhere/a "b"')
    assert "epoch" not in done.err.replace("epochs in", "")
    table = tomllib.loads((tmp_path / 'elsewhere/a "b"/experiment.toml').read_text())
    assert (table["seed"], table["compute"]["threads"], table["training"]["epochs"]) == (7, 2, 2)
    # As it is printed, the line can be typed.
    assert """ravine evaluate 'elsewhere/a "b"'""" in done.err


def test_seed_changes_the_bits_and_threads_do_not(ravine) -> None:
    def bits(*words: str) -> str:
        done = ravine("train", "digits", "--set", "training.epochs=1", "--quiet", "--json", *words)
        return str(done.json["sha256"])

    first = bits("--seed", "1", "--threads", "1")
    assert bits("--seed", "1", "--threads", "2") == first
    assert bits("--seed", "2") != first


def test_interrupted_run_is_resumed_to_the_same_bits(ravine, tmp_path: Path) -> None:
    unbroken = ravine("train", "digits", *LONG, "--name", "unbroken", "--quiet", "--json").json
    with start("train", "digits", *LONG, cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the first epoch is over
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    found = re.search(
        r"^stopped at step ([\d,]+); resume with: ravine resume runs/digits$", out, re.MULTILINE
    )
    assert found is not None
    step = int(found[1].replace(",", ""))
    assert 48 <= step < unbroken["step"]
    (summary,) = [run for run in ravine("runs", "--json").json["runs"] if run["name"] == "digits"]
    assert (summary["state"], summary["step"]) == ("stopped", step)

    resumed = ravine("resume", "runs/digits", "--json")
    assert resumed.code == 0
    outcome = resumed.json
    assert (outcome["state"], outcome["step"]) == ("finished", unbroken["step"])
    assert outcome["sha256"] == unbroken["sha256"]
    assert outcome["metrics"]["test"] == unbroken["metrics"]["test"]


def test_finished_run_can_be_trained_for_longer(ravine) -> None:
    assert ravine("train", "digits", *QUICK, "--quiet").code == 0
    done = ravine("resume", "digits", "--set", "training.epochs=3", "--json")
    assert (done.code, done.json["epochs"], done.json["step"]) == (0, 3, 3 * 48)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_terminal_gets_a_live_display(tmp_path: Path, stream: str) -> None:
    words = ["train", "digits", "--set", "training.epochs=40", *(["--json"] if stream == "stderr" else [])]
    master, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "ravine", *words],
            cwd=tmp_path,
            stdout=terminal if stream == "stdout" else subprocess.PIPE,
            stderr=terminal if stream == "stderr" else subprocess.PIPE,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
        )
    finally:
        os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(master, 1 << 16)
        except OSError:  # EIO: the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    process.communicate(timeout=30)
    assert process.returncode == 0
    text = shown.decode()
    assert "\x1b[?25l" in text  # the cursor is hidden
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # and shown again
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text)
    for expected in (
        "step ",
        "samples/s",
        " left",
        "loss ",
        "accuracy ",
        "━",
        "epoch 40/40",
        "test accuracy",
    ):
        assert expected in plain


def test_without_a_terminal_rich_is_not_loaded(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom ravine.cli import main\n"
        "assert main(['train', 'digits', '--set', 'training.epochs=1']) == 0\n"
        "assert 'rich' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_training_survives_the_reader_of_its_progress(tmp_path: Path) -> None:
    with start("train", "digits", *QUICK, cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=30) == 141
        assert process.stderr is not None
        assert process.stderr.read() == ""
    from ravine.runs import list_runs

    assert [run.state for run in list_runs(tmp_path / "runs")] == ["finished"]


def test_resume_from_an_earlier_checkpoint(ravine) -> None:
    words = ["--set", "training.epochs=4", "--set", "training.checkpoint_seconds=0", "--quiet", "--json"]
    whole = ravine("train", "digits", *words).json
    back = ravine("resume", "digits", "--checkpoint", "step-96", "--quiet", "--json")
    assert (back.code, back.json["sha256"]) == (0, whole["sha256"])
    wrong = ravine("resume", "digits", "--checkpoint", "step-5")
    assert wrong.code == 2
    assert "no such checkpoint: 'step-5'; there are: last, step-00000192" in wrong.err
