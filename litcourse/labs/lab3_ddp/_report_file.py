"""What a rank of `rank_zero` wrote: looking at the report's file, and at what was opened."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import lightning as L

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND


def record_opened_files(folder: Path) -> list[str]:
    """Names of files in `folder` that this process, a rank, opens for writing from now on.

    The list grows as they are opened. Python has no way to end such a watch but the process.
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
    """Looks at the file now and then; two different times of change are two writings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = self._there() or ""
        if path.is_file():
            os.utime(path, ns=(1, 1))  # the same second is to tell the old from the new
        self.changes: list[int] = []

    def _there(self) -> str | None:
        if not self.path.is_file():
            return None
        return self.path.read_text(encoding="utf-8", errors="replace")

    def look(self) -> None:
        """Note the time of change, if it is another than the last one."""
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
        """How often it was written, the new text (None: nothing), whether the old one is kept."""
        self.look()
        text = self._there() if self.changes else None
        appended = bool(self.before) and text is not None and text.startswith(self.before)
        appended = appended and text != self.before
        text = text[len(self.before) :] if appended and text is not None else text
        return {"changes": len(self.changes), "text": text, "appended": appended}
