"""The learning tasks in scikit-learn."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from sklearn.neural_network import MLPClassifier
from tasks import Epochs, Task, read


def prepare_accuracy(task: Task, threads: int, seed: int) -> Callable[[], Epochs]:
    """A function that reads the data and trains until the test accuracy is reached.

    Its threads are those of NumPy's products, which take the processors of this process.
    """

    def run() -> Epochs:
        start = time.perf_counter()
        train, labels, test, answers = read(task)
        model = MLPClassifier(
            task.hidden,
            solver="adam",
            alpha=0.0,
            batch_size=task.batch,
            learning_rate_init=task.learning_rate,
            random_state=seed,
        )
        epochs: Epochs = []
        while len(epochs) < task.most and not (epochs and epochs[-1][1] >= task.accuracy):
            model.partial_fit(train, labels, classes=np.arange(10))  # one epoch, in a new order
            accuracy = float(model.score(test, answers))
            epochs.append((time.perf_counter() - start, accuracy))
        return epochs

    return run
