"""Starts the warm process of an ordinary user: `python -m autograder.engine.interpreter SOCKET`.

/proc/self/exe of a kernel is a link of Linux to the very file that the warm process was started
from, over the mounts of that moment: no namespace of the sandbox comes between. Whoever installed a
Python for himself (uv, conda, pyenv) owns that file, and so does his kernel: it could change its
mode, and leave a set-uid program behind. So the warm process starts from a mount that shows the
file read-only, in a mount namespace of its own. Root's kernels are users that own no file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from autograder.engine import syscalls

SERVER = "autograder.engine.server"


def main() -> None:
    """Become the server for the socket that the command line names, with what failed, or ""."""
    try:
        _make_readonly(Path(sys.executable).resolve())
        fault = ""
    except OSError as error:
        fault = str(error)
    os.execv(sys.executable, [sys.executable, "-m", SERVER, sys.argv[1], fault])  # noqa: S606 (no shell)


def _make_readonly(program: Path) -> None:
    syscalls.unshare_as_same_user()
    syscalls.make_mounts_private()
    syscalls.bind(program, program)
    syscalls.make_readonly(program, below=False)


if __name__ == "__main__":
    main()
