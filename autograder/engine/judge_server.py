"""Draws inputs and judges evidence, in a fork of the warm process that runs no student's code.

So a grading process need not import torch, and evidence on which a judge hangs or dies ends this
fork alone. `autograder.nbgrader_plugins.judge_client` is the client.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import traceback
from dataclasses import asdict
from multiprocessing.connection import Connection
from random import Random
from typing import Any

from autograder.engine.limits import own_data
from autograder.engine.machine_faults import STRETCH
from litcourse.core.names import UnknownNameError
from litcourse.core.question import Inputs, Question
from litcourse.core.registry import find_question
from litcourse.core.scoring import fail_question, grade, skip_question
from litcourse.core.serialization import SerializationError, decode, encode
from litcourse.core.tree import Tree
from litcourse.core.verdict import Verdict
from litcourse.feedback.rendering import as_html
from litcourse.frontends.reference_solution import SolutionError, draw_inputs

PATIENCE = 300.0
"""Seconds that a client waits for the warm process's imports, or that a reply may take of the
server's own time."""
JUDGE_SECONDS = 60.0
"""Seconds of the server's own time that a verdict may take: evidence is untrusted. Honest evidence
takes less than a second."""
_MAX_SECONDS = round(PATIENCE * STRETCH) + 30
"""Seconds that one request may take. Then the server ends, as its client no longer waits."""
_MEMORY = 2 * 2**30
"""Bytes of its own memory that the server may take."""
NOT_LOOKED_AT = "not looked at"
"""In place of a finding's code: nothing was measured, for a reason of the grader's own."""
UNKNOWN, DAMAGED, UNSOLVED, BROKEN = "unknown", "damaged", "unsolved", "broken"
"""Kinds of errors: no such question; its module can't be imported; its solution fails; others."""


class RequestError(Exception):
    """A request that the server can't serve.

    Args:
        kind: `UNKNOWN`, `DAMAGED`, `UNSOLVED` or `BROKEN`.
        question_id: the question.
        detail: what is wrong.
    """

    def __init__(self, kind: str, question_id: str, detail: str) -> None:
        super().__init__(detail)
        self.kind, self.question_id, self.detail = kind, question_id, detail


def serve(client_socket: socket.socket) -> None:
    """Send this process's id, then reply to requests until the client closes the socket."""
    import torch

    torch.set_num_threads(1)  # other judge servers and kernels use the other cores
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    memory = own_data() + _MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    with Connection(client_socket.detach()) as connection:
        connection.send_bytes(str(os.getpid()).encode())
        while True:
            try:
                request, parts = receive(connection)
            except (EOFError, OSError):
                return
            signal.alarm(_MAX_SECONDS)
            send(connection, *handle_request(request, parts))
            signal.alarm(0)


def send(connection: Connection, header: dict[str, Any], parts: list[bytes]) -> None:
    """Send a message: a header as JSON, then `parts`."""
    connection.send_bytes(json.dumps({**header, "parts": len(parts)}).encode("utf-8"))
    for part in parts:
        connection.send_bytes(part)


def receive(connection: Connection) -> tuple[dict[str, Any], list[bytes]]:
    """Receive a message: its header and its parts."""
    header = json.loads(connection.recv_bytes())
    return header, [connection.recv_bytes() for _ in range(header["parts"])]


def handle_request(
    request: dict[str, Any], parts: list[bytes]
) -> tuple[dict[str, Any], list[bytes]]:
    """The reply to a request; an error becomes the header's `error`: kind, question id, detail."""
    try:
        return make_reply(request, parts)
    except RequestError as error:
        return {"error": [error.kind, error.question_id, error.detail]}, []
    except Exception as error:  # noqa: BLE001 (the client reports it)
        return {"error": [BROKEN, request.get("question", ""), _first_line(error)]}, []


def make_reply(request: dict[str, Any], parts: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """The inputs of several questions, or one verdict.

    Raises:
        RequestError: the question can't be found, imported or drawn.
    """
    if request["action"] == "draw":
        encoded: list[bytes] = []
        for question_id, (seed, cells) in request["questions"].items():
            encoded += _draw(request["lab"], question_id, seed, cells)
        return {}, encoded
    lab, question_id, trace = request["lab"], request["question"], ""
    _question(lab, question_id)
    if request["code"] == NOT_LOOKED_AT:
        verdict = skip_question(lab, question_id, request["detail"])
    elif not parts:
        verdict = fail_question(lab, question_id, request["code"], got=request["detail"])
    else:
        inputs, evidence = parts
        tree = decode(inputs)
        verdict, trace = judge(lab, question_id, _read_inputs(tree), evidence)
    findings = [asdict(finding) for finding in verdict.findings]
    reply = {
        "score": verdict.score,
        "undecided": verdict.undecided,
        "marks": {c.id: verdict.mark(c).name for c in verdict.question.criteria},
        "findings": findings,
        "card": as_html(verdict),
    }
    return {**reply, "traceback": trace}, []


def judge(lab: str, question_id: str, inputs: Inputs, evidence: bytes) -> tuple[Verdict, str]:
    """The verdict on encoded, untrusted evidence; bad evidence raises nothing.

    Returns:
        the verdict, and the traceback if the judge raised, or "".
    """
    try:
        return grade(lab, question_id, inputs, decode(evidence)), ""
    except SerializationError as error:
        return fail_question(lab, question_id, "LIT903", got=str(error)), ""
    except Exception as error:  # noqa: BLE001 (logged, and scored)
        # Forged evidence may make a judge raise in ways that its author did not foresee.
        return fail_question(
            lab, question_id, "LIT903", got=type(error).__name__
        ), traceback.format_exc()


def _read_inputs(tree: Tree) -> Inputs:
    """Inputs from a stored file; version 0.1.0 wrote `given`, `kept` for `shown`, `withheld`."""
    shown, withheld = ("given", "kept") if "given" in tree else ("shown", "withheld")
    return Inputs(tree[shown], tree[withheld])


def _question(lab: str, question_id: str) -> Question:
    try:
        return find_question(lab, question_id)
    except UnknownNameError as error:
        raise RequestError(UNKNOWN, question_id, str(error)) from error
    except Exception as error:
        raise RequestError(DAMAGED, question_id, _first_line(error)) from error


def _draw(lab: str, question_id: str, seed: int, cells: list[str]) -> list[bytes]:
    """Encoded: the inputs that the probe gets, and all inputs."""
    question = _question(lab, question_id)
    try:
        inputs = draw_inputs(question, Random(seed), cells)
        return [encode(inputs.shown), encode({"shown": inputs.shown, "withheld": inputs.withheld})]
    except SolutionError as error:
        raise RequestError(UNSOLVED, question_id, str(error)) from error
    except Exception as error:
        raise RequestError(BROKEN, question_id, f"its draw fails: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    line = (str(error).strip() or "no message").splitlines()[0][:300]
    return f"{type(error).__name__}: {line}"
