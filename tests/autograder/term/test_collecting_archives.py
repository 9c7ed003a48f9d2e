"""`autograder collect-zip`: archives as Moodle, Canvas and people make them."""

from __future__ import annotations

import stat
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
import pytest
from nbgrader.utils import parse_utc

from autograder.demo.made_up_students import fill_notebook
from tests.autograder.grading.conftest import LAB, QUESTION, RIGHT, WRONG, Class

from .conftest import Said

Call = Callable[..., Said]
POINTS = 5.0
WHEN = (2026, 11, 1, 10, 0, 0)
DUE = "2026-10-31 12:00:00"
FILE = f"{LAB}.ipynb"


@pytest.fixture
def listed(group: Class) -> Class:
    """A class with a roster."""
    with group.gradebook() as gradebook:
        gradebook.add_student(
            "ada", first_name="Ada", last_name="Lovelace", email="a.l@x.org", lms_user_id="4711"
        )
        gradebook.add_student("zoe", first_name="Zoë", last_name="Müller-Weiß")
        for student in ("kim1", "kim2"):
            gradebook.add_student(student, first_name="Kim", last_name="Lee")
    return group


def notebook(group: Class, answer: str) -> str:
    text: str = nbformat.writes(fill_notebook(group.course.lab(LAB).notebook, {QUESTION: answer}))
    return text


def pack(
    path: Path, files: Mapping[str, str], when: tuple[int, int, int, int, int, int] = WHEN
) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, when)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return str(path)


def submitted(group: Class) -> dict[str, str]:
    return {
        path.parent.parent.name: path.read_text(encoding="utf-8")[:19]
        for path in group.root.glob(f"submitted/*/{LAB}/timestamp.txt")
    }


@pytest.mark.parametrize(
    "shape",
    [
        "{}_7_assignsubmission_file_/",
        pytest.param("{}_7_assignsubmission_file_", marks=pytest.mark.release),
    ],
)
def test_moodle(listed: Class, call: Call, tmp_path: Path, shape: str) -> None:
    right = notebook(listed, RIGHT)
    path = pack(
        tmp_path / "moodle.zip",
        {
            shape.format("Ada Lovelace") + FILE: right,
            shape.format("Zoë Müller-Weiß") + FILE: right,
            shape.format("Kim Lee") + FILE: right,
            "Eve Stranger_9_assignsubmission_file_/x.ipynb": right,
            "Eve Stranger_9_assignsubmission_onlinetext_/onlinetext.html": "x",
        },
    )
    said = call("collect-zip", LAB, path, "--from", "moodle", "--timezone", "UTC")
    assert said.code == 1
    assert "2 new tries of 2 students" in said.text
    assert all(name in said.text for name in ("not mapped: Kim Lee", "not mapped: Eve Stranger"))
    at = "2026-11-01 10:00:00"
    assert submitted(listed) == {"ada": at, "zoe": at}
    assert listed.grade() == 0
    assert listed.students() == {"ada": POINTS, "zoe": POINTS}
    assert "0 new tries of 0 students, 2 known" in call(
        "collect-zip", LAB, path, "--from", "moodle", "--timezone", "UTC"
    ).text  # fmt: skip


@pytest.mark.release
def test_moodles_worksheet_maps_participants_and_has_the_times(
    listed: Class, call: Call, tmp_path: Path
) -> None:
    path = pack(
        tmp_path / "blind.zip",
        {f"Participant_77_assignsubmission_file_/{FILE}": notebook(listed, RIGHT)},
    )
    sheet = tmp_path / "worksheet.csv"
    sheet.write_text(
        "Identifier,Full name,Email address,Status,Grade,Last modified (submission)\n"
        'Participant 77,Ada Lovelace,a.l@x.org,Submitted,-,"Sunday, 25 October 2026, 2:05 PM"\n',
        encoding="utf-8-sig",
    )
    options = ("--from", "moodle", "--roster", str(sheet), "--timezone", "Europe/Zurich")
    assert call("collect-zip", LAB, path, *options).code == 0
    assert submitted(listed) == {"ada": "2026-10-25 13:05:00"}


def test_canvas_has_a_mark_for_late_and_no_times(listed: Class, call: Call, tmp_path: Path) -> None:
    with listed.gradebook() as gradebook:
        gradebook.update_or_create_assignment(LAB, duedate=parse_utc(DUE))
    right, wrong = notebook(listed, RIGHT), notebook(listed, WRONG)
    path = pack(
        tmp_path / "canvas.zip",
        {
            f"lovelaceada_4711_100_{FILE}": wrong,
            f"lovelaceada_4711_101_{LAB}-1.ipynb": right,
            f"muellerweisszoe_LATE_4712_102_{FILE}": right,
        },
    )
    roster = tmp_path / "grades.csv"
    roster.write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section,lab (1)\n"
        "    Points Possible,,,,,5\n"
        '"Müller, Zoë",4712,,zoe,A,\n',
        encoding="utf-8",
    )
    said = call("collect-zip", LAB, path, "--from", "canvas", "--roster", str(roster))
    assert said.code == 0, said.text
    assert "zoe: late by Canvas's mark" in said.text
    assert submitted(listed) == {"ada": "2026-10-31 12:00:00", "zoe": "2026-10-31 12:00:01"}
    assert listed.grade() == 0
    assert listed.students() == {"ada": POINTS, "zoe": POINTS}
    assert "LIT952" not in listed.record("ada").notices  # the number is Canvas's, not hers
    later = (2026, 11, 5, 10, 0, 0)
    pack(Path(path), {f"lovelaceada_4711_101_{LAB}-1.ipynb": right}, later)
    said = call("collect-zip", LAB, path, "--from", "canvas")  # downloaded again
    assert "0 new tries of 0 students, 1 known" in said.text


def test_somebody_else_of_the_same_name_takes_nobodys_place(
    listed: Class, call: Call, tmp_path: Path
) -> None:
    right, wrong = notebook(listed, RIGHT), notebook(listed, WRONG)
    canvas = pack(
        tmp_path / "canvas.zip",
        {f"lovelaceada_4711_100_{FILE}": right, f"lovelaceada_9999_200_{FILE}": wrong},
    )
    said = call("collect-zip", LAB, canvas, "--from", "canvas")
    assert (said.code, "not mapped: lovelaceada (9999)" in said.text) == (1, True)
    assert listed.grade() == 0
    assert listed.students() == {"ada": POINTS}
    moodle = pack(
        tmp_path / "moodle.zip",
        {f"Ada Lovelace_{n}_assignsubmission_file_/{FILE}": wrong for n in (1, 2)},
    )
    said = call("collect-zip", LAB, moodle, "--from", "moodle")
    assert (said.code, said.text.count("not mapped: Ada Lovelace")) == (1, 2)


def test_plain_takes_folders_files_and_addresses(listed: Class, call: Call, tmp_path: Path) -> None:
    right = notebook(listed, RIGHT)
    path = pack(
        tmp_path / "plain.zip",
        {f"ada/{FILE}": right, "Zoe Mueller.ipynb": right, f"kim1_{LAB}.ipynb": right,
         f"kim2/{FILE}": right, "kim2/data/x.csv": "1"},
    )  # fmt: skip
    said = call("collect-zip", LAB, path, "--from", "plain", "--timezone", "UTC")
    assert (said.code, said.text.count("not mapped: ")) == (1, 1)
    assert set(submitted(listed)) == {"ada", "kim1", "kim2"}
    assert (listed.root / "submitted/kim2" / LAB / "data/x.csv").is_file()


def test_the_newest_of_several_stays(listed: Class, call: Call, tmp_path: Path) -> None:
    old = pack(tmp_path / "old.zip", {f"ada/{FILE}": notebook(listed, WRONG)})
    new = pack(
        tmp_path / "new.zip", {f"ada/{FILE}": notebook(listed, RIGHT)}, (2026, 11, 2, 1, 0, 0)
    )
    for paths in ((new, old), (old, new)):
        call("collect-zip", LAB, *paths, "--from", "plain", "--timezone", "UTC")
    assert submitted(listed) == {"ada": "2026-11-02 01:00:00"}
    assert len(list((listed.root / "tries/ada" / LAB).glob("*Z"))) == 2
    assert listed.grade() == 0
    assert listed.students() == {"ada": POINTS}


def test_what_is_hostile_stays_out(listed: Class, call: Call, tmp_path: Path) -> None:
    (tmp_path / "gold").write_text("x", encoding="utf-8")
    right = notebook(listed, RIGHT)
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"ada/{FILE}", right)
        archive.writestr("../../gold", "taken")
        archive.writestr("ada/../../gold", "taken")
        link = zipfile.ZipInfo("ada/link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    said = call("collect-zip", LAB, str(path), "--from", "plain")
    assert said.code == 0
    assert "left out: ../../gold" in said.text
    files = [p.name for p in (listed.root / "submitted/ada" / LAB).rglob("*")]
    assert sorted(files) == [FILE, "timestamp.txt"]
    assert (tmp_path / "gold").read_text(encoding="utf-8") == "x"
    listed.settings("c.CourseDirectory.max_dir_size = 1")  # KB for each student
    bomb = pack(tmp_path / "bomb.zip", {f"zoe/{FILE}": "0" * 10**6})
    said = call("collect-zip", LAB, bomb, "--from", "plain")
    assert (said.code, "unpacks to more" in said.text) == (2, True)


def commit(clone: Path, files: dict[str, str], dated: str = "2026-11-01T12:00:00+02:00") -> None:
    """Make a repository with one commit."""
    clone.mkdir(parents=True)
    for name, text in files.items():
        (clone / name).write_text(text, encoding="utf-8")
    author = ("-c", "user.name=a", "-c", "user.email=a@x.org")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-qm", "done")):
        git(clone, *command, date=dated)


def git(clone: Path, *command: str, date: str = "", given: str = "") -> str:
    variables = {"GIT_COMMITTER_DATE": date, "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(
        ["git", *command], cwd=clone, check=True, env={**variables, "PATH": "/usr/bin:/bin"},
        input=given, capture_output=True, text=True,
    ).stdout  # fmt: skip


def test_a_folder_of_clones(listed: Class, call: Call, tmp_path: Path) -> None:
    clone = tmp_path / "clones" / f"{LAB}-ada"
    commit(clone, {FILE: notebook(listed, RIGHT)})
    (clone / FILE).write_text("not committed", encoding="utf-8")
    assert call("collect-zip", LAB, str(clone.parent), "--from", "git").code == 0
    assert submitted(listed) == {"ada": "2026-11-01 10:00:00"}
    assert listed.grade() == 0
    assert listed.students() == {"ada": POINTS}


def test_a_repository_that_was_copied_with_its_settings_runs_nothing(
    listed: Class, call: Call, tmp_path: Path
) -> None:
    """Such as the program that checks signatures, which git's log calls if a student says so."""
    clone, ran = tmp_path / "clones" / f"{LAB}-ada", tmp_path / "ran"
    commit(clone, {FILE: notebook(listed, RIGHT)})
    head, _, text = git(clone, "cat-file", "commit", "HEAD").partition("\n\n")
    sign = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    signed = git(clone, "hash-object", "-t", "commit", "-w", "--stdin",
                 given=f"{head}\n{sign}\n\n{text}")  # fmt: skip
    git(clone, "update-ref", "HEAD", signed.strip())
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n", encoding="utf-8")
    program.chmod(0o755)
    git(clone, "config", "gpg.program", str(program))
    git(clone, "config", "log.showSignature", "true")
    git(clone, "log", "-1")
    assert ran.exists(), "by hand it does run"
    ran.unlink()
    assert call("collect-zip", LAB, str(clone.parent), "--from", "git").code == 0
    assert not ran.exists()
    assert set(submitted(listed)) == {"ada"}


def test_a_repository_that_is_too_large_stops_nobody_else(
    listed: Class, call: Call, tmp_path: Path
) -> None:
    listed.settings("c.CourseDirectory.max_dir_size = 100")
    clones = tmp_path / "clones"
    commit(clones / "ada", {FILE: notebook(listed, RIGHT), "big.txt": "0" * 200_000})
    commit(clones / "zoe", {FILE: notebook(listed, RIGHT)})
    said = call("collect-zip", LAB, str(clones), "--from", "git")
    assert (said.code, "not mapped: ada (it unpacks to more" in said.text) == (1, True), said.text
    assert set(submitted(listed)) == {"zoe"}


def test_mistakes_name_the_next_step(call: Call, tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_text("x", encoding="utf-8")
    for arguments, text in (
        (("--from", "modle"), "Nearest first: moodle"),
        (("--from", "moodle"), "nbgrader db student import"),
        (("--from", "plain", "--timezone", "Mars"), "--timezone Europe/Zurich"),
        (("--from", "plain"), "it is no zip file"),
    ):
        said = call("collect-zip", LAB, str(tmp_path / "no.zip"), *arguments)
        assert (said.code, text in said.text) == (2, True), said.text
