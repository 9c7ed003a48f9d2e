"""A gradebook on a real PostgreSQL server, by nbgrader's `db_url` alone."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.bank import load
from autograder.course import Course
from autograder.demo.made_up_students import copy_course, fill_notebook, hand_in
from tests.course import points_of

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

LAB, QUESTION = "lab1_mnist", "wrap"
CLASS = {
    "anna": ("manual optimization", points_of(LAB, QUESTION)),
    "bert": ("logs nothing", points_of(LAB, QUESTION, "log")),
    "dora": ("", 0),
}
PORT = 5432
"""Part of the socket's name; nothing listens on the network."""


def program(name: str) -> str:
    """A program of PostgreSQL; Debian keeps them off the PATH."""
    found = shutil.which(name) or max(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found)


@pytest.fixture
def db_url() -> Iterator[str]:
    """A server that listens on a socket in a folder of its own."""
    # PostgreSQL refuses to run as root, and the path of its socket has to be short.
    user = pwd.getpwnam("postgres").pw_name if os.geteuid() == 0 else None
    place = Path(tempfile.mkdtemp(prefix="pg-"))
    if user:
        shutil.chown(place, user, user)
    data, options = str(place / "data"), f"-c listen_addresses='' -k {place} -p {PORT}"

    def run(*command: str) -> None:
        subprocess.run(command, user=user, cwd=place, check=True, stdout=subprocess.DEVNULL)

    try:
        run(program("initdb"), "-D", data, "-U", "grader", "--auth=trust")
        log = str(place / "log")
        run(program("pg_ctl"), "-D", data, "-l", log, "-w", "-o", options, "start")
        run(program("createdb"), "-h", str(place), "-p", str(PORT), "-U", "grader", "grades")
        yield f"postgresql+psycopg://grader@/grades?host={place}&port={PORT}"
    finally:
        subprocess.run(
            [program("pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop"],
            user=user, cwd=place, check=False, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def course(tmp_path: Path, root: Path, db_url: str) -> Path:
    """A course whose configuration names the server, and three submissions."""
    whole = Course(root)
    lab, folder = whole.lab(LAB), tmp_path / "course"
    folder.mkdir()
    copy_course(whole, folder, lab, lab.questions)
    with (folder / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write(f"\nc.CourseDirectory.db_url = {db_url!r}\n")
    unsolved = nbformat.read(root / "release" / LAB / f"{LAB}.ipynb", as_version=4)
    cases = {case.id: case for case in load(lab)[QUESTION]}
    for student, (case, _) in CLASS.items():
        solution = lab.questions[QUESTION].solution
        answers = {QUESTION: cases[case].answer(solution)} if case else {}
        hand_in(folder, student, LAB, fill_notebook(unsolved, answers))
    return folder


def command(course: Path, *arguments: str) -> None:
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [str(Path(sys.executable).with_name(arguments[0])), *arguments[1:]],
        cwd=course, env={**os.environ, "PATH": programs},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def points(db_url: str) -> dict[str, float]:
    with Gradebook(db_url, "litcourse") as gradebook:
        found = {s: gradebook.find_submission_notebook(LAB, LAB, s).grades for s in CLASS}
        return {student: sum(g.auto_score for g in grades) for student, grades in found.items()}


def test_grade_rejudge_and_nbgrader_agree_there(course: Path, db_url: str) -> None:
    due = {student: points for student, (_, points) in CLASS.items()}
    command(course, "autograder", "grade", LAB)
    assert points(db_url) == due
    assert not (course / "gradebook.db").exists()

    command(course, "autograder", "rejudge", LAB)
    assert points(db_url) == due

    command(course, "nbgrader", "autograde", LAB, "--force", "--student=bert")
    assert points(db_url) == due
    command(course, "nbgrader", "export", "--to=grades.csv")
    assert "bert" in (course / "grades.csv").read_text(encoding="utf-8")
