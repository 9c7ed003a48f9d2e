"""Opens nbgrader's gradebook with one engine and commits once per step; tells what a page shows.

nbgrader 0.9.6 opens the gradebook in every step of a submission, each time with a new SQLAlchemy
engine, and commits after every cell. On a network file system the commits take most of the time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from nbgrader import api
from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.preprocessors import saveautogrades


class OneCommit(Gradebook):
    """A gradebook that commits all changes at the end of its context, if there was no error."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.db.commit = self.db.flush  # nbgrader's methods call `commit` after each change

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.db().commit()
        finally:
            super().__exit__(kind, error, trace)


@contextlib.contextmanager
def commit_once() -> Iterator[None]:
    """Let nbgrader's steps commit once and share an engine, with the queries that it has compiled.

    What they read and write stays the same.
    """
    before = api.create_engine, api.get_alembic_version, saveautogrades.Gradebook
    api.create_engine, api.get_alembic_version = functools.cache(before[0]), _alembic_version
    saveautogrades.Gradebook = OneCommit
    try:
        yield
    finally:
        api.create_engine, api.get_alembic_version, saveautogrades.Gradebook = before


def _alembic_version() -> str:
    """The version of nbgrader's tables, for a new gradebook; nbgrader starts a program for that."""
    from alembic.config import Config as Settings
    from alembic.script import ScriptDirectory

    with api._temp_alembic_ini("sqlite://") as path:  # noqa: SLF001 (nbgrader 0.9.6 does the same)
        return str(ScriptDirectory.from_config(Settings(path)).get_current_head())


def read_shown(gradebook: Gradebook, lab: str, student: str = "") -> dict[str, str]:
    """A digest of all that a page of feedback shows of the gradebook, by student.

    Points and comments of persons, penalties: a page with another digest is stale.

    Args:
        gradebook: the gradebook.
        lab: id of the lab.
        student: only this student; "" for all.
    """
    shown: dict[str, list[str]] = {}
    owner, assignment = SubmittedAssignment.student_id, SubmittedNotebook.assignment_id
    for columns, inner in (
        ((Grade.auto_score, Grade.manual_score, Grade.extra_credit), Grade),
        ((Comment.manual_comment, Comment.auto_comment), Comment),
    ):
        query = (
            gradebook.db.query(
                owner, SubmittedNotebook.late_submission_penalty, BaseCell.name, *columns
            )
            .join(SubmittedNotebook, assignment == SubmittedAssignment.id)
            .join(inner, inner.notebook_id == SubmittedNotebook.id)
            .join(BaseCell, BaseCell.id == inner.cell_id)
            .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
            .filter(Assignment.name == lab)
        )
        for who, *values in query.filter(owner == student) if student else query:
            shown.setdefault(who, []).append(repr(values))
    return {
        who: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
        for who, lines in shown.items()
    }
