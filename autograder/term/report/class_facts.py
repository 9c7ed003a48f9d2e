"""What a report tells about a class, as plain data: the page and `--json` have the same."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Attendance:
    """Who handed in, and what is still open; lists hold ids of students.

    Args:
        on_roster: number of students on the roster; None without one.
        handed_in: who has a submission, be it graded or not, strangers aside.
        late: who handed in after the due date, extension included.
        extended: who has an extension.
        strangers: who is not on the roster, so that the submission is held back.
        no_shows: who is on the roster and handed in nothing.
        ungraded: whose submission of now has no complete result.
        stale_pages: whose page of feedback is older than the gradebook.
        open: who has a question that a person has to decide on, or to look at again.
    """

    on_roster: int | None = None
    handed_in: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    no_shows: list[str] = field(default_factory=list)
    ungraded: list[str] = field(default_factory=list)
    stale_pages: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)


@dataclass
class CriterionFacts:
    """One criterion, over the submissions whose question has automatic points.

    Args:
        id: id of the criterion.
        title: what a right answer does.
        share: its share of the question's points, 0 to 1.
        earned: number of submissions that earned it.
        failed: number that have a finding on it.
        not_looked_at: number of which an earlier fault hides it.
    """

    id: str
    title: str
    share: float
    earned: int = 0
    failed: int = 0
    not_looked_at: int = 0

    @property
    def lost(self) -> float:
        """The part of the question's points that the class lost by it, 0 to 1."""
        count = self.earned + self.failed + self.not_looked_at
        return self.share * (self.failed + self.not_looked_at) / count if count else 0.0


@dataclass
class QuestionFacts:
    """One question of a lab.

    Args:
        id: id of the question.
        maximum: points.
        mean: mean of the gradebook's points; None if nobody has any.
        full: number of submissions with all points.
        partial: number with some.
        zero: number with none.
        no_score: number that a person has to decide on.
        by_hand: number whose points a person entered.
        seconds: median of the seconds that the probe took; None if none is recorded.
        most_seconds: 90 of 100 probes took no longer; None if none is recorded.
        limits: number of probes that a limit ended.
        criteria: its criteria.
    """

    id: str
    maximum: float
    mean: float | None = None
    full: int = 0
    partial: int = 0
    zero: int = 0
    no_score: int = 0
    by_hand: int = 0
    seconds: float | None = None
    most_seconds: float | None = None
    limits: int = 0
    criteria: list[CriterionFacts] = field(default_factory=list)


@dataclass
class Misconception:
    """A finding in a lab, and who has it.

    Args:
        code: code of the finding.
        title: what it is.
        why: what it means.
        fix: what to do.
        questions: ids of the questions that it came up in.
        students: ids of the students who have it.
        tried: number of students who tried one of these questions.
        is_common: whether at least `COMMON` of those have it.
        called: what was called, of one of them.
        expected: what a right answer gives there.
        got: what the answer gave.
    """

    code: str
    title: str
    why: str
    fix: str
    questions: list[str]
    students: list[str]
    tried: int
    is_common: bool
    called: str = ""
    expected: str = ""
    got: str = ""


@dataclass
class NotTried:
    """A reason for which nothing of an answer was judged, and whom it concerns.

    Args:
        what: the reason.
        question: id of the question; "" for the whole submission.
        students: ids of students.
    """

    what: str
    question: str
    students: list[str]


@dataclass
class Stuck:
    """Why a student may need help.

    Args:
        student: id of the student.
        why: the reason, a sentence.
    """

    student: str
    why: str


@dataclass
class Look:
    """What a person should look at; never a reason for other points by itself.

    Args:
        students: ids of the students whom it concerns.
        what: what was seen, a sentence.
        question: id of the question; "" for the whole submission.
    """

    students: list[str]
    what: str
    question: str = ""


@dataclass
class LabFacts:
    """A lab.

    Args:
        lab: id of the lab.
        attendance: who handed in.
        due: the due date without extensions, UTC in ISO format; "" if there is none.
        maximum: points of the lab.
        totals: points in the gradebook by student, late penalties taken off.
        questions: its questions, in the notebook's order.
        misconceptions: its findings, the most frequent first.
        not_tried: what was not judged.
        stuck: who may need help.
        look_at: what a person should look at.
    """

    lab: str
    attendance: Attendance
    due: str
    maximum: float
    totals: dict[str, float]
    questions: list[QuestionFacts] = field(default_factory=list)
    misconceptions: list[Misconception] = field(default_factory=list)
    not_tried: list[NotTried] = field(default_factory=list)
    stuck: list[Stuck] = field(default_factory=list)
    look_at: list[Look] = field(default_factory=list)

    @property
    def mean(self) -> float | None:
        """Mean of the totals; None if there are none."""
        return sum(self.totals.values()) / len(self.totals) if self.totals else None

    @property
    def to_do(self) -> list[str]:
        """Students with something that is left to the instructor, sorted."""
        there = self.attendance
        lists = (there.strangers, there.ungraded, there.stale_pages, there.open)
        return sorted({student for one in lists for student in one})

    @property
    def helpless(self) -> list[str]:
        """Students who may need help, sorted."""
        return sorted({one.student for one in self.stuck})


@dataclass
class ClassFacts:
    """A class.

    Args:
        course: id of the course, or "".
        made_at: when this was read, UTC.
        names: names by id, of students who have one.
        labs: its labs.
    """

    course: str
    made_at: str
    names: dict[str, str] = field(default_factory=dict)
    labs: list[LabFacts] = field(default_factory=list)

    @property
    def students(self) -> list[str]:
        """Ids of all students with points in some lab or none at all, sorted."""
        return sorted({who for lab in self.labs for who in (*lab.totals, *lab.attendance.no_shows)})

    def is_over(self, lab: LabFacts) -> bool:
        """Whether a lab was due when this was read; one without a due date always is."""
        return not lab.due or lab.due <= self.made_at

    @property
    def again_and_again(self) -> dict[str, dict[str, str]]:
        """Students with trouble in two labs or more, those with the most first: why, by lab."""
        found: dict[str, dict[str, str]] = {}
        for lab in self.labs:
            for who in lab.helpless:
                found.setdefault(who, {})[lab.lab] = "may need help"
            for who in lab.attendance.no_shows if self.is_over(lab) else ():
                found.setdefault(who, {})[lab.lab] = "nothing handed in"
        several = {who: why for who, why in found.items() if len(why) > 1}
        return dict(sorted(several.items(), key=lambda one: (-len(one[1]), one[0])))
