"""The command `autograder`; its commands find the course in the working folder or above.

Each command imports what it needs, so that `--help` answers at once.
"""

from __future__ import annotations

import atexit
import gc
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from autograder.term import term_commands
from litcourse.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from autograder.course import Course

# Importing jsonschema compiles a grammar of web addresses, which takes a second of every command.
# Without that module it skips the grammar, and nothing here checks an address.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


class _Group(TyperGroup):
    """Prints errors that name the next step as they are, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        as_json = "--json" in ctx.args  # which the command takes from there
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except Exception as error:
            code = _exit_code(error)
            if code is None:
                raise
            typer.echo(f"autograder: {error}", err=True)
            if as_json:
                typer.echo(json.dumps({"error": str(error)}))
            raise typer.Exit(code) from None


def _exit_code(error: Exception) -> ExitCode | None:
    """The exit code of an error that tells its next step; None for all others."""
    from autograder.course import AuthorError, LockedError
    from litcourse.core.names import UnknownNameError

    if isinstance(error, LockedError):
        return ExitCode.LOCKED
    if isinstance(error, (AuthorError, UnknownNameError)):
        return ExitCode.MISTAKE
    return ExitCode.NOT_EMULATED if _is_not_emulated(error) else None


def _is_not_emulated(error: Exception) -> bool:
    attempts = sys.modules.get("litcourse.probing.attempts")  # imports of probes take seconds
    return attempts is not None and isinstance(error, attempts.NotMeasuredError)


app = typer.Typer(
    cls=_Group,
    help="Build, verify and grade a course on PyTorch Lightning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Labs = Annotated[list[str] | None, typer.Argument(help="Labs; all of them unless named.")]


def _course() -> Course:
    from autograder.course import find_course

    return find_course()


@app.command()
def build(
    labs: Labs = None,
    check: Annotated[bool, typer.Option("--check", help="Fail if release/ is stale.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for release/ and dist/.")] = None,
) -> None:
    """Compile source/ into release/, an archive for students in dist/, and bundles for otter."""
    started = time.perf_counter()
    from autograder.building import build as builder

    course = _course()
    for name in () if labs else course.foreign:
        text = "it is no lab of litcourse, and is left to nbgrader"
        typer.echo(f"{course.root / 'source' / name}: {text}", err=True)
    if check:
        _report_stale(builder.find_stale(course, labs or (), out))
        return
    built = builder.build(course, labs or (), out)
    for name in built.changed:
        path = built.release / name
        typer.echo(f"{'wrote' if path.exists() else 'removed'} {path}")
    if built.archive:
        typer.echo(f"wrote {built.archive} (for students)")
    else:
        folder = built.release.parent / builder.STUDENTS
        typer.echo(f"left {folder} as it was: the archive takes a build of all labs")
    for path in built.bundles:
        typer.echo(f"wrote {path} (not for students)")
    typer.echo(f"{len(built.changed)} files changed in {time.perf_counter() - started:.1f} s")


def _report_stale(lines: list[str]) -> None:
    for line in lines:
        typer.echo(line)
    if lines:
        typer.echo("release/ is stale. Next: make release, and commit what git shows", err=True)
        raise typer.Exit(ExitCode.INCOMPLETE)
    typer.echo("release/ is fresh")


@app.command()
def verify(
    labs: Labs = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repeat under so many secrets.")] = 1,
    as_json: Json = False,
    question: Annotated[str, typer.Option(help="Only this question.")] = "",
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one per core.")] = 0,
    fresh: Annotated[
        bool,
        typer.Option("--fresh/--resume", help="Run all; or only what has changed since it ran."),
    ] = False,
) -> None:
    """Hold every question against its bank of right and wrong answers."""
    from autograder.verifying import verify as verifier

    course = _course()
    chosen = [course.lab(name) for name in labs or course.labs]
    code = verifier.run(
        course,
        chosen,
        seeds=seeds,
        json=as_json,
        question=question or None,
        jobs=jobs or None,
        fresh=fresh,
    )
    raise typer.Exit(code)


@app.command()
def mutate(
    lab: str,
    question: Annotated[str, typer.Argument(help="Only this question.")] = "",
    budget: Annotated[
        float, typer.Option(min=0, help="Begin no mutant after so many minutes; 0: no end.")
    ] = 0,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one per core.")] = 0,
    solutions: Annotated[
        bool, typer.Option("--solutions", help="Change the solutions alone.")
    ] = False,
    no_sandbox: Annotated[
        bool, typer.Option("--no-sandbox", help="Run mutants with your own rights.")
    ] = False,
) -> None:
    """Change right answers a little, and list the changes that no judge notices."""
    from autograder.mutating import mutate as mutator

    course = _course()
    options = mutator.Options(question, budget, jobs, solutions, not no_sandbox)
    raise typer.Exit(mutator.run(course, [course.lab(lab)], options))


def _start_engine() -> None:
    """Start the engine early, and skip the slow end of the process."""
    from autograder.engine.client import engine

    engine()  # its imports take seconds, and run while this process imports
    atexit.register(gc.freeze)  # saves the last collection, which takes a third of a second


Students = Annotated[
    list[str] | None, typer.Option("--student", help="Only this student; may be repeated.")
]
Jobs = Annotated[int, typer.Option(min=0, help="Workers; 0: four per core.")]
Csv = Annotated[Path | None, typer.Option(help="Write the scores into this file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Wait = term_commands.Wait


@app.command()
def grade(  # noqa: PLR0913, PLR0917 (one for each option)
    labs: Labs = None,
    student: Students = None,
    jobs: Jobs = 0,
    regrade: Annotated[bool, typer.Option("--regrade", help="Grade again what is done.")] = False,
    no_sandbox: Annotated[
        bool, typer.Option("--no-sandbox", help="Run submissions with your own rights.")
    ] = False,
    no_feedback: Annotated[
        bool, typer.Option("--no-feedback", help="Write no pages of feedback.")
    ] = False,
    csv: Csv = None,
    as_json: Json = False,
    shard: Annotated[str, typer.Option(help="I/N: only this part; writes no gradebook.")] = "",
    accept_strangers: Annotated[
        bool, typer.Option("--accept-strangers", help="Also enter who is not on the roster.")
    ] = False,
    wait: Wait = False,
) -> None:
    """Grade what was handed in and is not graded yet; goes on where a run was stopped."""
    course = _course()
    _start_engine()
    from autograder.grading import run

    options = run.Options(
        labs or (), student or (), jobs, regrade, not no_sandbox, not no_feedback, csv, as_json,
        accept_strangers, wait,
    )  # fmt: skip
    if shard:
        from autograder.grading.shard import Shard, grade_shard

        raise typer.Exit(grade_shard(course, options, Shard.parse(shard)))
    raise typer.Exit(run.grade(course, options))


@app.command()
def rejudge(
    lab: str,
    student: Students = None,
    jobs: Jobs = 0,
    csv: Csv = None,
    as_json: Json = False,
    wait: Wait = False,
) -> None:
    """Judge kept evidence again, after a change of points or of a judge; runs no submission."""
    course = _course()
    _start_engine()
    from autograder.grading import run

    options = run.Options([lab], student or (), jobs, csv=csv, json=as_json, wait=wait)
    raise typer.Exit(run.rejudge(course, options))


app.registered_commands += term_commands.app.registered_commands


@app.command()
def demo() -> None:
    """Grade a class of made-up submissions through nbgrader, and print the scores."""
    from autograder.demo import course_demo

    raise typer.Exit(course_demo.run(_course()))


@app.command()
def new(
    lab: str,
    question: str,
    after: Annotated[str, typer.Option(help="Put it behind this question.")] = "",
    kind: Annotated[
        str, typer.Option(help="What a student writes: function, class, callback or file.")
    ] = "function",
    name: Annotated[str, typer.Option(help="Name of the class that a student writes.")] = "",
) -> None:
    """Make the three places of a new question, and of its lab if there is none."""
    from autograder.building.scaffold import next_steps, scaffold

    course = _course()
    for path in scaffold(course, lab, question, after=after, kind=kind, name=name):
        typer.echo(f"wrote {path.relative_to(course.root)}")
    typer.echo(next_steps(lab, question), nl=False)


@app.command()
def pages(
    solutions: Annotated[
        bool, typer.Option("--solutions", help="With solutions, into dist/site-solutions/.")
    ] = False,
    outputs: Annotated[
        bool, typer.Option("--outputs", help="Run demonstrations anew whose code has changed.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="With --outputs: run all of them.")
    ] = False,
) -> None:
    """Write the lessons as pages for Sphinx, into site/."""
    from autograder.pages import remake
    from autograder.pages.website import write_pages

    course = _course()
    if outputs:
        remake.remake(list(course.labs.values()), typer.echo, everything=everything)
        return
    written = write_pages(course, solutions=solutions)
    for name in written.changed:
        typer.echo(f"wrote {written.folder / name}")
    typer.echo(f"{len(written.changed)} files changed in {written.folder}")


@app.command()
def explain(code: str) -> None:
    """Tell more about a finding, for example LIT101."""
    from litcourse.feedback.catalogue import explain as look_up

    typer.echo(str(look_up(code)))


@app.command()
def bench(
    grade: Annotated[
        bool, typer.Option("--grade", help="A class: ours, stock nbgrader, otter.")
    ] = False,
) -> None:
    """Measure the times that the documentation promises."""
    from autograder.benchmarks import checks as of_checks
    from autograder.benchmarks import grader_comparison as of_grading

    raise typer.Exit((of_grading if grade else of_checks).run(_course()))
