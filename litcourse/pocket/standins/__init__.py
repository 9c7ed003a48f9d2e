"""Files that are put first on a job's PATH: each runs `standin_client` under its own name."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from litcourse.pocket.standins import standin_client

COMMANDS = (
    "srun", "sbatch", "scontrol", "scancel", "squeue", "sinfo", "sacct", "python", "python3",
    "torchrun", "accelerate", "hostname", "nproc", "nvidia-smi", "sleep", "date", "module", "ml",
    "conda", "mamba", "salloc", "sattach", "sbcast", "scrontab", "sprio", "sshare", "sstat",
    "strigger",
)  # fmt: skip
ABSENT = ("ssh", "scp", "mpirun", "mpiexec")
"""What the course's cluster does not have, whatever this machine has: they would reach others."""
_TIMEOUT = "timeout"
_LONGEST_LINE = 120
"""Characters of a `#!` line that every kernel reads."""


def write_standins(folder: Path, reports: Path) -> None:
    """Write the stand-ins.

    Args:
        folder: where to; it exists.
        reports: the folder of the socket on which they report.
    """
    source = str(Path(standin_client.__file__).parent)
    for command in COMMANDS:
        body = (
            f"import sys; sys.path.insert(0, {source!r}); import standin_client; "
            f"standin_client.main({command!r}, {str(reports)!r})\n"
        )
        _write(folder / command, f"#!{sys.executable} -ISB\n{body}")
    if len(sys.executable) > _LONGEST_LINE or " " in sys.executable:
        _through_sh(folder)
    for command in filter(shutil.which, ABSENT):  # elsewhere bash says it itself, with the line
        _write(folder / command, f"#!/bin/sh\necho '{command}: command not found' >&2\nexit 127\n")
    script = Path(__file__).with_name("timeout.sh")
    _write(folder / _TIMEOUT, script.read_text(encoding="utf-8"))
    (folder / "activate").touch()  # `source activate env` looks on PATH


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _through_sh(folder: Path) -> None:
    """Let sh start the interpreter, whose path a `#!` line cannot hold."""
    for command in COMMANDS:
        path = folder / command
        body = path.read_text(encoding="utf-8").split("\n", 1)[1]
        inner = folder / f".{command}.py"
        inner.write_text(body, encoding="utf-8")
        start = f'exec {_quoted(sys.executable)} -ISB {_quoted(os.fspath(inner))} "$@"\n'
        path.write_text(f"#!/bin/sh\n{start}", encoding="utf-8")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
