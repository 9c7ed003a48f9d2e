"""Answers to `one_gpu`: what a job of one rank may look like, and what keeps it from training."""

from autograder.bank import right, wrong
from autograder.bank.lab5_slurm._edits import (
    ASTRAY, CORES, IDLE, NODES, OUTPUT, REFUSED, TIME, UNREAD, failures_shown, name, other_codes,
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
    right("an environment of one's own", ("srun ", "source ~/envs/course/bin/activate\nsrun ")),
    right("without srun", (RUN, "python train.py --num_workers 4")),
    right("by its absolute path", ("train.py", '"$PWD/train.py"')),
    right("memory of the GPU", (MEMORY, "#SBATCH --mem-per-gpu=32G")),
    right("cores by a variable", (RUN, f"export SRUN_CPUS_PER_TASK=8\n{RUN.replace('--cpus-per-task=8 ', '')}")),
    right("the type of GPU", (GPUS, "#SBATCH --gpus=a100:1")),
    right("more cores", (CORES, "#SBATCH --cpus-per-task=16"), ("srun --cpus-per-task=8", "srun -c 16")),
    right("devices named", ("--num_workers 8", "--num_workers 8 --devices auto")),
    right("a here-document", (RUN, f"cat <<EOF >job.txt\njob $SLURM_JOB_ID on $(hostname)\nEOF\n{RUN}")),
    right("cores of the GPU", (CORES, "#SBATCH --cpus-per-gpu=8")),
    right("one less than the cores", ("--num_workers 8", "--num_workers $((SLURM_CPUS_PER_TASK - 1))")),
    right("a login shell and modules", ("#!/bin/bash", "#!/bin/bash -l"), (RUN, f"module purge\nmodule load pytorch\n{RUN}")),
    right("sh", ("#!/bin/bash", "#!/bin/sh")),
    right("a GPU without a number", (GPUS, "#SBATCH --gres=gpu")),
    right("no task named", (f"{TASKS}\n", ""), (RUN, "python train.py --num_workers 8")),
    right("conda", (RUN, f'eval "$(conda shell.bash hook)"\nconda activate torch\nsource ~/miniconda3/bin/activate torch\n{RUN}')),
    right("a comment of a directive, left over", (MEMORY, f"{MEMORY}  # of 500\n##SBATCH --mem=64G")),
    right("a variable that srun sets anew", (RUN, f"export CUDA_VISIBLE_DEVICES=3\n{RUN}")),
    right("a limit of its own that is not met", (RUN, f"timeout -k 10 50m {RUN}")),
    *(wrong(what, code, edit) for what, code, edit in (*REFUSED, *IDLE, *UNREAD, *ASTRAY)),
    wrong("its node by name", "LIT5047", (NODES, f"{NODES} --nodelist=n3")),
    wrong("another folder for the job", "LIT5016", (TIME, f"{TIME} --chdir=..")),
    wrong("the program on standard input", "LIT5010", ("train.py", "- < train.py")),
    wrong("more tasks than the job has", "LIT5019", ("srun ", "srun -n 2 ")),
    wrong("trained twice", "LIT5100", (RUN, f"{RUN}\n{RUN}")),
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
    wrong("a GPU commented out", "LIT5015", (GPUS, "# SBATCH --gpus-per-node=1")),
    wrong("a GPU as a feature", "LIT5004", (GPUS, "#SBATCH --constraint=gpu")),
    wrong("no tasks but of srun's", "LIT5019", (f"{TASKS}\n", ""), (f"{CORES}\n", "")),
    *(right(what, edit) for what, edit in failures_shown(RUN)),
    *(right(what, edit) for what, edit in other_codes(RUN)),
]  # fmt: skip
