"""Several hosts on one machine: network namespaces with names, addresses and links of chosen speed.

    python tools/hosts.py [--count 3] [--bandwidth 1e9] [--latency 1e-3] [--sshd] -- COMMAND ...

runs COMMAND on host1, with host2, host3, ... beside it; `{hostfile}` in COMMAND is a file that lists them,
`{agent}` a program that mpirun starts its daemons by. Hosts share all files but those of the home folder.
Nothing stays when it ends, even when it is killed: all is inside namespaces whose first process ends with
this one (`machine_room.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

ROOM = Path(__file__).with_name("machine_room.py")
# What an agent starts knows no more of the environment than what ssh starts; prted looks for a PATH.
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
PERMISSION = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")  # everybody is root in there
AGENT = """#!/bin/sh
# Starts a command on a host, as ssh would: agent [OPTION ...] HOST COMMAND ...
while [ "${1#-}" != "$1" ]; do shift; done
process=$(cat "{folder}/$1.process") || exit 255
shift
exec nsenter --target="$process" --net --uts --ipc --mount -- env -i {environment} sh -c "$*"
"""


class HostsError(Exception):
    """Why there are no hosts here."""


class Hosts:
    """Hosts in namespaces, as a context.

    Args:
        count: of hosts, with the addresses 10.77.0.1, 10.77.0.2, ...
        names: theirs; host1, host2, ... if there are none.
        bandwidth: of each host's link, in bits a second, sending; None: as fast as the machine can.
        latency: seconds that a packet is under way from one host to another.
        sshd: a real one on each host; it takes root. Nobody may come in before `introduce`.

    Raises:
        HostsError: this machine does not allow it, or lacks a program.
    """

    def __init__(
        self,
        count: int = 3,
        *,
        names: Sequence[str] = (),
        bandwidth: float | None = None,
        latency: float | None = None,
        sshd: bool = False,
    ) -> None:
        self.names = list(names) or [f"host{place}" for place in range(1, count + 1)]
        self._settings = {"names": self.names, "bandwidth": bandwidth, "latency": latency, "sshd": sshd}
        self._sshd = sshd

    def __enter__(self) -> Hosts:
        if self._sshd and (missing := sshd_is_missing()):
            raise HostsError(missing)
        self.folder = Path(tempfile.mkdtemp(prefix="ravine-hosts-"))
        for name in ("tmp", "home"):
            (self.folder / name).mkdir()
        try:
            self._start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def _start(self) -> None:
        settings = {**self._settings, "folder": str(self.folder), "environment": self.environment}
        words = [*unshare(), sys.executable, str(ROOM), json.dumps(settings)]
        self._room = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self._room.stdout is not None
        assert self._room.stderr is not None
        said = self._room.stdout.readline()
        if not said:
            lines = self._room.stderr.read().decode().strip().splitlines()
            self._room.wait()
            raise HostsError(lines[-1] if lines else "no namespaces")
        started = json.loads(said)
        self.delays: str = started["delays"]  # who holds packets back: "netem" or "relay"
        self._processes: list[int] = started["processes"]
        self._first = int(
            Path(f"/proc/{self._room.pid}/task/{self._room.pid}/children").read_text().split()[0]
        )
        known = {"PATH": PATH, **self.environment}
        environment = " ".join(f"{key}={shlex.quote(value)}" for key, value in known.items())
        script = AGENT.replace("{folder}", str(self.folder)).replace("{environment}", environment)
        self.agent.write_text(script)
        self.agent.chmod(0o755)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._room.stdin is not None
        self._room.stdin.close()
        try:
            self._room.wait(5)
        except subprocess.TimeoutExpired:
            self._room.kill()  # its first process has been told to die with it
            self._room.wait()
        for stream in (self._room.stdout, self._room.stderr):
            if stream is not None:
                stream.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def environment(self) -> dict[str, str]:
        """What the hosts' programs find in theirs.

        Open MPI names its files after the host and the process, and these numbers begin anew in every room.
        """
        places = {"HOME": str(self.home), "TMPDIR": str(self.folder / "tmp")}
        return {**places, **dict.fromkeys(PERMISSION, "1")}

    @property
    def home(self) -> Path:
        """The path of everybody's home; each host has another folder there, in memory, empty at first."""
        return self.folder / "home"

    @property
    def agent(self) -> Path:
        """A program like ssh, for `mpirun --prtemca plm_ssh_agent`."""
        return self.folder / "agent.sh"

    def hostfile(self, slots: int = 1, names: Sequence[str] = ()) -> Path:
        """A file that lists hosts, all if none are named, as mpirun reads it."""
        path = self.folder / f"hostfile-{slots}-{'-'.join(names)}"
        path.write_text("".join(f"{name} slots={slots}\n" for name in names or self.names))
        return path

    def words(self, host: str, command: Sequence[str | Path], folder: Path | None = None) -> list[str]:
        """The command line that runs a command on a host; it is killed with the process that runs it."""
        place = self.names.index(host)
        room = ["nsenter", f"--target={self._first}", "--pid", "--mount"]
        if os.geteuid():
            room += ["--user", "--preserve-credentials"]
        inside = ["nsenter", f"--target={self._processes[place]}", "--net", "--uts", "--ipc", "--mount"]
        there = ["env", f"--chdir={folder or self.home}"]
        return [*room, "setpriv", "--pdeathsig=KILL", *inside, *there, *map(str, command)]

    def run(
        self,
        host: str,
        command: Sequence[str | Path],
        *,
        timeout: float = 180.0,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        given: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command on a host and returns what it said.

        Args:
            host: its name.
            command: words.
            timeout: seconds after which it is killed.
            folder: where it runs; at home if None.
            environment: added to that of this process.
            given: its standard input.

        Raises:
            subprocess.TimeoutExpired: it did not end.
        """
        return subprocess.run(
            self.words(host, command, folder),
            env={**os.environ, **(environment or {}), **self.environment},
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(
        self,
        host: str,
        command: Sequence[str | Path],
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        output: IO[str] | int | None = None,
    ) -> subprocess.Popen[str]:
        """Starts a command on a host; standard error goes where standard output goes.

        Args:
            host, command, folder, environment: as for `run`.
            output: as `subprocess.Popen` takes it.
        """
        return subprocess.Popen(
            self.words(host, command, folder),
            env={**os.environ, **(environment or {}), **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            text=True,
        )

    def introduce(self) -> None:
        """Makes a key for all hosts by which each lets the others in, and knows them."""
        key = self.folder / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        keys = {name: (self.folder / f"{name}.key.pub").read_text() for name in self.names}
        (self.folder / "known_hosts").write_text("".join(f"{name} {keys[name]}" for name in self.names))
        copy = f"""
            mkdir -m 700 ~/.ssh && cd ~/.ssh && cp {self.folder}/id_ed25519 {self.folder}/known_hosts .
            cp {self.folder}/id_ed25519.pub authorized_keys
        """
        for name in self.names:
            if (done := self.run(name, ["sh", "-ec", copy])).returncode:
                raise HostsError(done.stderr.strip())

    def cut(self, host: str) -> None:
        """Takes a host's network away without a word to anybody, as a closed laptop does."""
        self._tell("down", host)

    def mend(self, host: str) -> None:
        """Gives it back."""
        self._tell("up", host)

    def _tell(self, command: str, host: str) -> None:
        assert self._room.stdin is not None
        self._room.stdin.write(f"{command} {self.names.index(host) + 1}\n".encode())
        self._room.stdin.flush()


def unshare() -> list[str]:
    """What gives a command a network, processes and mounts of its own; users become root in there."""
    user = ["--user", "--map-root-user"] if os.geteuid() else []
    return ["unshare", *user, "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


def why_not(sshd: bool = False, latency: bool = False) -> str:
    """Why there can be no hosts on this machine, in one line; empty if there can."""
    programs = ("unshare", "nsenter", "setpriv", "ip", "tc", "mount")
    if missing := [name for name in programs if not shutil.which(name)]:
        return f"namespace hosts need {', '.join(missing)} (Debian: util-linux, iproute2, mount)"
    device = ["ip", "link", "add", "name", "bridge", "type", "bridge"]
    tried = subprocess.run([*unshare(), *device], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"namespaces are not allowed here: {' '.join(tried.stderr.split()) or tried.returncode}"
    if latency and not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        netem = [*unshare(), "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
        if subprocess.run(netem, capture_output=True, check=False).returncode:
            return "delays on namespace hosts need netem in the kernel, or /dev/net/tun"
    return sshd_is_missing() if sshd else ""


def sshd_is_missing() -> str:
    """Why there can be no sshd on the hosts, in one line; empty if there can."""
    if os.geteuid():
        return "sshd on namespace hosts needs root"
    missing = [name for name in ("/usr/sbin/sshd", "ssh", "ssh-keygen") if not shutil.which(name)]
    return f"sshd on namespace hosts needs {', '.join(missing)}: make sshd" if missing else ""


def main(words: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--bandwidth", type=float, metavar="BITS", help="a second")
    parser.add_argument("--latency", type=float, metavar="SECONDS")
    parser.add_argument("--sshd", action="store_true", help="a real one on each host")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    chosen = parser.parse_args(words)
    try:
        with Hosts(
            chosen.count, bandwidth=chosen.bandwidth, latency=chosen.latency, sshd=chosen.sshd
        ) as hosts:
            known: dict[str, Any] = {"{hostfile}": hosts.hostfile(), "{agent}": hosts.agent}
            command = [str(known.get(word, word)) for word in chosen.command]
            if chosen.sshd:
                hosts.introduce()
            return hosts.start(hosts.names[0], command, folder=Path.cwd()).wait()
    except HostsError as error:
        print(f"hosts: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
