"""Pages of feedback: whatever a notebook holds, each is made, and keeps nobody waiting for long."""

from __future__ import annotations

import threading
import time

import nbformat
import pytest
from nbformat import NotebookNode, v4

from autograder.demo.made_up_students import fill_notebook
from autograder.grading import feedback
from autograder.grading.feedback import LateError, add_alt_texts, limit_cpu_time

from .conftest import LAB, QUESTION, RIGHT, WRONG, Class, enter

POINTS = 5.0
SOON = 0.5
MANY = 200_000
HOSTILE = {
    "pictures": v4.new_markdown_cell("<div>" + "<img " * MANY),
    "formulas": v4.new_markdown_cell("\\(" * MANY),
    "environments": v4.new_markdown_cell("\\begin{a}" * MANY),
    "names": v4.new_code_cell("if 0:\n    " + "a." * MANY),
    "quotes": v4.new_markdown_cell("> " * 20_000 + "x"),
}


def busy(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def with_cell(group: Class, cell: NotebookNode) -> bytes:
    notebook = fill_notebook(group.course.lab(LAB).notebook, {QUESTION: WRONG})
    notebook.cells.append(cell)
    text: str = nbformat.writes(notebook)
    return text.encode()


def test_a_page_that_hangs_is_short_and_no_score_waits_for_it(
    group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback, "PAGE_SECONDS", SOON)
    for student, cell in HOSTILE.items():
        group.hand_in(student, with_cell(group, cell))
    group.hand_in("zoe", RIGHT)
    started = time.monotonic()
    assert group.grade() == 0
    assert time.monotonic() - started < 60
    assert group.students() == dict.fromkeys(HOSTILE, 0) | {"zoe": POINTS}
    for student in HOSTILE:
        assert group.record(student).feedback
        assert "litcourse-card" in group.page(student).read_text(encoding="utf-8")
    page = group.page("names").read_text(encoding="utf-8")
    assert "This page is short" in page
    assert "0.0 / 5.0" in page
    assert "a.a.a" not in page
    assert "This page is short" not in group.page("zoe").read_text(encoding="utf-8")


def test_all_scores_come_before_the_first_page(
    group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    for student in ("ada", "ben", "cyd"):
        group.hand_in(student, RIGHT)
    group.grade(feedback=False)
    (group.root / "gradebook.db").unlink()

    def page(*_: object) -> None:
        assert group.students() == {"ada": POINTS, "ben": POINTS, "cyd": POINTS}
        raise KeyboardInterrupt

    monkeypatch.setattr(feedback.Pages, "write", page)
    assert group.grade() == 130


def test_a_short_page_keeps_what_a_person_wrote_and_what_was_mended(
    group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = group.hand_in("ada", with_cell(group, HOSTILE["names"]))
    (folder / "link").symlink_to(group.root)
    group.grade(feedback=False)
    enter(group, manual_comment="Nearly there")
    monkeypatch.setattr(feedback, "PAGE_SECONDS", SOON)
    group.grade()
    page = group.page("ada").read_text(encoding="utf-8")
    assert "This page is short" in page
    assert "Nearly there" in page
    assert "LIT951" in page


def test_a_limit_is_raised_and_taken_back() -> None:
    with pytest.raises(LateError), limit_cpu_time(0.05):
        busy(5)
    with limit_cpu_time(0.05):
        busy(0)
    busy(0.2)


def test_elsewhere_than_in_the_main_thread_nothing_is_limited() -> None:
    done = []

    def work() -> None:
        with limit_cpu_time(0.001):
            done.append(sum(range(1_000_000)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


@pytest.mark.parametrize(
    ("html", "described"),
    [
        ('<img src="a.png">', True),
        ('<IMG\nsrc="a.png" width=3/>', True),
        ('<img src="a.png" alt="a plot">', False),
        ('<img title="a < b" alt="a plot">', False),
        ("<image>", False),
        ("<img", True),
    ],
)
def test_pictures_without_a_text_get_one(html: str, described: bool) -> None:
    assert ("No description" in add_alt_texts(html)) == described


def test_the_search_for_pictures_takes_time_in_proportion() -> None:
    started = time.process_time()
    add_alt_texts("<img " * 2_000_000)
    assert time.process_time() - started < 5


def test_a_page_that_is_older_than_the_gradebook_is_remade(
    group: Class, capsys: pytest.CaptureFixture[str]
) -> None:
    for student in ("ada", "ben"):
        group.hand_in(student, WRONG)
    assert group.grade() == 0
    before = group.page("ben").stat().st_mtime_ns
    enter(group, manual_score=2.5, manual_comment="Well tried.")
    capsys.readouterr()
    assert group.grade() == 0
    assert "1 pages older than the gradebook, which are remade" in capsys.readouterr().out
    page = group.page("ada").read_text(encoding="utf-8")
    assert "Well tried." in page
    assert "2.5" in page
    assert group.page("ben").stat().st_mtime_ns == before
    assert group.grade() == 0
    assert "older than the gradebook" not in capsys.readouterr().out


def test_the_list_on_top_names_the_questions(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.grade()
    page = group.page("ada").read_text(encoding="utf-8")
    assert f'<a href="#{QUESTION}-check">{QUESTION}</a> (Score: 5.0 / 5.0)' in page
    assert "Test cell" not in page.split('id="toc"')[1].split("</ol>")[0]


def test_the_page_of_a_broken_file_is_one_screen(group: Class) -> None:
    group.hand_in("ada", b"no JSON at all")
    assert group.grade() == 0
    page = group.page("ada").read_text(encoding="utf-8")
    assert page.count("LIT908") == 1
    assert "no JSON" in page
    assert "Say here what the function takes and returns" not in page  # the lab's own text
    assert f'<a href="#{QUESTION}-check">{QUESTION}</a> (Score: 0.0 / 5.0)' in page
