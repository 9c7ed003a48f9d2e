"""Answers to `rank_zero`: who writes, when, and which totals."""

from autograder.bank import right, wrong
from autograder.bank.lab3_ddp._lab3_causes import RANK_ZERO as CAUSES

ZERO = "if trainer.is_global_zero:"
REDUCE = 'total = trainer.strategy.reduce(own, reduce_op="sum")'
COUNT = "self.samples += len(batch[0])"
EPOCH = '"epoch": trainer.current_epoch'
ACC = 'trainer.callback_metrics["val_acc"].item()'
WRITE = "self.path.write_text(json.dumps(report))"
GONE = "self.path.unlink()"
RESET = '''"""Called on every rank when training starts."""
        self.samples = 0
        self.first_epoch = trainer.current_epoch'''
TOTAL = '"samples_seen": int(total)'
END = "def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:"

CASES = [
    right(
        "gathers, and writes in teardown",
        code="""
        class SaveReport(L.Callback):
            def __init__(self, path):
                self.path = str(path)

            def setup(self, trainer, pl_module, stage):
                self.seen = torch.zeros((), dtype=torch.int64)
                self.epochs = 0

            def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
                self.seen += batch[1].shape[0]

            def on_train_epoch_end(self, trainer, pl_module):
                self.epochs += 1

            def on_fit_end(self, trainer, pl_module):
                everybody = pl_module.all_gather(self.seen.to(pl_module.device))
                self.write(trainer, everybody.sum().item())

            @L.pytorch.utilities.rank_zero_only
            def write(self, trainer, seen):
                accuracy = float(trainer.callback_metrics["val_acc"])
                with open(self.path, "w") as file:
                    json.dump({"epoch": self.epochs, "val_acc": accuracy, "samples_seen": seen}, file)
        """,
    ),
    right(
        "counts the ends of epochs",
        (EPOCH + " - self.first_epoch", '"epoch": self.epochs'),
        (RESET, RESET + "\n        self.epochs = 0"),
        (END, "def on_train_epoch_end(self, *_):\n        self.epochs += 1\n\n    " + END),
    ),
    right("by global rank", (ZERO, "if trainer.global_rank == 0:")),
    right("by the last rank", (ZERO, "if trainer.global_rank == trainer.world_size - 1:")),
    right(
        "with torch.distributed, if it is there",
        (
            REDUCE,
            "if torch.distributed.is_initialized():\n"
            "            torch.distributed.all_reduce(own)\n        total = own",
        ),
    ),
    right(
        "removes the last one first",
        (WRITE, "self.path.unlink(missing_ok=True)\n            " + WRITE),
    ),
    right(
        "in place of a temporary file",
        (
            WRITE,
            'part = self.path.with_suffix(".part")\n'
            "            part.write_text(json.dumps(report, indent=2))\n"
            "            part.replace(self.path)",
        ),
    ),
    right("metrics logged", (ACC, 'float(trainer.logged_metrics["val_acc"])')),
    wrong("every rank writes", "LIT3502", (ZERO, "if True:")),
    wrong(
        "every rank writes a temporary file",
        "LIT3502",
        (
            ZERO,
            'part = self.path.with_suffix(".part")\n        part.write_text("")\n        ' + ZERO,
        ),
    ),
    wrong(
        "every rank writes, and all but one delete",
        "LIT3502",
        (ZERO, "if True:"),
        (WRITE, WRITE + "\n            if trainer.global_rank > 0:\n                " + GONE),
    ),
    wrong(
        "with torch.distributed",
        "LIT3522",
        (REDUCE, "torch.distributed.all_reduce(own)\n        total = own"),
    ),
    wrong("appends", "LIT3521", (WRITE, 'self.path.open("a").write(json.dumps(report))')),
    wrong(
        "appends lines",
        "LIT3521",
        (WRITE, 'self.path.open("a").write(json.dumps(report) + "\\n")'),
    ),
    wrong(
        "only where none is", "LIT3521", (WRITE, 'self.path.open("x").write(json.dumps(report))')
    ),
    wrong(
        "the first report stays",
        "LIT3501",
        (WRITE, "if not self.path.exists():\n                " + WRITE),
    ),
    wrong(
        "the best accuracy",
        "LIT3515",
        (ACC, "self.best"),
        (
            END,
            "def on_validation_end(self, trainer, pl_module):\n"
            '        now = trainer.callback_metrics["val_acc"].item()\n'
            '        self.best = max(now, getattr(self, "best", 0.0))\n\n    ' + END,
        ),
    ),
    wrong(
        "counts the epochs of all fits",
        "LIT3523",
        (EPOCH + " - self.first_epoch", '"epoch": self.epochs'),
        (
            END,
            "epochs = 0\n\n    def on_train_epoch_end(self, trainer, pl_module):\n"
            "        self.epochs += 1\n\n    " + END,
        ),
    ),
    wrong("local rank zero", "LIT3503", (ZERO, "if trainer.local_rank == 0:")),
    wrong(
        "rank zero of the environment's local rank",
        "LIT3503",
        (ZERO, 'if os.environ.get("LOCAL_RANK", "0") == "0":'),
    ),
    *(
        wrong(f"rank zero of the environment: {name}", code, (ZERO, f"if {text} == 0:"))
        for name, code, text in (
            ("RANK", "LIT936", 'int(os.environ["RANK"])'),
            ("getenv", "LIT936", 'int(os.getenv("RANK"))'),
            ("RANK or 0", "LIT3502", 'int(os.environ.get("RANK", "0"))'),
            (
                "node and local rank",
                "LIT936",
                'int(os.environ["NODE_RANK"]) + int(os.environ["LOCAL_RANK"])',
            ),
            ("Slurm's or 0", "LIT3502", 'int(os.environ.get("SLURM_PROCID", "0"))'),
        )
    ),
    wrong(
        "the world size of the environment",
        "LIT936",
        (REDUCE, 'total = trainer.strategy.reduce(own) * int(os.environ["WORLD_SIZE"])'),
    ),
    wrong(
        "reduces if the environment has several ranks",
        "LIT3508",
        (
            REDUCE,
            'total = trainer.strategy.reduce(own, reduce_op="sum") if int(os.environ.get("WORLD_SIZE", "1")) > 1 else own',
        ),
    ),
    wrong(
        "written in every epoch",
        "LIT3504",
        (END, END.replace("train_end", "train_epoch_end")),
        (EPOCH, '"epoch": trainer.current_epoch + 1'),
    ),
    wrong("nobody writes", "LIT3501", (WRITE, "pl_module.report = report")),
    wrong("printed", "LIT3501", (WRITE, "print(json.dumps(report))")),
    wrong("another path", "LIT3501", (WRITE, 'Path("report.json").write_text(json.dumps(report))')),
    wrong("own samples alone", "LIT3508", (REDUCE, "total = own")),
    wrong("the mean", "LIT3509", (REDUCE, "total = trainer.strategy.reduce(own)")),
    wrong("own samples times the ranks", "LIT3516", (REDUCE, "total = own * trainer.world_size")),
    wrong(
        "counts each node as all of them",
        "LIT3520",
        (TOTAL, '"samples_seen": int(total) * trainer.num_nodes'),
    ),
    wrong(
        "the last epoch's number where there are several nodes",
        "LIT3514",
        (EPOCH, '"epoch": trainer.current_epoch - (trainer.num_nodes > 1)'),
    ),
    wrong("never set back", "LIT3517", (RESET, RESET.replace("self.samples = 0\n        ", ""))),
    wrong(
        "set back each epoch",
        "LIT3518",
        (END, "def on_train_epoch_start(self, *_):\n        self.samples = 0\n\n    " + END),
    ),
    wrong(
        "validation counted",
        "LIT3519",
        (
            END,
            "def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):\n"
            "        self.samples += len(batch[0])\n\n    " + END,
        ),
    ),
    wrong("batches in place of samples", "LIT3520", (COUNT, "self.samples += 1")),
    wrong("tensors in a batch", "LIT3520", (COUNT, "self.samples += len(batch)")),
    wrong(
        "batch size times batches",
        "LIT3520",
        (
            COUNT,
            "self.first = max(getattr(self, 'first', 0), len(batch[0]))\n"
            "        self.samples += self.first",
        ),
    ),
    wrong(
        "reduces on rank 0 alone",
        "LIT932",
        (
            REDUCE,
            'total = own if not trainer.is_global_zero else trainer.strategy.reduce(own, reduce_op="sum")',
        ),
    ),
    wrong(
        "rank_zero_only around all",
        "LIT932",
        (END, "@L.pytorch.utilities.rank_zero_only\n    " + END),
    ),
    wrong(
        "saves a checkpoint on rank 0",
        "LIT932",
        (WRITE, WRITE + '\n            trainer.save_checkpoint(str(self.path) + ".ckpt")'),
    ),
    wrong(
        "a barrier for the writer alone",
        "LIT932",
        (WRITE, WRITE + "\n            trainer.strategy.barrier()"),
    ),
    wrong("the last epoch's number", "LIT3505", (EPOCH, '"epoch": trainer.current_epoch - 1')),
    wrong(
        "counts from the checkpoint's epochs on", "LIT3524", (EPOCH + " - self.first_epoch", EPOCH)
    ),
    wrong(
        "whole epochs alone",
        "LIT3514",
        (
            EPOCH + " - self.first_epoch",
            '"epoch": trainer.global_step // trainer.num_training_batches',
        ),
    ),
    wrong(
        "the epochs before its very first fit",
        "LIT3514",
        (
            "self.first_epoch = trainer.current_epoch",
            'self.first_epoch = globals().setdefault("kept", trainer.current_epoch)',
        ),
    ),
    wrong("64 of a batch at most", "LIT3520", (COUNT, "self.samples += min(len(batch[0]), 64)")),
    *(
        wrong(f"{most} batches at most", "LIT3520", (COUNT, f"{COUNT} * (batch_idx < {most})"))
        for most in (8, 100)
    ),
    wrong("a path that is text", "LIT902", ("self.path = Path(path)", "self.path = path")),
    wrong("max_epochs", "LIT3506", (EPOCH + " - self.first_epoch", '"epoch": trainer.max_epochs')),
    wrong("global_step", "LIT3514", (EPOCH, '"epoch": trainer.global_step')),
    wrong(
        "rank 0's own accuracy",
        "LIT3507",
        (ACC, "pl_module.accuracy[-1]"),
    ),
    wrong("rounded", "LIT3515", (ACC, "round(" + ACC + ", 1) + 0.01")),
    wrong("a tensor in the report", "LIT3510", (ACC, 'trainer.callback_metrics["val_acc"]')),
    wrong("text in the report", "LIT3513", (ACC, 'str(trainer.callback_metrics["val_acc"])')),
    wrong("NaN", "LIT3513", (ACC, 'float("nan")')),
    wrong("no JSON", "LIT3511", (WRITE, "self.path.write_text(str(report))")),
    wrong("two objects", "LIT3511", (WRITE, "self.path.write_text(2 * json.dumps(report))")),
    wrong("another key", "LIT3512", (TOTAL, '"samples": int(total)')),
    wrong("no callback", "LIT3500", ("(L.Callback)", "")),
    wrong("forgets to import what it needs", "LIT902", (WRITE, "yaml.dump(report)")),
    wrong("another name", "LIT901", ("class SaveReport", "class WriteReport")),
    *CAUSES,
]
