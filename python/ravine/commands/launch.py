"""`ravine launch`: runs a command on several ranks by mpirun, and starts again where a rank was lost."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ravine.commands.failure import BAD_INPUT, INTERRUPTED, NOT_FINITE
from ravine.commands.output import notice
from ravine.errors import InputError, RavineError

if TYPE_CHECKING:
    from ravine.distributed.hosts import Host
    from ravine.distributed.launched import Ending

HELP = "train with several ranks, on this machine or on several"
EXAMPLE = "ravine launch -n 2 train digits"
FINAL = (BAD_INPUT, NOT_FINITE, INTERRUPTED)  # exit codes that another try would end with, too


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n", type=int, metavar="N", dest="ranks", help="ranks (default: all that hosts take)"
    )
    machines = parser.add_mutually_exclusive_group()
    machines.add_argument("--hosts", metavar="A:2,B:2", help="machines, and how many ranks each takes")
    machines.add_argument(
        "--hostfile", type=Path, metavar="FILE", help="file of machines: a line each, such as `anna slots=2`"
    )
    parser.add_argument(
        "--restarts", type=int, default=0, metavar="N",
        help="how often to go on from the last checkpoint where a rank is lost (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--network", metavar="NAME|SUBNET", help="the network between the machines, such as 192.168.1.0/24"
    )
    parser.add_argument("--mpirun", type=Path, metavar="PATH", help="another mpirun")
    parser.add_argument("--dry-run", action="store_true", help="print the line of mpirun, and do no more")
    parser.add_argument("COMMAND", nargs=argparse.REMAINDER, help="train or resume, with what belongs to it")


def run(arguments: argparse.Namespace) -> int:
    from ravine.distributed.failure import FACTS
    from ravine.distributed.hosts import hosts_of_file, hosts_of_list
    from ravine.distributed.launched import run_job
    from ravine.distributed.mpirun import find_launcher

    command = checked_command(arguments.COMMAND)
    hosts: list[Host] = []
    if arguments.hosts is not None:
        hosts = hosts_of_list(arguments.hosts)
    elif arguments.hostfile is not None:
        hosts = hosts_of_file(arguments.hostfile)
    ranks = checked_ranks(arguments.ranks, hosts)
    if arguments.restarts < 0:
        raise InputError(f"is {arguments.restarts}; expected at least 0", key="--restarts")
    launcher = find_launcher(arguments.mpirun)
    hostfile = None if arguments.hostfile is None else arguments.hostfile.absolute()
    restarts = 0
    while True:
        # The same Python on all machines, whatever their shells would find.
        words = launcher.words(
            ranks,
            [sys.executable, "-m", "ravine", *command],
            hosts=hosts,
            hostfile=hostfile,
            network=arguments.network,
            environment={**os.environ, FACTS: "1"},
        )
        if arguments.dry_run:
            print(shlex.join(words))
            return 0
        notice(shlex.join(words))
        ending = run_job(
            words,
            codes_are_signals=launcher.kind == "MPICH",
            on_fact=tell_start if restarts else lambda _: None,
        )
        if ending.interrupted:
            return INTERRUPTED
        final = ending.code == 0 or ending.finished or ending.code in FINAL
        if final or restarts == arguments.restarts:
            if ending.reason and not ending.told:
                notice(f"ravine: error: {ending.reason}")
            if not final and restarts:
                notice(
                    f"ravine launch: given up after {restarts} {'restart' if restarts == 1 else 'restarts'}"
                )
            if not final and ending.run:
                again = ["ravine", "launch", *options(arguments, ranks), "resume", ending.run]
                notice(f"ravine launch: go on with: {shlex.join(again)}")
            return ending.code
        restarts += 1
        notice(f"ravine launch: {ending.reason}; restart {restarts} of {arguments.restarts}{source(ending)}")
        if ending.run:
            command = ["resume", ending.run, *kept_options(command)]


def checked_command(words: list[str]) -> list[str]:
    """The command of the ranks, refused here where they would refuse it.

    Raises:
        InputError: it is none, none that ranks share, or its arguments cannot be used.
    """
    from ravine.cli import parser
    from ravine.commands import ON_ALL_RANKS

    if not words:
        raise InputError(f"what shall the ranks do? expected {', '.join(ON_ALL_RANKS)}; such as: {EXAMPLE}")
    if words[0] not in ON_ALL_RANKS:
        raise InputError(f"'{words[0]}' is for one rank; expected {', '.join(ON_ALL_RANKS)}")
    parsed, unknown = parser().parse_known_args(words)
    if unknown:
        parsed.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return words


def checked_ranks(asked: int | None, hosts: list[Host]) -> int:
    """How many ranks to start.

    Raises:
        InputError: not given, not positive, or more than the hosts take.
    """
    from ravine.distributed.mpirun import is_allocated

    slots = sum(host.slots for host in hosts)
    if asked is None:
        if not hosts:
            raise InputError("how many ranks? expected a number, such as -n 2", key="-n")
        return slots
    if asked < 1:
        raise InputError(f"is {asked}; expected at least 1", key="-n")
    if hosts and asked > slots:
        raise InputError(f"is {asked}, but the hosts take {slots}; add slots or hosts", key="-n")
    if not hosts and not is_allocated() and asked > (count := os.cpu_count() or 1):
        notice(f"ravine: warning: {asked} ranks share {count} processors; {count} ranks would be faster")
    return asked


def kept_options(command: list[str]) -> list[str]:
    """Options of the first command that stand for the one that goes on with its run, too."""
    return [word for word in command if word in ("--quiet", "--json")]


def source(ending: Ending) -> str:
    """From where a restart goes on: the last checkpoint, where the run folder can be seen from here."""
    from ravine.training import checkpoint as checkpoints

    if not ending.run:
        return ", from the beginning"
    try:
        latest = checkpoints.latest(Path(ending.run))
    except RavineError:
        latest = None
    name = f"its last checkpoint, {latest.name}" if latest is not None else "its last checkpoint"
    return f", from {name} ({ending.run})"


def tell_start(fact: dict[str, object]) -> None:
    """From which step a restarted run goes on."""
    if "run" in fact:
        notice(f"ravine launch: goes on after step {int(str(fact['step'])):,}")


def options(arguments: argparse.Namespace, ranks: int) -> list[str]:
    """The options that start as many ranks on the same machines again."""
    words = ["-n", str(ranks)]
    for name in ("hosts", "hostfile", "network", "mpirun"):
        if (value := getattr(arguments, name)) is not None:
            words += [f"--{name}", str(value)]
    return words
