"""Links in a submission's folder.

Strategy: links to the secret, the gradebook, another's submission and the root, so that the
grader copies
what they lead to and the kernel reads the copy.
Surface: the copying of a submission's files, which happens with the grader's rights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.attacks.arena import Attack

READ = """
import os
for name in sorted(os.listdir(".")):
    if name.startswith("link-"):
        try_to(name, lambda: open(name, "rb").read(64) if not os.path.isdir(name)
               else os.listdir(name + "/etc/shadow"))
print("listed", sum(name.startswith("link-") for name in os.listdir(".")))
"""


def place(folder: Path, targets: Mapping[str, Any]) -> None:
    """Links by each kind of way."""
    for name in ("secret", "gradebook", "other", "source", "record"):
        (folder / f"link-{name}").symlink_to(targets[name])
    (folder / "link-self").symlink_to("link-self")
    (folder / "link-nowhere").symlink_to("/nowhere/at/all")


ATTACK = Attack(cells=(READ,), files=place, says=r"listed \d")
