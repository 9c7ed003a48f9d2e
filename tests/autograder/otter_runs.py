"""Submissions graded by `otter run`, for tests that hold otter against nbgrader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def run_program(folder: Path, *command: str) -> None:
    """Run a program of this environment in `folder`; it must succeed."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {k: v for k, v in os.environ.items() if k != "LITCOURSE_DATA"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | {"PATH": programs},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def points_by_otter(course: Path, lab: str, student: str, folder: Path) -> dict[str, float | None]:
    """What `otter run` says of a student's submission; points by question.

    Args:
        course: with `submitted/` and otter's bundles in `dist/`.
        lab: id of the lab.
        student: id of the student.
        folder: is made; otter works in it.
    """
    folder.mkdir()
    submitted = course / "submitted" / student / lab / f"{lab}.ipynb"
    (folder / submitted.name).write_bytes(submitted.read_bytes())
    bundle = course / "dist" / "otter" / f"{lab}.zip"
    run_program(folder, "otter", "run", "-a", str(bundle), "-o", ".", submitted.name)
    tests = json.loads((folder / "results.json").read_text(encoding="utf-8"))["tests"]
    return {test["name"]: test["score"] for test in tests if "score" in test}
