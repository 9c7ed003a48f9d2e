"""Folders so deep, and names so long, that no path leads to them.

Strategy: folders within folders, made step by step, until the whole path is longer than Linux
takes; and one that is just short enough, but not where the grader copies it to.
Surface: whoever walks through a submission, to plan the grading of a class or to copy its files.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.attacks.arena import Attack

LONGEST = 4095  # bytes of a path in Linux


def place(folder: Path, _: Mapping[str, Any]) -> None:
    """Two deep places."""
    before = Path.cwd()
    try:
        for name, most in (("d", 2 * LONGEST), ("e", LONGEST - 255)):
            os.chdir(folder)
            length = len(str(folder))
            while length + 201 < most:
                Path(name * 200).mkdir()
                os.chdir(name * 200)
                length += 201
            Path("f" * 50).write_text("x", encoding="utf-8")
    finally:
        os.chdir(before)


ATTACK = Attack(answer="right", files=place, finding="LIT951", share=1)
