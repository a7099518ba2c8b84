"""What `ravine doctor` says of training with several ranks: MPI on this machine, and the other machines."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shlex
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ravine.commands.finding import Finding
from ravine.errors import RavineError

UNUSED = "only needed to train with several ranks"
INSTALL = f'{sys.executable} -m pip install "ravine[mpi]"'
# Whether the library says that it may be given addresses on GPUs.
CUDA = {
    True: "knows of GPUs: gradients travel from card to card through it",
    False: "knows of no GPUs: between cards gradients travel through NCCL, or through memory of the host",
    None: "does not say whether it knows of GPUs, and is taken to know of none",
}
SECONDS = 20  # for MPI to begin, or a machine to answer
# In a process of its own, as MPI may end or hang the one that begins it.
ASK_MPI = "import json; from ravine.distributed.mpi import described; print(json.dumps(described()))"
ASK_HOST = (
    "import json, socket, mpi4py, ravine._core as core; "
    "print(json.dumps([core.__version__, socket.gethostname()]))"
)


def mpi() -> list[Finding]:
    """The package, the library that it has found, its threads, and mpirun; all of it optional."""
    from ravine.distributed.mpirun import Launcher, find_launcher

    try:
        package = Finding("mpi4py", "ok", importlib.metadata.version("mpi4py"))
    except importlib.metadata.PackageNotFoundError:
        package = Finding("mpi4py", "missing", UNUSED, INSTALL)
    launcher: Launcher | None = None
    try:
        launcher = find_launcher()
        mpirun = Finding("mpirun", "ok", f"{launcher.path}, {launcher.kind} {launcher.version}")
    except RavineError as error:
        message = str(error).partition(";")[0]
        mpirun = Finding("mpirun", "missing", f"{message}; {UNUSED}", INSTALL)
    return [package, *(library(launcher) if package.status == "ok" else []), mpirun]


def library(launcher: Any) -> list[Finding]:
    """The MPI that mpi4py loads; it must be the one whose mpirun starts the ranks."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMI"))}
    try:
        asked = subprocess.run(
            [sys.executable, "-c", ASK_MPI],
            capture_output=True, text=True, timeout=SECONDS, env=kept, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        found = json.loads(asked.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return [Finding("MPI", "missing", f"does not begin within {SECONDS} s", INSTALL)]
    except (OSError, ValueError, IndexError):
        last = (asked.stderr.strip().splitlines() or ["no word of why"])[-1]
        return [Finding("MPI", "missing", f"cannot be used: {last}", INSTALL)]
    findings = [Finding("MPI", "ok", f"{found['library']}, standard {found['standard']}")]
    if launcher is not None and launcher.kind not in found["library"]:
        findings = [
            Finding(
                "MPI", "broken",
                f"mpi4py loads {found['library']}, which the mpirun of {launcher.kind} cannot start",
                INSTALL,
            )
        ]  # fmt: skip
    multiple = found["threads"] == "MPI_THREAD_MULTIPLE"
    detail = found["threads"] + (
        "" if multiple else "; without it a hang is not noticed, nor sums overlapped"
    )
    findings.append(Finding("MPI threads", "ok" if multiple else "missing", detail))
    findings.append(Finding("MPI and CUDA", "ok", CUDA[found["cuda"]]))
    return findings


def other_hosts(names: str | None, hostfile: Path | None) -> list[Finding]:
    """Whether other machines can be reached, and have the same Ravine in the same place.

    Raises:
        InputError: a list or a file of hosts that cannot be understood.
    """
    from ravine.distributed.hosts import hosts_of_file, hosts_of_list

    if names is not None:
        hosts = hosts_of_list(names)
    elif hostfile is not None:
        hosts = hosts_of_file(hostfile)
    else:
        return []
    with ThreadPoolExecutor(16) as pool:
        findings = list(pool.map(other_host, [host.name for host in hosts]))
    seen: dict[str, str] = {}
    for place, finding in enumerate(findings):
        own = finding.detail.partition(",")[0]
        if finding.status == "ok" and (other := seen.setdefault(own, finding.name)) != finding.name:
            findings[place] = Finding(
                finding.name, "broken", f"{own}, as {other} does; ranks would wait for ever",
                "sudo hostnamectl set-hostname ANOTHER",
            )  # fmt: skip
    return findings


def other_host(name: str) -> Finding:
    """One machine."""
    from ravine import _core

    title = f"host {name}"
    python = [sys.executable, "-c", ASK_HOST]
    local = name in ("localhost", "127.0.0.1", socket.gethostname(), socket.gethostname().partition(".")[0])
    ssh = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", name]
    try:
        asked = subprocess.run(
            python if local else [*ssh, shlex.join(python)],
            capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return Finding(
            title, "broken", "there is no ssh on this machine", "sudo apt-get install openssh-client"
        )
    except subprocess.TimeoutExpired:
        return Finding(title, "broken", f"does not answer within {SECONDS} s")
    last = (asked.stderr.strip().splitlines() or ["no word of why"])[-1]
    if asked.returncode == 255:  # of ssh itself
        fixes = {
            "Could not resolve": f"add its address to /etc/hosts, such as: 192.168.1.7 {name}",
            "Permission denied": f"ssh-copy-id {name}",
            "Host key verification": f"ssh {name} true",
        }
        fix = next((fix for words, fix in fixes.items() if words in last), "")
        return Finding(title, "broken", f"ssh does not get there: {last}", fix)
    try:
        version, own = json.loads(asked.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        fix = f"ssh {name} 'python3 -m venv {sys.prefix} && {INSTALL}'"
        return Finding(title, "broken", f"has no Ravine with MPI at {sys.executable}: {last}", fix)
    if version != _core.__version__:
        fix = f"ssh {name} '{sys.executable} -m pip install \"ravine[mpi]=={_core.__version__}\"'"
        return Finding(title, "broken", f"has Ravine {version}, this machine {_core.__version__}", fix)
    return Finding(title, "ok", f"calls itself {own}, has Ravine {version}")
