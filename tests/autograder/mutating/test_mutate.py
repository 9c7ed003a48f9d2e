"""`autograder mutate`: a judge with a hole is found, and what a person said about it is held to."""

from __future__ import annotations

import json
from pathlib import Path

import lightning  # noqa: F401, ICN001  sets environment variables when it is first imported
import pytest
import torchmetrics  # noqa: F401  as above

from autograder.course import AuthorError, Course
from autograder.mutating import mutate
from autograder.mutating.equivalents import Equivalent, load_equivalents, load_free_lines
from autograder.mutating.mutate import Options
from autograder.verifying.dependencies import digest_of_question
from autograder.verifying.trials import Trial
from autograder.verifying.verify import verdict_on
from autograder.verifying.warm_runner import Outcome
from litcourse.core.verdict import Verdict

pytestmark = pytest.mark.usefixtures("torch_threads")
LAB = "lab0_tiny"
EARNS = 'inputs.shown["number"] + 1:'
"""In the judge: what earns the points."""
HOLE = 'inputs.shown["number"] + 1 or evidence["value"].integer() == inputs.shown["number"] + 2:'
CALLED_TWICE = (
    '{"value": function(shown["number"])}',
    '{"value": (function(0), function(shown["number"]))[1]}',
)
"""In the probe: what tells a result that is remembered from the first call."""
BANK = """from autograder.bank import right, wrong
CASES = [
    right("swapped", ("number + 1", "1 + number")),
    wrong("nothing", "LIT900", ("return number + 1", "return None")),
]
"""
ENTRY = """
[[equivalent]]
question = "add_one"
operator = "{operator}"
before = "return number + 1"
after = ["{after}"]
reason = "the judge lets it pass, and this is a test"
"""
TWO_MORE = ENTRY.format(operator="number", after="return number + 2")
SWAPPED = TWO_MORE.replace("number + 1", "1 + number").replace("number + 2", "2 + number")
FREE = """
[[free]]
question = "add_one"
lines = ["return number + 1", "return 1 + number"]
reason = "the task leaves the line to the student"
"""
HOLES = (TWO_MORE, SWAPPED)
"""Entries for both right answers of the bank."""


@pytest.fixture
def course(tiny: Course) -> Course:
    (tiny.root / f"autograder/bank/{LAB}/add_one.py").write_text(BANK, encoding="utf-8")
    judge(tiny, *CALLED_TWICE)
    return tiny


def judge(course: Course, old: str, new: str) -> None:
    """Change the judge before it is imported for the first time."""
    path = course.root / f"litcourse/labs/{LAB}/add_one.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def explain(course: Course, *entries: str) -> None:
    path = course.root / f"autograder/bank/{LAB}/equivalent.toml"
    path.write_text("".join(entries), encoding="utf-8")


def mutated(course: Course, **options: object) -> int:
    return mutate.run(course, [course.lab(LAB)], Options(jobs=2, **options))  # type: ignore[arg-type]


def results(course: Course) -> dict[str, object]:
    path = course.root / f"bench/results/mutants_{LAB}.json"
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found


def kept(course: Course) -> Path:
    return course.root / f".verify/mutants_{LAB}.jsonl"


def test_a_judge_without_a_hole_kills_all(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mutated(course) == 0
    assert "survivor" not in capsys.readouterr().out
    counts = results(course)["questions"]["add_one"]  # type: ignore[index]
    assert counts["mutants"] == counts["own"] + counts["general"] > 5
    assert counts["left"] == counts["unexplained"] == 0


def test_a_hole_is_found_and_shown_as_a_diff(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    judge(course, EARNS, HOLE)
    assert mutated(course) == 1
    said = capsys.readouterr().out
    assert said.count("survivor: ") == len(HOLES)
    assert f"survivor: {LAB}/add_one, solution, number:" in said
    assert "-    return number + 1\n+    return number + 2\n" in said
    survivor = {"question": "add_one", "answer": "solution", "operator": "number"}
    lines = {"before": "return number + 1", "after": "return number + 2"}
    assert {**survivor, **lines} in results(course)["unexplained"]  # type: ignore[operator]


def test_a_probe_that_calls_once_is_found(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    judge(course, *reversed(CALLED_TWICE))
    assert mutated(course, solutions=True) == 1
    assert f"survivor: {LAB}/add_one, solution, remembered:" in capsys.readouterr().out


def test_an_explained_survivor_is_no_fault(course: Course) -> None:
    judge(course, EARNS, HOLE)
    explain(course, *HOLES)
    assert mutated(course) == 0
    counts = results(course)["questions"]["add_one"]  # type: ignore[index]
    assert (counts["equivalent"], counts["unexplained"]) == (len(HOLES), 0)


def test_a_line_that_is_the_students_explains_its_survivors(course: Course) -> None:
    judge(course, EARNS, HOLE)
    explain(course, FREE)
    assert mutated(course) == 0
    counts = results(course)["questions"]["add_one"]  # type: ignore[index]
    assert (counts["equivalent"], counts["unexplained"]) == (len(HOLES), 0)
    assert counts["own"] + counts["general"] > 0, "what a judge kills is killed on such a line, too"


def test_a_line_that_no_mutant_changes_is_an_error(course: Course) -> None:
    explain(course, FREE.replace("return 1 + number", "return 2 + number"))
    with pytest.raises(AuthorError, match="no mutant changes 'return 2"):
        mutated(course)


def test_an_entry_of_no_mutant_is_an_error(course: Course) -> None:
    explain(course, ENTRY.format(operator="number", after="return number + 7"))
    with pytest.raises(AuthorError, match="no mutant is changed like that any more"):
        mutated(course)


def test_an_entry_whose_mutant_is_killed_is_a_fault(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    explain(course, TWO_MORE)
    assert mutated(course) == 1
    assert "killed now: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[[equivalent]", "it can't be read"),
        ('[[equivalent]]\nquestion = "add_one"\n', "entry 1 is no entry"),
        (TWO_MORE.replace('["return number + 2"]', "2"), "entry 1 is no entry"),
        (TWO_MORE.replace("the judge lets it pass, and this is a test", "equal"), "as its reason"),
        (TWO_MORE + TWO_MORE, "two entries are of one change"),
    ],
)
def test_entries_that_are_badly_made(course: Course, text: str, fault: str) -> None:
    explain(course, text)
    with pytest.raises(AuthorError, match=fault):
        load_equivalents(course.lab(LAB))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('lines = ["return number + 1", "return 1 + number"]\n', "", "free 1 is no entry"),
        ('"return 1 + number"', "1", "free 1 is no entry"),
        ("the task leaves the line to the student", "equal", "as its reason"),
    ],
)
def test_lines_that_are_badly_given(course: Course, old: str, new: str, fault: str) -> None:
    explain(course, FREE.replace(old, new))
    with pytest.raises(AuthorError, match=fault):
        load_free_lines(course.lab(LAB))


def test_several_changes_share_a_reason(course: Course) -> None:
    explain(course, TWO_MORE.replace('["return number + 2"]', '["a", "b"]'))
    reason = "the judge lets it pass, and this is a test"
    key = ("add_one", "number", "return number + 1")
    assert load_equivalents(course.lab(LAB)) == [Equivalent(*key, t, reason) for t in ("a", "b")]


def test_a_run_goes_on_where_it_was_stopped(
    course: Course, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge(course, EARNS, HOLE)
    assert mutated(course, minutes=1e-9) == 1
    assert "the time is over" in capsys.readouterr().err
    assert not kept(course).read_text(encoding="utf-8").strip()
    mutated(course)
    first = results(course)
    lines = kept(course).read_text(encoding="utf-8").strip().splitlines()
    last = [line for line in lines if '"draws": 1' in line][-1]
    cut = "\n".join(line for line in lines if line != last) + "\n" + last[:20]
    kept(course).write_text(cut, encoding="utf-8")
    judged: list[Trial] = []

    def counted(trial: Trial, outcome: Outcome) -> Verdict:
        judged.append(trial)
        return verdict_on(trial, outcome)

    monkeypatch.setattr(mutate, "verdict_on", counted)
    mutated(course)
    assert len(judged) == 2  # the solution, and the one whose line was cut
    assert results(course)["questions"] == first["questions"]


def test_a_mended_judge_sends_its_mutants_through_again(course: Course) -> None:
    judge(course, EARNS, HOLE)
    assert mutated(course) == 1
    before = digest_of_question(course.lab(LAB), "add_one")
    judge(course, HOLE, EARNS)
    assert digest_of_question(course.lab(LAB), "add_one") != before
    (course.root / f"litcourse/labs/{LAB}/other.py").write_text("", encoding="utf-8")
    assert digest_of_question(course.lab(LAB), "add_one") != before


def test_a_solution_that_fails_in_the_sandbox_stops_the_run(course: Course) -> None:
    judge(course, EARNS, 'inputs.shown["number"] + 5:')
    with pytest.raises(AuthorError, match="the solution itself loses points"):
        mutated(course)


def test_mutants_cannot_write_where_the_course_is(course: Course, tmp_path: Path) -> None:
    """A right answer that writes a file leaves none, and loses nothing by that."""
    path = tmp_path / "left.txt"
    lines = (
        "import contextlib", "with contextlib.suppress(OSError):",
        f"    open({str(path)!r}, 'w').close()", "return number + 1",
    )  # fmt: skip
    edit = ("return number + 1", "\n    ".join(lines))
    bank = BANK.replace("CASES = [", f"CASES = [\n    right('writes', {edit!r}),")
    (course.root / f"autograder/bank/{LAB}/add_one.py").write_text(bank, encoding="utf-8")
    mutated(course)
    assert not path.exists()
    kept(course).unlink()
    mutated(course, sandboxed=False)
    assert path.exists()
