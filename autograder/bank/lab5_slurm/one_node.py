"""Answers to `one_node`: four ranks on a node, and how they miss each other."""

from autograder.bank import right, wrong
from autograder.bank.lab5_slurm._edits import (
    ASTRAY, CORES, HANDED_ON, IDLE, NODES, OUTPUT, REFUSED, TIME, UNREAD, failures_shown, name, other_codes,
)  # fmt: skip

RUN = "srun python train.py --devices 4 --num_workers 8"
TASKS = "#SBATCH --ntasks-per-node=4"
GPUS = "#SBATCH --gpus-per-node=4"
MEMORY = "#SBATCH --mem=128G"
JOB = name("one-node")

CASES = [
    right(
        "short options on two lines",
        code="""
        %%writefile one_node.sbatch
        #!/bin/bash
        #SBATCH -J one-node -o %x-%j.out -t 0-1
        #SBATCH -N1 --tasks-per-node=4 -c 8 --gres=gpu:a100:4 --mem-per-cpu=4G
        exec srun -c8 python -u train.py --devices=auto --num_workers=$SLURM_CPUS_PER_TASK
        """,
    ),
    right("all memory of the node", (MEMORY, "#SBATCH --mem=0")),
    right("tasks of the whole job as well", (TASKS, f"{TASKS} --ntasks=4")),
    right("a shell in each task", (RUN, f"srun bash -c 'exec {RUN[5:]}'")),
    right("an address of its own", (RUN, f"export MASTER_ADDR=$(hostname) MASTER_PORT=29501\n{RUN}")),
    right("a log of srun's", (OUTPUT, "#SBATCH --output=/dev/null"),
          ("srun", "srun --output=one-node-%j.out")),
    right("a function", (RUN, f"train() {{ {RUN}; }}\ntrain")),
    right("memory of the GPUs", (MEMORY, "#SBATCH --mem-per-gpu=32G")),
    right("srun takes the shell's place", ("srun", "exec srun")),
    right("GPUs of the whole job", (GPUS, "#SBATCH -G 4")),
    right("numbers of the job again", ("srun", "srun -N 1 -n 4 --ntasks-per-node=4 --gpus-per-node=4")),
    right("labels, and no buffer", ("srun", "srun --label --unbuffered --kill-on-bad-exit=1 --cpu-bind=cores")),
    right("arguments in a list",
          (RUN, 'ARGUMENTS=(\n  --devices "$SLURM_GPUS_ON_NODE"\n  --num_workers 8\n)\nsrun python train.py "${ARGUMENTS[@]}"')),
    right("a program that it writes",
          (RUN, f"cat >run.sh <<'EOF'\n#!/bin/bash\nexec {RUN[5:]}\nEOF\nchmod +x run.sh\nsrun ./run.sh")),
    right("commands on standard input", (RUN, f"srun bash <<'EOF'\nexec {RUN[5:]}\nEOF")),
    right("a shell that stays", (RUN, f"srun bash -c '{RUN[5:]}'")),
    right("a number that srun finds again", (RUN, f"unset SLURM_NTASKS\n{RUN}")),
    right("GPUs that srun shows anew", (RUN, f"export CUDA_VISIBLE_DEVICES=0\n{RUN}")),
    right("all that does not count",
          (TIME, f"{TIME} --account=a --qos=normal --mail-type=END,FAIL --distribution=block:block --hint=nomultithread"),
          (RUN, f"set -euo pipefail\ndate; which python\nexport NCCL_DEBUG=INFO MASTER_PORT=$((10000 + SLURM_JOB_ID % 20000))\n{RUN}")),
    *(wrong(what, code, edit) for what, code, edit in (*REFUSED, *IDLE, *UNREAD, *ASTRAY)),
    wrong("its node by name", "LIT5047", (NODES, f"{NODES} -w n3")),
    wrong("tasks of srun alone", "LIT5019", (f"{TASKS}\n", ""), ("srun", "srun --ntasks-per-node=4")),
    wrong("cores of all tasks", "LIT5004", (CORES, "#SBATCH --cpus-per-task=32")),
    wrong("a GPU for each task of the step", "LIT5027", ("srun", "srun --gpus-per-task=1")),
    wrong("each task hides the others", "LIT5027",
          (RUN, f"srun bash -c 'CUDA_VISIBLE_DEVICES=$SLURM_LOCALID exec {RUN[5:]}'")),
    wrong("devices of two nodes", "LIT5028", ("--devices 4", "--devices 8")),
    wrong("four of them in the batch shell", "LIT5200",
          (RUN, "for gpu in 0 1 2 3; do CUDA_VISIBLE_DEVICES=$gpu python train.py & done\nwait")),
    wrong("four steps", "LIT5024",
          (RUN, "for gpu in 0 1 2 3; do srun -n 1 --exact --gpus-per-node=1 python train.py --devices 1 & done\nwait")),
    wrong("torch's variables by hand", "LIT5200", (RUN, f"export RANK=0 LOCAL_RANK=0 WORLD_SIZE=4\n{RUN[5:]}")),
    wrong("gone before it is done", "LIT5035", (RUN, f"{RUN} &\nsleep 60")),
    wrong("python without srun", "LIT5200", ("srun python", "python")),
    wrong("torchrun", "LIT5010", ("srun python train.py", "torchrun --nproc_per_node=4 train.py")),
    wrong("tasks of the whole job alone", "LIT5023", (TASKS, "#SBATCH --ntasks=4")),
    wrong("one task beside four GPUs", "LIT5021", (TASKS, "#SBATCH --ntasks-per-node=1")),
    wrong("one task, as the hint says", "LIT5021", (TASKS, "#SBATCH --ntasks-per-node=1"),
          ("--devices 4", "--devices 1")),
    wrong("srun of one task", "LIT5021", ("srun python", "srun -n 1 python")),
    wrong("one task left in", "LIT5021", (TASKS, f"{TASKS} --ntasks=1")),
    wrong("devices left out", "LIT5024", (" --devices 4", "")),
    wrong("two nodes for the program", "LIT5026", ("--devices 4", "--devices 4 --num_nodes 2")),
    wrong("a GPU for each task", "LIT5027", (GPUS, "#SBATCH --gpus-per-task=1")),
    wrong("a GPU bound to each task", "LIT5027", (GPUS, f"{GPUS} --gpu-bind=single:1")),
    wrong("one GPU for all", "LIT5041", (GPUS, "#SBATCH --gres=gpu:1")),
    wrong("all GPUs of the node", "LIT5201", (GPUS, "#SBATCH --gpus-per-node=8")),
    wrong("the node for itself", "LIT5201", (GPUS, f"{GPUS} --exclusive")),
    wrong("no GPU", "LIT5041", (f"{GPUS}\n", "")),
    wrong("two amounts of GPUs", "LIT5009", (GPUS, f"{GPUS} --gres=gpu:2")),
    wrong("a job named bash", "LIT5046", (JOB, name("bash")), (OUTPUT, "#SBATCH --output=one-node-%j.out")),
    wrong("a step named interactive", "LIT5029", ("srun python", "srun --job-name=interactive python")),
    wrong("variables of the batch shell", "LIT5030",
          (RUN, f'srun bash -c "SLURM_PROCID=$SLURM_PROCID exec {RUN[5:]}"')),
    wrong("every task is the first on its node", "LIT5033",
          (RUN, f'srun bash -c "SLURM_LOCALID=$SLURM_LOCALID exec {RUN[5:]}"')),
    wrong("a node's name", "LIT5031", (RUN, f"export MASTER_ADDR=n17\n{RUN}")),
    wrong("GPUs hidden", "LIT5032", (RUN, f"srun env CUDA_VISIBLE_DEVICES= {RUN[5:]}")),
    wrong("srun in srun", "LIT5012", (RUN, f"srun bash -c '{RUN}'")),
    wrong("a training that takes too long", "LIT5034", (RUN, f"sleep 50m\n{RUN}")),
    wrong("a GPU's memory", "LIT5043", (MEMORY, "#SBATCH --mem-per-gpu=8G")),
    wrong("memory of one rank", "LIT5043", (MEMORY, "#SBATCH --mem=32G")),
    wrong("ten minutes", "LIT5045", (f"{TIME}\n", "")),
    wrong("cores not handed on", "LIT5051", (f"{HANDED_ON}\n", "")),
    wrong("more workers than cores", "LIT5053", ("--num_workers 8", "--num_workers 32")),
    wrong("no workers", "LIT5052", (" --num_workers 8", "")),
    wrong("the log's default name", "LIT5060", (f"{OUTPUT}\n", "")),
    wrong("fails, and an echo at the end", "LIT5022", ("--devices", "--gpus"), (RUN.replace("--devices", "--gpus"), f"{RUN.replace('--devices', '--gpus')}\necho done")),
    wrong("no cores, and handed on", "LIT5009", (f"{CORES}\n", "")),
    wrong("a blank behind a backslash", "LIT5022", ("python train.py ", "python train.py \\ \n  ")),
    wrong("two nodes", "LIT5040", (NODES, "#SBATCH --nodes=2")),
    *(right(what, edit) for what, edit in failures_shown(RUN)[::3]),
    *(right(what, edit) for what, edit in other_codes(RUN)[::3]),
]  # fmt: skip
