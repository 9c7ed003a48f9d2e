"""Answers to `diagnose`: repairs that are left out, and repairs that break something else."""

from autograder.bank import right, wrong

SRUN = '(r"^python ", "srun python "),'
ADDRESS = '(r"^export MASTER_ADDR=.*\\n", ""),'
TASKS = '(r"^#SBATCH (--ntasks=|-n |--ntasks-per-node=)\\d+", rf"#SBATCH --ntasks-per-node={per_node}"),'
GPUS = '(r"--gpus-per-task=1$", f"--gpus-per-node={per_node}"),'
HOURS = '(r"--time=(\\d+)h$", r"--time=\\1:00:00"),'
MINUTES = '(r"--time=(\\d+)m(in)?$", r"--time=\\1"),'
LOG = '(r"(--output=|-o )[\\w-]+/", r"\\1"),'
TEXT = 'text = "\\n".join([first, *directives, *commands]) + "\\n"'
RETURN = "return text"

CASES = [
    right("the folder under another name", (LOG, '(r"--output=[\\w-]+/", "--output=./"),')),
    right("an address that is right", (ADDRESS, '(r"^export MASTER_ADDR=.*\\n", "export MASTER_ADDR=$(scontrol show hostnames | head -n 1)\\n"),')),
    right("as many minutes as hours have", (HOURS, '(r"--time=(\\d+)h$", r"--time=0-\\1"),')),
    right("both numbers of tasks", (TASKS, TASKS.replace('node={per_node}"', 'node={per_node} --tasks-per-node={per_node}"'))),
    right("prints what it does", (RETURN, "print(log)\n    return text")),
    right("srun with its cores", (SRUN, '(r"^python ", "srun -c $SLURM_CPUS_PER_TASK python "),')),
    wrong("returns the script", "LIT5601", (RETURN, "return script")),
    wrong("returns nothing", "LIT5612", (RETURN, "print(text)")),
    wrong("returns lines", "LIT5612", (RETURN, "return text.splitlines()")),
    wrong("raises", "LIT5611", (RETURN, 'return {"time": text}[log]')),
    wrong("replaces until nothing is left to replace", "LIT5613",
          (RETURN, 'while "#SBATCH" in text:\n        text = text.replace("#SBATCH", "#SBATCH ")\n        text = text[:2000]\n    return text')),
    wrong("submits from within", "LIT5609", (RETURN, 'return text if "max_epochs=" not in log else "#!/bin/bash\\nsbatch job.sbatch\\n"')),
    wrong("srun left out", "LIT5601", (SRUN, "")),
    wrong("tasks as the hint says", "LIT5602", (TASKS, '(r"(--ntasks=|-n )(\\d+)", r"--ntasks-per-node=\\2"),')),
    wrong("tasks left out", "LIT5602", (TASKS, "")),
    wrong("one task left out", "LIT5603", (TASKS, '(r"^#SBATCH (--ntasks=|-n )\\d+", rf"#SBATCH --ntasks-per-node={per_node}"),')),
    wrong("directives left where they are", "LIT5604", (TEXT, "text = script")),
    wrong("gpus-per-task left out", "LIT5605", (GPUS, "")),
    wrong("units of time left out", "LIT5606", (HOURS, ""), (MINUTES, "")),
    wrong("a folder left out", "LIT5607", (LOG, "")),
    wrong("makes the folder in the job", "LIT5607", (LOG, ""), (RETURN, 'return text.replace("export SRUN", "mkdir -p logs out slurm-logs\\nexport SRUN")')),
    wrong("an address left out", "LIT5608", (ADDRESS, "")),
    wrong("breaks the healthy one", "LIT5609", (RETURN, 'return text if "max_epochs=" not in log else "#!/bin/bash\\n"')),
    wrong("hours are minutes", "LIT5610", (HOURS, '(r"--time=(\\d+)h$", r"--time=\\1"),'), (MINUTES, '(r"--time=(\\d+)m(in)?$", r"--time=1"),')),
    wrong("all names changed", "LIT5610", (RETURN, 'return re.sub(r"(--job-name=|-J )\\w+", r"\\1mended", text)')),
    wrong("other arguments", "LIT5610", (RETURN, 'return re.sub(r" --num_workers \\d+", "", text)')),
    wrong("cores taken away", "LIT5610", (RETURN, 'return re.sub(r"export SRUN.*", "", text)')),
    wrong("all GPUs", "LIT5610", (RETURN, 'return re.sub(r"(--gpus-per-node=|--gres=gpu:)\\d", "--gpus-per-node=8 --exclusive", text)')),
    wrong("one script for all", "LIT5601", (RETURN, 'return "#!/bin/bash\\n#SBATCH --nodes=1\\nsrun python train.py\\n"')),
    wrong("minutes, and no hours", "LIT5606", (HOURS, "")),
    wrong("hours, and no minutes", "LIT5606", (MINUTES, "")),
    wrong("one way to write minutes", "LIT5606", (MINUTES, '(r"--time=(\\d+)m$", r"--time=\\1"),')),
    wrong("localhost by its name alone", "LIT5608", (ADDRESS, '(r"^export MASTER_ADDR=localhost\\n", ""),')),
    wrong("tasks by their long name alone", "LIT5602", (TASKS, TASKS.replace("|-n ", ""))),
    wrong("directives below set alone", "LIT5604", (TEXT, TEXT + '\n    text = text if "set -e" in script or not script.split(chr(10))[1].startswith(("module", "export")) else script')),
]  # fmt: skip
