"""Fixtures: the tiny class of the grading tests, an exchange, and commands as a user types them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from autograder.cli import app
from autograder.demo.made_up_students import fill_notebook
from tests.autograder.grading.conftest import LAB, QUESTION, Class, _imported, group

__all__ = ["_imported", "group"]


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    text: str


@pytest.fixture
def call(group: Class, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Type a command in the course's folder."""

    def run(*arguments: str, answer: str = "") -> Said:
        monkeypatch.chdir(group.root)
        done = CliRunner().invoke(app, list(arguments), input=answer)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Said(done.exit_code, done.stdout + done.stderr)

    return run


@dataclass
class Exchange:
    """The exchange of the tiny class."""

    group: Class
    inbound: Path

    def submit(self, student: str, answer: str, at: str = "", digits: str = "1") -> Path:
        """Submit as nbgrader does; `at` is a time, UTC, or now."""
        at = at or datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        folder = self.inbound / f"{student}+{LAB}+{at} UTC+{digits}"
        folder.mkdir()
        lab = self.group.course.lab(LAB)
        notebook = fill_notebook(lab.notebook, {QUESTION: answer})
        nbformat.write(notebook, folder / f"{LAB}.ipynb")
        (folder / "timestamp.txt").write_text(f"{at} UTC", encoding="utf-8")
        (folder / "submission_secret.txt").write_text(digits * 64, encoding="utf-8")
        return folder


@pytest.fixture
def exchange(group: Class) -> Exchange:
    """An exchange in which all students are one user, and times are believed."""
    inbound = group.root / "exchange/litcourse/inbound"
    inbound.mkdir(parents=True)
    group.settings(
        f"""
        c.Exchange.root = {str(group.root / "exchange")!r}
        c.ExchangeCollect.check_owner = False
        c.HandIns.minutes_apart = 1e6
        """
    )
    return Exchange(group, inbound)
