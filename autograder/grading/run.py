"""The commands `autograder grade` and `autograder rejudge`, from options to exit codes."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from autograder.course import Course
from autograder.engine.client import EngineError
from autograder.grading import plan as planning
from autograder.grading.feedback import Pages
from autograder.grading.plan import Plan
from autograder.grading.records import GRADE, REJUDGE
from autograder.grading.reporting import notices, summary, table
from autograder.grading.reporting.notices import RunNotices
from autograder.grading.reporting.progress import Meter, console
from autograder.grading.reporting.table import Row
from autograder.grading.session import (
    CanaryError,
    Session,
    StoppedError,
    check_versions,
    end_on_sigterm,
    hold_run_lock,
    prepare,
    run_engine,
    without_collector,
)
from autograder.grading.settings import CourseSettings, open_settings
from autograder.grading.submission_grader import PreparedLab
from autograder.grading.tries.counting import Counting
from autograder.grading.tries.rounds import Rounds
from autograder.grading.writer import Writer
from autograder.students.extensions import apply_extensions
from autograder.students.roster import Roster, read_roster
from litcourse.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

WORKERS_PER_CORE = 4
NO_SCORE = (
    "No submission was run, and no score is entered: what is wrong is the grader, this machine or "
    "the solution. Next: make verify, and evidence/grading.log"
)


@dataclass(frozen=True)
class Options:
    """The options of the command line.

    Args:
        labs: ids of labs; empty for all labs that have submissions.
        students: ids of students; empty for all students.
        jobs: number of workers; 0 for `WORKERS_PER_CORE` per core.
        regrade: also grade submissions that are done.
        sandbox: isolate students' code.
        feedback: also write feedback.
        csv: file for the scores, or None.
        json: print one JSON object in place of tables.
        accept_strangers: also enter who is not on the roster.
        wait: wait for the end of another run.
    """

    labs: Sequence[str] = ()
    students: Sequence[str] = ()
    jobs: int = 0
    regrade: bool = False
    sandbox: bool = True
    feedback: bool = True
    csv: Path | None = None
    json: bool = False
    accept_strangers: bool = False
    wait: bool = False

    @property
    def workers(self) -> int:
        """Number of workers: more than cores, since many checks wait for a clock."""
        return self.jobs or WORKERS_PER_CORE * len(os.sched_getaffinity(0))


def grade(course: Course, options: Options) -> int:
    """Grade new submissions and print the result.

    Returns:
        the exit code.

    Raises:
        AuthorError: the instructor has to mend something first.
        UnknownNameError: there is no such lab or student.
    """
    return _run_guarded(_Command(course, options, GRADE))


def rejudge(course: Course, options: Options) -> int:
    """Judge the stored evidence again and print which scores changed.

    Returns:
        the exit code.

    Raises:
        AuthorError: the instructor has to mend something first.
        UnknownNameError: there is no such lab or student.
    """
    return _run_guarded(_Command(course, options, REJUDGE))


@dataclass(frozen=True)
class _RunResult:
    """The result of a run, beside that of its session."""

    plan: Plan
    rows: Sequence[Row]
    run_notices: RunNotices
    seconds: float


class _Command:
    """One of the two commands.

    Args:
        course: the course.
        options: the options of the command line.
        action: `GRADE` or `REJUDGE`.
    """

    def __init__(self, course: Course, options: Options, action: str) -> None:
        self.course, self.options, self.action = course, options, action
        self.to: Console = console(json=options.json)
        self.csv = options.csv and options.csv.absolute()  # the working folder changes later
        if self.csv is not None:
            table.check_writable(self.csv)

    def run(self, settings: CourseSettings) -> int:
        """Run the command and return the exit code."""
        with run_engine():
            return self._run(settings)

    def _run(self, settings: CourseSettings) -> int:
        started, options = time.monotonic(), self.options
        submissions = planning.choose_submissions(
            settings, self.course, options.labs, options.students
        )
        if self.action == GRADE:
            check_versions(self.course, submissions)
        with without_collector():
            labs = {lab: prepare(settings, self.course.lab(lab)) for lab in submissions}
        apply_extensions(settings.course, submissions)
        pages = Pages(settings, self._describe_tries(settings)) if options.feedback else None
        done = self._grade_tries(settings, submissions, labs)
        plan = self._plan(settings, submissions, labs, pages, done)
        roster = read_roster(settings.converter)
        kept = Roster(roster.students) if options.accept_strangers else roster
        session = Session(settings, labs, Writer(settings, pages, kept))
        self._announce(plan)
        new_secret = self._warn_of_a_new_secret(settings, plan)
        rounds = self._rounds(settings, submissions, labs)
        self._carry_out(plan, session, rounds)
        rows = {lab: table.read_rows(settings, lab) for lab in submissions}
        found = [rows[s.lab][s.student] for sent in submissions.values() for s in sent
                 if s.student in rows[s.lab]]  # fmt: skip
        run_notices = notices.gather(
            settings, self.course, found, rows, options.labs, whole_class=not options.students
        )
        if self.action == GRADE:
            strangers = [(r.lab, r.student) for r in session.writer.strangers]
            sent = {lab: {s.student for s in sent} for lab, sent in submissions.items()}
            run_notices.note_roster(roster, {} if options.students else sent, strangers)
        run_notices.new_secret = new_secret
        questions = list(dict.fromkeys(q for lab in labs.values() for q in lab.lab.questions))
        if self.csv is not None:
            table.write_csv(self.csv, found, questions)
        self._print_result(
            session, _RunResult(plan, found, run_notices, time.monotonic() - started), labs
        )
        waiting = any(row.undecided for row in found)
        incomplete = session.failed or session.held_back or waiting or session.writer.strangers
        return ExitCode.INCOMPLETE if incomplete else ExitCode.DONE

    def _carry_out(self, plan: Plan, session: Session, rounds: Rounds) -> None:
        verb = "graded" if self.action == GRADE else "judged"
        with Meter(self.to, len(plan.tasks) + len(plan.write), verb) as meter:
            session.write(plan.write, meter)
            session.work(plan.tasks, self.options.workers, meter)
            if self.action == REJUDGE:  # by the judges of now another try may be the best
                session.write(rounds.install(), meter)
            session.pages()

    def _plan(
        self,
        settings: CourseSettings,
        submissions: planning.SubmissionsByLab,
        labs: Mapping[str, PreparedLab],
        pages: Pages | None,
        done: Collection[tuple[str, str]],
    ) -> Plan:
        if self.action == REJUDGE:
            return planning.plan_rejudging(settings, submissions)
        regrade = [(lab, s.student) for lab, sent in submissions.items() for s in sent
                   if self.options.regrade and (lab, s.student) not in done]  # fmt: skip
        return planning.plan_grading(settings, submissions, labs, regrade=regrade, pages=pages)

    def _grade_tries(
        self,
        settings: CourseSettings,
        submissions: planning.SubmissionsByLab,
        labs: Mapping[str, PreparedLab],
    ) -> set[tuple[str, str]]:
        """Grade the tries that `autograder collect` kept; lab and student of those graded now."""
        rounds = self._rounds(settings, submissions, labs)
        if self.action == REJUDGE:
            rounds.rejudge(self.options.workers, self.to)
            return set()
        rounds.run(self.options.workers, self.to)
        return rounds.graded

    def _rounds(
        self,
        settings: CourseSettings,
        submissions: planning.SubmissionsByLab,
        labs: Mapping[str, PreparedLab],
    ) -> Rounds:
        students = {lab: [s.student for s in sent] for lab, sent in submissions.items()}
        return Rounds(settings, labs, students, self.options.regrade)

    @staticmethod
    def _describe_tries(settings: CourseSettings) -> Callable[[str, str], str]:
        counting: dict[str, Counting] = {}

        def describe(lab: str, student: str) -> str:
            if lab not in counting:
                counting[lab] = Counting(settings, lab)
            return counting[lab].describe(student)

        return describe

    def _announce(self, plan: Plan) -> None:
        parts = [f"{len(plan.tasks)} to {'grade' if self.action == GRADE else 'judge again'}"]
        if plan.write:
            parts.append(f"{len(plan.write)} of an earlier run to write")
        if plan.stale_pages:
            parts.append(f"{plan.stale_pages} pages older than the gradebook, which are remade")
        if plan.skipped:
            was = "done already" if self.action == GRADE else "not graded yet"
            parts.append(f"{plan.skipped} {was}")
        self.to.print(", ".join(parts))
        if self.action == GRADE and plan.tasks and not self.options.sandbox:
            text = "No sandbox: submissions run with your rights. The records will say so."
            self.to.print(text, style="yellow")

    def _warn_of_a_new_secret(self, settings: CourseSettings, plan: Plan) -> bool:
        new = any(task.action == GRADE for task in plan.tasks) and notices.lacks_secret(settings)
        if new:
            self.to.print(notices.NEW_SECRET, style="yellow", soft_wrap=True)
        return new

    def _print_result(
        self, session: Session, result: _RunResult, labs: Mapping[str, PreparedLab]
    ) -> None:
        found = result.rows
        judged = summary.add_penalties(session.judged, result.plan.penalties, found)
        if self.options.json:
            more = {
                "command": self.action,
                "written": len(session.done),
                "skipped": result.plan.skipped,
                "changed": summary.list_changes(judged),
                "held_back": [
                    {"lab": lab, "question": name, "why": why}
                    for (lab, name), why in session.held_back.items()
                ],
                "seconds": round(result.seconds, 2),
                **result.run_notices.as_json(),
            }
            print(json.dumps(summary.as_json(found, session.failed, more)))  # noqa: T201
            return
        for lab, prepared in labs.items():
            mine = [row for row in found if row.lab == lab]
            summary.show_students(self.to, f"Points in {lab}", mine, list(prepared.lab.questions))
        summary.show_findings(self.to, found)
        if self.action == REJUDGE:
            summary.show_changes(self.to, judged)
        self._print_end(session, result)

    def _print_end(self, session: Session, result: _RunResult) -> None:
        self.to.print(f"{len(session.done)} written in {result.seconds:.1f} s.")
        for line in result.run_notices.lines():
            self.to.print(line, soft_wrap=True)
        if result.plan.stale_points:
            text = (
                f"{result.plan.stale_points} of those done already were graded with other points."
            )
            self.to.print(f"{text} Next: autograder rejudge {' '.join(self.options.labs) or 'LAB'}")
        if stale := result.plan.stale_penalties:
            text = f"{stale} of those done already have a late penalty that no longer fits."
            self.to.print(f"{text} Next: autograder rejudge {' '.join(self.options.labs) or 'LAB'}")
        for line in session.canary_lines():
            self.to.print(line, style="red", soft_wrap=True, markup=False)
        summary.show_undecided(self.to, result.rows, session.failed)
        summary.show_failures(self.to, session.failed, self.action)


def _run_guarded(command: _Command) -> int:
    """Run a command in the course's folder under its lock; errors that stop it become messages."""
    typed = " ".join(["autograder", *sys.argv[1:]])
    anew = " A regrade begins with the first again." if command.options.regrade else ""
    with end_on_sigterm():
        try:
            return _with_settings(command, command.run)
        except (StoppedError, OperationalError, EngineError) as error:
            reason = str(error)
            if isinstance(error, OperationalError):
                reason = f"the gradebook can't be used: {error.orig}"
            if command.options.json:
                print(json.dumps({"error": reason}))  # noqa: T201
            command.to.print(f"Stopped: {reason}", style="red", soft_wrap=True)
            text = f"What is graded is kept.{anew} Next: mend that, then type the same again:"
            command.to.print(f"{text} {typed}", soft_wrap=True)
            return ExitCode.MISTAKE
        except CanaryError as error:
            if command.options.json:
                print(json.dumps({"error": str(error)}))  # noqa: T201
            for line in (f"Stopped: {error}", NO_SCORE):
                command.to.print(line, style="red", soft_wrap=True, markup=False)
            return ExitCode.INCOMPLETE
        except KeyboardInterrupt:
            text = f"Interrupted. What is graded is kept, nothing is half written.{anew} Next:"
            command.to.print(f"\n{text} {typed}", soft_wrap=True)
            return ExitCode.INTERRUPTED


def _with_settings(command: _Command, do: Callable[[CourseSettings], int]) -> int:
    with (
        open_settings(command.course, sandbox=command.options.sandbox) as settings,
        hold_run_lock(settings, wait=command.options.wait),
    ):
        return do(settings)
