"""Answers to `evaluate`: metrics of validation and test."""

from autograder.bank import right, wrong
from autograder.bank.lab1_mnist._lab1_causes import EVALUATE as CAUSES

ACC = "accuracy = (logits.argmax(dim=1) == labels).float().mean()"
LOG = "self.log_dict(values, batch_size=len(labels), prog_bar=True)"
TEST = 'self._evaluate(batch, "test")'
VAL = 'self._evaluate(batch, "val")'

TORCHMETRICS = """
from torchmetrics.classification import MulticlassAccuracy

class EvaluatedClassifier(LitClassifier):
    def __init__(self, model, lr=1e-3):
        super().__init__(model, lr)
        self.val_accuracy = MulticlassAccuracy(num_classes=10, average={average!r})
        self.test_accuracy = MulticlassAccuracy(num_classes=10, average={average!r})

    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        self.val_accuracy(logits, y)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", self.val_accuracy)

    def test_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        self.test_accuracy(logits, y)
        self.log("test_loss", F.cross_entropy(logits, y))
        self.log("test_acc", self.test_accuracy)
"""

COLLECTED = """
class EvaluatedClassifier(LitClassifier):
    def on_validation_epoch_start(self):
        self.seen = []

    on_test_epoch_start = on_validation_epoch_start

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.seen.append((self(x), y))

    test_step = validation_step

    def finish(self, stage):
        logits = torch.cat([z for z, _ in self.seen])
        labels = torch.cat([y for _, y in self.seen])
        self.log(f"{stage}_loss", F.cross_entropy(logits, labels))
        self.log(f"{stage}_acc", (logits.argmax(1) == labels).float().mean())

    def on_validation_epoch_end(self):
        self.finish("val")

    def on_test_epoch_end(self):
        self.finish("test")
"""

BEST = TORCHMETRICS.format(average="micro").replace(
    "    def validation_step",
    """    def on_validation_epoch_end(self):
        best = max(getattr(self, "best", 0.0), float(self.val_accuracy.compute()))
        self.best = best
        self.log("val_acc_best", best, prog_bar=True)

    def validation_step""",
)

MEANS = COLLECTED.replace(
    """        logits = torch.cat([z for z, _ in self.seen])
        labels = torch.cat([y for _, y in self.seen])
        self.log(f"{stage}_loss", F.cross_entropy(logits, labels))
        self.log(f"{stage}_acc", (logits.argmax(1) == labels).float().mean())
""",
    """        losses = [F.cross_entropy(z, y) for z, y in self.seen]
        hits = [(z.argmax(1) == y).float().mean() for z, y in self.seen]
        self.log(f"{stage}_loss", torch.stack(losses).mean())
        self.log(f"{stage}_acc", torch.stack(hits).mean())
""",
)

NOT_RESET = """
class EvaluatedClassifier(LitClassifier):
    def __init__(self, model, lr=1e-3):
        super().__init__(model, lr)
        self.right = self.total = 0

    def count(self, batch, stage):
        x, y = batch
        logits = self(x)
        self.right += (logits.argmax(1) == y).sum().item()
        self.total += len(y)
        self.log(f"{stage}_loss", F.cross_entropy(logits, y))

    def validation_step(self, batch, batch_idx):
        self.count(batch, "val")

    def test_step(self, batch, batch_idx):
        self.count(batch, "test")

    def on_validation_epoch_end(self):
        self.log("val_acc", self.right / self.total)

    def on_test_epoch_end(self):
        self.log("test_acc", self.right / self.total)
"""

SHARED = TORCHMETRICS.replace(
    "self.test_accuracy = MulticlassAccuracy(num_classes=10, average={average!r})",
    "self.test_accuracy = self.val_accuracy",
)
IN_A_LIST = TORCHMETRICS.replace(
    "self.val_accuracy = MulticlassAccuracy(num_classes=10, average={average!r})",
    "self.metrics = [MulticlassAccuracy(num_classes=10, average={average!r})]",
).replace("self.val_accuracy", "self.metrics[0]")
NEVER_RESET = TORCHMETRICS.replace(
    'self.log("val_acc", self.val_accuracy)', 'self.log("val_acc", self.val_accuracy.compute())'
)
NEW_EACH_STEP = """
from torchmetrics.classification import MulticlassAccuracy

class EvaluatedClassifier(LitClassifier):
    def measure(self, batch, stage):
        x, y = batch
        logits = self(x)
        accuracy = MulticlassAccuracy(num_classes=10, average="micro").to(logits.device)
        values = {stage + "_loss": F.cross_entropy(logits, y), stage + "_acc": accuracy(logits, y)}
        self.log_dict(values, batch_size=len(y))

    def validation_step(self, batch, batch_idx):
        self.measure(batch, "val")

    def test_step(self, batch, batch_idx):
        self.measure(batch, "test")
"""

BATCH = "images, labels = batch"
CASES = [
    *(
        wrong(
            f"the first {size} samples of a batch",
            "LIT210",
            (BATCH, f"{BATCH}\n        images, labels = images[:{size}], labels[:{size}]"),
        )
        for size in (16, 64, 128)
    ),
    wrong(
        "the first eight batches in validation",
        "LIT210",
        (VAL, f"if batch_idx < 8:\n            {VAL}"),
    ),
    wrong(
        "the first 16 batches in test", "LIT210", (TEST, f"if batch_idx < 16:\n            {TEST}")
    ),
    wrong(
        "the first hundred batches in validation",
        "LIT210",
        (VAL, f"if batch_idx < 100:\n            {VAL}"),
    ),
    wrong(
        "the first hundred batches in test",
        "LIT210",
        (TEST, f"if batch_idx < 100:\n            {TEST}"),
    ),
    wrong(
        "a batch counts as 64 at most",
        "LIT210",
        ("batch_size=len(labels)", "batch_size=min(len(labels), 64)"),
    ),
    right("torchmetrics, micro", code=TORCHMETRICS.format(average="micro")),
    right("torchmetrics, one object for both", code=SHARED.format(average="micro")),
    right("torchmetrics, a new object in each step", code=NEW_EACH_STEP),
    right("collected and logged at the end", code=COLLECTED),
    right("softmax before argmax", (ACC, ACC.replace("logits.argmax", "logits.softmax(1).argmax"))),
    right("logs a float", (ACC, ACC + ".item()")),
    right("without batch_size", (LOG, "self.log_dict(values)")),
    right(
        "calls the network itself",
        ("logits = self(images)", "logits = self.model(images)"),
    ),
    right("logs per step too", (LOG, "self.log_dict(values, on_step=True, on_epoch=True)")),
    right("another hook logs the best accuracy so far", code=BEST),
    wrong("macro accuracy", "LIT207", code=TORCHMETRICS.format(average="macro")),
    wrong("torchmetrics in a list", "LIT902", code=IN_A_LIST.format(average="micro")),
    wrong("torchmetrics that is never reset", "LIT210", code=NEVER_RESET.format(average="micro")),
    wrong("means of batch means", "LIT203", code=MEANS),
    wrong("every batch weighs the same", "LIT203", (LOG, "self.log_dict(values, batch_size=1)")),
    wrong(
        "last batch alone",
        "LIT206",
        (LOG, "self.last = values"),
        (
            "def test_step",
            "def on_validation_epoch_end(self):\n        self.log_dict(self.last)\n\n"
            "    on_test_epoch_end = on_validation_epoch_end\n\n    def test_step",
        ),
    ),
    wrong(
        "per step only",
        "LIT201",
        (LOG, "self.log_dict(values, batch_size=len(labels), on_step=True, on_epoch=False)"),
    ),
    wrong("counts are not reset", "LIT210", code=NOT_RESET),
    wrong("percent", "LIT208", (ACC, ACC.replace("accuracy = ", "accuracy = 100 * "))),
    wrong(
        "counts hits",
        "LIT209",
        (ACC, "hits = (logits.argmax(dim=1) == labels).float().sum()"),
        (', f"{stage}_acc": accuracy', ""),
        (LOG, LOG + '\n        self.log(f"{stage}_acc", hits, reduce_fx="sum")'),
    ),
    wrong("logs nothing", "LIT201", (LOG, "pass")),
    wrong(
        "steps that do nothing",
        "LIT201",
        code="""
        class EvaluatedClassifier(LitClassifier):
            def validation_step(self, batch, batch_idx):
                pass

            test_step = validation_step
        """,
    ),
    wrong(
        "a Trainer that runs nothing",
        "LIT201",
        ("class Eval", "L.Trainer.validate = L.Trainer.test = lambda *_, **__: []\n\n\nclass Eval"),
    ),
    wrong("no test_step", "LIT902", ("def test_step", "def testing_step")),
    wrong("test logs val keys", "LIT201", (TEST, VAL)),
    wrong("other names", "LIT201", ('f"{stage}_acc"', 'f"{stage}_accuracy"')),
    wrong("another key too", "LIT202", (LOG, LOG + '\n        self.log("lr", self.hparams.lr)')),
    wrong(
        "another key by log_dict",
        "LIT202",
        (LOG, 'self.log_dict(values | {"seen": float(len(labels))})'),
    ),
    wrong(
        "calls training_step",
        "LIT202",
        (LOG, LOG + "\n        self.training_step(batch, 0)"),
    ),
    wrong(
        "train mode", "LIT204", ("images, labels = batch", "images, labels = batch; self.train()")
    ),
    wrong(
        "with gradients",
        "LIT205",
        ("logits = self(images)", "with torch.enable_grad():\n            logits = self(images)"),
    ),
    wrong(
        "summed loss",
        "LIT210",
        ("F.cross_entropy(logits, labels)", 'F.cross_entropy(logits, labels, reduction="sum")'),
    ),
    wrong(
        "softmax before the loss",
        "LIT210",
        ("F.cross_entropy(logits, labels)", "F.cross_entropy(logits.softmax(1), labels)"),
    ),
    wrong(
        "top two",
        "LIT210",
        (ACC, "accuracy = (logits.topk(2, 1).indices == labels[:, None]).any(1).float().mean()"),
    ),
    wrong(
        "rounds",
        "LIT210",
        (ACC, ACC.replace("labels).float().mean()", "labels).float().mean().round(decimals=1)")),
    ),
    wrong("argmax over the batch", "LIT902", ("logits.argmax(dim=1)", "logits.argmax(dim=0)")),
    wrong("logs a vector", "LIT008", (".float().mean()", ".float()")),
    wrong(
        "hook of Lightning 1",
        "LIT009",
        (
            "def test_step",
            "def validation_epoch_end(self, outputs):\n        pass\n\n    def test_step",
        ),
    ),
    wrong("does not build on wrap", "LIT200", ("(LitClassifier)", "(L.LightningModule)")),
    wrong("another name", "LIT901", ("class EvaluatedClassifier", "class Evaluated")),
    wrong("not a number", "LIT210", (ACC, ACC + ' * float("inf")')),
    right("forward with softmax", after=(("wrap", "softmax in forward"),)),
    right("a wrap that returns nothing", after=(("wrap", "returns nothing"),)),
    wrong("wrap is not solved", "LIT904", after=(("wrap", "stub"),)),
    wrong("a mean of booleans", "LIT015", (".float().mean()", ".mean()")),
    *CAUSES,
]
