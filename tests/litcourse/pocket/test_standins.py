"""Commands of a job that would otherwise go by another clock, or reach other machines."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from litcourse.pocket import Outcome, Setting, Training, run_script

HEAD = "#!/bin/bash\n#SBATCH -N1 --ntasks-per-node=2 --gpus-per-node=2 --time=60 --output=log\n"
TRAIN = "srun python train.py --devices 2"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.py").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def run(folder: Path, body: str, job_id: int = 4711) -> Outcome:
    setting = Setting(job_id=job_id, program=Training(0.5))
    return run_script(HEAD + body, folder, setting=setting)


def lines(folder: Path, body: str, job_id: int = 4711) -> list[str]:
    return run(folder, body, job_id).outputs["log"].splitlines()


def test_date_goes_by_the_jobs_clock(tmp_path: Path) -> None:
    body = "date +%F_%T\nsleep 40m\ndate +%F_%T\ndate --utc +%s | wc -l\n"
    first, second, _ = lines(tmp_path, body)
    assert (first[11:], second[11:]) == ("23:30:00", "00:10:00")
    assert first[:10] != second[:10]  # a folder that is named by the day is another one
    assert lines(tmp_path, body, job_id=4712)[0] != first


def test_a_date_that_is_none_is_refused(tmp_path: Path) -> None:
    assert "nonsense" in lines(tmp_path, "date --date=nonsense\n")[0]


@pytest.mark.parametrize(
    ("body", "code", "moment"),
    [
        (f"timeout 10m {TRAIN}", 124, 600.0),
        (f"timeout --signal=KILL 10m {TRAIN}", 137, 600.0),
        (f"timeout --preserve-status -s USR2 600 {TRAIN}", 140, 600.0),
        (f"timeout -k 5 50m {TRAIN}", 0, 1800.0),
        ("timeout 5 sleep 10", 124, 5.0),
        ("timeout 5 sh -c 'exit 3'", 3, 0.0),
        ("timeout --nonsense", 125, 0.0),
    ],
)
def test_timeout_goes_by_the_jobs_clock(
    tmp_path: Path, body: str, code: int, moment: float
) -> None:
    outcome = run(tmp_path, f"{body}\n")
    ended = next(event for event in outcome.clock if event.what == "ended")
    assert (outcome.exit_code, ended.seconds) == (f"{code}:0", moment), outcome.outputs


def test_other_machines_are_not_reached(tmp_path: Path) -> None:
    said = lines(tmp_path, "ssh n2 hostname\nsrun ssh n2 hostname\nsalloc -N 2\n")
    assert "ssh: command not found" in said[0]
    assert any("execve(): ssh: No such file or directory" in line for line in said)
    assert any("does not emulate `salloc" in line for line in said)


def test_steps_that_end_at_once_beside_each_other(tmp_path: Path) -> None:
    body = "for i in 0 1 2 3; do srun -n1 --exact python train.py --devices 9 & done\nwait\n"
    outcome = run(tmp_path, body)
    assert (outcome.state, len(outcome.processes)) == ("COMPLETED", 4)


def test_a_step_runs_in_the_folder_of_its_chdir(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    outcome = run(tmp_path, f"{TRAIN.replace('srun', 'srun --chdir=sub')}\nsrun -D sub pwd\n")
    assert {Path(one.cwd).name for one in outcome.processes} == {"sub"}
    assert sum(line.endswith("/sub") for line in outcome.outputs["log"].splitlines()) == 2
    assert "couldn't chdir" in lines(tmp_path, "srun -n1 -D nowhere pwd\n")[0]
