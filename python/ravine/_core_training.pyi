"""Of the compiled module ravine._core: what trains a network, and what that gives."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ravine._core import Network

class Evaluation:
    """Sums over rows that were evaluated; two can be added."""

    def __init__(
        self,
        loss: float = 0.0,
        weight: float = 0.0,
        correct: int = 0,
        correct_top5: int = 0,
        rows: int = 0,
    ) -> None: ...
    def __add__(self, other: Evaluation) -> Evaluation: ...
    @property
    def loss(self) -> float:
        """Weighted where the rows have weights."""
    @property
    def weight(self) -> float:
        """Of the rows; their number where they have none."""
    @property
    def correct(self) -> int: ...
    @property
    def correct_top5(self) -> int: ...
    @property
    def rows(self) -> int: ...

class WeightAverage:
    """An exponential moving average of a network's weights.

        average <- decay average + (1 - decay) weights, divided by 1 - decay^count

    Given to `Network.train`, it takes the weights in after every update. Before the first it is the weights.
    """

    def __init__(self, network: Network, *, decay: float) -> None: ...
    @property
    def decay(self) -> float: ...
    @property
    def count(self) -> int:
        """Updates in it."""
    @count.setter
    def count(self, value: int) -> None: ...
    @property
    def flat_values(self) -> NDArray[Any]:
        """A writable view, laid out as the network's flat parameters."""

class TrainingResult:
    """What a call of the native training loop did."""

    @property
    def steps(self) -> int: ...
    @property
    def loss(self) -> float:
        """Weighted sum over the rows."""
    @property
    def weight(self) -> float:
        """Sum of the rows' weights; their number where they have none."""
    @property
    def correct(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def trouble(self) -> str:
        """What became NaN or Inf; empty if nothing did."""
    @property
    def trouble_layer(self) -> str: ...
    @property
    def trouble_rank(self) -> int:
        """The rank in whose rows it was found; -1 where it is no matter of one rank."""

REGULARIZATION: tuple[str, ...]

class Optimizer:
    """An update rule with its settings, step count and state."""

    def __init__(
        self,
        rule: dict[str, Any] | str,
        *,
        l2: float = 0.0,
        l2_form: str = "squared",
        l1: float = 0.0,
        l1_form: str = "subgradient",
        clip_value: float = 0.0,
        clip_layer_norm: float = 0.0,
        clip_norm: float = 0.0,
        max_norm: float = 0.0,
        groups: list[dict[str, Any]] = [],
    ) -> None: ...
    @property
    def settings(self) -> dict[str, Any]:
        """The rule as a table with "type" and all settings."""
    @property
    def l2(self) -> float: ...
    @property
    def clip_norm(self) -> float: ...
    @property
    def regularization(self) -> dict[str, float]:
        """The numbers by name, as in REGULARIZATION."""
    @property
    def l2_form(self) -> str: ...
    @property
    def l1_form(self) -> str: ...
    @property
    def groups(self) -> list[dict[str, Any]]: ...
    @property
    def step_count(self) -> int:
        """Steps done so far, which the correction of running moments counts."""
    @step_count.setter
    def step_count(self, value: int) -> None: ...
    def set(self, name: str, value: float) -> None:
        """Sets a number of the rule or of the regularization, from the next step on."""
    @property
    def slots(self) -> dict[str, NDArray[Any]]:
        """Writable flat views of the state, by name; empty until a network is attached."""
    @property
    def slot_names(self) -> list[str]: ...
    @property
    def evaluations(self) -> int:
        """Gradients that steps have asked for since it was attached; 0 for a rule that takes one a step."""
    def attach(self, network: Network) -> None:
        """Allocates the state for a network's parameters."""
    def look_ahead(self, network: Network) -> None:
        """Nesterov: lets the next training pass take its gradient at the look-ahead point; nothing for
        others."""
    def step(self, network: Network) -> None:
        """Updates the network's parameters from its gradients."""

def custom_rule(
    function: Callable[[NDArray[Any], NDArray[Any], dict[str, NDArray[Any]], dict[str, float], int], object],
    *,
    slots: Sequence[str],
    settings: Mapping[str, float],
    l2: float = 0.0,
    l2_form: str = "squared",
    l1: float = 0.0,
    l1_form: str = "subgradient",
    clip_value: float = 0.0,
    clip_layer_norm: float = 0.0,
    clip_norm: float = 0.0,
    max_norm: float = 0.0,
) -> Optimizer:
    """An optimizer whose rule is function(parameters, gradients, state, settings, step)."""
