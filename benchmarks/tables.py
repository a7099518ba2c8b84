"""Times how long a CSV file takes to become inputs and labels in memory, beside pandas.

    python benchmarks/tables.py [--only rows_1m ...] [--threads 2] [--repeats 5]

The file is written to a folder of its own, read once before anything is timed, and removed.
Prints the table, and writes tables.json and tables.md to benchmarks/results/.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from contenders import Contender, LeftOutError, alternately, leave_out
from reporting import parse, parser, progress, table, write

SIZES = {"rows_100k": 100_000, "rows_1m": 1_000_000}
QUICK_ROWS = 1000
NUMBERS = 10
CATEGORIES = {"colour": 8, "town": 50}
MODULES = {
    "Ravine": ("in_ravine", (False,)),
    "Ravine, load": ("in_ravine", (True,)),
    "pandas": ("in_pandas", ("c",)),
    "pandas, engine pyarrow": ("in_pandas", ("pyarrow",)),
}


def write_table(path: Path, rows: int) -> None:
    """Ten columns of numbers, two of categories and a label, in six digits."""
    random = np.random.default_rng(1)
    numbers = random.normal(size=(rows, NUMBERS))
    texts = [
        [f"{name} {one}" for one in random.integers(0, count, rows)] for name, count in CATEGORIES.items()
    ]
    labels = [("no", "yes")[one] for one in random.integers(0, 2, rows)]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join([*(f"x{place}" for place in range(NUMBERS)), *CATEGORIES, "label"]) + "\n")
        for values, *others in zip(numbers.tolist(), *texts, labels, strict=True):
            file.write(",".join([*(f"{value:.6g}" for value in values), *others]) + "\n")


def measure(path: Path, contenders: dict[str, Contender], repeats: int) -> dict[str, Any]:
    """Microseconds that each takes for the whole file."""
    runs = {}
    for name, contender in contenders.items():
        try:
            contender.prepare(name, "prepare_table", path, *MODULES[name][1])
            runs[name] = contender
        except LeftOutError as error:
            leave_out(name, error)
    times = alternately(runs, repeats)
    for contender in contenders.values():
        contender.forget()
    return times


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table."""
    found = [f"{row['rows']:,}", f"{row['megabytes']:.1f}", str(row["threads"])]
    for name in MODULES:
        taken = row["times"].get(name)
        if taken is None:
            found.append("-")
            continue
        seconds = taken["minimum"] / 1e6
        found.append(f"{seconds:.3f} ({row['megabytes'] / seconds:,.0f} MB/s)")
    return found


def main(words: Sequence[str] | None = None) -> None:
    chosen = parse(parser(__doc__, SIZES), words)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in chosen.only or SIZES:
            path = Path(folder) / f"{size}.csv"
            count = QUICK_ROWS if chosen.quick else SIZES[size]
            write_table(path, count)
            for threads in chosen.threads or [2]:
                with ExitStack() as stack:
                    contenders = {
                        name: stack.enter_context(Contender(module, threads))
                        for name, (module, _) in MODULES.items()
                        if name.startswith("Ravine") or not chosen.without_peers
                    }
                    times = measure(path, contenders, chosen.repeats)
                megabytes = path.stat().st_size / 1e6
                rows.append({"rows": count, "megabytes": megabytes, "threads": threads, "times": times})
                progress(" | ".join(cells(rows[-1])))
    head = ["rows", "MB", "threads", *(f"{name} (s)" for name in MODULES)]
    inputs = NUMBERS + sum(CATEGORIES.values())
    introduction = f"""
        Minimum of {chosen.repeats} repeats, seconds from a CSV file in the page cache ({NUMBERS}
        columns of numbers, 2 of categories, a label) to {inputs} inputs in float32, one row after
        the other, and labels in int32. Ravine finds missing values on its way; `load`, what a training
        calls, also hashes the data and checks that they are finite. Pandas' time is that of `read_csv`,
        `get_dummies`, `to_numpy` and `factorize`.
    """
    write(chosen, "tables", "Reading tables", introduction, table(head, map(cells, rows)), rows)


if __name__ == "__main__":
    main()
