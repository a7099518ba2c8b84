"""What an experiment file may say: its sections and their keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from ravine.data.settings import DataSettings
from ravine.distributed.settings import ParallelSettings
from ravine.groups import GroupSettings, Size

LARGEST = 2**31 - 1
Count = Annotated[int, Meta(ge=1, le=LARGEST)]
Table = dict[str, Any]


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class ModelSettings(_Section, frozen=True):
    """The network.

    Args:
        layers: in order, tables with a "type" of the catalog and its settings, or bare names.
        calibrate: before the first step, draw the weights as orthogonal matrices and scale them, layer by
            layer, to unit variance on training samples (LSUV), instead of the layers' weight initializers.
    """

    layers: Annotated[list[Table | str], Meta(min_length=1)]
    calibrate: bool = False


class RegularizationSettings(_Section, frozen=True):
    """What keeps weights and gradients small.

    Args:
        l2: lambda of the L2 penalty over the weights (not biases), at least 0.
        l2_form: "squared" is lambda/2 sum w^2; "norm" is lambda ||W||_2 for each weight tensor, the group
            lasso, which pulls each as a whole with a force that does not fade.
        l1: lambda of lambda sum |w| over the weights, at least 0.
        l1_form: "subgradient" adds lambda sign(w) to the gradient; "proximal" moves each weight towards 0 by
            learning rate times lambda after the update, and those that would cross it become exactly 0.
        clip_value: largest magnitude of an element of the gradient, after the norms; 0 does not clip.
        clip_layer_norm: largest norm of the gradient of each layer, weights and biases together; 0 does not
            clip.
        clip_norm: largest norm of the whole gradient, after the layers' norms; 0 does not clip.
        max_norm: largest norm of the weights into each unit; after the update longer ones are scaled down to
            it. 0 has no limit.
    """

    l2: Size = 0.0
    l2_form: Literal["squared", "norm"] = "squared"
    l1: Size = 0.0
    l1_form: Literal["subgradient", "proximal"] = "subgradient"
    clip_value: Size = 0.0
    clip_layer_norm: Size = 0.0
    clip_norm: Size = 0.0
    max_norm: Size = 0.0


class TrainingSettings(_Section, frozen=True):
    """How long, and in which batches.

    Args:
        epochs: passes over the training samples, at least 1.
        batch_size: samples a step, at least 1; "all": the whole training set in one step (full-batch gradient
            descent). The outputs of all layers for it are in memory, unless `micro_batch` is set.
        micro_batch: samples that are computed at once. The gradients of a batch's parts are added before the
            update (gradient accumulation): memory is a part's, the gradient the whole batch's, but that batch
            normalization takes its moments over a part. 0: a batch at once.
        shuffle: a new random order each epoch; false keeps the order of the data, as the sampler
            "sequential" does. Other orders are those of `data.sampler`.
        drop_last: leave out a last batch that is not full.
        evaluate_every: epochs between evaluations on the validation samples.
        checkpoint_seconds: least time between two checkpoints at the end of epochs; the last is always saved.
        keep_checkpoints: how many of the latest are kept, beside the best.
        patience: evaluations in a row without a lower validation loss after which training ends early; the
            network then gets the weights of the lowest loss, as it does after the last epoch. 0 for neither.
        minimum_change: by how much the validation loss must fall to count as lower.
        average_weights: decay d of an exponential moving average of the weights, in [0, 1); 0 for none. All
            evaluations, the best checkpoint and the trained network have the average, see `AveragedWeights`.
    """

    epochs: Count = 10
    batch_size: Literal["all"] | Count = 32
    micro_batch: Annotated[int, Meta(ge=0, le=LARGEST)] = 0
    shuffle: bool = True
    drop_last: bool = False
    evaluate_every: Count = 1
    checkpoint_seconds: Size = 5.0
    keep_checkpoints: Count = 3
    patience: Annotated[int, Meta(ge=0, le=LARGEST)] = 0
    minimum_change: Size = 0.0
    average_weights: Size = 0.0


class ComputeSettings(_Section, frozen=True):
    """Where and how it is computed.

    Args:
        device: "cpu", "cuda" or "cuda:N".
        threads: workers on a CPU, or "auto": measured in training; the result does not depend on it.
        dtype: "float32", "float64" to judge by, or "bfloat16": what products and convolutions multiply is
            rounded to 8 significant bits, and so is what layers hand on; sums, moments, losses, weights and
            their updates stay float32 (see `Sequential.network`).
        fuse: bias, activation and its derivative are part of the operation before them. This and the next
            switches decide how a step is computed, not what: switch one off to see its effect.
        fuse_normalization: batch normalization, the addition of a shortcut and the activation are one pass.
        phases: workers wait for each other between phases instead of between operations.
        chunks: neighbouring convolutions and poolings take a few images after the other through all of them.
        own_products: products over short sums are computed by kernels of our own.
        winograd: convolutions with windows of 3 x 3 and 5 x 5, except in float64, are computed by Winograd's
            method: with less than half of the multiplications, and more rounding: some 1e-6 of the values,
            up to 6e-6 in gradients of weights, where direct sums have 5e-7.
        store_bfloat16: in bfloat16, what lies between operations that can read and write it is stored in it,
            which takes half of the memory; otherwise only what is multiplied is rounded.
        device_steps: on a GPU, training steps follow each other without a stop for the host.
        device_data: share of a GPU's free memory that samples may take, so that batches are made there; 0:
            they are made by the processor.
        tf32: on a GPU, in float32: what products and convolutions multiply may be rounded to 11 significant
            bits (TF32), which is several times as fast; sums stay float32. It changes nothing on a CPU and in
            other types.
        share_memory: tensors that do not live at the same time share memory.
        checkpoint_every: layers between outputs that are kept for the backward pass; what lies between is
            computed again there, which takes less memory and more time (gradient checkpointing); the bits are
            the same. 0 keeps all.
    """

    device: str = "cpu"
    threads: Literal["auto"] | Annotated[int, Meta(ge=1, le=1024)] = "auto"
    dtype: Literal["float32", "float64", "bfloat16"] = "float32"
    fuse: bool = True
    fuse_normalization: bool = True
    phases: bool = True
    chunks: bool = True
    own_products: bool = True
    winograd: bool = True
    store_bfloat16: bool = True
    device_steps: bool = True
    device_data: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.5
    tf32: bool = False
    share_memory: bool = True
    checkpoint_every: Annotated[int, Meta(ge=0, le=LARGEST)] = 0

    @property
    def array_dtype(self) -> str:
        """Of data and parameters."""
        return "float64" if self.dtype == "float64" else "float32"

    def options(self) -> dict[str, bool | int]:
        """How a step is computed, as `Network` takes it."""
        names = set(self.__struct_fields__) - {"device", "device_data", "threads", "dtype"}
        return {name: getattr(self, name) for name in sorted(names)}


class StatisticsSettings(_Section, frozen=True):
    """What is recorded.

    Args:
        level: of layers: "off", nothing; "norms", mean, variance and fraction of zeros of every layer's
            output and the norms of its gradient, weights and update; "full", every `full_every` steps
            distributions (percentiles, histograms) of outputs, weights and gradients too.
        every: steps between records; 0 records no step.
        full_every: steps between distributions.
    """

    level: Literal["off", "norms", "full"] = "norms"
    every: Annotated[int, Meta(ge=0, le=LARGEST)] = 1
    full_every: Count = 100


class Experiment(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A run, fully described.

    Args:
        name: of the run folder.
        seed: of weights, order of samples and masks, below 2^63.
        schedules: for a hyperparameter that is to change, a schedule of the catalog: a table or a bare name.
        groups: parameters that are trained otherwise, by patterns of their names.
        data, model, loss, optimizer, regularization, training, compute, parallel, statistics: the sections.

    Example:
        >>> from ravine import load_experiment
        >>> load_experiment("digits").training.epochs
        15
    """

    name: str = "run"
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    loss: str | Table = "softmax_cross_entropy"
    data: DataSettings
    model: ModelSettings
    optimizer: str | Table
    schedules: dict[str, Any] = {}
    regularization: RegularizationSettings = RegularizationSettings()
    groups: list[GroupSettings] = []
    training: TrainingSettings = TrainingSettings()
    compute: ComputeSettings = ComputeSettings()
    parallel: ParallelSettings = ParallelSettings()
    statistics: StatisticsSettings = StatisticsSettings()
