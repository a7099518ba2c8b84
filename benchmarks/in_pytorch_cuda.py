"""The workloads in PyTorch on a GPU, with their data in its memory: eager, or compiled in bfloat16."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import torch
from contenders import LeftOutError
from in_pytorch import make_optimizer, network, one_step, samples
from workloads import Workload

# What torch.compile is asked for; None runs eagerly.
MODES = {"eager": None, "compiled": "default", "compiled, graphs": "reduce-overhead"}


def prepare(workload: Workload, device: str, mode: str = "eager") -> Callable[[], int]:
    """A function that does `workload.steps` steps, waits for the GPU, and returns their number.

    float32 is float32: TF32 is off, as it is in Ravine unless it is chosen.

    Args:
        workload: what to do; its dtype "bfloat16" means autocast.
        device: such as "cuda:0".
        mode: one of MODES.
    """
    kind = device.partition(":")[0]
    if kind == "cuda" and not torch.cuda.is_available():
        raise LeftOutError(f"PyTorch {torch.__version__} sees no GPU")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True  # the fastest algorithm of each convolution, measured once
    model = network(workload).to(device)
    optimizer = make_optimizer(workload, model.parameters(), fused=True)
    wait = torch.cuda.synchronize if kind == "cuda" else lambda: None
    if workload.update_only:
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)

        def update() -> int:
            for _ in range(workload.steps):
                optimizer.step()
            wait()
            return workload.steps

        return update

    called = model if MODES[mode] is None else torch.compile(model, mode=MODES[mode])
    inputs, labels = (each.to(device) for each in samples(workload, workload.batches() * workload.batch))
    autocast = torch.autocast(kind, torch.bfloat16)
    precision = autocast if workload.dtype == "bfloat16" else contextlib.nullcontext()

    def steps(count: int) -> int:
        for step in range(count):
            begin = step % workload.batches() * workload.batch
            rows = slice(begin, begin + workload.batch)
            one_step(called, optimizer, inputs[rows], labels[rows], precision)
        wait()
        return count

    try:
        steps(3)  # compiles, and chooses algorithms
    except Exception as error:
        raise LeftOutError(f"{mode}: {str(error).strip().partition(chr(10))[0]}") from error
    return lambda: steps(workload.steps)
