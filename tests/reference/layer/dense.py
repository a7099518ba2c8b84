"""y = f(x W^T + b), W of shape (units, inputs)."""

from __future__ import annotations

from reference.catalog import names, nested

CASES = [
    *(({"units": 5, "activation": activation}, (7,)) for activation in names("activation")),
    ({"units": 3, "use_bias": False}, (4,)),
    ({"units": 40, "activation": "tanh", "bias_initializer": "torch_linear"}, (33,)),
]


def forward(x, parameters, settings, mask_key):
    net = x @ parameters["weight"].T
    if settings["use_bias"]:
        net = net + parameters["bias"]
    rule, rule_settings = nested("activation", settings["activation"])
    return rule.forward(net, rule_settings)


def torch_equivalent(torch, x, parameters, settings):
    net = torch.nn.functional.linear(x, parameters["weight"], parameters.get("bias"))
    rule, rule_settings = nested("activation", settings["activation"])
    return rule.torch_equivalent(torch, net, rule_settings)
