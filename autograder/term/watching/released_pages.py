"""Puts pages of feedback into nbgrader's exchange, where `nbgrader fetch_feedback` finds them.

nbgrader names a page by a digest of the file `submission_secret.txt`, which is in the hand-in. So
each of a student's hand-ins leads to the same page, that of the try that counts, which names all.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from nbgrader.exchange import ExchangeFactory
from nbgrader.exchange.default import ExchangeReleaseFeedback
from nbgrader.utils import notebook_hash

from autograder.grading.settings import CourseSettings
from autograder.grading.tries.counting import Counting
from autograder.nbgrader_plugins.submissions.submission_files import SUBMISSION_SECRET
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
        for digits in self._digits(counting, student):
            path = self._folder / f"{notebook_hash(secret=digits, notebook_id=counting.lab)}.html"
            if not path.is_file() or path.read_bytes() != page:
                write_atomically(path, page)
                changed = True
            if stat.S_IMODE(path.stat().st_mode) != _PAGE_MODE:  # also of one that was killed here
                path.chmod(_PAGE_MODE)
        return changed

    def _page(self, lab: str, student: str) -> bytes | None:
        course = self._settings.course
        folder = course.format_path(course.feedback_directory, student, lab)
        try:
            return Path(folder, f"{lab}.html").read_bytes()
        except OSError:
            return None

    @staticmethod
    def _digits(counting: Counting, student: str) -> Iterable[str]:
        for one in counting.store.of(counting.lab, student):
            try:
                yield (one.folder / SUBMISSION_SECRET).read_text(encoding="utf-8")
            except (OSError, ValueError):  # of an LMS
                continue
