"""A lab's page and its notebook say the same."""

from __future__ import annotations

import base64
import re
from itertools import pairwise

import pytest

from autograder.bank import without_markers
from autograder.course import Lab, is_demo
from autograder.pages.facts import BOLD_TERMS, facts_of, glossary
from autograder.pages.findings_page import findings_page, groups
from autograder.pages.kept_outputs import KeptOutputs, is_stale
from autograder.pages.lesson_page import Page, lesson_page
from autograder.pages.myst_text import escape, headings
from autograder.pages.sample_cards import FAILING, PASSING, first_code, read_cards, stale_cards
from litcourse.feedback.catalogue import catalogue
from litcourse.feedback.guidance import find_guidance
from tests.course import LABS

each_lab = pytest.mark.parametrize("lab", LABS.values(), ids=list(LABS))
EXERCISE = re.compile(r"^:{3,}\{exercise\} Exercise `(\w+)` · ([\d.]+) points$", re.MULTILINE)
TASK = "Your task"


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    return {lab.id: lesson_page(lab, solutions=False) for lab in LABS.values()}


@each_lab
def test_kept_outputs_are_of_the_code_of_now(lab: Lab) -> None:
    assert not is_stale(lab), "run: make site-outputs, and commit autograder/pages/kept/"
    assert not stale_cards(lab), "run: make site-outputs, and commit autograder/pages/kept/"


@each_lab
def test_each_question_has_a_card_that_fails_and_one_that_passes(lab: Lab) -> None:
    cards = read_cards(lab)
    assert list(cards) == list(lab.questions)
    assert all(first_code(card[FAILING]) for card in cards.values())
    assert not any(first_code(card[PASSING]) for card in cards.values())


@each_lab
def test_page_and_notebook_have_the_same_headings(lab: Lab, pages: dict[str, Page]) -> None:
    texts = [cell.source for cell in lab.notebook.cells if cell.cell_type == "markdown"]
    wanted = [heading for text in texts for heading in headings(text) if TASK not in heading[1]]
    assert headings(pages[lab.id].text) == wanted


@each_lab
def test_page_and_notebook_have_the_same_tasks_and_points(lab: Lab, pages: dict[str, Page]) -> None:
    found = [(name, float(points)) for name, points in EXERCISE.findall(pages[lab.id].text)]
    assert found == [(name, cells.points) for name, cells in lab.questions.items()]
    starts = [match.start() for match in EXERCISE.finditer(pages[lab.id].text)]
    for (start, end), name in zip(
        pairwise([*starts, len(pages[lab.id].text)]), lab.questions, strict=True
    ):
        exercise = pages[lab.id].text[start:end]
        assert f"check.{name}()" in exercise
        assert "YOUR CODE HERE" in exercise


@each_lab
def test_the_opening_stands_in_boxes(lab: Lab, pages: dict[str, Page]) -> None:
    head = pages[lab.id].text.partition("\n## ")[0]
    for name in ("questions", "objectives", "prerequisites"):
        assert f"{{{name}}}" in head


def plain(text: str) -> str:
    """A text without what MyST writes otherwise: headings, details, places of links."""
    otherwise = r"</?details>|<summary>.*|\]\((#|attachment:)[^)]*\)|^#.*|\*\*(Questions|Obj).*"
    return re.sub(otherwise, "", text, flags=re.MULTILINE)


@each_lab
def test_every_line_of_the_notebook_is_on_the_page(lab: Lab, pages: dict[str, Page]) -> None:
    page = plain(pages[lab.id].text)
    for cell in lab.notebook.cells:
        if cell.cell_type == "markdown":
            lines = [line.strip() for line in plain(cell.source).splitlines()]
            assert not [line for line in lines if line not in page]


@each_lab
def test_links_within_a_notebook_lead_to_their_places(lab: Lab, pages: dict[str, Page]) -> None:
    page = pages[lab.id].text
    labels = set(re.findall(r"^\(([\w-]+)\)=$", page, re.MULTILINE)) | {
        code.lower() for code in catalogue()
    }
    assert set(re.findall(r"\]\(#([^)\s]+)\)", page)) <= labels


@each_lab
def test_hints_are_dropdowns(lab: Lab, pages: dict[str, Page]) -> None:
    page = pages[lab.id].text
    assert "details>" not in page
    assert len(EXERCISE.findall(page)) <= len(re.findall(r"\{hint\}|\{admonition\} Hint 1", page))
    for name in lab.questions:
        for hint in find_guidance(lab.id, name).hints:
            assert escape(hint) in page


@each_lab
def test_demonstrations_show_code_and_output(lab: Lab, pages: dict[str, Page]) -> None:
    page = pages[lab.id].text
    for cell in filter(is_demo, lab.notebook.cells):
        assert cell.source.strip() in page
    assert len(re.findall(r"\{demo\}", page)) == len(list(filter(is_demo, lab.notebook.cells)))


@each_lab
def test_figures_are_files_with_their_text(lab: Lab, pages: dict[str, Page]) -> None:
    page = pages[lab.id]
    assert "attachment:" not in page.text
    shown = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", page.text)
    assert {path for _, path in shown} == set(page.pictures)
    attached = [
        base64.b64decode(data["image/png"])
        for cell in lab.notebook.cells
        for data in cell.get("attachments", {}).values()
    ]
    assert set(attached) <= set(page.pictures.values())


@each_lab
def test_solutions_stand_on_the_page_for_instructors_alone(
    lab: Lab, pages: dict[str, Page]
) -> None:
    solved = lesson_page(lab, solutions=True).text
    assert solved.count("{solution}") == len(lab.questions)
    assert "{solution}" not in pages[lab.id].text
    for cells in lab.questions.values():
        answer = without_markers(cells.solution).strip()
        assert answer in solved
        assert answer not in pages[lab.id].text


def test_what_a_demonstration_shows_of_answers_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = next(iter(LABS.values()))
    demo = next(cell for cell in lab.notebook.cells if is_demo(cell))
    answer = without_markers(next(iter(lab.questions.values())).solution)
    kept: KeptOutputs = {"digest": "", "cells": {demo.id: [{"text": f"your class:\n{answer}"}]}}
    monkeypatch.setattr("autograder.pages.lesson_page.read_outputs", lambda _: kept)
    monkeypatch.setattr("autograder.pages.kept_outputs.read_outputs", lambda _: kept)
    monkeypatch.setattr("autograder.pages.lesson_page.printed_by_given_cells", lambda _: ())
    assert "made of your own answers" in lesson_page(lab, solutions=False).text
    assert "your class:" not in lesson_page(lab, solutions=False).text
    assert "your class:" in lesson_page(lab, solutions=True).text


def test_every_finding_has_its_section() -> None:
    page = findings_page()
    assert re.findall(r"^\((lit\d+)\)=$", page, re.MULTILINE) == [
        code.lower() for codes in groups().values() for code in codes
    ]
    assert page.count(")=\n") == len(catalogue())


def test_lessons_still_explain_the_words_of_the_glossary() -> None:
    gone = set(BOLD_TERMS) - glossary(LABS.values()).keys()
    assert not gone, "no lesson has them in bold any more: take them out of BOLD_TERMS"


@each_lab
def test_the_opening_says_how_long_it_takes(lab: Lab) -> None:
    facts = facts_of(lab)
    assert facts.hours, "**Time:** about two hours. **Needed:** ..."
    assert facts.needed
    assert sum(map(facts.minutes, facts.questions)) == pytest.approx(60 * facts.hours, abs=30)
