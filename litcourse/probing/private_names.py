"""Finds and replaces private names of torch and Lightning, and says clearly which one is gone."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import lightning as L
import torch

from litcourse.probing.attempts import NotMeasuredError


class ChangedError(NotMeasuredError):
    """Torch or Lightning has changed, so that a tool of ours would measure something wrong.

    Each room that uses private names derives its own error, with the three texts.

    Args:
        name: the private name.
        what: what is wrong with it.
    """

    cannot: ClassVar[str]
    """What can't be done then, as a sentence without an end."""
    works_with: ClassVar[str]
    """Versions with which it can be done."""
    room: ClassVar[str]

    def __init__(self, name: str, what: str) -> None:
        self.name = name
        super().__init__(
            f"{name} {what}: {self.cannot} with the installed lightning {L.__version__} and torch "
            f"{torch.__version__}. Install {self.works_with}, or tell whoever maintains "
            f"{self.room}."
        )


def find_private(path: str, error: type[ChangedError]) -> Any:
    """The object at `path`, such as "package.module.name" or "package.module.Class.name".

    Args:
        path: its full name.
        error: what to raise where it is not there.
    """
    owner, name = _find_owner(path, error)
    return getattr(owner, name)


@contextmanager
def replaced_private(path: str, value: Any, error: type[ChangedError]) -> Iterator[None]:
    """Have `value` stand at `path` while the context lasts; arguments as for `find_private`."""
    owner, name = _find_owner(path, error)
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _find_owner(path: str, error: type[ChangedError]) -> tuple[Any, str]:
    """The module or class that has the object at `path`, and the last name of `path`."""
    *parents, name = path.split(".")
    for end in range(len(parents), 0, -1):
        try:
            owner: Any = importlib.import_module(".".join(parents[:end]))
        except ImportError:
            continue
        try:
            for part in parents[end:]:
                owner = getattr(owner, part)
            getattr(owner, name)
        except AttributeError:
            break
        return owner, name
    raise error(path, "is not there any more")
