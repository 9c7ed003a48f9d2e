"""`autograder new`: makes the three places of a new question, to be filled in.

The judge of the skeleton gives no points, so `autograder verify` fails until somebody has written
the judge.
"""

from __future__ import annotations

import itertools
import keyword
import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.course import CHECK, AuthorError, Course, Lab, grade_id
from litcourse.core.names import UnknownNameError
from litcourse.feedback.catalogue import catalogue

FUNCTION = "function"
"""The default kind of a question."""
POINTS = 5
"""Points of a new question, until somebody changes them."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HEADING = re.compile(r"^## Question \d+ · ", re.MULTILINE)
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_SETUP = """\
try:
    from litcourse import Check, explain
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "The course package 'litcourse' is not installed for this Python. Find the file "
        "litcourse-*.whl in the course's release folder, run  %pip install PATH/TO/THAT/FILE  "
        "in a new cell, and restart the kernel."
    ) from None

check = Check("{lab}")
"""


@cache
def kinds() -> dict[str, dict[str, str]]:
    """Texts for the templates, by kind of question and name."""
    found: dict[str, dict[str, str]] = tomllib.loads(_template("kinds.toml"))
    return found


def scaffold(
    course: Course,
    lab_id: str,
    question_id: str,
    *,
    after: str = "",
    kind: str = FUNCTION,
    name: str = "",
) -> list[Path]:
    """Make the cells, the module and the bank of a question; returns the files written.

    Args:
        course: the course.
        lab_id: id of the lab; made if there is none of that name.
        question_id: id of the question.
        after: id of the question behind whose check cell the new cells go; "" puts them in front
            of the notebook's summary.
        kind: what the student writes, one of `kinds()`.
        name: of the class that the student writes; follows from `question_id` unless given.

    Raises:
        AuthorError: a name is no valid id, or a part of the question exists already.
        UnknownNameError: there is no such kind, or the lab has no question `after`.
    """
    for each in (lab_id, question_id):
        _check_name(course, each)
    if name and (not name.isidentifier() or keyword.iskeyword(name)):
        step = "use letters, digits and _, such as ConfusionMatrix"
        raise AuthorError(course.root / "source", "", f"{name!r} can't name a class", step)
    if kind not in kinds():
        raise UnknownNameError("kind of question", kind, kinds())
    lab = Lab(lab_id, course.root / "source" / lab_id)
    modules = {
        _package(course, "litcourse/labs", lab_id) / f"{question_id}.py": "question.py.template",
        _package(course, "autograder/bank", lab_id) / f"{question_id}.py": "bank.py.template",
    }
    _check_free(lab, question_id, list(modules))
    place = _find_place(lab, after)
    written = [
        path for folder in {p.parent: 0 for p in modules} for path in _make_package(folder, lab_id)
    ]
    words = _template_words(lab_id, question_id, kind, name)
    for path, template in modules.items():
        path.write_text(Template(_template(template)).substitute(words), encoding="utf-8")
    _write_cells(lab, place, _cells(question_id, words["solution"]))
    return [lab.path, *modules, *written]


def next_steps(lab_id: str, question_id: str) -> str:
    """The next steps with a new question, as CONTRIBUTING.md has them."""
    words = {"lab": lab_id, "question": question_id, "codes": free_codes(lab_id)}
    return Template(_template("next_steps.txt.template")).substitute(words)


def free_codes(lab_id: str) -> str:
    """The first free hundred codes, for one question: LIT1nn in lab 1, LIT21nn in lab 2."""
    used = {int(code.removeprefix("LIT")) // 100 for code in catalogue()}
    number = int((re.match(r"lab(\d+)", lab_id) or ["", "0"])[1])
    own = range(1, 9) if number == 1 else range(10 * number + 1, 10 * number + 10)
    other = itertools.count(91)  # for labs without a number, and for those without free codes
    hundred = next(h for h in itertools.chain(own if number else (), other) if h not in used)
    return f"LIT{hundred}00 to LIT{hundred}99"


def _template(name: str) -> str:
    folder = files("autograder.building").joinpath("templates")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _template_words(lab_id: str, question_id: str, kind: str, name: str) -> dict[str, str]:
    """The texts for the names in the templates."""
    title = question_id.replace("_", " ").title()
    words = {"lab": lab_id, "question": question_id, "title": title}
    words["class_name"] = name or title.replace(" ", "")
    pieces = {key: Template(text).substitute(words) for key, text in kinds()[kind].items()}
    for piece in ("imports", "probe"):  # the template ends their last line
        pieces[piece] = pieces[piece].rstrip()
    return words | pieces


def _check_name(course: Course, name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        fault = f"{name!r} can't name a lab or question"
        step = "use lower-case letters, digits and _, such as lab2_cifar10 or schedule"
        raise AuthorError(course.root / "source", "", fault, step)


def _package(course: Course, index: str, lab_id: str) -> Path:
    if not (course.root / index).is_dir():
        step = "run it in a checkout of the course"
        raise AuthorError(course.root / index, "", "there is no such folder", step)
    return course.root / index / lab_id


def _check_free(lab: Lab, question_id: str, modules: list[Path]) -> None:
    places = [place for path in modules for place in (path, path.with_suffix(""))]
    taken = [str(place) for place in places if place.exists()]
    if lab.path.exists():
        names = {grade_id(cell) for cell in lab.notebook.cells}
        cells = sorted(names & {question_id, question_id + CHECK})
        taken += [f"cell {name!r} of {lab.path}" for name in cells]
    if taken:
        fault = f"it exists already: {', '.join(taken)}"
        step = "choose another id, or edit what is there"
        raise AuthorError(lab.path, question_id, fault, step)


def _make_package(folder: Path, lab_id: str) -> list[Path]:
    """Make `folder` a package unless it is one; returns the files written."""
    path = folder / "__init__.py"
    if path.exists():
        return []
    folder.mkdir(exist_ok=True)
    what = "Questions" if folder.parent.name == "labs" else "Answers to the questions"
    path.write_text(f'"""{what} of {lab_id}."""\n', encoding="utf-8")
    return [path]


# --- the notebook ------------------------------------------------------------------------


def _find_place(lab: Lab, after: str) -> int | None:
    """Index behind the check cell of `after`; None if `after` is ""."""
    if not after:
        return None
    known = lab.questions if lab.path.exists() else {}
    if after not in known:
        raise UnknownNameError("question", after, known, lab.id)
    return [grade_id(cell) for cell in lab.notebook.cells].index(after + CHECK) + 1


def _write_cells(lab: Lab, place: int | None, cells: list[NotebookNode]) -> None:
    """Insert cells at `place`; if that is None, in front of the summary or at the end."""
    notebook = lab.notebook if lab.path.exists() else _notebook(lab.id)
    if place is None:
        summary = (i for i, cell in enumerate(notebook.cells) if _is_summary(cell))
        place = next(summary, len(notebook.cells))
    notebook.cells[place:place] = cells
    _number_questions(notebook)
    lab.folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, lab.path)


def _number_questions(notebook: NotebookNode) -> None:
    """Number the headings of questions anew, in their order."""
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and _HEADING.search(cell.source):
            count += 1
            cell.source = _HEADING.sub(f"## Question {count} · ", cell.source, count=1)


def _is_summary(cell: NotebookNode) -> bool:
    return bool(cell.cell_type == "markdown" and cell.source.startswith("## Summary"))


def _cells(name: str, answer: str) -> list[NotebookNode]:
    """Task, solution and check cell of the question `name`."""
    title = name.replace("_", " ")
    task = f"## Question 0 · `{name}`: {title}\n\n### Your task: `{name}` ({POINTS} points)\n\n"
    task += "Say what to write, why, and how it is judged.\n\n"
    task += f"**Stuck?** `check.{name}.hint()` helps in three steps, "
    task += f"`check.{name}.others()` tells what comes up most often."
    check = {"grade": True, "locked": True, "points": POINTS}
    solution = new_code_cell(answer.rstrip(), id=name)
    solution.metadata = _cell_metadata(name, solution=True)
    checking = new_code_cell(f"check.{name}()", id=name + CHECK)
    checking.metadata = _cell_metadata(name + CHECK, **check) | {"otter": {"tests": [name]}}
    return [new_markdown_cell(task, id=f"{name}-task"), solution, checking]


def _cell_metadata(name: str, **words: object) -> NotebookNode:
    base = {"grade": False, "locked": False, "solution": False, "task": False}
    entry = base | {"grade_id": name, "schema_version": 3, "cell_type": "code"} | words
    made: NotebookNode = nbformat.from_dict({"nbgrader": entry})
    return made


def _notebook(lab_id: str) -> NotebookNode:
    """The notebook of a new lab: title, set-up, summary."""
    setup = new_code_cell(_SETUP.format(lab=lab_id).rstrip(), id="setup")
    setup.metadata = _cell_metadata("setup", locked=True)
    head = f"# {lab_id}\n\n**Questions**\n\n**Objectives**\n\n**Time:** an hour"
    cells = [new_markdown_cell(head, id="intro"), setup]
    cells.append(new_markdown_cell("## Summary\n\n## See also", id="summary"))
    language = {"name": "python"}
    metadata = {"kernelspec": _KERNEL, "language_info": language}
    made: NotebookNode = new_notebook(cells=cells, metadata=metadata)
    return made
