"""Temporary folders: gone at the end, and after a kill at the next start."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import tempfile
from pathlib import Path

import pytest

from litcourse.core import environment
from litcourse.core.environment import hold, sweep, swept_folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(environment, "_swept", set())
    return tmp_path


def killed(name: str) -> None:
    """A process that is killed with such a folder."""
    pid = os.fork()
    if not pid:
        with swept_folder(name) as folder:
            (folder / "work.txt").write_text("a student's", encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("name", ["check", "ranks", "warm", "collected"])
def test_it_is_empty_and_private_and_ends(place: Path, name: str) -> None:
    with swept_folder(name) as folder:
        assert not list(folder.iterdir())
        assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert not list(place.iterdir())


def test_what_a_kill_left_goes_at_the_next_start(place: Path) -> None:
    killed("check")
    killed("warm")
    (left,) = place.iterdir()
    assert left.name.startswith("litcourse-warm-"), "the second start removed the first"
    with swept_folder("ranks") as folder:
        assert list(place.iterdir()) == [folder.parent]


def test_what_somebody_uses_stays(place: Path) -> None:
    """Also a fork whose parent has ended; and a folder without a lock, of which nobody knows."""
    (place / "litcourse-homework").mkdir()
    with swept_folder("check") as folder:
        environment._swept.clear()
        with swept_folder("check"):
            assert folder.exists()
    assert (place / "litcourse-homework").exists()


def test_a_lock_is_of_a_process_and_its_forks(place: Path) -> None:
    left, living = place / "warm-left", place / "warm-living"
    for folder in (left, living):
        folder.mkdir()
    os.close(hold(left))
    held = hold(living)
    sweep(place, "warm-")
    os.close(held)
    assert not left.exists()
    assert living.exists()


def test_on_a_disk_without_locks_nothing_is_swept(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with swept_folder("check") as folder:
        environment._swept.clear()
        with swept_folder("check"):
            assert folder.exists()
    assert not list(place.iterdir())


def test_code_that_closes_all_files_does_no_harm(place: Path) -> None:
    with swept_folder("check"):
        os.close(max(filter(_is_lock, range(3, 1000))))
    assert not list(place.iterdir())


def _is_lock(handle: int) -> bool:
    try:
        return Path(f"/proc/self/fd/{handle}").readlink().name == environment.LOCK
    except OSError:
        return False
