"""A supervisor that is a fresh program, where a fork of the asking process can't serve.

`python -m litcourse.ranks.spawned_supervisor FOLDER` reads a job from the folder and forks its
ranks; it has imported what the job needs by then, and no GPU is visible to it. What is unpickled
here was pickled a moment ago by the very process that waits, a student's kernel.
"""

from __future__ import annotations

import linecache
import os
import pickle
import sys
from pathlib import Path

from litcourse.ranks.messages import Job

MOST_FOR_IMPORTS = 120.0
"""Seconds that the imports may take on a slow disk."""


def start_supervisor(job: Job) -> int:
    """Start the program for `job`; returns its pid."""
    import cloudpickle  # type: ignore[import-untyped]

    lines = {name: entry for name, entry in linecache.cache.items() if not Path(name).is_file()}
    data = {"job": job, "lines": lines}
    (job.folder / "job").write_bytes(cloudpickle.dumps(data))
    output = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    home = str(Path(__file__).parents[2])
    paths = os.pathsep.join([home, *(entry or str(Path.cwd()) for entry in sys.path)])
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "litcourse.ranks.spawned_supervisor", str(job.folder)],
        {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": paths},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(job.folder / "supervisor-output"), output, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )


def main() -> None:
    """Supervise the job in the folder that the command line names."""
    parent, file = os.getppid(), Path(sys.argv[1]) / "job"
    data = file.read_bytes()
    import torch  # noqa: F401 (before any work of the job, so that its limit begins afterwards)

    read = pickle.loads(data)  # noqa: S301 (see above: the asking process's own)
    linecache.cache.update(read["lines"])
    from litcourse.ranks.supervisor import supervise

    supervise(read["job"], parent)


if __name__ == "__main__":
    main()
