"""What every benchmark's script shares: options, the facts that figures depend on, and files of results."""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import sys
import textwrap
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from ravine import _core

RESULTS = Path(__file__).resolve().parent / "results"
QUICK = RESULTS.parents[1] / "build" / "benchmarks"
PACKAGES = ("ravine", "numpy", "torch", "jax", "scikit-learn", "pandas", "pyarrow")


def parser(documentation: str | None, names: Iterable[str]) -> argparse.ArgumentParser:
    """The options that all scripts have; `names` is what --only takes."""
    made = argparse.ArgumentParser(
        description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--only", nargs="+", choices=list(names), help="do nothing else")
    made.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works")
    made.add_argument("--threads", type=int, nargs="+", help="how many, one after the other")
    made.add_argument("--repeats", type=int, default=5, help="of what is timed, after a warm-up")
    made.add_argument("--without-peers", action="store_true", help="time Ravine alone")
    made.add_argument("--output", type=Path, default=RESULTS, metavar="DIR", help="for the results")
    return made


def parse(made: argparse.ArgumentParser, words: Sequence[str] | None) -> argparse.Namespace:
    """The options; --quick repeats once, and leaves the results that are kept alone."""
    chosen = made.parse_args(words)
    if chosen.quick:
        chosen.repeats = 1
        chosen.output = QUICK if chosen.output == RESULTS else chosen.output
    chosen.output.mkdir(parents=True, exist_ok=True)
    return chosen


def processor() -> str:
    """The processor's name; figures mean little without it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def caches() -> dict[str, int]:
    """Bytes of each level of data cache that the first processor sees, by name."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found[f"L{level}"] = int(size.rstrip("KMG")) << {"K": 10, "M": 20, "G": 30}[size[-1]]
    return found


def facts() -> dict[str, Any]:
    """Date, machine and versions."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    versions |= {name: detail for name, there, detail in _core.report() if there}
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": _core.available_processors(),
        "caches": caches(),
        "versions": versions,
    }


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write(chosen: argparse.Namespace, name: str, title: str, introduction: str, body: str, rows: Any) -> None:
    """NAME.json with all figures and NAME.md with what a reader wants; prints the latter.

    Args:
        chosen: the options.
        name: of the files.
        title, introduction, body: of the Markdown; the introduction is wrapped.
        rows: for the JSON.
    """
    known = facts()
    versions = ", ".join(f"{package} {version}" for package, version in known["versions"].items())
    sizes = ", ".join(f"{level} {size >> 10:,} KiB" for level, size in known["caches"].items())
    about = f"{known['date']}, {known['processor']}, {known['cores']} cores, caches {sizes}; {versions}."
    content = {**known, "repeats": chosen.repeats, "rows": rows}
    (chosen.output / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    wrapped = [textwrap.fill(" ".join(one.split()), 120) for one in (introduction, about)]
    text = f"# {title}\n\n{wrapped[0]}\n\n{body}\n\n{wrapped[1]}\n"
    (chosen.output / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


def progress(words: str) -> None:
    """A line for whoever waits."""
    print(words, file=sys.stderr, flush=True)
