"""Reads `help/*.toml`: hints, commonest findings and questions to think on, by lab and question.

None of these texts is an answer.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Guidance:
    """What helps with one question.

    Args:
        hints: steps, from a question back to the text, to the API's name, to the answer's shape.
        common: codes of the findings that come up most often.
        think: questions to think on.
        call: a call of the student's code, to paste into a cell.
    """

    hints: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    think: tuple[str, ...] = ()
    call: str = ""


@cache
def _read_lab(lab: str) -> dict[str, Guidance]:
    file = files("litcourse.feedback").joinpath("help", f"{lab}.toml")
    if not file.is_file():
        return {}
    entries = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        question_id: Guidance(
            tuple(entry["hints"]), tuple(entry["common"]), tuple(entry["think"]), entry["call"]
        )
        for question_id, entry in entries.items()
    }


def find_guidance(lab: str, question_id: str) -> Guidance:
    """The help with a question; an empty one if there is none."""
    return _read_lab(lab).get(question_id, Guidance())
