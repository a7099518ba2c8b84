"""y = f(x), value by value."""

from __future__ import annotations

from reference.catalog import names, reference, resolved

CASES = [
    ({"function": {"type": name, **settings}}, shape)
    for name in names("activation")
    for settings in reference("activation", name).CASES
    for shape in [(6,), (2, 3, 4)]
]


def forward(x, parameters, settings, mask_key):
    function = settings["function"]
    table = {"type": function} if isinstance(function, str) else dict(function)
    name = table.pop("type")
    return reference("activation", name).forward(x, resolved("activation", name, table))
