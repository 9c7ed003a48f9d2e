"""The commands of a term, which `autograder.cli` puts beside its own.

Each command imports what it needs, so that `--help` answers at once.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from autograder.course import Course

app = typer.Typer()

Student = Annotated[str, typer.Argument(help="The student's id.")]
Students = Annotated[
    list[str] | None, typer.Option("--student", help="Only this student; may be repeated.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end of another run.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def _course() -> Course:
    from autograder.course import find_course

    return find_course()


@app.command()
def collect(
    lab: str,
    student: Students = None,
    trust_times: Annotated[
        bool, typer.Option("--trust-times", help="Believe any time: the exchange was restored.")
    ] = False,
    wait: Wait = False,
) -> None:
    """Collect every hand-in from nbgrader's exchange; each becomes a try."""
    from autograder.term import collecting

    code = collecting.collect(_course(), lab, student or (), trust_times=trust_times, wait=wait)
    raise typer.Exit(code)


@app.command("collect-zip")
def collect_zip(
    lab: str,
    archives: Annotated[list[Path], typer.Argument(help="Zip files; with --from git, folders.")],
    kind: Annotated[str, typer.Option("--from", help="moodle, canvas, plain or git.")],
    roster: Annotated[Path | None, typer.Option(help="A table that the LMS exports.")] = None,
    timezone: Annotated[str, typer.Option(help="Zone of the LMS's times; else ours.")] = "",
    wait: Wait = False,
) -> None:
    """Collect the archives that Moodle or Canvas make, or clones; each becomes a try."""
    from autograder.term import collecting_archives

    code = collecting_archives.collect_zip(
        _course(), lab, archives, kind, table=roster, timezone=timezone, wait=wait
    )
    raise typer.Exit(code)


@app.command()
def extend(
    lab: str,
    student: Student,
    days: Annotated[float, typer.Option(help="Days after the due date; 0 takes it back.")],
    hours: Annotated[float, typer.Option(help="And so many hours.")] = 0,
    wait: Wait = False,
) -> None:
    """Give a student more time, also before she has handed in; penalties follow at once."""
    from autograder.term import extending

    length = timedelta(days=days, hours=hours)
    raise typer.Exit(extending.extend(_course(), lab, student, length, wait=wait))


@app.command()
def remove(
    lab: Annotated[str, typer.Argument(help="The lab; with --all the student alone.")],
    student: Annotated[str, typer.Argument(help="The student's id.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="The student, and all that was handed in.")
    ] = False,
    yes: Yes = False,
    wait: Wait = False,
) -> None:
    """Remove a submission completely: files, evidence, pages, points; shows first what will go."""
    from autograder.term import removal

    if everything:
        lab, student = "", student or lab
    elif not student:
        raise typer.BadParameter("name the lab and the student")
    code = removal.remove(
        _course(),
        lab,
        student,
        everything=everything,
        confirm=lambda text: yes or typer.confirm(text),
        wait=wait,
    )
    raise typer.Exit(code)


@app.command()
def marks(
    labs: Annotated[
        list[str] | None, typer.Argument(help="Labs; all of them unless named.")
    ] = None,
    kind: Annotated[str, typer.Option("--format", help="moodle or canvas.")] = "moodle",
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("marks.csv"),
    roster: Annotated[Path | None, typer.Option(help="The table that the LMS exported.")] = None,
) -> None:
    """Write the points of the gradebook as Moodle or Canvas imports them."""
    from autograder.term import marks as of_marks

    raise typer.Exit(of_marks.write_marks(_course(), labs or (), kind, out, roster))


@app.command()
def show(
    lab: str,
    student: Student,
    question: Annotated[str, typer.Argument(help="Also its inputs and evidence.")] = "",
) -> None:
    """Show tries, points and findings of a submission; of a question also what was measured."""
    from autograder.term import showing

    raise typer.Exit(showing.show(_course(), lab, student, question))


@app.command()
def backup(file: Path, wait: Wait = False) -> None:
    """Write settings, secret, gradebook, hand-ins and evidence into one file."""
    from autograder.term import backups

    raise typer.Exit(backups.backup(_course(), file, wait=wait))


@app.command()
def restore(file: Path, folder: Path) -> None:
    """Unpack a backup into a new folder, and check every file of it."""
    from autograder.term import backups

    raise typer.Exit(backups.restore(file, folder))


@app.command()
def report(
    labs: Annotated[
        list[str] | None, typer.Argument(help="Labs; all that were handed in unless named.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="The page to write, for its owner alone.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="Numbers for students, for a slide.")
    ] = False,
) -> None:
    """Tell on one page how the class fares: points, misconceptions, who may need help."""
    from autograder.term.report import class_report

    if html is None and not as_json:
        html = Path("report.html")
    code = class_report.report(_course(), labs or (), html, as_json=as_json, pseudonyms=pseudonyms)
    raise typer.Exit(code)


@app.command()
def watch(
    labs: Annotated[
        list[str] | None, typer.Argument(help="Labs; all of them unless named.")
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Tell what waits, and end.")] = False,
    once: Annotated[bool, typer.Option("--once", help="End as soon as nothing is due.")] = False,
    jobs: Annotated[int, typer.Option(min=0, help="Workers; 0: four per core.")] = 0,
) -> None:
    """Grade hand-ins as they come to the exchange, and release each page at once."""
    from autograder.term.watching import watch_command

    if status:
        raise typer.Exit(watch_command.show_status(_course()))
    raise typer.Exit(watch_command.watch(_course(), labs or (), jobs=jobs, once=once))
