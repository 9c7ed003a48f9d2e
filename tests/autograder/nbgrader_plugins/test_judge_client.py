"""Draws and verdicts of another process: the same as here, and nothing is lost when it dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from autograder.course import AuthorError, Course, Lab
from autograder.engine import client, judge_server
from autograder.engine.client import EngineError, engine, stop
from autograder.engine.judge_server import judge
from autograder.nbgrader_plugins import judge_client
from autograder.nbgrader_plugins.judge_client import EncodedInputs, JudgeClient
from litcourse.core.question import Inputs, Mark
from litcourse.core.registry import find_question
from litcourse.core.serialization import decode, encode
from litcourse.probing.probe_runner import take_evidence
from tests.autograder.conftest import LAB, QUESTION, reply_in_process

REAL = "lab1_mnist"
WHY = ("LIT905", "nothing came")


def _right(number: int) -> int:
    return number + 1


@pytest.fixture
def inputs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> EncodedInputs:
    """Of the tiny question, drawn in this process."""
    with monkeypatch.context() as patch:
        patch.setattr(JudgeClient, "_request", reply_in_process)
        return JudgeClient().draw_inputs(lab, {QUESTION: 5})[QUESTION]


@pytest.fixture
def evidence(lab: Lab, inputs: EncodedInputs) -> bytes:
    """Of a right answer."""
    shown = decode(inputs.shown)
    return encode(take_evidence(lab.find_question(QUESTION), shown, {QUESTION: _right}))


# --- in the warm process itself ------------------------------------------------------------


@pytest.fixture
def warm() -> Iterator[JudgeClient]:
    """A judge server of a real warm process."""
    found = JudgeClient()
    yield found
    found.close()
    stop()


@pytest.mark.slow
def test_inputs_and_verdicts_are_those_that_come_about_here(root: Path, warm: JudgeClient) -> None:
    lab = Course(root).lab(REAL)
    drawn = warm.draw_inputs(lab, dict.fromkeys(lab.questions, 7))
    for name, encoded in drawn.items():
        inputs = find_question(REAL, name).draw(Random(7))
        assert encode(decode(encoded.shown)) == encode(inputs.shown)
        assert encode(decode(encoded.all_inputs)["withheld"]) == encode(inputs.withheld)
    encoded = drawn["timer"]
    evidence = encode({"error": {"type": "NotImplementedError", "message": "", "where": ""}})
    told = warm.judge(lab, "timer", encoded.all_inputs, evidence, WHY)
    inputs = Inputs(**decode(encoded.all_inputs))
    expected, _ = judge(REAL, "timer", inputs, evidence)
    assert told.score == expected.score == 0
    assert [f["code"] for f in told.findings] == [f.code for f in expected.findings]
    nothing = warm.judge(lab, "timer", encoded.all_inputs, None, WHY)
    assert [(f["code"], f["got"]) for f in nothing.findings] == [WHY]
    assert "LIT905" in nothing.card


@pytest.mark.slow
def test_it_is_replaced_when_it_is_killed_and_ends_with_its_client(
    root: Path, warm: JudgeClient
) -> None:
    lab = Course(root).lab(REAL)
    first = warm.draw_inputs(lab, {"wrap": 7})
    children = psutil.Process(engine().pid).children()
    assert len(children) == 1
    children[0].send_signal(signal.SIGKILL)
    assert warm.draw_inputs(lab, {"wrap": 7}) == first
    (second,) = psutil.Process(engine().pid).children()
    assert second.pid != children[0].pid
    warm.close()
    second.wait(10)
    assert warm.draw_inputs(lab, {"wrap": 7}) == first
    os.kill(engine().pid, signal.SIGKILL)
    assert warm.draw_inputs(lab, {"wrap": 7}) == first


# --- what is wrong with a lab ----------------------------------------------------------------


def test_a_question_without_a_judge_is_the_authors_error(
    tiny: Course, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JudgeClient, "_request", reply_in_process)
    (tiny.root / f"litcourse/labs/{LAB}/{QUESTION}.py").unlink()
    with pytest.raises(AuthorError, match="make new LAB=lab0_tiny Q=add_one"):
        JudgeClient().draw_inputs(lab, {QUESTION: 5})


@pytest.mark.parametrize("text", ["import nothing_of_that_name\n", "QUESTION = 3\n", "("])
def test_a_judge_that_cannot_be_imported_is_the_authors_error(
    tiny: Course, lab: Lab, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(JudgeClient, "_request", reply_in_process)
    path = tiny.root / f"litcourse/labs/{LAB}/{QUESTION}.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AuthorError, match="it can't be imported") as caught:
        JudgeClient().draw_inputs(lab, {QUESTION: 5})
    assert f"{LAB}/{QUESTION}.py" in str(caught.value)


def test_a_draw_that_fails_says_where(
    tiny: Course, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JudgeClient, "_request", reply_in_process)
    path = tiny.root / f"litcourse/labs/{LAB}/{QUESTION}.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("return Inputs(", "return Inputs(1 / 0, "), encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"lab0_tiny, add_one: its draw fails: ZeroDivision"):
        JudgeClient().draw_inputs(lab, {QUESTION: 5})


def test_a_draw_that_no_packet_can_hold_says_so(
    tiny: Course, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JudgeClient, "_request", reply_in_process)
    path = tiny.root / f"litcourse/labs/{LAB}/{QUESTION}.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("rng.randrange(10**9)", "rng"), encoding="utf-8")
    with pytest.raises(RuntimeError, match="can't hold a Random"):
        JudgeClient().draw_inputs(lab, {QUESTION: 5})


# --- evidence that nobody vouches for ----------------------------------------------------------


@pytest.mark.parametrize(
    "evidence",
    [
        b"",
        b"\x80\x04K\x01.",
        encode(None),
        encode([1, 2]),
        encode({"missing": 3}),
        encode({"error": {"type": 1}}),
        encode({"score": 1.0}),
    ],
)
def test_whatever_lies_there_gets_a_verdict_and_no_points(evidence: bytes) -> None:
    verdict, trace = judge(REAL, "wrap", find_question(REAL, "wrap").draw(Random(1)), evidence)
    assert verdict.score == 0
    assert [finding.code for finding in verdict.findings] == ["LIT903"]
    assert not trace


def test_a_judge_that_breaks_on_evidence_gives_no_points_and_is_logged(
    lab: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JudgeClient, "_request", reply_in_process)
    told = JudgeClient().judge(
        lab, QUESTION, encode({"shown": {}, "withheld": {}}), encode({"value": 3}), WHY
    )
    assert told.score == 0
    assert [(f["code"], f["got"]) for f in told.findings] == [("LIT903", "KeyError")]
    assert "Traceback" in caplog.text


Serve = Callable[[Callable[[Inputs, Any], list[Mark]]], list[int]]


@pytest.fixture
def serve(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Judge servers, forked as the warm process does, with another judge; the list gets pids."""
    pids: list[int] = []
    question = lab.find_question(QUESTION)

    def start(judge: Callable[[Inputs, Any], list[Mark]]) -> list[int]:
        def connect(_: float) -> socket.socket:
            ours, theirs = socket.socketpair()
            pid = os.fork()
            if not pid:
                with contextlib.suppress(BaseException):
                    ours.close()
                    while theirs.recv(1) != b"\n":
                        pass
                    object.__setattr__(question, "judge", judge)
                    judge_server.serve(theirs)
                os._exit(0)
            theirs.close()
            pids.append(pid)
            return ours

        monkeypatch.setattr(client, "connect", connect)
        return pids

    yield start
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _dies(_: Inputs, __: Any) -> list[Mark]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def _hangs(_: Inputs, __: Any) -> list[Mark]:
    time.sleep(600)
    return []


def test_evidence_that_kills_the_judge_twice_gets_no_points(
    lab: Lab, inputs: EncodedInputs, evidence: bytes, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    pids, found = serve(_dies), JudgeClient()
    told = found.judge(lab, QUESTION, inputs.all_inputs, evidence, WHY)
    assert told.score == 0
    assert [f["code"] for f in told.findings] == ["LIT903"]
    assert len(pids) == 3  # one more than the two that died, for the card
    assert "ended on its evidence" in caplog.text
    found.close()


def test_evidence_that_stops_the_judge_gets_no_points(
    lab: Lab, inputs: EncodedInputs, evidence: bytes, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids, found = serve(_hangs), JudgeClient()
    assert found.judge(lab, QUESTION, inputs.all_inputs, None, WHY).score == 0
    with monkeypatch.context() as patch:
        patch.setattr(judge_client, "JUDGE_SECONDS", 1.0)
        told = found.judge(lab, QUESTION, inputs.all_inputs, evidence, WHY)
    assert [f["code"] for f in told.findings] == ["LIT903"]
    assert len(pids) == 2
    found.close()


def test_a_referee_for_whose_answer_nobody_waits_ends(
    lab: Lab, inputs: EncodedInputs, evidence: bytes, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_server, "_MAX_SECONDS", 2)
    monkeypatch.setattr(judge_client, "JUDGE_SECONDS", 1.0)
    pids, found = serve(_hangs), JudgeClient()
    assert found.judge(lab, QUESTION, inputs.all_inputs, evidence, WHY).score == 0
    deadline = time.monotonic() + 20
    while psutil.Process(pids[0]).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    found.close()


def test_without_any_referee_there_is_an_error_and_no_verdict(
    lab: Lab, inputs: EncodedInputs, evidence: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: float) -> socket.socket:
        raise EngineError("the warm process has ended")

    monkeypatch.setattr(client, "connect", refuse)
    with pytest.raises(EngineError):
        JudgeClient().judge(lab, QUESTION, inputs.all_inputs, evidence, WHY)


def test_a_right_answer_passes(
    lab: Lab, inputs: EncodedInputs, evidence: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JudgeClient, "_request", reply_in_process)
    assert JudgeClient().judge(lab, QUESTION, inputs.all_inputs, evidence, WHY).score == 1


def test_inputs_that_an_earlier_version_kept_are_read() -> None:
    halves = {"number": 1}, {"right": 2}
    now = judge_server._read_inputs(dict(zip(("shown", "withheld"), halves, strict=True)))
    before = judge_server._read_inputs(dict(zip(("given", "kept"), halves, strict=True)))
    assert before == now == Inputs(*halves)
