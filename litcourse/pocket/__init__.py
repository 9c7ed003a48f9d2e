"""The pocket Slurm: what Slurm 22.05 makes of a batch script, on a laptop without Slurm.

Read in this order:

1. `machine`: the cluster.
2. `options`, `request`: what a script asks for; `reading` reads words and values.
3. `allocation`: what the job gets.
4. `steps`, `step_gpus`: what srun makes of its options; `variables`: the environment of the shell
   and of tasks.
5. `submission`: `run_script`; `outcome`: the evidence that it gives.
6. `job`: runs a script; `running` holds its parts, `standins` the commands on its PATH.
7. `command`: `litcourse sbatch`; `drawing`: tables and pictures of a job.
8. `programs`: what `python train.py` does, and what Lightning makes of a process.
"""

from litcourse.pocket.job import Limits
from litcourse.pocket.machine import COURSE, Machine, Partition
from litcourse.pocket.outcome import Answer, Event, Outcome, Process
from litcourse.pocket.programs.lightning_rules import Placement, lightning_under_slurm
from litcourse.pocket.programs.training import Training
from litcourse.pocket.submission import Setting, run_script

__all__ = [
    "COURSE", "Answer", "Event", "Limits", "Machine", "Outcome", "Partition", "Placement",
    "Process", "Setting", "Training", "lightning_under_slurm", "run_script",
]  # fmt: skip
