"""y = f(x W^T + b), W of shape (units, inputs)."""

from __future__ import annotations

from reference.catalog import names, reference, resolved

CASES = [
    *(({"units": 5, "activation": activation}, (7,)) for activation in names("activation")),
    ({"units": 3, "use_bias": False}, (4,)),
    ({"units": 40, "activation": "tanh", "bias_initializer": "torch_linear"}, (33,)),
]


def forward(x, parameters, settings, mask_key):
    net = x @ parameters["weight"].T
    if settings["use_bias"]:
        net = net + parameters["bias"]
    function = settings["activation"]
    name = function if isinstance(function, str) else function["type"]
    return reference("activation", name).forward(net, resolved("activation", name, {}))
