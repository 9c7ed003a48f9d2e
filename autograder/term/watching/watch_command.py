"""`autograder watch`: runs the loop under a lock of its own, and tells its state."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from autograder.course import AuthorError, Course, LockedError
from autograder.grading.reporting.progress import printable
from autograder.grading.session import end_on_sigterm, lock_file, run_engine
from autograder.grading.settings import open_settings
from autograder.term.watching.try_limits import time_of_now, watch_settings
from autograder.term.watching.watcher import Watcher
from litcourse.core.atomic_write import write_atomically
from litcourse.core.exit_codes import ExitCode

LOCK, STATE = ".watch", "_watch.json"
"""Files in `evidence/`: the lock of a watcher, and what it did last."""
_AFTER_A_FAULT = 30.0
"""Seconds before the next round after one that could not be done."""
_STALE = timedelta(minutes=30)
"""A watcher that said nothing for so long hangs: no round takes so long."""
_SHOWN = 20


def watch(course: Course, names: Sequence[str], *, jobs: int = 0, once: bool = False) -> ExitCode:
    """Grade hand-ins as they come, until SIGTERM or Ctrl-C.

    Args:
        course: the course.
        names: ids of labs; empty for all.
        jobs: workers; 0: four per core.
        once: end as soon as nothing is due.

    Raises:
        LockedError: another watcher is at work.
        AuthorError: with `once`, something has to be mended.
        UnknownNameError: there is no such lab.
    """
    labs = [course.lab(name).id for name in names] or list(course.labs)
    with open_settings(course, sandbox=True) as settings:
        rules, evidence = watch_settings(settings), settings.records.folder("", "")
    evidence = course.root / evidence
    watcher = Watcher(course, labs, _say, jobs)
    with end_on_sigterm(), contextlib.suppress(KeyboardInterrupt), _hold_lock(evidence):
        os.nice(rules.nice)
        with run_engine():
            _say(f"watching {', '.join(labs)}, every {rules.seconds:g} s")
            _run(watcher, evidence, rules.seconds, once=once)
    _say("ended; what is graded is kept")
    return ExitCode.DONE


def _run(watcher: Watcher, evidence: Path, seconds: float, *, once: bool) -> None:
    quiet = 0
    while not (once and quiet > 1):  # two looks find a hand-in complete
        try:
            done = watcher.round()
        except AuthorError as error:
            if once:
                raise
            _say(f"this round could not be done: {error}")
            time.sleep(_AFTER_A_FAULT)  # also if hand-ins are due: else it does nothing but say so
            continue
        quiet = 0 if done or watcher.queue.due else quiet + 1
        with contextlib.suppress(OSError):  # a full disk: the next round says so
            _note(watcher, evidence, len(done))
        if not watcher.queue.due:
            time.sleep(seconds / 4 if watcher.unsettled else seconds)


def _note(watcher: Watcher, evidence: Path, done: int) -> None:
    """Leave what `--status` and a monitor read."""
    turns = [*watcher.queue.due, *watcher.queue.later]
    waiting = [
        {"lab": turn.arrival.lab, "student": turn.arrival.student,
         "handed_in": turn.arrival.at.isoformat(), "not_before": turn.at.isoformat()}
        for turn in turns
    ]  # fmt: skip
    state = {"at": time_of_now().isoformat(), "done": done, "waiting": waiting}
    write_atomically(evidence / STATE, json.dumps(state).encode())


@contextlib.contextmanager
def _hold_lock(evidence: Path) -> Iterator[None]:
    evidence.mkdir(parents=True, exist_ok=True, mode=0o700)
    with lock_file(evidence / LOCK) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            step = "autograder watch --status tells what it does"
            raise LockedError(evidence / LOCK, "", "another watcher is at work", step) from None
        yield


def show_status(course: Course) -> ExitCode:
    """Print whether a watcher is at work, and what waits; for a monitor by its exit code.

    Returns:
        `DONE` if one is at work and said so within the last half hour, else `INCOMPLETE`.
    """
    with open_settings(course, sandbox=True) as settings:
        evidence = course.root / settings.records.folder("", "")
    state = _read(evidence / STATE)
    at = datetime.fromisoformat(state["at"]) if state else None
    runs = _is_locked(evidence / LOCK)
    hangs = at is None or abs(time_of_now() - at) > _STALE
    typer.echo(
        "no watcher is at work. Next: autograder watch" if not runs
        else f"a watcher is at work; its last round was at {at:%Y-%m-%d %H:%M:%S} UTC" if at
        else "a watcher is at work, in its first round"
    )  # fmt: skip
    waiting = state.get("waiting", [])
    typer.echo(f"waiting hand-ins: {len(waiting)}")
    for one in waiting[:_SHOWN]:
        who = f"{one['lab']} {printable(one['student'])}"
        typer.echo(
            f"  {who}, handed in {_format(one['handed_in'])}, not before "
            f"{_format(one['not_before'])} UTC"
        )
    return ExitCode.DONE if runs and not hangs else ExitCode.INCOMPLETE


def _format(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _is_locked(path: Path) -> bool:
    try:
        with path.open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _say(text: str) -> None:
    """A line of the log, at once."""
    typer.echo(f"{time_of_now():%Y-%m-%d %H:%M:%S} {text}")
