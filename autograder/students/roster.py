"""The roster: nbgrader's own students, as `nbgrader db student import` enters them.

Grading without a roster enters every student it meets, and leaves the names empty. So there is a
roster as soon as one student has a name, an address or an id of the LMS.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from nbgrader.api import Gradebook

from litcourse.core.names import sort_by_similarity

if TYPE_CHECKING:
    from nbgrader.converters import Autograde


@dataclass(frozen=True)
class Student:
    """A student on the roster.

    Args:
        id: nbgrader's id: the folder under `submitted/`, and the user who submits.
        first_name: first name, or "".
        last_name: last name, or "".
        email: address, or "".
        lms_user_id: the LMS's id, or "".
    """

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""

    @property
    def name(self) -> str:
        """First and last name, or ""."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def is_named(self) -> bool:
        """Whether anything but the id is known."""
        return bool(self.name or self.email or self.lms_user_id)


@dataclass(frozen=True)
class Roster:
    """The students of a course.

    Args:
        students: students by id.
        is_kept: whether there is a roster, so that a submission of anybody else is held back.
    """

    students: Mapping[str, Student] = field(default_factory=dict)
    is_kept: bool = False

    def is_stranger(self, student: str) -> bool:
        """Whether there is a roster and `student` is not on it."""
        return self.is_kept and student not in self.students

    def nearest(self, name: str) -> str:
        """The id of the student whose id or name is the most similar to `name`; or ""."""
        ids = {plain(text): who.id for who in self.students.values() for text in _texts(who)}
        ranked = sort_by_similarity(plain(name), ids)
        return ids[ranked[0]] if ranked else ""

    def find(self, *texts: str) -> str:
        """The id of the only student whom one of `texts` means, the first that does; or "".

        A text may be an id, an address or what is before its @, or a name in either order.
        """
        for text in texts:
            if text in self.students:
                return text
            found = self._index.get(plain(text), set()) | self._index.get(_joined(text), set())
            if len(found) == 1:
                return next(iter(found))
        return ""

    def find_lms_id(self, number: str) -> str:
        """The id of the student with this `lms_user_id`, or ""."""
        found = [who.id for who in self.students.values() if who.lms_user_id == number]
        return found[0] if len(found) == 1 else ""

    @cached_property
    def _index(self) -> dict[str, set[str]]:
        """Ids of students by all that means one of them."""
        index: dict[str, set[str]] = {}
        for who in self.students.values():
            swapped = f"{who.last_name} {who.first_name}"
            for text in (*_texts(who), who.email, swapped):
                for key in filter(None, (plain(text), _joined(text))):
                    index.setdefault(key, set()).add(who.id)
        return index

    def named(self) -> list[str]:
        """Ids of the students who are more than an id."""
        return [who.id for who in self.students.values() if who.is_named]


def _texts(who: Student) -> Iterable[str]:
    return (text for text in (who.id, who.name, who.email.partition("@")[0]) if text)


def _joined(text: str) -> str:
    """`text` as Canvas writes names in names of files: letters alone."""
    return plain(text).replace(" ", "")


def plain(name: str) -> str:
    """`name` in small letters, without accents, and with one space in place of all else."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    kept = "".join(c if c.isalnum() else " " for c in letters if not unicodedata.combining(c))
    return " ".join(kept.split())


def read_students(gradebook: Gradebook) -> dict[str, Student]:
    """The students of a gradebook, by id."""
    names = ("first_name", "last_name", "email", "lms_user_id")
    return {
        who.id: Student(who.id, *((getattr(who, name) or "").strip() for name in names))
        for who in gradebook.students
    }


def read_roster(converter: Autograde) -> Roster:
    """The roster of a course.

    Args:
        converter: nbgrader's converter, whose `create_student` decides if the settings name it:
            False for a roster of ids alone, True for none.
    """
    course = converter.coursedir
    with Gradebook(course.db_url, course.course_id) as gradebook:
        students = read_students(gradebook)
    is_kept = any(who.is_named for who in students.values())
    if "create_student" in converter.config.Autograde:
        is_kept = not converter.create_student
    return Roster(students, is_kept)
