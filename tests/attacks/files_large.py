"""A submission that is larger than the disk that its kernel gets.

Strategy: files of 60 MB where a kernel has 32 MiB for all.
Surface: the start of a kernel, which copies them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.attacks.arena import Attack


def place(folder: Path, _: Mapping[str, Any]) -> None:
    """One large file."""
    (folder / "large.bin").write_bytes(bytes(60_000_000))


ATTACK = Attack(answer="right", files=place, share=1, settings={"limits": {"disk_mib": 32}})
