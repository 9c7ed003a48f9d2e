"""Answers to `from_env`: which variables tell the number of ranks, and when."""

from autograder.bank import right, wrong

TASKS = 'tasks = int(env.get("SLURM_NTASKS", "0"))'
HIDDEN = 'hidden = env.get("SLURM_JOB_NAME") in {"bash", "interactive"}'
ALONE = 'return {"devices": "auto", "num_nodes": 1}'
NODES = 'nodes = int(env["SLURM_NNODES"])'
ANSWER = 'return {"devices": tasks // nodes, "num_nodes": nodes}'
OUTSIDE = "if tasks == 0 or hidden:"

CASES = [
    right("per node, if it is there",
          (ANSWER, 'per_node = int(env.get("SLURM_NTASKS_PER_NODE", tasks // nodes))\n'
                   '    return {"devices": per_node, "num_nodes": nodes}')),
    right("minus one for all", (ALONE, 'return {"devices": -1}')),
    right("a strategy by name",
          (ANSWER, 'strategy = "ddp" if tasks > 1 else "auto"\n'
                   '    return {"devices": tasks // nodes, "num_nodes": nodes, "strategy": strategy}')),
    right("with an accelerator", (ALONE, 'return {"accelerator": "gpu", "devices": "auto"}')),
    right("the step's own numbers",
          (TASKS, 'tasks = int(env.get("SLURM_STEP_NUM_TASKS", "0"))'),
          (NODES, 'nodes = int(env["SLURM_STEP_NUM_NODES"])')),
    right("nothing outside", (ALONE, "return {}")),
    right("tasks on the first node", (ANSWER, 'return {"devices": int(env["SLURM_TASKS_PER_NODE"].split("(")[0]), "num_nodes": nodes}')),
    right("an older name of the tasks", (TASKS, 'tasks = int(env.get("SLURM_NPROCS", env.get("SLURM_NTASKS", 0)))')),
    right("nodes of the job", (NODES, 'nodes = int(env["SLURM_JOB_NUM_NODES"])')),
    right("DDP as an object", (ANSWER, 'from lightning.pytorch.strategies import DDPStrategy\n'
                                       '    return {"devices": tasks // nodes, "num_nodes": nodes, "strategy": DDPStrategy() if tasks > 1 else "auto"}')),
    right("a number as text", ('"devices": tasks // nodes', '"devices": str(tasks // nodes)')),
    wrong("one of two names", "LIT5506", (HIDDEN, 'hidden = env.get("SLURM_JOB_NAME") == "interactive"')),
    wrong("another name", "LIT5506", (HIDDEN, 'hidden = env.get("SLURM_JOB_NAME", "").startswith("sh")')),
    wrong("GPUs of the job's list", "LIT5504", (ANSWER, 'return {"devices": len(env["SLURM_JOB_GPUS"].split(",")), "num_nodes": nodes}')),
    wrong("the place of this rank", "LIT5504", ('"devices": tasks // nodes', '"devices": int(env["SLURM_LOCALID"]) + 1')),
    wrong("the number of this node", "LIT5503", (NODES, 'nodes = int(env["SLURM_NODEID"]) + 1'), ('"devices": tasks // nodes', '"devices": tasks // int(env["SLURM_NNODES"])')),
    wrong("torchrun's variables", "LIT5501", (ANSWER, 'return {"devices": int(env["LOCAL_WORLD_SIZE"]), "num_nodes": nodes}')),
    wrong("nodes times devices", "LIT5504", ('"devices": tasks // nodes', '"devices": tasks * nodes')),
    wrong("no dictionary", "LIT5500", (ALONE, 'return "auto"'), (ANSWER, "return nodes, tasks")),
    wrong("prints", "LIT5500", (ALONE, 'print({"devices": "auto"})'), (ANSWER, "print(tasks, nodes)"), (OUTSIDE, "if tasks == 0 or hidden or True:")),
    wrong("a variable that may be missing", "LIT5501", (TASKS, 'tasks = int(env["SLURM_NTASKS"])')),
    wrong("per node is always there", "LIT5501",
          (ANSWER, 'return {"devices": int(env["SLURM_NTASKS_PER_NODE"]), "num_nodes": nodes}')),
    wrong("the number of nodes as text", "LIT5502", (NODES, 'nodes = env["SLURM_NNODES"]'), ("tasks // nodes", "tasks // int(nodes)")),
    wrong("an argument of Lightning 1", "LIT5502", ('{"devices": tasks // nodes', '{"gpus": tasks // nodes')),
    wrong("one node always", "LIT5503", ('"num_nodes": nodes', '"num_nodes": 1')),
    wrong("nodes left out", "LIT5503", (', "num_nodes": nodes', "")),
    wrong("all tasks on each node", "LIT5504", ('"devices": tasks // nodes', '"devices": tasks')),
    wrong("GPUs in place of tasks", "LIT5504",
          ('"devices": tasks // nodes', '"devices": int(env["SLURM_GPUS_ON_NODE"])')),
    wrong("all GPUs that are seen", "LIT5504", ('"devices": tasks // nodes', '"devices": "auto"')),
    wrong("one device each", "LIT5504", ('"devices": tasks // nodes', '"devices": 1')),
    wrong("its own environment", "LIT5503", (TASKS, "env = os.environ\n    " + TASKS)),
    wrong("one GPU outside", "LIT5506", (ALONE, 'return {"devices": 1, "num_nodes": 1}')),
    wrong("names not looked at", "LIT5506", (HIDDEN, "hidden = False")),
    wrong("on the CPU", "LIT5507", (ANSWER, 'return {"devices": tasks // nodes, "num_nodes": nodes, "accelerator": "cpu"}')),
    wrong("FSDP", "LIT5508", (ANSWER, 'return {"devices": tasks // nodes, "num_nodes": nodes, "strategy": "fsdp"}')),
    wrong("a job is a step", "LIT5501", (OUTSIDE, 'if "SLURM_JOB_ID" not in env or hidden:'), (TASKS, 'tasks = int(env["SLURM_NTASKS"]) if "SLURM_JOB_ID" in env else 0')),
]  # fmt: skip
