"""docs/tutorial_machines.md, line by line, on two hosts with a real sshd each."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "tutorial_machines.md"
ENVIRONMENT = Path(sys.executable).parent.parent
LINE = re.compile(r"^(anna|bert)\$ (.*)$", re.MULTILINE)
# A test has no package index, and instead of a password the key of a third person.
INSTALLED = ("python3 -m venv ~/ravine", '~/ravine/bin/pip install "ravine[mpi]"')
PASSWORD = "-f -o IdentityFile={key} -o StrictHostKeyChecking=accept-new"
EXPERIMENT = """
[data]
source = "digits"
[model]
layers = [{ type = "dense", units = 10 }]
[optimizer]
type = "adam"
[training]
"""


class Terminal:
    """Types lines on two hosts, as their user would."""

    def __init__(self, hosts: Any) -> None:
        self.hosts = hosts
        self.activated = ""
        self.jobs: list[subprocess.Popen[str]] = []

    def words(self, line: str) -> list[str]:
        # Both laptops share the processors of one machine: who waits must give way to who works.
        return ["env", "OMPI_MCA_mpi_yield_when_idle=1", "bash", "-c", f"{self.activated}{line}"]

    def type(self, host: str, line: str) -> str:
        """Runs a line to its end, and gives what it printed."""
        if line.startswith(". "):
            self.activated = f"{line}; "
        done = self.hosts.run(host, self.words(line), timeout=180)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return str(done.stdout)

    def begin(self, host: str, line: str) -> subprocess.Popen[str]:
        """Starts a line that takes long."""
        self.jobs.append(self.hosts.start(host, self.words(line), output=subprocess.PIPE))
        return self.jobs[-1]


def newest_checkpoint(terminal: Terminal) -> int:
    """The step of the newest checkpoint; -1 if there is none."""
    there = terminal.hosts.run("anna", ["sh", "-c", "ls ~/runs/long/checkpoints"]).stdout
    return max([-1, *map(int, re.findall(r"step-(\d+)\.safetensors$", there, re.MULTILINE))])


def wait_for_checkpoint(terminal: Terminal, after: int) -> None:
    """Waits until the job that was begun last has saved a checkpoint."""
    deadline = time.monotonic() + 180
    while newest_checkpoint(terminal) <= after:
        assert time.monotonic() < deadline
        assert terminal.jobs[-1].poll() is None, terminal.jobs[-1].communicate()[0]


@pytest.mark.soak  # half a minute; `make test-hosts` runs it
def test_every_line_works(make_hosts: Any, mpirun_words: Any) -> None:
    hosts = make_hosts(names=["anna", "bert"], sshd=True)
    terminal = Terminal(hosts)
    lines = LINE.findall(PAGE.read_text(encoding="utf-8"))
    installer = hosts.folder / "installer"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", installer], check=True)
    for host in hosts.names:
        terminal.type(host, f"ln -s {ENVIRONMENT} ~/ravine")
        terminal.type(host, f"mkdir -m 700 ~/.ssh && cp {installer}.pub ~/.ssh/authorized_keys")
    said = {}
    for host, line in lines:
        if line in INSTALLED:
            continue
        if line.startswith("ssh-copy-id"):
            line = line.replace("ssh-copy-id", f"ssh-copy-id {PASSWORD.format(key=installer)}")
        if line.startswith("ravine launch") and "--name long" in line:
            job = terminal.begin(host, line)
            wait_for_checkpoint(terminal, 0)
            hosts.cut("bert")
            ended = job.communicate(timeout=180)[0]
            assert job.returncode != 0
            assert "bert, or the link to it, was lost" in ended
            assert "ravine launch: go on with: " in ended
            hosts.mend("bert")
        elif "resume runs/long" in line:
            before = newest_checkpoint(terminal)
            terminal.begin(host, line)
            wait_for_checkpoint(terminal, before)
        elif line == "ravine control runs/long stop":
            job = terminal.jobs[-1]
            assert job.poll() is None, job.communicate()[0]
            terminal.type(host, line)
            assert "resume" in job.communicate(timeout=180)[0]
            assert job.returncode in (0, 130)
        else:
            said[line] = terminal.type(host, line)
    assert said["ssh bert hostname"] == "bert\n"
    for line, text in said.items():
        if line.startswith("ravine launch"):
            assert re.search(r"accuracy 0\.9\d+, .* after \d+ epochs", text), f"{line}\n{text}"
    assert "rank 0 on anna, rank 1 on bert" in said["cat runs/digits/log.txt"]
    assert hosts.run("bert", ["ls"]).stdout.split() == ["ravine", "small.toml"]


def test_hosts_that_disagree_are_refused(make_hosts: Any, mpirun_words: Any) -> None:
    """As the tutorial says: an experiment that was changed on one machine only."""
    hosts = make_hosts(2)
    ravine = Path(sys.executable).with_name("ravine")
    for name, epochs in (("host1", 2), ("host2", 3)):
        hosts.run(name, ["sh", "-c", "cat > one.toml"], given=EXPERIMENT + f"epochs = {epochs}\n")
    done = hosts.run(
        "host1",
        [ravine, "launch", "--hosts", "host1,host2", "train", "one.toml"],
        environment={"PRTE_MCA_plm_ssh_agent": str(hosts.agent)},
    )
    assert done.returncode == 2, done
    error = next(line for line in done.stderr.splitlines() if line.startswith("ravine: error: "))
    assert "epochs" in error
    assert "host1" in error
    assert "host2" in error
