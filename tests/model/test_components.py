"""Constructors and networks made in Python: the catalog's names, settings, defaults and errors."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import ravine
from ravine import (
    InputError,
    Sequential,
    _core,
    activations,
    initializers,
    layers,
    losses,
    optimizers,
    schedules,
)
from ravine.components import class_name

MODULES = {
    "layer": layers,
    "activation": activations,
    "loss": losses,
    "initializer": initializers,
    "optimizer": optimizers,
    "schedule": schedules,
}
ENTRIES = [entry for kind in MODULES for entry in _core.catalog(kind)]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_each_entry_has_a_constructor_with_its_defaults(entry: Any) -> None:
    construct = getattr(MODULES[entry.kind], class_name(entry.name))
    parameters = inspect.signature(construct).parameters
    names = [parameter.name for parameter in entry.parameters]
    assert list(parameters) == names + (["name"] if entry.kind == "layer" else [])
    # A component in a component is filled in with its own defaults; without settings its name stands for it.
    defaults = {p.name: in_full(p) for p in entry.parameters if p.component and not p.required}
    given = {p.name: required_value(p) for p in entry.parameters if p.required}
    component = construct(**given)
    assert component["type"] == entry.name
    for parameter in entry.parameters:
        if not parameter.required:
            assert parameters[parameter.name].default == parameter.default
            assert component[parameter.name] == defaults.get(parameter.name, parameter.default)
    assert construct(*given.values()) == component
    assert _core.resolve(entry.kind, component) == component


def in_full(parameter: Any) -> Any:
    table = _core.resolve(parameter.component, parameter.default)
    return table if len(table) > 1 else parameter.default


def required_value(parameter: Any) -> Any:
    if parameter.choices:
        return parameter.choices[0]
    if parameter.type == "numbers":
        return [1.0, 2.5]
    if parameter.type == "integer":
        return max(1, int(parameter.minimum))
    return "relu" if parameter.type == "component" else (parameter.minimum + min(parameter.maximum, 2.0)) / 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.Dense(), "units: dense needs it"),
        (lambda: layers.Dense(0), "units: must be from 1"),
        (lambda: layers.Dense(3, unit=4), "unit: .*did you mean 'units'"),
        (lambda: layers.Dense(3, units=4), "units: dense got it twice"),
        (lambda: layers.Dense(3, activation="rel"), "activation: .*did you mean 'relu'"),
        (lambda: layers.Dense("many"), "units: expected a whole number"),
        (lambda: layers.Dense(*range(1, 20)), "dense takes at most"),
        (lambda: layers.Dropout(-0.1), "rate: "),
        (lambda: optimizers.Adam(learning_rate=-1), "learning_rate: must be at least 0"),
        (lambda: Sequential("dens"), "layers.0.type: .*did you mean 'dense'"),
        (lambda: Sequential(layers.Dense(2), {"units": 3}), "layers.1: .*'type'"),
        (lambda: Sequential({"type": "dense", "units": 2, "name": 5}), "layers.0.name: expected text"),
    ],
)
def test_wrong_settings_are_found_where_they_are_written(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_shapes_that_do_not_fit_name_the_layer_and_both_shapes() -> None:
    model = Sequential(layers.Dense(5, name="wide"), layers.Dense(3))
    with pytest.raises(InputError, match="layer 'wide': ") as raised:
        model.network([8, 8, 1], loss="softmax_cross_entropy")
    assert "8" in str(raised.value)
    with pytest.raises(InputError, match="two layers are called 'a'"):
        Sequential(layers.Dense(2, name="a"), layers.Dense(2, name="a")).network([3], loss="squared_error")


def test_a_layer_may_be_a_name_a_table_or_made() -> None:
    models = [
        Sequential("flatten", {"type": "dense", "units": 4}, "relu"),
        Sequential(layers.Flatten(), layers.Dense(4), layers.Activation("relu")),
    ]
    assert models[0].specification([2, 3]).layers == models[1].specification([2, 3]).layers


def test_a_model_can_be_compiled_many_times() -> None:
    model = Sequential(layers.Dense(4))
    first, second, other = (model.network([3], loss="squared_error", seed=seed) for seed in (1, 1, 2))
    assert first.flat_parameters.tobytes() == second.flat_parameters.tobytes()
    assert first.flat_parameters.tobytes() != other.flat_parameters.tobytes()
    first.flat_parameters[:] = 0
    assert second.flat_parameters.any()


def test_what_the_package_exports_is_there() -> None:
    for name in ravine.__all__:
        assert getattr(ravine, name) is not None
