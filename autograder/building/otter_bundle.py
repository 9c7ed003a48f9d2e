"""Makes the bundle with which otter grades the same notebook as nbgrader.

`otter generate` makes the zip: one test file per question, one test case per criterion. Beside them
lie the student wheel and exact requirements, so that Gradescope can build an image of it. A bundle
holds the answer of a question that is judged by its solution. So keep it from students.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from autograder.building.archive import add_member
from autograder.building.wheel import build_wheel
from autograder.course import Lab
from autograder.verifying.solutions import solved_cells
from litcourse.core.question import Question

POINT_DIGITS = 6
"""Decimals of a test case's points: more than any gradebook shows."""

CONFIG = {
    "lang": "python",
    # No assignment_name: the notebook is nbgrader's and carries none.
    "show_all_public": True,
    "pdf": False,
}

_HEAD = '''"""Question {question!r} of {lab}: one test case per criterion."""

from litcourse.frontends.otter import CheckedQuestion
from otter.test_files import test_case

OK_FORMAT = False
name = {question!r}
asked = CheckedQuestion({lab!r}, {question!r}, {solution!r})
'''

_CASE = """

@test_case(name={title!r}, points={points!r})
def earns_{criterion}(env):
    asked.earn({criterion!r}, env)
"""


PYTHON = "3.11"
"""Python of Gradescope's image: the oldest that the course allows, and the one that CI has."""
PINNED = ("torch", "torchvision", "lightning", "otter-grader")
"""What the bundle asks for by its exact version: that with which the course was tried."""
_GRADESCOPE = "/autograder/source"
"""Where Gradescope unpacks a bundle."""
_PROGRAMS = frozenset({"run_autograder", "setup.sh"})
"""Members that Gradescope starts; all others are read."""


def requirements(wheel: str) -> list[str]:
    """The lines of requirements.txt.

    Args:
        wheel: path of the student wheel.
    """
    exact = (f"{name}=={version(name).partition('+')[0]}" for name in PINNED)
    return [wheel, *exact]


def build_bundle(lab: Lab, folder: Path, wheel: Path | None = None) -> Path:
    """Write `<lab>.zip` for `otter run -a` and Gradescope into `folder`; returns its path.

    Args:
        lab: the lab.
        folder: the folder, made if it is missing.
        wheel: the student wheel; None builds one.

    Raises:
        AuthorError: a question has no probe and judge.
    """
    from otter.generate import main as generate

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{lab.id}.zip"
    with tempfile.TemporaryDirectory(prefix="autograder-") as scratch:
        tests = Path(scratch, "tests")
        tests.mkdir()
        for name, cells in lab.questions.items():
            question = lab.find_question(name)
            solution = solved_cells(lab, name) if question.by_solution else ()
            source = case_file(lab.id, name, question, cells.points, solution)
            (tests / f"{name}.py").write_text(source, encoding="utf-8")
        config = Path(scratch, "otter_config.json")
        config.write_text(json.dumps(CONFIG), encoding="utf-8")
        made = Path(scratch, "made.zip")
        wheel = wheel or build_wheel(Path(scratch))
        asked = Path(scratch, "requirements.txt")
        lines = requirements(f"{_GRADESCOPE}/{wheel.name}")
        asked.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        generate(
            tests_dir=str(tests),
            output_path=str(made),
            config=str(config),
            requirements=str(asked),
            no_environment=True,
            python_version=PYTHON,
        )
        own: dict[str, bytes | str] = {
            wheel.name: wheel.read_bytes(),
            "requirements.txt": "".join(f"{line}\n" for line in requirements(f"./{wheel.name}")),
        }
        _repack(made, path, own)
    return path


def case_file(
    lab_id: str, question_id: str, question: Question, points: float, solution: Sequence[str] = ()
) -> str:
    """Source of the question's test file, whose cases sum to `points`."""
    parts = [_HEAD.format(lab=lab_id, question=question_id, solution=tuple(solution))]
    for criterion in question.criteria:
        worth = round(criterion.share * points, POINT_DIGITS)
        parts.append(_CASE.format(title=criterion.title, points=worth, criterion=criterion.id))
    return "".join(parts)


def _repack(made: Path, path: Path, own: Mapping[str, bytes | str]) -> None:
    """Sort the members and drop their times, so that two builds give the same bytes.

    Args:
        made: what otter made.
        path: the bundle.
        own: further members, which win.
    """
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(path, "w") as target:
        found = {name: source.read(name) for name in source.namelist()}
        found |= {n: d.encode() if isinstance(d, str) else d for n, d in own.items()}
        for name in sorted(found):
            add_member(target, name, found[name], program=name in _PROGRAMS)
