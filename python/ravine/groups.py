"""Settings of the parameters whose names match a pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ravine.errors import InputError

Size = Annotated[float, Meta(ge=0, le=1e300)]  # finite


class GroupSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Parameters that are trained otherwise than the rest; the first group that matches one holds for it.

    Args:
        match: a pattern for names of parameters, with *, ? and [...], such as "dense_1.*" or "*.bias".
        learning_rate: a factor of the optimizer's learning rate, not a rate, at least 0.
        l2: instead of the regularization's, at least 0; over parameters that decay, and in its form.
        weight_decay: instead of the rule's, at least 0; for adamw, lion and muon, which have one apart from
            the gradient; over parameters that decay.
        freeze: the parameters stay as they are, and so does the optimizer's state of them. Their gradients do
            not count when norms are clipped.
    """

    match: Annotated[str, Meta(min_length=1)]
    learning_rate: Size = 1.0
    l2: Size | UnsetType = UNSET
    weight_decay: Size | UnsetType = UNSET
    freeze: bool = False


def checked_groups(groups: Sequence[Mapping[str, Any] | GroupSettings]) -> list[dict[str, Any]]:
    """Groups as the core takes them, with their defaults.

    Raises:
        InputError: a setting that is missing, unknown or out of range; the key is "groups.INDEX...".

    Example:
        >>> checked_groups([{"match": "dense_1.*", "freeze": True}])
        [{'match': 'dense_1.*', 'learning_rate': 1.0, 'freeze': True}]
    """
    from ravine.checks import check_keys, explained  # here: it knows this module, as a part of experiments

    checked: list[dict[str, Any]] = []
    for index, group in enumerate(groups):
        given = msgspec.to_builtins(group) if isinstance(group, GroupSettings) else dict(group)
        check_keys(GroupSettings, given, f"groups.{index}")
        try:
            settings = msgspec.convert(given, GroupSettings)
        except msgspec.ValidationError as error:
            problem = explained(error, given)
            raise InputError(problem.message, key=f"groups.{index}.{problem.key}") from None
        checked.append(msgspec.to_builtins(settings))
    return checked


def refuse_groups(groups: Sequence[Mapping[str, Any] | GroupSettings]) -> None:
    """Raises InputError for groups of a rule in Python, which changes all parameters in one call.

    The key is that of the first setting, "groups.INDEX.NAME".

    Example:
        >>> refuse_groups([])
    """
    for index, group in enumerate(checked_groups(groups)):
        plain = msgspec.to_builtins(GroupSettings(match=group["match"]))
        name = next((name for name, value in group.items() if plain.get(name) != value), "match")
        raise InputError(
            "a rule in Python changes all parameters itself and takes no groups; "
            "treat these parameters otherwise in the function",
            key=f"groups.{index}.{name}",
        )
