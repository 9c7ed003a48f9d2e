"""Our own job scripts and the profiles of sites, in the pocket Slurm: no Slurm is needed."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from litcourse.pocket import Machine, Outcome, Partition, Setting, lightning_under_slurm, run_script
from litcourse.pocket.machine import COURSE
from litcourse.pocket.running.launches import Rank
from tests.litcourse.pocket.corpus import Recorder

ROOT = Path(__file__).resolve().parents[2]
SITES = sorted((ROOT / "slurm/sites").glob("*.env"))
SCRIPTS = sorted((ROOT / "slurm").glob("*.sbatch"))
TRAINING = [path for path in SCRIPTS if path.stem != "grade"]
SIZES = ("--nodes=1", "--nodes=8", "--nodes=2 --ntasks-per-node=8 --gpus-per-node=8")
NODES = [path for path in TRAINING if "_nodes" in path.stem or path.stem == "requeue"]
EXPORT = re.compile(r'export (\w+)=("[^"]*"|[\w.,/-]+)( +# .*)?')
READ = {"SBATCH_ACCOUNT", "SBATCH_PARTITION", "SBATCH_QOS", "MODULES", "VENV"}
"""Variables that sbatch or our scripts read."""
ADDRESSES = re.compile(r"https://[^\s),]+")


@dataclass
class Ran:
    """A script that was submitted: what the pocket says, and what was started."""

    outcome: Outcome
    ranks: list[Rank]
    log: str


def submit(
    script: Path,
    folder: Path,
    *options: str,
    arguments: tuple[str, ...] = (),
    shell: dict[str, str] | None = None,
    machine: Machine = COURSE,
) -> Ran:
    """Submit a script from a folder with an environment in which there is `autograder`."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
    (programs / "autograder").write_text('#!/bin/sh\necho "autograder $*"\n')
    (programs / "autograder").chmod(0o755)
    program = Recorder()
    plain = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "USER": "student", "LANG": "C"}
    outcome = run_script(
        script.read_text(), folder, name=script.name, options=options, arguments=arguments,
        shell=plain | (shell or {}), setting=Setting(program=program, machine=machine),
    )  # fmt: skip
    ranks = [rank for rank, _, _ in program.seen]
    return Ran(outcome, ranks, "".join(outcome.outputs.values()))


def argument(rank: Rank, name: str) -> str:
    """The value of an argument of the program, e.g. of `--trainer.devices`."""
    words = list(rank.words)
    return words[words.index(name) + 1] if name in words else ""


def check_ranks(ran: Ran) -> None:
    """All ranks that were asked for come together, on a GPU each if the job has any."""
    assert (ran.outcome.state, ran.outcome.exit_code) == ("COMPLETED", "0:0"), ran.log
    assert not ran.outcome.beyond
    allocation = ran.outcome.allocation
    assert allocation is not None
    shares = {share.node: share for share in allocation.shares}
    found = []
    for rank in ran.ranks:
        gpus = shares[rank.node].gpus_held
        devices = argument(rank, "--trainer.devices")
        nodes = argument(rank, "--trainer.num_nodes")
        place = lightning_under_slurm(
            rank.environment, int(devices) if devices else None, int(nodes or 1), gpus
        )
        assert not place.error, place.text
        assert place.world == len(ran.ranks)
        found.append(place)
    assert sorted(place.rank for place in found) == list(range(len(ran.ranks)))
    assert sum(share.tasks for share in allocation.shares) == len(ran.ranks)
    assert {place.address for place in found} == {allocation.nodes[0]}
    for share in shares.values():
        assert share.gpus_held in {share.tasks, 0}
    for process in ran.outcome.processes:
        assert process.cores == allocation.request.cores > 1


@pytest.mark.parametrize("script", TRAINING, ids=lambda path: path.stem)
def test_ranks_of_our_scripts_come_together(script: Path, tmp_path: Path) -> None:
    ran = submit(script, tmp_path, arguments=("--trainer.max_epochs=3",))
    check_ranks(ran)
    assert all(rank.words[-1] == "--trainer.max_epochs=3" for rank in ran.ranks)
    # What the header says: the log beside the submission, a run folder of the job's own.
    assert ran.outcome.log == f"{script.stem.replace('_', '-')}-4711.out"
    assert {argument(rank, "--run_dir") for rank in ran.ranks} == {
        f"runs/{script.stem.replace('_', '-')}-4711"
    }


@pytest.mark.parametrize("script", NODES, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", SIZES)
def test_our_scripts_take_their_size_from_the_command_line(
    script: Path, size: str, tmp_path: Path
) -> None:
    ran = submit(script, tmp_path, *size.split())
    check_ranks(ran)
    allocation = ran.outcome.allocation
    assert allocation is not None
    assert f"--nodes={len(allocation.nodes)}" in size


def test_requeue_is_warned_and_comes_back(tmp_path: Path) -> None:
    """Its ranks wait in the first run; the signal comes by the script's own --signal."""
    script = ROOT / "slurm/requeue.sbatch"
    program = Recorder(waits=True)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/activate").touch()
    outcome = run_script(
        script.read_text(), tmp_path, name=script.name, setting=Setting(program=program)
    )
    assert (outcome.state, outcome.restarts) == ("COMPLETED", 1)
    assert sum("USR1" in note for note in program.notes) == 4
    folders = {argument(rank, "--run_dir") for rank, _, _ in program.seen}
    assert folders == {"runs/requeue-4711"}
    log = "".join(outcome.outputs.values())
    assert log.count("ran python -m reference.cifar10") == 8  # that of the first run is kept


@pytest.mark.parametrize(
    ("options", "words"),
    [((), "--jobs 24"), (("--array=1-8%4",), "--jobs 24 --shard 1/8"),
     (("--array=3", "--cpus-per-task=2"), "--jobs 6 --shard 1/1")],
)  # fmt: skip
def test_grade_gives_each_task_its_part(
    options: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    script = ROOT / "slurm/grade.sbatch"
    ran = submit(script, tmp_path, *options, arguments=("lab1_mnist",))
    assert f"autograder grade lab1_mnist {words}\n" in ran.log
    assert ran.outcome.state == "COMPLETED"


# --- sites ---------------------------------------------------------------------------------------


def exported(site: Path, **shell: str) -> dict[str, str]:
    """What a shell exports after it has sourced a profile, PATH and its like left out.

    Raises:
        subprocess.CalledProcessError: the profile asks for something that is not set.
    """
    words = ["bash", "-ec", f'source "{site}"; env -0']
    done = subprocess.run(words, env=shell, capture_output=True, text=True, check=True)
    pairs = dict(item.split("=", 1) for item in done.stdout.split("\0") if item)
    return {name: value for name, value in pairs.items() if name not in {"PWD", "SHLVL", "_"}}


def test_there_are_the_sites_that_the_readme_lists() -> None:
    text = (ROOT / "slurm/README.md").read_text()
    listed = re.findall(r"\(sites/(\w+)\.env\)", text)
    assert sorted(listed) == [site.stem for site in SITES]
    assert len(SITES) == 5


@pytest.mark.parametrize("site", SITES, ids=lambda path: path.stem)
def test_a_profile_says_what_it_follows_and_exports_only_what_is_read(site: Path) -> None:
    text = site.read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    names = set()
    for line in lines:
        found = EXPORT.fullmatch(line)
        assert found, line
        names.add(found[1])
    network = {name for name in names if name.startswith(("NCCL_", "GLOO_"))}
    assert names - network <= READ
    assert re.search(r"^# Follows  \S", text, re.MULTILINE)
    if site.stem != "generic":
        assert text.splitlines()[0].endswith("NOT RUN BY US.")
        assert ADDRESSES.search(text)
        assert {"SBATCH_PARTITION", "MODULES", "NCCL_SOCKET_IFNAME"} <= names


@pytest.mark.parametrize("site", SITES, ids=lambda path: path.stem)
def test_a_profile_asks_for_what_it_can_not_know(site: Path) -> None:
    if "SBATCH_ACCOUNT:?" not in site.read_text():
        return
    with pytest.raises(subprocess.CalledProcessError) as caught:
        exported(site)
    assert "SBATCH_ACCOUNT: set it to your project" in caught.value.stderr


@pytest.mark.parametrize("site", SITES, ids=lambda path: path.stem)
@pytest.mark.parametrize("name", ["ddp_nodes", "cpu"])
def test_our_scripts_run_with_a_profile(site: Path, name: str, tmp_path: Path) -> None:
    shell = exported(site, SBATCH_ACCOUNT="project_1")
    partition = Partition(shell.get("SBATCH_PARTITION", "gpu"), 16, 8, 24 * 60)
    machine = Machine(partitions=(Partition("login", 1, 1, 10), partition))
    if site.stem == "generic":
        machine = COURSE
    ran = submit(ROOT / f"slurm/{name}.sbatch", tmp_path, shell=shell, machine=machine)
    check_ranks(ran)
    for rank in ran.ranks:
        seen = rank.environment
        assert seen["SLURM_JOB_ACCOUNT"] == "project_1"
        assert seen["SLURM_JOB_PARTITION"] == shell.get("SBATCH_PARTITION", "gpu")
        for variable in shell:
            assert seen[variable] == shell[variable]
