"""The time of a job: it stands still while processes run, and jumps when all of them wait."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class VirtualClock:
    """Virtual seconds since the job was submitted, and what is to happen when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, action: Callable[[], None]) -> int:
        """Have `action` called in so many virtual seconds; its number, for `drop`."""
        number = next(self._numbers)
        heapq.heappush(self._timers, (self.now + max(0.0, seconds), number, action))
        return number

    def drop(self, number: int) -> None:
        """Forget an action that has not been called."""
        self._timers = [timer for timer in self._timers if timer[1] != number]
        heapq.heapify(self._timers)

    def clear(self) -> None:
        """Forget all actions."""
        self._timers.clear()

    def jump(self) -> bool:
        """Go on to the next action and call it; whether there was one."""
        if not self._timers:
            return False
        when, _, action = heapq.heappop(self._timers)
        self.now = max(self.now, when)
        action()
        return True
