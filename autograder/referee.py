"""Asks a referee, a fork of the warm process, for inputs and verdicts.

So whoever grades need not import torch; see `autograder.engine.referee` for the other end.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from autograder.course import AuthorError, Lab
from autograder.engine import client
from autograder.engine.client import EngineError
from autograder.engine.referee import BROKEN, PATIENCE, READY, UNKNOWN, UNSOLVED, receive, send
from autograder.solutions import solution_fails, solved_cells

_LOST = (EOFError, BrokenPipeError, ConnectionResetError)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """What one question is asked on, as packets.

    Args:
        given: for the probe, and so for the student's process.
        whole: `given` and `kept` of the draw: for the judge alone.
    """

    given: bytes
    whole: bytes


@dataclass(frozen=True)
class Judged:
    """A verdict as plain data.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        score: earned fraction of the question's points, 0 to 1.
        findings: fields of each `Finding`, the thing to fix first in front.
        card: the verdict as HTML.
    """

    lab: str
    question_id: str
    score: float
    findings: list[dict[str, Any]]
    card: str


class Referee:
    """One referee of this process, started by the first question and again if it dies."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    def inputs(self, lab: Lab, seeds: Mapping[str, int]) -> dict[str, Inputs]:
        """Inputs of questions.

        Args:
            lab: the lab.
            seeds: of each question, by id.

        Raises:
            AuthorError: a question has no judge, can't be imported, or its solution fails.
            EngineError: no referee can be had.
            RuntimeError: a question's draw fails.
        """
        questions = {name: [seed, solved_cells(lab, name)] for name, seed in seeds.items()}
        asked = {"do": "draw", "lab": lab.id, "questions": questions}
        told, packets = self._ask(asked, [])
        _complain(told, lab)
        pairs = zip(packets[::2], packets[1::2], strict=True)
        return {name: Inputs(*pair) for name, pair in zip(seeds, pairs, strict=True)}

    def verdict(
        self,
        lab: Lab,
        question_id: str,
        inputs: bytes,
        evidence: bytes | None,
        why: tuple[str, str],
    ) -> Judged:
        """The verdict on evidence that nobody vouches for; never raises for its sake.

        Args:
            lab: the lab.
            question_id: the question.
            inputs: `Inputs.whole` of what it was taken on.
            evidence: the packet, or None.
            why: where there is none, the finding that says why, and what came in its place.

        Raises:
            AuthorError: the question has no judge, or can't be imported.
            EngineError: no referee can be had.
        """
        asked = {"do": "judge", "lab": lab.id, "question": question_id}
        parts = [] if evidence is None else [inputs, evidence]
        try:
            told, _ = self._ask({**asked, "code": why[0], "detail": why[1]}, parts)
        except EngineError:
            if evidence is None:
                raise
            _log.exception("the judge of %s, %s ended on its evidence", lab.id, question_id)
            told, _ = self._ask({**asked, "code": "LIT903", "detail": "no verdict on it"}, [])
        _complain(told, lab)
        if told["broke"]:
            _log.error("the judge of %s, %s broke on its evidence\n%s", lab.id, question_id,
                       told["broke"])  # fmt: skip
        return Judged(lab.id, question_id, told["score"], told["findings"], told["card"])

    def _ask(self, asked: dict[str, Any], parts: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        """The answer; of a new referee if this one is dead, as when the warm process was killed."""
        try:
            return self._once(asked, parts)
        except _LOST:
            pass
        try:
            return self._once(asked, parts)
        except _LOST as error:
            raise EngineError("the referee has ended twice") from error

    def _once(
        self, asked: dict[str, Any], parts: list[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        try:
            connection = self._connected(asked["lab"])
            send(connection, asked, parts)
            return receive(_patiently(connection))
        except BaseException:
            self.close()  # what it may still say is no answer to another question
            raise

    def _connected(self, lab: str) -> Connection:
        if self._connection is None:
            link = client.connect(PATIENCE)
            link.sendall(json.dumps({"referee": lab}).encode() + b"\n")
            link.settimeout(None)
            self._connection = Connection(link.detach())
            if _patiently(self._connection).recv_bytes() != READY:
                raise EngineError("the referee did not start")
        return self._connection

    def close(self) -> None:
        """Hang up; the referee ends."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _patiently(connection: Connection) -> Connection:
    if not connection.poll(PATIENCE):
        raise EngineError(f"no answer of the referee within {PATIENCE:.0f} s")
    return connection


def _complain(told: dict[str, Any], lab: Lab) -> None:
    if "fault" not in told:
        return
    kind, question_id, detail = told["fault"]
    if kind == BROKEN:
        raise RuntimeError(f"{lab.id}, {question_id}: {detail}")
    if kind == UNSOLVED:
        raise solution_fails(lab, question_id, detail)
    if kind == UNKNOWN:
        raise lab.no_judge(question_id)
    file = f"litcourse/labs/{lab.id}/{question_id}.py"
    raise AuthorError(file, question_id, f"it can't be imported: {detail}", f"mend {file}")


_shared: tuple[int, Referee] | None = None


def referee() -> Referee:
    """The referee of this process; a fork gets one of its own."""
    global _shared  # noqa: PLW0603 (one per process)
    if _shared is None or _shared[0] != os.getpid():
        _shared = (os.getpid(), Referee())
    return _shared[1]
