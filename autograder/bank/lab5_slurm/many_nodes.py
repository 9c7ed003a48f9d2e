"""Answers to `many_nodes`: what counts the nodes a second time."""

from autograder.bank import right, wrong
from autograder.bank.lab5_slurm._edits import (
    ASTRAY, CORES, HANDED_ON, IDLE, OUTPUT, REFUSED, TIME, UNREAD,
    failures_shown, other_codes,
)  # fmt: skip

RUN = 'srun python train.py --devices 4 --num_nodes "$SLURM_JOB_NUM_NODES" --num_workers 8'
NODES = "#SBATCH --nodes=2"
TASKS = "#SBATCH --ntasks-per-node=4"
GPUS = "#SBATCH --gpus-per-node=4"
MEMORY = "#SBATCH --mem=128G"
NUM_NODES = '"$SLURM_JOB_NUM_NODES"'
OF_ONE_NODE = "#SBATCH --nodes=1"

CASES = [
    right(
        "short options",
        code="""
        %%writefile many_nodes.sbatch
        #!/bin/bash
        #SBATCH -J many-nodes -o %x-%j.out -t 60 -N 2
        #SBATCH --tasks-per-node=4 -c 8 --gres=gpu:4 --mem-per-cpu=4G
        exec srun -c 8 python train.py --devices=auto --num_nodes=$SLURM_NNODES --num_workers=8
        """,
    ),
    right("in each task", (RUN, "srun bash -c 'exec python train.py --devices 4 --num_nodes $SLURM_NNODES --num_workers 8'")),
    right("an address from Slurm", (RUN, f"export MASTER_ADDR=$(scontrol show hostnames | head -n 1)\n{RUN}")),
    right("no number of nodes in the file but a default of two", (NODES, "#SBATCH -N 2-2")),
    right("memory of the GPUs", (MEMORY, "#SBATCH --mem-per-gpu=32G")),
    right("a list of hosts for the log", (RUN, f'echo "on $SLURM_JOB_NODELIST"\n{RUN}')),
    right("nodes that are counted", (NUM_NODES, "$(scontrol show hostnames | wc -l)")),
    right("tasks that are divided", (NUM_NODES, "$((SLURM_NTASKS / SLURM_NTASKS_PER_NODE))")),
    right("tasks that are multiplied", ("srun", "srun --ntasks=$((4 * SLURM_NNODES))")),
    right("the batch shell's own host", (RUN, f"export MASTER_ADDR=$(hostname -s) MASTER_PORT=29501\n{RUN}")),
    right("an address in numbers", (RUN, f"export MASTER_ADDR=$(hostname -i)\n{RUN}")),
    right("a default that is never used", (NUM_NODES, '"${SLURM_JOB_NUM_NODES:-2}"')),
    right("GPUs with their type", (GPUS, "#SBATCH --gres=gpu:a100:4")),
    *(wrong(what, code, edit) for what, code, edit in (*REFUSED, *IDLE, *UNREAD, *ASTRAY)
      if edit[0] != OF_ONE_NODE),
    wrong("its nodes by name", "LIT5047", (NODES, f"{NODES} --nodelist=n1,n2")),
    wrong("nodes given to srun", "LIT5303", ("srun", "srun --nodes=2")),
    wrong("eight tasks, and four a node for srun", "LIT5301",
          (TASKS, "#SBATCH --ntasks=8"), ("srun", "srun --ntasks-per-node=4")),
    wrong("an argument of the script", "LIT5022", (NUM_NODES, "$1")),
    wrong("a variable that is not there", "LIT5022", (NUM_NODES, "$SLURM_NODES")),
    wrong("the number of this node", "LIT5026", (NUM_NODES, "$SLURM_NODEID")),
    wrong("a node's name for an address", "LIT5031", (RUN, f"export MASTER_ADDR=n17\n{RUN}")),
    wrong("devices of all tasks", "LIT5028", ("--devices 4", "--devices $SLURM_NTASKS")),
    wrong("torchrun on each node", "LIT5010", ("srun python", "srun --ntasks-per-node=1 torchrun --nnodes=$SLURM_NNODES --nproc_per_node=4")),
    wrong("a job named interactive", "LIT5029", ("#SBATCH --job-name=many-nodes", "#SBATCH --job-name=interactive")),
    wrong("an option cut short", "LIT5001", (NODES, "#SBATCH --node=2")),
    wrong("two nodes written down", "LIT5300", (NUM_NODES, "2")),
    wrong("eight nodes written down", "LIT5026", (NUM_NODES, "8")),
    wrong("num_nodes forgotten", "LIT5026", (f" --num_nodes {NUM_NODES}", "")),
    wrong("all tasks written down", "LIT5301", (TASKS, f"{TASKS} --ntasks=8")),
    wrong("all tasks, none per node", "LIT5301", (TASKS, "#SBATCH --ntasks=8")),
    wrong("all GPUs written down", "LIT5302", (GPUS, "#SBATCH --gpus=8")),
    wrong("localhost", "LIT5031", (RUN, f"export MASTER_ADDR=localhost\n{RUN}")),
    wrong("each task's own host", "LIT5031",
          (RUN, f"srun bash -c 'MASTER_ADDR=$SLURMD_NODENAME exec {RUN[5:]}'")),
    wrong("python without srun", "LIT5020", ("srun python", "python")),
    wrong("one task on each node", "LIT5021", ("srun python", "srun --ntasks=$SLURM_NNODES python")),
    wrong("srun of two nodes", "LIT5301", ("srun python", "srun --nodes=2 --ntasks=8 python")),
    wrong("a loop over the nodes", "LIT5026",
          (RUN, f"for host in $(scontrol show hostnames); do srun -N1 -n4 -w $host {RUN[5:]}; done")),
    wrong("a GPU for each task", "LIT5027", (GPUS, "#SBATCH --gpus-per-task=1")),
    wrong("devices of all nodes", "LIT5028", ("--devices 4", "--devices 8")),
    wrong("one GPU on each node", "LIT5028", (GPUS, "#SBATCH --gpus-per-node=1")),
    wrong("all GPUs of the nodes", "LIT5042", (GPUS, "#SBATCH --gpus-per-node=8")),
    wrong("three nodes as it stands", "LIT5040", (NODES, "#SBATCH --nodes=3")),
    wrong("no number of nodes", "LIT5040", (f"{NODES}\n", "")),
    wrong("one to eight nodes", "LIT5040", (NODES, "#SBATCH --nodes=1-8")),
    wrong("a GPU for each task, said to srun", "LIT5027", ("srun python", "srun --gpus-per-task=1 python")),
    wrong("cores not handed on", "LIT5051", (f"{HANDED_ON}\n", "")),
    wrong("memory of one rank", "LIT5043", (MEMORY, "#SBATCH --mem=32G")),
    wrong("ten minutes", "LIT5045", (f"{TIME}\n", "")),
    wrong("no workers", "LIT5052", (" --num_workers 8", "")),
    wrong("the log's default name", "LIT5060", (f"{OUTPUT}\n", "")),
    wrong("no cores, and handed on", "LIT5009", (f"{CORES}\n", "")),
    *(right(what, edit) for what, edit in failures_shown(RUN)[::3]),
    *(right(what, edit) for what, edit in other_codes(RUN)[::3]),
]  # fmt: skip
