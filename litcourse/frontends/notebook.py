"""Runs a whole check in the calling process, for a student's notebook and for otter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from litcourse.core.question import JudgeError
from litcourse.core.registry import find_question
from litcourse.core.scoring import fail_question, grade
from litcourse.core.torch_state import keep_torch_state
from litcourse.frontends.reference_solution import (
    add_solution,
    load_frozen_evidence,
    measure_solution,
)
from litcourse.probing.probe_runner import take_evidence
from litcourse.probing.silenced import Printed

PUBLIC_SEED = "public"
"""Seed of the inputs that a student's own check uses; graded ones are drawn from a secret."""


def check_question(
    lab: str,
    question_id: str,
    namespace: Mapping[str, Any],
    rng: Random,
    solution: Sequence[str] = (),
    printed: Printed | None = None,
) -> Any:
    """Draw, probe and judge in this process.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        namespace: the names that the notebook has defined so far.
        rng: random source of the inputs.
        solution: solved cells, for a question that is judged by the solution; without them
            `rng` must be that of a student's own check, whose answer is frozen.
        printed: gets what the student's code prints.

    Returns:
        a `litcourse.core.verdict.Verdict`; LIT903 where the judge itself is at fault.
    """
    question = find_question(lab, question_id)
    with keep_torch_state():  # draw may change torch's random state, which the notebook uses
        inputs = question.draw(rng)
    if question.by_solution:
        measured = measure_solution(question, inputs.shown, solution) if solution else None
        inputs = add_solution(inputs, measured or load_frozen_evidence(lab, question_id))
    evidence = take_evidence(question, inputs.shown, namespace, printed)
    try:
        return grade(lab, question_id, inputs, evidence)
    except JudgeError as error:
        got = f"a fault of the course, not of your code: {error}"
        return fail_question(lab, question_id, "LIT903", got=got)
