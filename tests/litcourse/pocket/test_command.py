"""The command `litcourse sbatch`."""

from __future__ import annotations

from pathlib import Path

import pytest

from litcourse.cli import main
from litcourse.pocket import Answer, Outcome, Setting, command, run_script
from litcourse.pocket.drawing import picture, svg, table

SCRIPT = """\
#!/bin/bash
#SBATCH -N2 --ntasks-per-node=2 --gpus-per-node=2 -c 4
srun python train.py --devices 2 --num_nodes 2
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "train.py").touch()
    (tmp_path / "job.sbatch").write_text(SCRIPT)


def test_ids_count_on_and_the_log_lies_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sbatch", "job.sbatch"]) == 0
    assert main(["sbatch", "--", "--parsable", "job.sbatch"]) == 0
    assert capsys.readouterr().out == "Submitted batch job 1001\n1002\n"
    assert "MEMBER: 4/4" in (tmp_path / "slurm-1002.out").read_text()


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--bogus", "job.sbatch"], 255, "unrecognized option '--bogus'"),
        (["nothing.sbatch"], 1, "Unable to open file nothing.sbatch"),
        (["-t", "2-0", "job.sbatch"], 1, "Requested time limit is invalid"),
        (["--wrap", "exit 3"], 0, ""),
        (["--wait", "--wrap", "exit 3"], 3, ""),
        (["--array=0-3", "job.sbatch"], 64, "only number 0 is run"),
        (["--cpu-freq=low", "job.sbatch"], 64, "the pocket does not emulate --cpu-freq"),
    ],
)
def test_exit_codes(
    words: list[str], code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sbatch", *words]) == code
    assert text in capsys.readouterr().err


def test_it_says_which_limit_a_job_met(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Outcome(Answer(("sbatch",), 0, "Submitted batch job 1001\n"))
    monkeypatch.setattr(command, "run_script", lambda *_, **__: found)
    for name in ("processor", "time", "processes", "restarts"):
        found.stopped = name
        assert main(["sbatch", "job.sbatch"]) == 64
    said = capsys.readouterr().err.splitlines()
    assert "the job was stopped: its processes have used 10 s of processor time" in said[0]
    assert "it has run for 60 s" in said[1]
    assert "more than 200 processes" in said[2]
    assert "queued again too often" in said[3]


def test_help_says_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sbatch", "--help"]) == 0
    assert "Slurm 22.05" in capsys.readouterr().out


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sbatch", "--explain", "job.sbatch"]) == 0
    text = capsys.readouterr().out
    assert "2 nodes, 16 cores, 4 GPUs" in text
    assert "rank 3: GPU 0,1, 1 core" in text
    assert "COMPLETED 0:0, log: slurm-1001.out" in text


def outcome(folder: Path) -> Outcome:
    return run_script(SCRIPT, folder, setting=Setting(first_nodes=("n5",)))


def test_the_pictures_show_nodes_gpus_and_ranks(tmp_path: Path) -> None:
    found = outcome(tmp_path)
    assert picture(found).count("n5") == 1
    assert table(found).count("python train.py") == 4
    drawn = svg(found)
    assert drawn.startswith("<svg")
    assert drawn.count('class="g"') == 4
    assert drawn.count("rank ") == 4


def test_evidence_is_plain_data(tmp_path: Path) -> None:
    tree = outcome(tmp_path).as_tree()
    assert tree["allocation"]["nodes"] == ["n5", "n6"]
    assert tree["allocation"]["gpus_held"] == [2, 2]
    assert tree["processes"][3]["environment"]["SLURM_PROCID"] == "3"
    assert tree["log"] in tree["outputs"]
