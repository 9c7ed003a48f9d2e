"""What a person sees: cards and texts against golden files, and what each frontend asks for.

After a wanted change: `pytest tests/litcourse/feedback/test_rendering.py --update-golden`, then
look at the difference.
"""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from operator import methodcaller
from pathlib import Path
from random import Random

import lightning  # noqa: F401, ICN001  sets environment variables when it is first imported
import pytest
from IPython.core.formatters import DisplayFormatter

from litcourse.core.question import Criterion, Earned, Finding, Inputs, Mark, NotLookedAt, Question
from litcourse.core.verdict import Verdict
from litcourse.feedback.catalogue import catalogue
from litcourse.feedback.rendering import Footer, Report, as_html, as_text, finding_details
from litcourse.feedback.stopped import Stop, StoppedReport

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
HOSTILE = "<script>alert('x')</script> & \"quotes\" {{ 7 * 7 }} ]]>"
CRITERIA = (
    Criterion("loss", "the loss of the plain torch loop", 0.5),
    Criterion("step", "gradients and weights, which move as they do in the plain torch loop", 0.3),
    Criterion("log", "logs train_loss", 0.2),
)
QUESTION = Question(
    "Wrap a torch model", ("LitClassifier",), CRITERIA,
    lambda _: Inputs({}), lambda *_: {}, lambda *_: [],
)  # fmt: skip
SOFTMAX = Finding(
    "LIT111",
    ("loss",),
    called="training_step(batch, batch_idx)",
    expected="a loss of 2.3412",
    got="2.2871",
    where="network 'deep', first batch",
)
LOG = Finding("LIT140", ("log",), got="logged: nothing")


def verdict(*marks: Mark, picture: str = "") -> Verdict:
    return Verdict("lab1_mnist", "wrap", QUESTION, marks, picture)


EVERY = Earned(tuple(criterion.id for criterion in CRITERIA))
VERDICTS = {
    "failing": verdict(SOFTMAX, LOG, EVERY),
    "passing": verdict(EVERY, picture='<svg xmlns="http://www.w3.org/2000/svg"></svg>'),
    "waiting": verdict(SOFTMAX, Earned(("log",))),
    "undecided": verdict(
        Earned(("loss", "log")),
        NotLookedAt(("step",), "this torch has no such device", by_machine=True),
    ),
}


FOOTER = Footer("Judged: your code as run in [83].", f"epoch 0\n{HOSTILE}\n", 2)
STOP = Stop(None, f"line 3 of the cell, in training_step: while True: {HOSTILE}", "step 1: 2 ranks")
REPORTS = {
    **{name: Report(verdict) for name, verdict in VERDICTS.items()},
    "footer": Report(VERDICTS["passing"], FOOTER),
    "stopped": StoppedReport("lab1_mnist", "wrap", QUESTION, STOP),
    "late": StoppedReport("lab1_mnist", "wrap", QUESTION, Stop(120.0, "")),
}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize(("kind", "make"), [("txt", repr), ("html", methodcaller("_repr_html_"))])
def test_cards_look_as_they_did(
    name: str,
    kind: str,
    make: Callable[[Report], str],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    text, path = make(REPORTS[name]) + "\n", GOLDEN / f"card_{name}.{kind}"
    if request.config.getoption("--update-golden", default=False):
        new = tmp_path / path.name
        new.write_text(text, encoding="utf-8")
        # Not by this process: a test that writes into the checkout fails.
        subprocess.run(["cp", new, path], check=True)
        return
    assert text == path.read_text(encoding="utf-8"), "wanted? then: --update-golden"


# --- text ----------------------------------------------------------------------------------------


def every_finding() -> list[Finding]:
    long = "a value that goes on and on, " * 8
    return [Finding(code, ("loss",), "f()", long, long, "here") for code in catalogue()]


@pytest.mark.parametrize("width", [79, 80])
def test_no_line_is_too_wide(width: int) -> None:
    for finding in every_finding():
        lines = as_text(verdict(finding), width).splitlines()
        assert max(map(len, lines)) <= width


def test_the_text_names_each_criterion_and_the_first_fault() -> None:
    text = as_text(verdict(SOFTMAX, LOG, EVERY))
    assert "x the loss of the plain torch loop  [LIT111]" in text
    assert "+ gradients" in text
    assert "x logs train_loss  [LIT140]" in text
    assert text.count("Fix first") == 1
    assert 'explain("LIT111")' in text


def test_what_is_not_known_is_left_out() -> None:
    assert finding_details(LOG) == [("got", "logged: nothing")]
    assert [name for name, _ in finding_details(SOFTMAX)] == ["called", "expected", "got", "where"]


# --- HTML ----------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Tags of a page, and whether each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_text_of_a_student_is_escaped() -> None:
    hostile = Finding("LIT902", ("loss",), HOSTILE, HOSTILE, f"{HOSTILE}!", HOSTILE)
    tags = Tags(as_html(verdict(hostile)))
    assert not tags.open
    assert "script" not in tags.seen
    text = as_html(verdict(hostile))
    assert text.count("&lt;script&gt;") == 4
    assert "{{ 7 * 7 }}" in text


def test_every_finding_makes_a_well_formed_card() -> None:
    for finding in every_finding():
        html = as_html(verdict(finding))
        ET.fromstring(html)  # noqa: S314 (our own card)
        assert finding.code in html


def test_the_card_shows_the_share_that_is_earned() -> None:
    assert "30 %" in as_html(verdict(SOFTMAX, LOG, EVERY))
    assert "100 %" in as_html(verdict(EVERY))
    assert "no score" in as_html(VERDICTS["undecided"])


@pytest.mark.parametrize("make", [as_text, as_html])
def test_a_card_says_what_nobody_looked_at_and_why(make: Callable[[Verdict], str]) -> None:
    waiting, undecided = (" ".join(make(VERDICTS[n]).split()) for n in ("waiting", "undecided"))
    assert "not looked at: it waits for LIT111" in waiting
    assert "this torch has no such device" in undecided
    assert "a person decides" in undecided
    assert "All of it is right" not in waiting + undecided + make(verdict())


def test_a_reason_is_escaped() -> None:
    html = as_html(verdict(NotLookedAt(("loss",), HOSTILE, by_machine=True), EVERY))
    ET.fromstring(html)  # noqa: S314 (our own card)
    assert "<script>" not in html


# --- who asks ------------------------------------------------------------------------------------


def shown(report: Report) -> dict[str, str]:
    """The representations that a kernel would send."""
    data, _ = DisplayFormatter().format(report)
    return dict(data)


def test_a_notebook_gets_a_card_and_a_text() -> None:
    assert set(shown(Report(verdict(LOG)))) == {"text/plain", "text/html"}


@pytest.mark.parametrize(
    ("marks", "score"),
    [((), 0.0), ((EVERY,), 1.0), ((SOFTMAX, EVERY), 0.5), ((SOFTMAX, LOG, EVERY), 0.3),
     ((Finding("LIT901", ("loss", "step", "log")),), 0.0), (VERDICTS["undecided"].marks, 0.0)],
)  # fmt: skip
def test_autograde_gets_a_fraction(
    marks: tuple[Mark, ...], score: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    text = shown(Report(verdict(*marks)))["text/plain"]
    assert float(text) == score
    assert 0 <= float(text) <= 1


def test_validate_shows_a_failure_on_stderr_in_short_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    for finding in (SOFTMAX, *every_finding()):
        assert not shown(Report(verdict(finding)))
        out, err = capsys.readouterr()
        assert out == ""
        assert finding.code in err
        assert max(map(len, err.splitlines())) < 84


def test_validate_shows_nothing_of_a_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    assert not shown(Report(verdict(EVERY)))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["waiting", "undecided"])
def test_validate_shows_what_nobody_looked_at(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    assert not shown(Report(VERDICTS[name]))
    assert "not looked at" in " ".join(capsys.readouterr().err.split())


def test_a_real_verdict_can_be_shown() -> None:
    from litcourse.frontends.notebook import check_question

    report = Report(check_question("lab1_mnist", "timer", {}, Random(1)))
    assert "LIT901" in shown(report)["text/html"]


def test_a_finding_never_shows_what_was_expected_as_what_came() -> None:
    same = Finding("LIT110", ("loss",), "f(x)", "0.1234", "0.1234")
    assert as_text(verdict(same)).count("0.1234") == 1
    assert "not the same beyond" in as_text(verdict(same))
