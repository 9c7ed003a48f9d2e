"""Parts of a class, graded apart, then written by an ordinary run."""

import fcntl
from pathlib import Path

import pytest

from autograder.course import AuthorError, LockedError
from autograder.grading import shard
from autograder.grading.run import Options
from autograder.grading.shard import Shard, grade_shard
from autograder.nbgrader_plugins.submissions.submission_files import Submission

from .conftest import KILLED, LAB, RIGHT, WRONG, Class


def grade(group: Class, part: str) -> int:
    return grade_shard(group.course, Options([LAB], jobs=1), Shard.parse(part))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_parts_make_up_the_whole(count: int) -> None:
    sent = [Submission(LAB, f"s{n}", Path()) for n in range(23)]
    parts = [Shard(index, count).of(sent) for index in range(1, count + 1)]
    together = [s.student for part in parts for s in part]
    assert sorted(together) == sorted(s.student for s in sent)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1.5/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(AuthorError, match="I from 1 to N"):
        Shard.parse(text)


def test_a_shard_writes_no_gradebook_and_the_next_run_runs_nobody(
    group: Class, capsys: pytest.CaptureFixture[str]
) -> None:
    for student, answer in (("ada", RIGHT), ("ben", WRONG), ("cyd", RIGHT)):
        group.hand_in(student, answer)
    assert [grade(group, "1/2"), grade(group, "2/2")] == [0, 0]
    left = {path.name for path in group.root.iterdir()}
    assert not left & {"gradebook.db", "autograded", "feedback"}
    before = {name: group.record(name).graded_at for name in ("ada", "ben", "cyd")}
    capsys.readouterr()
    assert group.grade() == 0
    assert "0 to grade, 3 of an earlier run to write" in capsys.readouterr().out
    assert group.students() == {"ada": 5, "ben": 0, "cyd": 5}
    assert {name: group.record(name).graded_at for name in before} == before


def test_a_shard_skips_what_is_done(group: Class, capsys: pytest.CaptureFixture[str]) -> None:
    group.hand_in("ada", RIGHT)
    grade(group, "1/1")
    group.hand_in("ben", WRONG)
    grade(group, "1/1")
    assert "1 to grade, 1 done already" in capsys.readouterr().out


def test_what_no_shard_could_grade_the_next_run_tries_again(group: Class) -> None:
    group.hand_in("ada", RIGHT)
    group.hand_in("kim", KILLED)
    assert grade(group, "1/1") == 1
    group.hand_in("kim", RIGHT)
    assert group.grade() == 0
    assert group.students() == {"ada": 5, "kim": 5}


def test_shards_run_beside_each_other_and_not_beside_a_writer(
    group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard, "LOCK_SECONDS", 0.0)
    group.hand_in("ada", RIGHT)
    evidence = group.root / "evidence"
    evidence.mkdir()
    with (evidence / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # as another shard does
        assert grade(group, "1/2") == 0
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a run does that writes
        with pytest.raises(LockedError, match="grade or rejudge is running"):
            grade(group, "1/2")
    with (evidence / ".lock-1-of-2").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LockedError, match="this very shard"):
            grade(group, "1/2")


def test_a_shard_has_no_scores_to_tell(group: Class, tmp_path: Path) -> None:
    group.hand_in("ada", RIGHT)
    for options in (Options([LAB], csv=tmp_path / "s.csv"), Options([LAB], json=True)):
        with pytest.raises(AuthorError, match="leave --csv and --json to"):
            grade_shard(group.course, options, Shard(1, 2))
