"""Wrong answers of lab 1 whose card once named another cause than theirs, or none."""

from autograder.bank import Case, right, wrong

LOSS = "loss = F.cross_entropy(self(images), labels)"
UNPACK = "images, labels = batch"
RETURN = "return loss"
ADAM = "torch.optim.Adam(self.parameters(), lr=self.hparams.lr)"
DEVICE = '"cuda" if torch.cuda.is_available() else "cpu"'
LOOP = f"{LOSS}\n        optimizer = {{}}\n        optimizer.zero_grad()\n        {{}}\n        optimizer.step()"

WRAP: list[Case] = [
    wrong("lr out of nowhere", "LIT017", ("lr=self.hparams.lr", "lr=lr")),
    wrong("no forward", "LIT902", ("def forward(", "def forwards(")),
    wrong(
        "two steps a batch",
        "LIT134",
        (
            RETURN,
            RETURN
            + """

    def optimizer_step(self, *arguments, **named):
        super().optimizer_step(*arguments, **named)
        super().optimizer_step(*arguments, **named)""",
        ),
    ),
    wrong(
        "to a device of its own",
        "LIT007",
        (UNPACK, f"{UNPACK}\n        images = images.to({DEVICE})"),
        costs=("device",),
    ),
    wrong(
        "batch to a device of its own",
        "LIT007",
        (
            UNPACK,
            f"{UNPACK}\n        device = torch.device({DEVICE})\n"
            "        images, labels = images.to(device), labels.to(device)",
        ),
        costs=("device",),
    ),
    wrong(
        "back to the CPU",
        "LIT007",
        (UNPACK, f"{UNPACK}\n        images = images.cpu()"),
        costs=("device",),
    ),
    wrong(
        "a copy of the network",
        "LIT101",
        ("self.model = model", 'self.model = __import__("copy").deepcopy(model)'),
        costs=("forward", "loss", "step", "log", "device"),
    ),
    wrong(
        "labels first",
        "LIT022",
        (LOSS, LOSS.replace("self(images), labels", "labels, self(images)")),
        costs=("loss", "step", "log", "device"),
    ),
    wrong(
        "returns a pair",
        "LIT001",
        (RETURN, "return loss, images"),
        costs=("loss", "step", "log", "device"),
    ),
    wrong(
        "returns a list",
        "LIT001",
        (RETURN, "return [loss]"),
        costs=("loss", "step", "log", "device"),
    ),
    wrong(
        "the plain loop's three lines",
        "LIT023",
        (LOSS, LOOP.format("self.optimizers()", "loss.backward()")),
        costs=("loss", "step", "log", "device"),
    ),
    wrong(
        "three lines with a new Adam",
        "LIT023",
        (LOSS, LOOP.format(ADAM, "loss.backward()")),
        costs=("loss", "step", "log", "device"),
    ),
    wrong(
        "three lines that keep the graph",
        "LIT023",
        (LOSS, LOOP.format("self.optimizers()", "loss.backward(retain_graph=True)")),
        costs=("loss", "step", "log", "device"),
    ),
    wrong(
        "a mean over booleans",
        "LIT015",
        (LOSS, f'{LOSS}\n        self.log("acc", (self(images).argmax(1) == labels).mean())'),
        costs=("loss", "step", "log", "device"),
    ),
    wrong(
        "parameters without a call",
        "LIT902",
        (ADAM, ADAM.replace("parameters()", "parameters")),
        costs=("loss", "step", "log", "device"),
    ),
    wrong(
        "arrays of NumPy",
        "LIT902",
        (UNPACK, f"{UNPACK}\n        images = torch.from_numpy(images.numpy())"),
        costs=("device",),
    ),
]
"""Answers to `wrap`."""

ACCURACY = "(logits.argmax(dim=1) == labels).float().mean()"
EVALUATE: list[Case] = [
    wrong(
        "a count of floats",
        "LIT209",
        (ACCURACY, ACCURACY.replace("mean", "sum")),
        costs=("val_acc", "test_acc"),
    ),
    wrong(
        "a count",
        "LIT209",
        (ACCURACY, ACCURACY.replace(".float().mean()", ".sum()")),
        costs=("val_acc", "test_acc"),
    ),
    wrong(
        "a count as a number",
        "LIT209",
        (ACCURACY, ACCURACY.replace(".float().mean()", ".sum().item()")),
        costs=("val_acc", "test_acc"),
    ),
    wrong(
        "a count, size read off the batch",
        "LIT209",
        (ACCURACY, ACCURACY.replace("mean", "sum")),
        (", batch_size=len(labels)", ""),
        costs=("val_acc", "test_acc"),
    ),
    wrong(
        "labels first",
        "LIT022",
        ("F.cross_entropy(logits, labels)", "F.cross_entropy(labels, logits)"),
    ),
    wrong(
        "test is not written",
        "LIT900",
        ('self._evaluate(batch, "test")', "raise NotImplementedError()"),
        costs=("test_loss", "test_acc", "keys"),
    ),
]
"""Answers to `evaluate`."""

CHECKPOINT = 'ModelCheckpoint(monitor="val_acc", mode="max")'
STOPPING = 'EarlyStopping(monitor="val_acc", mode="max", patience=3)'
FITTING = "trainer.fit(module, datamodule=datamodule)"
EPOCHS = "max_epochs=max_epochs"
LOGGER, ROOT = "logger=CSVLogger(run_dir),", "default_root_dir=run_dir,"
FIT: list[Case] = [
    wrong("patience of ten", "LIT421", (STOPPING, STOPPING.replace("=3", "=10")), costs=("stop",)),
    wrong(
        "as many epochs at least",
        "LIT425",
        (EPOCHS, f"{EPOCHS}, min_epochs=max_epochs"),
        costs=("stop",),
    ),
    wrong("fits twice", "LIT426", (FITTING, f"{FITTING}\n    {FITTING}"), costs=("stop",)),
    wrong(
        "fits epoch by epoch",
        "LIT426",
        (EPOCHS, "max_epochs=1"),
        (
            FITTING,
            "for epoch in range(max_epochs):\n"
            f"        trainer.fit_loop.max_epochs = epoch + 1\n        {FITTING}",
        ),
        costs=("stop",),
    ),
    wrong(
        "a Trainer for each epoch",
        "LIT426",
        (EPOCHS, "max_epochs=1"),
        ("trainer = L.Trainer(", "for epoch in range(max_epochs):\n      trainer = L.Trainer("),
        (FITTING, f"  {FITTING}"),
        costs=("best", "stop", "log"),
    ),
    wrong("no logger of its own", "LIT430", (f"{LOGGER}\n        {ROOT}", ""), costs=("log",)),
    wrong(
        "the default logger under run_dir",
        "LIT430",
        (LOGGER, ""),
        costs=("log",),
    ),
    wrong(
        "the best by the loss",
        "LIT415",
        (CHECKPOINT, 'ModelCheckpoint(monitor="val_loss", mode="min")'),
        costs=("best",),
    ),
    wrong(
        "stops by the loss",
        "LIT427",
        (STOPPING, 'EarlyStopping(monitor="val_loss", mode="min", patience=3)'),
        costs=("stop",),
    ),
    wrong("under ddp", "LIT440", (EPOCHS, f'{EPOCHS}, strategy="ddp"'), costs=("device",)),
    wrong(
        "the GPU if there is one",
        "LIT440",
        (EPOCHS, f'{EPOCHS}, accelerator="cuda" if torch.cuda.is_available() else "cpu"'),
        costs=("device",),
    ),
    wrong(
        "a trial run",
        "LIT451",
        (EPOCHS, f"{EPOCHS}, fast_dev_run=True"),
        costs=("best", "stop", "log", "data", "converge"),
    ),
    right(
        "tests what it has trained",
        (FITTING, f"{FITTING}\n    trainer.test(module, datamodule=datamodule, verbose=False)"),
    ),
    wrong("a pair", "LIT400", ("return trainer", "return trainer, module")),
]
"""Answers to `fit`."""
