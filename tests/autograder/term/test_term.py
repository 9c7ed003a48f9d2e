"""A term as docs/term.md tells it: every command in its order, with nbgrader's real exchange."""

from __future__ import annotations

import csv
import getpass
import subprocess
import zipfile
from collections.abc import Callable
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


def test_a_term(run_in: Run, tmp_path: Path) -> None:  # noqa: PLR0915 (a term is long)
    origin, term, home = Course(ROOT), tmp_path / "term", tmp_path / "home"
    for folder in (term, home, tmp_path / "exchange"):
        folder.mkdir()
    (tmp_path / "exchange").chmod(0o777)
    course = copy_course(origin, term, origin.lab(LAB), (QUESTION,))
    settings = (
        "c.CourseDirectory.course_id = 'autumn'\n"
        f"c.Exchange.root = {str(tmp_path / 'exchange')!r}\n"
        f"c.Exchange.cache = {str(tmp_path / 'cache')!r}\n"
        "c.HandIns.counts_in = {'lab1_mnist': 'best'}\n"
    )
    with (term / "nbgrader_config.py").open("a", encoding="utf-8") as file:
        file.write(settings)
    (home / "nbgrader_config.py").write_text(f"c = get_config()\n{settings}", encoding="utf-8")

    def do(folder: Path, *command: str, code: int = 0) -> str:
        done = run_in(folder, *command)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    # The roster, and what is handed out.
    roster = tmp_path / "roster.csv"
    roster.write_text(
        f"id,first_name,last_name,email,lms_user_id\n{ME},Ada,Lovelace,ada@x.org,1\n"
        "ben,Ben,Bo,ben@x.org,2\ncyd,Cyd,Day,cyd@x.org,3\n",
        encoding="utf-8",
    )
    do(term, "nbgrader", "db", "student", "import", str(roster))
    do(term, "nbgrader", "generate_assignment", LAB)
    do(term, "nbgrader", "release_assignment", LAB)
    do(term, "nbgrader", "db", "assignment", "add", LAB, "--duedate", "2026-01-01 00:00:00 UTC")

    # A student hands in twice: right, then the stub.
    do(home, "nbgrader", "fetch_assignment", LAB)
    notebook = home / LAB / f"{LAB}.ipynb"
    stub = nbformat.read(notebook, as_version=4)
    right = without_markers(course.lab(LAB).questions[QUESTION].solution)
    for made in (fill_notebook(stub, {QUESTION: right}), stub):
        nbformat.write(made, notebook)
        do(home, "nbgrader", "submit", LAB)
    said = do(term, "autograder", "collect", LAB)
    assert "2 new tries of 1 students, 0 known." in said

    # Others by Moodle, one of whom nobody knows.
    archive = tmp_path / "moodle.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for who in ("Ben Bo", "Kofi Last10"):
            text = nbformat.writes(fill_notebook(stub, {QUESTION: right}))
            packed.writestr(f"{who}_77_assignsubmission_file_/{LAB}.ipynb", text)
    said = do(term, "autograder", "collect-zip", LAB, str(archive), "--from", "moodle", code=1)
    assert "not mapped: Kofi Last10" in said

    said = do(term, "autograder", "grade", LAB, "--csv", "scores.csv")
    assert "handed in nothing: cyd" in said
    with (term / "scores.csv").open(encoding="utf-8") as file:
        scores = {row["student"]: float(row["total"]) for row in csv.DictReader(file)}
    assert scores == {ME: MOST, "ben": MOST}

    # Pages go out, also of who came by the LMS; the student gets hers.
    do(term, "nbgrader", "release_feedback", LAB)
    do(home, "nbgrader", "fetch_feedback", LAB)
    pages = list((home / LAB / "feedback").rglob("*.html"))
    assert len(pages) == 1
    assert "Number 1 counts: the best one" in pages[0].read_text(encoding="utf-8")

    # More time, a complaint, marks, the archive.
    assert "due 2026-01-03" in do(term, "autograder", "extend", LAB, "ben", "--days", "2")
    assert "the evidence" in do(term, "autograder", "show", LAB, ME, QUESTION)
    do(term, "autograder", "rejudge", LAB)
    do(term, "autograder", "marks", LAB, "--format", "moodle", "--out", "moodle.csv")
    assert f",{MOST:g}," in (term / "moodle.csv").read_text(encoding="utf-8")
    do(term, "autograder", "backup", str(tmp_path / "term.tar.gz"))
    do(tmp_path, "autograder", "restore", str(tmp_path / "term.tar.gz"), str(tmp_path / "again"))
    assert "0 to grade" in do(tmp_path / "again", "autograder", "grade", LAB)
    do(term, "autograder", "remove", "--all", "ben", "--yes")

    # The next term sees nothing of this one.
    following = tmp_path / "next"
    following.mkdir()
    copy_course(origin, following, origin.lab(LAB), (QUESTION,))
    with (following / "nbgrader_config.py").open("a", encoding="utf-8") as file:
        file.write(settings.replace("autumn", "spring"))
    do(following, "nbgrader", "generate_assignment", LAB)
    do(following, "nbgrader", "release_assignment", LAB)
    assert "0 new tries of 0 students, 0 known." in do(following, "autograder", "collect", LAB)
