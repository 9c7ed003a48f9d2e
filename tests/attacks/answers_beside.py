"""A table of answers beside a notebook that never changes.

Strategy: hand in one notebook again and again, each time with a file that holds more of the
expected values that the last feedback told; or hide them in the time of handing in, or in the
file's mode.
Surface: inputs that follow from less than the code can see.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.attacks.arena import Attack

LOOK = """
import json, os
print("known", json.load(open("answers.json")))
print("mode", os.stat("answers.json").st_mode & 0o022)
try_to("time", lambda: open("timestamp.txt").read())
"""


def place(folder: Path, _: Mapping[str, Any]) -> None:
    """As many answers as there were submissions."""
    known = folder / "answers.json"
    before = json.loads(known.read_text(encoding="utf-8")) if known.exists() else []
    known.write_text(json.dumps([*before, "0.25"]), encoding="utf-8")
    known.chmod(0o666)
    (folder / "timestamp.txt").write_text("2026-11-01 10:00:00.250000 UTC", encoding="utf-8")


ATTACK = Attack(
    cells=(LOOK,), answer="unsolved", files=place, held=1, says=r"known .*\n.*mode 0", share=0
)  # fmt: skip
