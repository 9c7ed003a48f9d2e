"""A term as docs/term.md tells it: every command in its order, with nbgrader's real exchange."""

from __future__ import annotations

import csv
import getpass
import json
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from autograder.bank import without_markers
from autograder.course import Course
from autograder.demo.made_up_students import copy_course, fill_notebook
from tests.course import points_of

pytestmark = pytest.mark.release

ROOT = Path(__file__).resolve().parents[3]
LAB, QUESTION = "lab1_mnist", "wrap"
ME = getpass.getuser()
MOST = points_of(LAB, QUESTION)
Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Term:
    """A course's folder, a student's home and the exchange, in one temporary folder."""

    run_in: Run
    tmp: Path
    settings: str

    @property
    def folder(self) -> Path:
        return self.tmp / "term"

    @property
    def home(self) -> Path:
        return self.tmp / "home"

    def do(self, *command: str, code: int = 0, folder: Path | None = None) -> str:
        """What a command says, by default in the course's folder."""
        done = self.run_in(folder or self.folder, *command)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def term(run_in: Run, tmp_path: Path) -> Term:
    settings = (
        "c.CourseDirectory.course_id = 'autumn'\n"
        f"c.Exchange.root = {str(tmp_path / 'exchange')!r}\n"
        f"c.Exchange.cache = {str(tmp_path / 'cache')!r}\n"
        "c.HandIns.counts_in = {'lab1_mnist': 'best'}\n"
        "c.WatchHandIns.minutes_between_in = {'lab1_mnist': 0}\n"
    )
    made = Term(run_in, tmp_path, settings)
    for folder in (made.home, tmp_path / "exchange"):
        folder.mkdir()
    (tmp_path / "exchange").chmod(0o777)
    make_course(made.folder, settings)
    (made.home / "nbgrader_config.py").write_text(f"c = get_config()\n{settings}", "utf-8")
    return made


def make_course(folder: Path, settings: str) -> None:
    """A course of one question, with the settings of a term."""
    origin = Course(ROOT)
    folder.mkdir()
    copy_course(origin, folder, origin.lab(LAB), (QUESTION,))
    with (folder / "nbgrader_config.py").open("a", encoding="utf-8") as file:
        file.write(settings)


def test_a_term(term: Term) -> None:
    hand_out(term)
    solved = hand_in_twice(term)
    hand_in_by_moodle(term, solved)
    grade(term)
    give_back(term)
    watch(term, solved)
    report(term)
    settle(term)
    begin_the_next(term)


def hand_out(term: Term) -> None:
    """The roster, and the lab."""
    roster = term.tmp / "roster.csv"
    roster.write_text(
        f"id,first_name,last_name,email,lms_user_id\n{ME},Ada,Lovelace,ada@x.org,1\n"
        "ben,Ben,Bo,ben@x.org,2\ncyd,Cyd,Day,cyd@x.org,3\n",
        encoding="utf-8",
    )
    term.do("nbgrader", "db", "student", "import", str(roster))
    term.do("nbgrader", "generate_assignment", LAB)
    term.do("nbgrader", "release_assignment", LAB)
    term.do("nbgrader", "db", "assignment", "add", LAB, "--duedate", "2026-01-01 00:00:00 UTC")


def hand_in_twice(term: Term) -> str:
    """A student hands in the solution, then the stub; the solved notebook's text."""
    term.do("nbgrader", "fetch_assignment", LAB, folder=term.home)
    notebook = term.home / LAB / f"{LAB}.ipynb"
    stub = nbformat.read(notebook, as_version=4)
    right = without_markers(Course(term.folder).lab(LAB).questions[QUESTION].solution)
    solved = fill_notebook(stub, {QUESTION: right})
    for made in (solved, stub):
        nbformat.write(made, notebook)
        term.do("nbgrader", "submit", LAB, folder=term.home)
    assert "2 new tries of 1 students, 0 known." in term.do("autograder", "collect", LAB)
    text: str = nbformat.writes(solved)
    return text


def hand_in_by_moodle(term: Term, solved: str) -> None:
    """Others come by the LMS, one of whom nobody knows."""
    archive = term.tmp / "moodle.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for who in ("Ben Bo", "Kofi Last10"):
            packed.writestr(f"{who}_77_assignsubmission_file_/{LAB}.ipynb", solved)
    said = term.do("autograder", "collect-zip", LAB, str(archive), "--from", "moodle", code=1)
    assert "not mapped: Kofi Last10" in said


def grade(term: Term) -> None:
    """The best try counts, and who handed in nothing is named."""
    assert "handed in nothing: cyd" in term.do("autograder", "grade", LAB, "--csv", "scores.csv")
    with (term.folder / "scores.csv").open(encoding="utf-8") as file:
        scores = {row["student"]: float(row["total"]) for row in csv.DictReader(file)}
    assert scores == {ME: MOST, "ben": MOST}


def give_back(term: Term) -> None:
    """Pages go out, also of who came by the LMS; the student gets hers."""
    term.do("nbgrader", "release_feedback", LAB)
    term.do("nbgrader", "fetch_feedback", LAB, folder=term.home)
    (page,) = fetched_pages(term)
    assert "Number 1 counts: the best one" in page.read_text(encoding="utf-8")


def fetched_pages(term: Term) -> set[Path]:
    """The pages that the student has."""
    return {*(term.home / LAB / "feedback").rglob("*.html")}


def watch(term: Term, solved: str) -> None:
    """Another hand-in is graded and given back by one command."""
    notebook = nbformat.reads(solved, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("I wrote more."))
    nbformat.write(notebook, term.home / LAB / f"{LAB}.ipynb")
    term.do("nbgrader", "submit", LAB, folder=term.home)
    before = fetched_pages(term)
    assert f"{LAB}: {ME}" in term.do("autograder", "watch", "--once")
    term.do("nbgrader", "fetch_feedback", LAB, folder=term.home)
    new = fetched_pages(term) - before
    assert new
    assert all("You handed in 3 times" in page.read_text(encoding="utf-8") for page in new)
    assert "no watcher is at work" in term.do("autograder", "watch", "--status", code=1)


def report(term: Term) -> None:
    """The class on one page, with names."""
    term.do("autograder", "report")
    page = (term.folder / "report.html").read_text(encoding="utf-8")
    assert "Ada Lovelace" in page
    (lab,) = json.loads(term.do("autograder", "report", "--json"))["labs"]
    assert lab["totals"] == {ME: MOST, "ben": MOST}
    assert lab["attendance"]["no_shows"] == ["cyd"]


def settle(term: Term) -> None:
    """More time, a complaint, marks, the archive."""
    kept = str(term.tmp / "term.tar.gz")
    again = term.tmp / "again"
    assert "due 2026-01-03" in term.do("autograder", "extend", LAB, "ben", "--days", "2")
    assert "the evidence" in term.do("autograder", "show", LAB, ME, QUESTION)
    term.do("autograder", "rejudge", LAB)
    term.do("autograder", "marks", LAB, "--format", "moodle", "--out", "moodle.csv")
    assert f",{MOST:g}," in (term.folder / "moodle.csv").read_text(encoding="utf-8")
    term.do("autograder", "backup", kept)
    term.do("autograder", "restore", kept, str(again), folder=term.tmp)
    assert "0 to grade" in term.do("autograder", "grade", LAB, folder=again)
    term.do("autograder", "remove", "--all", "ben", "--yes")


def begin_the_next(term: Term) -> None:
    """The next term sees nothing of this one."""
    following = term.tmp / "next"
    make_course(following, term.settings.replace("autumn", "spring"))
    term.do("nbgrader", "generate_assignment", LAB, folder=following)
    term.do("nbgrader", "release_assignment", LAB, folder=following)
    said = term.do("autograder", "collect", LAB, folder=following)
    assert "0 new tries of 0 students, 0 known." in said
