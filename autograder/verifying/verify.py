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
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autograder.bank import STUB, Case, load
from autograder.course import (
    AuthorError,
    Course,
    Lab,
    question_file,
    where_raised,
)
from autograder.verifying.bank_faults import again, check_bank, nearest_first
from autograder.verifying.dependencies import digest_of_question
from autograder.verifying.kept_trials import KeptTrials, Key, Result, keep_trials
from autograder.verifying.source_faults import check_source
from autograder.verifying.trials import Plan, Trial, make_plans, make_runs
from autograder.verifying.verify_summary import Tally, print_json, print_table
from autograder.verifying.warm_runner import Outcome, run_all, warm_up
from litcourse.core.exit_codes import ExitCode
from litcourse.core.names import UnknownNameError
from litcourse.core.question import Earned, JudgeError, NotLookedAt
from litcourse.core.scoring import fail_question, grade
from litcourse.core.serialization import decode
from litcourse.core.verdict import Verdict
from litcourse.feedback.catalogue import catalogue


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
    fresh: bool = True,
) -> int:
    """Verify `labs`, keep what is found, and print it; the exit code is 0 if nothing is wrong.

    Args:
        course: the course.
        labs: labs to verify.
        seeds: number of draws per case, the public one first.
        json: print one JSON object in place of a table.
        question: id of the only question to verify, or None.
        jobs: number of child processes; one per core unless given.
        fresh: run all trials, those too whose results are kept and still hold.

    Raises:
        AuthorError: a part of a question is missing or at fault, or a case does not fit its
            solution. Most faults are found before anything runs.
        UnknownNameError: none of `labs` has the question.
    """
    started = time.perf_counter()
    chosen = labs_with(labs, question)
    for lab in chosen:
        look_ahead(lab)
    plans = [plan for lab in chosen for plan in make_plans(lab, question)]
    tallies: dict[tuple[str, str], Tally] = {}
    with keep_trials(course, chosen) as kept:
        try:
            for result, is_kept in _results(plans, seeds, jobs or os.cpu_count() or 1, kept, fresh):
                name = (result.lab, result.question_id)
                tallies.setdefault(name, Tally()).add(result, kept=is_kept)
        except KeyboardInterrupt:
            print("stopped; what is done is kept. Next: the same again", file=sys.stderr)  # noqa: T201
            raise
    seconds = time.perf_counter() - started
    print_json(tallies, seeds, seconds) if json else print_table(tallies, seeds, seconds)
    wrong = any(found for tally in tallies.values() for found in tally.faults.values())
    return ExitCode.INCOMPLETE if wrong else ExitCode.DONE


def _results(
    plans: Sequence[Plan], seeds: int, workers: int, kept: KeptTrials, fresh: bool
) -> Iterator[tuple[Result, bool]]:
    """The results of all trials, those that are kept first, and whether they are."""
    digests = _digests_of(plans)
    keys = [key for plan in plans for key in plan.keys(seeds)]
    found: dict[Key, Result] = {}
    for key in () if fresh else keys:
        result = kept.find(key, digests[key[:3]])
        found |= {key: result} if result else {}
    if len(found) < len(keys):
        warm_up()
    outcomes = run_all(make_runs(plans, seeds, found), workers)
    with contextlib.closing(outcomes), _progress() as progress:
        wrong = len([result for result in found.values() if result.fault])
        task = progress.add_task("verify", total=len(keys), completed=len(found), wrong=wrong)
        yield from ((result, True) for result in found.values())
        for outcome in outcomes:
            trial: Trial = outcome.run.key
            result = _result(trial, verdict_on(trial, outcome), outcome.cpu_seconds)
            kept.keep(result, digests[result.key[:3]])
            wrong += bool(result.fault)
            progress.update(task, advance=1, wrong=wrong)
            yield result, False


def _digests_of(plans: Sequence[Plan]) -> dict[tuple[str, str, str], str]:
    """Digest of all that decides on each case, but the seed: question, cells and what is due."""
    questions = {(plan.lab.id, plan.question_id): plan.lab for plan in plans}
    deciding = {name: digest_of_question(lab, name[1]) for name, lab in questions.items()}
    return {plan.name: plan.digest(deciding[plan.name[:2]]) for plan in plans}


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
