"""y = f(x), value by value."""

from __future__ import annotations

from reference.catalog import names, nested, reference

CASES = [
    ({"function": {"type": name, **settings}}, shape)
    for name in names("activation")
    for settings in reference("activation", name).CASES
    for shape in [(6,), (2, 3, 4)]
]


def forward(x, parameters, settings, mask_key):
    rule, rule_settings = nested("activation", settings["function"])
    return rule.forward(x, rule_settings)


def torch_equivalent(torch, x, parameters, settings):
    rule, rule_settings = nested("activation", settings["function"])
    return rule.torch_equivalent(torch, x, rule_settings)
