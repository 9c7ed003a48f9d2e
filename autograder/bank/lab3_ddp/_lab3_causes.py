"""Wrong answers of lab 3 whose card once named another cause than theirs, or none."""

from autograder.bank import Case, wrong

OWN = (
    "own = torch.tensor(self.samples, device=pl_module.device)\n"
    '        total = trainer.strategy.reduce(own, reduce_op="sum")'
)
REDUCE = 'total = trainer.strategy.reduce({}, reduce_op="sum")'
ZERO = "if trainer.is_global_zero:"
DIST = "torch.distributed."
ON_ONE = "if trainer.global_rank == 1:\n            {}\n        " + OWN
RANK_ZERO: list[Case] = [
    wrong(
        "reduces an int", "LIT3525", (OWN, REDUCE.format("self.samples")), costs=("samples_seen",)
    ),
    wrong(
        "reduces a float",
        "LIT3525",
        (OWN, REDUCE.format("float(self.samples)")),
        costs=("samples_seen",),
    ),
    wrong("asks torch for its rank", "LIT3526", (ZERO, f"if {DIST}get_rank() == 0:")),
    wrong(
        "asks torch for the world size",
        "LIT3526",
        (OWN, f"{OWN}\n        print({DIST}get_world_size())"),
    ),
    wrong("waits by torch's barrier", "LIT3527", (OWN, f"{OWN}\n        {DIST}barrier()")),
    wrong(
        "one rank leaves by os._exit", "LIT931", (OWN, ON_ONE.format('__import__("os")._exit(3)'))
    ),
    wrong(
        "one rank is killed",
        "LIT931",
        (OWN, ON_ONE.format('__import__("os").kill(__import__("os").getpid(), 9)')),
    ),
    wrong("one rank leaves by sys.exit", "LIT933", (OWN, ON_ONE.format("raise SystemExit(2)"))),
    wrong(
        "one rank loops",
        "LIT935",
        (OWN, "while trainer.global_rank == 1:\n            pass\n        " + OWN),
    ),
    wrong("one rank raises", "LIT902", (OWN, ON_ONE.format('raise ValueError("no")'))),
    wrong(
        "makes the folder that is there",
        "LIT902",
        (OWN, f"self.path.parent.mkdir()\n        {OWN}"),
    ),
    wrong(
        "a path in the report",
        "LIT902",
        ('"samples_seen": int(total)', '"samples_seen": int(total), "path": self.path'),
    ),
]
"""Answers to `rank_zero`."""

INIT = "super().__init__()\n"
LOSS = "loss = F.cross_entropy(self.model(inputs), labels)"
KEEP = "self.model, self.lr = model, lr"
LOG = "self.log_dict(values, sync_dist=True, batch_size=len(labels))"
ON_RANK = "if self.global_rank == 1:\n            {}\n        {}"
SYNCED: list[Case] = [
    wrong(
        "asks for its rank in __init__",
        "LIT3335",
        (KEEP, f"{KEEP}\n        self.place = {DIST}get_rank()"),
    ),
    wrong(
        "asks for the world size in __init__",
        "LIT3335",
        (KEEP, f"{KEEP}\n        self.ranks = {DIST}get_world_size()"),
    ),
    wrong(
        "one rank sets should_stop",
        "LIT3336",
        (LOSS, ON_RANK.format("self.trainer.should_stop = True", LOSS)),
    ),
    wrong(
        "makes the process group in a step",
        "LIT3334",
        (LOSS, f'{DIST}init_process_group("gloo")\n        {LOSS}'),
    ),
    wrong("one rank is gone", "LIT931", (LOSS, ON_RANK.format('__import__("os")._exit(3)', LOSS))),
    wrong(
        "one rank loops in validation",
        "LIT935",
        (LOG, f"while self.global_rank == 1:\n            pass\n        {LOG}"),
    ),
    wrong("labels first", "LIT022", (LOSS, "loss = F.cross_entropy(labels, self.model(inputs))")),
]
"""Answers to `synced`."""

REPLICAS = "num_replicas=self.trainer.world_size"
MAKES = "sampler = DistributedSampler("
SAMPLER: list[Case] = [
    wrong(
        "as many as this node has",
        "LIT3417",
        (REPLICAS, "num_replicas=self.trainer.num_devices"),
        costs=("once", "val"),
    ),
    wrong(
        "two ranks written down",
        "LIT3417",
        (REPLICAS, "num_replicas=2"),
        costs=("batches", "once", "order", "val"),
    ),
    wrong(
        "asks a sampler that is not there",
        "LIT902",
        (MAKES, f"sampler = None\n        ranks = sampler.num_replicas\n        {MAKES}"),
    ),
]
"""Answers to `sampler`."""

FACTOR = "factor = world_size * accumulate"
RECIPE: list[Case] = [
    wrong(
        "asks torch for the world size",
        "LIT3215",
        (FACTOR, f"factor = {DIST}get_world_size() * accumulate"),
    ),
    wrong(
        "a Decimal",
        "LIT3214",
        ('"lr": lr * factor', '"lr": __import__("decimal").Decimal(str(lr)) * factor'),
        costs=("lr",),
    ),
]
"""Answers to `recipe`."""

FIT = "    trainer.fit(Digits(), train_batches())"
MAKE = "    trainer = L.Trainer("
DEVICES = "devices=options.devices,"
TRAINS = f"""{MAKE}
        devices=options.devices,
        max_epochs=options.max_epochs,
        logger=False,
        enable_checkpointing=False,
    )
{FIT}"""
LOOP = """    module = Digits()
    optimizer = module.configure_optimizers()
    for _ in range(options.max_epochs):
        for images, labels in train_batches():
            optimizer.zero_grad()
            F.cross_entropy(module.model(images), labels).backward()
            optimizer.step()"""
CLI = "    from lightning.pytorch.cli import LightningCLI\n\n    LightningCLI(Digits)"
LAUNCH: list[Case] = [
    wrong(
        "makes the process group",
        "LIT3718",
        (MAKE, f'    {DIST}init_process_group("gloo")\n{MAKE}'),
    ),
    wrong(
        "reads LOCAL_RANK",
        "LIT3718",
        (MAKE, f'    print(__import__("os").environ["LOCAL_RANK"])\n{MAKE}'),
    ),
    wrong(
        "asks for its rank before fit", "LIT3718", (MAKE, f"    print({DIST}get_rank())\n{MAKE}")
    ),
    wrong(
        "fits the same module twice",
        "LIT3712",
        (FIT, f"    module = Digits()\n{FIT}\n{FIT}".replace("Digits(), ", "module, ")),
    ),
    wrong("a plain loop", "LIT3716", (TRAINS, LOOP)),
    wrong("LightningCLI", "LIT3721", (TRAINS, CLI)),
    wrong("two nodes", "LIT3719", (DEVICES, f"{DEVICES} num_nodes=2,")),
    wrong("FSDP on a CPU", "LIT3720", (DEVICES, f'{DEVICES} strategy="fsdp",')),
]
"""Answers to `launch`."""

DDP = "return DDPStrategy(find_unused_parameters=len(module.model.skippable) > 0)"
UNUSED: list[Case] = [
    wrong("FSDP", "LIT3603", (DDP, 'return "fsdp"')),
    wrong(
        "one object for all",
        "LIT3608",
        (DDP, "return STRATEGIES[len(module.model.skippable) > 0]"),
        (
            "def strategy_for",
            "STRATEGIES = {\n    True: DDPStrategy(find_unused_parameters=True),\n"
            "    False: DDPStrategy(),\n}\n\n\ndef strategy_for",
        ),
    ),
]
"""Answers to `unused`."""

SEVERAL = '"strategy": "ddp" if several else "auto",'
PLUGIN = '\n        "plugins": [__import__("lightning.pytorch.plugins.environments", fromlist=["x"]).{}()],'
KWARGS: list[Case] = [
    wrong(f"always {name}", "LIT3114", (SEVERAL, SEVERAL + PLUGIN.format(name)))
    for name in ("SLURMEnvironment", "LightningEnvironment")
]
"""Answers to `kwargs`."""
