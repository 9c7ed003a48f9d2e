"""The same notebook again and again, until a draw of inputs is kind.

Strategy: submit one notebook several times. nbgrader's exchange puts new random digits beside it
each time, so no file has to be touched; older copies lie in folders of the submission.
Surface: inputs that follow from what the exchange writes, and code that reads it.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.attacks.arena import Attack

PLACES = (".", "older", "older/oldest")
LOOK = f"""
for place in {PLACES!r}:
    try_to("digits", lambda: open(place + "/submission_secret.txt").read())
"""


def place(folder: Path, _: Mapping[str, Any]) -> None:
    """What `nbgrader submit` writes, also in folders that were handed in before."""
    for name in PLACES:
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "submission_secret.txt").write_text(secrets.token_hex(64), "utf-8")


ATTACK = Attack(cells=(LOOK,), answer="unsolved", files=place, held=len(PLACES), share=0)
