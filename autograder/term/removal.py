"""`autograder remove`: undoes a mix-up completely, after showing what will go."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from autograder.course import Course
from autograder.grading.reporting.progress import console, format_points, printable
from autograder.grading.settings import CourseSettings
from autograder.grading.tries.try_store import TRIES, Try, TryStore
from autograder.term.open_course import open_course, open_gradebook
from litcourse.core.exit_codes import ExitCode
from litcourse.core.names import UnknownNameError


@dataclass
class Doomed:
    """What a removal takes away.

    Args:
        folders: folders with files of the student.
        tries: the tries, which do not come back by `autograder collect`.
        submissions: lab and points of each submission in the gradebook.
        person: whether the student leaves the gradebook too.
    """

    folders: list[Path] = field(default_factory=list)
    tries: list[Try] = field(default_factory=list)
    submissions: list[tuple[str, str]] = field(default_factory=list)
    person: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.folders or self.submissions or self.person)


def remove(
    course: Course,
    lab_id: str,
    student: str,
    *,
    everything: bool = False,
    confirm: Callable[[str], bool],
    wait: bool = False,
) -> ExitCode:
    """Remove a student's submission for a lab, or the student with all of them.

    Args:
        course: the course.
        lab_id: id of the lab; "" with `everything`.
        student: id of the student.
        everything: of all labs, and the student's entry in the gradebook.
        confirm: asks a person, who has seen what will go.
        wait: wait for the end of another run.

    Raises:
        UnknownNameError: there is nothing of such a student, or no such lab.
    """
    labs = list(course.labs) if everything else [course.lab(lab_id).id]
    to = console(json=False)
    with open_course(course, wait=wait) as settings:
        doomed = _find(settings, labs, student, everything=everything)
        if doomed.is_nothing:
            raise UnknownNameError("submission by the student", student, _known(settings, labs))
        for path in doomed.folders:
            to.print(f"  {printable(str(path.relative_to(settings.root)))}/", soft_wrap=True)
        for lab, points in doomed.submissions:
            to.print(f"  gradebook: {lab}, {points}", soft_wrap=True)
        if doomed.person:
            to.print(f"  gradebook: the student {printable(student)}", soft_wrap=True)
        if not confirm(f"Remove this of {student}, for good?"):
            to.print("Nothing was removed.")
            return ExitCode.INCOMPLETE
        _remove(settings, doomed, student)
    to.print("Removed. What students handed in stays in the exchange; collect leaves it there.")
    return ExitCode.DONE


def _find(settings: CourseSettings, labs: list[str], student: str, *, everything: bool) -> Doomed:
    course, found = settings.course, Doomed()
    store = TryStore(course, settings.root)
    steps = (course.submitted_directory, course.autograded_directory, course.feedback_directory)
    for lab in labs:
        found.tries += store.of(lab, student)
        places = [Path(course.format_path(step, student, lab)) for step in steps]
        places += [settings.records.folder(lab, student), settings.root / TRIES / student / lab]
        found.folders += [place for place in places if place.is_dir()]
    with open_gradebook(settings) as gradebook:
        for lab in labs:
            try:
                submission = gradebook.find_submission(lab, student)
            except MissingEntry:
                continue
            points = f"{format_points(submission.score)} of {format_points(submission.max_score)}"
            found.submissions.append((lab, f"{points} points"))
        found.person = everything and any(who.id == student for who in gradebook.students)
    return found


def _known(settings: CourseSettings, labs: list[str]) -> list[str]:
    with open_gradebook(settings) as gradebook:
        found = {who.id for who in gradebook.students}
    folders = [settings.records.folder(lab, "x").parent for lab in labs]
    found |= {path.name for place in folders if place.is_dir() for path in place.iterdir()}
    return sorted(name for name in found if not name.startswith("."))


def _remove(settings: CourseSettings, doomed: Doomed, student: str) -> None:
    """Remove it; after a kill the same command does the rest.

    The gradebook comes last, so that there is something to name until all is gone; `submitted/`
    comes first, so that no run enters it again.
    """
    TryStore(settings.course, settings.root).forget(doomed.tries)
    for path in doomed.folders:
        shutil.rmtree(path)
        _prune(path.parent, settings.root)
    with open_gradebook(settings) as gradebook:
        for lab, _ in doomed.submissions:
            gradebook.remove_submission(lab, student)
        if doomed.person:
            _remove_person(gradebook, student)


def _remove_person(gradebook: Gradebook, student: str) -> None:
    for submission in list(gradebook.student_submissions(student)):  # of labs that are gone
        gradebook.remove_submission(submission.assignment.name, student)
    gradebook.remove_student(student)


def _prune(folder: Path, root: Path) -> None:
    """Remove a folder of a student that has become empty."""
    if folder.parent != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
