"""What decides on a question's results: found in its imports, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import litcourse
from autograder.course import Course
from autograder.verifying import dependencies
from autograder.verifying.dependencies import digest_of_question, find_files

OURS = Path(litcourse.__file__).parent
LAB, QUESTION = "lab0_tiny", "add_one"


def found(*names: str) -> set[str]:
    files = find_files(names)
    return {str(path.relative_to(OURS)) for path in files if path.is_relative_to(OURS)}


@pytest.mark.parametrize(
    ("question", "wanted", "foreign"),
    [
        ("lab5_slurm.one_gpu", "pocket/options.py", "labs/lab5_slurm/from_env.py"),
        ("lab5_slurm.requeue", "pocket/job.py", "labs/lab5_slurm/diagnose.py"),
        ("lab1_mnist.datamodule", "embedded/digits.npz", "pocket/options.py"),
        ("lab2_cifar10.script", "scripts/interruption.py", "labs/lab2_cifar10/converge"),
        ("lab4_fsdp.fsdp2", "sharding/fsdp2_exactness.py", "requeue/__init__.py"),
    ],
)
def test_it_is_what_a_question_imports(question: str, wanted: str, foreign: str) -> None:
    """Of `script` a command line alone names what is wanted."""
    files = found(f"litcourse.labs.{question}")
    assert wanted in files
    assert not [path for path in files if path.startswith(foreign)]
    assert not [path for path in files if path.startswith("feedback")]


def test_every_module_that_python_imports_is_found() -> None:
    """The words of findings decide on no score; lists of all labs are found by their folders."""
    name = "litcourse.labs.lab3_ddp.sampler"
    code = f"import {name}, sys; print(*[m for m in sys.modules if m.startswith('litcourse')])"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    modules = [m for m in ran.stdout.split() if not m.startswith("litcourse.feedback")]
    paths = {m.replace(".", "/").removeprefix("litcourse").lstrip("/") for m in modules}
    files = found(name)
    assert len(paths) > 10
    assert [p for p in paths if not {f"{p}.py", f"{p}/__init__.py".lstrip("/")} & files] == []


@pytest.mark.parametrize("what", ["module", "import", "data", "package"])
def test_a_change_of_any_of_these_is_seen(tiny: Course, what: str) -> None:
    lab = tiny.lab(LAB)
    package = tiny.root / f"litcourse/labs/{LAB}"
    source = package / f"{QUESTION}.py"
    source.write_text(
        f"from litcourse.labs.{LAB}._helper import HELP\n{source.read_text('utf-8')}", "utf-8"
    )
    (package / "_helper.py").write_text("HELP = 1\n", "utf-8")
    (package / "table.toml").write_text("a = 1\n", "utf-8")
    before = digest_of_question(lab, QUESTION)
    assert digest_of_question(lab, QUESTION) == before
    (package / "other.py").write_text("OTHER = 1\n", "utf-8")
    assert digest_of_question(lab, QUESTION) == before
    names = {"module": source.name, "import": "_helper.py", "data": "table.toml"}
    with (package / names.get(what, "__init__.py")).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert digest_of_question(lab, QUESTION) != before


def test_versions_decide_and_other_questions_do_not(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Course(root).lab("lab1_mnist")
    before = {name: digest_of_question(lab, name) for name in lab.questions}
    assert len(set(before.values())) == len(before)
    monkeypatch.setattr(dependencies, "version", lambda _: "9.9")
    assert not set(before.values()) & {digest_of_question(lab, name) for name in lab.questions}
