"""Gives the instructor's solutions, for questions whose expected value is the answer itself.

`litcourse.frontends.reference_solution` uses them. Inputs of other questions need no solution.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from autograder.bank import without_markers
from autograder.course import CHECK, AuthorError, Lab, grade_id, is_demo
from litcourse.core.question import Inputs
from litcourse.core.serialization import encode
from litcourse.frontends import reference_solution
from litcourse.frontends.notebook import PUBLIC_SEED
from litcourse.frontends.reference_solution import SolutionError, frozen_file


def solved_cells(lab: Lab, question_id: str) -> tuple[str, ...]:
    """Sources of the code cells up to the solution of a question, without check cells."""
    sources = []
    for cell in lab.notebook.cells:
        if cell.cell_type == "code" and not is_demo(cell) and not grade_id(cell).endswith(CHECK):
            sources.append(without_markers(cell.source))
        if grade_id(cell) == question_id:
            break
    return tuple(sources)


def draw_inputs(lab: Lab, question_id: str, rng: Random) -> Inputs:
    """Inputs from `rng`; with the solution's evidence if the question is judged by its solution.

    Raises:
        AuthorError: there is no such question, or its solution fails.
    """
    question = lab.find_question(question_id)
    cells = solved_cells(lab, question_id) if question.by_solution else ()
    try:
        return reference_solution.draw_inputs(question, rng, cells)
    except SolutionError as error:
        raise solution_fails(lab, question_id, str(error)) from error


def solution_fails(lab: Lab, question_id: str, detail: str) -> AuthorError:
    """The error of a solution that fails its own probe."""
    fault = f"the solution, by which it is judged, fails its own probe: {detail}"
    return AuthorError(lab.path, question_id, fault, "mend the solution cell")


def freeze(lab: Lab) -> dict[Path, bytes]:
    """The frozen answers for public inputs, by their path beside the lab's questions."""
    found = {}
    for question_id in lab.questions:
        if lab.find_question(question_id).by_solution:
            inputs = draw_inputs(lab, question_id, Random(PUBLIC_SEED))
            path = Path(str(frozen_file(lab.id, question_id)))
            found[path] = encode(inputs.withheld["solution"])
    return found


def frozen_files(lab: Lab) -> set[Path]:
    """The frozen answers that lie beside the lab's questions now."""
    return set(Path(str(frozen_file(lab.id, ""))).parent.glob("*.safetensors"))
