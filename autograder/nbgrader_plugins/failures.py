"""Says which cell of a submission failed, for a check that misses a name.

A name that a check needs can be missing because it is misspelled, or because the cell that
defines it failed. Only the grader, which runs the cells, can tell these apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from autograder.course import Lab
from autograder.engine.cell_client import Outcome
from autograder.nbgrader_plugins.judge_client import Judgement, judge_client
from litcourse.core.known_errors import UNSOLVED, error_code

MISSING = "LIT901"
"""Finding of a judge: a name is not defined."""
FAILED = "LIT916"
"""Finding in its place if a cell failed before."""
INSTEAD = frozenset({FAILED, UNSOLVED})
"""Findings that take the place of `MISSING`."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINE = re.compile(r"Cell In\[\d+\], line (\d+)")
_FILE = re.compile(r" \([^()]*, line \d+\)$")  # as IPython 9 ends a SyntaxError's message
_LONGEST = 200


@dataclass(frozen=True)
class Failure:
    """How a cell failed.

    Args:
        text: such as "ended with SyntaxError: expected ':' (line 29)".
        stub: whether it is a stub that nobody has replaced.
    """

    text: str
    stub: bool = False


_LIMITS = {
    "cpu": ("LIT920", "it was ended for its processor time"),
    "memory": ("LIT921", "it was ended for its memory"),
    "files": ("LIT923", "it was ended for its open files"),
}


def explain_end(outcome: Outcome, limit: int) -> tuple[str, str]:
    """Finding and detail for a check that left no evidence."""
    if outcome.limit:
        return _LIMITS[outcome.limit]
    reasons = {
        "late": ("LIT906", f"no answer within {limit} s"),
        "stuck": ("LIT906", f"no answer within {limit} s, and no end when interrupted"),
        "dead": ("LIT907", "the Python process ended"),
    }
    return reasons.get(outcome.status, ("LIT905", outcome.error or "no measurement"))


def find_failure(outcome: Outcome, reason: str) -> Failure | None:
    """How a cell failed, or None if it did not.

    Args:
        outcome: the outcome of the cell.
        reason: why the kernel stopped it, if it did.
    """
    if outcome.status != "done":
        return Failure(f"was stopped: {reason}")
    if not outcome.error:
        return None
    kind, _, message = outcome.error.partition(": ")
    first = (_COLOUR.sub("", message).strip() or "").split("\n", 1)[0][:_LONGEST]
    shown = f"{kind}: {_FILE.sub('', first)}" if first else kind
    return Failure(f"ended with {shown}{_line(outcome)}", error_code(kind, message) == UNSOLVED)


def _line(outcome: Outcome) -> str:
    """The line of the cell, from its traceback, as " (line 3)"; or ""."""
    shown = [o.get("traceback", []) for o in outcome.outputs if o.output_type == "error"]
    found = _LINE.search(_COLOUR.sub("", "\n".join(map(str, shown[-1])))) if shown else None
    return f" (line {found[1]})" if found else ""


def explain_missing(own: Failure | None, others: Mapping[int, Failure]) -> tuple[str, str] | None:
    """Finding and detail for a name that is missing at a check, or None if no cell failed.

    Args:
        own: how the question's own cell failed.
        others: how other cells failed, by the number that the feedback shows at them.
    """
    earlier = ((number, fault) for number, fault in others.items() if not fault.stub)
    first = next((f"cell [{number}] {fault.text}" for number, fault in earlier), "")
    if own is None:
        return (FAILED, f"before this check, {first}") if first else None
    text = f"the cell that should define it {own.text}"
    if own.stub:
        return UNSOLVED, text
    return FAILED, f"{text}; before that, {first}" if first else text


def judge_answer(
    lab: Lab, question_id: str, inputs: bytes, evidence: bytes | None, reason: tuple[str, str]
) -> Judgement:
    """The judge server's verdict; for a missing name it names the cell that failed, if one did.

    Either finding costs the whole question.

    Args:
        lab: the lab.
        question_id: the question.
        inputs: `EncodedInputs.all_inputs`, on which the evidence was taken.
        evidence: encoded, or None.
        reason: finding and detail: without evidence, why there is none; with it, those of
            `explain_missing`.
    """
    verdict = judge_client().judge(lab, question_id, inputs, evidence, reason)
    if evidence is None or reason[0] not in INSTEAD or not verdict.findings:
        return verdict
    finding = verdict.findings[0]
    if finding["code"] != MISSING:
        return verdict
    detail = f"{finding['called']} is not defined: {reason[1]}"
    return judge_client().judge(lab, question_id, inputs, None, (reason[0], detail))
