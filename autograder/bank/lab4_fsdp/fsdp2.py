"""Answers to `fsdp2`: in which order, on which mesh, how often, and with which optimizer."""

from autograder.bank import right, wrong
from autograder.bank.lab4_fsdp._real_runs import FSDP2

MESH = 'mesh = self.device_mesh["data_parallel"]'
LOOP = "        for block in self.model.blocks:\n            fully_shard(block, mesh=mesh)\n"
BLOCK = "fully_shard(block, mesh=mesh)"
ROOT = "        fully_shard(self.model, mesh=mesh)\n"
LOSS = "return F.cross_entropy(self.model(tokens), labels)"
SGD = "return torch.optim.SGD(self.parameters(), lr=self.lr)"
KEEP = "self.model, self.lr = model, lr"
CONFIGURE = "def configure_model(self) -> None:"

CASES = [
    right(
        "a flag of its own",
        (KEEP, "self.model, self.lr, self.done = model, lr, False"),
        ("if isinstance(self.model, FSDPModule):", "if self.done:"),
        (MESH, f"self.done = True\n        {MESH}"),
    ),
    right(
        "by class, from the inside out",
        (
            LOOP,
            "        for module in reversed(list(self.model.modules())):\n"
            "            if isinstance(module, Block):\n                fully_shard(module, mesh=mesh)\n",
        ),
    ),
    right("the head, too", (ROOT, "        fully_shard(self.model.head, mesh=mesh)\n" + ROOT)),
    right(
        "an embedding that is not tied, too",
        (
            ROOT,
            "        if not self.model.tie:\n            fully_shard(self.model.embedding, mesh=mesh)\n"
            + ROOT,
        ),
    ),
    right(
        "embedding and head together",
        (
            ROOT,
            "        if not self.model.tie:\n"
            "            fully_shard([self.model.embedding, self.model.head], mesh=mesh)\n" + ROOT,
        ),
    ),
    right(
        "the root is freed, too",
        (ROOT, ROOT.replace("mesh=mesh", "mesh=mesh, reshard_after_forward=True")),
    ),
    right(
        "the root is kept",
        (ROOT, ROOT.replace("mesh=mesh", "mesh=mesh, reshard_after_forward=False")),
    ),
    right(
        "without a mesh", (BLOCK, "fully_shard(block)"), (ROOT, "        fully_shard(self.model)\n")
    ),
    right(
        "other names",
        (KEEP, 'self.save_hyperparameters(ignore=["model"])\n        self.model = model'),
        ("self.lr", "self.hparams.lr"),
    ),
    right(
        "over the network's parameters",
        (SGD, SGD.replace("self.parameters()", "self.model.parameters()")),
    ),
    right(
        "a dictionary, and logs",
        (
            LOSS,
            "loss = F.cross_entropy(self.model(tokens), labels)\n"
            '        self.log("train_loss", loss)\n        return {"loss": loss}',
        ),
    ),
    right(
        "prefetches",
        (
            ROOT,
            ROOT + "        for a, b in zip(self.model.blocks, list(self.model.blocks)[1:]):\n"
            "            a.set_modules_to_forward_prefetch([b])\n",
        ),
    ),
    right(
        "as torchtitan writes it",
        (
            LOOP,
            """        config = {"mesh": mesh, "mp_policy": torch.distributed.fsdp.MixedPrecisionPolicy()}
        for number, block in enumerate(self.model.blocks):
            fully_shard(block, **config, reshard_after_forward=number >= 0)
""",
        ),
        (ROOT, "        self.model = fully_shard(self.model, **config)\n"),
    ),
    right(
        "a mesh of its own",
        (MESH, "mesh = init_device_mesh(self.device.type, (self.trainer.world_size,))"),
    ),
    right("the strategy's mesh", (MESH, MESH.replace("self.", "self.trainer.strategy."))),
    right("backwards", ("in self.model.blocks:", "in self.model.blocks[::-1]:")),
    right(
        "a forward of its own",
        (LOSS, LOSS.replace("self.model(tokens)", "self(tokens)")),
        (
            CONFIGURE,
            "def forward(self, tokens):\n        return self.model(tokens)\n\n    " + CONFIGURE,
        ),
    ),
    right(
        "the loss written out",
        (LOSS, "return -self.model(tokens).log_softmax(1).gather(1, labels[:, None]).mean()"),
    ),
    right(
        "groups of parameters",
        (
            SGD,
            """large = [p for p in self.parameters() if p.dim() > 1]
        small = [p for p in self.parameters() if p.dim() <= 1]
        groups = [{"params": large}, {"params": small, "weight_decay": 0.0}]
        return {"optimizer": torch.optim.SGD(groups, lr=self.lr, foreach=False)}""",
        ),
    ),
    right(
        "the Trainer's parameters",
        (SGD, SGD.replace("self.parameters()", "self.trainer.model.parameters()")),
    ),
    right(
        "steps by hand",
        (KEEP, KEEP + "\n        self.automatic_optimization = False"),
        (
            LOSS,
            """loss = F.cross_entropy(self.model(tokens), labels)
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        return loss""",
        ),
    ),
    wrong("blocks alone", "LIT4503", (ROOT, "")),
    wrong("root alone", "LIT4502", (LOOP, "")),
    wrong("some blocks", "LIT4502", ("in self.model.blocks:", "in self.model.blocks[1:]:")),
    wrong(
        "root first",
        "LIT4505",
        (ROOT, ""),
        (LOOP, "        fully_shard(self.model, mesh=mesh)\n" + LOOP),
    ),
    wrong("not guarded", "LIT4506", ("if isinstance(self.model, FSDPModule):", "if False:")),
    wrong("the LightningModule", "LIT4507", (ROOT, "        fully_shard(self, mesh=mesh)\n")),
    wrong(
        "the list of blocks",
        "LIT4508",
        (LOOP, "        fully_shard(self.model.blocks, mesh=mesh)\n"),
    ),
    wrong("in setup", "LIT4509", (CONFIGURE, "def setup(self, stage=None) -> None:")),
    wrong(
        "in __init__",
        "LIT4501",
        (
            KEEP,
            KEEP
            + "\n        for block in model.blocks:\n            fully_shard(block)\n        fully_shard(model)",
        ),
    ),
    wrong("mesh of both dimensions", "LIT4510", (MESH, "mesh = self.device_mesh")),
    wrong(
        "tensor-parallel ranks", "LIT4511", (MESH, MESH.replace("data_parallel", "tensor_parallel"))
    ),
    wrong(
        "optimizer in __init__",
        "LIT4512",
        (KEEP, KEEP + "\n        self.sgd = torch.optim.SGD(model.parameters(), lr=lr)"),
        (SGD, "return self.sgd"),
    ),
    wrong(
        "blocks are kept",
        "LIT4513",
        (BLOCK, BLOCK.replace("mesh=mesh", "mesh=mesh, reshard_after_forward=False")),
    ),
    wrong("a loss divided by the ranks", "LIT4514", (LOSS, LOSS + " / self.trainer.world_size")),
    wrong("a loss times the ranks", "LIT4514", (LOSS, LOSS + " * self.trainer.world_size")),
    wrong("nothing is sharded", "LIT4515", (LOOP, ""), (ROOT, "        del mesh\n")),
    wrong(
        "DDP inside",
        "LIT4515",
        (LOOP, ""),
        (ROOT, "        self.model = nn.parallel.DistributedDataParallel(self.model)\n"),
        (
            "if isinstance(self.model, FSDPModule):",
            "if isinstance(self.model, nn.parallel.DistributedDataParallel):",
        ),
    ),
    wrong(
        "DDP's collectives by hand",
        "LIT4515",
        (LOOP, ""),
        (
            ROOT,
            "        del mesh\n\n"
            "    def on_after_backward(self):\n        for p in self.parameters():\n"
            "            torch.distributed.all_reduce(p.grad)\n            p.grad /= torch.distributed.get_world_size()\n",
        ),
    ),
    wrong(
        "FSDP1",
        "LIT4516",
        (LOOP, ""),
        (
            ROOT,
            "        from torch.distributed.fsdp import FullyShardedDataParallel\n\n"
            "        self.model = FullyShardedDataParallel(self.model)\n",
        ),
    ),
    wrong(
        "a tied embedding, too",
        "LIT4517",
        (ROOT, "        fully_shard(self.model.embedding, mesh=mesh)\n" + ROOT),
    ),
    wrong(
        "layers of blocks, too",
        "LIT4504",
        (BLOCK, "fully_shard(block.mlp, mesh=mesh)\n            " + BLOCK),
    ),
    wrong(
        "the head's layer",
        "LIT4504",
        (ROOT, "        fully_shard(self.model.head.linear, mesh=mesh)\n" + ROOT),
    ),
    wrong(
        "two blocks together",
        "LIT4523",
        (
            LOOP,
            "        blocks = list(self.model.blocks)\n"
            "        fully_shard(blocks[:2], mesh=mesh)\n        for block in blocks[2:]:\n            fully_shard(block, mesh=mesh)\n",
        ),
    ),
    wrong(
        "all blocks together",
        "LIT4523",
        (LOOP, "        fully_shard(list(self.model.blocks), mesh=mesh)\n"),
    ),
    wrong(
        "gathers at once",
        "LIT4522",
        (
            LOSS,
            "self.model.blocks[0].unshard()\n        self.model.blocks[0].reshard()\n        "
            + LOSS,
        ),
    ),
    wrong(
        "gradients stay at home",
        "LIT4525",
        (ROOT, ROOT + "        self.model.set_requires_gradient_sync(False)\n"),
    ),
    wrong("Adam", "LIT4519", (SGD, SGD.replace("SGD", "Adam"))),
    wrong("momentum", "LIT4521", (SGD, SGD.replace("self.lr)", "self.lr, momentum=0.9)"))),
    wrong("a rate of its own", "LIT4521", (SGD, SGD.replace("self.lr", "0.1"))),
    wrong("a sum", "LIT4520", (LOSS, LOSS.replace("labels)", 'labels, reduction="sum")'))),
    wrong("a softmax too many", "LIT4520", (LOSS, LOSS.replace("(tokens)", "(tokens).softmax(1)"))),
    wrong(
        "half of the parameters",
        "LIT4519",
        (SGD, SGD.replace("self.parameters()", "self.model.blocks.parameters()")),
    ),
    wrong(
        "a network of its own",
        "LIT4518",
        (KEEP, "import copy\n\n        self.model, self.lr = copy.deepcopy(model), lr"),
    ),
    wrong("kept under another name", "LIT4518", (KEEP, "self.net, self.lr = model, lr")),
    wrong(
        "a new network for each fit",
        "LIT4524",
        (
            "if isinstance(self.model, FSDPModule):\n            return\n",
            "if isinstance(self.model, FSDPModule):\n            import copy\n\n"
            "            self.model = TransformerClassifier(*self.size)\n            self.model.load_state_dict(self.start)\n",
        ),
        (
            KEEP,
            "self.model, self.lr = model, lr\n        head = model.embedding.weight.shape[0], model.embedding.weight.shape[1]\n"
            "        self.size = (*head, model.blocks[0].heads, len(model.blocks), model.classes, model.tie)\n"
            "        self.start = {n: v.clone() for n, v in model.state_dict().items()}",
        ),
    ),
    wrong("no LightningModule", "LIT4500", ("L.LightningModule", "nn.Module")),
    wrong("returns a number", "LIT001", (LOSS, LOSS + ".item()")),
    wrong("another name", "LIT901", ("class ShardedTransformer", "class Sharded")),
    wrong(
        "the last block is kept",
        "LIT4513",
        (
            LOOP,
            """        last = len(self.model.blocks) - 1
        for number, block in enumerate(self.model.blocks):
            fully_shard(block, mesh=mesh, reshard_after_forward=number < last)
""",
        ),
    ),
    wrong(
        "freed to eight ranks",
        "LIT4526",
        (BLOCK, BLOCK.replace("mesh=mesh", "mesh=mesh, reshard_after_forward=8")),
    ),
    wrong(
        "half precision of its own",
        "LIT4527",
        (
            LOOP,
            "        half = torch.distributed.fsdp.MixedPrecisionPolicy(param_dtype=torch.bfloat16)\n"
            + LOOP.replace("mesh=mesh", "mesh=mesh, mp_policy=half"),
        ),
        (ROOT, ROOT.replace("mesh=mesh", "mesh=mesh, mp_policy=half")),
    ),
    wrong(
        "both dimensions by name",
        "LIT4510",
        (MESH, 'mesh = self.device_mesh["data_parallel", "tensor_parallel"]'),
    ),
    wrong(
        "the LightningModule, called",
        "LIT4528",
        (ROOT, "        fully_shard(self, mesh=mesh)\n"),
        (LOSS, LOSS.replace("self.model(tokens)", "self(tokens)")),
        (
            CONFIGURE,
            "def forward(self, tokens):\n        return self.model(tokens)\n\n    " + CONFIGURE,
        ),
        ("isinstance(self.model, FSDPModule)", "isinstance(self, FSDPModule)"),
    ),
    wrong(
        "replicated by torch",
        "LIT4515",
        (LOOP, ""),
        (
            ROOT,
            "        from torch.distributed._composable.replicate import replicate\n\n"
            "        replicate(self.model)\n",
        ),
    ),
    wrong("the default rate", "LIT4521", (SGD, SGD.replace(", lr=self.lr", ""))),
    wrong(
        "freed to two ranks",
        "LIT4526",
        (BLOCK, BLOCK.replace("mesh=mesh", "mesh=mesh, reshard_after_forward=2")),
    ),
    *FSDP2,
]
