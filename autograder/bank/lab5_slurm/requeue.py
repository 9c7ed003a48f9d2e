"""Answers to `requeue`: how a warning reaches the ranks, and what a second run finds."""

from autograder.bank import right, wrong
from autograder.bank.lab5_slurm._edits import OUTPUT, TIME, late, name

RUN = 'srun python train.py --devices 4 --num_workers 8 --run_dir "runs/$SLURM_JOB_ID"'
SIGNAL = "#SBATCH --signal=USR1@300"
BATCH = "#SBATCH --signal=B:USR1@300"
REQUEUE = "#SBATCH --requeue"
APPEND = "#SBATCH --open-mode=append"
FOLDER = '"runs/$SLURM_JOB_ID"'

CASES = [
    right("to the batch shell, handed on to srun", (SIGNAL, BATCH),
          (RUN, f"trap 'kill -USR1 $step; wait $step' USR1\n{RUN} &\nstep=$!\nwait $step")),
    right("to the batch shell, handed on by scancel", (SIGNAL, BATCH),
          (RUN, f"trap 'scancel --signal=USR1 $SLURM_JOB_ID' USR1\n{RUN} &\nwait\nwait")),
    right("to the batch shell that has become srun", (SIGNAL, BATCH), ("srun", "exec srun")),
    right("as late as can be", (SIGNAL, "#SBATCH --signal=SIGUSR1@120")),
    right("as early as may be", (SIGNAL, "#SBATCH --signal=10@900")),
    right("a log of srun's", (OUTPUT, "#SBATCH --output=/dev/null"),
          ("srun", "srun --open-mode=append --output=requeue-%j.out")),
    right("a folder by another name", (FOLDER, '"/tmp/../$PWD/of-$SLURM_JOBID"')),
    right("a folder that is made", (RUN, f"mkdir -p {FOLDER}\n{RUN}")),
    right("a line of its own in the log", (RUN, f'echo "run ${{SLURM_RESTART_COUNT:-0}}"\n{RUN}')),
    right("a shell that becomes python", (RUN, f"srun bash -c 'exec {RUN[5:]}'")),
    wrong("no warning", "LIT5400", (f"{SIGNAL}\n", "")),
    wrong("to the batch shell, without a trap", "LIT5401", (SIGNAL, BATCH)),
    wrong("a trap behind a srun in front", "LIT5401", (SIGNAL, BATCH),
          (RUN, f"trap 'scancel --signal=USR1 $SLURM_JOB_ID' USR1\n{RUN}")),
    wrong("TERM", "LIT5402", (SIGNAL, "#SBATCH --signal=TERM@300")),
    wrong("USR2", "LIT5402", (SIGNAL, "#SBATCH --signal=USR2@300")),
    wrong("a minute before", "LIT5403", (SIGNAL, "#SBATCH --signal=USR1@60")),
    wrong("Slurm's own minute", "LIT5403", (SIGNAL, "#SBATCH --signal=USR1")),
    wrong("queued again before it has saved", "LIT5404", (SIGNAL, BATCH),
          (RUN, f"trap 'scontrol requeue $SLURM_JOB_ID' USR1\n{RUN} &\nwait")),
    wrong("half an hour before", "LIT5405", (SIGNAL, "#SBATCH --signal=USR1@1800")),
    wrong("not allowed to", "LIT5410", (f"{REQUEUE}\n", "")),
    wrong("forbidden", "LIT5410", (REQUEUE, "#SBATCH --no-requeue")),
    wrong("fails afterwards", "LIT5411", (RUN, f"{RUN}\nfalse")),
    wrong("submits itself anew", "LIT5412", (SIGNAL, BATCH),
          (RUN, f"trap 'sbatch requeue.sbatch' USR1\n{RUN} &\nwait\nwait")),
    wrong("a folder for each run", "LIT5420", (FOLDER, '"runs/$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}"')),
    wrong("a folder by the node", "LIT5420", (FOLDER, '"runs/$SLURM_JOB_ID-$(hostname)"')),
    wrong("a folder by the time", "LIT5420", (FOLDER, '"runs/$(date +%s%N)"')),
    wrong("cleaned first", "LIT5421", (RUN, f"rm -rf {FOLDER}\n{RUN}")),
    wrong("one folder for all jobs", "LIT5431", (FOLDER, "runs/requeue")),
    wrong("the folder left out", "LIT5431", (f" --run_dir {FOLDER}", "")),
    wrong("the log overwritten", "LIT5430", (f"{APPEND}\n", "")),
    wrong("the log truncated", "LIT5430", (APPEND, "#SBATCH --open-mode=truncate")),
    wrong("the log's default name", "LIT5060", (f"{OUTPUT}\n", "")),
    wrong("python without srun", "LIT5020", ("srun python", "python")),
    wrong("three hours", "LIT5045", (TIME, "#SBATCH --time=03:00:00")),
    wrong("another name", "LIT5046", (name("requeue"), name("long")), (OUTPUT, "#SBATCH --output=requeue-%j.out")),
    wrong("directives below a command", "LIT5009", late("set -e")),
]  # fmt: skip
