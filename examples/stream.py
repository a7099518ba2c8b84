"""A network follows a boundary between two classes that turns round while it learns.

A stream gives batch after batch without an end. What was learned an hour ago is wrong by now: a network that
stopped learning at a quarter of the way is right no more often than a coin, one that goes on stays right.

    python examples/stream.py
"""

from collections.abc import Iterator

import numpy as np

from ravine import Sequential, Trainer, layers, optimizers

STEPS, ROUNDS = 4000, 8  # the boundary turns once round in so many steps, of which a round is a part
random = np.random.default_rng(1)


def batch(angle: float, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of the plane, and whether they lie in front of a line at that angle."""
    points = random.normal(size=(samples, 2))
    return points, (points @ [np.cos(angle), np.sin(angle)] > 0).astype(int)


def turning() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches without an end, each from a slightly later time."""
    step = 0
    while True:
        yield batch(2 * np.pi * step / STEPS, 32)
        step += 1


def share(trainer: Trainer, step: int) -> float:
    """How often a network is right about what holds at a step."""
    return trainer.evaluate(*batch(2 * np.pi * step / STEPS, 2000))["accuracy"]


def trainer() -> Trainer:
    """A small network that learns with a constant rate: there is no end towards which to lower it."""
    network = Sequential(layers.Dense(16, "tanh"), layers.Dense(2))
    return Trainer(network, loss="softmax_cross_entropy", optimizer=optimizers.Adam(0.02))


following, stopped = trainer(), trainer()
stream = turning()
print("turned by   goes on   stopped")
for number in range(1, ROUNDS + 1):
    step = number * STEPS // ROUNDS
    following.fit_stream(stream, steps=STEPS // ROUNDS)
    if number == ROUNDS // 4:
        stopped.fit_stream(turning(), steps=step)
    if number >= ROUNDS // 4:
        print(f"{360 * number // ROUNDS:6} °   {share(following, step):7.1%}   {share(stopped, step):7.1%}")
