"""Makes the trials of `autograder verify`: which answers, in which cells, with which inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from autograder.bank import FRESH, SOLUTION, STUB, Case, load, without_markers
from autograder.course import (
    CHECK,
    AuthorError,
    Lab,
    grade_id,
    is_demo,
    question_file,
    where_raised,
)
from autograder.stubs import clear_answers
from autograder.verifying.bank_faults import again
from autograder.verifying.kept_trials import Key
from autograder.verifying.solutions import draw_inputs
from autograder.verifying.warm_runner import Run
from litcourse.core.question import Inputs
from litcourse.core.serialization import encode
from litcourse.frontends.notebook import PUBLIC_SEED
from litcourse.scripts import script_runner

LIMIT = 120.0
"""Seconds that one answer may take; on an idle machine a check takes less than ten."""
FRESH_LIMIT = 600.0
"""Seconds for a script as fresh programs; each imports for ten seconds or more."""


@dataclass(frozen=True)
class Trial:
    """One case with one draw of inputs."""

    lab: Lab
    question_id: str
    case: Case
    seed: int
    inputs: Inputs


@dataclass(frozen=True)
class Plan:
    """A case, and the sources of the cells up to its question."""

    lab: Lab
    question_id: str
    case: Case
    cells: list[str]

    @property
    def name(self) -> tuple[str, str, str]:
        """Ids of lab, question and case."""
        return self.lab.id, self.question_id, self.case.id

    def keys(self, seeds: int) -> list[Key]:
        """The trials of the case, as `Result.key` names them; fresh programs run once."""
        return [(*self.name, seed) for seed in range(1 if self.case.id == FRESH else seeds)]

    def digest(self, of_question: str) -> str:
        """Digest of the case: of its question, its cells, and the verdict that is due."""
        due = (self.case.right, self.case.expects, sorted(self.case.costs))
        return hashlib.sha256(repr((of_question, self.cells, due)).encode()).hexdigest()


def make_plans(lab: Lab, question: str | None) -> list[Plan]:
    """Every case of `lab`, or of one question; those of `verify` itself come first."""
    bank = load(lab)
    stubs = unsolved_cells(lab)
    own = (Case(SOLUTION), Case(STUB, expects="LIT900"))
    return [
        Plan(lab, name, case, cells_of(lab, name, case, bank, stubs))
        for name, cases in bank.items()
        if question in {None, name}
        for case in (*own, *cases, *([Case(FRESH)] if lab.find_question(name).files else []))
    ]


def make_runs(plans: Sequence[Plan], seeds: int, known: Container[object] = ()) -> Iterator[Run]:
    """The runs of all plans but `known` ones; inputs are drawn when a run's turn comes."""
    for plan in plans:
        lab, name, case = plan.lab, plan.question_id, plan.case
        fresh = case.id == FRESH
        variables = {script_runner.FRESH: "1"} if fresh else {}
        for seed in (key[-1] for key in plan.keys(seeds) if key not in known):
            text = f"{seed} {lab.id} {name} {case.id}" if seed else PUBLIC_SEED
            inputs, shown = draw(lab, name, Random(text))
            trial = Trial(lab, name, case, seed, inputs)
            limit = FRESH_LIMIT if fresh else LIMIT
            yield Run(trial, plan.cells, lab.id, name, shown, limit, variables)


def draw(lab: Lab, question_id: str, rng: Random) -> tuple[Inputs, bytes]:
    """Draw inputs; also returns the shown ones, encoded."""
    try:
        inputs = draw_inputs(lab, question_id, rng)
        return inputs, encode(inputs.shown)
    except AuthorError:
        raise
    except Exception as error:
        fault = f"its draw fails: {where_raised(error)}"
        step = again(lab.id, question_id, "mend draw")
        raise AuthorError(question_file(lab.id, question_id), question_id, fault, step) from error


def unsolved_cells(lab: Lab) -> dict[str, str]:
    """The unsolved cells by question id, as nbgrader makes them."""
    return {grade_id(cell): cell.source for cell in clear_answers(lab.notebook).cells}


def cells_of(
    lab: Lab, question_id: str, case: Case, bank: dict[str, list[Case]], stubs: dict[str, str]
) -> list[str]:
    """Sources of the code cells up to the question, with the case's answers in them."""
    answers = {question_id: case, **_earlier(case, bank)}
    sources = []
    for cell in lab.notebook.cells:
        name = grade_id(cell)
        if cell.cell_type != "code" or is_demo(cell) or name.endswith(CHECK):
            continue
        chosen = answers.get(name, Case(SOLUTION))
        sources.append(_answer(lab, name, chosen, cell.source, stubs))
        if name == question_id:
            break
    return sources


def _answer(lab: Lab, name: str, case: Case, source: str, stubs: dict[str, str]) -> str:
    if case.id == STUB:
        return stubs[name]
    return case.answer(source) if name in lab.questions else without_markers(source)


def _earlier(case: Case, bank: dict[str, list[Case]]) -> dict[str, Case]:
    found = {}
    for question_id, case_id in case.after:
        known = {other.id: other for other in (Case(STUB), *bank[question_id])}
        found[question_id] = known[case_id]
    return found
