"""What could run in the pages that show a graded notebook, the feedback and the formgrader's."""

import copy
import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser

from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension

from autograder.grading.feedback import FeedbackExporter
from autograder.nbgrader_plugins.grade import is_check

# What the two templates ask for besides the notebook.
FEEDBACK = {"notebook": "lab", "score": 0, "max_score": 3, "late_penalty": 0}
FORMGRADER = {
    "notebook_id": "lab", "assignment_id": "lab", "submission_id": "1", "student": "s",
    "index": 0, "total": 1, "base_url": "", "last_name": "", "first_name": "",
    "notebook_path": "lab.ipynb",
}  # fmt: skip


def active(notebook: NotebookNode) -> Counter[str]:
    """What could run or load something in either page, made as `autograder` and nbgrader do."""
    shown = copy.deepcopy(notebook)
    for check in filter(is_check, shown.cells):
        check.metadata.nbgrader.score = 0  # as nbgrader's GetGrades does
    feedback, formgrader = _exporters()
    first, _ = feedback.from_notebook_node(shown, {"nbgrader": dict(FEEDBACK)})
    second, _ = formgrader.from_notebook_node(copy.deepcopy(notebook), dict(FORMGRADER))
    return Page(first).found + Page(second).found


@cache
def _exporters() -> tuple[FeedbackExporter, HTMLExporter]:
    settings = FormgradeExtension().build_extra_config()
    return FeedbackExporter(config=GenerateFeedback().config), HTMLExporter(config=settings)


class Page(HTMLParser):
    """What a page holds that could run or load something."""

    PLAIN = ("pre", "code", "script", "style", "textarea")  # MathJax leaves them alone
    ACTIVE = (
        "script", "iframe", "object", "embed", "form", "meta", "base", "link", "style", "svg",
    )  # fmt: skip

    TEXT = ("id", "class", "alt", "title")  # attributes that are no addresses
    LINKS = r"https?://|#|.*\.(png|jpe?g|gif)$"

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self._plain: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.PLAIN:
            self._plain.append(tag)
        if tag in self.ACTIVE:
            self.found[f"<{tag} {attrs}>"] += 1
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        address = re.sub(r"[\x00-\x20]", "", value).lower()
        told = f"<{tag} {name}={value}>"
        if name.startswith("on") or name in {"srcdoc", "action", "formaction"}:
            self.found[told] += 1
        picture = tag == "img" and re.match(r"data:image/[a-z+]+;base64,[a-z0-9+/=]*$", address)
        if name not in self.TEXT and re.match("(javascript|vbscript|data):", address):
            self.found.update([] if picture else [told])
        if tag == "a" and name == "href" and not re.match(self.LINKS, address):
            self.found[told] += 1
        if 'class="mermaid' in f'{name}="{value}':
            self.found[told] += 1

    def handle_endtag(self, tag: str) -> None:
        if self._plain and tag == self._plain[-1]:
            self._plain.pop()

    def handle_data(self, data: str) -> None:
        commands = r"\\(?:href|class|cssId|style|require|csname)(?![A-Za-z])"
        self.found.update([] if self._plain else re.findall(commands, data))
