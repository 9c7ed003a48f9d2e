"""The bundle for Gradescope holds all that its image needs, and runs where nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from autograder.bank import without_markers
from autograder.building.otter_bundle import PINNED, build_bundle
from autograder.course import Course
from autograder.demo.made_up_students import fill_notebook
from tests.course import LABS


def test_it_asks_for_its_own_wheel_and_exact_versions(tiny: Course, tmp_path: Path) -> None:
    path = build_bundle(tiny.lab("lab0_tiny"), tmp_path)
    with zipfile.ZipFile(path) as bundle:
        members = {info.filename: info for info in bundle.infolist()}
        asked = bundle.read("requirements.txt").decode().splitlines()
        environment = [
            line.strip(" -") for line in bundle.read("environment.yml").decode().split("\n")
        ]
    wheel, *pinned = asked
    assert wheel.removeprefix("./") in members
    assert [line.partition("==")[0] for line in pinned] == list(PINNED)
    assert not any("+" in line or "/" in line for line in pinned)
    gradescopes = f"/autograder/source/{wheel.removeprefix('./')}"
    assert {"python=3.11", gradescopes, *pinned} <= set(environment)
    programs = {n for n, info in members.items() if (info.external_attr >> 16) & 0o111}
    assert programs == {"setup.sh", "run_autograder"}


@pytest.mark.release
def test_it_runs_in_a_bare_environment(tmp_path: Path) -> None:
    """Of a lab, in a new environment that is made from what the bundle itself asks for."""
    lab = LABS["lab1_mnist"]
    path = build_bundle(lab, tmp_path)
    place = tmp_path / "source"
    with zipfile.ZipFile(path) as bundle:
        bundle.extractall(place)
    environment = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "-r", "requirements.txt"]
    subprocess.run(install, cwd=place, check=True)
    solution = {n: without_markers(cells.solution) for n, cells in lab.questions.items()}
    nbformat.write(fill_notebook(lab.notebook, solution), tmp_path / "submission.ipynb")
    variables = {**os.environ, "PATH": f"{environment / 'bin'}{os.pathsep}/usr/bin:/bin"}
    variables.pop("PYTHONPATH", None)
    command = [str(environment / "bin/otter"), "run", "-a", str(path), "submission.ipynb"]
    done = subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["tests"]
    got = sum(test.get("score", 0) for test in found)
    assert got == pytest.approx(sum(cells.points for cells in lab.questions.values())), found
