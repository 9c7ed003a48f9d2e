"""Notices of what a person should check after a run, though nothing failed: a line for each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from autograder.course import Course
from autograder.grading.records import RECORD
from autograder.grading.reporting.progress import name_few, printable
from autograder.grading.reporting.table import Row
from autograder.grading.settings import CourseSettings
from autograder.grading.shared_folder import is_open
from autograder.nbgrader_plugins.submissions import submission_files
from autograder.secret import SECRET_FILE
from autograder.students.roster import Roster

Who = tuple[str, str]
"""Ids of a lab and of a student."""


@dataclass
class RunNotices:
    """The notices of a run.

    Args:
        look_again: students whose submission was graded again after a person set its points.
        suspicious_imports: students whose code names parts of `litcourse` that the lab does not.
        without_time: students whose submission has no readable time, in a lab with a due date.
        gone: students in the gradebook or in `evidence/` without a submission in `submitted/`.
        foreign: assignments with submissions that are no labs.
        no_shows: students on the roster without a submission.
        nameless: students in the gradebook without a name, though there is a roster.
        strangers: students whose graded submission is held back, since they are not on the roster.
        nearest: by such a student, the id on the roster that is the most similar.
        passed_over: what lies in `submitted/` and is no submission, with the reason.
        new_secret: whether the run makes a course secret although evidence of another one exists.
        readable: folders with answers that other users of this machine can read.
    """

    look_again: list[Who] = field(default_factory=list)
    suspicious_imports: list[Who] = field(default_factory=list)
    without_time: list[Who] = field(default_factory=list)
    gone: list[Who] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    no_shows: list[Who] = field(default_factory=list)
    nameless: list[Who] = field(default_factory=list)
    strangers: list[Who] = field(default_factory=list)
    nearest: dict[str, str] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)
    new_secret: bool = False
    readable: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """A line for each kind of notice that there is."""
        texts = {
            "Points that a person had set, graded again since: {}. Next: look at them again in the "
            "formgrader": _name_students(self.look_again),
            "Code that names parts of litcourse which the lab does not use, as no answer has to: "
            "{}. Next: read it": _name_students(self.suspicious_imports),
            "timestamp.txt is missing or can't be read, so it counts as on time: {}": (
                _name_students(self.without_time)
            ),
            "Graded once, but gone from submitted/, so not in the table and not in --csv: {}": (
                _name_students(self.gone)
            ),
            "No lab of litcourse, left to nbgrader: {}": self.foreign,
            "On the roster, and handed in nothing: {}": _name_students(self.no_shows),
            "In the gradebook without a name, so perhaps not on the roster: {}. Next, if one is a "
            "mistake: autograder remove LAB STUDENT": _name_students(self.nameless),
            "In submitted/, but not graded: {}. Next: give it another name, or hand it in as a "
            "folder": self.passed_over,
            "Other users of this machine can read the answers in {}. Next: chmod go-rwx of that "
            "folder": self.readable,
        }
        return self.stranger_lines() + [
            text.format(name_few(names)) for text, names in texts.items() if names
        ]

    def stranger_lines(self) -> list[str]:
        """A line for each person who is not on the roster, and one for what to do."""
        who = list(dict.fromkeys(student for _, student in self.strangers))
        if not who:
            return []
        lines = [
            f"not on the roster: {printable(name)}, nearest {printable(self.nearest[name])}"
            for name in who
        ]
        step = (
            "if it is somebody on it, rename the folder in submitted/; if the roster lacks it, "
            "nbgrader db student add ID; else autograder remove LAB ID. Or autograder grade "
            "--accept-strangers, which enters everybody"
        )
        count = len(self.strangers)
        return [*lines, f"{count} graded and held back, in no gradebook. Next: {step}"]

    def as_json(self) -> dict[str, Any]:
        """The notices as plain data."""
        plain = asdict(self)
        nearest = plain.pop("nearest")
        for name in (
            "look_again", "suspicious_imports", "without_time", "gone", "no_shows", "nameless",
            "strangers",
        ):  # fmt: skip
            plain[name] = [{"lab": lab, "student": who} for lab, who in plain[name]]
        for entry in plain["strangers"]:
            entry["nearest"] = nearest[entry["student"]]
        return plain

    def note_roster(
        self, roster: Roster, labs: Mapping[str, Collection[str]], strangers: Sequence[Who]
    ) -> None:
        """Note who is missing on the roster, and who of it is missing.

        Args:
            roster: the roster.
            labs: students who handed in, by lab.
            strangers: those who were held back.
        """
        self.strangers = sorted(strangers)
        self.nearest = {student: roster.nearest(student) for _, student in strangers}
        if not roster.is_kept:
            return
        named = set(roster.named())
        for lab, sent in labs.items():
            self.no_shows += [(lab, who) for who in sorted(named - set(sent))]
            self.nameless += [(lab, w) for w in sorted(set(roster.students) & set(sent) - named)]


def _name_students(found: Sequence[Who]) -> list[str]:
    """Names of students; with the lab if there are several labs."""
    several = len({lab for lab, _ in found}) > 1
    return [f"{lab} {student}" if several else student for lab, student in found]


def from_rows(found: Sequence[Row]) -> RunNotices:
    """The notices that follow from rows of the gradebook."""
    return RunNotices(
        look_again=[(row.lab, row.student) for row in found if row.look_again],
        suspicious_imports=[
            (r.lab, r.student) for r in found if r.record and r.record.suspicious_imports
        ],
        without_time=[(r.lab, r.student) for r in found if r.due and not r.submitted_at],
    )


def gather(
    settings: CourseSettings,
    course: Course,
    found: Sequence[Row],
    rows: Mapping[str, Mapping[str, Row]],
    labs: Sequence[str],
    *,
    whole_class: bool,
) -> RunNotices:
    """What a run has to tell beside the scores.

    Args:
        settings: of the course.
        course: its labs.
        found: the rows of this run.
        rows: all rows of its labs, by lab and student.
        labs: those that were asked for; none means all.
        whole_class: whether all students were.
    """
    gathered = from_rows(found)
    source = settings.root / settings.course.source_directory
    gathered.readable = [str(source)] if is_open(source) else []
    gathered.passed_over = find_passed_over(settings, labs or list(course.labs))
    if whole_class:
        gathered.gone = [who for lab in rows for who in find_gone(settings, lab, rows[lab])]
    if not labs:
        gathered.foreign = find_foreign(settings, course)
    return gathered


def find_gone(settings: CourseSettings, lab: str, known: Mapping[str, Row]) -> list[Who]:
    """Students who were graded in `lab` and have no submission there now."""
    folder = settings.records.folder(lab, "")
    graded = {path.parent.name for path in folder.glob(f"*/{RECORD}")} | set(known)
    there = {submission.student for submission in submission_files.discover(settings.course, lab)}
    excluded = set(settings.course.student_id_exclude.split(","))
    return [(lab, student) for student in sorted(graded - there - excluded)]


def find_foreign(settings: CourseSettings, course: Course) -> list[str]:
    """Assignments with submissions that `litcourse` does not know."""
    return [name for name in course.foreign if submission_files.discover(settings.course, name)]


def find_passed_over(settings: CourseSettings, labs: Sequence[str]) -> list[str]:
    """What lies in `submitted/` for a lab and is no submission, with the reason."""
    return [who for lab in labs for who in submission_files.find_passed_over(settings.course, lab)]


def lacks_secret(settings: CourseSettings) -> bool:
    """Whether the course secret is missing although there are graded submissions."""
    if (settings.root / SECRET_FILE).exists():
        return False
    return any(settings.records.folder("", "").glob(f"*/*/{RECORD}"))


NEW_SECRET = (
    f"There is no {SECRET_FILE}, but evidence/ holds graded submissions: a new one is made, and a "
    "file that is graded again is asked on other inputs than before. Next: if you have the old one,"
    " stop this, put it back, and type the same again"
)
"""Printed before the first submission is graded, while the old secret can be restored."""
