"""nbgrader's own `collect`, also that of the formgrader's button, without following links.

nbgrader 0.9.6 copies with `shutil.copytree`. A link that a student put into the exchange makes it
copy any file that the instructor can read, and a hand-in that is too large, or that can't be read,
stops it for all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbgrader.exchange.default import ExchangeCollect

from autograder.engine.machine_faults import NO_ROOM
from autograder.nbgrader_plugins.submissions.private_copy import copy_hand_in
from litcourse.core.environment import swept_folder


class CollectPlainFiles(ExchangeCollect):
    """Copies the plain files of a hand-in; `c.ExchangeFactory.collect` names it."""

    def do_copy(self, src: str, dest: str, log: Any = None) -> None:
        """Copy the hand-in `src` into the new folder `dest`; one that can't be read is passed over.

        Raises:
            OSError: our disk is full.
        """
        with swept_folder("collected") as place:
            try:
                copy_hand_in(self.coursedir, Path(src), place)
            except OSError as error:
                if error.errno in NO_ROOM:
                    raise
                why = error.strerror or error
                self.log.error("%s is not collected: %s", src, why)  # noqa: TRY400 (one line)
                return
            for path in place.rglob("*"):
                if path.is_symlink():  # it stands for something that is no plain file
                    path.unlink()
            super().do_copy(str(place), dest, log)
