"""y = f(x W^T + b), W of shape (units, inputs); with weight normalization its rows are g v / |v|."""

from __future__ import annotations

import numpy as np
from reference.catalog import names, nested

CASES = [
    *(({"units": 5, "activation": activation}, (7,)) for activation in names("activation")),
    ({"units": 3, "use_bias": False}, (4,)),
    ({"units": 40, "activation": "tanh", "bias_initializer": "torch_linear"}, (33,)),
    ({"units": 3, "weight_normalization": True}, (5,)),
    ({"units": 4, "weight_normalization": True, "use_bias": False, "activation": "tanh"}, (6,)),
]


def forward(x, parameters, settings, mask_key):
    if settings["weight_normalization"]:
        v = parameters["direction"]
        weight = parameters["gain"][:, None] * v / np.linalg.norm(v, axis=1, keepdims=True)
    else:
        weight = parameters["weight"]
    net = x @ weight.T
    if settings["use_bias"]:
        net = net + parameters["bias"]
    rule, rule_settings = nested("activation", settings["activation"])
    return rule.forward(net, rule_settings)


def torch_equivalent(torch, x, parameters, settings):
    if settings["weight_normalization"]:
        weight = torch._weight_norm(parameters["direction"], parameters["gain"][:, None])
    else:
        weight = parameters["weight"]
    net = torch.nn.functional.linear(x, weight, parameters.get("bias"))
    rule, rule_settings = nested("activation", settings["activation"])
    return rule.torch_equivalent(torch, net, rule_settings)
