"""Other users of the machine, with a shell of their own, while an instructor grades.

What they could read or lock is closed; what they put into a shared folder, such as /tmp, is neither
followed nor waited for.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.course import AuthorError, find_course
from autograder.engine import client
from autograder.grading import shared_folder
from autograder.nbgrader_plugins import evidence_store
from autograder.term import backups
from litcourse.core import environment
from litcourse.core.atomic_write import write_atomically

SOMEBODY = 54_321
"""A user id that nobody has."""
as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs a second user; to enable: run it as root"
)


def by_somebody(do: Callable[[], object]) -> str:
    """What another user gets who does something: what it returns, or the error."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setresgid(SOMEBODY, SOMEBODY, SOMEBODY)
            os.setresuid(SOMEBODY, SOMEBODY, SOMEBODY)
            said = repr(do())
        except OSError as error:
            said = type(error).__name__
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as told:
        return told.read()


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder as /tmp: all may write, and see what lies there."""
    assert tmp_path.exists()  # pytest makes its folder in the real /tmp
    with tempfile.TemporaryDirectory(prefix="shared-") as name:
        folder = Path(name)
        folder.chmod(0o1777)
        monkeypatch.setattr(tempfile, "tempdir", name)
        monkeypatch.setattr(environment, "_swept", set())
        yield folder


@pytest.mark.parametrize("start", ["engine", "swept folder"])
def test_no_link_in_a_shared_folder_stops_a_start(shared: Path, start: str) -> None:
    """One whose target has too long a name can't even be looked at (pathlib's glob raised)."""
    for name in ("x", "warm-x", "litcourse-x"):
        (shared / name).symlink_to("a" * 300)
    if start == "engine":
        client.Engine().stop()
    else:
        with environment.swept_folder("test"):
            pass


def test_a_sweep_follows_no_link(shared: Path, tmp_path: Path) -> None:
    """To a course, of which it would take the lock, or more."""
    course, target = tmp_path / "course", tmp_path / "target"
    for folder in (course, target):
        folder.mkdir()
        (folder / "work.txt").write_text("a student's", encoding="utf-8")
        os.close(environment.hold(folder))
    (shared / "warm-link").symlink_to(course)
    (shared / "warm-folder").mkdir()
    (shared / "warm-folder/.lock").symlink_to(target / ".lock")
    environment.sweep(shared, "warm-")
    assert (course / "work.txt").exists()
    assert (shared / "warm-folder").exists()


@as_root
def test_a_sweep_leaves_what_is_somebody_elses(shared: Path) -> None:
    def make() -> None:
        folder = shared / "warm-other"
        folder.mkdir(mode=0o777)
        (folder / ".lock").touch(mode=0o666)

    assert by_somebody(make) == "None"
    environment.sweep(shared, "warm-")
    assert (shared / "warm-other").exists()


def test_a_part_that_lies_there_is_not_written_into(shared: Path, tmp_path: Path) -> None:
    """A link at the name of a file's part led to any file of whoever wrote, such as --csv."""
    victim = tmp_path / "victim.txt"
    victim.write_text("mine", encoding="utf-8")
    (shared / "scores.csv.part").symlink_to(victim)
    write_atomically(shared / "scores.csv", b"ada,5\n")
    assert victim.read_text("utf-8") == "mine"
    assert (shared / "scores.csv").read_bytes() == b"ada,5\n"
    assert not (shared / "scores.csv").is_symlink()


@as_root
def test_a_part_of_somebody_else_gets_no_scores(shared: Path) -> None:
    shared.chmod(0o777)  # with the sticky bit another user's file could not be removed

    def put() -> None:
        (shared / "scores.csv.part").touch()
        (shared / "scores.csv.part").chmod(0o666)

    assert by_somebody(put) == "None"
    write_atomically(shared / "scores.csv", b"ada,5\n")
    assert (shared / "scores.csv").stat().st_uid == 0


def test_evidence_that_nbgrader_keeps_is_closed(tmp_path: Path) -> None:
    """Also the folders around it: who can open a file there can hold its lock."""
    before = os.umask(0o022)
    try:
        evidence_store.make_private(tmp_path / "evidence/lab/ada")
    finally:
        os.umask(before)
    for name in ("evidence", "evidence/lab", "evidence/lab/ada"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700, name


@as_root
def test_who_may_not_read_the_evidence_can_not_hold_its_lock(shared: Path) -> None:
    """As long as it was open, another user could stop every run with "another run is running"."""
    evidence = shared / "evidence"
    evidence.mkdir(mode=0o755)
    (evidence / ".lock").touch(mode=0o644)

    def hold() -> None:
        with (evidence / ".lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    assert by_somebody(hold) == "None"
    shared_folder.close([evidence])
    assert by_somebody(hold) == "PermissionError"


def test_answers_that_others_can_read_are_told(tmp_path: Path, shared: Path) -> None:
    for folder in (tmp_path / "source", shared / "source"):
        folder.mkdir(mode=0o755)
    assert not shared_folder.is_open(tmp_path / "source"), "pytest closes its folders"
    assert shared_folder.is_open(shared / "source")
    shared.chmod(0o700)
    assert not shared_folder.is_open(shared / "source")


def test_a_course_that_anybody_could_have_put_there_is_none(tmp_path: Path) -> None:
    """The settings of a course are code, and a course is looked for in the folders above."""
    public = tmp_path / "public"
    (public / "source").mkdir(parents=True)
    (public / "mine/inner").mkdir(parents=True)
    assert find_course(public / "mine/inner").root == public
    public.chmod(0o1777)
    with pytest.raises(AuthorError, match="this is no course"):
        find_course(public / "mine/inner")
    assert find_course(public).root == public


@as_root
def test_no_socket_of_somebody_else_is_taken_for_the_warm_process(shared: Path) -> None:
    """It would give the verdicts. A folder in /tmp may be gone for a moment, and come again."""
    told, stop = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        os.close(stop[1])
        os.setresuid(SOMEBODY, SOMEBODY, SOMEBODY)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(shared / "socket"))
            (shared / "socket").chmod(0o777)
            listener.listen()
            os.write(told[1], b"ready")
            os.read(stop[0], 1)
        os._exit(0)
    try:
        assert os.read(told[0], 5) == b"ready"
        engine = client.Engine.__new__(client.Engine)
        engine.folder, engine.socket, engine._owner = shared, shared / "socket", 0
        with pytest.raises(client.EngineError, match="is somebody else's"):
            engine.connect(5)
    finally:
        for end in (*stop, *told):
            os.close(end)
        os.waitpid(pid, 0)


@as_root
def test_nothing_is_restored_into_somebody_elses_folder(shared: Path) -> None:
    folder = shared / "restored"
    assert by_somebody(folder.mkdir) == "None"
    with pytest.raises(AuthorError, match="it belongs to another account"):
        backups.restore(shared / "backup.tar.gz", folder)
