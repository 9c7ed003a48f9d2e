"""Answers to `schedule`: optimizer, schedule, loss and log."""

from autograder.bank import right, wrong
from autograder.bank.lab2_cifar10._lab2_causes import SCHEDULE as CAUSES
from autograder.bank.lab2_cifar10._gradients import (
    CONFIGURE,
    DECAY,
    GRADIENTS,
    KEEP,
    LOSS,
    RETURN,
)

SIGNATURE = "max_lr: float = 0.1, weight_decay: float = 5e-4"
TOTAL = "total_steps=self.trainer.estimated_stepping_batches"
INTERVAL = '{"scheduler": schedule, "interval": "step"}'
SCHEDULE = f"""OneCycleLR(
            optimizer,
            max_lr=self.hparams.max_lr,
            {TOTAL},
        )"""
RETURNED = f"""{{
            "optimizer": optimizer,
            "lr_scheduler": {INTERVAL},
        }}"""
SGD = """torch.optim.SGD(
            self.parameters(),
            lr=self.hparams.max_lr,
            momentum=0.9,
            weight_decay=self.hparams.weight_decay,
            nesterov=True,
        )"""
VAL_ACC = "accuracy = (logits.argmax(dim=1) == labels).float().mean()"
VAL_LOG = 'self.log("val_acc", accuracy, prog_bar=True, sync_dist=True)'
TRAIN_LOG = 'self.log("train_loss", loss)'
METRIC = '__import__("torchmetrics").classification.MulticlassAccuracy(10, average="micro")'
SHARED = (
    (KEEP, f"{KEEP}\n        self.acc = {METRIC}"),
    (LOSS, "logits = self(images)\n        loss = F.cross_entropy(logits, labels)"),
    (
        TRAIN_LOG,
        TRAIN_LOG + "\n        self.acc(logits, labels)"
        '\n        self.log("train_acc", self.acc, on_step=False, on_epoch=True)',
    ),
    (VAL_ACC, "self.acc(logits, labels)"),
    (VAL_LOG, 'self.log("val_acc", self.acc)'),
)

CASES = [
    right("plain momentum", ("\n            nesterov=True,", "")),
    right(
        "momentum left to the schedule", ("\n            momentum=0.9,", ""), ("nesterov=True,", "")
    ),
    right(
        "arguments without annotations", (SIGNATURE, "max_lr=0.1, weight_decay=0.0005, **further")
    ),
    *(
        wrong(
            f"the first {count} of a batch",
            "LIT2130",
            (LOSS, f"images, labels = images[:{count}], labels[:{count}]\n        {LOSS}"),
        )
        for count in (16, 32, 64)
    ),
    *(
        wrong(
            f"learns in {name} alone",
            "LIT2130",
            (TRAIN_LOG, f"{TRAIN_LOG}\n        loss = loss * ({when})"),
        )
        for name, when in (
            ("a hundred steps", "self.global_step < 100"),
            ("fifty batches of an epoch", "batch_idx < 50"),
        )
    ),
    *(
        wrong(
            f"validates {name}",
            "LIT2140",
            ("logits = self(images)", f"{line}\n        logits = self(images)"),
        )
        for name, line in (
            ("the first 64 of a batch", "images, labels = images[:64], labels[:64]"),
            ("eight batches at most", "if batch_idx >= 8:\n            return"),
            ("a hundred batches at most", "if batch_idx >= 100:\n            return"),
        )
    ),
    *(
        wrong(
            f"tests {name}",
            "LIT2140",
            ('self.log("test_acc"', f'{line}\n        self.log("test_acc"'),
        )
        for name, line in (
            ("the first 64 of a batch", "images, labels = images[:64], labels[:64]"),
            ("eight batches at most", "if batch_idx >= 8:\n            return"),
            ("a hundred batches at most", "if batch_idx >= 100:\n            return"),
        )
    ),
    right("lists in place of a dict", (RETURNED, f"[optimizer], [{INTERVAL}]")),
    right(
        "norms and biases without decay",
        (
            SGD,
            """torch.optim.SGD(
            [
                {"params": [p for p in self.parameters() if p.dim() > 1]},
                {"params": [p for p in self.parameters() if p.dim() <= 1], "weight_decay": 0.0},
            ],
            lr=0.1,
            momentum=0.9,
            weight_decay=self.hparams.weight_decay,
        )""",
        ),
    ),
    right(
        "torchmetrics, one object each",
        (KEEP, f"{KEEP}\n        self.train_acc = {METRIC}\n        self.val_acc = {METRIC}"),
        (LOSS, "logits = self(images)\n        loss = F.cross_entropy(logits, labels)"),
        (
            TRAIN_LOG,
            TRAIN_LOG + "\n        self.train_acc(logits, labels)"
            '\n        self.log("train_acc", self.train_acc, on_step=False, on_epoch=True)',
        ),
        (VAL_ACC, "self.val_acc(logits, labels)"),
        (VAL_LOG, 'self.log("val_acc", self.val_acc)'),
    ),
    right(
        "saves no hyperparameters",
        (
            'self.save_hyperparameters(ignore=["model"])',
            "self.max_lr, self.weight_decay = max_lr, weight_decay",
        ),
        ("lr=self.hparams.max_lr", "lr=self.max_lr"),
        ("max_lr=self.hparams.max_lr", "max_lr=self.max_lr"),
        (DECAY, "weight_decay=self.weight_decay"),
    ),
    right(
        "logs on epoch too",
        (TRAIN_LOG, 'self.log("train_loss", loss, on_step=True, on_epoch=True)'),
    ),
    right(
        "tests the loss as well",
        (
            'self.log("test_acc"',
            'self.log("test_loss", F.cross_entropy(self(images), labels))\n        self.log("test_acc"',
        ),
    ),
    # --- the schedule
    wrong(
        "a cycle that ends high",
        "LIT2119",
        (
            "total_steps=self.trainer.estimated_stepping_batches",
            "total_steps=self.trainer.estimated_stepping_batches, final_div_factor=10",
        ),
    ),
    wrong("no schedule", "LIT2110", (RETURNED, "optimizer")),
    wrong("a misspelt key", "LIT2110", ('"lr_scheduler"', '"scheduler"')),
    wrong("once per epoch", "LIT2111", (', "interval": "step"', "")),
    wrong("lists without an interval", "LIT2111", (RETURNED, "[optimizer], [schedule]")),
    wrong("hard-coded steps", "LIT2112", (TOTAL, "total_steps=100")),
    wrong(
        "steps of the real data", "LIT2112", (TOTAL, "total_steps=self.trainer.max_epochs * 391")
    ),
    wrong(
        "asked too early",
        "LIT2112",
        (TOTAL, "steps_per_epoch=self.trainer.num_training_batches, epochs=2"),
    ),
    wrong("too few hard-coded steps", "LIT2112", (TOTAL, "total_steps=5")),
    wrong(
        "steps of one epoch",
        "LIT2112",
        (TOTAL, "total_steps=self.trainer.estimated_stepping_batches // self.trainer.max_epochs"),
    ),
    wrong(
        "batches in place of steps",
        "LIT2112",
        (
            TOTAL,
            "total_steps=self.trainer.max_epochs * len(self.trainer.fit_loop._data_source.instance)"
            " if self.trainer.max_epochs > 0 else self.trainer.max_steps",
        ),
    ),
    wrong("ignores max_lr", "LIT2113", ("max_lr=self.hparams.max_lr", "max_lr=0.1")),
    wrong("a longer rise", "LIT2114", (TOTAL, TOTAL + ", pct_start=0.5")),
    wrong("linear", "LIT2114", (TOTAL, TOTAL + ', anneal_strategy="linear"')),
    wrong(
        "steps it by hand as well",
        "LIT2115",
        (RETURN, "self.lr_schedulers().step()\n        return loss"),
    ),
    wrong(
        "steps it in training_step, in place of Lightning",
        "LIT2106",
        (SCHEDULE, SCHEDULE + "\n        self.schedule = schedule"),
        (RETURNED, "optimizer"),
        (RETURN, "self.schedule.step()\n        return loss"),
    ),
    wrong(
        "steps it behind each batch, in place of Lightning",
        "LIT2106",
        (SCHEDULE, SCHEDULE + "\n        self.schedule = schedule"),
        (RETURNED, "optimizer"),
        (
            CONFIGURE,
            "def on_train_batch_end(self, *_):\n        self.schedule.step()\n\n    " + CONFIGURE,
        ),
    ),
    wrong(
        "a plateau without monitor",
        "LIT2116",
        (SCHEDULE, "torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)"),
    ),
    wrong(
        "a plateau",
        "LIT2110",
        (SCHEDULE, "torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)"),
        ('"interval": "step"', '"monitor": "val_loss"'),
    ),
    wrong("momentum stays", "LIT2117", (TOTAL, TOTAL + ", cycle_momentum=False")),
    wrong(
        "cosine annealing",
        "LIT2119",
        (
            SCHEDULE,
            "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.trainer.estimated_stepping_batches)",
        ),
    ),
    wrong(
        "every second step", "LIT2119", ('"interval": "step"', '"interval": "step", "frequency": 2')
    ),
    wrong(
        "two rates",
        "LIT2118",
        (
            "self.parameters(),",
            '[{"params": self.model[0].parameters()}, {"params": self.model[1:].parameters()}],',
        ),
        ("max_lr=self.hparams.max_lr", "max_lr=[self.hparams.max_lr, self.hparams.max_lr / 10]"),
    ),
    wrong(
        "a rate for all ranks together",
        "LIT2152",
        ("max_lr=self.hparams.max_lr", "max_lr=self.hparams.max_lr * self.trainer.world_size"),
    ),
    wrong(
        "a schedule made in __init__",
        "LIT2107",
        (KEEP, KEEP + "\n        self.total = self.trainer.estimated_stepping_batches"),
    ),
    wrong(
        "forgets save_hyperparameters",
        "LIT018",
        ('self.save_hyperparameters(ignore=["model"])', "pass"),
    ),
    # --- the optimizer
    wrong(
        "AdamW",
        "LIT2120",
        (
            SGD,
            "torch.optim.AdamW(self.parameters(), lr=self.hparams.max_lr, weight_decay=self.hparams.weight_decay)",
        ),
    ),
    wrong("no weight decay", "LIT2121", (f"\n            {DECAY},", "")),
    wrong("a fixed weight decay", "LIT2123", (DECAY, "weight_decay=5e-4")),
    wrong("another weight decay", "LIT2124", (DECAY, "weight_decay=3 * self.hparams.weight_decay")),
    wrong(
        "no momentum",
        "LIT2117",
        ("momentum=0.9", "momentum=0.0"),
        ("nesterov=True", "nesterov=False"),
        (TOTAL, TOTAL + ", cycle_momentum=False"),
    ),
    wrong("dampening", "LIT2124", ("nesterov=True", "dampening=0.5")),
    wrong(
        "a part of the parameters", "LIT136", ("self.parameters(),", "self.model[-1].parameters(),")
    ),
    wrong("no configure_optimizers", "LIT130", (CONFIGURE, "def optimizer")),
    wrong("a patched fit", "LIT130", (KEEP, KEEP + "\n        L.Trainer.fit = lambda *_: None")),
    wrong(
        "returns no optimizer",
        "LIT130",
        ('return {\n            "optimizer"', 'done = {\n            "optimizer"'),
    ),
    wrong(
        "the optimizer on lr",
        "LIT017",
        ("lr=self.hparams.max_lr,\n            momentum", "lr=self.max_lr,\n            momentum"),
    ),
    *GRADIENTS,
    # --- the log
    wrong("one torchmetrics object for training and validation", "LIT2140", *SHARED),
    wrong("logs no train_loss", "LIT140", (TRAIN_LOG, "")),
    wrong("logs something else", "LIT141", (TRAIN_LOG, 'self.log("train_loss", 0 * loss)')),
    wrong("another key", "LIT2151", ('"val_acc"', '"val_accuracy"')),
    wrong("no val_loss", "LIT2151", ('self.log("val_loss"', 'self.log("valid_loss"')),
    wrong("no test step", "LIT902", ("def test_step", "def testing_step")),
    wrong("accuracy in percent", "LIT208", (VAL_ACC, VAL_ACC + " * 100")),
    wrong(
        "macro accuracy",
        "LIT207",
        (VAL_ACC, "accuracy = self.acc(logits, labels)"),
        (
            KEEP,
            KEEP
            + '\n        self.acc = __import__("torchmetrics").classification.MulticlassAccuracy(10)',
        ),
        (VAL_LOG, 'self.log("val_acc", self.acc)'),
    ),
    wrong(
        "every batch weighs the same",
        "LIT203",
        (VAL_LOG, 'self.log("val_acc", accuracy, batch_size=1)'),
    ),
    wrong(
        "softmax first, in validation",
        "LIT111",
        (
            '"val_loss", F.cross_entropy(logits, labels)',
            '"val_loss", F.cross_entropy(logits.softmax(dim=1), labels)',
        ),
    ),
    # --- the class
    wrong("no defaults", "LIT2150", (SIGNATURE, "max_lr: float, weight_decay: float")),
    wrong(
        "another default rate",
        "LIT2150",
        (SIGNATURE, "max_lr: float = 0.01, weight_decay: float = 5e-4"),
    ),
    wrong(
        "no decay by default",
        "LIT2150",
        (SIGNATURE, "max_lr: float = 0.1, weight_decay: float = 0.0"),
    ),
    wrong("another network", "LIT101", (KEEP, "self.model = SmallCNN()")),
    wrong("no LightningModule", "LIT2100", ("L.LightningModule", "nn.Module")),
    wrong("another name", "LIT901", ("class LitResNet", "class LitResnet")),
    *CAUSES,
]
