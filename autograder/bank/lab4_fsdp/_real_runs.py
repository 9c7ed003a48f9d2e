"""Wrong answers that only what a real run has tells: sizes, epochs, modes, defaults, later calls."""

from autograder.bank import wrong

MESH = 'mesh = self.device_mesh["data_parallel"]'
LOOP = "        for block in self.model.blocks:\n            fully_shard(block, mesh=mesh)\n"
LOSS = "return F.cross_entropy(self.model(tokens), labels)"
SGD = "return torch.optim.SGD(self.parameters(), lr=self.lr)"
KEEP = "self.model, self.lr = model, lr"
SIZES = "data_parallel_size=world_size, tensor_parallel_size=1"
CHECK = "if flag not in makers:"

FSDP2 = [
    wrong("a mesh of another name", "LIT902", (MESH, 'mesh = self.device_mesh["data"]')),
    wrong(
        "a mesh of processors",
        "LIT4532",
        (MESH, 'mesh = init_device_mesh("cpu", (self.trainer.world_size,))'),
    ),
    wrong("each block twice", "LIT4506", (LOOP, LOOP + LOOP)),
    wrong("eight blocks", "LIT4502", ("in self.model.blocks:", "in self.model.blocks[:8]:")),
    wrong(
        "four blocks, by their numbers",
        "LIT4502",
        (
            LOOP,
            "        for number in range(min(4, len(self.model.blocks))):\n"
            "            fully_shard(self.model.blocks[number], mesh=mesh)\n",
        ),
    ),
    wrong(
        "evaluation mode from the beginning",
        "LIT4529",
        (KEEP, "self.model, self.lr = model.eval(), lr"),
    ),
    wrong("evaluation mode in each step", "LIT4529", (LOSS, f"self.eval()\n        {LOSS}")),
    wrong(
        "evaluation mode when it is sharded",
        "LIT4529",
        (MESH, f"self.model.train(False)\n        {MESH}"),
    ),
    wrong("another rate by default", "LIT4530", ("lr: float = 0.1", "lr: float = 0.01")),
    wrong(
        "a rate that falls each epoch",
        "LIT4531",
        (
            SGD,
            f"optimizer = {SGD[7:]}\n        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)]",
        ),
    ),
    wrong(
        "a rate that falls after a hundred steps",
        "LIT4531",
        (
            SGD,
            f"optimizer = {SGD[7:]}\n        falls = torch.optim.lr_scheduler.StepLR(optimizer, 100)\n"
            '        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": falls, "interval": "step"}}',
        ),
    ),
    wrong(
        "learns in the first epoch alone", "LIT4525", (LOSS, f"{LOSS} * (self.current_epoch == 0)")
    ),
    wrong(
        "learns in the first hundred steps alone",
        "LIT4525",
        (LOSS, f"{LOSS} * (self.global_step < 100)"),
    ),
    wrong(
        "warms up for ever",
        "LIT4519",
        (LOSS, f"{LOSS} * min(1.0, (self.current_epoch + 1) / 1000)"),
    ),
    wrong(
        "the first 16 samples",
        "LIT4519",
        (LOSS, f"tokens, labels = tokens[:16], labels[:16]\n        {LOSS}"),
    ),
    wrong(
        "the first 64 samples",
        "LIT4519",
        (LOSS, f"tokens, labels = tokens[:64], labels[:64]\n        {LOSS}"),
    ),
    wrong("the first 16 tokens", "LIT4519", (LOSS, f"tokens = tokens[:, :16]\n        {LOSS}")),
    wrong("ten classes", "LIT4519", (LOSS, f"labels = labels % 10\n        {LOSS}")),
    wrong("a loss of five at most", "LIT4525", (LOSS, f"{LOSS}.clamp(max=5)")),
]
"""Answers to `fsdp2`."""

STRATEGY_FOR = [
    wrong(
        "makers of the first call",
        "LIT4718",
        ("makers = {", "makers = globals().setdefault('_makers', {"),
        ("\n    }\n", "\n    })\n"),
    ),
    wrong(
        "a policy that is kept",
        "LIT4718",
        (CHECK, f"policy = globals().setdefault('_policy', policy)\n    {CHECK}"),
    ),
    wrong(
        "eight ranks at most",
        "LIT4708",
        (SIZES, SIZES.replace("world_size,", "min(world_size, 8),")),
    ),
    wrong(
        "64 ranks at most", "LIT4708", (SIZES, SIZES.replace("world_size,", "min(world_size, 64),"))
    ),
    wrong("eight ranks, written down", "LIT4708", (SIZES, SIZES.replace("world_size,", "8,"))),
    wrong("two ranks by default", "LIT4708", ("world_size: int = 1", "world_size: int = 2")),
    wrong(
        "the ranks of the environment",
        "LIT4708",
        (
            "data_parallel_size=world_size",
            'data_parallel_size=int(os.environ.get("WORLD_SIZE", 1)) // 2 or 1',
        ),
        ("makers = {", "import os\n\n    makers = {"),
    ),
]
"""Answers to `strategy_for`."""
