"""A rare class, with and without class weights: of the eights that train, 19 in 20 are left out."""

import numpy as np

from ravine import Sequential, Trainer, data
from ravine.layers import Dense
from ravine.losses import SoftmaxCrossEntropy

RARE = 8
digits = data.load_digits()
rows = data.split(digits.targets, test_fraction=0.5, seed=1, stratify=True)
eights = rows.train[digits.targets[rows.train] == RARE]
train = np.setdiff1d(rows.train, eights[len(eights) // 20 :])
inputs = data.fit("standardize", digits.inputs[train]).apply(digits.inputs)
test_inputs, test_targets = inputs[rows.test], digits.targets[rows.test]

print(f"{len(eights) // 20} eights among {len(train)} training samples")
for class_weights in ([], "balanced"):
    trainer = Trainer(
        Sequential(Dense(10)),
        loss=SoftmaxCrossEntropy(class_weights=class_weights),
        optimizer="adam",
        l2=1e-3,
        seed=1,
    )
    trainer.fit(inputs[train], digits.targets[train], epochs=40)
    found = trainer.predict(test_inputs).argmax(axis=1)
    recall = np.mean(found[test_targets == RARE] == RARE)
    precision = np.mean(test_targets[found == RARE] == RARE)
    accuracy = np.mean(found == test_targets)
    name = class_weights or "no weights"
    print(f"{name:>10}: recall of {RARE} {recall:.3f}, precision {precision:.3f}, accuracy {accuracy:.3f}")
