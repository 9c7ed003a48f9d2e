"""Grades the instructor's solution before any submission: a canary that shows the grader's faults.

It takes the road of a submission: the same kernel, probe and judge. A question that fails it twice,
on two draws, says nothing about anybody's answer, so that nobody gets a score for it. A run keeps
that all is well in `evidence/<lab>/.canary/`, under a digest of what it depends on, and later runs
on the same machine need no canary until that changes.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import os
import platform
import socket
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import autograder
import litcourse
from autograder.bank import without_markers
from autograder.course import Lab, grade_id
from autograder.engine.client import KEPT_VARIABLES, scratch
from autograder.nbgrader_plugins.evidence_store import make_private
from autograder.nbgrader_plugins.failures import judge_answer
from autograder.nbgrader_plugins.submission_metadata import KEY, Context, SubmissionMetadata
from autograder.nbgrader_plugins.submissions.submission_files import copy_files, find_visible
from litcourse import labs
from litcourse.core.atomic_write import write_atomically

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from autograder.nbgrader_plugins.execute import RunSubmission

CANARY = ".canary"
"""In place of a student's id, which does not begin with a dot."""
WHY = "the instructor's solution failed it too, when this run began"
"""Why a question has no score."""
_DRAWS = 2
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def has_solutions(lab: Lab) -> bool:
    """Whether the lab's notebook is the instructor's, with solutions to grade."""
    cells = {grade_id(cell): cell.source for cell in lab.notebook.cells}
    return any(without_markers(cells[name]) != cells[name] for name in lab.questions)


def fly(step: RunSubmission, root: Path, lab: Lab, unsolved: NotebookNode) -> dict[str, str]:
    """Grade the solution on one draw, and what fails once more on another.

    Args:
        step: runs submissions, with the course's settings.
        root: the course folder.
        lab: the lab.
        unsolved: its notebook as students get it.

    Returns:
        what went wrong, by the ids of the questions that failed twice.
    """
    found = dict.fromkeys(lab.questions, "")
    with tempfile.TemporaryDirectory(prefix="canary-", dir=scratch()) as folder:
        # As submissions get them: of the instructor's files, links are followed.
        files = {name: path.resolve() for name, path in find_visible(lab.folder).items()}
        copy_files(files, Path(folder))
        for draw in range(_DRAWS):
            failed = _grade(step, Context(root, lab, unsolved, CANARY, Path(folder)), draw)
            found = {name: failed[name] for name in found if name in failed}
            if not found:
                break
            step.log.warning("%s: the solution failed: %s", lab.id, found)
    return found


def _grade(step: RunSubmission, context: Context, draw: int) -> dict[str, str]:
    """What is wrong with the solution, by question id, on one draw of inputs."""
    lab, notebook = context.lab, _solved_notebook(context.lab)
    submission = f"{CANARY} {draw}"
    SubmissionMetadata(submission).write(notebook)
    resources: dict[str, Any] = {KEY: context}
    try:
        inputs = step.draw_inputs(context, submission)
        step.run_notebook(notebook, resources, inputs, alone=draw > 0)
    except RuntimeError as error:  # no kernel, no judge server, a draw that fails
        return dict.fromkeys(lab.questions, str(error))
    failed = {}
    for name, taken in resources["question_evidence"].items():
        why = (taken.code, taken.detail)
        verdict = judge_answer(lab, name, taken.inputs.all_inputs, taken.evidence, why)
        if verdict.score != 1:
            first = [f"{f['code']}: {f['got']}" for f in verdict.findings[:1]]
            failed[name] = verdict.undecided or "".join(first) or "nothing was measured"
    return failed


def _solved_notebook(lab: Lab) -> NotebookNode:
    notebook = copy.deepcopy(lab.notebook)
    for cell in notebook.cells:
        if grade_id(cell) in lab.questions:
            cell.source = without_markers(cell.source)
    return notebook


# --- in nbgrader's own commands ------------------------------------------------------------------

_flown: WeakKeyDictionary[Any, dict[str, dict[str, str]]] = WeakKeyDictionary()
"""What went wrong, by run and lab. The formgrader has many runs in one process; the steps of a run
have one parent."""


def fly_once(step: RunSubmission, context: Context) -> dict[str, str]:
    """As `fly`, for the lab of a submission: once per run, and only if nothing is kept.

    Raises:
        RuntimeError: all questions failed. nbgrader then enters no score.
    """
    from autograder.nbgrader_plugins.grade import GradeEvidence  # which imports `execute`

    lab, evidence = context.lab, context.root / GradeEvidence(parent=step.parent).folder
    flown = _flown.setdefault(step.parent, {})
    if lab.id not in flown:
        known = not has_solutions(lab) or is_kept(step, evidence, lab)
        flown[lab.id] = {} if known else fly(step, context.root, lab, context.unsolved)
        if not known and not flown[lab.id]:
            keep(step, evidence, lab)
    if set(flown[lab.id]) == set(lab.questions):
        raise RuntimeError(describe(lab.id, flown[lab.id]))
    return dict.fromkeys(flown[lab.id], WHY)


def describe(lab: str, failed: Mapping[str, str]) -> str:
    """What went wrong, in one line."""
    told = ", ".join(f"{name} ({why})" for name, why in failed.items())
    return f"{lab}: the instructor's solution lost points on two draws: {told}"


# --- what is kept --------------------------------------------------------------------------------


def is_kept(step: RunSubmission, evidence: Path, lab: Lab) -> bool:
    """Whether the solution passed on this machine, as all of it is now.

    Args:
        step: as for `fly`.
        evidence: folder of the evidence of all labs.
        lab: the lab.
    """
    try:
        kept = json.loads(_file(step, evidence, lab).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(kept, dict) and kept.get("digest") == _digest(step, lab)


def keep(step: RunSubmission, evidence: Path, lab: Lab) -> None:
    """Keep that the solution passed."""
    file, now = _file(step, evidence, lab), datetime.now(UTC).isoformat(timespec="seconds")
    make_private(file.parent)
    text = json.dumps({"digest": _digest(step, lab), "at": now})
    write_atomically(file, text.encode(), durable=True)


def _file(step: RunSubmission, evidence: Path, lab: Lab) -> Path:
    """One file for each machine, with the sandbox and without: shards share a folder."""
    sandbox = "" if step.sandbox else "-no-sandbox"
    return evidence / lab.id / CANARY / f"{socket.gethostname()}{sandbox}.json"


def _digest(step: RunSubmission, lab: Lab) -> str:
    """SHA-256, hex, of the solution, files beside it, code, versions, settings and this machine."""
    digest = hashlib.sha256(_digest_code(_packages()))
    for name, path in sorted({lab.path.name: lab.path, **find_visible(lab.folder)}.items()):
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + _digest_file(path))
    settings = {name: getattr(step, name) for name in step.trait_names(config=True)}
    machine = {
        "user": os.getuid(),
        "environment": {name: os.environ.get(name) for name in KEPT_VARIABLES},
        "boot": _BOOT.read_text(encoding="ascii") if _BOOT.is_file() else "",
        "machine": platform.platform(),
    }
    digest.update(json.dumps([settings, machine], sort_keys=True, default=repr).encode())
    return digest.hexdigest()


def _packages() -> tuple[Path, ...]:
    """Folders of our packages."""
    found = (*autograder.__path__, *litcourse.__path__, *labs.__path__)
    return tuple(sorted(set(map(Path, found))))


@functools.cache
def _digest_code(places: tuple[Path, ...]) -> bytes:
    """SHA-256 of the files in `places`, and of the versions of all that is installed."""
    digest = hashlib.sha256(platform.python_version().encode())
    for place in places:
        for path in sorted(place.rglob("*")):
            if path.is_file() and path.parent.name != "__pycache__":
                digest.update(str(path.relative_to(place)).encode() + _digest_file(path))
    installed = {f"{found.name} {found.version}" for found in metadata.distributions()}
    digest.update(json.dumps(sorted(installed)).encode())
    return digest.digest()


def _digest_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
