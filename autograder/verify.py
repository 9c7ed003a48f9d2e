"""`autograder verify`: every question against its bank.

The solution earns all points, the stub none, every unusual-but-right answer all, and every
wrong answer loses points with its own finding in front. The first round draws the inputs of
a student's own check, all further ones those of drawn secrets.
"""

from __future__ import annotations

import copy
import json as json_format
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from nbgrader.preprocessors import ClearSolutions
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from autograder.bank import Case, load, without_markers
from autograder.course import CHECK, AuthorError, Course, Lab, grade_id, is_demo
from autograder.warm import Outcome, Run, run_all, warm_up
from litcourse.check import PUBLIC_SEED
from litcourse.packet import decode, encode
from litcourse.question import Draw, Verdict
from litcourse.verdicts import failed, reach

LIMIT = 60.0
"""Seconds that one answer may take; a check answers in under ten."""
SOLUTION, STUB = "solution", "stub"
FAULTS = ("false_fails", "false_passes", "misnamed")


@dataclass(frozen=True)
class Trial:
    """One case under one draw."""

    lab: Lab
    question_id: str
    case: Case
    seed: int
    draw: Draw

    @property
    def name(self) -> str:
        """Id of the case, unique in the course."""
        return f"{self.lab.id}/{self.question_id}/{self.case.id}"


@dataclass
class Tally:
    """What came of a question's trials."""

    trials: int = 0
    cases: set[str] = field(default_factory=set)
    cpu_seconds: list[float] = field(default_factory=list)
    faults: dict[str, dict[str, str]] = field(default_factory=lambda: {f: {} for f in FAULTS})

    def add(self, trial: Trial, verdict: Verdict, cpu_seconds: float) -> None:
        """Count one verdict."""
        self.trials += 1
        self.cases.add(trial.name)
        if trial.case.id == SOLUTION:
            self.cpu_seconds.append(cpu_seconds)
        fault = fault_of(trial.case, verdict)
        if fault:
            codes = ", ".join(f.code for f in verdict.findings) or "no finding"
            detail = f"seed {trial.seed}: {verdict.score:.0%}, {codes}"
            if verdict.findings:
                first = verdict.findings[0]
                detail += f"; expected {first.expected!r}, got {first.got!r} {first.where}"
            self.faults[fault].setdefault(trial.name, detail)


def fault_of(case: Case, verdict: Verdict) -> str:
    """Which of `FAULTS` the verdict on `case` is, or ""."""
    if case.right:
        return "" if verdict.score == 1 else "false_fails"
    if verdict.score == 1 or (case.id == STUB and verdict.score > 0):
        return "false_passes"
    return "" if verdict.findings[0].code == case.expects else "misnamed"


def run(
    course: Course,
    labs: Sequence[Lab],
    *,
    seeds: int = 1,
    json: bool = False,
    question: str | None = None,
    jobs: int | None = None,
) -> int:
    """Verify `labs` and print the result; the exit code is 0 if nothing is wrong.

    Args:
        course: the course.
        labs: labs to verify.
        seeds: number of draws per case, the public one first.
        json: print one JSON object in place of a table.
        question: only this question.
        jobs: children at a time; one per core unless given.

    Raises:
        AuthorError: a part of a question is missing, or a case does not fit its solution.
    """
    started = time.perf_counter()
    del course
    warm_up()
    trials = [trial for lab in labs for trial in _trials(lab, question, seeds)]
    tallies: dict[tuple[str, str], Tally] = {}
    workers = jobs or os.cpu_count() or 1
    with _progress() as progress:
        task = progress.add_task("verify", total=len(trials), wrong=0)
        for outcome in run_all(_runs(trials), workers, LIMIT):
            trial: Trial = outcome.run.key
            tally = tallies.setdefault((trial.lab.id, trial.question_id), Tally())
            tally.add(trial, _verdict(trial, outcome), outcome.cpu_seconds)
            wrong = sum(len(found) for t in tallies.values() for found in t.faults.values())
            progress.update(task, advance=1, wrong=wrong)
    seconds = time.perf_counter() - started
    _print_json(tallies, seeds, seconds) if json else _print_table(tallies, seeds, seconds)
    return int(any(found for tally in tallies.values() for found in tally.faults.values()))


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    more = (TimeRemainingColumn(), TextColumn("{task.fields[wrong]} wrong"))
    return Progress(*columns, *more, console=Console(stderr=True))


def _trials(lab: Lab, question: str | None, seeds: int) -> Iterator[Trial]:
    lab.check_parts()
    bank = load(lab)
    if question is not None and question not in bank:
        from litcourse.names import UnknownNameError

        raise UnknownNameError(f"question of {lab.id}", question, bank)
    for question_id, cases in bank.items():
        if question not in {None, question_id}:
            continue
        judge = lab.judge_of(question_id)
        own = (Case(SOLUTION), Case(STUB, expects="LIT900"))
        for case in (*own, *cases):
            for seed in range(seeds):
                text = f"{seed} {lab.id} {question_id} {case.id}" if seed else PUBLIC_SEED
                yield Trial(lab, question_id, case, seed, judge.draw(Random(text)))


def _runs(trials: Sequence[Trial]) -> Iterator[Run]:
    stubs: dict[str, dict[str, str]] = {}
    for trial in trials:
        stub = stubs.setdefault(trial.lab.id, _stubs(trial.lab))
        cells = _cells(trial, stub)
        yield Run(trial, cells, trial.lab.id, trial.question_id, encode(trial.draw.given))


def _stubs(lab: Lab) -> dict[str, str]:
    """The unsolved cells by question id, as nbgrader makes them."""
    notebook, _ = ClearSolutions().preprocess(copy.deepcopy(lab.notebook), {})
    return {grade_id(cell): cell.source for cell in notebook.cells}


def _cells(trial: Trial, stubs: dict[str, str]) -> list[str]:
    """Sources of the code cells up to the question, with the case's answers in them."""
    answers = {trial.question_id: trial.case, **_earlier(trial)}
    sources = []
    for cell in trial.lab.notebook.cells:
        name = grade_id(cell)
        if cell.cell_type != "code" or is_demo(cell) or name.endswith(CHECK):
            continue
        case = answers.get(name, Case(SOLUTION))
        sources.append(_answer(trial.lab, name, case, cell.source, stubs))
        if name == trial.question_id:
            break
    return sources


def _answer(lab: Lab, name: str, case: Case, source: str, stubs: dict[str, str]) -> str:
    if case.id == STUB:
        return stubs[name]
    try:
        return case.answer(source) if name in lab.questions else without_markers(source)
    except ValueError as error:
        file = f"autograder/bank/{lab.id}/{name}.py"
        raise AuthorError(file, name, str(error), "edit the case, or the solution") from error


def _earlier(trial: Trial) -> dict[str, Case]:
    bank = load(trial.lab)
    named = dict(trial.case.after)
    found = {}
    for question_id, case_id in named.items():
        known = {case.id: case for case in (Case(STUB), *bank[question_id])}
        found[question_id] = known[case_id]
    return found


def _verdict(trial: Trial, outcome: Outcome) -> Verdict:
    if not outcome.evidence:
        return failed(trial.lab.id, trial.question_id, "LIT902", got=outcome.note)
    tree = decode(outcome.evidence)
    return reach(trial.lab.id, trial.question_id, trial.draw, tree)


def _print_json(tallies: dict[tuple[str, str], Tally], seeds: int, seconds: float) -> None:
    found = {fault: {} for fault in FAULTS}  # type: dict[str, dict[str, str]]
    for tally in tallies.values():
        for fault in FAULTS:
            found[fault].update(tally.faults[fault])
    summary = {
        "cases": sum(len(tally.cases) for tally in tallies.values()),
        "trials": sum(tally.trials for tally in tallies.values()),
        "seeds": seeds,
        **{fault: sorted(found[fault]) for fault in FAULTS},
        "details": {name: text for names in found.values() for name, text in names.items()},
        "seconds": round(seconds, 1),
    }
    sys.stdout.write(json_format.dumps(summary, indent=1) + "\n")


def _print_table(tallies: dict[tuple[str, str], Tally], seeds: int, seconds: float) -> None:
    console = Console()
    table = Table(title=f"{seeds} draws of each case, {seconds:.0f} s")
    for name in ("lab", "question", "cases", "trials", "false fails", "false passes", "misnamed"):
        table.add_column(name, justify="left" if name in {"lab", "question"} else "right")
    table.add_column("CPU s of the solution", justify="right")
    for (lab, question_id), tally in tallies.items():
        counts = [str(len(tally.faults[fault])) for fault in FAULTS]
        mean = sum(tally.cpu_seconds) / max(1, len(tally.cpu_seconds))
        table.add_row(
            lab, question_id, str(len(tally.cases)), str(tally.trials), *counts, f"{mean:.2f}"
        )
    console.print(table)
    for tally in tallies.values():
        for fault in FAULTS:
            for name, detail in tally.faults[fault].items():
                console.print(f"{fault[:-2] if fault == 'false_passes' else fault.rstrip('s')}: "
                              f"{name}, {detail}", markup=False, highlight=False)  # fmt: skip
