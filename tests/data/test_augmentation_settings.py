"""`[[data.augmentation]]` and `[data.crops]`: what is read, and what is said about what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ravine import augmentations
from ravine.data import augmentation as module
from ravine.data.augmentation import Augmentation, Crops, CropSettings, for_training
from ravine.errors import InputError
from ravine.experiment import load_experiment, parse_experiment, to_toml

EXPERIMENT = """
optimizer = "adam"
[data]
source = "npz"
file = "pictures.npz"
{data}
[[model.layers]]
type = "dense"
units = 3
"""
PICTURES = np.zeros((4, 32, 32, 3), np.uint8)


def load(tmp_path: Path, data: str) -> Any:
    file = tmp_path / "experiment.toml"
    file.write_text(EXPERIMENT.format(data=data))
    return load_experiment(file)


def test_steps_are_read_in_order_and_written_again(tmp_path: Path) -> None:
    tables = "".join(f'[[data.augmentation]]\ntype = "{type_}"\n' for type_ in TYPES)
    experiment = load(tmp_path, f"{tables}[data.crops]\nscales = [32, 40]\n")
    assert [type(step).__name__ for step in experiment.data.augmentation] == list(augmentations.__all__)
    written = to_toml(experiment)
    (tmp_path / "again.toml").write_text(written)
    assert load_experiment(tmp_path / "again.toml") == experiment
    assert experiment.data.crops.scales == [32, 40]
    plain = to_toml(load(tmp_path, ""))
    assert "augmentation" not in plain
    assert "crops" not in plain


TYPES = [getattr(augmentations, name).__struct_config__.tag for name in augmentations.__all__]


@pytest.mark.parametrize(
    ("data", "key", "words"),
    [
        ('augmentation = [{type = "rotatoin"}]', "data.augmentation.0.type", "did you mean 'rotation'?"),
        ("augmentation = [{degrees = 3}]", "data.augmentation.0.type", "is missing; choose from translation"),
        ('augmentation = [{type = "cutout"}, {type = "rotation", degres = 3}]', "data.augmentation.1.degres",
         "did you mean 'degrees'?"),
        ('augmentation = [{type = "rotation", degrees = 181}]', "data.augmentation.0.degrees", "<= 180"),
        ('augmentation = [{type = "rotation", degrees = "a"}]', "data.augmentation.0.degrees", "a number"),
        ('augmentation = [{type = "rotation", border = "wrap"}]', "data.augmentation.0.border",
         "choose from constant, edge, reflect"),
        ('augmentation = [{type = "rotation", probability = 2}]', "data.augmentation.0.probability", "<= 1"),
        ('augmentation = [{type = "scaling", low = 2.0}]', "data.augmentation.0.low", "more than `high`"),
        ('augmentation = [{type = "random_crop", size = 5000}]', "data.augmentation.0.size", "4096"),
        ('augmentation = [{type = "mixup", alpha = 0}]', "data.augmentation.0.alpha", ">= 0.001"),
        ('augmentation = {type = "rotation"}', "data.augmentation", "expected a list"),
        ("augmentation = [3]", "data.augmentation.0", "expected a table, got 3"),
        ("crops = {scale = [3]}", "data.crops.scale", "did you mean 'scales'?"),
        ("crops = {scales = [0]}", "data.crops.scales.0", ">= 1"),
    ],
)  # fmt: skip
def test_errors_name_the_key(tmp_path: Path, data: str, key: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, data)
    assert caught.value.key == key
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("steps", "shape", "key", "words"),
    [
        ([augmentations.Rotation()], (64,), "data.augmentation", "needs pictures [height, width, channels]"),
        ([augmentations.Rotation(), augmentations.PcaColour()], (8, 8, 1), "data.augmentation.1",
         "needs pictures of 3 channels, but these have 1"),
        ([augmentations.Mixup(), augmentations.Rotation()], (8, 8, 1), "data.augmentation.0", "comes last"),
        ([augmentations.RandomCrop(20, padding=4)], (8, 8, 1), "data.augmentation.0.size",
         "larger than the pictures of [8, 8]"),
        ([augmentations.RandomCrop(6), augmentations.RandomCrop(7, 0)], (8, 8, 1), "data.augmentation.1.size",
         "larger than the pictures of [6, 6]"),
        ([augmentations.RandomResizedCrop([8, 40], 10, 20)], (8, 8, 3), "data.augmentation.0.shortest",
         "too small for a window of [8, 40]"),
        ([augmentations.Rotation()] * 65, (8, 8, 1), "data.augmentation", "65 steps, at most 64"),
    ],
)  # fmt: skip
def test_steps_that_do_not_fit_the_pictures(steps: Any, shape: Any, key: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        Augmentation(steps, 0, shape)
    assert caught.value.key == key
    assert words in str(caught.value)


def test_only_bytes_are_pictures() -> None:
    for inputs in (PICTURES.astype(np.float32), PICTURES.reshape(4, -1)):
        with pytest.raises(InputError, match="needs pictures of bytes, uint8"):
            for_training([augmentations.Rotation()], 0, inputs)
        with pytest.raises(InputError, match="needs pictures of bytes, uint8"):
            module.test_crops(CropSettings(scales=[32]), inputs, (32, 32, 3), True)
    with pytest.raises(InputError, match="the task is regression"):
        module.test_crops(CropSettings(scales=[32]), PICTURES, (32, 32, 3), False)
    with pytest.raises(
        InputError, match=r"data.crops.scales.1: pictures of \[30, 30\] are smaller"
    ) as caught:
        Crops(CropSettings(scales=[32, 30]), (32, 32, 3), (32, 32))
    assert caught.value.key == "data.crops.scales.1"


def test_tables_and_constructors_say_the_same() -> None:
    given = [{"type": "rotation", "degrees": 5}, augmentations.Cutout(4)]
    assert augmentations.checked_steps(given) == [augmentations.Rotation(5.0), augmentations.Cutout(4)]
    for wrong, key in (
        ({"type": "rotaton"}, "augmentation.0.type"),
        ({"type": "rotation", "degree": 5}, "augmentation.0.degree"),
        (augmentations.Rotation(500.0), "augmentation.0.degrees"),
        (augmentations.Rotation(border="wrap"), "augmentation.0.border"),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError) as caught:
            augmentations.checked_steps([wrong])  # type: ignore[list-item]
        assert caught.value.key == key


@pytest.mark.parametrize("name", augmentations.__all__)
def test_every_step_is_documented_and_has_defaults(name: str) -> None:
    step = getattr(augmentations, name)
    text = step.__doc__
    assert "Source: " in text
    own = [
        field.name
        for field in msgspec.structs.fields(step)
        if field.name not in ("probability", "border", "fill")
    ]
    for field in own:
        assert f"{field}" in text
    assert augmentations.checked_steps([step()]) == [step()]


def test_digits_are_no_pictures_of_bytes(tmp_path: Path) -> None:
    from ravine.training.preparation import load_parts

    experiment = parse_experiment(
        {
            "optimizer": "adam",
            "data": {"source": "digits", "augmentation": [{"type": "rotation"}]},
            "model": {"layers": [{"type": "dense", "units": 10}]},
        },
        tmp_path,
    )
    with pytest.raises(InputError, match=r"data\.augmentation: needs pictures"):
        load_parts(experiment)
