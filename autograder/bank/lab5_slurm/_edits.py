"""Edits that several job scripts of the lab have in common."""

NODES = "#SBATCH --nodes=1"
TIME = "#SBATCH --time=01:00:00"
OUTPUT = "#SBATCH --output=%x-%j.out"
CORES = "#SBATCH --cpus-per-task=8"
HANDED_ON = "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK"
SHEBANG = "#!/bin/bash"


def name(job: str) -> str:
    """The directive of a job's name."""
    return f"#SBATCH --job-name={job}"


REFUSED = (
    ("minutes with a unit", "LIT5000", (TIME, "#SBATCH --time=60m")),
    ("an hour with a unit", "LIT5000", (TIME, "#SBATCH --time=1h")),
    ("an underscore", "LIT5001", (CORES, "#SBATCH --cpus_per_task=8")),
    ("an option cut short", "LIT5001", (NODES, "#SBATCH --node=1")),
    ("blanks around =", "LIT5005", (NODES, "#SBATCH --nodes = 1")),
    ("a partition of 30 minutes", "LIT5002", (NODES, f"{NODES} --partition=debug")),
    ("a partition that is not there", "LIT5004", (NODES, f"{NODES} --partition=gpus")),
    ("more cores than a node has", "LIT5004", (CORES, "#SBATCH --cpus-per-task=80")),
    ("a line above the first", "LIT5003", (SHEBANG, f"\n{SHEBANG}")),
)
"""Directives that sbatch refuses: name, finding, edit."""

IDLE = (
    ("a log in a folder that is not there", "LIT5006", (OUTPUT, "#SBATCH --output=logs/%x-%j.out")),
    ("a log in the home, by a tilde", "LIT5006", (OUTPUT, "#SBATCH --output=~/logs/%x-%j.out")),
    ("a program that is not there", "LIT5010", ("train.py", "training.py")),
    ("a module in place of the file", "LIT5010", ("python train.py", "python -m train")),
    ("a command mistyped", "LIT5011", ("srun ", "sruns ")),
    ("commands in comments", "LIT5008", ("srun ", "# srun ")),
    ("a command in the step that is not there", "LIT5009", ("python train", "pyton train")),
)
"""Jobs that are accepted and do not run the program."""


def late(first: str) -> tuple[str, str]:
    """The edit that puts a command above the directives."""
    return SHEBANG, f"{SHEBANG}\n{first}"
