"""nbgrader's formgrader in a real browser, on what `autograder grade` wrote."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from nbgrader.api import Gradebook
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait

from autograder.bank import load
from autograder.course import Course
from autograder.demo.made_up_students import copy_course, fill_notebook, hand_in
from tests.attacks import page_scripted
from tests.browser.jupyterlab import TOKEN, chromium, server
from tests.course import points_of, questions

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LAB, QUESTION = "lab1_mnist", "wrap"
TOTAL = sum(points_of(LAB, name) for name in questions(LAB))
CLASS = {
    "anna": ("manual optimization", f"{points_of(LAB, QUESTION):g} / {TOTAL:g}"),
    "bert": ("logs nothing", f"{points_of(LAB, QUESTION, 'log'):g} / {TOTAL:g}"),
}
HOSTILE = "mallory"
SETTLED = 3.0
"""Seconds in which what runs in a page has run."""
ROW = """
const ids = [...document.querySelectorAll('td.student-id')];
const row = ids.find(cell => cell.innerText === arguments[0])?.closest('tr');
"""


@pytest.fixture
def graded(tmp_path: Path, root: Path) -> Path:
    """A course that `autograder grade` graded: two students, and one who attacks the page."""
    course = Course(root)
    lab, folder = course.lab(LAB), tmp_path / "course"
    folder.mkdir()
    copy_course(course, folder, lab, lab.questions)
    unsolved = nbformat.read(root / "release" / LAB / f"{LAB}.ipynb", as_version=4)
    cases = {case.id: case for case in load(lab)[QUESTION]}
    for student, (case, _) in CLASS.items():
        answer = cases[case].answer(lab.questions[QUESTION].solution)
        hand_in(folder, student, LAB, fill_notebook(unsolved, {QUESTION: answer}))
    hostile = fill_notebook(unsolved, {})
    hostile.cells += [v4.new_markdown_cell(text) for text in page_scripted.TEXTS]
    hostile.cells.insert(0, v4.new_code_cell(page_scripted.SHOW))
    page_scripted.page(hand_in(folder, HOSTILE, LAB, hostile).parent, {})
    program = Path(sys.executable).with_name("autograder")
    done = subprocess.run(
        [program, "grade", LAB], cwd=folder, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def page(graded: Path, tmp_path: Path) -> Iterator[Chrome]:
    """The formgrader's list of submissions."""
    with ExitStack() as stack:
        url = stack.enter_context(server(tmp_path, graded))
        driver = stack.enter_context(chromium(tmp_path))
        driver.get(f"{url}lab?token={TOKEN}")  # the formgrader takes the cookie, not the token
        driver.get(f"{url}formgrader/manage_submissions/{LAB}")
        yield driver


def scores(page: Chrome) -> dict[str, str]:
    """The scores that the page shows, once it shows one for each student."""
    script = ROW + "return row?.querySelector('td.score')?.innerText ?? '';"

    def shown() -> dict[str, str]:
        found = {student: page.execute_script(script, student) for student in CLASS}
        return found if all(found.values()) else {}

    return dict(WebDriverWait(page, 30).until(lambda _: shown()))


def test_it_shows_the_scores_and_its_button_gives_the_same(page: Chrome) -> None:
    wanted = {student: score for student, (_, score) in CLASS.items()}
    assert scores(page) == wanted

    page.execute_script(ROW + "row.querySelector('td.autograde a').click();", "bert")
    modal = WebDriverWait(page, 150).until(
        lambda _: page.execute_script("return document.querySelector('.modal.in')?.innerText;")
    )
    assert "Successfully autograded" in modal, modal
    assert scores(page) == wanted


def test_a_submission_runs_nothing_in_it(page: Chrome, graded: Path) -> None:
    wanted = scores(page)
    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}", "litcourse") as gradebook:
        shown = gradebook.find_submission_notebook(LAB, LAB, HOSTILE).id
    server = page.current_url.partition("/formgrader/")[0]
    page.get(f"{server}/formgrader/submissions/{shown}/")
    text = "return document.querySelector('#notebook')?.innerText ?? '';"
    WebDriverWait(page, 30).until(lambda _: "my work" in page.execute_script(text))
    time.sleep(SETTLED)
    assert page.title != "RUN"
    page.get(f"{server}/formgrader/manage_submissions/{LAB}")
    assert scores(page) == wanted
