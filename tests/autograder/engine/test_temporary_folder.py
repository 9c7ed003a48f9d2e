"""A host's TMPDIR, which Slurm sets for each job, is of no use in the sandbox."""

import tempfile
from pathlib import Path

import pytest

from autograder.engine import client
from tests.autograder.engine.test_engine import kernel


def test_a_temporary_folder_of_the_host_is_none_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tmp_path / f"job-{'long' * 10}"  # sockets below it have paths of over 107 characters
    for folder in (job, tmp_path / "kernel"):
        folder.mkdir()
    client.stop()
    monkeypatch.setenv("TMPDIR", str(job))
    monkeypatch.setattr(tempfile, "tempdir", None)
    try:
        with kernel(tmp_path / "kernel") as run:  # out of a warm process that has the variable
            made = run("import tempfile; print(tempfile.mkdtemp())")
            assert made.startswith("/tmp/")  # noqa: S108 (the sandbox's own)
            assert [*job.iterdir()] == [], "nobody would sweep it after a kill"
    finally:
        client.stop()
