"""Answers to `augment`: what is drawn, for which part, and the split as in lab 1."""

from autograder.bank import right, wrong
from autograder.bank.lab2_cifar10._lab2_causes import AUGMENT as CAUSES
from autograder.bank.lab2_cifar10._splits import SPLITS
from autograder.bank.lab2_cifar10._by_hand import BY_HAND

CROP = "transforms.RandomCrop(32, padding=4)"
FLIP = "transforms.RandomHorizontalFlip()"
RANDOM = f"random = [{CROP}, {FLIP}]"
FETCH = "cifar10(root=self.data_dir, train=True)\n        cifar10(root=self.data_dir, train=False)"
NORMALIZE = "transforms.Normalize(CIFAR10_MEAN, CIFAR10_STD)"
PLAIN = f"plain = [transforms.ToTensor(), {NORMALIZE}]"
DICE = "dice = torch.Generator().manual_seed(self.seed)"
SETUP = "def setup(self, stage: str) -> None:"
SUPER = "super().__init__()"
TRAIN_LOADER = "DataLoader(self.train_set, shuffle=True, **self.loading)"
VAL_LOADER = "DataLoader(self.val_set, **self.loading)"
STILL = "still = cifar10(root=self.data_dir, train=True, transform=self.plain)"
TRAIN_SET = "self.train_set = Subset(changing, order[held_out:])"
RANDPERM = "order = torch.randperm(len(still), generator=dice).tolist()"
FORKED = """with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            shuffled = torch.randperm(len(still))"""

PER_BATCH = (
    (RANDOM, "random = []"),
    (
        TRAIN_LOADER,
        f"""DataLoader(self.train_set, shuffle=True, collate_fn=self.together, **self.loading)

    def together(self, samples):
        images, labels = torch.utils.data.default_collate(samples)
        return transforms.Compose([{CROP}, {FLIP}])(images), labels""",
    ),
)

CASES = [
    right("by hand on tensors", code=BY_HAND),
    right("flips first", (RANDOM, f"random = [{FLIP}, {CROP}]")),
    right("reflects at the border", ("padding=4", 'padding=4, padding_mode="reflect"')),
    right(
        "crops tensors",
        (
            "transforms.Compose([*random, *plain])",
            "transforms.Compose([*plain, *random])",
        ),
    ),
    right("drops an uneven last batch", ("shuffle=True, ", "shuffle=True, drop_last=True, ")),
    right(
        "two splits of one seed",
        (
            "self.val_set = Subset(still, order[:held_out])",
            "sizes = [len(order) - held_out, held_out]\n        dice.manual_seed(self.seed)\n"
            "        _, self.val_set = random_split(still, sizes, dice)",
        ),
        (
            TRAIN_SET,
            "dice.manual_seed(self.seed)\n        self.train_set, _ = random_split(changing, sizes, dice)",
        ),
    ),
    right("keeps its workers", ("num_workers}", 'num_workers, "pin_memory": False}')),
    right("stage may be left out", ("stage: str)", "stage=None)")),
    right("a global seed, put back", (DICE, FORKED), (RANDPERM, "order = shuffled.tolist()")),
    # --- what is drawn
    wrong("no augmentation", "LIT2230", (RANDOM, "random = []"), costs=("augment",)),
    wrong("flips alone", "LIT2231", (RANDOM, f"random = [{FLIP}]")),
    wrong("crops alone", "LIT2232", (RANDOM, f"random = [{CROP}]"), costs=("augment",)),
    wrong("less padding", "LIT2231", ("padding=4", "padding=2")),
    wrong("more padding", "LIT2235", ("padding=4", "padding=8")),
    wrong("always flips", "LIT2232", (FLIP, "transforms.RandomHorizontalFlip(p=1.0)")),
    wrong("seldom flips", "LIT2232", (FLIP, "transforms.RandomHorizontalFlip(p=0.3)")),
    wrong("upside down", "LIT2235", (FLIP, "transforms.RandomVerticalFlip()"), costs=("augment",)),
    wrong("turns", "LIT2235", (FLIP, "transforms.RandomRotation(15)")),
    wrong("scales", "LIT2235", (CROP, "transforms.RandomResizedCrop(32)")),
    wrong("colours", "LIT2235", (FLIP, f"{FLIP}, transforms.ColorJitter(brightness=0.3)")),
    wrong(
        "crops or flips",
        "LIT2232",
        (RANDOM, f"random = [transforms.RandomChoice([{CROP}, {FLIP}])]"),
    ),
    wrong("crops now and then", "LIT2231", (CROP, f"transforms.RandomApply([{CROP}])")),
    wrong(
        "two corners",
        "LIT2231",
        (
            CROP,
            "transforms.Pad(4), transforms.RandomChoice([transforms.CenterCrop(32), lambda i: i.crop((0, 0, 32, 32))])",
        ),
    ),
    wrong(
        "augments once and for all",
        "LIT2233",
        (TRAIN_SET, "self.train_set = [changing[i] for i in order[held_out:]]"),
    ),
    wrong("one draw for a batch", "LIT2234", *PER_BATCH),
    wrong(
        "one flip for a batch",
        "LIT2234",
        (RANDOM, f"random = [{CROP}]"),
        (PER_BATCH[1][0], PER_BATCH[1][1].replace(f"{CROP}, ", "")),
    ),
    wrong(
        "three images an epoch, never flipped",
        "LIT323",
        (RANDOM, f"random = [{CROP}]"),
        (TRAIN_SET, TRAIN_SET + "\n        self.train_set.indices = self.train_set.indices[:3]"),
    ),
    wrong(
        "an empty test set",
        "LIT323",
        (
            "def test_dataloader(self)",
            "def test_dataloader(self):\n        return DataLoader([])\n\n    def tests(self)",
        ),
    ),
    # --- what is augmented
    wrong(
        "validation too",
        "LIT2220",
        ("self.val_set = Subset(still", "self.val_set = Subset(changing"),
    ),
    wrong(
        "test too",
        "LIT2221",
        ("train=False, transform=self.plain", "train=False, transform=self.augmented"),
        costs=("augment",),
    ),
    wrong(
        "one transform, switched in setup",
        "LIT2261",
        (STILL, "still = changing\n        still.transform = self.plain"),
    ),
    wrong(
        "two Subsets of one data set",
        "LIT2261",
        (STILL, "still = changing"),
        (
            TRAIN_SET,
            TRAIN_SET
            + "\n        self.train_set.dataset.transform = self.augmented"
            + "\n        self.val_set.dataset.transform = self.plain",
        ),
    ),
    wrong(
        "a transform of a Subset",
        "LIT2262",
        (
            TRAIN_SET,
            "self.train_set = Subset(still, order[held_out:])"
            "\n        self.train_set.transform = self.augmented",
        ),
    ),
    wrong("crops the centre in training", "LIT2210", (CROP, "transforms.RandomCrop(28)")),
    wrong(
        "images of 224 pixels a side, as ImageNet's networks take them",
        "LIT2210",
        (CROP, "transforms.RandomResizedCrop(224)"),
        (PLAIN, f"plain = [transforms.Resize(224), transforms.ToTensor(), {NORMALIZE}]"),
    ),
    # --- as in lab 1
    wrong("not normalised", "LIT2211", (PLAIN, "plain = [transforms.ToTensor()]")),
    wrong(
        "raw pixels", "LIT2212", (PLAIN, "plain = [transforms.PILToTensor(), lambda t: t.float()]")
    ),
    wrong("bytes", "LIT2210", (PLAIN, "plain = [transforms.PILToTensor()]")),
    wrong(
        "mean and deviation of 0.5",
        "LIT2213",
        ("(CIFAR10_MEAN, CIFAR10_STD)", "((0.5,) * 3, (0.5,) * 3)"),
    ),
    wrong(
        "one mean for all channels",
        "LIT2213",
        ("(CIFAR10_MEAN, CIFAR10_STD)", "((0.4734,) * 3, (0.2516,) * 3)"),
    ),
    wrong(
        "statistics of each image",
        "LIT2213",
        (
            NORMALIZE,
            "transforms.Lambda(lambda t: (t - t.mean((1, 2), keepdim=True)) / t.std((1, 2), keepdim=True))",
        ),
    ),
    wrong(
        "training alone is normalised",
        "LIT2211",
        ("self.plain = transforms.Compose(plain)", "self.plain = transforms.ToTensor()"),
    ),
    wrong(
        "two splits of another seed",
        "LIT321",
        (
            TRAIN_SET,
            "other = torch.randperm(len(order)).tolist()\n        self.train_set = Subset(changing, other[held_out:])",
        ),
    ),
    wrong(
        "validates on training data",
        "LIT321",
        ("Subset(still, order[:held_out])", "Subset(still, order[held_out:])"),
    ),
    wrong(
        "validates on test data",
        "LIT2222",
        (VAL_LOADER, "DataLoader(cifar10(self.data_dir, False, self.plain), **self.loading)"),
    ),
    wrong(
        "tests on training data",
        "LIT2222",
        (
            "self.test_set = cifar10(root=self.data_dir, train=False",
            "self.test_set = cifar10(root=self.data_dir, train=True",
        ),
    ),
    wrong(
        "trains on test data too",
        "LIT2222",
        (
            TRAIN_SET,
            TRAIN_SET
            + "\n        self.train_set = self.train_set + cifar10(self.data_dir, False, self.augmented)",
        ),
    ),
    wrong("ignores val_size", "LIT320", ("* self.val_size", "* 0.5")),
    wrong("no seed", "LIT330", (", generator=dice", "")),
    wrong("a fixed seed", "LIT331", (DICE, "dice = torch.Generator().manual_seed(42)")),
    wrong(
        "a generator of __init__",
        "LIT332",
        (SUPER, SUPER + "\n        self.dice = torch.Generator().manual_seed(seed)"),
        (DICE, "dice = self.dice"),
    ),
    *SPLITS,
    wrong("no shuffle", "LIT340", ("shuffle=True, ", "")),
    wrong("ignores batch_size", "LIT350", ('"batch_size": batch_size', '"batch_size": 32')),
    wrong("ignores num_workers", "LIT351", ('"num_workers": num_workers', '"num_workers": 0')),
    wrong("two workers, always", "LIT351", ('"num_workers": num_workers', '"num_workers": 2')),
    wrong("two workers by default", "LIT2252", ("num_workers: int = 0", "num_workers: int = 2")),
    wrong("another seed by default", "LIT2252", ("seed: int = 42", "seed: int = 0")),
    wrong(
        "lengths of the real data",
        "LIT2263",
        (DICE, "still, _ = random_split(still, [45000, 5000])\n        " + DICE),
    ),
    wrong(
        "seeds everything in setup",
        "LIT2260",
        (DICE, "L.seed_everything(self.seed)"),
        (", generator=dice", ""),
    ),
    wrong(
        "seeds torch in setup",
        "LIT2260",
        (DICE, "torch.manual_seed(self.seed)"),
        (", generator=dice", ""),
    ),
    wrong("ignores data_dir", "LIT2215", ("self.data_dir = data_dir", "self.data_dir = None")),
    wrong("other defaults", "LIT2252", ("batch_size: int = 128", "batch_size: int = 64")),
    wrong(
        "drops the tail of val",
        "LIT323",
        (VAL_LOADER, "DataLoader(self.val_set, drop_last=True, **self.loading)"),
    ),
    wrong("prepare_data does nothing", "LIT2201", (FETCH, "pass")),
    wrong(
        "keeps a mark of prepare_data", "LIT2203", (FETCH, FETCH + "\n        self.fetched = True")
    ),
    wrong("setup without stage", "LIT012", ("def setup(self, stage: str)", "def setup(self)")),
    wrong(
        "setup for fit and test alone",
        "LIT303",
        (
            "changing = cifar10(",
            'if stage == "validate":\n            return\n        changing = cifar10(',
        ),
    ),
    wrong(
        "labels shuffled apart",
        "LIT314",
        ("held_out = round", "changing.targets = changing.targets[::-1]\n        held_out = round"),
    ),
    wrong("no DataModule", "LIT2200", ("(L.LightningDataModule)", "")),
    wrong("no super().__init__()", "LIT016", (SUPER, "pass")),
    wrong(
        "a misspelt attribute in prepare_data",
        "LIT902",
        (FETCH, FETCH.replace("self.data_dir", "self.data_dirs", 1)),
    ),
    wrong(
        "hooks that Lightning can't call",
        "LIT2202",
        (
            "def train_dataloader(self)",
            "def teardown(self):\n        pass\n\n    def train_dataloader(self)",
        ),
    ),
    wrong("another name", "LIT901", ("class CIFAR10DataModule", "class CifarDataModule")),
    wrong(
        "state in prepare_data",
        "LIT301",
        (
            FETCH,
            FETCH
            + "\n        self.images = cifar10(root=self.data_dir, train=True, transform=self.plain)",
        ),
        (STILL, "still = self.images"),
    ),
    *CAUSES,
]
