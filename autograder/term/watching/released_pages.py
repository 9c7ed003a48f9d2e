"""Puts pages of feedback into nbgrader's exchange, where `nbgrader fetch_feedback` finds them.

nbgrader names a page by a digest of the file `submission_secret.txt`, which is in the hand-in. So
each of a student's hand-ins leads to the same page, that of the try that counts, which names all.
"""

from __future__ import annotations

import stat
from pathlib import Path

from nbgrader.exchange import ExchangeFactory
from nbgrader.exchange.default import ExchangeReleaseFeedback
from nbgrader.utils import notebook_hash

from autograder.grading.settings import CourseSettings
from autograder.grading.tries.counting import Counting
from autograder.nbgrader_plugins.submissions.submission_files import read_secret
from autograder.term.watching.waiting_page import HEAD
from litcourse.core.atomic_write import write_atomically

_PAGE_MODE = 0o644
"""As nbgrader's: its name is what only the student knows."""


class ReleasedPages:
    """The pages in the exchange.

    Args:
        settings: the course's settings.
    """

    def __init__(self, settings: CourseSettings) -> None:
        self._settings = settings
        kind = ExchangeFactory(parent=settings.app).release_feedback
        self._folder: Path | None = None
        if issubclass(kind, ExchangeReleaseFeedback):
            exchange = kind(coursedir=settings.course, parent=settings.app)
            place = Path(exchange.root, settings.course.course_id)
            if settings.course.course_id and (place / "inbound").is_dir():
                exchange.init_dest()  # makes the folder, with nbgrader's modes
                self._folder = Path(exchange.dest_path)

    def release(self, counting: Counting, student: str) -> bool:
        """Put the page of a student where each of her hand-ins leads; whether one was new."""
        page = self._page(counting.lab, student)
        if page is None or self._folder is None:
            return False
        changed = False
        for one in counting.store.of(counting.lab, student):
            if digits := read_secret(one.folder):
                changed |= _write(_name(self._folder, counting.lab, digits), page)
        return changed

    def tell(self, lab: str, digits: str, page: str) -> None:
        """Put a page where a hand-in that waits leads, unless a page with points is there.

        Args:
            lab: id of the lab.
            digits: what its `submission_secret.txt` says; "" without one.
            page: what `waiting_page` makes.
        """
        if self._folder is None or not digits:
            return
        path = _name(self._folder, lab, digits)
        if not path.is_file() or path.read_bytes().startswith(HEAD):
            _write(path, page.encode())

    def _page(self, lab: str, student: str) -> bytes | None:
        course = self._settings.course
        folder = course.format_path(course.feedback_directory, student, lab)
        try:
            return Path(folder, f"{lab}.html").read_bytes()
        except OSError:
            return None


def _name(folder: Path, lab: str, digits: str) -> Path:
    return folder / f"{notebook_hash(secret=digits, notebook_id=lab)}.html"


def _write(path: Path, page: bytes) -> bool:
    """Write a page that students can read; whether it was not there."""
    changed = not path.is_file() or path.read_bytes() != page
    if changed:
        write_atomically(path, page)
    if stat.S_IMODE(path.stat().st_mode) != _PAGE_MODE:  # also of one that was killed here
        path.chmod(_PAGE_MODE)
    return changed
