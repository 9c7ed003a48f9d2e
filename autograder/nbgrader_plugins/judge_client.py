"""Requests inputs and verdicts from a judge server, a fork of the warm process.

So a grading process need not import torch. `autograder.engine.judge_server` is the server.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from autograder.course import AuthorError, Lab
from autograder.engine import client
from autograder.engine.client import EngineError
from autograder.engine.judge_server import (
    BROKEN,
    JUDGE_SECONDS,
    PATIENCE,
    UNKNOWN,
    UNSOLVED,
    receive,
    send,
)
from autograder.engine.machine_faults import (
    STRETCH,
    MachineError,
    count_memory_kills,
    is_starved,
)
from autograder.verifying.solutions import solution_fails, solved_cells
from litcourse.ranks.own_time import OwnTime

_CONNECTION_ERRORS = (EOFError, BrokenPipeError, ConnectionResetError, BlockingIOError)
_TIMEOUT = struct.pack("ll", round(PATIENCE), 0)  # struct timeval
_SLICE = 10.0
"""Seconds between two looks at the time that a judge server had for itself."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncodedInputs:
    """The encoded inputs of one question.

    Args:
        shown: for the probe, and so for the student's process.
        all_inputs: `shown` and `withheld`, for the judge alone.
    """

    shown: bytes
    all_inputs: bytes


@dataclass(frozen=True)
class Judgement:
    """A verdict as plain data.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        score: earned fraction of the question's points, 0 to 1; None if a person has to decide.
        undecided: why there is no score, or "".
        marks: by criterion "earned", "failed" or "not looked at".
        findings: fields of each `Finding`; the first is the one to mend first.
        card: the verdict as HTML.
    """

    lab: str
    question_id: str
    score: float | None
    undecided: str
    marks: dict[str, str]
    findings: list[dict[str, Any]]
    card: str


class JudgeLostError(EngineError):
    """The judge server ended twice on one request, or came to no end with it."""


class JudgeClient:
    """A client of one judge server; a request starts the server unless it is alive."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._pid = 0

    def draw_inputs(self, lab: Lab, seeds: Mapping[str, int]) -> dict[str, EncodedInputs]:
        """Draw the inputs of questions.

        Args:
            lab: the lab.
            seeds: seed of each question, by id.

        Returns:
            inputs by question id.

        Raises:
            AuthorError: a question has no judge, can't be imported, or its solution fails.
            EngineError: no judge server starts.
            RuntimeError: a question's draw fails.
        """
        questions = {name: [seed, solved_cells(lab, name)] for name, seed in seeds.items()}
        request = {"action": "draw", "lab": lab.id, "questions": questions}
        reply, encoded = self._request(request, [])
        _raise_error(reply, lab)
        pairs = zip(encoded[::2], encoded[1::2], strict=True)
        return {name: EncodedInputs(*pair) for name, pair in zip(seeds, pairs, strict=True)}

    def judge(
        self,
        lab: Lab,
        question_id: str,
        inputs: bytes,
        evidence: bytes | None,
        reason: tuple[str, str],
    ) -> Judgement:
        """The verdict on untrusted evidence; bad evidence raises nothing.

        Args:
            lab: the lab.
            question_id: the question.
            inputs: `EncodedInputs.all_inputs`, on which the evidence was taken.
            evidence: encoded, or None.
            reason: without evidence, code and detail of the finding that says why, or
                `NOT_LOOKED_AT` and why nobody looks at the answer.

        Raises:
            AuthorError: the question has no judge, or can't be imported.
            EngineError: no judge server starts.
            MachineError: the machine was too busy, or had no memory.
        """
        killed = count_memory_kills()
        request = {"action": "judge", "lab": lab.id, "question": question_id}
        parts = [] if evidence is None else [inputs, evidence]
        try:
            reply, _ = self._request({**request, "code": reason[0], "detail": reason[1]}, parts)
        except JudgeLostError as error:
            if evidence is None:
                raise
            if count_memory_kills() > killed:
                raise MachineError("the machine ran out of memory while it judged") from error
            _log.exception("the judge of %s, %s ended on its evidence", lab.id, question_id)
            reply, _ = self._request(
                {**request, "code": "LIT903", "detail": "no verdict on it"}, []
            )
        _raise_error(reply, lab)
        if reply["traceback"]:
            _log.error("the judge of %s, %s broke on its evidence\n%s", lab.id, question_id,
                       reply["traceback"])  # fmt: skip
        parts_of_reply = (
            reply[name] for name in ("score", "undecided", "marks", "findings", "card")
        )
        return Judgement(lab.id, question_id, *parts_of_reply)

    def _request(
        self, request: dict[str, Any], parts: list[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Send a request and return the reply; if the judge server is dead, ask another one."""
        try:
            return self._send_request(request, parts)
        except _CONNECTION_ERRORS:
            pass
        try:
            return self._send_request(request, parts)
        except _CONNECTION_ERRORS as error:
            raise JudgeLostError("the judge server has ended twice") from error

    def _send_request(
        self, request: dict[str, Any], parts: list[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        try:
            connection = self._connect(request["lab"])
            send(connection, request, parts)
            seconds = JUDGE_SECONDS if request["action"] == "judge" else PATIENCE
            self._wait_for_reply(connection, seconds)
            return receive(connection)
        except BaseException:
            self.close()  # a late reply must not pass for that to another request
            raise

    def _connect(self, lab: str) -> Connection:
        if self._connection is None:
            server_socket = client.connect(PATIENCE)
            server_socket.sendall(json.dumps({"judge": lab}).encode() + b"\n")
            server_socket.settimeout(None)
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # of each read and write
                server_socket.setsockopt(socket.SOL_SOCKET, option, _TIMEOUT)
            self._connection = Connection(server_socket.detach())
            self._pid = _await_start(self._connection)
        return self._connection

    def _wait_for_reply(self, connection: Connection, seconds: float) -> None:
        """Wait while the judge server had less than `seconds` for itself.

        Raises:
            JudgeLostError: it had, or waits for nothing.
            MachineError: it had no fair share of the processor.
        """
        clock, began = OwnTime(), time.monotonic()
        clock.count([self._pid])
        while not connection.poll(min(_SLICE, seconds)):
            clock.count([self._pid])
            took = time.monotonic() - began
            if clock.seconds >= seconds or took >= seconds * STRETCH:
                fault = f"no answer of the judge server within {took:.0f} s"
                if is_starved(clock.seconds, took, seconds):
                    raise MachineError(f"{fault} on a busy machine")
                raise JudgeLostError(fault)

    def close(self) -> None:
        """Close the connection, which ends the judge server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _await_start(connection: Connection) -> int:
    """Process id of the judge server, once it is ready."""
    try:
        if connection.poll(PATIENCE):
            return int(connection.recv_bytes())
    except _CONNECTION_ERRORS as error:
        raise EngineError("the judge server ended at its start") from error
    raise EngineError(f"no judge server within {PATIENCE:.0f} s")


def _raise_error(reply: dict[str, Any], lab: Lab) -> None:
    if "error" not in reply:
        return
    kind, question_id, detail = reply["error"]
    if kind == BROKEN:
        raise RuntimeError(f"{lab.id}, {question_id}: {detail}")
    if kind == UNSOLVED:
        raise solution_fails(lab, question_id, detail)
    if kind == UNKNOWN:
        raise lab.no_judge_error(question_id)
    file = f"litcourse/labs/{lab.id}/{question_id}.py"
    raise AuthorError(file, question_id, f"it can't be imported: {detail}", f"mend {file}")


_shared: tuple[int, JudgeClient] | None = None


def judge_client() -> JudgeClient:
    """The judge client of this process; a fork gets one of its own."""
    global _shared  # noqa: PLW0603 (one per process)
    if _shared is None or _shared[0] != os.getpid():
        _shared = (os.getpid(), JudgeClient())
    return _shared[1]
