"""Ravine's core: networks, optimizers, the catalog."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ravine._core_ranks import Communicator as Communicator
from ravine._core_ranks import Ranks as Ranks
from ravine._core_ranks import exchanges as exchanges
from ravine._core_ranks import mpi_communicator as mpi_communicator
from ravine._core_ranks import mpi_functions as mpi_functions
from ravine._core_ranks import mpi_handles as mpi_handles
from ravine._core_ranks import thread_communicators as thread_communicators
from ravine._core_training import REGULARIZATION as REGULARIZATION
from ravine._core_training import Evaluation as Evaluation
from ravine._core_training import Optimizer as Optimizer
from ravine._core_training import TrainingResult as TrainingResult
from ravine._core_training import WeightAverage as WeightAverage
from ravine._core_training import custom_rule as custom_rule

__version__: str

# Arrays are of the network's array_dtype, float32 or float64; labels are int32. All must be contiguous.

# ---- the catalog -------------------------------------------------------------------------------------------

class Parameter:
    """One setting of a catalog entry."""

    def __repr__(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str:
        """One of "real", "integer", "boolean", "choice", "component", "numbers" or "layers"."""
    @property
    def required(self) -> bool: ...
    @property
    def default(self) -> Any:
        """None where the setting is required."""
    @property
    def minimum(self) -> float: ...
    @property
    def maximum(self) -> float: ...
    @property
    def minimum_included(self) -> bool: ...
    @property
    def maximum_included(self) -> bool: ...
    @property
    def range(self) -> str:
        """The limits in words, such as "at least 0"."""
    @property
    def choices(self) -> list[str]:
        """The words that are taken; of "real" and "numbers" beside numbers."""
    @property
    def component(self) -> str | None:
        """The kind of component that is expected, if one is."""
    @property
    def unit(self) -> str: ...
    @property
    def help(self) -> str: ...

class Entry:
    """One layer, block, activation, loss, initializer, calibration, optimizer, schedule or regularization of
    the catalog."""

    def __repr__(self) -> str: ...
    @property
    def kind(self) -> str:
        """One of "layer", "block", "activation", "loss", "initializer", "calibration", "optimizer",
        "schedule" or "regularization"."""
    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def formula(self) -> str: ...
    @property
    def reference(self) -> str: ...
    @property
    def parameters(self) -> list[Parameter]: ...
    @property
    def robbins_monro(self) -> str:
        """Of a schedule: "yes", "no", "depends on the run", or the condition."""
    @property
    def slides(self) -> str:
        """The lectures' slides that have it, by title, or those it goes beyond."""
    @property
    def without(self) -> str:
        """What goes wrong without it."""
    @property
    def erratum(self) -> str:
        """Where a slide is wrong, or lectures differ; empty where none does."""
    @property
    def example(self) -> str:
        """Python that runs, with its results; knows `np` and `ravine`."""
    @property
    def family(self) -> str:
        """The page of the documentation that it stands on, such as "optimizers"."""
    @property
    def full_batch(self) -> bool:
        """Of an optimizer: it wants the gradient of all samples."""
    @property
    def closure(self) -> bool:
        """Of an optimizer: it evaluates the loss of all samples several times in a step, and takes nothing
        less."""

def catalog(kind: str | None = None) -> list[Entry]:
    """All catalog entries, or those of one kind."""

def resolve(kind: str, component: dict[str, Any] | str) -> dict[str, Any]:
    """Checks a component (a name, or a table with 'type') and fills in its defaults."""

def closest(name: str, candidates: Sequence[str]) -> str:
    """The candidate that is most like the name, or an empty text."""

def schedule_values(
    component: dict[str, Any] | str,
    base: float,
    steps: int,
    steps_per_epoch: int,
    first_step: int = 0,
    count: int | None = None,
    *,
    every: int = 1,
) -> NDArray[np.float64]:
    """What a schedule gives at the steps of a run: first_step, first_step + every, ..."""

def schedule_waits(component: dict[str, Any] | str) -> bool:
    """Whether the value is changed by what is measured, not by time alone."""

def robbins_monro(component: dict[str, Any] | str, base: float = 1.0) -> tuple[str, str]:
    """Whether the values have an infinite sum and their squares a finite one: (yes, no or depends; why)."""

# ---- networks ----------------------------------------------------------------------------------------------

class NetworkSpec:
    """A network as its user describes it."""

    def __init__(self, input_shape: Sequence[int]) -> None: ...
    def add(
        self,
        layer: dict[str, Any] | str,
        name: str = "",
        inputs: Sequence[str] = [],
        column: tuple[int, int] | None = None,
    ) -> None:
        """Appends a layer (a name, or a table with 'type'); checked by the catalog at once.

        A column is (which, of how many) side by side.
        """
    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
    @property
    def layers(self) -> list[dict[str, Any]]:
        """The layers as tables with "type", "name" and all settings; those in columns with "column"."""

class Network:
    """A network at work: parameters, gradients and execution plans."""

    def __init__(
        self,
        spec: NetworkSpec,
        loss: dict[str, Any] | str,
        *,
        batch_size: int,
        dtype: str,
        device: str,
        threads: int,
        seed: int,
        compute: dict[str, bool | int] = {},
        ranks: Ranks | None = None,
    ) -> None: ...
    def initialize(self, seed: int) -> None:
        """Draws all parameters anew."""
    def initialize_parameter(self, name: str, initializer: dict[str, Any] | str, seed: int) -> None:
        """Draws one parameter by another initializer."""
    def moments(
        self, inputs: NDArray[Any], *, before_activation: bool = False
    ) -> dict[str, dict[str, float]]:
        """Mean, variance and fraction of zeros of each layer's output over one batch in evaluation; of what
        its parameters give before its activation where asked. Layers that compute nothing are left out.
        """
    def forward(self, inputs: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """The last layer's output; with training=True dropout is on and backward may follow."""
    def loss(
        self,
        targets: NDArray[Any],
        weights: NDArray[Any] | None = None,
        mixture: tuple[NDArray[np.int32], NDArray[Any]] | None = None,
    ) -> float:
        """Mean loss of the last forward pass; with weights sum w l / sum w, 0 where all w are.

        A mixture, second labels and the shares of the first ones, makes the targets soft.
        """
    def backward(self, output_gradient: NDArray[Any] | None = None) -> None:
        """Gradients of the last loss, or of the output gradient that is given."""
    def predict(self, inputs: NDArray[Any] | ChosenSamples) -> NDArray[Any]:
        """Probabilities for classification, else the output."""
    def evaluate(
        self,
        inputs: NDArray[Any] | ChosenSamples,
        targets: NDArray[Any] | None = None,
        weights: NDArray[Any] | None = None,
    ) -> dict[str, float]:
        """Mean loss, weighted where weights are given, and shares of right answers, which are counts of
        rows."""
    def measure(
        self,
        inputs: NDArray[Any] | ChosenSamples,
        targets: NDArray[Any] | None = None,
        weights: NDArray[Any] | None = None,
    ) -> Evaluation:
        """The sums that the metrics of evaluate are made of."""
    def losses(
        self,
        inputs: NDArray[Any] | ChosenSamples,
        targets: NDArray[Any] | None = None,
        weights: NDArray[Any] | None = None,
    ) -> NDArray[np.float64]:
        """The loss of each row in evaluation, times its weight: what the sum of measure is made of."""
    def metrics(self, sums: Evaluation) -> dict[str, float]:
        """The metrics of such sums."""
    def train(
        self,
        optimizer: Optimizer,
        inputs: NDArray[Any] | ChosenSamples,
        targets: NDArray[Any] | None = None,
        *,
        weights: NDArray[Any] | None = None,
        batch_size: int,
        micro_batch: int = 0,
        schedule: Mapping[str, ArrayLike] = {},
        budget_seconds: float = 0.0,
        record_every: int = 1,
        statistics: str = "norms",
        full_every: int = 100,
        average: WeightAverage | None = None,
        loss_so_far: float = 0.0,
        weight_so_far: float = 0.0,
        mixture: tuple[NDArray[np.int32], NDArray[Any]] | None = None,
        first_row: int = 0,
        global_batch: int = 0,
        steps: int = 0,
    ) -> TrainingResult:
        """Many training steps in one call, over batches that lie one behind the other.

        A batch is computed in parts of micro_batch rows whose gradients are added (gradient accumulation);
        0: at once. The average, if there is one, takes the weights in after every update. A mixture is second
        labels of the rows, and the shares of the first ones. Under ranks all of them make the call; the rows
        are this rank's, batch_size of each global batch of global_batch rows, from its row first_row on. A
        rank without rows (batch_size 0) says how many steps there are. No time budget under ranks. Chosen
        samples of data on the device take the place of all arrays.
        """
    def drain(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Recorded steps since the last call: (steps, values by column)."""
    def drain_times(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Under ranks, of the recorded steps since the last call: (steps, seconds), the seconds in columns
        compute, wait (for slower ranks), communicate (while sums of gradients are on their way) and
        overlapped (the part of that in which this rank computes). A step takes compute + wait +
        communicate - overlapped.
        """
    def drain_distributions(self) -> list[tuple[int, str, str, float, float, bytes]]:
        """Recorded distributions since the last call: (step, name, kind, minimum, maximum, packed counts)."""
    def time_passes(
        self, inputs: NDArray[Any] | ChosenSamples, *, distributions: bool, most: int, seconds: float
    ) -> dict[str, float]:
        """The shortest of some training passes over a batch without statistics and with them, in seconds."""
    def describe(self, mode: str = "training", batch_size: int = 0) -> dict[str, Any]:
        """The execution plan: a row an operation, and totals. Workers wait for each other between phases."""
    @property
    def device_memory(self) -> tuple[float, float] | None:
        """Bytes of its device that may still be allocated, and all; None where that is the processor."""

    @property
    def plans(self) -> list[tuple[str, int, int]]:
        """The plans that were made so far: mode, rows and bytes of their memory."""
    @property
    def columns(self) -> list[str]:
        """The names of the columns of `drain`."""
    @property
    def parameters(self) -> dict[str, NDArray[Any]]:
        """Writable views, by name."""
    @property
    def gradients(self) -> dict[str, NDArray[Any]]:
        """Writable views, by name."""
    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """Writable views, by name, of what layers keep from step to step and no gradient changes."""
    @property
    def slices(self) -> dict[str, tuple[tuple[int, ...], int, int]]:
        """Where ranks share the network: what this one has of each parameter and state that is not whole
        here, as (shape of the whole, first row, rows).
        """
    @property
    def places(self) -> dict[str, str]:
        """Where ranks share the network: which of them compute each layer, by its name."""
    def gather(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """The whole of an array, laid out as the parameter or state of that name, of which `values` is this
        rank's slice; `values` itself where that is whole. All ranks of the model group make the call.
        """
    @property
    def flat_parameters(self) -> NDArray[Any]:
        """A writable view of all parameters, one behind the other."""
    @property
    def flat_gradients(self) -> NDArray[Any]:
        """A writable view of all gradients, one behind the other."""
    @property
    def decaying(self) -> list[str]:
        """The parameters that L2 regularization applies to."""
    @property
    def step(self) -> int:
        """Training steps done so far."""
    @step.setter
    def step(self, value: int) -> None: ...
    @property
    def specification(self) -> NetworkSpec:
        """A copy of what the network was compiled from."""
    @property
    def layers(self) -> list[dict[str, Any]]:
        """For each layer "name", "type", "input_shape", "output_shape" and the number of "parameters"."""
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def classifies(self) -> bool:
        """Whether targets are labels."""
    @property
    def has_accuracy(self) -> bool:
        """Whether right answers are counted."""
    @property
    def dtype(self) -> str:
        """What the network computes in, as it was asked for."""
    @property
    def array_dtype(self) -> str:
        """Of all arrays that go in or come out: the same, but float32 where it computes in bfloat16."""
    @property
    def device(self) -> str: ...
    @property
    def threads(self) -> int:
        """Workers that share a step; where they are measured, those that were the fastest so far."""
    @property
    def batch_size(self) -> int: ...
    @property
    def seed(self) -> int: ...

# ---- random numbers and the machine ------------------------------------------------------------------------

class ResidentData:
    """Samples in the memory of a network's device, which makes batches of them."""

    def __init__(
        self,
        network: Network,
        *,
        samples: int,
        stored: str,
        stored_values: int,
        weighted: bool = False,
        mean: Sequence[float] = (),
        scale: Sequence[float] = (),
        augmentation: tuple[Any, Any] | None = None,
        mixup: tuple[int, float, float] | None = None,
        quantiles: Sequence[float] = (),
    ) -> None: ...
    def write_inputs(self, first: int, inputs: NDArray[Any]) -> None:
        """Takes in samples from `first` on, as they are stored."""
    def write_targets(self, targets: NDArray[Any], weights: NDArray[Any] | None = None) -> None:
        """Takes in the targets of all samples, and their weights."""
    @property
    def bytes(self) -> int:
        """What the samples take of the device's memory."""
    def __len__(self) -> int: ...
    def samples(self, indices: ArrayLike, epoch: int | None = None) -> ChosenSamples:
        """Some samples in the place of arrays, as they are in an epoch of a training; without one as an
        evaluation sees them.
        """

class ChosenSamples:
    """Samples of a data set on a device, in the place of arrays of rows."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice) -> ChosenSamples: ...
    def arrays(self) -> dict[str, Any]:
        """What the device makes of them, as arrays: inputs, targets, weights, mixture."""

def permutation(seed: int, epoch: int, count: int, stream: int = 0) -> NDArray[np.int64]:
    """A new order of 0 .. count-1 for each epoch: Fisher-Yates over Philox4x32-10 keyed by (seed, epoch), and
    by a stream below 2^24 where there are several orders."""

def order_draws(seed: int, epoch: int, count: int, stream: int) -> NDArray[np.uint64]:
    """64 random bits for each of 0 .. count-1, keyed as those of permutation."""

def philox(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Four random words of Philox4x32-10."""

def scatter_matrix(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of x x^T over the rows x [count, columns], on one thread: the same bits at any time."""

def multiply(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """The product [m, n] of [m, k] and [k, n], on one thread: the same bits at any time."""

def symmetric_eigen(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues, ascending, and eigenvectors (rows) of a symmetric matrix, on one thread."""

def report() -> list[tuple[str, bool, str]]:
    """What the core was built with and found: (name, available, detail)."""

def available_processors() -> int:
    """Processors that this process may take: by affinity, control groups, OMP_NUM_THREADS and MPI ranks."""
