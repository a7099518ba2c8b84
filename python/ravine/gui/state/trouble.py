"""What goes wrong in runs, why it does, and where that is explained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

import ravine
from ravine.gui.state.tail import RunTail

Kind = Literal["", "not finite", "explosion", "vanishing", "crash"]
BROKEN = "NaN or Inf"  # in what a trainer says when numbers broke
RECENT = 50  # recorded steps that are looked at
LARGEST_GROWTH = 1e3  # of the gradient norm, over the first recorded steps
SMALLEST_SHARE = 1e-6  # of the largest gradient norm of a layer in the smallest


@dataclass(frozen=True)
class Explanation:
    """Why something goes wrong.

    Args:
        title: what happened.
        text: why.
        remedies: what helps, a line each.
        entry: of the catalog, that says more.
        page: of docs/theory, that has the entry.
    """

    title: str
    text: str
    remedies: tuple[str, ...]
    entry: str
    page: str

    @property
    def path(self) -> Path | None:
        """The page, where the documentation lies beside the package."""
        path = Path(ravine.__file__).parents[2] / "docs" / "theory" / f"{self.page}.md"
        return path if path.is_file() else None

    @property
    def plain(self) -> str:
        """All of it as text."""
        remedies = "\n".join(f"- {one}" for one in self.remedies)
        return f"{self.title}\n\n{self.text}\n\n{remedies}\n\nravine catalog {self.entry}"


EXPLANATIONS: dict[Kind, Explanation] = {
    "not finite": Explanation(
        "A number became NaN or Inf",
        "A step was so large that the loss or a gradient left the range of floating-point numbers. From "
        "then on every weight that it reaches is NaN, and no later step can mend that; so the run ended "
        "there. Its last checkpoint is from before: weights that are not finite are never saved.",
        (
            "Restore the checkpoint with a smaller learning rate: a tenth is a good first try",
            "Bound the gradient: clip_norm = 1 in [regularization]",
            "Let the learning rate grow at the start: a schedule of warm-up",
            "Look at the Data tab: a feature of a very large range does the same",
        ),
        "clip_norm",
        "regularization",
    ),
    "explosion": Explanation(
        "Gradients explode",
        "The norm of the gradient has grown a thousandfold. Going back through the layers the gradient "
        "is multiplied by the weights of each; where these factors are above one on average, it grows "
        "exponentially with depth, and so do the steps.",
        (
            "Set a smaller learning rate while it runs (Ctrl+E)",
            "Bound the gradient: clip_norm = 1 in [regularization]",
            "Initialize for the activation: he_normal for relu, xavier_normal for tanh",
            "Put batch_normalization after the layers",
        ),
        "clip_norm",
        "regularization",
    ),
    "vanishing": Explanation(
        "Gradients vanish",
        "Some layers get a gradient a million times smaller than others, and hardly learn. Going back "
        "through the layers the gradient is multiplied by weights and by the slopes of the activations; "
        "where these are below one, as those of sigmoid and of a saturated tanh, it dies out "
        "exponentially with depth.",
        (
            "Use relu, with he_normal weights",
            "Put batch_normalization after the layers, or residual blocks around them",
            "Look at the Layers tab: a saturated fraction near one shows where it begins",
        ),
        "he_normal",
        "initializers",
    ),
    "crash": Explanation(
        "The trainer ended unexpectedly",
        "Its process was killed or stopped by an error; the numbers of the run are not to blame. All "
        "that was recorded is there, and from its last checkpoint the run goes on to the same bits as "
        "if it had never been broken.",
        (
            "Resume it",
            "SIGKILL without anyone's doing means that memory ran out: take a smaller batch, or micro_batch",
            "The Log tab has the last words of the trainer",
        ),
        "gradient_descent",
        "README",
    ),
}


def kind_of(reason: str) -> Kind:
    """What kind of end a reason tells of."""
    return "not finite" if BROKEN in reason else "crash" if reason else ""


def trouble_of(tail: RunTail) -> tuple[Kind, str]:
    """What is wrong with the gradients of a run now, and in which layers."""
    layers = tail.layers("gradient_norm")
    if not layers or len(tail) < 2 * RECENT:
        return "", ""
    names = list(layers)
    numbers = [tail.number(column) for column in layers.values()]
    first, last = (
        np.median(tail.records.means(numbers, rows), 1) for rows in (slice(RECENT), slice(-RECENT, None))
    )
    if not (np.isfinite(last).all() and np.isfinite(first).all()):
        return "", ""  # that is told of as what it is
    growth = last / np.maximum(first, np.finfo(np.float32).tiny)
    worst = int(growth.argmax())
    if growth[worst] > LARGEST_GROWTH and last[worst] > 1:
        return "explosion", f"the gradient of layer '{names[worst]}' has grown {growth[worst]:,.0f}-fold"
    low, high = int(last.argmin()), int(last.argmax())
    if last[high] > 0 and last[low] < SMALLEST_SHARE * last[high]:
        share = f"{last[low] / last[high]:.1e}"
        return "vanishing", f"the gradient of layer '{names[low]}' is {share} of that of '{names[high]}'"
    return "", ""
