"""Answers to `timer`: when the clock starts, when it stops, what is logged."""

from autograder.bank import right, wrong

LOG = 'pl_module.log("epoch_seconds", time.perf_counter() - self.started)'
TRAIN_START = '''    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Called once, when training starts or goes on."""
        self.started = time.perf_counter()
'''
HEAD = "class EpochTimer(L.Callback):\n"

CASES = [
    right(
        "by state",
        code=HEAD
        + """
    started = None

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if self.started is None:
            self.started = time.time()

    def on_train_epoch_end(self, trainer, pl_module):
        pl_module.log("epoch_seconds", time.time() - self.started, prog_bar=True)
        self.started = None
""",
    ),
    right("on fit's start", ("def on_train_start(", "def on_fit_start(")),
    right(
        "as a tensor",
        (LOG, 'pl_module.log("epoch_seconds", torch.tensor(time.perf_counter() - self.started))'),
    ),
    right(
        "monotonic",
        ("time.perf_counter()", "time.monotonic()"),
        ("time.perf_counter()", "time.monotonic()"),
        ("time.perf_counter()", "time.monotonic()"),
    ),
    wrong(
        "nothing is logged", "LIT601", (LOG, "self.seconds = time.perf_counter() - self.started")
    ),
    wrong(
        "a Trainer whose fit does nothing",
        "LIT601",
        ("class EpochTimer", "L.Trainer.fit = lambda *_, **__: None\n\n\nclass EpochTimer"),
    ),
    wrong("hooks that do nothing", "LIT601", code=HEAD + "    pass\n"),
    wrong("logs nothing but zero", "LIT606", (LOG, 'pl_module.log("epoch_seconds", 0.0)')),
    wrong(
        "ends training after the first epoch",
        "LIT602",
        (LOG, LOG + "\n        trainer.should_stop = True"),
    ),
    wrong("printed", "LIT601", (LOG, "print(time.perf_counter() - self.started)")),
    wrong("another key", "LIT601", ('"epoch_seconds"', '"seconds"')),
    wrong(
        "once per fit",
        "LIT902",
        code=HEAD
        + """
    def on_train_start(self, trainer, pl_module):
        self.started = time.perf_counter()

    def on_train_end(self, trainer, pl_module):
        pl_module.log("epoch_seconds", time.perf_counter() - self.started)
""",
    ),
    wrong(
        "the first epoch alone",
        "LIT602",
        (LOG, "if trainer.current_epoch == 0:\n            " + LOG),
    ),
    wrong(
        "the last epoch alone",
        "LIT602",
        (LOG, "if trainer.current_epoch == trainer.max_epochs - 1:\n            " + LOG),
    ),
    wrong(
        "milliseconds",
        "LIT604",
        ("time.perf_counter() - self.started)", "1000 * (time.perf_counter() - self.started))"),
    ),
    wrong(
        "never set back",
        "LIT605",
        (
            '''not when a run goes on in the middle of one."""
        self.started = time.perf_counter()''',
            '''not when a run goes on in the middle of one."""''',
        ),
    ),
    wrong(
        "without the validation",
        "LIT606",
        code=HEAD
        + """
    def on_train_start(self, trainer, pl_module):
        self.started = time.perf_counter()

    def on_train_epoch_start(self, trainer, pl_module):
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seconds = time.perf_counter() - self.started

    def on_train_epoch_end(self, trainer, pl_module):
        pl_module.log("epoch_seconds", self.seconds)
""",
    ),
    wrong(
        "the last batch",
        "LIT606",
        code=HEAD
        + """
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer, pl_module):
        pl_module.log("epoch_seconds", (time.perf_counter() - self.started) / 10)
""",
    ),
    wrong(
        "without the first batch",
        "LIT606",
        code=HEAD
        + """
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer, pl_module):
        pl_module.log("epoch_seconds", time.perf_counter() - self.started)
""",
    ),
    wrong(
        "processor time",
        "LIT606",
        ("time.perf_counter()", "time.process_time()"),
        ("time.perf_counter()", "time.process_time()"),
        ("time.perf_counter()", "time.process_time()"),
    ),
    wrong(
        "at the end of validation",
        "LIT601",
        code=HEAD
        + """
    started = 0.0

    def on_train_start(self, trainer, pl_module):
        self.started = time.perf_counter()

    on_train_epoch_start = on_train_start

    def on_validation_end(self, trainer, pl_module):
        self.seconds = time.perf_counter() - self.started
""",
    ),
    wrong(
        "logged in validation only",
        "LIT601",
        code=HEAD
        + """
    started = 0.0

    def on_train_start(self, trainer, pl_module):
        self.started = time.perf_counter()

    on_train_epoch_start = on_train_start

    def on_validation_epoch_end(self, trainer, pl_module):
        pl_module.log("epoch_seconds", time.perf_counter() - self.started)
""",
    ),
    wrong(
        "fails in the trial validation",
        "LIT902",
        code=HEAD
        + """
    def on_train_epoch_start(self, trainer, pl_module):
        self.started = time.perf_counter()

    def on_validation_end(self, trainer, pl_module):
        self.seconds = time.perf_counter() - self.started

    def on_train_epoch_end(self, trainer, pl_module):
        pl_module.log("epoch_seconds", self.seconds)
""",
    ),
    wrong("fails on a resumed run", "LIT902", (TRAIN_START, "")),
    wrong(
        "counts the epoch that never began",
        "LIT603",
        (TRAIN_START, "    started = 0.0\n"),
    ),
    wrong("no callback", "LIT600", ("(L.Callback)", "")),
    wrong(
        "a callback of pytorch_lightning",
        "LIT600",
        (
            "class EpochTimer(L.Callback)",
            'Stranger = type("Callback", (), {"__module__": "pytorch_lightning.callbacks"})\n\n'
            "class EpochTimer(Stranger)",
        ),
    ),
    wrong("logs infinity", "LIT603", (LOG, 'pl_module.log("epoch_seconds", float("inf"))')),
    wrong("logs the trainer", "LIT902", ("pl_module.log(", "trainer.log(")),
    wrong("another name", "LIT901", ("class EpochTimer", "class Timer")),
    right(
        "nothing else is solved", after=(("wrap", "stub"), ("evaluate", "stub"), ("fit", "stub"))
    ),
]
