"""A network learns random labels by heart: lecture L2, Zhang et al. (2017), in a table.

A hidden layer of 512 units is trained on 1,527 digits: as they are, with labels of which half or all are
drawn at random, and with pixels in one random order, in an order of each image's own, or drawn from a normal
distribution. One should see: it fits all of them, random labels and pure noise included, only more slowly;
what it then knows of the test images goes from everything to nothing. So it is not its size, nor that it can
be trained, that makes a network generalize. One order of the pixels for all images costs a dense network
nothing.
"""

from pathlib import Path

from ravine import Callback, Sequential, Trainer
from ravine.data import CorruptionSettings, DataSettings, SplitSettings, load
from ravine.layers import Dense
from ravine.optimizers import Adam

CASES = {
    "true labels": CorruptionSettings(),
    "half of the labels random": CorruptionSettings(labels=0.5),
    "all labels random": CorruptionSettings(labels=1.0),
    "pixels shuffled, all alike": CorruptionSettings(pixels="shuffled"),
    "pixels shuffled, each image": CorruptionSettings(pixels="random"),
    "pixels gaussian": CorruptionSettings(pixels="gaussian"),
}


class UntilLearned(Callback):
    """Ends the training when every training sample is right."""

    def __init__(self, samples) -> None:
        self.samples = samples

    def on_epoch_end(self, trainer: Trainer) -> None:
        if trainer.position.epoch % 5 == 0 and trainer.evaluate(*self.samples)["accuracy"] == 1.0:
            trainer.stop()


print(f"{'':28} epochs  training accuracy  test accuracy")
for name, corruption in CASES.items():
    settings = DataSettings(
        source="digits", split=SplitSettings(test_fraction=0.15, seed=37), corruption=corruption
    )
    parts = load(settings, Path())
    train, test = ((part.inputs, part.targets) for part in (parts.train, parts.test))
    trainer = Trainer(
        Sequential(Dense(512, activation="relu"), Dense(10)),
        loss="softmax_cross_entropy",
        optimizer=Adam(0.001),
        batch_size=32,
        seed=1,
        callbacks=[UntilLearned(train)],
    )
    trainer.fit(*train, epochs=400)
    accuracies = [trainer.evaluate(*samples)["accuracy"] for samples in (train, test)]
    print(f"{name:28} {trainer.position.epoch:6} {accuracies[0]:18.3f} {accuracies[1]:14.3f}")
