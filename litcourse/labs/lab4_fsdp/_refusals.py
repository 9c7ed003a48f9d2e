"""Calls that should raise a ValueError: which exceptions came, those derived from it too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.probing.attempts import attempt


def ask(action: Callable[[], dict[str, Any]], called: str) -> dict[str, Any]:
    """As `attempt`; an exception has the names of its classes as "raised", too."""
    raised: list[str] = []

    def run() -> dict[str, Any]:
        try:
            return action()
        except BaseException as error:
            raised.extend(kind.__name__ for kind in type(error).__mro__)
            raise

    seen = attempt(run, called)
    return {"error": {**seen["error"], "raised": raised}} if "error" in seen else seen


def is_value_error(error: Evidence) -> bool:
    """Whether the exception of a call of `ask` is a ValueError."""
    names = error["raised"].texts()
    return error["type"].text() in names and "ValueError" in names
