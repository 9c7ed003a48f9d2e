"""`autograder mutate`: judges each mutant of a lab's right answers, and reports those that survive.

A mutant is killed by the first draw of inputs in which it loses a point; a survivor has kept all of
them in `DRAWS`. The first draw is the one of a student's own check.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autograder.bank import SOLUTION, Case, load, without_markers
from autograder.course import AuthorError, Course, Lab
from autograder.mutating.equivalents import (
    Equivalent,
    Reasons,
    load_equivalents,
    load_free_lines,
    match,
)
from autograder.mutating.kept_mutants import (
    GENERAL,
    OWN,
    SURVIVED,
    UNDECIDED,
    Fate,
    KeptMutants,
    keep_mutants,
)
from autograder.mutating.mutants import Mutant, mutants_of
from autograder.mutating.mutation_report import Report, print_report, write_results
from autograder.mutating.sandboxed import check_sandbox, work_in_sandbox
from autograder.verifying.trials import Trial, cells_of, draw, unsolved_cells
from autograder.verifying.verify import labs_with, look_ahead, verdict_on
from autograder.verifying.warm_runner import Run, run_all, warm_up, work_in_folder
from litcourse.core.exit_codes import ExitCode
from litcourse.core.verdict import Verdict
from litcourse.frontends.notebook import PUBLIC_SEED

DRAWS = 2
"""Draws of inputs in which a survivor keeps all points."""
LIMIT = 60.0
"""Seconds that a mutant may take; one that never ends is killed by that."""
_GENERAL = re.compile(r"LIT[09]\d\d")
"""Codes that belong to all questions: exceptions of torch and Lightning, and answers that die."""


@dataclass(frozen=True)
class Options:
    """Options of a run.

    Args:
        question: id of the only question, or "".
        minutes: begin no mutant after so many; 0: no end.
        jobs: child processes; 0: one per core.
        solutions: mutants of the solutions alone, not of the banks' right answers.
        sandboxed: run mutants in the sandbox.
    """

    question: str = ""
    minutes: float = 0
    jobs: int = 0
    solutions: bool = False
    sandboxed: bool = True


@dataclass
class _Budget:
    """The time that a run may take, and whether it is over."""

    minutes: float
    started: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        return bool(self.minutes) and time.monotonic() - self.started > self.minutes * 60


def run(course: Course, labs: Sequence[Lab], options: Options) -> int:
    """Mutate `labs`; the exit code is 0 if each mutant was judged and no survivor is unexplained.

    Raises:
        AuthorError: a question is at fault, an entry of `equivalent.toml` says nothing any more, or
            this machine gives no sandbox.
        UnknownNameError: none of `labs` has the question.
    """
    chosen = labs_with(labs, options.question or None)
    made = {}
    for lab in chosen:
        look_ahead(lab)
        made[lab.id] = _make(lab, options)
    if options.sandboxed:
        _require_sandbox()
    warm_up()
    budget, good = _Budget(options.minutes), True
    for lab in chosen:
        mutants, entries, reasons = made[lab.id]
        _check_unchanged(lab, {mutant.question_id for mutant in mutants}, options)
        with keep_mutants(course, lab) as kept:
            for number in range(DRAWS):
                _judge(lab, mutants, number, kept, options, budget)
        report = Report(lab, mutants, kept.fates, entries, reasons)
        print_report(report)
        if not options.question:
            write_results(course, report, of="solutions" if options.solutions else "all answers")
        good = good and report.clean
    return ExitCode.DONE if good else ExitCode.INCOMPLETE


def _make(lab: Lab, options: Options) -> tuple[list[Mutant], list[Equivalent], Reasons]:
    """The chosen mutants of a lab, solutions first, and the entries that are about them."""
    bank = load(lab)
    made = {name: mutants_of(lab, name, cases) for name, cases in bank.items()}
    entries = load_equivalents(lab)
    every = [mutant for found in made.values() for mutant in found]
    reasons = match(lab, entries, load_free_lines(lab), every)
    chosen = [
        mutant
        for name, found in made.items()
        for mutant in found
        if options.question in {"", name} and (mutant.of_solution or not options.solutions)
    ]
    changes = {mutant.change for mutant in chosen}
    own = [entry for entry in entries if entry.change in changes]
    return sorted(chosen, key=lambda mutant: not mutant.of_solution), own, reasons


def _require_sandbox() -> None:
    why = check_sandbox()
    if why:
        step = "allow user namespaces, or run mutants with your own rights: --no-sandbox"
        raise AuthorError("autograder mutate", "", f"this machine gives no sandbox: {why}", step)


def _check_unchanged(lab: Lab, questions: Iterable[str], options: Options) -> None:
    """Judge the solutions as mutants are judged: what fails these says nothing about a mutant."""
    unchanged = [Mutant(n, SOLUTION, "", _solution(lab, n), "", "", "") for n in questions]
    runs = _runs(lab, unchanged, 0, _Budget(0))
    for outcome in run_all(runs, 1, _work(options)):
        trial, mutant = outcome.run.key
        verdict = verdict_on(trial, outcome)
        if verdict.score != 1:
            codes = ", ".join(finding.code for finding in verdict.findings) or "no finding"
            fault = f"the solution itself loses points ({codes}), so no mutant can be judged"
            step = f"make verify LAB={lab.id} Q={mutant.question_id}, or --no-sandbox"
            raise AuthorError(lab.path, mutant.question_id, fault, step)


def _solution(lab: Lab, question_id: str) -> str:
    return without_markers(lab.questions[question_id].solution)


def _work(options: Options) -> Callable[[Run, Path], None]:
    return work_in_sandbox if options.sandboxed else work_in_folder


def _judge(
    lab: Lab,
    mutants: Sequence[Mutant],
    number: int,
    kept: KeptMutants,
    options: Options,
    budget: _Budget,
) -> None:
    """Judge, with one draw, the mutants that no earlier draw has killed."""
    left = [mutant for mutant in mutants if _is_open(kept, mutant, number)]
    runs = _runs(lab, left, number, budget)
    outcomes = run_all(runs, options.jobs or os.cpu_count() or 1, _work(options))
    with contextlib.closing(outcomes), _progress() as progress:
        title = f"{lab.id}, draw {number + 1}"
        task = progress.add_task(title, total=len(left), alive=0)
        alive = 0
        for outcome in outcomes:
            trial, mutant = outcome.run.key
            fate = _fate(mutant, verdict_on(trial, outcome), kept, outcome.cpu_seconds)
            kept.keep(fate)
            alive += fate.fate == SURVIVED
            progress.update(task, advance=1, alive=alive)


def _is_open(kept: KeptMutants, mutant: Mutant, number: int) -> bool:
    """Whether a mutant is to be judged with the draw `number`."""
    fate = kept.fates.get((mutant.question_id, mutant.digest))
    if fate is None:
        return number == 0
    return fate.fate == SURVIVED and fate.draws == number


def _runs(lab: Lab, mutants: Iterable[Mutant], number: int, budget: _Budget) -> Iterator[Run]:
    stubs, bank = unsolved_cells(lab), load(lab)
    for mutant in mutants:
        if budget.over:
            print("the time is over; what is done is kept", file=sys.stderr)  # noqa: T201
            return
        name = mutant.question_id
        case = Case(f"{mutant.operator}: {mutant.after}", code=mutant.code)
        seed = f"{number} {lab.id} {name} {mutant.digest}" if number else PUBLIC_SEED
        inputs, shown = draw(lab, name, Random(seed))
        trial = Trial(lab, name, case, number, inputs)
        cells = cells_of(lab, name, case, bank, stubs)
        yield Run((trial, mutant), cells, lab.id, name, shown, LIMIT)


def _fate(mutant: Mutant, verdict: Verdict, kept: KeptMutants, cpu_seconds: float) -> Fate:
    """What a verdict makes of a mutant."""
    code = verdict.findings[0].code if verdict.findings else ""
    if verdict.score is None:
        fate = UNDECIDED
    elif verdict.score == 1:
        fate = SURVIVED
    else:
        fate = GENERAL if _GENERAL.fullmatch(code) or not code else OWN
    before = kept.fates.get((mutant.question_id, mutant.digest))
    return Fate(
        mutant.question_id,
        mutant.digest,
        kept.decided_by(mutant.question_id),
        fate,
        code,
        0.0 if verdict.score is None else verdict.score,
        (before.draws if before else 0) + 1,
        round(cpu_seconds + (before.cpu_seconds if before else 0), 3),
    )


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    more = (TimeRemainingColumn(), TextColumn("{task.fields[alive]} alive"))
    return Progress(*columns, *more, console=Console(stderr=True))
