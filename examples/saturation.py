"""Where the outputs of tanh layers lie while they train: lecture L0.

Weights that are too large push tanh to -1 and 1, where its derivative is 0 and nothing is learnt; weights by
Xavier keep the outputs in between. Full statistics show it without a further pass over the data.
"""

from ravine import Sequential, Trainer, data
from ravine.components import Component
from ravine.initializers import Normal, XavierNormal
from ravine.layers import Dense

PERCENTILES = (5, 25, 50, 75, 95)
digits = data.load_digits()
inputs = data.fit("standardize", digits.inputs).apply(digits.inputs)


def show(name: str, initializer: Component) -> None:
    hidden = Dense(100, activation="tanh", weight_initializer=initializer)
    trainer = Trainer(
        Sequential(*[hidden] * 4, Dense(10)),
        loss="softmax_cross_entropy",
        optimizer="momentum",
        seed=1,
        statistics="full",
        full_every=56,
    )
    history = trainer.fit(inputs, digits.targets, epochs=3)
    print(f"\n{name}: outputs at step {history.distributions()[-1].step}, {PERCENTILES} %")
    for layer in ("dense_1", "dense_2", "dense_3", "dense_4"):
        found = history.distributions(layer, "output")[-1].percentile(PERCENTILES)
        print(f"{layer}  " + "  ".join(f"{value:6.3f}" for value in found))


show("deviation 1", Normal(deviation=1.0))
show("Xavier", XavierNormal())
