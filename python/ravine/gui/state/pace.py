"""How often the window looks at its run: as often as news comes, and as its processor time allows."""

from __future__ import annotations

FASTEST = 0.028  # seconds: 35 pictures a second, more than an eye tells apart
SLOWEST = 0.1  # while nothing new comes, so that a change of the view shows at once
LONGEST = 0.5  # however much a picture costs
SHARE = 0.5  # of a processor that may be spent on pictures
_SLOWER = 1.5


class Pace:
    """The time from one look to the next.

    Example:
        >>> pace = Pace()
        >>> pace.next(True, 0.002), pace.next(True, 0.03), round(pace.next(False, 0.0), 3)
        (0.028, 0.06, 0.09)
    """

    def __init__(self) -> None:
        self._seconds = FASTEST

    def next(self, changed: bool, spent: float) -> float:
        """Seconds to the next look.

        Args:
            changed: whether the last look found something new, or another view was asked for.
            spent: seconds of processor time since the last look, in the window's thread and in the feed's.
        """
        affordable = min(max(FASTEST, spent / SHARE), LONGEST)
        if changed:
            self._seconds = affordable
        else:
            self._seconds = max(affordable, min(_SLOWER * self._seconds, SLOWEST))
        return self._seconds
