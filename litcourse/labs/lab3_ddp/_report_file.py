"""Records which files a rank of `rank_zero` opens, and how often it writes its report."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import lightning as L

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND


def record_opened_files(folder: Path) -> list[str]:
    """A list to which this process adds each file in `folder` that it opens for writing.

    It does so until its end: Python can't remove an audit hook.
    """
    names: list[str] = []
    inside = str(folder) + os.sep

    def hook(event: str, values: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(values[0], str) or not values[2] & _WRITING:
            return
        path = str(Path(values[0]).absolute())
        if path.startswith(inside):
            names.append(path.removeprefix(inside))

    sys.addaudithook(hook)
    return names


class Watcher(L.Callback):
    """Reads the file's modification time after each hook; two different times are two writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = self._read() or ""
        if path.is_file():
            os.utime(path, ns=(1, 1))  # so that a write in the same second shows too
        self.changes: list[int] = []

    def _read(self) -> str | None:
        if not self.path.is_file():
            return None
        return self.path.read_text(encoding="utf-8", errors="replace")

    def look(self) -> None:
        """Record the modification time, if it is new."""
        try:
            change = self.path.stat().st_mtime_ns
        except OSError:
            return
        if change != 1 and change not in self.changes:
            self.changes.append(change)

    def on_train_batch_end(self, *_: Any) -> None:
        """Look."""
        self.look()

    def on_validation_end(self, *_: Any) -> None:
        """Look."""
        self.look()

    def on_train_epoch_end(self, *_: Any) -> None:
        """Look."""
        self.look()

    def on_train_end(self, *_: Any) -> None:
        """Look."""
        self.look()

    def written(self) -> dict[str, Any]:
        """The number of writes, the new text (None: no write), whether it follows the old text."""
        self.look()
        text = self._read() if self.changes else None
        appended = bool(self.before) and text is not None and text.startswith(self.before)
        appended = appended and text != self.before
        text = text[len(self.before) :] if appended and text is not None else text
        return {"changes": len(self.changes), "text": text, "appended": appended}
