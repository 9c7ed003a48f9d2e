"""Starts a supervisor as a new program, where a fork of the caller can't train.

`python -m litcourse.ranks.spawned_supervisor FOLDER` reads a job from the folder, imports torch
and forks the ranks; it sees no GPU. It unpickles only the data that its caller, a student's
kernel, has just pickled for it.
"""

from __future__ import annotations

import linecache
import os
import pickle
import sys
from pathlib import Path

from litcourse.ranks import private_network
from litcourse.ranks.messages import Job

MOST_FOR_IMPORTS = 120.0
"""Seconds that the imports may take on a slow disk."""


def start_supervisor(job: Job) -> int:
    """Start the program for `job` and return its pid."""
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
    private_network.leave_if_possible()  # before torch, which starts threads
    import torch  # noqa: F401 (before the job, whose limit does not count the import)

    content = pickle.loads(data)  # noqa: S301 (the caller's own data, see above)
    linecache.cache.update(content["lines"])
    from litcourse.ranks.supervisor import supervise

    supervise(content["job"], parent)


if __name__ == "__main__":
    main()
