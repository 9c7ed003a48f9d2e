"""`autograder verify`: checks every question with its bank.

The solution must earn all points, the stub none, every unusual-but-right answer all, and every
wrong answer must lose points with its own finding in front, and just the criteria that its case
names. The first round draws the inputs of a student's own check, each further one those of another
seed. A solution that is a script also runs once as fresh programs, which a person would start.

`bank_faults` and `source_faults` report faults that the sources show before anything runs.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autograder.bank import FRESH, SOLUTION, STUB, Case, load, without_markers
from autograder.course import (
    CHECK,
    AuthorError,
    Course,
    Lab,
    grade_id,
    is_demo,
    question_file,
    where_raised,
)
from autograder.stubs import clear_answers
from autograder.verifying.bank_faults import again, check_bank, nearest_first
from autograder.verifying.kept_trials import KeptTrials, Result, keep_trials
from autograder.verifying.solutions import draw_inputs
from autograder.verifying.source_faults import check_source
from autograder.verifying.verify_summary import Tally, print_json, print_table
from autograder.verifying.warm_runner import Outcome, Run, run_all, warm_up
from litcourse.core.exit_codes import ExitCode
from litcourse.core.names import UnknownNameError
from litcourse.core.question import Earned, Inputs, JudgeError, NotLookedAt
from litcourse.core.scoring import fail_question, grade
from litcourse.core.serialization import decode, encode
from litcourse.core.verdict import Verdict
from litcourse.feedback.catalogue import catalogue
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


def _result(trial: Trial, verdict: Verdict, cpu_seconds: float) -> Result:
    """What is kept of a verdict."""
    fault, detail = fault_of(trial.case, verdict), ""
    if fault:
        codes = ", ".join(f.code for f in verdict.findings) or "no finding"
        detail = f"seed {trial.seed}: {_format_score(verdict)}, {codes}"
        if fault == "mischarged":
            detail += f"; expected to lose {', '.join(trial.case.costs)}"
            detail += f", lost {', '.join(sorted(lost_criteria(verdict)))}"
        if verdict.findings:
            first = verdict.findings[0]
            detail += f"; expected {first.expected!r}, got {first.got!r} {first.where}"
    key = (trial.lab.id, trial.question_id, trial.case.id, trial.seed)
    return Result(*key, fault, detail, round(cpu_seconds, 3))


def _format_score(verdict: Verdict) -> str:
    """The score, with the criteria not looked at unless a finding explains them."""
    marks = [(c.id, verdict.mark(c)) for c in verdict.question.criteria]
    waiting = [f"{name}: {m.reason}" for name, m in marks if isinstance(m, NotLookedAt)]
    score = "no score" if verdict.score is None else f"{verdict.score:.0%}"
    shown = verdict.undecided or not verdict.findings
    return f"{score} (not looked at: {'; '.join(waiting)})" if waiting and shown else score


def fault_of(case: Case, verdict: Verdict) -> str:
    """The fault of the verdict on `case`, one of `verify_summary.FAULTS`, or ""."""
    if case.right:
        return "" if verdict.score == 1 else "false_fails"
    if verdict.score == 1 or (case.id == STUB and verdict.score):
        return "false_passes"
    first = verdict.findings[0].code if verdict.findings else ""
    if first != case.expects:
        return "misnamed"
    return "mischarged" if case.costs and set(case.costs) != lost_criteria(verdict) else ""


def lost_criteria(verdict: Verdict) -> set[str]:
    """Ids of the criteria that an answer did not earn."""
    criteria = verdict.question.criteria
    return {each.id for each in criteria if not isinstance(verdict.mark(each), Earned)}


def run(
    course: Course,
    labs: Sequence[Lab],
    *,
    seeds: int = 1,
    json: bool = False,
    question: str | None = None,
    jobs: int | None = None,
    resume: bool = False,
) -> int:
    """Verify `labs` and print the result; the exit code is 0 if nothing is wrong.

    Args:
        course: the course.
        labs: labs to verify.
        seeds: number of draws per case, the public one first.
        json: print one JSON object in place of a table.
        question: id of the only question to verify, or None.
        jobs: number of child processes; one per core unless given.
        resume: keep each result in the course, and go on where an earlier run was stopped.

    Raises:
        AuthorError: a part of a question is missing or at fault, or a case does not fit its
            solution. Most faults are found before anything runs.
        UnknownNameError: none of `labs` has the question.
    """
    started = time.perf_counter()
    chosen = labs_with(labs, question)
    for lab in chosen:
        look_ahead(lab)
    with keep_trials(course, chosen) if resume else contextlib.nullcontext() as kept:
        for note in kept.notes if kept else ():
            print(note, file=sys.stderr)  # noqa: T201 (the command's own words)
        warm_up()
        plans = [plan for lab in chosen for plan in _plans(lab, question)]
        tallies: dict[tuple[str, str], Tally] = {}
        try:
            for result in _results(plans, seeds, jobs or os.cpu_count() or 1, kept):
                tallies.setdefault((result.lab, result.question_id), Tally()).add(result)
        except KeyboardInterrupt:
            if kept:
                print("stopped; what is done is kept. Next: the same again", file=sys.stderr)  # noqa: T201
            raise
    seconds = time.perf_counter() - started
    print_json(tallies, seeds, seconds) if json else print_table(tallies, seeds, seconds)
    wrong = any(found for tally in tallies.values() for found in tally.faults.values())
    return ExitCode.INCOMPLETE if wrong else ExitCode.DONE


def _results(
    plans: Sequence[Plan], seeds: int, workers: int, kept: KeptTrials | None
) -> Iterator[Result]:
    """The results of all trials, those of earlier runs first."""
    known = kept.results if kept else {}
    keys = [key for plan in plans for key in plan.keys(seeds)]
    found = [known[key] for key in keys if key in known]
    outcomes = run_all(_runs(plans, seeds, known), workers)
    with contextlib.closing(outcomes), _progress() as progress:
        wrong = len([result for result in found if result.fault])
        task = progress.add_task("verify", total=len(keys), completed=len(found), wrong=wrong)
        yield from found
        for outcome in outcomes:
            trial: Trial = outcome.run.key
            result = _result(trial, verdict_on(trial, outcome), outcome.cpu_seconds)
            if kept:
                kept.keep(result)
            wrong += bool(result.fault)
            progress.update(task, advance=1, wrong=wrong)
            yield result


def labs_with(labs: Sequence[Lab], question: str | None) -> list[Lab]:
    """Those of `labs` that have the question; all labs if it is None."""
    if question is None:
        return list(labs)
    found = [lab for lab in labs if question in lab.questions]
    if not found:
        known = [name for lab in labs for name in lab.questions]
        owner = labs[0].id if len(labs) == 1 else ""
        raise UnknownNameError("question", question, known, owner)
    return found


def look_ahead(lab: Lab) -> None:
    """Find faults in the parts of each question before anything heavy is imported.

    Raises:
        AuthorError: there is a fault, or too old a version; the first one is reported.
    """
    lab.check_versions()
    lab.check_parts()
    bank = load(lab)
    check_bank(lab, bank, check_source(lab))


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    more = (TimeRemainingColumn(), TextColumn("{task.fields[wrong]} wrong"))
    return Progress(*columns, *more, console=Console(stderr=True))


@dataclass(frozen=True)
class Plan:
    """A case, and the sources of the cells up to its question."""

    lab: Lab
    question_id: str
    case: Case
    cells: list[str]

    def keys(self, seeds: int) -> list[tuple[str, str, str, int]]:
        """The trials of the case, as `Result.key` names them; fresh programs run once."""
        draws = range(1 if self.case.id == FRESH else seeds)
        return [(self.lab.id, self.question_id, self.case.id, seed) for seed in draws]


def _plans(lab: Lab, question: str | None) -> list[Plan]:
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


def _runs(plans: Sequence[Plan], seeds: int, known: Container[object] = ()) -> Iterator[Run]:
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


def verdict_on(trial: Trial, outcome: Outcome) -> Verdict:
    """The verdict on what a child left; LIT902 if it left nothing.

    Raises:
        AuthorError: the judge is at fault.
    """
    if not outcome.evidence:
        return fail_question(trial.lab.id, trial.question_id, "LIT902", got=outcome.note)
    tree = decode(outcome.evidence)
    try:
        verdict = grade(trial.lab.id, trial.question_id, trial.inputs, tree)
    except JudgeError as error:
        raise _judge_fault(trial, str(error)) from error
    except Exception as error:
        raise _judge_fault(trial, f"its judge raises {where_raised(error)}") from error
    for finding in verdict.findings:
        if finding.code not in catalogue():
            known = nearest_first(finding.code, list(catalogue()))
            raise _judge_fault(trial, f"the catalogue has no finding {finding.code!r}. {known}")
        if finding.got and finding.got == finding.expected:
            fault = f"{finding.code} expects and got the same text, {finding.got!r}"
            raise _judge_fault(trial, fault)
    return verdict


def _judge_fault(trial: Trial, fault: str) -> AuthorError:
    """The error of a judge that is at fault, whatever the answer was."""
    file = question_file(trial.lab.id, trial.question_id)
    fault = f"on case {trial.case.id!r}, seed {trial.seed}: {fault}"
    step = again(trial.lab.id, trial.question_id, "mend the judge")
    return AuthorError(file, trial.question_id, fault, step)
