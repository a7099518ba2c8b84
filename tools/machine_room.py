"""The inside of `hosts.py`: makes the hosts' namespaces, connects them, and waits until nobody needs them.

Usage: machine_room.py SETTINGS (JSON, made by `hosts.Hosts`). It is the first process of a process
namespace of its own, with a network and a table of mounts of its own. It prints one JSON object with a
process number for each host, and ends when its standard input ends, as it does when whoever started it
dies; with the first process of a namespace the kernel ends all others, and takes devices and mounts back.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import fcntl
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BRIDGE = "ravine0"
FRAME = 9000  # bytes; large, so that little is done by packet
BURST_SECONDS = 2e-4  # of a limited link's full speed may pass at once
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_SET_INTERFACE, _TAP, _NO_PACKET_INFORMATION = 0x400454CA, 0x0002, 0x1000  # linux/if_tun.h
_libc = ctypes.CDLL(None, use_errno=True)


def call(*words: str, inside: int | None = None) -> None:
    """Runs a command, in the namespaces of process `inside`; its message is the error's."""
    enter = ["nsenter", f"--target={inside}", "--net", "--uts", "--mount"] if inside else []
    done = subprocess.run([*enter, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")


def start_host() -> int:
    """A process in a network, host name, table of mounts and shared memory of its own."""
    words = ["unshare", "--net", "--uts", "--ipc", "--mount", "sh", "-c", "echo there; exec cat"]
    # Its input is a pipe that this process never closes.
    holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr)
    assert holder.stdout is not None
    if holder.stdout.readline() != b"there\n":
        raise RuntimeError("unshare did not start")
    _holders.append(holder)
    return holder.pid


_holders: list[subprocess.Popen[bytes]] = []


def hardware_address(number: int) -> str:
    """Of host `number`: one that no maker of cards gives."""
    return f"02:00:00:00:00:{number:02x}"


def connect(name: str, number: int, process: int, address: str, bandwidth: float | None) -> None:
    """Gives a host its name, its address, and the speed of its link."""
    call("hostname", name, inside=process)
    call("ip", "link", "set", "lo", "up", inside=process)
    device = ["ip", "link", "set", "eth0"]
    call(*device, "address", hardware_address(number), "mtu", str(FRAME), "up", inside=process)
    call("ip", "address", "add", f"{address}/24", "dev", "eth0", inside=process)
    if bandwidth:
        burst = int(max(2 * FRAME, bandwidth / 8 * BURST_SECONDS))
        bucket = ["tbf", "rate", f"{bandwidth:.0f}bit", "burst", str(burst), "limit", str(4 << 20)]
        call("tc", "qdisc", "add", "dev", "eth0", "root", *bucket, inside=process)


def plug_in(name: str, process: int, latency: float) -> None:
    """A cable from a host's eth0 to the bridge; what comes out at the host comes `latency` seconds later."""
    end = ["type", "veth", "peer", "name", name]
    call("ip", "link", "add", "eth0", "netns", str(process), *end)
    call("ip", "link", "set", name, "master", BRIDGE, "mtu", str(FRAME), "up")
    if latency:
        call("tc", "qdisc", "add", "dev", name, "root", "netem", "delay", f"{latency * 1e6:.0f}us")


def has_netem() -> bool:
    """Whether the kernel delays packets by itself."""
    words = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    there = subprocess.run(words, capture_output=True, check=False).returncode == 0
    if there:
        call("tc", "qdisc", "delete", "dev", "lo", "root")
    return there


def open_device(process: int) -> int:
    """A descriptor for the other end of eth0 of a host: what is sent there is read here."""
    with Path("/proc/self/ns/net").open() as own, Path(f"/proc/{process}/ns/net").open() as other:
        if _libc.setns(other.fileno(), _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(device, _SET_INTERFACE, struct.pack("16sH", b"eth0", _TAP | _NO_PACKET_INFORMATION))
        finally:
            _libc.setns(own.fileno(), _NEW_NETWORK)
    return device


def relay(devices: list[int], latency: float) -> None:
    """A switch that hands every frame on after `latency` seconds, until standard input ends.

    It stands in for tc's netem, which not every kernel has.

    Args:
        devices: of hosts 1, 2, ..., as `open_device` gives them.
        latency: seconds.
    """
    down: set[int] = set()
    with contextlib.suppress(PermissionError):  # it must not wait for ranks that compute
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    number = {device: place for place, device in enumerate(devices, 1)}
    waiting: collections.deque[tuple[float, bytes, int]] = collections.deque()
    while True:
        patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([0, *devices], [], [], patience)
        for device in ready:
            if device == 0:
                if not obey(down):
                    return
                continue
            with contextlib.suppress(BlockingIOError):
                for _ in range(32):
                    waiting.append((time.monotonic() + latency, os.read(device, 1 << 16), number[device]))
        while waiting and waiting[0][0] <= time.monotonic():
            _, frame, sender = waiting.popleft()
            # The last byte of our addresses is the host's number; an odd first byte means everybody.
            receivers = [p for p in number.values() if p != sender] if frame[0] & 1 else [frame[5]]
            for receiver in receivers:
                if 1 <= receiver <= len(devices) and not {sender, receiver} & down:
                    with contextlib.suppress(OSError):  # a full queue drops, as switches do
                        os.write(devices[receiver - 1], frame)


def obey(down: set[int], names: Sequence[str] = ()) -> bool:
    """Takes commands from standard input: `down 2` cuts host 2 off, `up 2` connects it again.

    Args:
        down: numbers of the hosts that are cut off, changed by this.
        names: of the cables, if they are devices.

    Returns:
        False at the end of the input.
    """
    line = os.read(0, 64).decode()
    for command in line.splitlines():
        word, place = command.split()
        (down.add if word == "down" else down.discard)(int(place))
        if names:
            call("ip", "link", "set", names[int(place) - 1], word)
    return bool(line)


def replace(path: Path, text: str, folder: Path) -> None:
    """Gives a file another content, in this room only."""
    (folder / path.name).write_text(text)
    call("mount", "--bind", str(folder / path.name), str(path))


def start_sshd(name: str, process: int, address: str, folder: Path, environment: dict[str, str]) -> None:
    """A real sshd in a host; its key is made here, who may come in stands in the host's own ~/.ssh."""
    key = folder / f"{name}.key"
    call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key))
    settings = folder / f"{name}.sshd_config"
    known = " ".join(f"{key}={value}" for key, value in environment.items())
    settings.write_text(
        f"ListenAddress {address}\nHostKey {key}\nPidFile none\n"
        f"UsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\nSetEnv {known}\n"
    )
    call("/usr/sbin/sshd", "-f", str(settings), "-E", str(folder / f"{name}.sshd.log"), inside=process)


def main(settings: dict[str, Any]) -> None:
    """Builds the room, says so, and waits."""
    folder, names = Path(settings["folder"]), settings["names"]
    latency, bandwidth = settings["latency"] or 0.0, settings["bandwidth"]
    addresses = [f"10.77.0.{place}" for place in range(1, len(names) + 1)]
    table = "".join(f"{address} {name}\n" for address, name in zip(addresses, names, strict=True))
    replace(Path("/etc/hosts"), f"127.0.0.1 localhost\n{table}", folder)
    users = re.sub(
        r"(?m)^(([^:]*:){2}0:([^:]*:){2})[^:]*", rf"\1{folder}/home", Path("/etc/passwd").read_text()
    )
    replace(Path("/etc/passwd"), users, folder)
    if settings["sshd"]:
        call("mount", "-t", "tmpfs", "tmpfs", "/run")
        Path("/run/sshd").mkdir(mode=0o755)
    call("ip", "link", "set", "lo", "up")
    by_hand = bool(latency) and not has_netem()
    if not by_hand:
        call("ip", "link", "add", BRIDGE, "mtu", str(FRAME), "type", "bridge")
        call("ip", "link", "set", BRIDGE, "up")
    processes, devices = [], []
    for place, (name, address) in enumerate(zip(names, addresses, strict=True), 1):
        process = start_host()
        if by_hand:
            devices.append(open_device(process))
        else:
            plug_in(name, process, latency)
        connect(name, place, process, address, bandwidth)
        call("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", str(folder / "home"), inside=process)
        if settings["sshd"]:
            start_sshd(name, process, address, folder, settings["environment"])
        (folder / f"{name}.process").write_text(f"{process}\n")
        processes.append(process)
    print(json.dumps({"processes": processes, "delays": "relay" if by_hand else "netem"}), flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans come to the first process, which must bury them
    if by_hand:
        relay(devices, latency)
    else:
        while obey(set(), names):
            pass
    os.kill(-1, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)  # whoever started this may be dead


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except (OSError, RuntimeError) as error:
        print(f"machine room: {error}", file=sys.stderr)
        sys.exit(1)
