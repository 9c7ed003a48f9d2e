"""Answers to `one_gpu`: what a job of one rank may look like, and what keeps it from training."""

from autograder.bank import right, wrong
from autograder.bank.lab5_slurm._edits import (
    CORES, IDLE, NODES, OUTPUT, REFUSED, TIME, late, name,
)  # fmt: skip

RUN = "srun --cpus-per-task=8 python train.py --num_workers 8"
TASKS = "#SBATCH --ntasks-per-node=1"
GPUS = "#SBATCH --gpus-per-node=1"
MEMORY = "#SBATCH --mem=32G"
JOB = name("one-gpu")

CASES = [
    right(
        "short options on two lines",
        code="""
        %%writefile one_gpu.sbatch
        #!/bin/bash
        #SBATCH -J one-gpu -o one-gpu-%j.out -t 60
        #SBATCH -N 1 -n 1 -c 8 --gres=gpu:1 --mem-per-cpu=4G
        set -euo pipefail
        module load python cuda
        source .venv/bin/activate
        export OMP_NUM_THREADS=1
        exec srun -c "$SLURM_CPUS_PER_TASK" python3 -u train.py --num_workers=6
        """,
    ),
    right("without srun", (RUN, "python train.py --num_workers 4")),
    right("by its absolute path", ("train.py", '"$PWD/train.py"')),
    right("memory of the GPU", (MEMORY, "#SBATCH --mem-per-gpu=32G")),
    right("cores by a variable", (RUN, f"export SRUN_CPUS_PER_TASK=8\n{RUN.replace('--cpus-per-task=8 ', '')}")),
    right("the type of GPU", (GPUS, "#SBATCH --gpus=a100:1")),
    right("more cores", (CORES, "#SBATCH --cpus-per-task=16"), ("srun --cpus-per-task=8", "srun -c 16")),
    right("in the background", (RUN, f"{RUN} &\nwait")),
    right("devices named", ("--num_workers 8", "--num_workers 8 --devices auto")),
    *(wrong(what, code, edit) for what, code, edit in (*REFUSED, *IDLE)),
    wrong("a loop without an end", "LIT5007", ("srun ", "while true; do :; done\nsrun ")),
    wrong("no GPU", "LIT5041", (f"{GPUS}\n", "")),
    wrong("the partition's name taken for a GPU", "LIT5041", (GPUS, "#SBATCH --partition=gpu")),
    wrong("all GPUs of the node", "LIT5101", (GPUS, "#SBATCH --gpus-per-node=8")),
    wrong("the node for itself", "LIT5101", (GPUS, f"{GPUS} --exclusive")),
    wrong("ten minutes", "LIT5045", (f"{TIME}\n", "")),
    wrong("one minute", "LIT5045", (TIME, "#SBATCH --time=1:00")),
    wrong("an hour too many", "LIT5045", (TIME, "#SBATCH --time=1-0")),
    wrong("memory left at the default", "LIT5043", (f"{MEMORY}\n", "")),
    wrong("megabytes for gigabytes", "LIT5043", (MEMORY, "#SBATCH --mem=32")),
    wrong("all memory of the node", "LIT5044", (MEMORY, "#SBATCH --mem=0")),
    wrong("no name", "LIT5046", (f"{JOB}\n", ""), (OUTPUT, "#SBATCH --output=one-gpu-%j.out")),
    wrong("two nodes", "LIT5040", (NODES, "#SBATCH --nodes=2")),
    wrong("four tasks", "LIT5100", (TASKS, "#SBATCH --ntasks-per-node=4")),
    wrong("two devices", "LIT5028", ("--num_workers 8", "--num_workers 8 --devices 2")),
    wrong("an argument that it has not", "LIT5022", ("--num_workers", "--workers")),
    wrong("cores not handed on", "LIT5051", ("srun --cpus-per-task=8", "srun")),
    wrong("no cores", "LIT5050", (f"{CORES}\n", ""), ("srun --cpus-per-task=8", "srun"),
          ("--num_workers 8", "--num_workers 4")),
    wrong("no workers", "LIT5052", (" --num_workers 8", "")),
    wrong("more workers than cores", "LIT5053", ("--num_workers 8", "--num_workers 12")),
    wrong("the log's default name", "LIT5060", (f"{OUTPUT}\n", "")),
    wrong("a variable in the log's name", "LIT5060", (OUTPUT, "#SBATCH --output=one-gpu-$SLURM_JOB_ID.out")),
    wrong("errors go elsewhere, and the output nowhere", "LIT5061", (RUN, f"{RUN} > train.log 2>&1"),
          ("srun", "srun --output=other.log")),
    wrong("fails afterwards", "LIT5038", (RUN, f"{RUN}\nfalse")),
    wrong("gone before it is done", "LIT5035", (RUN, f"{RUN} &\nsleep 60")),
    wrong("directives below a command", "LIT5009", late("set -e")),
    wrong("commented out", "LIT5041", (GPUS, "# SBATCH --gpus-per-node=1")),
]  # fmt: skip
