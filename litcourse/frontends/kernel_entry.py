"""Runs in the student's process for the grader: reads inputs, probes, writes evidence.

This module does not judge and holds no expected value. The trusted side draws the inputs
(`autograder.secret`) and judges the evidence.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litcourse.core.registry import find_question
from litcourse.core.serialization import SerializationError, decode, encode
from litcourse.probing.attempts import describe
from litcourse.probing.probe_runner import take_evidence


class NoRoomError(Exception):
    """The grader's disk has no room for evidence, or had none: another user may fill it."""


def write_evidence(
    lab: str, question_id: str, inbox: str, outbox: str, namespace: Mapping[str, Any]
) -> None:
    """Probe `question_id` of `lab` with the inputs in `inbox`; write evidence to `outbox`.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        inbox: path of the encoded inputs that the trusted side drew.
        outbox: path to which the encoded evidence goes.
        namespace: the names that the notebook has defined so far.

    Raises:
        NoRoomError: `outbox` had no room.
    """
    shown = decode(Path(inbox).read_bytes())
    evidence = take_evidence(find_question(lab, question_id), shown, namespace)
    try:
        data = encode(evidence)
    except SerializationError as error:
        data = encode({"error": describe(error, f"the check of {question_id}")})
    try:
        # No write_atomically: the sandbox lets this process write to this one file alone.
        Path(outbox).write_bytes(data)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise  # the student's own limit of a file
        raise NoRoomError(str(error)) from error
