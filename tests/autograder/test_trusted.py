"""The course secret, and evidence that nobody vouches for."""

import os
from pathlib import Path

import pytest

from autograder.course import AuthorError
from autograder.nbgrader_road import shelf
from autograder.nbgrader_road.grade import points_of
from autograder.trusted import SECRET_FILE, draw_for, judge
from litcourse.packet import MAX_BYTES, encode
from litcourse.question import Draw
from litcourse.verdicts import failed

ONE = ("ada", "lab1_mnist", "wrap", "0" * 64)


@pytest.fixture(scope="module", autouse=True)
def _imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the first draw imports sets environment variables for the rest of the process."""
    draw_for(tmp_path_factory.mktemp("first"), *ONE)


def _bytes(root: Path, *of: str) -> bytes:
    draw = draw_for(root, *of)
    return encode({"given": draw.given, "kept": draw.kept})


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = _bytes(tmp_path, *ONE)
    path = tmp_path / SECRET_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == 32
    assert [entry.name for entry in tmp_path.iterdir()] == [SECRET_FILE]
    assert _bytes(tmp_path, *ONE) == first


@pytest.mark.parametrize("place", [0, 3])
def test_another_student_or_submission_gets_other_inputs(tmp_path: Path, place: int) -> None:
    other = list(ONE)
    other[place] = "1" * 64
    assert _bytes(tmp_path, *ONE) != _bytes(tmp_path, *other)


def test_another_secret_gives_other_inputs(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert _bytes(tmp_path / "a", *ONE) != _bytes(tmp_path / "b", *ONE)


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_bytes(b"x" * 32)
    (tmp_path / SECRET_FILE).chmod(0o640)
    with pytest.raises(AuthorError, match="chmod 600"):
        draw_for(tmp_path, *ONE)


def test_a_damaged_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_bytes(b"x")
    (tmp_path / SECRET_FILE).chmod(0o600)
    with pytest.raises(AuthorError, match="1 bytes in place of 32"):
        draw_for(tmp_path, *ONE)


@pytest.mark.parametrize(
    "evidence",
    [
        b"",
        b"\x80\x04K\x01.",
        encode(None),
        encode([1, 2]),
        encode({"missing": 3}),
        encode({"error": {"type": 1}}),
        encode({"score": 1.0}),
    ],
)
def test_whatever_lies_there_gets_a_verdict_and_no_points(evidence: bytes, tmp_path: Path) -> None:
    verdict = judge(*ONE[1:3], draw_for(tmp_path, *ONE), evidence)
    assert verdict.score == 0
    assert [finding.code for finding in verdict.findings] == ["LIT903"]


def test_a_judge_that_breaks_on_evidence_gives_no_points() -> None:
    verdict = judge(*ONE[1:3], Draw({}, {}), encode({"cases": []}))
    assert points_of(verdict, 10) == 0


def test_points_are_a_number_within_bounds() -> None:
    verdict = failed(*ONE[1:3], "LIT905")
    assert points_of(verdict, 10) == 0
    assert points_of(verdict, float("nan")) == 0


def test_evidence_that_is_a_link_a_pipe_or_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for name in ("link", "pipe", "large"):
        with pytest.raises(OSError, match=r"evidence|symbolic"):
            shelf.read_untrusted(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        shelf.read_untrusted(tmp_path / "none")
