"""Pages of feedback as `nbgrader generate_feedback` makes them, in a fraction of the time.

nbgrader 0.9.6 with nbconvert 7.17 takes 0.65 CPU seconds for a page of lab 1, nearly all of it
for colouring code that every student has, and for parsing the finished page with BeautifulSoup.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbconvert.exporters import HTMLExporter, TemplateExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbgrader.converters import GenerateFeedback
from nbgrader.utils import find_all_files

from autograder.grading.submissions import lay_out

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from autograder.grading.settings import Road

_KEPT = 512
"""Most cells that are remembered: several labs' own, and some of students."""
_WITHOUT_ALT = re.compile(r"<img\b(?![^>]*\balt\b)", re.IGNORECASE)
_ALT = '<img alt="No description has been provided for this image"'


class _Memory:
    """What a function made of the texts that it was asked for most recently."""

    def __init__(self) -> None:
        self._known: OrderedDict[Any, str] = OrderedDict()

    def get(self, key: Any, make: Callable[[], str]) -> str:
        """What `make` returned for `key` at first."""
        if key not in self._known:
            self._known[key] = make()
        self._known.move_to_end(key)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return self._known[key]


class FeedbackExporter(HTMLExporter):
    """nbconvert's exporter; remembers what it made of a cell and does not parse the page again."""

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        self._code, self._text = _Memory(), _Memory()
        super().__init__(config=config, **kwargs)  # type: ignore[no-untyped-call]

    def from_notebook_node(  # type: ignore[override]  # as nbconvert's own
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """As in nbconvert 7.17, but a search takes the place of a parser for `alt`."""
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
        html, told = TemplateExporter.from_notebook_node(self, nb, resources, **kw)
        return _WITHOUT_ALT.sub(_ALT, html), told

    def default_filters(self) -> Any:
        """nbconvert's, with text cells remembered."""
        found = dict(super().default_filters())  # type: ignore[no-untyped-call]
        make = found["markdown2html"]

        def markdown(context: Any, source: str) -> str:
            attached = context.get("cell", {}).get("attachments", {})
            key = (source, json.dumps(attached, sort_keys=True))
            return self._text.get(key, lambda: str(make(context, source)))

        markdown.jinja_pass_arg = make.jinja_pass_arg  # type: ignore[attr-defined]
        return (found | {"markdown2html": markdown}).items()


class Pages:
    """Makes the feedback of graded submissions; the scores come from the gradebook.

    Args:
        road: the course's settings.
    """

    def __init__(self, road: Road) -> None:
        self._road = road
        self._converter = GenerateFeedback(coursedir=road.course, parent=road.app)
        made = self._converter.exporter_class
        self._exporter = (FeedbackExporter if made is HTMLExporter else made)(
            parent=self._converter,
            config=self._converter.config,
            optimistic_validation=True,  # once, behind the last step
        )
        for step in self._converter.preprocessors:
            self._exporter.register_preprocessor(step)

    def folder(self, lab: str, student: str) -> Path:
        """Where the feedback of a student lies."""
        course = self._road.course
        return Path(course.format_path(course.feedback_directory, student, lab))

    def fill(self, lab: str, student: str, folder: Path) -> None:
        """Put page and other files into the empty `folder`."""
        graded = self._road.autograded(lab, student)
        ignored = [*self._road.course.ignore, "*.ipynb"]
        others = find_all_files(str(graded), ignored)
        lay_out({str(Path(path).relative_to(graded)): Path(path) for path in others}, folder)
        page, _ = self._exporter.from_filename(
            str(graded / f"{lab}.ipynb"), resources=self._road.resources(lab, student)
        )
        name = f"{lab}{self._exporter.file_extension}"
        (folder / name).write_text(page, encoding="utf-8", errors="replace")

    def finish(self, lab: str, student: str) -> None:
        """Set permissions as nbgrader does, once the folder is in its place."""
        self._converter.set_permissions(lab, student)
