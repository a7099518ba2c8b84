"""`ravine launch`: the line it runs, what it refuses, and what it makes of the ways in which a job ends."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path

import pytest

from ravine.distributed.hosts import Host
from ravine.distributed.mpirun import Launcher, understood

LAUNCH = (sys.executable, "-m", "ravine", "launch")
RULE = "-" * 74
# Plays mpirun: says its version, counts its starts, and does what the test's script says.
FAKE = f"""#!{sys.executable}
import json, os, pathlib, signal, sys, time
if "--version" in sys.argv:
    print(os.environ.get("VERSION", "mpirun (Open MPI) 5.0.11"))
    sys.exit()
counter = pathlib.Path("starts")
start = len(counter.read_text()) if counter.exists() else 0
counter.write_text("x" * (start + 1))
words = sys.argv[sys.argv.index("ravine") + 1:]
def fact(**values):
    os.write(2, ("\\x1e" + json.dumps(values) + "\\n").encode())
def banner(text):
    sys.stderr.write("{RULE}\\n" + text + "\\n{RULE}\\n")
    sys.stderr.flush()
"""


@pytest.fixture
def launch(mpirun, tmp_path):
    """Runs `ravine launch` with an mpirun that does what a script says: launch(script, *words) -> Result."""

    def run(script: str, *words: object, timeout: float = 30, **extra: str):
        program = tmp_path / "mpirun"
        program.write_text(FAKE + script)
        program.chmod(0o755)
        words = words or ("-n", 2, "train", "digits")
        return mpirun.run(*LAUNCH, "--mpirun", program, *words, **extra).wait(timeout)

    return run


def said(result) -> list[str]:
    """Standard error without the line of mpirun."""
    return [line for line in result.err.splitlines() if not line.startswith("/") and "warning" not in line]


def test_success_is_what_rank_0_says(launch):
    done = launch("fact(started=2); print('result'); print('note', file=sys.stderr); fact(ended=0)")
    assert (done.code, done.out, said(done)) == (0, "result\n", ["note"])


def test_exit_0_without_a_word_of_rank_0_is_no_success(launch, tmp_path):
    done = launch("fact(started=2); fact(run='runs/digits', step=0)")
    assert done.code == 75
    assert said(done) == [
        "ravine: error: mpirun ended, but rank 0 has not come to its end: a machine, or the link to one, was "
        "lost",
        f"ravine launch: go on with: ravine launch -n 2 --mpirun {tmp_path}/mpirun resume runs/digits",
    ]


def test_the_line_that_is_run_is_shown(launch, tmp_path):
    done = launch("fact(ended=0)", "-n", "2", "train", "digits", "--set", "name='a b'")
    line = shlex.split(next(line for line in done.err.splitlines() if line.startswith("/")))
    assert line[:3] == [str(tmp_path / "mpirun"), "-n", "2"]
    assert line[-6:] == ["-m", "ravine", "train", "digits", "--set", "name='a b'"]
    assert line[-7] == sys.executable
    assert line[line.index("--bind-to") + 1] == "none"
    shown = launch("sys.exit(9)", "-n", "2", "--dry-run", "train", "digits")
    assert (shown.code, shlex.split(shown.out)[:3]) == (0, line[:3])
    assert (tmp_path / "starts").read_text() == "x"


KILLED = "prterun noticed that process rank 1 with PID 71 on node anna exited on\\nsignal 9 (Killed)."


def test_what_mpirun_says_of_a_killed_rank(launch):
    done = launch(f"banner({KILLED!r}); sys.exit(137)".replace("\\\\", "\\"))
    assert (done.code, said(done)) == (137, ["ravine: error: rank 1 on anna was killed by signal 9 (Killed)"])


def test_mpich_has_the_signal_as_its_exit_code(launch):
    done = launch("sys.exit(9)", VERSION="HYDRA build details:\n    Version:   5.0.2")
    assert done.code == 137
    assert said(done)[-1] == "ravine: error: a rank was killed by signal 9 (Killed)"


def test_what_comes_of_a_failure_is_not_shown(launch):
    """But all of it where nobody says what the failure was."""
    noise = "[anna:00000] *** An error occurred in Socket closed"
    script = f"print({noise!r}, file=sys.stderr); sys.exit(14)"
    told = launch("fact(failed='rank 1 on anna: it broke', rank=1, code=70);" + script)
    assert (told.code, said(told)) == (70, [])
    untold = launch(script)
    assert (untold.code, said(untold)[:1]) == (14, [noise])


def test_a_failure_that_two_ranks_tell_of_is_shown_once(launch):
    line = "rank 0 on anna has given no sign of life"
    tell = f"fact(failed={line!r}, rank=0, code=75); os.write(2, b'ravine: error: {line}\\n');"
    done = launch(2 * tell + "sys.exit(75)")
    assert (done.code, said(done)) == (75, [f"ravine: error: {line}"])


def test_a_word_of_rank_0_is_found_in_any_line(launch):
    done = launch("os.write(2, b'half a line '); fact(ended=0); os.write(2, b'and more\\n\\0')")
    assert (done.code, done.err.splitlines()[-1]) == (0, "half a line and more")


def test_mpirun_that_waits_for_a_lost_machine_is_ended(launch, monkeypatch):
    done = launch("fact(failed='rank 1 on anna: it broke', rank=1, code=70); time.sleep(600)", timeout=20)
    assert done.code == 70


def test_other_words_of_mpirun_are_passed_on(launch):
    done = launch("banner('There are not enough slots'); sys.exit(1)")
    assert done.code == 1
    assert said(done) == [
        RULE, "There are not enough slots", RULE, "ravine: error: mpirun ended with exit code 1",
    ]  # fmt: skip


def test_a_restart_goes_on_with_the_run(launch, tmp_path):
    folder = tmp_path / "runs" / "digits-3" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "step-00000120.safetensors").touch()
    done = launch(
        f"""
if start < 2:
    fact(run="runs/digits-3", step=60 * start)
    banner({KILLED!r})
    sys.exit(137)
fact(run="runs/digits-3", step=120)
print(*words)
fact(ended=0)
""".replace("\\\\", "\\"),
        "-n", "2", "--restarts", "3", "train", "digits", "--seed", "4", "--quiet",
    )  # fmt: skip
    assert (done.code, done.out) == (0, "resume runs/digits-3 --quiet\n")
    source = "from its last checkpoint, step-00000120.safetensors (runs/digits-3)"
    assert [line for line in said(done) if "launch" in line] == [
        f"ravine launch: rank 1 on anna was killed by signal 9 (Killed); restart 1 of 3, {source}",
        "ravine launch: goes on after step 60",
        f"ravine launch: rank 1 on anna was killed by signal 9 (Killed); restart 2 of 3, {source}",
        "ravine launch: goes on after step 120",
    ]


def test_restarts_come_to_an_end(launch, tmp_path):
    done = launch("fact(failed='rank 1 on anna: it broke', rank=1, code=70); sys.exit(1)",
                  "-n", "2", "--restarts", "2", "train", "digits")  # fmt: skip
    assert done.code == 70
    assert said(done) == [
        "ravine launch: rank 1 on anna: it broke; restart 1 of 2, from the beginning",
        "ravine launch: rank 1 on anna: it broke; restart 2 of 2, from the beginning",
        "ravine launch: given up after 2 restarts",
    ]
    assert (tmp_path / "starts").read_text() == "xxx"


@pytest.mark.parametrize("code", [2, 3, 130])
def test_what_would_fail_again_is_not_tried_again(launch, tmp_path, code):
    done = launch(f"fact(ended={code}); sys.exit({code})", "-n", "2", "--restarts", "2", "train", "digits")
    assert done.code == code
    assert (tmp_path / "starts").read_text() == "x"


def test_interrupts_are_passed_on(mpirun, launch, tmp_path):
    """Gently first, then as asked; and a signal means no restart."""
    program = tmp_path / "mpirun"
    program.write_text(
        FAKE
        + """
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, lambda number, frame: print(signal.Signals(number).name, flush=True))
print("ready", flush=True)
while True:
    signal.pause()
"""
    )
    program.chmod(0o755)
    job = mpirun.run(
        sys.executable,
        "-m",
        "ravine",
        "launch",
        "--mpirun",
        program,
        "-n",
        2,
        "--restarts",
        2,
        "train",
        "digits",
    )
    for number, word in (
        (signal.SIGINT, "ready\n"), (signal.SIGTERM, "SIGUSR1\n"), (signal.SIGINT, "SIGTERM\n"),
    ):  # fmt: skip
        job.until(lambda word=word: job.output()[0].endswith(word))
        job.process.send_signal(number)
    done = job.wait(10)
    assert done.code == 130
    assert (tmp_path / "starts").read_text() == "x"


def test_ranks_do_not_outlive_launch(mpirun, tmp_path):
    job = mpirun.run(
        sys.executable,
        "-m",
        "ravine",
        "launch",
        "-n",
        2,
        "train",
        "digits",
        "--set",
        "training.epochs=100000",
    )
    job.until(lambda: len(job.ranks()) == 2)
    job.process.kill()
    assert job.wait(10).code == -signal.SIGKILL


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "digits"], "-n: how many ranks? expected a number, such as -n 2"),
        (["-n", "0", "train", "digits"], "-n: is 0; expected at least 1"),
        (["-n", "2"], "what shall the ranks do? expected train, resume"),
        (["-n", "2", "runs"], "'runs' is for one rank; expected train, resume"),
        (["-n", "2", "train", "digits", "--sett", "a=1"], "unknown option '--sett'; did you mean '--set'?"),
        (["-n", "2", "--restarts", "-1", "train", "digits"], "--restarts: is -1; expected at least 0"),
        (["-n", "5", "--hosts", "a:2,b:2", "train", "digits"], "-n: is 5, but the hosts take 4;"),
        (["--hosts", "a:2,a:3", "train", "digits"], "--hosts: host 'a' is given twice"),
        (["--hosts", "a:2,", "train", "digits"], "--hosts: '' cannot name a host"),
        (["--hosts", "a:0", "train", "digits"], "--hosts: '0' is no number of ranks for host 'a'"),
        (["--hosts", "-x", "train", "digits"], "argument --hosts: expected one argument"),
        (["--hosts", "a:2", "--hostfile", "b", "train", "digits"], "not allowed with argument --hosts"),
        (["--hostfile", "none", "train", "digits"], "none: cannot be read: no such file or directory"),
        (["--hostfile", ".", "train", "digits"], ".: cannot be read: is a directory"),
        (["--mpirun", "/none", "-n", "2", "train", "digits"], "there is no program /none; install one with"),
        (["--mpirun", sys.executable, "-n", "2", "train", "digits"], "is neither of Open MPI nor of MPICH"),
    ],
)  # fmt: skip
def test_what_cannot_be_launched(mpirun, words, message):
    done = mpirun.run(*LAUNCH, *words).wait(10)
    assert done.code == 2
    errors = [line for line in done.err.splitlines() if "warning" not in line]
    assert len(errors) == 1
    assert errors[0].startswith("ravine: error: ")
    assert message in errors[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no host"),
        ("# nothing\n\n", "names no host"),
        ("anna slots=2\nbert slots=two\n", "line 2: 'two' is no number of ranks for host 'bert'"),
        ("anna cores=2\n", "line 1: 'cores=2' is unknown; expected a name and slots=N"),
        ("anna 2\n", "line 1: '2' is unknown"),
        ("anna\nanna\n", "host 'anna' is given twice"),
        ("-oProxyCommand=x\n", "line 1: '-oProxyCommand=x' cannot name a host"),
        ("a;b\n", "line 1: 'a;b' cannot name a host"),
        (b"\xff\xfe\n", "it is not text in UTF-8"),
        (b"a" * (2 << 20), "it is larger than 1 MiB"),
    ],
)
def test_hostfiles_that_are_none(mpirun, tmp_path, text, message):
    file = tmp_path / "hosts.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = mpirun.run(*LAUNCH, "--hostfile", file, "train", "digits").wait(10)
    assert done.code == 2
    assert done.err.startswith(f"ravine: error: {file}: ")
    assert message in done.err
    assert done.err.count("\n") == 1


HOSTS = [Host("anna", 2), Host("bert", 1)]


def test_the_options_of_each_mpirun():
    environment = {"RAVINE_TRACEBACK": "1", "OMP_NUM_THREADS": "3", "HOME": "/root"}
    command = ["python", "-m", "ravine"]
    five = Launcher("mpirun", "Open MPI", "5.0.11").words(
        3, command, hosts=HOSTS, network="10.0.0.0/24", environment=environment
    )
    line = " ".join(five)
    assert "--host anna:2,bert:1 " in line
    assert "--prtemca oob_tcp_keepalive_time 5 " in line
    assert "--prtemca oob_tcp_if_include 10.0.0.0/24 " in line
    assert line.endswith("-x OMP_NUM_THREADS -x RAVINE_TRACEBACK python -m ravine")
    four = Launcher("mpirun", "Open MPI", "4.1.4").words(
        3, command, hosts=HOSTS, hostfile=Path("/etc/hosts.txt"), environment=environment
    )
    line = " ".join(four)
    assert "--hostfile /etc/hosts.txt " in line
    assert "--host anna" not in line
    assert "--mca oob_tcp_keepalive_time 5 " in line
    mpich = Launcher("mpirun", "MPICH", "5.0.2").words(
        3, command, hosts=HOSTS, network="eth1", environment=environment
    )
    assert mpich == [
        "mpirun", "-n", "3", "-hosts", "anna:2,bert:1", "-bind-to", "none", "-iface", "eth1", "-genvlist",
        "OMP_NUM_THREADS,RAVINE_TRACEBACK", *command,
    ]  # fmt: skip


def test_more_ranks_than_processors(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    mpi = Launcher("mpirun", "Open MPI", "5.0.11")
    assert ":OVERSUBSCRIBE" not in mpi.words(2, ["true"], environment={})
    assert ":OVERSUBSCRIBE" in mpi.words(3, ["true"], environment={})
    assert ":OVERSUBSCRIBE" not in mpi.words(3, ["true"], environment={"SLURM_JOB_ID": "7"})
    assert ":OVERSUBSCRIBE" not in mpi.words(3, ["true"], hosts=HOSTS, environment={})


@pytest.mark.parametrize(
    ("text", "kind", "series"),
    [
        ("mpirun (Open MPI) 5.0.11\n\nReport bugs", "Open MPI", 5),
        ("mpirun (Open MPI) 4.1.4\n", "Open MPI", 4),
        ("HYDRA build details:\n    Version:                                 5.0.2\n", "MPICH", 5),
    ],
)
def test_versions(text, kind, series):
    found = understood("mpirun", text)
    assert found is not None
    assert (found.kind, found.series) == (kind, series)
    assert understood("mpirun", "Intel(R) MPI Library") is None
