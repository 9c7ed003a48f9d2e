"""What our steps know about a submission: in the notebook's metadata, under the key `litcourse`.

Reading a submission overwrites it, so that nothing a student wrote there counts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.course import Lab
from litcourse.core.serialization import writable
from litcourse.feedback.catalogue import explain

if TYPE_CHECKING:
    from nbformat import NotebookNode

MAX_NOTICES = 50
"""Limit of notices: nobody reads more, and a hostile notebook can cause one with each cell."""
LEFT_OUT = "LIT951"
"""Code of the notice that links, giants or other special files were left out."""
MOVED = "LIT952"
"""Code of the notice that the lab's notebook was found under another name or elsewhere."""
_MAX_NAMES = 5
KEY = "litcourse"
"""Our key in a notebook's and in a cell's metadata, and in nbconvert's resources."""


@dataclass(frozen=True)
class Notice:
    """A repair, or something else that a person should know; it costs no points.

    Args:
        code: entry of the catalogue.
        question_id: the question whose card shows it, or "" for the head of the notebook.
        cell: `grade_id` of the cell, or "" for the whole notebook.
        detail: further text, or "".
    """

    code: str
    question_id: str
    cell: str
    detail: str = ""

    def as_html(self) -> str:
        """One paragraph; every text in it is escaped."""
        entry = explain(self.code)
        # In one line: an empty line, in a file's name for instance, would end the HTML in Markdown.
        detail = f": {escape(' '.join(self.detail.split()))}" if self.detail else ""
        cell = f"cell <code>{escape(self.cell)}</code>, " if self.cell else ""
        return (
            '<p class="tex2jax_ignore mathjax_ignore"'
            ' style="border-left:6px solid #b26a00;padding:.3em 1em;max-width:52em">'
            f"<b>{escape(entry.title)}</b> ({cell}<code>{self.code}</code>){detail}. "
            f"{escape(entry.fix)}</p>"
        )


@dataclass
class SubmissionMetadata:
    """Our metadata of a submission.

    Args:
        submission: SHA-256 of the notebook's bytes, hex; from `execute` on, the digest of
            `submission_files.digest_submission`.
        trouble: finding that costs every question, or "" for a readable notebook.
        detail: text for that finding.
        notices: notices for the student.
    """

    submission: str
    trouble: str = ""
    detail: str = ""
    notices: list[Notice] = field(default_factory=list)

    def write(self, notebook: NotebookNode) -> None:
        """Write into `notebook`, in place of older metadata; only the first notices are kept.

        Details may name files, and a file's name may be bytes that no text can hold.
        """
        kept = self.notices[:MAX_NOTICES]
        self.notices = [replace(notice, detail=writable(notice.detail)) for notice in kept]
        self.detail = writable(self.detail)
        notebook.metadata[KEY] = asdict(self)


def note_left_out(notebook: NotebookNode, names: Collection[str]) -> None:
    """Add a notice of the files that were left out, if there are any."""
    if names:
        metadata = read(notebook)
        metadata.notices.append(Notice(LEFT_OUT, "", "", ", ".join(sorted(names)[:_MAX_NAMES])))
        metadata.write(notebook)


def note_moved(notebook: NotebookNode, place: str) -> None:
    """Add a notice of the `place` where the notebook was found, unless it is ""."""
    if place:
        metadata = read(notebook)
        metadata.notices.insert(0, Notice(MOVED, "", "", f"this is {place}"))
        metadata.write(notebook)


def read(notebook: NotebookNode) -> SubmissionMetadata:
    """The metadata that an earlier step wrote into `notebook`."""
    plain = dict(notebook.metadata[KEY])
    notices = [Notice(**notice) for notice in plain.pop("notices")]
    return SubmissionMetadata(**plain, notices=notices)


@dataclass(frozen=True)
class Context:
    """Course, lab and student of a submission; travels in nbconvert's resources.

    Args:
        root: the course folder.
        lab: the lab, with its instructor notebook.
        unsolved: the lab's notebook as students get it.
        student: id of the student.
        files: folder with the other files of the submission.
    """

    root: Path
    lab: Lab
    unsolved: NotebookNode
    student: str
    files: Path
