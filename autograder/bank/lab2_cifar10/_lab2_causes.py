"""Wrong answers of lab 2 whose card once named another cause than theirs, or cost too much."""

from autograder.bank import Case, right, wrong

KEEP = "self.model = model"
UNPACK = "images, labels = batch"
LOSS = "loss = F.cross_entropy(self(images), labels)"
HITS = "(self(images).argmax(dim=1) == labels).float().mean()"
ACCURACY = "accuracy = (logits.argmax(dim=1) == labels).float().mean()"
TEST_LOG = f'self.log("test_acc", {HITS}, sync_dist=True)'
DEVICE = '"cuda" if torch.cuda.is_available() else "cpu"'

SCHEDULE: list[Case] = [
    wrong(
        "to a device of its own",
        "LIT007",
        (
            UNPACK,
            f"{UNPACK}\n        device = {DEVICE}\n"
            "        images, labels = images.to(device), labels.to(device)",
        ),
        costs=("everywhere",),
    ),
    wrong(
        "test is not written", "LIT900", (TEST_LOG, "raise NotImplementedError()"), costs=("log",)
    ),
    wrong(
        "validation is not written",
        "LIT900",
        (ACCURACY, "raise NotImplementedError()"),
        costs=("log",),
    ),
    wrong(
        "a slip in the validation",
        "LIT902",
        (ACCURACY, ACCURACY.replace("(logits.", "(logit.")),
        costs=("log",),
    ),
    wrong(
        "a copy of the network",
        "LIT101",
        (KEEP, 'self.model = __import__("copy").deepcopy(model)'),
        costs=("rate", "everywhere", "loss", "step", "log"),
    ),
    wrong("self.max_lr after all", "LIT017", ("max_lr=self.hparams.max_lr", "max_lr=self.max_lr")),
    wrong(
        "self.weight_decay after all",
        "LIT017",
        ("weight_decay=self.hparams.weight_decay", "weight_decay=self.weight_decay"),
    ),
    wrong(
        "labels first",
        "LIT022",
        (LOSS, LOSS.replace("self(images), labels", "labels, self(images)")),
    ),
    wrong(
        "validation counts",
        "LIT209",
        (ACCURACY, ACCURACY.replace("mean()", "sum()")),
        costs=("log",),
    ),
    wrong("test counts", "LIT209", (TEST_LOG, TEST_LOG.replace("mean()", "sum()")), costs=("log",)),
    wrong(
        "the plain loop's three lines",
        "LIT023",
        (
            LOSS,
            f"{LOSS}\n        optimizer = self.optimizers()\n        optimizer.zero_grad()\n"
            "        loss.backward()\n        optimizer.step()",
        ),
        costs=("rate", "everywhere", "loss", "step", "log"),
    ),
]
"""Answers to `schedule`."""

RANDOM = "random = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]"
VAL_LOADER = "return DataLoader(self.val_set, **self.loading)"
TEST_LOADER = "return DataLoader(self.test_set, **self.loading)"
VAL_SET, TRAIN_SET = "Subset(still, order[:held_out])", "Subset(changing, order[held_out:])"
TEST_SET = "cifar10(root=self.data_dir, train=False, transform=self.plain)"
AUGMENT: list[Case] = [
    wrong(
        "upside down, too",
        "LIT2235",
        (RANDOM, RANDOM[:-1] + ", transforms.RandomVerticalFlip()]"),
        costs=("augment",),
    ),
    wrong(
        "drops the tail of test",
        "LIT323",
        (TEST_LOADER, TEST_LOADER[:-1] + ", drop_last=True)"),
        costs=("split",),
    ),
    wrong(
        "drops both tails",
        "LIT323",
        (VAL_LOADER, VAL_LOADER[:-1] + ", drop_last=True)"),
        (TEST_LOADER, TEST_LOADER[:-1] + ", drop_last=True)"),
        costs=("split",),
    ),
    wrong(
        "shares changed over",
        "LIT320",
        (VAL_SET, VAL_SET.replace("[:held_out]", "[held_out:]")),
        (TRAIN_SET, TRAIN_SET.replace("[held_out:]", "[:held_out]")),
    ),
    wrong("test images to validate on", "LIT2222", (VAL_SET, TEST_SET), costs=("split", "repeat")),
    wrong(
        "flips behind the loader",
        "LIT2264",
        (RANDOM, "random = []"),
        (
            "    def prepare_data(self) -> None:",
            "    def on_after_batch_transfer(self, batch, dataloader_idx):\n"
            "        images, labels = batch\n"
            "        return transforms.RandomHorizontalFlip()(images), labels\n\n"
            "    def prepare_data(self) -> None:",
        ),
        costs=("augment",),
    ),
    wrong(
        "an argument download",
        "LIT902",
        (
            "cifar10(root=self.data_dir, train=True)\n",
            "cifar10(root=self.data_dir, train=True, download=True)\n",
        ),
        costs=("prepare",),
    ),
]
"""Answers to `augment`."""

BEST = 'ModelCheckpoint(monitor="val_acc", mode="max", save_last=True)'
HANDED_ON = "max_epochs=max_epochs,"
ENGINEER: list[Case] = [
    wrong(
        "the best by the loss",
        "LIT2330",
        (BEST, BEST.replace('val_acc", mode="max', 'val_loss", mode="min')),
        costs=("best",),
    ),
    wrong(
        "a misspelt metric",
        "LIT2330",
        (BEST, BEST.replace("val_acc", "val_accuracy")),
        costs=("best",),
    ),
    wrong(
        "always ddp", "LIT2365", (HANDED_ON, f'{HANDED_ON} strategy="ddp",'), costs=("hardware",)
    ),
    wrong(
        "always the GPU",
        "LIT2310",
        ("accelerator=accelerator,", 'accelerator="gpu",'),
        costs=("hardware",),
    ),
    wrong(
        "always the CPU",
        "LIT2310",
        ("accelerator=accelerator,", 'accelerator="cpu",'),
        costs=("hardware",),
    ),
]
"""Answers to `engineer`."""

TRAINER = """trainer = L.Trainer(
        max_epochs=max_epochs,
        logger=CSVLogger(run_dir),
        default_root_dir=run_dir,
        enable_model_summary=False,
    )"""
MADE = "trainer = make_trainer(max_epochs=max_epochs, run_dir=run_dir{})"
CONVERGE: list[Case] = [
    wrong("asks make_trainer for a GPU", "LIT013", (TRAINER, MADE.format(', accelerator="gpu"'))),
    wrong("asks make_trainer for two devices", "LIT440", (TRAINER, MADE.format(", devices=2"))),
    wrong(
        "a make_trainer that insists on a GPU",
        "LIT904",
        (TRAINER, MADE.format("")),
        after=(("engineer", "always the GPU"),),
    ),
    right("the CPU, said aloud", (TRAINER, MADE.format(', accelerator="cpu", devices=1'))),
]
"""Answers to `converge`."""

MAIN = "    LightningCLI(LitCNN, Photos)"
WITHOUT = ("data_dir: str | None = None", "batch_size: int = 128", "val_size: float = 0.1")
CLI = "LightningCLI(LitCNN, Photos, trainer_defaults={})"
SCRIPT: list[Case] = [
    wrong(
        "a data module without defaults",
        "LIT2507",
        *(
            (text, text.partition(":")[0])
            for text in (*WITHOUT, "seed: int = 42", "num_workers: int = 0")
        ),
    ),
    wrong(
        "a plain Trainer",
        "LIT2508",
        (MAIN, "    L.Trainer(max_epochs=2).fit(LitCNN(), Photos())"),
    ),
    wrong(
        "argparse",
        "LIT2508",
        (
            MAIN,
            "    import argparse\n\n    parser = argparse.ArgumentParser()\n"
            '    parser.add_argument("--max_epochs", type=int, default=2)\n'
            "    arguments = parser.parse_args()\n"
            "    L.Trainer(max_epochs=arguments.max_epochs).fit(LitCNN(), Photos())",
        ),
    ),
    wrong(
        "argparse that ignores the rest",
        "LIT2508",
        (
            MAIN,
            "    import argparse\n\n    parser = argparse.ArgumentParser()\n"
            '    parser.add_argument("command")\n'
            '    parser.add_argument("--trainer.max_epochs", type=int, dest="max_epochs")\n'
            "    arguments, _ = parser.parse_known_args()\n"
            "    L.Trainer(max_epochs=arguments.max_epochs).fit(LitCNN(), Photos())",
        ),
    ),
    wrong(
        "a logger object as a default",
        "LIT2509",
        (
            MAIN,
            "    from lightning.pytorch.loggers import CSVLogger\n\n    "
            + CLI.format('{"logger": CSVLogger("runs")}'),
        ),
    ),
    right(  # flags overrule trainer_defaults, so that --trainer.devices=2 trains on two
        "defaults of one CPU", (MAIN, "    " + CLI.format('{"accelerator": "cpu", "devices": 1}'))
    ),
]
"""Answers to `script`."""
