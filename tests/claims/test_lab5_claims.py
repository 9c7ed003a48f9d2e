"""What lab 5 says of shells and of Lightning under Slurm that can be shown without a cluster."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from litcourse.core.environment import only_variables

pytestmark = pytest.mark.filterwarnings("ignore")


def becomes_python(command: str) -> bool:
    """Whether the shell that runs `command` is the process in which python runs."""
    with subprocess.Popen(["bash", "-c", command], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        return int(shell.stdout.read().split()[0]) == shell.pid


def test_a_shell_between_srun_and_python() -> None:
    """A shell that stays between `srun` and `python` … gets the signal, too, and dies of it: write
    `exec` before `python` there.
    """
    says_its_number = shlex.join([sys.executable, "-c", "import os; print(os.getpid())"])
    assert becomes_python(says_its_number)  # bash saves itself the process: nobody stays
    assert not becomes_python(f"{says_its_number}; date")
    assert becomes_python(f"date >/dev/null; exec {says_its_number}; date")


@pytest.mark.parametrize(
    ("name", "looks"), [("bash", False), ("interactive", False), ("spawner-jupyterhub", True)]
)
def test_shells_and_notebooks_in_a_job(name: str, *, looks: bool) -> None:
    """Lightning does not look at Slurm there … A JupyterHub's job has another name. There it does
    look.
    """
    with only_variables({"SLURM_NTASKS": "1", "SLURM_JOB_NAME": name}):
        assert SLURMEnvironment.detect() is looks
