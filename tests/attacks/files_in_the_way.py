"""Files where the kernel wants to put its own.

Strategy: folders, pipes and links by the names of the connection file, IPython's folder and the
evidence,
so that no kernel starts and nobody is to blame.
Surface: the start of a kernel.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.attacks.arena import Attack


def place(folder: Path, targets: Mapping[str, Any]) -> None:
    """What is in the way."""
    (folder / ".kernel.json").mkdir()
    (folder / ".ipython").write_text("a file", encoding="utf-8")
    (folder / ".local").write_text("a file", encoding="utf-8")
    (folder / ".config").write_text("a file", encoding="utf-8")
    (folder / ".jupyter").symlink_to(targets["root"])
    (folder / "evidence").mkdir()


ATTACK = Attack(answer="right", files=place, share=1)
