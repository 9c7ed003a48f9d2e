"""Odd names in a submission's folder.

Strategy: names with line ends, options, quotes, bytes that are no text, 255 characters; modules
that
shadow the course's and Python's own; settings of Jupyter and IPython.
Surface: programs that take names of files; Python's import path; start-up files.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.attacks.arena import Attack

FORGED = "import os\nos.write(1, b'shadowed')\nwhile True:\n    pass\n"
SHADOWS = (
    "torch", "lightning", "litcourse", "json", "safetensors", "debugpy", "sitecustomize",
    "usercustomize", "autograder", "zmq", "comm", "nest_asyncio", "appnope", "psutil",
    "ipykernel_launcher", "ipython_config", "jupyter_config", "matplotlib_inline", "colorsys",
)  # fmt: skip


def place(folder: Path, _: Mapping[str, Any]) -> None:
    """Many files."""
    for name in ("-rf", "a\nb", "'; touch marker; '", '"', "$(touch marker)", "%s%n", "x" * 255):
        (folder / name).write_text("x", encoding="utf-8")
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(FORGED, encoding="utf-8")
    startup = folder / ".ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "00-first.py").write_text(FORGED, encoding="utf-8")
    (startup.parent / "ipython_kernel_config.py").write_text(FORGED, encoding="utf-8")


ATTACK = Attack(answer="right", files=place, share=1)
