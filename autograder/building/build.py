"""`autograder build`: compiles the labs for students and for otter.

It makes everything in a scratch folder and checks it there. Then it copies to `release/` (for
students, committed without the wheel), `dist/students/` (the same as one archive) and `dist/otter/`
(bundles, not for students). The same sources give the same bytes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.building import leak_scan, student_checks
from autograder.building.archive import pack_students
from autograder.building.convert import student_notebooks
from autograder.building.otter_bundle import build_bundle
from autograder.building.release import differences, publish, write_pages
from autograder.building.wheel import build_wheel
from autograder.course import AuthorError, Course, Lab
from autograder.verifying.solutions import freeze, frozen_files
from litcourse.core.registry import question_ids

STUDENTS = Path("dist", "students")
"""Folder of the students' archive, apart from the rest of `dist/`, which holds answers."""


@dataclass(frozen=True)
class Built:
    """The products of a build.

    Args:
        release: the folder for students.
        changed: its files that changed, relative to it.
        archive: the archive for students; None if only some of the labs were built.
        bundles: otter bundles.
    """

    release: Path
    changed: tuple[str, ...]
    archive: Path | None
    bundles: tuple[Path, ...]


def build(course: Course, lab_ids: Sequence[str] = (), out: Path | None = None) -> Built:
    """Build the labs (all, unless named), with wheel, pages, students' archive and otter bundles.

    The archive is packed from the compiled files, never from `release/`, where somebody may have
    left work. So it takes a build of all labs; a build of some leaves the archive as it was.

    Args:
        course: the course.
        lab_ids: ids of labs; empty for all.
        out: folder for `release/` and `dist/`; the course's own unless given.

    Raises:
        AuthorError: something must not or can't be published; nothing is written.
        UnknownNameError: there is no such lab.
    """
    labs, target = _labs(course, lab_ids), out or course.root
    for lab in labs:
        _write_frozen(lab)
    with tempfile.TemporaryDirectory(prefix="autograder-") as scratch:
        packed = make_release(course, labs, Path(scratch))
        fresh = Path(scratch, "release")
        changed = publish(fresh, target / "release", all_labs=not lab_ids, kept=course.foreign)
        archive = _hand_out(packed, target / STUDENTS) if packed else None
        (wheel,) = fresh.glob("*.whl")
        bundles = tuple(build_bundle(lab, target / "dist" / "otter", wheel) for lab in labs)
    return Built(target / "release", tuple(changed), archive, bundles)


def _hand_out(packed: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(packed, folder))


def find_stale(course: Course, lab_ids: Sequence[str] = (), out: Path | None = None) -> list[str]:
    """The differences between `release/` and a new build, as lines of a diff.

    A missing wheel is no difference. `dist/` is not compared: it is never committed.
    Args and errors as for `build`; nothing is written.
    """
    labs, target = _labs(course, lab_ids), out or course.root
    found = [line for lab in labs for line in _find_stale_frozen(lab)]
    with tempfile.TemporaryDirectory(prefix="autograder-") as scratch:
        make_release(course, labs, Path(scratch))
        fresh = Path(scratch, "release")
        return found + differences(
            fresh, target / "release", all_labs=not lab_ids, kept=course.foreign
        )


def _write_frozen(lab: Lab) -> None:
    """Write answers for public inputs beside the questions that need one, for the wheel."""
    wanted = freeze(lab)
    for path, data in wanted.items():
        if not _has_bytes(path, data):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
    for path in _superfluous_frozen(lab, wanted):
        path.unlink()


def _superfluous_frozen(lab: Lab, wanted: Mapping[Path, bytes]) -> set[Path]:
    """Answers of no question; those of a question that was taken out of the lab belong to it."""
    removed = set(question_ids(lab.id)) - lab.questions.keys()
    found = frozen_files(lab) - wanted.keys()
    return {path for path in found if path.stem not in removed}


def _find_stale_frozen(lab: Lab) -> list[str]:
    wanted = freeze(lab)
    stale = {path for path, data in wanted.items() if not _has_bytes(path, data)}
    stale |= _superfluous_frozen(lab, wanted)
    return [f"{path}: not what the solution gives (any more)" for path in sorted(stale)]


def _has_bytes(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def _labs(course: Course, lab_ids: Sequence[str]) -> list[Lab]:
    return [course.lab(name) for name in lab_ids] or list(course.labs.values())


def make_release(course: Course, labs: Sequence[Lab], folder: Path) -> Path | None:
    """Compile `labs` into `folder/release`, with wheel and pages, and check the result.

    Returns:
        the students' archive, in `folder/dist/students`; None unless `labs` are all labs, since the
        archive's page names every lab of the course.

    Raises:
        AuthorError: as for `build`.
    """
    if not labs:
        step = "make one: autograder new lab1_first first_question"
        raise AuthorError(course.root / "source", "", "it holds no lab", step)
    release = folder / "release"
    release.mkdir(parents=True)
    student_notebooks(course, labs, release)
    for lab in labs:
        _check_listed_files(lab, release / lab.id)
        lab.check_parts()
        student_checks.check(student_checks.Compiled(lab, release / lab.id / lab.path.name))
    wheel = build_wheel(release)
    write_pages(course.labs.values(), wheel, release)
    complete = course.labs.keys() <= {lab.id for lab in labs}
    archive = pack_students(release, folder / STUDENTS) if complete else None
    leak_scan.scan(course, labs, folder)  # the archive too, in its final form
    return archive


def _check_listed_files(lab: Lab, folder: Path) -> None:
    """Check the files against the allowlist: nbgrader copies all that lies beside a notebook."""
    listed = set(lab.notebook.metadata.get("litcourse", {}).get("files", []))
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    there.discard(lab.path.name)
    again = f"then: autograder build {lab.id}"
    for name in sorted(there - listed):
        fault = "it lies beside the notebook and would be published"
        entry = f'"litcourse": {{"files": ["{name}"]}}'
        step = f"move it away, or allow it in the notebook's metadata ({entry}), {again}"
        raise AuthorError(lab.folder / name, "", fault, step)
    for name in sorted(listed - there):
        step = f"write {lab.folder / name}, or take it off the list, {again}"
        raise AuthorError(lab.path, "", f"its metadata lists {name!r}, which is not there", step)
