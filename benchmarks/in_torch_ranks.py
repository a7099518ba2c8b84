"""The workloads in PyTorch on several ranks: DistributedDataParallel over gloo."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from in_pytorch import make_optimizer, network, one_step, samples
from teams import FOLDER
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from workloads import Workload


def begin() -> tuple[int, int]:
    """This rank, and how many there are, once they know each other."""
    rank, ranks = (int(os.environ[f"OMPI_COMM_WORLD_{name}"]) for name in ("RANK", "SIZE"))
    if not distributed.is_initialized():
        meeting = Path(os.environ[FOLDER]) / "torch"
        distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=ranks)
    return rank, ranks


def prepare(workload: Workload, threads: int) -> Callable[[], int]:
    """A function that does `workload.steps` steps, each rank with its part of the batch.

    Moments of batch normalization stay each rank's own, as in Ravine's run, and gradients lie in the buckets.
    """
    torch.set_num_threads(threads)
    _, ranks = begin()
    part = replace(workload, batch=workload.batch // ranks)
    model = DistributedDataParallel(
        network(part), forward_sync_buffers=False, gradient_as_bucket_view=True, static_graph=True
    )
    optimizer = make_optimizer(part, model.parameters(), fused=True)
    inputs, labels = samples(part, part.batches() * part.batch)

    def run() -> int:
        distributed.barrier()
        for step in range(part.steps):
            begin = step % part.batches() * part.batch
            rows = slice(begin, begin + part.batch)
            one_step(model, optimizer, inputs[rows], labels[rows], contextlib.nullcontext())
        return part.steps

    return run


def prepare_sum(count: int, repeats: int) -> Callable[[], int]:
    """A function that sums so many float32 among all ranks, as often as asked for."""
    begin()
    values = torch.zeros(count)

    def run() -> int:
        for _ in range(repeats):
            distributed.all_reduce(values)
        return repeats

    return run
