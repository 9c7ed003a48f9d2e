"""Writes the feedback of `nbgrader generate_feedback`, in a fraction of the time.

nbgrader 0.9.6 with nbconvert 7.17 takes 0.65 CPU seconds for a page of lab 1. Nearly all of it goes
into highlighting code that every student has, and into parsing the page with BeautifulSoup.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbconvert.exporters import HTMLExporter, TemplateExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbformat import NotebookNode, v4
from nbgrader import utils
from nbgrader.converters import GenerateFeedback

from autograder.course import CHECK
from autograder.grading.signals import raising
from autograder.nbgrader_plugins import submission_metadata
from autograder.nbgrader_plugins.grade import format_head, is_check
from autograder.nbgrader_plugins.submissions.submission_files import (
    SUBMISSION_SECRET,
    TIMESTAMP,
    copy_files,
    is_in_the_way,
    read_timestamp,
)
from autograder.secret import seed_for

if TYPE_CHECKING:
    from autograder.grading.settings import CourseSettings

PAGE_SECONDS = 10.0
"""Limit of processor time for one page; lab 1's takes 0.1 s, or 0.7 s with empty caches."""
_REPEAT_SECONDS = 1.0
"""Seconds after which the limit is raised again, in case that a library swallowed it."""
_SHORT = """**This page is short.** It shows the points, the cards of the checks, and what a person
wrote. The rest of the notebook is left out: it could not be made into a page ({why}). Nothing was
taken off for it; what you handed in is whole."""
_LEFT_OUT = "# left out of this page"
_NOT_READ = "# the file could not be read"
_NO_TIME = "at no known time"

_MAX_CELLS = 512
"""Number of cells in a cache: enough for those of several labs, and some of students."""
_IMAGE = re.compile(r"<img\b[^>]*", re.IGNORECASE)
"""It consumes what it matched, so that it reads nothing twice."""
_TEST_CELL = re.compile(rf'(<li><a href="#(?P<id>[^"<>]+){CHECK}">)Test cell(?=</a>)')
_ALT = re.compile(r"\balt\b", re.IGNORECASE)
_NO_ALT = ' alt="No description has been provided for this image"'


class LateError(BaseException):
    """The time for a page is over. It is no `Exception`, since libraries catch those."""


@contextlib.contextmanager
def limit_cpu_time(seconds: float) -> Iterator[None]:
    """Raise `LateError` in the context after `seconds` of processor time.

    A hostile source can keep pygments, mistune or a regular expression busy for hours. A signal
    interrupts all of them. Python delivers it to its main thread; other threads have no limit.
    """
    with raising(signal.SIGVTALRM, LateError) as limits:
        if not limits:
            yield
            return
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds, _REPEAT_SECONDS)
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def add_alt_texts(html: str) -> str:
    """`html` with an `alt` text for each picture that has none."""

    def add_alt(found: re.Match[str]) -> str:
        tag = found[0]
        return tag if _ALT.search(tag) else tag[: len("<img")] + _NO_ALT + tag[len("<img") :]

    return _IMAGE.sub(add_alt, html)


def name_questions(html: str) -> str:
    """`html` with the questions' ids in its list, where nbgrader writes "Test cell" for each."""
    return _TEST_CELL.sub(r"\1\g<id>", html)


class _Cache:
    """The most recent results of a function, by key."""

    def __init__(self) -> None:
        self._texts: OrderedDict[Any, str] = OrderedDict()

    def get(self, key: Any, make: Callable[[], str]) -> str:
        """The result for `key`; calls `make` if there is none."""
        if key not in self._texts:
            self._texts[key] = make()
        self._texts.move_to_end(key)
        if len(self._texts) > _MAX_CELLS:
            self._texts.popitem(last=False)
        return self._texts[key]


class FeedbackExporter(HTMLExporter):
    """nbconvert's HTML exporter with caches for cells, and without a second parse of the page."""

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        self._code, self._text = _Cache(), _Cache()
        super().__init__(config=config, **kwargs)  # type: ignore[no-untyped-call]

    def from_notebook_node(  # type: ignore[override]  # as nbconvert's own
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """As in nbconvert 7.17, but a search in place of a parser adds the `alt` texts."""
        info = nb.metadata.get("language_info", {})
        plain = Highlight2HTML(
            pygments_lexer=info.get("pygments_lexer", info.get("name")), parent=self
        )

        def highlight(source: str, language: Any = None, metadata: Any = None) -> str:
            key = (
                source,
                language or plain.pygments_lexer,
                (metadata or {}).get("magics_language"),
            )
            return self._code.get(key, lambda: plain(source, language, metadata))

        resources = self._init_resources(resources)  # type: ignore[no-untyped-call]
        data_types = WidgetsDataTypeFilter(
            notebook_metadata=self._nb_metadata, parent=self, resources=resources
        )
        self.register_filter("highlight_code", highlight)  # type: ignore[no-untyped-call]
        self.register_filter("filter_data_type", data_types)  # type: ignore[no-untyped-call]
        html, head = TemplateExporter.from_notebook_node(self, nb, resources, **kw)
        return name_questions(add_alt_texts(html)), head

    def default_filters(self) -> Any:
        """The filters of nbconvert, with a cache for text cells."""
        found = dict(super().default_filters())  # type: ignore[no-untyped-call]
        make = found["markdown2html"]

        def markdown(context: Any, source: str) -> str:
            attached = context.get("cell", {}).get("attachments", {})
            key = (source, json.dumps(attached, sort_keys=True))
            return self._text.get(key, lambda: str(make(context, source)))

        markdown.jinja_pass_arg = make.jinja_pass_arg  # type: ignore[attr-defined]
        return (found | {"markdown2html": markdown}).items()


class Pages:
    """Writes the feedback of graded submissions, with the scores in the gradebook.

    Args:
        settings: the course's settings.
        head: a text for the top of the page of a lab and a student, or "".
    """

    def __init__(
        self, settings: CourseSettings, head: Callable[[str, str], str] = lambda _lab, _who: ""
    ) -> None:
        self._settings, self._head = settings, head
        self._converter = GenerateFeedback(coursedir=settings.course, parent=settings.app)
        made = self._converter.exporter_class
        self._exporter = (FeedbackExporter if made is HTMLExporter else made)(
            parent=self._converter,
            config=self._converter.config,
            optimistic_validation=True,  # validates once, after the last step
        )
        for step in self._converter.preprocessors:
            self._exporter.register_preprocessor(step)

    def folder(self, lab: str, student: str) -> Path:
        """Folder of a student's feedback."""
        course = self._settings.course
        return Path(course.format_path(course.feedback_directory, student, lab))

    def write(self, lab: str, student: str, folder: Path) -> None:
        """Write the page and the other files into the empty `folder`."""
        graded = self._settings.autograded_folder(lab, student)
        name = f"{lab}{self._exporter.file_extension}"
        ignored = [*self._settings.course.ignore, "*.ipynb"]
        found = map(Path, utils.find_all_files(str(graded), ignored))
        others = {str(path.relative_to(graded)): path for path in found}
        ours = dict.fromkeys((name, TIMESTAMP, SUBMISSION_SECRET), folder)
        copy_files({n: p for n, p in others.items() if not is_in_the_way(n, ours)}, folder)
        self._add_exchange_files(lab, student, folder)
        page = self._page(lab, student, graded / f"{lab}.ipynb")
        (folder / name).write_text(page, encoding="utf-8", errors="replace")

    def _add_exchange_files(self, lab: str, student: str, folder: Path) -> None:
        """Write the two files that `nbgrader release_feedback` reads, where none can be read.

        nbgrader 0.9.6 releases nobody's feedback if one student has no `timestamp.txt`, or one that
        is no text, and prints what is in it. The digits name the released file; a student finds it
        by those of her own submission.
        """
        digits = folder / SUBMISSION_SECRET
        if not read_timestamp(folder):
            (folder / TIMESTAMP).write_text(_NO_TIME, encoding="utf-8")
        if not _is_text(digits):
            root = self._settings.root
            seed = seed_for(root, student, lab, SUBMISSION_SECRET, "")  # the same for each page
            digits.write_text(f"{seed:064x}", encoding="utf-8")

    def _page(self, lab: str, student: str, path: Path) -> str:
        """The page of the graded notebook at `path`; a short page if that fails."""
        resources = self._settings.resources
        try:
            with limit_cpu_time(PAGE_SECONDS):
                named = {**resources(lab, student), "metadata": ResourcesDict(name=lab)}
                notebook = self._with_head(path, lab, student)
                page, _ = self._exporter.from_notebook_node(notebook, resources=named)
                return str(page)
        except LateError:
            why = f"not within {PAGE_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001 (any part of a submission may be the reason)
            why = type(error).__name__
        self._settings.app.log.warning("%s, %s: a short page of feedback, %s", lab, student, why)
        short = shorten(v4.reads(path.read_text(encoding="utf-8")), why)
        named = {**resources(lab, student), "metadata": {"name": lab}}
        page, _ = self._exporter.from_notebook_node(short, resources=named)
        return str(page)

    def _with_head(self, path: Path, lab: str, student: str) -> NotebookNode:
        """The graded notebook at `path`, under the text for the top of its page."""
        notebook: NotebookNode = nbformat.read(path, as_version=4)
        if notebook.metadata.get(submission_metadata.KEY, {}).get("trouble"):
            notebook = without_the_lab(notebook)
        if text := self._head(lab, student):
            notebook.cells.insert(0, v4.new_markdown_cell(text))
        return notebook

    def finish(self, lab: str, student: str) -> None:
        """Set permissions as nbgrader does, after the folder is in its place."""
        self._converter.set_permissions(lab, student)


def _is_text(path: Path) -> bool:
    """Whether there is a file that programs can read as text."""
    try:
        path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return True


def without_the_lab(notebook: NotebookNode) -> NotebookNode:
    """The graded notebook of a file that nobody could read: what is wrong with it, on one screen.

    The lab as students got it stands in its place, with the same card in each check: nothing of
    that is the student's. Cells for which a person may have left a comment stay, without text.
    """
    cells = [cell for cell in notebook.cells[:1] if cell.cell_type == "markdown"]  # the notice
    for cell in notebook.cells:
        if utils.is_grade(cell) or utils.is_solution(cell) or utils.is_task(cell):
            code = cell.cell_type == "code"
            empty = v4.new_code_cell(_NOT_READ) if code else v4.new_markdown_cell(_NOT_READ)
            cells.append(NotebookNode({**empty, "metadata": cell.metadata}))
    made: NotebookNode = v4.new_notebook(cells=cells, metadata=notebook.metadata)
    return made


def shorten(notebook: NotebookNode, why: str) -> NotebookNode:
    """A graded notebook without the student's own cells and answers.

    Args:
        notebook: the graded notebook.
        why: the reason, for the first cell.
    """
    cells = [v4.new_markdown_cell(_SHORT.format(why=why))]
    head = format_head(submission_metadata.read(notebook))
    if head:
        cells.append(v4.new_markdown_cell(head))
    for cell in notebook.cells:
        if is_check(cell):
            cells.append(cell)
        elif utils.is_grade(cell) or utils.is_solution(cell) or utils.is_task(cell):
            # The cell stays, for the comments of a person.
            code = cell.cell_type == "code"
            empty = v4.new_code_cell(_LEFT_OUT) if code else v4.new_markdown_cell(_LEFT_OUT)
            cells.append(NotebookNode({**empty, "metadata": cell.metadata}))
    made: NotebookNode = v4.new_notebook(cells=cells, metadata=notebook.metadata)
    return made
