"""The worked example of lecture L2 in a few lines: handwritten digits, one hidden layer, gradient descent."""

from ravine import Sequential, Trainer, data
from ravine.layers import Dense
from ravine.optimizers import GradientDescent

digits = data.load_digits()
rows = data.split(len(digits), test_fraction=0.15, seed=37)
standardize = data.fit("standardize", digits.inputs[rows.train])
inputs = standardize.apply(digits.inputs)

trainer = Trainer(
    Sequential(Dense(100, activation="tanh"), Dense(10)),
    loss="softmax_cross_entropy",
    optimizer=GradientDescent(0.1),
    seed=37,
)
trainer.fit(inputs[rows.train], digits.targets[rows.train], epochs=15)
print(trainer.evaluate(inputs[rows.test], digits.targets[rows.test]))
