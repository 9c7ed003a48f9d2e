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
    ("lines as Windows ends them", "LIT5003", (f"{SHEBANG}\n", f"{SHEBANG}\r\n")),
    ("a byte-order mark", "LIT5003", (SHEBANG, f"\ufeff{SHEBANG}")),
    ("one hyphen", "LIT5000", (TIME, "#SBATCH -time=01:00:00")),
    ("a value in two words", "LIT5001", (TIME, f"{TIME} --comment=one GPU")),
    ("memory in two ways", "LIT5005", (TIME, f"{TIME} --mem-per-cpu=4G --mem-per-gpu=32G")),
    ("a GPU that nobody has", "LIT5004", (TIME, f"{TIME} --constraint=v100")),
)
"""Directives that sbatch refuses: name, finding, edit."""

IDLE = (
    ("a log in a folder that is not there", "LIT5006", (OUTPUT, "#SBATCH --output=logs/%x-%j.out")),
    ("a log in the home, by a tilde", "LIT5006", (OUTPUT, "#SBATCH --output=~/logs/%x-%j.out")),
    ("a program that is not there", "LIT5010", ("train.py", "training.py")),
    ("a module in place of the file", "LIT5010", ("python train.py", "python -m train")),
    ("a command mistyped", "LIT5011", ("srun ", "sruns ")),
    ("commands in comments", "LIT5008", ("srun ", "# srun ")),
    ("a command in the step that is not there", "LIT5018", ("python train", "pyton train")),
    ("nothing exported", "LIT5018", (TIME, f"{TIME} --export=NONE")),
    ("nothing exported to the step", "LIT5018", ("srun ", "srun --export=NONE ")),
    (
        "another environment, and set -e",
        "LIT5013",
        ("srun ", "set -e\nsource venv/bin/activate\nsrun "),
    ),
    ("a quote left open", "LIT5013", ("srun ", 'echo "starting\nsrun ')),
    ("an if without fi", "LIT5013", ("srun ", "if [ -f train.py ]; then\nsrun ")),
    ("an unset variable", "LIT5013", ("srun ", "set -u\nsrun --job-name=$NAME ")),
    ("submits another job", "LIT5014", ("srun ", "sbatch train.sbatch\nexit\nsrun ")),
    ("printed by a here-document", "LIT5008", ("srun ", "cat <<EOF\necho\nEOF\nexit\nsrun ")),
    (
        "torch's launcher as a module",
        "LIT5010",
        ("python train", "python -m torch.distributed.run train"),
    ),
    ("by mpirun", "LIT5011", ("srun ", "mpirun ")),
    (
        "over ssh",
        "LIT5011",
        (
            "srun ",
            "for host in $(scontrol show hostnames); do ssh $host hostname; done\nexit\nsrun ",
        ),
    ),
)
"""Jobs that are accepted and do not run the program."""


UNREAD = (
    ("directives below a command", "LIT5015", (SHEBANG, f"{SHEBANG}\nset -e")),
    ("directives below a module", "LIT5015", (SHEBANG, f"{SHEBANG}\nmodule load python")),
    ("directives below cd", "LIT5015", (SHEBANG, f"{SHEBANG}\ncd $SLURM_SUBMIT_DIR")),
    ("a time commented out", "LIT5015", (TIME, "# SBATCH --time=01:00:00")),
    ("a time commented out twice", "LIT5015", (TIME, "##SBATCH --time=01:00:00")),
)
"""Directives that are not read."""

ASTRAY = (
    ("another folder", "LIT5016", ("srun ", "cd /tmp\nsrun ")),
    ("another folder for the step", "LIT5016", ("srun ", "srun --chdir=/tmp ")),
    ("ended after a minute", "LIT5035", ("srun ", "timeout 1m srun ")),
)
"""Jobs that train not quite as meant."""
