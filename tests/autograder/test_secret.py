"""The course secret, and evidence that nobody vouches for."""

import os
from pathlib import Path

import pytest

from autograder.course import AuthorError
from autograder.nbgrader_plugins import evidence_store
from autograder.nbgrader_plugins.grade import points_of
from autograder.secret import SECRET_FILE, seed_for
from litcourse.core.serialization import MAX_BYTES

ONE = ("ada", "lab1_mnist", "wrap", "0" * 64)


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = seed_for(tmp_path, *ONE)
    path = tmp_path / SECRET_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == 32
    assert [entry.name for entry in tmp_path.iterdir()] == [SECRET_FILE]
    assert seed_for(tmp_path, *ONE) == first


@pytest.mark.parametrize("place", range(4))
def test_another_student_question_or_submission_has_another_seed(
    tmp_path: Path, place: int
) -> None:
    other = list(ONE)
    other[place] = "1" * 64
    assert seed_for(tmp_path, *ONE) != seed_for(tmp_path, *other)


def test_another_secret_gives_another_seed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert seed_for(tmp_path / "a", *ONE) != seed_for(tmp_path / "b", *ONE)


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_bytes(b"x" * 32)
    (tmp_path / SECRET_FILE).chmod(0o640)
    with pytest.raises(AuthorError, match="chmod 600"):
        seed_for(tmp_path, *ONE)


def test_a_damaged_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_bytes(b"x")
    (tmp_path / SECRET_FILE).chmod(0o600)
    with pytest.raises(AuthorError, match="1 bytes in place of 32"):
        seed_for(tmp_path, *ONE)


def test_points_are_a_number_within_bounds() -> None:
    assert points_of(0.5, 3) == 1.5
    assert points_of(float("nan"), 10) == 0
    assert points_of(2, 10) == 10
    assert points_of(-1, 10) == 0


def test_evidence_that_is_a_link_a_pipe_or_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for name in ("link", "pipe", "large"):
        with pytest.raises(OSError, match=r"evidence|symbolic"):
            evidence_store.read_untrusted(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        evidence_store.read_untrusted(tmp_path / "none")


def test_a_group_that_shares_the_folder_may_read_the_secret(tmp_path: Path) -> None:
    first = seed_for(tmp_path, "ada", "lab", "q", "0")
    (tmp_path / SECRET_FILE).chmod(0o640)
    with pytest.raises(AuthorError, match="chmod 600"):
        seed_for(tmp_path, "ada", "lab", "q", "0")
    tmp_path.chmod(0o770)
    assert seed_for(tmp_path, "ada", "lab", "q", "0") == first
    (tmp_path / SECRET_FILE).chmod(0o644)
    with pytest.raises(AuthorError, match="chmod 640"):
        seed_for(tmp_path, "ada", "lab", "q", "0")
