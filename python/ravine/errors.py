"""Exceptions of Ravine: each prints as one line that says what, where, what was expected and what to do."""

from __future__ import annotations


class RavineError(Exception):
    """Base of every error that Ravine raises on purpose.

    The text is ``[ranks: ][file: ][key: ][row N: ][layer 'name': ]message``, always one line.

    Args:
        message: what is wrong, what was expected and what to do.
        file: the file at fault.
        key: the setting at fault, dotted (``optimizer.learning_rate``).
        row: the row or sample at fault, counted from 0.
        layer: the name of the layer at fault.

    Of an error that several ranks of a training share, `agreed` is set: all of them raise it; and `ranks`
    names those that have met it, where others have not.

    Example:
        >>> str(RavineError("must be positive", file="a.toml", key="training.epochs"))
        'a.toml: training.epochs: must be positive'
    """

    def __init__(
        self,
        message: str,
        *,
        file: object | None = None,
        key: str | None = None,
        row: int | None = None,
        layer: str | None = None,
    ) -> None:
        self.message = " ".join(str(message).split())
        self.file = None if file is None else str(file)
        self.key = key
        self.row = row
        self.layer = layer
        self.ranks: str | None = None
        self.agreed = False
        super().__init__(self.message)

    def __str__(self) -> str:
        parts = [self.ranks] if self.ranks else []
        if self.file:
            parts.append(self.file)
        if self.key:
            parts.append(self.key)
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.layer:
            parts.append(f"layer '{self.layer}'")
        return ": ".join([*parts, self.message])


class RavineWarning(UserWarning):
    """Something that works, but most likely not as its user hopes."""


class InputError(RavineError):
    """Something a user gave cannot be used: a setting, a file, a shape, a value. The exit code is 2."""


class RunError(InputError):
    """A run folder cannot be used: in use, missing, damaged, full disk."""


class CheckpointError(RunError):
    """A checkpoint is missing, damaged, or does not fit the network."""


class DeviceError(InputError):
    """The device that was asked for is not there, or has too little memory."""


class NotFiniteError(RavineError):
    """A loss, activation or gradient became NaN or Inf; the layer and the step are named."""


class InternalError(RavineError):
    """A fault of Ravine itself: please report it."""


def known(error: BaseException) -> RavineError | None:
    """The error as one of Ravine's that says what to do; None where it is a fault of Ravine.

    Example:
        >>> str(known(FileNotFoundError(2, "No such file or directory", "a.npz")))
        'a.npz: no such file or directory'
    """
    if isinstance(error, RavineError):
        return error
    if isinstance(error, MemoryError):
        return InputError("there is not enough memory; use a smaller batch or network, or less data")
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return InputError(error.strerror.lower(), file=error.filename)
    return None
