"""Times gathering shuffled rows beside memcpy of the same bytes, NumPy and PyTorch.

    python benchmarks/gather.py [--only 64 784 ...] [--threads 1 2] [--repeats 5]

Rows of float32, and bytes that become float32 by a mean and a scale for each feature. Prints the table, and
writes gather.json and gather.md to benchmarks/results/.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from reporting import parse, parser, progress, table, write

from ravine import _core
from ravine.data._gather import gather_rows, gather_scaled

FLOATS = (64, 256, 784, 1024, 3072)
PLACES = {"in cache": 1 << 19, "in memory": 512 << 20}  # bytes of the source, as float32
STAGING_BYTES = 8 << 20  # as the trainer's: rows are gathered into two such buffers by turns
MEASURED_BYTES = 64 << 20  # that are written in one measurement

Part = tuple[slice, int]  # rows that are gathered together, and the buffer they go to
Run = Callable[[], None]


class Parts:
    """The parts of a source, a measurement after the other; contenders begin at different places of it.

    So that none finds in the cache what the one before has read, where the source is larger than that.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.rows = rows
        self.at_once = min(rows, max(1, STAGING_BYTES // (4 * columns)))
        begins = range(0, rows - self.at_once + 1, self.at_once)
        self.all = [(slice(begin, begin + self.at_once), turn % 2) for turn, begin in enumerate(begins)]
        self.taken = max(1, MEASURED_BYTES // (4 * columns * self.at_once))  # a measurement
        self.started = 0

    @property
    def rows_measured(self) -> int:
        """Rows of a measurement."""
        return self.taken * self.at_once

    def iterator(self) -> Iterator[list[Part]]:
        """Those of one contender."""
        begin = self.started * self.taken
        self.started += 1
        return self._from(begin)

    def _from(self, begin: int) -> Iterator[list[Part]]:
        while True:
            yield [self.all[number % len(self.all)] for number in range(begin, begin + self.taken)]
            begin += self.taken


def split(part: slice, threads: int) -> list[slice]:
    """The share of each thread."""
    length = part.stop - part.start
    ends = [part.start + length * number // threads for number in range(threads + 1)]
    return [slice(begin, end) for begin, end in itertools.pairwise(ends)]


def in_threads(work: Callable[[int], None], threads: int) -> None:
    """Calls work(0), work(1), ... at the same time."""
    if threads == 1:
        work(0)
        return
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def floats(parts: Parts, columns: int, threads: int, peers: bool) -> dict[str, Run]:
    """Runs over float32 rows."""
    rows, at_once = parts.rows, parts.at_once
    random = np.random.default_rng(0)
    source = np.empty((rows, columns), np.float32)
    source[...] = np.arange(columns)
    order = random.permutation(rows)
    out = [np.zeros((at_once, columns), np.float32) for _ in range(2)]
    turns = [parts.iterator() for _ in range(4)]

    def copy() -> None:
        mine = next(turns[0])

        def work(number: int) -> None:
            for part, turn in mine:
                share = split(part, threads)[number]
                np.copyto(out[turn][share.start - part.start : share.stop - part.start], source[share])

        in_threads(work, threads)

    def ravine() -> None:
        for part, turn in next(turns[1]):
            gather_rows(source, order[part], out[turn][: part.stop - part.start], threads)

    def numpy() -> None:
        for part, turn in next(turns[2]):
            np.take(source, order[part], 0, out[turn][: part.stop - part.start], "clip")

    runs: dict[str, Run] = {"memcpy": copy, "Ravine": ravine, "NumPy": numpy}
    torch = imported_torch(threads) if peers else None
    if torch is not None:
        tensor, indices = torch.from_numpy(source), torch.from_numpy(order)
        targets = [torch.from_numpy(array) for array in out]

        def index_select() -> None:
            for part, turn in next(turns[3]):
                torch.index_select(tensor, 0, indices[part], out=targets[turn][: part.stop - part.start])

        runs["PyTorch"] = index_select
    return runs


def bytes_to_floats(parts: Parts, columns: int, threads: int, peers: bool) -> dict[str, Run]:
    """Runs over bytes that become float32, standardized."""
    rows, at_once = parts.rows, parts.at_once
    random = np.random.default_rng(0)
    source = random.integers(0, 256, (rows, columns), np.uint8)
    order = random.permutation(rows)
    mean, scale = random.uniform(0, 255, columns), random.uniform(0.01, 1, columns)
    mean32, scale32 = mean.astype(np.float32), scale.astype(np.float32)
    out = [np.zeros((at_once, columns), np.float32) for _ in range(2)]
    taken = np.zeros((at_once, columns), np.uint8)
    turns = [parts.iterator() for _ in range(4)]

    def ravine() -> None:
        for part, turn in next(turns[1]):
            gather_scaled(source, order[part], mean, scale, out[turn][: part.stop - part.start], threads)

    def numpy() -> None:
        for part, turn in next(turns[2]):
            count = part.stop - part.start
            np.take(source, order[part], 0, taken[:count], "clip")
            np.subtract(taken[:count], mean32, out[turn][:count], dtype=np.float32)
            out[turn][:count] *= scale32

    runs: dict[str, Run] = {"Ravine": ravine, "NumPy": numpy}
    torch = imported_torch(threads) if peers else None
    if torch is not None:
        tensor, indices = torch.from_numpy(source), torch.from_numpy(order)
        average, factor = torch.from_numpy(mean32), torch.from_numpy(scale32)

        def index_select() -> None:
            for part, _ in next(turns[3]):
                torch.index_select(tensor, 0, indices[part]).float().sub_(average).mul_(factor)

        runs["PyTorch"] = index_select
    return runs


def imported_torch(threads: int) -> Any:
    """PyTorch, where it is installed."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    torch.set_num_threads(threads)
    return torch


def minima(runs: dict[str, Run], repeats: int) -> dict[str, float]:
    """Seconds of each, which take turns after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: min(taken) for name, taken in times.items()}


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table: GB/s of what is written."""
    speed = {name: row["bytes"] / seconds / 1e9 for name, seconds in row["seconds"].items()}
    share = f"{100 * speed['Ravine'] / speed['memcpy']:.0f} %" if "memcpy" in speed else "-"
    found = [row["values"], str(row["floats"]), row["place"], str(row["threads"])]
    found += [f"{speed[name]:.1f}" if name in speed else "-" for name in ("memcpy", "Ravine")]
    return [*found, share, *(f"{speed[name]:.1f}" if name in speed else "-" for name in ("NumPy", "PyTorch"))]


def main(words: Sequence[str] | None = None) -> None:
    chosen = parse(parser(__doc__, map(str, FLOATS)), words)
    rows = []
    widths = [int(number) for number in chosen.only] if chosen.only else FLOATS
    processors = _core.available_processors()
    for threads in chosen.threads or sorted({1, min(2, processors)}):
        for columns in widths:
            for place, size in PLACES.items():
                source_rows = (1 << 16 if chosen.quick else size) // (4 * columns)
                for values, prepare in (("float32", floats), ("bytes, scaled", bytes_to_floats)):
                    parts = Parts(source_rows, columns)
                    runs = prepare(parts, columns, threads, not chosen.without_peers)
                    rows.append(
                        {
                            "values": values, "floats": columns, "place": place, "threads": threads,
                            "bytes": parts.rows_measured * columns * 4,
                            "seconds": minima(runs, chosen.repeats),
                        }
                    )  # fmt: skip
                    progress(" | ".join(cells(rows[-1])))
    rows.sort(key=lambda row: (row["values"], row["threads"], list(PLACES).index(row["place"])))
    head = [
        "values", "floats a row", "source", "threads", "memcpy", "Ravine", "of memcpy", "NumPy", "PyTorch"
    ]  # fmt: skip
    introduction = f"""
        GB/s of the float32 that are written, from the minimum of {chosen.repeats} repeats. Rows in random
        order go to buffers of 8 MiB, as when a network trains; memcpy copies the same rows in their order.
        The source is as large as 512 KiB (in cache) or 512 MiB (in memory) as float32. "bytes, scaled" are
        bytes from which a mean is subtracted and which are multiplied by a scale, each of its feature: in one
        pass in Ravine, computed in float64; a take or index_select and two operations in float32 in the
        peers. NumPy has one thread.
    """
    body = table(head, map(cells, rows))
    write(chosen, "gather", "Gathering rows beside memcpy", introduction, body, rows)


if __name__ == "__main__":
    main()
