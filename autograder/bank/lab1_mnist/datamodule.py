"""Answers to `datamodule`: fetching, splitting, normalising, loading."""

from autograder.bank import right, wrong

SETUP = "def setup(self, stage: str) -> None:"
SHUFFLE = "shuffle=True, "
TRANSFORM = """transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize(MNIST_MEAN, MNIST_STD)]
        )"""
GENERATOR = "generator=torch.Generator().manual_seed(self.seed)"
FETCH = "mnist(root=self.data_dir, train=True)\n        mnist(root=self.data_dir, train=False)"
SUPER = "super().__init__()"
VAL_LOADER = "DataLoader(self.val_set, **self.loading)"

HAND_MADE = """
class MNISTDataModule(L.LightningDataModule):
    def __init__(self, data_dir=None, batch_size=64, val_size=0.2, seed=42, num_workers=0):
        super().__init__()
        self.save_hyperparameters()

    def prepare_data(self):
        for part in (True, False):
            mnist(self.hparams.data_dir, part)

    def tensors(self, train):
        data = mnist(self.hparams.data_dir, train)
        pixels = data.data.float().div(255).unsqueeze(1)
        return (pixels - MNIST_MEAN[0]) / MNIST_STD[0], torch.as_tensor(data.targets)

    def setup(self, stage=None):
        if stage in ("fit", "validate", None):
            images, labels = self.tensors(True)
            dice = torch.Generator().manual_seed(self.hparams.seed)
            order = torch.randperm(len(labels), generator=dice)
            border = int(len(labels) * self.hparams.val_size)
            self.val = TensorDataset(images[order[:border]], labels[order[:border]])
            self.train = TensorDataset(images[order[border:]], labels[order[border:]])
        if stage in ("test", None):
            self.test = TensorDataset(*self.tensors(False))

    def loader(self, data, **more):
        return DataLoader(
            data, self.hparams.batch_size, num_workers=self.hparams.num_workers, **more
        )

    def train_dataloader(self):
        return self.loader(self.train, shuffle=True, drop_last=True)

    def val_dataloader(self):
        return self.loader(self.val)

    def test_dataloader(self):
        return self.loader(self.test)
"""

EMPTY = """
class MNISTDataModule(L.LightningDataModule):
    def __init__(self, data_dir=None, batch_size=64, val_size=0.2, seed=42, num_workers=0):
        super().__init__()
        self.save_hyperparameters()

    def prepare_data(self):
        mnist(self.hparams.data_dir, True)

    def train_dataloader(self):
        return {loader}

    val_dataloader = test_dataloader = train_dataloader
"""

IN_PREPARE = (
    (
        FETCH,
        """images = mnist(root=self.data_dir, train=True, transform=self.transform)
        held_out = round(len(images) * self.val_size)
        self.train_set, self.val_set = random_split(
            images,
            [len(images) - held_out, held_out],
            generator=torch.Generator().manual_seed(self.seed),
        )
        self.test_set = mnist(root=self.data_dir, train=False, transform=self.transform)""",
    ),
    (
        SETUP,
        SETUP + "\n        pass\n\n    def unused(self):",
    ),
)

CASES = [
    wrong(
        "shuffles validation",
        "LIT341",
        (VAL_LOADER, "DataLoader(self.val_set, shuffle=True, **self.loading)"),
    ),
    wrong(
        "shuffles test",
        "LIT341",
        ("DataLoader(self.test_set, ", "DataLoader(self.test_set, shuffle=True, "),
    ),
    *(
        wrong(
            f"the first {count} images of {part} alone",
            "LIT324",
            (
                f"mnist(root=self.data_dir, train={train}, transform=self.transform)",
                f"(lambda d: torch.utils.data.Subset(d, range(min({count}, len(d)))))("
                f"mnist(root=self.data_dir, train={train}, transform=self.transform))",
            ),
        )
        for part, train, count in (
            ("train", True, 5000),
            ("train", True, 500),
            ("test", False, 500),
        )
    ),
    wrong(
        "val_size to three digits",
        "LIT324",
        (SUPER, SUPER + "\n        val_size = round(val_size, 3)"),
    ),
    wrong(
        "the first object's folder",
        "LIT324",
        ("self.data_dir = data_dir", 'self.data_dir = globals().setdefault("kept", data_dir)'),
    ),
    wrong(
        "batches of 64 at most",
        "LIT350",
        (SUPER, SUPER + "\n        batch_size = min(batch_size, 64)"),
    ),
    wrong(
        "eight workers at most",
        "LIT351",
        (SUPER, SUPER + "\n        num_workers = min(num_workers, 8)"),
    ),
    *(
        wrong(
            f"a seed that the rank shifts, by {name}",
            "LIT330",
            (GENERATOR, GENERATOR[:-1] + f" + {shift})"),
        )
        for name, shift in (
            ("the trainer", "(self.trainer.global_rank if self.trainer else 0)"),
            ("the trainer's local rank", "(self.trainer.local_rank if self.trainer else 0)"),
            ("torchrun's variable", "int(__import__('os').environ.get('RANK', 0))"),
            ("Lightning's variable", "int(__import__('os').environ.get('LOCAL_RANK', 0))"),
            ("Slurm's variable", "int(__import__('os').environ.get('SLURM_PROCID', 0))"),
        )
    ),
    wrong(
        "a seed that the epoch shifts",
        "LIT330",
        (GENERATOR, GENERATOR[:-1] + " + (self.trainer.current_epoch if self.trainer else 0))"),
    ),
    right(
        "not shuffled, said aloud",
        (VAL_LOADER, "DataLoader(self.val_set, shuffle=False, **self.loading)"),
    ),
    right("by hand on tensors", code=HAND_MADE),
    right(
        "shares for random_split",
        ("[len(images) - held_out, held_out]", "[1 - self.val_size, self.val_size]"),
    ),
    right("keeps its workers", ("num_workers}", 'num_workers, "pin_memory": False}')),
    right("stage may be left out", ("stage: str)", "stage=None)")),
    right("drops an uneven last batch", (SHUFFLE, "shuffle=True, drop_last=True, ")),
    wrong("state in prepare_data", "LIT301", *IN_PREPARE),
    wrong("prepare_data does nothing", "LIT302", (FETCH, "pass")),
    wrong(
        "fetches in setup",
        "LIT302",
        (FETCH, "pass"),
        ("images = mnist(", "mnist(root=self.data_dir)\n        images = mnist("),
    ),
    wrong("setup without stage", "LIT012", ("def setup(self, stage: str)", "def setup(self)")),
    wrong("no shuffle", "LIT340", (SHUFFLE, "")),
    wrong("not normalised", "LIT311", (TRANSFORM, "transforms.ToTensor()")),
    wrong(
        "raw pixels",
        "LIT312",
        (TRANSFORM, "transforms.Compose([transforms.PILToTensor(), lambda t: t.float()])"),
    ),
    wrong(
        "bytes",
        "LIT310",
        (TRANSFORM, "transforms.PILToTensor()"),
    ),
    wrong("mean and deviation of 0.5", "LIT313", ("(MNIST_MEAN, MNIST_STD)", "(0.5, 0.5)")),
    wrong(
        "statistics of the test set",
        "LIT313",
        (
            "self.test_set = mnist(",
            "pixels = mnist(self.data_dir, train=False).data.float() / 255\n"
            "        self.transform.transforms[1] = transforms.Normalize("
            "pixels.mean().item(), pixels.std().item())\n        self.test_set = mnist(",
        ),
    ),
    wrong(
        "nothing to validate on",
        "LIT320",
        ("held_out = round(len(images) * self.val_size)", "held_out = 0"),
    ),
    wrong("loaders that are empty lists", "LIT320", code=EMPTY.format(loader="[]")),
    wrong(
        "loaders of no samples",
        "LIT320",
        code=EMPTY.format(
            loader="DataLoader([], self.hparams.batch_size, num_workers=self.hparams.num_workers)"
        ),
    ),
    wrong(
        "all but one sample to validate on",
        "LIT320",
        ("held_out = round(len(images) * self.val_size)", "held_out = len(images) - 1"),
    ),
    wrong(
        "statistics of each image",
        "LIT313",
        (
            TRANSFORM,
            "transforms.Compose([transforms.ToTensor(), lambda t: (t - t.mean()) / t.std()])",
        ),
    ),
    wrong("flattened", "LIT310", ("transforms.Normalize(MNIST_MEAN, MNIST_STD)", "torch.flatten")),
    wrong(
        "no transform for test",
        "LIT902",
        ("train=False, transform=self.transform)", "train=False)"),
    ),
    wrong(
        "another transform for test",
        "LIT311",
        ("train=False, transform=self.transform)", "train=False, transform=transforms.ToTensor())"),
    ),
    wrong(
        "validates on training data",
        "LIT321",
        (VAL_LOADER, "DataLoader(self.train_set, **self.loading)"),
    ),
    wrong(
        "validates on test data",
        "LIT322",
        (VAL_LOADER, "DataLoader(mnist(self.data_dir, False, self.transform), **self.loading)"),
    ),
    wrong(
        "tests on training data",
        "LIT322",
        (
            "self.test_set = mnist(root=self.data_dir, train=False",
            "self.test_set = mnist(root=self.data_dir, train=True",
        ),
    ),
    wrong("ignores val_size", "LIT320", ("* self.val_size", "* 0.5")),
    wrong("no seed", "LIT330", (GENERATOR, "generator=None")),
    wrong("a fixed seed", "LIT331", (GENERATOR, "generator=torch.Generator().manual_seed(42)")),
    wrong(
        "no random split",
        "LIT331",
        (
            "self.train_set, self.val_set = random_split(",
            "part = torch.utils.data.Subset\n        self.train_set, self.val_set = (lambda d, n, generator: ("
            "part(d, range(n[0])), part(d, range(n[0], sum(n)))))(",
        ),
    ),
    wrong("ignores batch_size", "LIT350", ('"batch_size": batch_size', '"batch_size": 32')),
    wrong("ignores num_workers", "LIT351", ('"num_workers": num_workers', '"num_workers": 0')),
    wrong("ignores data_dir", "LIT315", ("self.data_dir = data_dir", "self.data_dir = None")),
    wrong("other defaults", "LIT352", ("batch_size: int = 64", "batch_size: int = 32")),
    wrong(
        "drops the tail of val",
        "LIT323",
        (VAL_LOADER, "DataLoader(self.val_set, drop_last=True, **self.loading)"),
    ),
    wrong(
        "sampling with replacement",
        "LIT323",
        (
            "DataLoader(self.train_set, shuffle=True, **self.loading)",
            "DataLoader(self.train_set, sampler=torch.utils.data.RandomSampler("
            "self.train_set, replacement=True), **self.loading)",
        ),
    ),
    wrong(
        "labels shuffled apart",
        "LIT314",
        (
            "held_out = round",
            "images.targets = torch.as_tensor(images.targets).flip(0)\n        held_out = round",
        ),
    ),
    wrong("no DataModule", "LIT300", ("(L.LightningDataModule)", "")),
    wrong("no test loader", "LIT902", ("def test_dataloader", "def testing_dataloader")),
    wrong("another name", "LIT901", ("class MNISTDataModule", "class MnistDataModule")),
    wrong(
        "setup for fit and test alone",
        "LIT303",
        (
            "images = mnist(",
            'if stage == "validate":\n            return\n        images = mnist(',
        ),
    ),
    wrong("no super().__init__()", "LIT016", (SUPER, "pass")),
    wrong(
        "keeps a mark of prepare_data", "LIT305", (FETCH, FETCH + "\n        self.fetched = True")
    ),
    wrong(
        "a generator of __init__",
        "LIT332",
        (SUPER, SUPER + "\n        self.dice = torch.Generator().manual_seed(seed)"),
        (GENERATOR, "generator=self.dice"),
    ),
    wrong(
        "a misspelt attribute in prepare_data",
        "LIT902",
        (FETCH, FETCH.replace("self.data_dir", "self.data_dirs", 1)),
    ),
    wrong(
        "hooks that Lightning can't call",
        "LIT304",
        (
            "def train_dataloader(self)",
            "def teardown(self):\n        pass\n\n    def train_dataloader(self)",
        ),
    ),
]
