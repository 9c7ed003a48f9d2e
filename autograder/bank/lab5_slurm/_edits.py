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
    ("a value in two words", "LIT5062", (TIME, f"{TIME} --comment=one GPU")),
    ("blanks around = of a text", "LIT5062", (OUTPUT, "#SBATCH --output = %x-%j.out")),
    ("a variable in a directive", "LIT5005", (NODES, "#SBATCH --nodes=$N")),
    ("a signal in minutes", "LIT5005", (TIME, f"{TIME} --signal=USR1@5m")),
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
    ("no python", "LIT5063", ("python train", "train")),
    ("no python, and a path", "LIT5063", ("python train", "./train")),
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
    ("from the home", "LIT5016", ("srun ", "cd\nsrun ")),
    ("the program of the home", "LIT5016", ("python train", "python ~/train")),
    ("ended after a minute", "LIT5035", ("srun ", "timeout 1m srun ")),
)
"""Jobs that train not quite as meant."""


def failures_shown(run: str) -> tuple[tuple[str, tuple[str, str]], ...]:
    """Edits of the command `run` after which a training that fails still makes a failed job."""
    return (
        ("a line at the end, and set -e", (run, f"set -e\n{run}\necho done")),
        (
            "a copy of its output, and pipefail",
            (run, f"set -o pipefail\n{run} 2>&1 | tee train.log"),
        ),
        ("hands its exit code on", (run, f'{run}\ncode=$?\necho "ended with $code"\nexit $code')),
        ("only if it was right", (run, f"{run} && echo done")),
        ("an if with an exit", (run, f"if ! {run}; then\n  echo failed\n  exit 1\nfi\nsync")),
        ("cleans up at its exit", (run, f"trap 'echo bye' EXIT\n{run}")),
        ("in the background, and wait for its id", (run, f"{run} &\nwait $!")),
        ("in the background, and wait", (run, f"{run} &\nwait")),
        ("a group with a way out", (run, f"{run} || {{ echo failed; exit 3; }}")),
        ("the pipe's first code", (run, f"{run} | tee train.log\nexit ${{PIPESTATUS[0]}}")),
        ("a process for the copy", (run, f"{run} > >(tee train.log) 2>&1")),
        ("a trap of errors", (run, f"trap 'echo failed >&2; exit 1' ERR\n{run}\necho done")),
        ("cancels itself", (run, f"{run} || scancel $SLURM_JOB_ID")),
        ("a function with its code", (run, f"train() {{ {run}; }}\ntrain || exit $?\nsync")),
    )


def other_codes(run: str) -> tuple[tuple[str, tuple[str, str]], ...]:
    """Edits of the command `run` whose exit code is that of another command: not judged."""
    return (
        ("or true", (run, f"{run} || true")),
        ("or a colon", (run, f"{run} || :")),
        ("or a line in the log", (run, f'{run} || echo "training failed"')),
        ("a word at the end", (run, f"{run}; echo done")),
        ("a command below", (run, f"{run}\nsync")),
        ("its exit code printed", (run, f'{run}\necho "exit code $?"')),
        ("a copy of its output", (run, f"{run} 2>&1 | tee train.log")),
        ("a copy of its output, and set -e", (run, f"set -e\n{run} | tee train.log")),
        ("exit 0", (run, f"{run}\nexit 0")),
        ("exit 0 in a trap", (run, f"trap 'exit 0' EXIT\n{run}")),
        (
            "an if without an exit",
            (run, f"if {run}; then echo done; else echo failed; fi"),
        ),
        ("set +e for the training", (run, f"set -e\nset +e\n{run}\nset -e\nsync")),
        (
            "in a function that cleans up",
            (run, f"train() {{ {run}; rm -f core.*; }}\ntrain"),
        ),
        ("in a test", (run, f"! {run}\ntrue")),
        ("files put away", (run, f"{run}\nmkdir -p done")),
        ("in the output of a command", (run, f'echo "$({run})"')),
    )
