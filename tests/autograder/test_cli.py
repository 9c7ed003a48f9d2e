"""The commands `autograder` and `litcourse`: exit codes, and messages in place of tracebacks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder.building import build as builder
from autograder.building.scaffold import scaffold
from autograder.cli import app
from autograder.course import AuthorError, Course, LockedError
from litcourse.cli import main
from litcourse.clusters import ClusterError
from litcourse.core.exit_codes import ExitCode
from litcourse.core.names import UnknownNameError
from litcourse.sharding import ShardingError

COMMANDS = ("build", "verify", "demo", "new", "explain", "bench")


def call(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def here(tiny: Course, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.chdir(tiny.root / "source")
    return tiny


def test_help_lists_every_command() -> None:
    code, out, _ = call("--help")
    assert code == 0
    assert all(name in out for name in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, autograder.cli; print(set(sys.modules) & {'torch','nbgrader','nbformat'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_build_works_from_any_folder_of_the_course(here: Course) -> None:
    code, out, _ = call("build")
    assert code == 0
    assert "lab0_tiny.ipynb" in out
    assert (here.root / "release/lab0_tiny/lab0_tiny.ipynb").is_file()
    assert (here.root / "dist/otter/lab0_tiny.zip").is_file()


def test_build_says_which_files_are_for_students(here: Course) -> None:
    _, out, _ = call("build")
    lines = out.splitlines()
    (archive,) = (here.root / "dist/students").glob("lightning-course-*.zip")
    assert f"wrote {archive} (for students)" in lines
    assert f"wrote {here.root / 'dist/otter/lab0_tiny.zip'} (not for students)" in lines
    scaffold(here, "lab1_more", "add_two")
    before = archive.read_bytes()
    code, out, _ = call("build", "lab0_tiny")
    assert code == 0
    assert f"left {archive.parent} as it was: the archive takes a build of all labs" in out
    assert archive.read_bytes() == before


def test_build_leaves_assignments_of_nbgrader_alone(here: Course) -> None:
    for place in ("source/hw1", "release/hw1"):
        (here.root / place).mkdir(parents=True)
        (here.root / place / "hw1.ipynb").write_text("theirs")
    code, _, err = call("build")
    assert code == 0
    assert "source/hw1: it is no lab of litcourse" in err
    assert (here.root / "release/hw1/hw1.ipynb").read_text() == "theirs"
    assert call("build", "--check")[0] == 0
    code, _, err = call("build", "hw1")
    assert code == 2
    assert "hw1 is no lab of litcourse\n  Next: " in err


@pytest.mark.usefixtures("here")
def test_an_error_is_an_object_where_json_is_asked_for() -> None:
    code, out, err = call("grade", "lab0_tinny", "--json")
    assert code == 2
    assert json.loads(out)["error"].startswith("There is no lab 'lab0_tinny'")
    assert "lab0_tinny" in err
    assert call("grade", "lab0_tinny")[1] == ""


def test_build_check_fails_with_a_diff(here: Course) -> None:
    call("build")
    assert call("build", "--check")[0] == 0
    (here.root / "release/requirements.txt").write_text("nothing\n")
    code, out, err = call("build", "--check")
    assert code == 1
    assert "-nothing" in out
    assert "Next: make release" in err


def test_build_writes_elsewhere(here: Course, tmp_path: Path) -> None:
    assert call("build", "--out", str(tmp_path / "elsewhere"))[0] == 0
    assert (tmp_path / "elsewhere/release/README.md").is_file()
    assert [*(tmp_path / "elsewhere/dist/students").glob("*.zip")]
    assert not (here.root / "dist").exists()
    assert not (here.root / "release").exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", [("build", "lab0_tinny"), ("explain", "LIT9O0")])
def test_an_unknown_name_lists_the_known_ones(command: tuple[str, ...]) -> None:
    code, _, err = call(*command)
    assert code == 2
    assert "Nearest first: " in err
    assert {"build": "lab0_tiny", "explain": "LIT900"}[command[0]] in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("here")
def test_an_author_error_is_one_message() -> None:
    code, _, err = call("new", "lab0_tiny", "add_one")
    assert code == 2
    assert err.count("\n  Next: ") == 1
    assert "Traceback" not in err


def test_new_says_what_was_made_and_what_is_next(here: Course) -> None:
    code, out, _ = call("new", "lab0_tiny", "add_two")
    assert code == 0
    assert "wrote litcourse/labs/lab0_tiny/add_two.py" in out
    assert "litcourse/feedback/findings/lab0_tiny.toml, the catalogue" in out
    assert "docs/labs.md" in out
    assert "make verify LAB=lab0_tiny Q=add_two" in out
    assert (here.root / "autograder/bank/lab0_tiny/add_two.py").is_file()


def test_new_takes_a_place_and_a_kind(here: Course) -> None:
    assert call("new", "lab0_tiny", "add_three")[0] == 0
    arguments = ("new", "lab0_tiny", "add_two", "--after", "add_one", "--kind", "callback")
    assert call(*arguments)[0] == 0
    assert list(here.lab("lab0_tiny").questions) == ["add_one", "add_two", "add_three"]
    assert "class AddTwo(L.Callback)" in here.lab("lab0_tiny").questions["add_two"].solution


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("option", "told"),
    [
        (("--after", "ad_one"), "Nearest first: add_one"),
        (("--kind", "clas"), "Nearest first: class, "),
    ],
)
def test_new_answers_a_mistyped_option(option: tuple[str, str], told: str) -> None:
    code, _, err = call("new", "lab0_tiny", "add_two", *option)
    assert code == 2
    assert told in err
    assert "Traceback" not in err


def test_make_hands_its_variables_down(root: Path) -> None:
    line = ("LAB=lab0_tiny", "Q=add_two")
    for target, more, wanted in (
        ("verify", ["SEEDS=3"], "verify lab0_tiny --question add_two --seeds 3"),
        ("verify", [], "verify lab0_tiny --question add_two"),
        (
            "new",
            ["AFTER=add_one", "KIND=file"],
            "new lab0_tiny add_two --after add_one --kind file",
        ),
        ("new", [], "new lab0_tiny add_two"),
    ):
        command = ["make", "-n", "-o", "setup", "-o", ".venv/.ready", target, *line, *more]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        assert f".venv/bin/autograder {wanted}" in " ".join(done.stdout.split())


def test_outside_of_a_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call("build")
    assert code == 2
    assert "no source/" in err


def test_explain_tells_what_the_catalogue_says() -> None:
    code, out, _ = call("explain", "lit900")
    assert code == 0
    assert "Not solved yet" in out


# --- exit codes ------------------------------------------------------------------------------


def test_the_table_in_the_docs_lists_all_exit_codes(root: Path) -> None:
    text = (root / "docs/grading.md").read_text(encoding="utf-8")
    _, _, table = text.partition("| exit code | when |\n|---|---|\n")
    rows = table.partition("\n\n")[0].splitlines()
    assert [int(row.split("|")[1]) for row in rows] == [code.value for code in ExitCode]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AuthorError("a.py", "", "a fault", "mend it"), 2),
        (UnknownNameError("lab", "lab9", ["lab1"]), 2),
        (LockedError("lock", "", "a run is under way", "wait"), 3),
        (ClusterError("Trainer.world_size", "is 1 where 8 is right"), 64),
        (ShardingError("torch.name", "is not there any more"), 64),
        (KeyboardInterrupt(), 130),
    ],
)
@pytest.mark.usefixtures("here")
def test_each_error_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr(builder, "build", fail)
    assert call("build")[0] == code


@pytest.mark.usefixtures("here")
def test_a_mistyped_option_is_a_mistake() -> None:
    assert call("build", "--chekc")[0] == ExitCode.MISTAKE


# --- the students' command -----------------------------------------------------------------


def test_students_ask_for_one_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "LIT900"]) == 0
    assert "What to do:" in capsys.readouterr().out


def test_students_get_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    assert "LIT900  Not solved yet" in capsys.readouterr().out


def test_students_mistype(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "LIT9O0"]) == 2
    assert "LIT900" in capsys.readouterr().err


def test_students_forget_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "explain" in capsys.readouterr().err


def test_the_students_command_imports_no_torch() -> None:
    code = "import sys; from litcourse.cli import main; main(['explain']);"
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
