"""`autograder report`: writes the page of a class, or prints the same as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import typer
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autograder.course import AuthorError, Course
from autograder.grading.reporting.progress import format_points
from autograder.secret import seed_for
from autograder.term.open_course import open_course
from autograder.term.report import figures
from autograder.term.report.class_facts import ClassFacts, LabFacts
from autograder.term.report.gather import gather
from autograder.term.report.misconceptions import COMMON
from litcourse.core.exit_codes import ExitCode


def report(
    course: Course,
    names: Sequence[str],
    html: Path | None,
    *,
    as_json: bool = False,
    pseudonyms: bool = False,
) -> ExitCode:
    """Write the page of a class.

    Args:
        course: the course.
        names: ids of labs; empty for all that somebody handed in.
        html: the page; it is replaced, and only its owner may read it.
        as_json: print the same content as one JSON object.
        pseudonyms: numbers in place of ids and names, for a slide.

    Raises:
        AuthorError: nothing was handed in, or the page can't be written.
        UnknownNameError: there is no such lab.
    """
    labs = [course.lab(name) for name in names] or list(course.labs.values())
    path = html.absolute() if html else None
    if path is not None and not path.parent.is_dir():
        step = f"mkdir -p {path.parent}"
        raise AuthorError(path, "", "there is no such folder to write it in", step)
    with open_course(course, wait=False, locked=False) as settings:
        facts = gather(course, settings, labs, skip_empty=not names)
    if not facts.labs:
        step = "autograder collect LAB, then autograder grade LAB"
        raise AuthorError(course.root, "", "nothing was handed in yet", step)
    if pseudonyms:
        facts = hide_names(facts, seed_for(course.root, "", "", "pseudonyms", ""))
    if path is not None:
        write_private(path, render(facts))
    if as_json:
        typer.echo(json.dumps(asdict(facts), indent=1))
    elif path is not None:
        whom = "It names nobody" if pseudonyms else "It names students: not for the web"
        typer.echo(f"wrote {path}: {', '.join(lab.lab for lab in facts.labs)}. {whom}")
    return ExitCode.DONE


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in place of an older one.

    Raises:
        AuthorError: it can't be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        step = "name a file that you may write: --html FILE"
        raise AuthorError(path, "", f"it can't be written: {error.strerror}", step) from error


def render(facts: ClassFacts) -> str:
    """The page: one file, without a script, and without anything from elsewhere."""
    environment = Environment(
        loader=PackageLoader("autograder.term.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = format_points
    environment.filters["time"] = lambda text: f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
    page = environment.get_template("report.html.jinja")
    return page.render(
        facts=facts,
        common=COMMON,
        trend=Markup(figures.draw_trend(facts)) if len(facts.labs) > 1 else "",  # noqa: S704 (ours; matplotlib escapes)
        pictures={lab.lab: _pictures(lab) for lab in facts.labs},
    )


def _pictures(lab: LabFacts) -> dict[str, Markup | str]:
    if not lab.totals:
        return {"questions": "", "totals": "", "described": ""}
    return {
        "questions": Markup(figures.draw_questions(lab)),  # noqa: S704
        "totals": Markup(figures.draw_totals(lab)),  # noqa: S704
        "described": figures.describe_questions(lab.questions),
    }


def hide_names(facts: ClassFacts, seed: int) -> ClassFacts:
    """The same facts with numbers for students, and without what their code says.

    Args:
        facts: the facts.
        seed: decides who gets which number; nobody who has a list of the class may guess it.
    """
    everybody = sorted(_all_students(facts))
    numbers = list(range(1, len(everybody) + 1))
    Random(seed).shuffle(numbers)
    width = len(str(len(everybody)))
    hidden = {who: f"student {n:0{width}}" for who, n in zip(everybody, numbers, strict=True)}
    return replace(facts, names={}, labs=[_hide(lab, hidden) for lab in facts.labs])


def _hide(lab: LabFacts, hidden: Mapping[str, str]) -> LabFacts:
    def rename(value: Any) -> Any:
        return sorted(hidden[who] for who in value)

    attendance = replace(
        lab.attendance,
        **{k: rename(v) for k, v in asdict(lab.attendance).items() if isinstance(v, list)},
    )
    return replace(
        lab,
        attendance=attendance,
        totals=dict(sorted((hidden[who], points) for who, points in lab.totals.items())),
        misconceptions=[
            replace(one, students=rename(one.students), called="", expected="", got="")
            for one in lab.misconceptions
        ],
        not_tried=[replace(one, students=rename(one.students)) for one in lab.not_tried],
        stuck=[replace(one, student=hidden[one.student]) for one in lab.stuck],
        look_at=[],  # doubts about a person are no matter for a slide
    )


def _all_students(facts: ClassFacts) -> set[str]:
    found = set(facts.students) | set(facts.names)
    for lab in facts.labs:
        for value in asdict(lab.attendance).values():
            found |= set(value) if isinstance(value, list) else set()
        found |= {one.student for one in lab.stuck}
        found |= {who for many in (lab.misconceptions, lab.not_tried) for one in many
                  for who in one.students}  # fmt: skip
    return found
