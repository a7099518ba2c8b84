"""`ravine data`: what helps with data before a training."""

from __future__ import annotations

import argparse
from types import ModuleType

from ravine.commands import data_get, data_inspect, data_sheet

HELP = "get data sets, look into files of data, and show augmentation"
EXAMPLE = "ravine data inspect prices.csv"
SUBCOMMANDS: dict[str, ModuleType] = {"get": data_get, "inspect": data_inspect, "sheet": data_sheet}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="subcommand", metavar="<command>", title="commands", required=True)
    for name, command in SUBCOMMANDS.items():
        sub = commands.add_parser(
            name,
            help=command.HELP,
            description=f"{command.HELP[0].upper()}{command.HELP[1:]}.",
            epilog=f"example:\n  {command.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(sub)
        sub.set_defaults(parser=sub)


def run(arguments: argparse.Namespace) -> int:
    code: int = SUBCOMMANDS[arguments.subcommand].run(arguments)
    return code
