"""Answers to `fit`: checkpoint, early stopping, log, and what is left to Lightning."""

from autograder.bank import right, wrong
from autograder.bank.lab1_mnist._lab1_causes import FIT as CAUSES

CHECKPOINT = 'ModelCheckpoint(monitor="val_acc", mode="max")'
STOPPING = 'EarlyStopping(monitor="val_acc", mode="max", patience=3)'
LOGGER = "logger=CSVLogger(run_dir)"
FIT = "trainer.fit(module, datamodule=datamodule)"
EPOCHS = "max_epochs=max_epochs"
RETURN = "return trainer"

CASES = [
    right(
        "monitor of a top three", (CHECKPOINT, CHECKPOINT[:-1] + ", save_top_k=3, save_last=True)")
    ),
    right(
        "two loggers",
        (LOGGER, 'logger=[CSVLogger(run_dir, name="a"), CSVLogger(run_dir, name="b")]'),
    ),
    right(
        "validates once before it trains",
        (
            "trainer.fit(",
            "trainer.validate(module, datamodule=datamodule, verbose=False)\n    trainer.fit(",
        ),
    ),
    right(
        "validates the best once more",
        (
            RETURN,
            'trainer.validate(module, datamodule=datamodule, ckpt_path="best", verbose=False)\n'
            f"    {RETURN}",
        ),
    ),
    wrong(
        "loaders in place of the module",
        "LIT403",
        (FIT, "trainer.fit(module, datamodule.train_dataloader(), datamodule.val_dataloader())"),
    ),
    right("auto, said aloud", (EPOCHS, EPOCHS + ', accelerator="auto", devices="auto"')),
    right("no trial validation", (EPOCHS, EPOCHS + ", num_sanity_val_steps=0")),
    right(
        "checkpoints elsewhere", (CHECKPOINT, CHECKPOINT[:-1] + ', dirpath=Path(run_dir) / "best")')
    ),
    right(
        "a last checkpoint beside the best",
        (CHECKPOINT, "ModelCheckpoint(filename='newest'), " + CHECKPOINT),
    ),
    wrong("lowest val_acc", "LIT411", (CHECKPOINT, 'ModelCheckpoint(monitor="val_acc")')),
    wrong("the newest", "LIT412", (CHECKPOINT, "ModelCheckpoint()")),
    wrong(
        "no checkpoints",
        "LIT410",
        (CHECKPOINT + ",", ""),
        (EPOCHS, EPOCHS + ", enable_checkpointing=False"),
        costs=("best", "converge"),
    ),
    wrong(
        "monitors another key",
        "LIT010",
        (CHECKPOINT, 'ModelCheckpoint(monitor="val_accuracy", mode="max")'),
        costs=("best",),
    ),
    wrong("every second epoch", "LIT413", (CHECKPOINT, CHECKPOINT[:-1] + ", every_n_epochs=2)")),
    wrong("no early stopping", "LIT420", (STOPPING + ",", ""), costs=("stop",)),
    wrong("impatient", "LIT421", (STOPPING, STOPPING.replace("patience=3", "patience=1"))),
    wrong("patient", "LIT421", (STOPPING, STOPPING.replace("patience=3", "patience=5"))),
    wrong("stops on the rise", "LIT422", (STOPPING, STOPPING.replace('mode="max"', 'mode="min"'))),
    wrong(
        "stops on another key",
        "LIT011",
        (STOPPING, STOPPING.replace("val_acc", "val_accuracy")),
        costs=("stop",),
    ),
    wrong("ignores max_epochs", "LIT424", (EPOCHS, "max_epochs=50"), (STOPPING + ",", "")),
    wrong("64 epochs at most", "LIT424", (EPOCHS, "max_epochs=min(max_epochs, 64)")),
    wrong("one epoch only", "LIT423", (EPOCHS, "max_epochs=1")),
    wrong("no logger", "LIT430", (LOGGER, "logger=False")),
    wrong(
        "log beside the program",
        "LIT430",
        (LOGGER, 'logger=CSVLogger(Path(run_dir).parent / "elsewhere")'),
    ),
    wrong(
        "a table of its own beside the log",
        "LIT431",
        (
            RETURN,
            'file = Path(run_dir) / "summary.csv"\n'
            '    file.write_text("val_acc\\n1.0\\n")\n    ' + RETURN,
        ),
    ),
    wrong("on the CPU", "LIT440", (EPOCHS, EPOCHS + ', accelerator="cpu"'), costs=("device",)),
    wrong("on the GPU", "LIT013", (EPOCHS, EPOCHS + ', accelerator="gpu"'), costs=("device",)),
    wrong("one device", "LIT440", (EPOCHS, EPOCHS + ", devices=1")),
    wrong(
        "trains on the validation set",
        "LIT450",
        (
            FIT,
            'datamodule.setup("fit")\n    trainer.fit(module, datamodule.val_dataloader(), datamodule.val_dataloader())',
        ),
    ),
    wrong("a part of the batches", "LIT451", (EPOCHS, EPOCHS + ", limit_train_batches=1")),
    *(
        wrong(f"left in: {limit}", "LIT451", (EPOCHS, f"{EPOCHS}, {limit}"))
        for limit in (
            "limit_train_batches=50",
            "limit_val_batches=10",
            "limit_test_batches=1",
            "max_steps=200",
            'max_time={"seconds": 60}',
        )
    ),
    wrong("nine tenths of the batches", "LIT451", (EPOCHS, EPOCHS + ", limit_train_batches=0.9")),
    wrong("accumulates", "LIT452", (EPOCHS, EPOCHS + ", accumulate_grad_batches=2")),
    wrong("clips", "LIT452", (EPOCHS, EPOCHS + ", gradient_clip_val=0.1")),
    wrong(
        "clips by value",
        "LIT452",
        (EPOCHS, EPOCHS + ', gradient_clip_val=0.1, gradient_clip_algorithm="value"'),
    ),
    right(
        "limits that limit nothing",
        (
            EPOCHS,
            EPOCHS
            + ", limit_train_batches=1.0, limit_val_batches=None, max_steps=-1, gradient_clip_val=0",
        ),
    ),
    wrong("weights alone", "LIT414", (CHECKPOINT, CHECKPOINT[:-1] + ", save_weights_only=True)")),
    wrong(
        "good is good enough", "LIT423", (STOPPING, STOPPING[:-1] + ", stopping_threshold=0.95)")
    ),
    wrong(
        "stops where it is bad",
        "LIT423",
        (STOPPING, STOPPING[:-1] + ", divergence_threshold=0.05)"),
    ),
    wrong("waits for a larger rise", "LIT423", (STOPPING, STOPPING[:-1] + ", min_delta=0.01)")),
    wrong(
        "returns nothing",
        "LIT400",
        (RETURN, ""),
        costs=("best", "stop", "log", "device", "data", "converge"),
    ),
    wrong("never fits", "LIT401", (FIT, "")),
    wrong(
        "a Trainer whose fit does nothing",
        "LIT401",
        (FIT, "trainer.fit = lambda *_, **__: None\n    " + FIT),
    ),
    wrong("validates alone", "LIT401", (FIT, FIT.replace(".fit(", ".validate("))),
    wrong("no epochs", "LIT401", (EPOCHS, "max_epochs=0")),
    wrong("one step only", "LIT011", (EPOCHS, EPOCHS + ", max_steps=1")),
    wrong("three steps only", "LIT451", (EPOCHS, EPOCHS + ", max_steps=3")),
    wrong(
        "data and module swapped",
        "LIT021",
        (FIT, "trainer.fit(datamodule, module)"),
    ),
    wrong("a bare network", "LIT021", (FIT, "trainer.fit(nn.Flatten(), datamodule)")),
    wrong(
        "a module of its own kind",
        "LIT014",
        (FIT, "trainer.fit(type('Wrapped', (nn.Module,), {})(), datamodule)"),
    ),
    wrong(
        "own loop",
        "LIT402",
        (
            FIT,
            """module.log = lambda *_, **__: None
    datamodule.setup("fit")
    optimizer = module.configure_optimizers()
    for _ in range(max_epochs):
        for number, batch in enumerate(datamodule.train_dataloader()):
            optimizer.zero_grad()
            module.training_step(batch, number).backward()
            optimizer.step()""",
        ),
    ),
    wrong(
        "forgets what it learned",
        "LIT460",
        (
            FIT,
            "module.configure_optimizers = lambda: torch.optim.SGD(module.parameters(), lr=1e-6)\n    "
            + FIT,
        ),
    ),
    wrong(
        "a mean of the weights that begins in validate",
        "LIT019",
        (
            FIT,
            """class Mean(L.Callback):
        weights = None

        def on_validation_start(self, trainer, module):
            self.weights = self.weights or [weight.clone() for weight in module.parameters()]

        def on_train_batch_end(self, trainer, module, *_):
            for mean, weight in zip(self.weights, module.parameters()):
                mean.lerp_(weight.detach(), 0.1)

    trainer.callbacks.append(Mean())
    trainer.validate(module, datamodule=datamodule, verbose=False)
    """
            + FIT,
        ),
    ),
    wrong("another name", "LIT901", ("def train(", "def training(")),
    right("data module not solved", after=(("datamodule", "stub"),)),
    right("a wrap that saves the whole model", after=(("wrap", "saves the whole model"),)),
    right("another right wrap", after=(("wrap", "manual optimization"),)),
    wrong("evaluate is not solved", "LIT904", after=(("evaluate", "stub"),)),
    wrong("wrap is not solved", "LIT904", after=(("wrap", "stub"),)),
    wrong("wrap trains another network", "LIT461", after=(("wrap", "another network"),)),
    wrong("wrap learns nothing", "LIT460", after=(("wrap", "optimizer is None"),)),
    wrong("no val_acc to go by", "LIT904", after=(("evaluate", "other names"),)),
    right(
        "sets the data module up itself",
        (
            FIT,
            'datamodule.prepare_data()\n    datamodule.setup("fit")\n    trainer.fit('
            "module, datamodule.train_dataloader(), datamodule.val_dataloader())",
        ),
    ),
    *CAUSES,
]
