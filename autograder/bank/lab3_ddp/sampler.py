"""Answers to `sampler`: who gets which samples, how many, in which order."""

from autograder.bank import right, wrong
from autograder.bank.lab3_ddp._lab3_causes import SAMPLER as CAUSES

REPLICAS = "num_replicas=self.trainer.world_size,"
RANK = "rank=self.trainer.global_rank,"
SEED = "seed=self.seed,"
LOADER = "return DataLoader(dataset, batch_size=self.batch_size, sampler=sampler)"
VAL = "self._loader(self.val_set, shuffle=False)"
TRAIN = "self._loader(self.train_set, shuffle=True)"

OWN = """
class ShardedDataModule(L.LightningDataModule):
    def __init__(self, train_set, val_set, batch_size=32, seed=0):
        super().__init__()
        self.sets, self.size, self.seed = (train_set, val_set), batch_size, seed

    def train_dataloader(self):
        sampler = Dealer(len(self.sets[0]), self.trainer, self.seed)
        return DataLoader(self.sets[0], self.size, sampler=sampler)

    def val_dataloader(self):
        indices = range(self.trainer.global_rank, len(self.sets[1]), self.trainer.world_size)
        return DataLoader(torch.utils.data.Subset(self.sets[1], indices), self.size)


class Dealer(Sampler):
    def __init__(self, count, trainer, seed):
        self.count, self.seed, self.epoch = count, seed, 0
        self.rank, self.world = trainer.global_rank, trainer.world_size

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return -(-self.count // self.world)

    def __iter__(self):
        dice = torch.Generator().manual_seed(1000 * self.seed + self.epoch)
        order = torch.randperm(self.count, generator=dice).tolist()
        order += order[: len(self) * self.world - self.count]
        return iter(order[self.rank :: self.world])
"""
LEN = "return -(-self.count // self.world)"
LEN_OWN = "return len(range(self.rank, self.count, self.world))"
INIT = "def train_dataloader(self)"
PARTS = """
class ShardedDataModule(L.LightningDataModule):
    def __init__(self, train_set, val_set, batch_size=32, seed=0):
        super().__init__()
        self.train_set, self.val_set, self.size, self.seed = train_set, val_set, batch_size, seed

    def part(self, dataset, pad):
        rank, world = self.trainer.global_rank, self.trainer.world_size
        every = [*range(len(dataset))]
        every += every[: -len(every) % world] if pad else []
        return torch.utils.data.Subset(dataset, every[rank::world])

    def train_dataloader(self):
        {}

    def val_dataloader(self):
        return DataLoader(self.part(self.val_set, False), self.size)
"""
SEEDED = (
    "torch.manual_seed(self.seed)\n"
    "        return DataLoader(self.part(self.train_set, True), self.size, shuffle=True)"
)
GENERATOR = (
    "dice = torch.Generator().manual_seed(self.seed)\n"
    "        part = self.part(self.train_set, True)\n"
    "        return DataLoader(part, self.size, shuffle=True, generator=dice)"
)
EPOCH = "1000 * self.seed + self.epoch"
PAD = "order += order[: len(self) * self.world - self.count]"
PART = "order[self.rank :: self.world]"
DICE = "dice = torch.Generator().manual_seed(1000 * self.seed + self.epoch)\n        "
DRAW = "torch.randperm(self.count, generator=dice).tolist()"

CASES = [
    right("from the process group", (REPLICAS, ""), (RANK, "")),
    right("a sampler of its own", code=OWN),
    right(
        "blocks in place of every nth",
        code=OWN.replace(PART, "order[self.rank * len(self) : (self.rank + 1) * len(self)]"),
    ),
    wrong(
        "counts the epochs itself",
        "LIT3415",
        code=OWN.replace("def set_epoch(self, epoch):\n        self.epoch = epoch", "").replace(
            "order = torch.randperm", "self.epoch += 1\n        order = torch.randperm"
        ),
    ),
    right(
        "asks the trainer for the epoch",
        code=OWN.replace("self.seed, self.epoch = count, seed, 0", "self.seed = count, seed")
        .replace(
            "self.rank, self.world =", "self.trainer = trainer\n        self.rank, self.world ="
        )
        .replace("    def set_epoch(self, epoch):\n        self.epoch = epoch\n", "")
        .replace("+ self.epoch", "+ self.trainer.current_epoch"),
    ),
    right(
        "each rank shuffles a part of its own",
        code=OWN.replace(
            "order = torch.randperm(self.count, generator=dice).tolist()",
            "order = [*range(self.count)]",
        ).replace(
            f"return iter({PART})",
            f"part = {PART}\n"
            "        return iter([part[i] for i in torch.randperm(len(part), generator=dice)])",
        ),
    ),
    right(
        "a batch sampler",
        (
            LOADER,
            "batches = torch.utils.data.BatchSampler(sampler, self.batch_size, drop_last=False)\n"
            "        return DataLoader(dataset, batch_sampler=batches)",
        ),
    ),
    right(
        "seeds a state that is put back",
        code=OWN.replace(DICE, "").replace(
            f"order = {DRAW}",
            "with torch.random.fork_rng():\n"
            "            torch.manual_seed(1000 * self.seed + self.epoch)\n"
            "            order = torch.randperm(self.count).tolist()",
        ),
    ),
    wrong(
        "seeds the global random state in each epoch",
        "LIT3416",
        code=OWN.replace("dice = torch.Generator().", "torch.").replace(", generator=dice", ""),
    ),
    wrong(
        "seeds the global random state, and validates everything on each rank",
        "LIT3416",
        code=OWN.replace("dice = torch.Generator().", "torch.")
        .replace(", generator=dice", "")
        .replace("torch.utils.data.Subset(self.sets[1], indices)", "self.sets[1]"),
    ),
    wrong(
        "stops after the first epoch",
        "LIT3402",
        (
            TRAIN,
            TRAIN + "\n\n    def on_before_batch_transfer(self, batch, dataloader_idx):\n"
            "        self.trainer.should_stop = True\n        return batch",
        ),
    ),
    wrong(
        "no sampler at all",
        "LIT3401",
        (LOADER, "return DataLoader(dataset, batch_size=self.batch_size, shuffle=shuffle)"),
    ),
    wrong(
        "no sampler for training",
        "LIT3401",
        (TRAIN, "DataLoader(self.train_set, self.batch_size, shuffle=True)"),
    ),
    wrong(
        "validates everything on each rank",
        "LIT3420",
        (VAL, "DataLoader(self.val_set, self.batch_size)"),
    ),
    wrong("batches of eight at most", "LIT3408", ("= batch_size", "= min(batch_size, 8)")),
    wrong("batches of 32 at most", "LIT3408", ("= batch_size", "= min(batch_size, 32)")),
    wrong("batches of 64 at most", "LIT3408", ("= batch_size", "= min(batch_size, 64)")),
    wrong("another default size", "LIT3408", ("batch_size: int = 32", "batch_size: int = 64")),
    wrong("another default seed", "LIT3411", ("seed: int = 0", "seed: int = 42")),
    wrong("small seeds alone", "LIT3412", (SEED, "seed=min(self.seed, 64),")),
    wrong(
        "torchrun's RANK moves the seed",
        "LIT3406",
        (SEED, 'seed=self.seed + int(os.environ.get("RANK", 0)),'),
    ),
    wrong(
        "keeps the first validation loader",
        "LIT3421",
        (VAL, f'globals().setdefault("kept", {VAL})'),
    ),
    *(
        wrong(f"the environment's: {name}", code, (RANK, f"rank={text},"))
        for name, code, text in (
            ("RANK", "LIT936", 'int(os.environ["RANK"])'),
            ("getenv", "LIT936", 'int(os.getenv("RANK"))'),
            ("RANK or 0", "LIT3406", 'int(os.environ.get("RANK", 0))'),
        )
    ),
    wrong(
        "the environment's world size",
        "LIT936",
        (REPLICAS, 'num_replicas=int(os.environ["WORLD_SIZE"]),'),
    ),
    wrong("ignores the epoch", "LIT3409", code=OWN.replace(EPOCH, "self.seed")),
    wrong("not shuffled", "LIT3410", (TRAIN, TRAIN.replace("True", "False"))),
    wrong("validation shuffled", "LIT3423", (VAL, VAL.replace("False", "True"))),
    wrong(
        "validation shuffled once for all",
        "LIT3423",
        (
            VAL,
            "self._loader(torch.utils.data.Subset(self.val_set, torch.randperm("
            "len(self.val_set), generator=torch.Generator().manual_seed(1)).tolist()), "
            "shuffle=False)",
        ),
    ),
    wrong("ignores the seed", "LIT3412", (SEED, "")),
    wrong("a seed for each rank", "LIT3406", (SEED, "seed=self.seed + self.trainer.global_rank,")),
    wrong(
        "each rank's own random state",
        "LIT3406",
        code=OWN.replace(", generator=dice", ""),
    ),
    wrong(
        "the order of rank 0's random state",
        "LIT3411",
        (SEED, "seed=self.trainer.strategy.broadcast(int(torch.initial_seed())),"),
    ),
    wrong("drop_last in the sampler", "LIT3402", (SEED, SEED + " drop_last=True,")),
    wrong(
        "drop_last in the loader",
        "LIT3402",
        (LOADER, LOADER.replace("=sampler", "=sampler, drop_last=shuffle")),
    ),
    wrong(
        "drop_last in every loader",
        "LIT3402",
        (LOADER, LOADER.replace("=sampler", "=sampler, drop_last=True")),
    ),
    wrong("drop_last in validation", "LIT3421", (SEED, SEED + " drop_last=not shuffle,")),
    wrong("not padded", "LIT3407", code=OWN.replace(PAD, "")),
    wrong("not padded, and says so", "LIT3407", code=OWN.replace(PAD, "").replace(LEN, LEN_OWN)),
    wrong(
        "a part of the set for each rank, not padded",
        "LIT3407",
        (LOADER, "return DataLoader(self._part(dataset), self.batch_size, shuffle=shuffle)"),
        (
            INIT,
            "def _part(self, dataset):\n"
            "        own = range(self.trainer.global_rank, len(dataset), self.trainer.world_size)\n"
            "        return torch.utils.data.Subset(dataset, own)\n\n    " + INIT,
        ),
    ),
    wrong("the local rank", "LIT3414", (RANK, "rank=self.trainer.local_rank,")),
    wrong(
        "as many parts as a node has ranks",
        "LIT3414",
        (REPLICAS, "num_replicas=self.trainer.num_devices,"),
        (RANK, "rank=self.trainer.local_rank,"),
    ),
    wrong(
        "validation by local rank",
        "LIT3414",
        (RANK, "rank=self.trainer.global_rank if shuffle else self.trainer.local_rank,"),
    ),
    wrong("the global random state, seeded once", "LIT3411", code=PARTS.format(SEEDED)),
    wrong("a generator of the loader's", "LIT3411", code=PARTS.format(GENERATOR)),
    wrong(
        "the world size in __init__",
        "LIT3404",
        ("self.seed = seed", "self.seed, self.world = seed, self.trainer.world_size"),
    ),
    wrong(
        "padded to full batches",
        "LIT3403",
        code=OWN.replace(
            "return -(-self.count // self.world)", "return -(-self.count // (8 * self.world)) * 8"
        ),
    ),
    wrong(
        "with replacement",
        "LIT3406",
        code=OWN.replace(
            "torch.randperm(self.count, generator=dice)",
            "torch.randint(self.count, (self.count,), generator=dice)",
        ),
    ),
    wrong(
        "random sampler on every rank",
        "LIT3401",
        code=OWN.replace(f"iter({PART})", "iter(order)")
        .replace("return -(-self.count // self.world)", "return self.count")
        .replace(PAD, ""),
    ),
    wrong(
        "validates every sample twice",
        "LIT3422",
        code=OWN.replace("self.sets[1], indices)", "self.sets[1], [*indices, *indices])"),
    ),
    wrong("ignores batch_size", "LIT3408", ("batch_size=self.batch_size", "batch_size=32")),
    wrong(
        "shares the batch out",
        "LIT3408",
        ("batch_size=self.batch_size", "batch_size=self.batch_size // self.trainer.world_size"),
    ),
    wrong(
        "made for two ranks",
        "LIT3403",
        (REPLICAS, "num_replicas=2,"),
        (RANK, "rank=self.trainer.global_rank % 2,"),
    ),
    wrong(
        "made for two ranks, and ignores the seed",
        "LIT3403",
        (REPLICAS, "num_replicas=2,"),
        (RANK, "rank=self.trainer.global_rank % 2,"),
        (SEED, ""),
    ),
    wrong("takes every rank for rank 0", "LIT3406", (RANK, "rank=0,")),
    wrong(
        "validates on training data",
        "LIT3413",
        (VAL, "self._loader(self.train_set, shuffle=False)"),
    ),
    wrong(
        "sampler made in __init__",
        "LIT3404",
        (
            "self.seed = seed",
            "self.seed = seed\n        self.sampler = DistributedSampler(train_set, seed=seed)",
        ),
    ),
    wrong(
        "sampler and shuffle",
        "LIT3405",
        (LOADER, LOADER.replace("=sampler", "=sampler, shuffle=shuffle")),
    ),
    wrong("no data module", "LIT3400", ("(L.LightningDataModule)", "")),
    wrong("no val loader", "LIT3421", ("def val_dataloader", "def validation_dataloader")),
    wrong("forgets super", "LIT016", ("super().__init__()", "pass")),
    wrong("another name", "LIT901", ("class ShardedDataModule", "class ShardedData")),
    *CAUSES,
]
