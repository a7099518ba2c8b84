"""Hosts in namespaces: names, links, and that nothing of them stays."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

TOOL = Path(__file__).resolve().parents[3] / "tools" / "hosts.py"
LISTEN = """
import socket
with socket.create_server(("", 5000)) as server:
    print("listening", flush=True)
    with server.accept()[0] as connection:
        count = 0
        while data := connection.recv(1 << 16):
            count += len(data)
            connection.sendall(b"!") if count == 1 else None
        print(count)
"""
# Seconds until one byte is answered, and until as many as asked for are read and the other end has closed.
SEND = """
import socket, sys, time
with socket.create_connection(("host1", 5000), timeout=20) as connection:
    start = time.perf_counter()
    connection.sendall(b"?")
    connection.recv(1)
    answered = time.perf_counter() - start
    start = time.perf_counter()
    connection.sendall(bytes(int(sys.argv[1])))
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
    print(answered, time.perf_counter() - start)
"""


def exchange(hosts, count):
    """Seconds of an answer, and of so many bytes, from host2 to host1."""
    listener = hosts.start("host1", [sys.executable, "-c", LISTEN], output=subprocess.PIPE)
    with listener:
        assert listener.stdout.readline() == "listening\n"
        done = hosts.run("host2", [sys.executable, "-c", SEND, str(count)])
        assert done.returncode == 0, done.stderr
        assert listener.stdout.read() == f"{count + 1}\n"
    return [float(seconds) for seconds in done.stdout.split()]


def test_every_host_has_its_name_its_address_and_its_home(make_hosts):
    hosts = make_hosts(3)
    for place, name in enumerate(hosts.names, 1):
        assert hosts.run(name, ["hostname"]).stdout == f"host{place}\n"
        assert f"10.77.0.{place}/24" in hosts.run(name, ["ip", "-brief", "address"]).stdout
        assert hosts.run(name, ["sh", "-c", "ls -A; touch here; pwd"]).stdout == f"{hosts.home}\n"
    assert hosts.run("host1", [hosts.agent, "-x", "host3", "hostname;", "pwd"]).stdout == "host3\n/\n"
    assert not list(hosts.home.iterdir())  # outside it is an empty folder


def test_a_link_is_no_faster_than_asked_for(make_hosts):
    count, bandwidth, latency = 1 << 20, 100e6, 0.002
    answered, sent = exchange(make_hosts(2, bandwidth=bandwidth, latency=latency), count)
    assert answered >= 2 * latency
    assert sent >= 0.9 * 8 * count / bandwidth + 2 * latency  # some of it passes at once
    assert exchange(make_hosts(2, bandwidth=bandwidth), count)[1] >= 0.9 * 8 * count / bandwidth
    assert exchange(make_hosts(2, latency=latency), count)[0] >= 2 * latency


def test_a_host_that_is_cut_off_hears_nothing_until_it_is_mended(make_hosts):
    for settings in ({}, {"latency": 1e-3}):
        hosts = make_hosts(2, **settings)
        send = [sys.executable, "-c", "import socket; socket.create_connection(('host1', 5001), timeout=0.3)"]
        assert "refused" in hosts.run("host2", send).stderr
        hosts.cut("host2")
        assert "timed out" in hosts.run("host2", send).stderr
        hosts.mend("host2")
        deadline = time.monotonic() + 20
        while "refused" not in hosts.run("host2", send).stderr:
            assert time.monotonic() < deadline


def test_nothing_stays_after_a_kill(make_hosts):
    make_hosts(1)  # or skip
    # On host2 a process of its own session that no signal but SIGKILL ends.
    script = """dirname $0; setsid $0 host2 'trap "" TERM HUP; hostname; sleep 1000 & wait' & wait"""
    words = [sys.executable, TOOL, "--count", "2", "--", "sh", "-c", script, "{agent}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as job:
        folder = Path(job.stdout.readline().strip())
        assert job.stdout.readline() == "host2\n"
        assert folder.is_dir()
        watched = [os.pidfd_open(process) for process in descendants(job.pid)]
        assert len(watched) > 6
        job.kill()
    for descriptor in watched:
        assert select.select([descriptor], [], [], 20)[0], "a process is left"
        os.close(descriptor)
    deadline = time.monotonic() + 20
    while folder.exists():
        assert time.monotonic() < deadline, "a folder is left"


def descendants(process: int) -> list[int]:
    """The numbers of all processes below one."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in children] + [one for child in children for one in descendants(int(child))]
