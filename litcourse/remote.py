"""The graded road's end in the student's process: read inputs, probe, write evidence.

Nothing here judges, and nothing expected is here. The trusted side draws the inputs and
judges the evidence (`autograder.trusted`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litcourse.packet import PacketError, decode, encode
from litcourse.question import find_question
from litcourse.student import describe, take_evidence


def answer(
    lab: str, question_id: str, inbox: str, outbox: str, namespace: Mapping[str, Any]
) -> None:
    """Probe `question_id` of `lab` with the inputs in `inbox`; write evidence to `outbox`.

    Args:
        lab: id of the lab.
        question_id: id of the question.
        inbox: path of a packet, the inputs that the trusted side drew.
        outbox: path to which the evidence goes, as a packet.
        namespace: the names that the notebook has defined so far.
    """
    given = decode(Path(inbox).read_bytes())
    evidence = take_evidence(find_question(lab, question_id), given, namespace)
    try:
        data = encode(evidence)
    except PacketError as error:
        data = encode({"error": describe(error, f"the check of {question_id}")})
    # Not to a second file that is renamed: in the sandbox this one alone can be written.
    Path(outbox).write_bytes(data)
