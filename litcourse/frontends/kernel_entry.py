"""The grader's end in the student's process: read inputs, probe, write evidence.

Nothing here judges, and nothing expected is here. The trusted side draws the inputs and
judges the evidence (`autograder.secret`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litcourse.core.registry import find_question
from litcourse.core.serialization import SerializationError, decode, encode
from litcourse.probing.attempts import describe
from litcourse.probing.probe_runner import take_evidence


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
    """
    shown = decode(Path(inbox).read_bytes())
    evidence = take_evidence(find_question(lab, question_id), shown, namespace)
    try:
        data = encode(evidence)
    except SerializationError as error:
        data = encode({"error": describe(error, f"the check of {question_id}")})
    # Not to a second file that is renamed: in the sandbox this one alone can be written.
    Path(outbox).write_bytes(data)
