"""Answers to `kwargs`: how many ranks, on which devices, under which strategy."""

from autograder.bank import right, wrong
from autograder.bank.lab3_ddp._lab3_causes import KWARGS as CAUSES

DEVICES = '"devices": gpus_per_node,'
NODES = '"num_nodes": num_nodes,'
STRATEGY = '"strategy": "ddp" if several else "auto",'
PRECISION = '"precision": precision,'
GPU = '"accelerator": "gpu",'
RETURN = "return {"

CASES = [
    right("left to Lightning", (STRATEGY, "")),
    right(
        "by the GPUs of a node alone, which Lightning mends",
        (STRATEGY, '"strategy": "ddp" if gpus_per_node > 1 else "auto",'),
    ),
    right("always DDP", (STRATEGY, '"strategy": "ddp",')),
    right(
        "a strategy object",
        (STRATEGY, '"strategy": DDPStrategy(gradient_as_bucket_view=True),'),
    ),
    right("for NCCL", (STRATEGY, '"strategy": DDPStrategy(process_group_backend="nccl"),')),
    right("a list of devices", (DEVICES, '"devices": list(range(gpus_per_node)),')),
    right("cuda by name", (GPU, '"accelerator": "cuda",')),
    right(
        "dict(), and more of it",
        code="""
        def ddp_kwargs(num_nodes, gpus_per_node, precision="bf16-mixed"):
            kwargs = dict(accelerator="gpu", devices=gpus_per_node, num_nodes=num_nodes)
            kwargs.update(precision=precision, max_epochs=3, sync_batchnorm=True)
            if num_nodes > 1 or gpus_per_node > 1:
                kwargs["strategy"] = "ddp_find_unused_parameters_false"
            return kwargs
        """,
    ),
    wrong("all GPUs of the node", "LIT3102", (DEVICES, '"devices": "auto",')),
    wrong("minus one", "LIT3102", (DEVICES, '"devices": -1,')),
    wrong("devices left out", "LIT3102", (DEVICES, "")),
    wrong("devices of all nodes", "LIT3103", (DEVICES, '"devices": num_nodes * gpus_per_node,')),
    wrong("nodes left out", "LIT3105", (NODES, "")),
    wrong("one node", "LIT3105", (NODES, '"num_nodes": 1,')),
    wrong("one device", "LIT3111", (DEVICES, '"devices": 1,')),
    wrong(
        "nodes and GPUs swapped",
        "LIT3112",
        (DEVICES, '"devices": num_nodes,'),
        (NODES, '"num_nodes": gpus_per_node,'),
    ),
    wrong("the CPU", "LIT3110", (GPU, '"accelerator": "cpu",')),
    wrong(
        "the last GPUs", "LIT3104", (DEVICES, '"devices": [g for g in range(gpus_per_node)][::-1],')
    ),
    wrong("spawn", "LIT3107", (STRATEGY, '"strategy": "ddp_spawn" if several else "auto",')),
    wrong(
        "for notebooks", "LIT3107", (STRATEGY, '"strategy": "ddp_notebook" if several else "auto",')
    ),
    wrong("DeepSpeed", "LIT3106", (STRATEGY, '"strategy": "deepspeed",')),
    wrong("DeepSpeed, stage 2", "LIT3106", (STRATEGY, '"strategy": "deepspeed_stage_2",')),
    wrong("a single device", "LIT3106", (STRATEGY, '"strategy": "single_device",')),
    *(
        wrong(
            f"{name} for a single GPU",
            code,
            (STRATEGY, f'"strategy": "ddp" if several else "{name}",'),
        )
        for name, code in (("ddp_spawn", "LIT3107"), ("fsdp", "LIT3106"), ("deepspeed", "LIT3106"))
    ),
    wrong("FSDP", "LIT3106", (STRATEGY, '"strategy": "fsdp",')),
    wrong("precision ignored", "LIT3108", (PRECISION, '"precision": "bf16-mixed",')),
    wrong("precision left out", "LIT3108", (PRECISION, "")),
    wrong("half precision where bf16 is asked", "LIT3108", (PRECISION, '"precision": "16-mixed",')),
    wrong(
        "another default",
        "LIT3108",
        ('precision: str = "bf16-mixed"', 'precision: str = "16-mixed"'),
    ),
    wrong(
        "one dictionary for all",
        "LIT3109",
        code="""
        KWARGS = {"accelerator": "gpu", "strategy": "auto"}

        def ddp_kwargs(num_nodes, gpus_per_node, precision="bf16-mixed"):
            KWARGS.update(devices=gpus_per_node, num_nodes=num_nodes, precision=precision)
            return KWARGS
        """,
    ),
    wrong(
        "remembered",
        "LIT3109",
        code="""
        import functools

        @functools.cache
        def ddp_kwargs(num_nodes, gpus_per_node, precision="bf16-mixed"):
            return dict(
                accelerator="gpu", devices=gpus_per_node, num_nodes=num_nodes, precision=precision
            )
        """,
    ),
    wrong(
        "a strategy object for all",
        "LIT3109",
        code="""
        STRATEGY = DDPStrategy()

        def ddp_kwargs(num_nodes, gpus_per_node, precision="bf16-mixed"):
            return dict(
                accelerator="gpu", devices=gpus_per_node, num_nodes=num_nodes,
                precision=precision, strategy=STRATEGY,
            )
        """,
    ),
    wrong("an old argument", "LIT3101", (DEVICES, '"gpus": gpus_per_node,')),
    wrong("a name that is none", "LIT3101", (STRATEGY, '"strategy": "distributed",')),
    wrong("a Trainer", "LIT3100", (RETURN, "return L.Trainer() if several else {")),
    wrong("nothing", "LIT3100", (RETURN, "kwargs = {")),
    wrong("an empty dictionary", "LIT3102", code="def ddp_kwargs(*_, **__):\n    return {}"),
    wrong(
        "a single device, whatever the precision",
        "LIT3106",
        (STRATEGY, '"strategy": "single_device",'),
        (PRECISION, ""),
    ),
    wrong(
        "the number of nodes of the job around it",
        "LIT3113",
        code="""
        import os

        def ddp_kwargs(num_nodes, gpus_per_node, precision="bf16-mixed"):
            nodes = int(os.environ.get("SLURM_NNODES", num_nodes))
            return dict(
                accelerator="gpu", devices=gpus_per_node, num_nodes=nodes, precision=precision,
                strategy="ddp",
            )
        """,
    ),
    wrong(
        "the tasks of the job around it",
        "LIT3113",
        code="""
        import os

        def ddp_kwargs(num_nodes, gpus_per_node, precision="bf16-mixed"):
            gpus = int(os.environ.get("SLURM_NTASKS_PER_NODE") or gpus_per_node)
            return dict(
                accelerator="gpu", devices=gpus, num_nodes=num_nodes, precision=precision,
                strategy="ddp",
            )
        """,
    ),
    wrong(
        "trains with them at once",
        "LIT945",
        ("    return {", "    kwargs = {"),
        (
            '"precision": precision,\n    }',
            '"precision": precision,\n    }\n    L.Trainer(**kwargs).fit(L.LightningModule())\n    return kwargs',
        ),
    ),
    wrong("another name", "LIT901", ("def ddp_kwargs", "def ddp_args")),
    *CAUSES,
]
