"""Data: loading, checking, splitting, preprocessing and batching of samples."""

from __future__ import annotations

from ravine.data.arrays import as_array
from ravine.data.batch_source import BatchSource, Chunk
from ravine.data.corruption import CorruptionSettings
from ravine.data.dataset import Array, Dataset, as_dataset, as_inputs, as_labels
from ravine.data.digits import load_digits
from ravine.data.idx import read_idx
from ravine.data.load import DataParts, DataSummary, load
from ravine.data.npz import npz_names, read_npy, read_npz
from ravine.data.prefetch import Prefetcher
from ravine.data.preprocessing import Transform, fit
from ravine.data.sampler import (
    BalancedSampler,
    HardSampler,
    MixedSampler,
    Sampler,
    SamplerSettings,
    SequentialSampler,
    epoch_order,
)
from ravine.data.settings import DataSettings, SplitSettings
from ravine.data.source import ArraySource, Encoder, Source
from ravine.data.split import Split, split
from ravine.data.tables.settings import TableSettings

__all__ = [
    "Array",
    "ArraySource",
    "BalancedSampler",
    "BatchSource",
    "Chunk",
    "CorruptionSettings",
    "DataParts",
    "DataSettings",
    "DataSummary",
    "Dataset",
    "Encoder",
    "HardSampler",
    "MixedSampler",
    "Prefetcher",
    "Sampler",
    "SamplerSettings",
    "SequentialSampler",
    "Source",
    "Split",
    "SplitSettings",
    "TableSettings",
    "Transform",
    "as_array",
    "as_dataset",
    "as_inputs",
    "as_labels",
    "epoch_order",
    "fit",
    "load",
    "load_digits",
    "npz_names",
    "read_idx",
    "read_npy",
    "read_npz",
    "split",
]
