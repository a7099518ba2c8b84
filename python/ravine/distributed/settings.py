"""What an experiment says of training on several ranks: its section [parallel]."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

MOST_RANKS = 1 << 20
LARGEST = 2**31 - 1


class ParallelSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How ranks share the work, where mpirun starts several; without it only `deterministic` counts.

    Args:
        data: data-parallel groups, each with rows of its own of every batch; 0: as many as there are ranks
            for.
        model: ranks of a group, which hold parts of the layers; data x model is the number of ranks.
        bucket_megabytes: gradients are summed in slices of so many MB (10^6 bytes) while the backward pass
            goes on; "auto": the fastest of several sizes, measured in the first steps.
        transport: "full", or "bfloat16": float32 gradients travel rounded to 8 significant bits, in half of
            the bytes.
        backend: what carries gradients from GPU to GPU: "cuda_mpi", an MPI that reads and writes their
            memory; "nccl"; "host", copies in memory of the host; "auto": the first that all ranks have.
        overlap: sums go on while the backward pass does.
        normalization: batch normalization takes its moments over the rows of each "rank", or "synchronized"
            over the whole batch.
        deterministic: the result is the same bits for any number of data-parallel ranks up to
            `deterministic_parts`, as a batch is always computed in so many parts.
        deterministic_parts: of a batch.
        average_every: steps that each rank makes with its own rows alone before the weights are averaged; 1
            sums the gradients of every step. More is another algorithm (local SGD), no longer what one rank
            computes.
        split: layers whose units are divided among the ranks of a group, or "auto": all that gain by it.
        timeout_seconds: all ranks end where one has not been heard of for so long.

    Example:
        >>> ParallelSettings(model=2).normalization
        'rank'
    """

    data: Annotated[int, Meta(ge=0, le=MOST_RANKS)] = 0
    model: Annotated[int, Meta(ge=1, le=MOST_RANKS)] = 1
    bucket_megabytes: Literal["auto"] | Annotated[float, Meta(gt=0, le=65536)] = 25.0
    transport: Literal["full", "bfloat16"] = "full"
    backend: Literal["auto", "cuda_mpi", "nccl", "host"] = "auto"
    overlap: bool = True
    normalization: Literal["rank", "synchronized"] = "rank"
    deterministic: bool = False
    deterministic_parts: Annotated[int, Meta(ge=1, le=65536)] = 16
    average_every: Annotated[int, Meta(ge=1, le=LARGEST)] = 1
    split: Literal["auto"] | list[str] = "auto"
    timeout_seconds: Annotated[float, Meta(gt=0, le=1e9)] = 60.0
