"""Makes the bundle with which otter grades the same notebook as nbgrader.

`otter generate` makes the zip: one test file per question, one test case per criterion. A bundle
holds the answer of a question that is judged by its solution. So keep it from students.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from autograder.building.archive import add_member
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


def build_bundle(lab: Lab, folder: Path) -> Path:
    """Write `<lab>.zip` for `otter run -a` into `folder`; returns its path.

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
        generate(
            tests_dir=str(tests),
            output_path=str(made),
            config=str(config),
            no_requirements=True,
            no_environment=True,
        )
        _repack(made, path)
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


def _repack(made: Path, path: Path) -> None:
    """Sort the members and drop their times, so that two builds give the same bytes."""
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(path, "w") as target:
        for name in sorted(source.namelist()):
            add_member(target, name, source.read(name))
