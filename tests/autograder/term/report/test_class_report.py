"""`autograder report`: its numbers are the gradebook's, and it shows who needs a look."""

from __future__ import annotations

import html
import json
import re
import stat
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from statistics import fmean
from typing import Any

import pytest

from autograder.term.report import stuck
from autograder.term.report.similarity import FILE
from litcourse.core.exit_codes import ExitCode
from tests.autograder.grading.conftest import LAB, QUESTION, RIGHT, WRONG, Class, enter
from tests.autograder.term.conftest import Exchange, Said
from tests.autograder.term.report.conftest import (
    RAISES,
    RENAMED,
    SPACED,
    STUB,
    MadeUp,
    made_up,
    submit,
)

Call = Callable[..., Said]


def read(call: Call, *arguments: str) -> dict[str, Any]:
    """What `report --json` prints."""
    said = call("report", "--json", *arguments)
    assert said.code == ExitCode.DONE, said.text
    facts: dict[str, Any] = json.loads(said.text)
    return facts


WHOLE = pytest.param((40, 5), id="40 in five labs", marks=pytest.mark.release)


@pytest.fixture(params=[pytest.param((9, 2), id="some"), WHOLE])
def made(request: pytest.FixtureRequest, late: Class, exchange: Exchange, call: Call) -> MadeUp:
    """A made-up class that is collected and graded."""
    students, labs = request.param
    found = made_up(late, exchange, labs, students)
    for lab in found.labs:
        assert call("collect", lab).code == ExitCode.DONE
    late.grade()
    return found


def test_every_number_is_the_gradebooks(made: MadeUp, call: Call) -> None:
    facts = read(call)
    assert [lab["lab"] for lab in facts["labs"]] == made.labs
    for lab in facts["labs"]:
        name, (question,) = lab["lab"], lab["questions"]
        with made.group.gradebook() as gradebook:
            sent = gradebook.assignment_submissions(name)
            scores = {s.student.id: s.score - s.late_submission_penalty for s in sent}
            late = sorted(s.student.id for s in sent if s.total_seconds_late > 0)
            found = gradebook.notebook_submissions(name, name)
            points = Counter(notebook.grades[0].score for notebook in found)
        assert lab["totals"] == scores
        assert lab["attendance"]["late"] == late != []
        assert question["mean"] == pytest.approx(fmean(points.elements()))
        assert (question["full"], question["zero"]) == (points[5.0], points[0.0])


def test_the_class_is_as_it_was_made_up(made: MadeUp, call: Call) -> None:
    for lab in read(call)["labs"]:
        sent, there = made.of(lab["lab"]), lab["attendance"]
        assert there["on_roster"] == len(made.roster)
        assert there["handed_in"] == sorted(sent)
        assert there["no_shows"] == sorted(set(made.roster) - set(sent))
        assert there["strangers"] == made.strangers[lab["lab"]]
        assert there["ungraded"] == there["stale_pages"] == there["open"] == []
        answers, (question,) = Counter(sent.values()), lab["questions"]
        assert question["full"] == answers[RIGHT] + answers[RENAMED]
        for criterion in question["criteria"]:
            judged = [criterion[mark] for mark in ("earned", "failed", "not_looked_at")]
            assert (sum(judged), judged[0]) == (len(sent), question["full"])
        groups = [one["students"] for one in lab["look_at"] if "letter by letter" in one["what"]]
        same = [answer for answer, count in answers.items() if answer != STUB and count > 1]
        assert sorted(groups) == sorted(who_wrote(sent, answer) for answer in same)


def who_wrote(sent: Mapping[str, str], *answers: str) -> list[str]:
    """The students whose answer is one of these."""
    return sorted(who for who, answer in sent.items() if answer in answers)


def test_misconceptions_are_of_those_who_tried(made: MadeUp, call: Call) -> None:
    """The tiny judge has no other finding for a wrong answer than for an unsolved one."""
    for lab in read(call)["labs"]:
        sent = made.of(lab["lab"])
        unsolved = who_wrote(sent, STUB, WRONG)
        told = {one["what"]: one["students"] for one in lab["not_tried"]}
        assert told == {"not solved": unsolved}
        found = {one["code"]: (one["students"], one["tried"]) for one in lab["misconceptions"]}
        raised, tried = who_wrote(sent, RAISES), len(sent) - len(unsolved)
        assert found == ({"LIT902": (raised, tried)} if raised else {})


def test_the_page_stands_alone_and_says_the_same(made: MadeUp, call: Call) -> None:
    facts, path = read(call), made.group.root / "class.html"
    said = call("report", "--html", str(path))
    assert said.code == ExitCode.DONE
    assert str(path) in said.text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    page = path.read_text(encoding="utf-8")
    assert "<script" not in page
    assert html.escape("</pre><script>alert(1)</script>") in page, "of an exception"
    assert html.escape("<b>Family</b>") in page
    assert "<b>Family" not in page
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", page)
    assert {address for address in addresses if address[0] != "#"} == set()
    rows = dict(re.findall(r'<tr><th scope="row">(s\d\d)</th><td>[^<]*</td>(.*)</tr>', page))
    for number, lab in enumerate(facts["labs"]):
        for student, total in lab["totals"].items():
            cells = re.findall(r"<td[^>]*>([^<]*)</td>", rows[student])
            assert float(cells[number]) == total


def test_pseudonyms_name_nobody(made: MadeUp, call: Call) -> None:
    path = made.group.root / "slide.html"
    assert call("report", "--html", str(path), "--pseudonyms").code == ExitCode.DONE
    page = path.read_text(encoding="utf-8")
    for who in (*made.roster, *(s for many in made.strangers.values() for s in many), "Given"):
        assert who not in page
    hidden, facts = read(call, "--pseudonyms"), read(call)
    for secret, plain in zip(hidden["labs"], facts["labs"], strict=True):
        assert sorted(secret["totals"].values()) == sorted(plain["totals"].values())
        assert list(secret["totals"].values()) != list(plain["totals"].values()), "in no old order"
    again = read(call, "--pseudonyms")
    assert again["labs"][0]["totals"] == hidden["labs"][0]["totals"], "the same on the next slide"


def test_what_a_person_has_to_do(late: Class, exchange: Exchange, call: Call) -> None:
    submit(exchange, LAB, "ada", WRONG, 9)
    submit(exchange, LAB, "ben", RIGHT, 9)
    call("collect", LAB)
    late.grade()
    enter(late, manual_score=4.0, needs_manual_grade=True)
    submit(exchange, LAB, "cleo", RIGHT, 9)
    call("collect", LAB)
    (late.root / "evidence" / LAB / "ben" / f"{QUESTION}.json").write_text("{", encoding="utf-8")
    (lab,) = read(call)["labs"]
    there, (question,) = lab["attendance"], lab["questions"]
    assert there["ungraded"] == ["cleo"], "handed in, not graded"
    assert there["handed_in"] == ["ada", "ben", "cleo"]
    assert (there["open"], there["stale_pages"]) == (["ada"], ["ada"])
    assert (question["by_hand"], question["mean"]) == (1, 4.5)
    assert lab["totals"] == {"ada": 4, "ben": 5}
    assert question["criteria"][0]["earned"] == 0, "ben's verdict is being written"
    assert "points by hand, and graded again since" in [one["what"] for one in lab["look_at"]]


def test_who_is_stuck(
    late: Class, exchange: Exchange, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    with late.gradebook() as gradebook:
        for who in ("ada", "ben", "cleo", "dora", "emil", "fay"):
            gradebook.add_student(who, email=f"{who}@example.org")
        gradebook.add_assignment(LAB, duedate="2026-11-10 12:00:00")
    for who in ("ben", "cleo", "dora", "emil"):
        submit(exchange, LAB, who, RIGHT, 9)
    submit(exchange, LAB, "ada", WRONG, 8)
    submit(exchange, LAB, "ada", f"{WRONG}\n", 9)
    call("collect", LAB)
    late.grade()
    due = stuck.time_of_now().replace(month=11, day=10, hour=12, minute=0, year=2026)
    monkeypatch.setattr(stuck, "time_of_now", lambda: due - timedelta(hours=30))
    (lab,) = read(call)["labs"]
    told = [(one["student"], one["why"]) for one in lab["stuck"]]
    assert [who for who, _ in told] == ["ada", "ada", "ada", "fay"]
    assert told[0][1] == "no gain in the last two of 2 tries: 0, then 0 points"
    assert re.match(rf"{QUESTION}: the same finding in the last two tries, LIT\d+ ", told[1][1])
    assert told[2][1] == f"no points in {QUESTION} (4 of 5 have all)"
    assert told[3][1] == "nothing handed in, 30 hours before it is due"
    monkeypatch.setattr(stuck, "time_of_now", lambda: due - timedelta(days=3))
    assert "fay" not in [one["student"] for one in read(call)["labs"][0]["stuck"]]


def test_nearly_the_same_answers(late: Class, exchange: Exchange, call: Call) -> None:
    longer = "\n".join(f"    step_{n} = {{name}} * {n} + len(str({n}))" for n in range(12))
    original = f"def {QUESTION}(number):\n{longer.format(name='number')}\n    return number + 1"
    renamed = original.replace("step_", "part_").replace("number", "value")
    apart = (
        f"def {QUESTION}(number):\n    if number:\n        return sum([number, 1])\n    return 1"
    )
    for who, answer in (("ada", original), ("ben", renamed), ("cleo", apart), ("dora", SPACED)):
        submit(exchange, LAB, who, answer, 9)
    call("collect", LAB)
    late.grade()
    (lab,) = read(call)["labs"]
    near = [one for one in lab["look_at"] if "nearly" in one["what"]]
    assert [one["students"] for one in near] == [["ada", "ben"]]
    kept = late.root / "evidence" / LAB / "ada" / FILE
    before = kept.stat().st_mtime_ns
    assert read(call)["labs"] == [lab]
    assert kept.stat().st_mtime_ns == before, "compared once a submission"
    submit(exchange, LAB, "ada", apart, 10)
    call("collect", LAB)
    late.grade()
    (lab,) = read(call)["labs"]
    assert [one["students"] for one in lab["look_at"]] == [["ada", "cleo"]]
    assert kept.stat().st_mtime_ns != before


def test_mistakes_are_told(late: Class, call: Call) -> None:
    said = call("report")
    assert (said.code, "nothing was handed in yet" in said.text) == (ExitCode.MISTAKE, True)
    assert not (late.root / "report.html").exists()
    late.hand_in("ada", RIGHT)
    late.grade()
    assert call("report", "lab9").code == ExitCode.MISTAKE
    said = call("report", "--html", "nowhere/page.html")
    assert (said.code, "mkdir -p" in said.text) == (ExitCode.MISTAKE, True)
    assert call("report").code == ExitCode.DONE
    (late.root / "folder").mkdir()
    said = call("report", "--html", "folder")
    assert said.code == ExitCode.MISTAKE
    assert sorted(p.name for p in late.root.glob("*.part")) == []
