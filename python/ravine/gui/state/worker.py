"""A thread beside the window: what takes time happens here, and comes back as a signal."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore

from ravine.errors import RavineError


class Failure:
    """What became of work that raised.

    Args:
        error: Ravine's own, or another one as text.
        trace: the traceback of an error that is not Ravine's, for the log; else empty.
    """

    def __init__(self, error: Exception) -> None:
        self.error = (
            error if isinstance(error, RavineError) else RavineError(f"{type(error).__name__}: {error}")
        )
        self.trace = "" if isinstance(error, RavineError) else "".join(traceback.format_exception(error))


class Worker(QtCore.QObject):
    """Does one piece of work after the other in a thread of its own.

    Work has a key; newer work of the same key takes the place of what waits. The signal `done` is emitted
    with the key and the result, or a `Failure`, and arrives in the window's thread.

    Args:
        name: of the thread.
        at_end: called in the thread at its end, to let go of what the work has opened.
    """

    done = QtCore.Signal(object, object)

    def __init__(self, name: str, at_end: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._waiting: dict[object, Callable[[], Any]] = {}
        self._condition = threading.Condition()
        self._closing = False
        self._at_end = at_end
        self._thread = threading.Thread(target=self._work, name=f"ravine-{name}", daemon=True)
        self._thread.start()

    def submit(self, key: object, work: Callable[[], Any]) -> None:
        """Lets `work` be done; its result comes by the signal `done`."""
        with self._condition:
            if not self._closing:
                self._waiting[key] = work
                self._condition.notify()

    def close(self) -> None:
        """Ends the thread after the work that is under way; what waits is dropped."""
        with self._condition:
            self._closing = True
            self._waiting.clear()
            self._condition.notify()
        self._thread.join()

    def _ends(self) -> bool:
        return self._closing

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._closing:
                    self._condition.wait()
                if self._closing:
                    break
                key = next(iter(self._waiting))
                work = self._waiting.pop(key)
            try:
                result = work()
            except Exception as error:
                result = Failure(error)
            with self._condition:
                if self._ends():
                    break
                # While the lock is held the window cannot be gone: close() waits for it.
                self.done.emit(key, result)
        if self._at_end is not None:
            self._at_end()
