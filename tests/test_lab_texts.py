"""What the labs say of themselves: numbers of questions, points, and the page of fixed names.

Notebooks number their questions, for people who read from top to bottom; the order of the cells
decides. Everything else names a question by its id, which never changes.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from autograder.course import CHECK, Lab, grade_id
from tests.course import LABS, ROOT

NUMBERED = re.compile(r"\bquestions? \d+(?: (?:to|and) \d+)?", re.IGNORECASE)
HEADING = re.compile(r"^## Question (\d+) · `(\w+)`", re.MULTILINE)
ROW = re.compile(r"^\| (\d+) \[`(\w+)`\]\(#(\S+)\) \|.*\| (\d+) \|$", re.MULTILINE)
TITLE = re.compile(r"^## (Question \d+ · `(\w+)`.*)$", re.MULTILINE)
TASK = re.compile(r"^### Your task: `(\w+)` \((\d+) points\)$", re.MULTILINE)

MENTIONS = {
    "lab1_mnist": (
        "only `fit` and `reload` train with your classes of questions {wrap} and {evaluate}",
        "keeps `inputs` for the checkpoint, see question {reload}",
        "which the loading of question {reload} refuses",
        "a mistake in your `forward` is question {wrap}'s affair",
        "This second part waits until questions {wrap} and {evaluate} work",
        "(Until questions {wrap} to {fit} are answered, it ends in",
        "which is why question {wrap} left it out",
        "It stands on question {evaluate}.",
    ),
    "lab2_cifar10": (
        "only `converge` uses a class of yours, that of question {schedule}.",
        "(Until questions {schedule} to {engineer} are answered, it ends in",
        "the program of question {script} has to keep the newest epoch itself",
        "It stands on question {schedule}: your `LitResNet` is the one that is trained",
        "whose augmentation of CIFAR10 is that of question {augment}",
    ),
    "lab3_ddp": (
        "which is inexact in its own way; see question {sampler}.",
        "is a decision for the recipe (question {recipe})",
        "a branch that some rank skips (question {unused})",
        "(of the kind that starts programs, as in question {kwargs})",
    ),
    "lab5_slurm": (
        "`Requeue` is for question {requeue}.",
        "**How it is judged.** As in question {one_gpu}. The node has at least",
        "the job of question {one_node} for a training of two and a half hours",
        "**If you have a cluster:** the files of questions {one_gpu} to {requeue} are real",
        "the checks of questions {one_gpu} to {requeue} remind you of it",
    ),
}
"""Where a notebook speaks of a question by its number, with the id that is meant."""


def numbers(lab: Lab) -> dict[str, int]:
    """The number of each question, by id: its place in the notebook."""
    return {name: number for number, name in enumerate(lab.questions, 1)}


def texts(lab: Lab) -> list[str]:
    """The texts and programs of a lab's notebook, white space made even, without headings."""
    sources = [HEADING.sub("", cell.source) for cell in lab.notebook.cells]
    return [" ".join(source.split()) for source in sources]


@pytest.mark.parametrize("lab", LABS.values(), ids=list(LABS))
def test_headings_number_the_questions_in_their_order(lab: Lab) -> None:
    text = "\n".join(cell.source for cell in lab.notebook.cells if cell.cell_type == "markdown")
    found = [(name, int(number)) for number, name in HEADING.findall(text)]
    assert found == list(numbers(lab).items()), "a question begins with: ## Question 7 · `id`: ..."


@pytest.mark.parametrize("lab", LABS.values(), ids=list(LABS))
def test_the_overview_has_the_order_and_the_points(lab: Lab) -> None:
    text = "\n".join(cell.source for cell in lab.notebook.cells)
    rows = ROW.findall(text)
    found = [(int(number), name, float(points)) for number, name, _, points in rows]
    points = {name: cells.points for name, cells in lab.questions.items()}
    assert found == [(number, name, points[name]) for name, number in numbers(lab).items()]
    # JupyterLab gives each heading its text as an anchor, with - for blanks.
    titles = {name: title.replace("`", "") for title, name in TITLE.findall(text)}
    assert [link for _, _, link, _ in rows] == [titles[row[1]].replace(" ", "-") for row in rows]


@pytest.mark.parametrize("lab", LABS.values(), ids=list(LABS))
def test_each_task_has_the_points_of_its_check_cell(lab: Lab) -> None:
    places = {grade_id(cell): place for place, cell in enumerate(lab.notebook.cells)}
    ends = [0, *(places[name + CHECK] for name in lab.questions)]
    for (start, end), (name, cells) in zip(pairwise(ends), lab.questions.items(), strict=True):
        text = "\n".join(cell.source for cell in lab.notebook.cells[start:end])
        assert TASK.findall(text) == [(name, f"{cells.points:g}")], f"{lab.id}, {name}"


def unmeant(lab: Lab) -> list[str]:
    """Numbers of questions in the notebook that no line of `MENTIONS` stands for."""
    meant = [mention.format(**numbers(lab)) for mention in MENTIONS.get(lab.id, ())]
    left = "\n".join(texts(lab))
    for text in meant:
        left = left.replace(text, "")
    return [left[max(0, m.start() - 60) : m.end() + 40] for m in NUMBERED.finditer(left)]


@pytest.mark.parametrize("lab", LABS.values(), ids=list(LABS))
def test_numbers_of_questions_in_a_notebook_mean_what_they_meant(lab: Lab) -> None:
    assert not unmeant(lab), "mend the number, or add a new place to MENTIONS with the id it means"
    stale = [mention for mention in MENTIONS.get(lab.id, ())
             if not any(mention.format(**numbers(lab)) in text for text in texts(lab))]  # fmt: skip
    assert not stale, "no text of the notebook says so any more"


def test_a_number_that_moved_is_noticed() -> None:
    lab = LABS["lab1_mnist"]
    first, *others = lab.questions.items()
    moved = Lab(lab.id, lab.folder)
    moved.__dict__["questions"] = dict([*others, (first[0], first[1])])
    assert any("question 1's affair" in place for place in unmeant(moved))


def test_no_other_text_numbers_a_question() -> None:
    """Findings, judges and documents name it by its id, which no new question changes."""
    places = [ROOT.glob("*.md"), *((ROOT / top).rglob("*") for top in ("docs", "litcourse"))]
    files = [p for paths in places for p in paths if p.suffix in {".py", ".toml", ".md", ".jinja"}]
    found = {(p.relative_to(ROOT), m) for p in files if p.name != "CHANGELOG.md"
             for m in NUMBERED.findall(p.read_text(encoding="utf-8"))}  # fmt: skip
    assert not found


# --- docs/labs.md ----------------------------------------------------------------------------


def rows(lab_id: str) -> dict[str, str]:
    """What a student defines, by question, as the page of fixed names says."""
    page = Path(ROOT / "docs/labs.md").read_text(encoding="utf-8")
    _, _, part = page.partition(f"\n## {lab_id} ")
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \| ", part.partition("\n## ")[0], re.MULTILINE))


@pytest.mark.parametrize("lab", LABS.values(), ids=list(LABS))
def test_the_page_of_fixed_names_has_every_question(lab: Lab) -> None:
    found = rows(lab.id)
    assert list(found) == list(lab.questions), "add what was made to docs/labs.md"
    for name, text in found.items():
        question = lab.find_question(name)
        fixed = (*question.files, *question.defines)
        assert any(word in text for word in fixed), f"{lab.id}, {name}: {fixed}"
