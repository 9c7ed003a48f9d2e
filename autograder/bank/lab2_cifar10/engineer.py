"""Answers to `engineer`: what is handed on, and what a run leaves."""

from autograder.bank import right, wrong
from autograder.bank.lab2_cifar10._lab2_causes import ENGINEER as CAUSES

BEST = 'ModelCheckpoint(monitor="val_acc", mode="max", save_last=True)'
RATE = 'LearningRateMonitor(logging_interval="step")'
LOGGER = "logger=CSVLogger(run_dir)"
ROOT = "default_root_dir=run_dir"
CLIP = "gradient_clip_val=clip"
PRECISION = "precision=precision"
DEVICES = "devices=devices"
ACCELERATOR = "accelerator=accelerator"
CALLBACKS = f"callbacks=[best, {RATE}]"
HEAD = "def make_trainer("
MODEL_SUMMARY = "enable_model_summary=False,\n    )"
SCHEDULER = '__import__("lightning").pytorch.callbacks.GradientAccumulationScheduler'
RATES = """class Rates(L.Callback):
    def on_train_batch_end(self, t, m, outputs, batch, i):
        {}


"""
LOGS_LR = 'm.log("lr", t.optimizers[0].param_groups[0]["lr"])'
CLIPPING = """class Clipping(L.Callback):
    def __init__(self, clip):
        self.clip = clip

    def on_before_optimizer_step(self, trainer, module, optimizer):
        if self.clip is not None:
            nn.utils.clip_grad_norm_(module.parameters(), self.clip)


"""

CASES = [
    right(
        "two checkpoints",
        (", save_last=True", ""),
        (CALLBACKS, f'callbacks=[best, ModelCheckpoint(filename="newest-{{epoch}}"), {RATE}]'),
    ),
    right("every epoch is kept", (", save_last=True", ", save_top_k=-1")),
    right(
        "three loggers",
        (
            LOGGER,
            'logger=[CSVLogger(run_dir, name="a"), CSVLogger(run_dir, name="b"), '
            'CSVLogger(run_dir, name="c", version="")]',
        ),
    ),
    right("logs every step", (ROOT, ROOT + ", log_every_n_steps=1")),
    right("interval of the schedule", ('logging_interval="step"', "")),
    right("clipping by norm, said aloud", (CLIP, CLIP + ', gradient_clip_algorithm="norm"')),
    right(
        "checkpoints in a folder of their own",
        ("save_last=True", 'save_last=True, dirpath=Path(run_dir) / "kept"'),
    ),
    right("link to the last", ("save_last=True", 'save_last="link"')),
    right("rate under another name", (RATE, "Rates()"), (HEAD, RATES.format(LOGS_LR) + HEAD)),
    right(
        "rate by the logger",
        (RATE, "Rates()"),
        (
            HEAD,
            RATES.format(
                't.logger.log_metrics({"rate": t.optimizers[0].param_groups[0]["lr"]}, step=t.global_step)'
            )
            + HEAD,
        ),
    ),
    right(
        "rate before the step",
        (RATE, "Rates()"),
        (
            HEAD,
            RATES.format(LOGS_LR).replace("_end(self, t, m, outputs,", "_start(self, t, m,") + HEAD,
        ),
    ),
    right("logs every twelve steps", (ROOT, ROOT + ", log_every_n_steps=12")),
    right("zero for no clipping", (CLIP, CLIP + " or 0")),
    right("infinity for no clipping", (CLIP, CLIP + ' or float("inf")')),
    right(
        "accumulation by a callback",
        ("accumulate_grad_batches=accumulate,\n        ", ""),
        (CALLBACKS, f"callbacks=[best, {SCHEDULER}({{0: accumulate}}), {RATE}]"),
    ),
    right(
        "clipping by a callback",
        (CLIP + ",\n        ", ""),
        (CALLBACKS, f"callbacks=[best, Clipping(clip), {RATE}]"),
        (HEAD, CLIPPING + HEAD),
    ),
    right(
        "a best one of weights alone",
        (", save_last=True", ", save_weights_only=True"),
        (CALLBACKS, f'callbacks=[best, ModelCheckpoint(filename="newest-{{epoch}}"), {RATE}]'),
    ),
    # --- no training here
    *(
        wrong(
            f"calls {run} before it returns",
            "LIT945",
            ("return L.Trainer(", "trainer = L.Trainer("),
            (
                MODEL_SUMMARY,
                f"{MODEL_SUMMARY}\n    trainer.{run}(L.LightningModule())\n    return trainer",
            ),
        )
        for run in ("fit", "validate", "test", "predict")
    ),
    # --- hardware
    wrong("accelerator left out", "LIT2310", (ACCELERATOR + ",\n        ", "")),
    wrong("devices left out", "LIT2311", (DEVICES + ",\n        ", "")),
    wrong("one device", "LIT2311", (DEVICES, "devices=1")),
    wrong(
        "counts the list",
        "LIT2311",
        (DEVICES, "devices=len(devices) if isinstance(devices, list) else devices"),
    ),
    wrong("always DDP", "LIT2365", (DEVICES, DEVICES + ', strategy="ddp"')),
    wrong(
        "asks whether there is bf16",
        "LIT2364",
        (PRECISION, 'precision=precision if __import__("torch").cuda.is_bf16_supported() else 32'),
    ),
    # --- precision
    wrong("precision left out", "LIT2312", (PRECISION + ",\n        ", "")),
    wrong("16 bits for bf16", "LIT2313", (PRECISION, 'precision=precision.replace("bf16", "16")')),
    wrong("always bf16", "LIT2312", (PRECISION, 'precision="bf16-mixed"')),
    wrong("32 or 16", "LIT2313", (PRECISION, 'precision="16-mixed" if "16" in precision else 32')),
    # --- steps
    wrong("ignores max_epochs", "LIT2320", ("max_epochs=max_epochs", "max_epochs=50")),
    wrong(
        "stops early",
        "LIT2320",
        (
            CALLBACKS,
            f'callbacks=[best, {RATE}, __import__("lightning").pytorch.callbacks.EarlyStopping('
            'monitor="val_acc", mode="max", patience=1)]',
        ),
    ),
    wrong(
        "accumulation left out", "LIT2321", ("accumulate_grad_batches=accumulate,\n        ", "")
    ),
    wrong(
        "accumulation by a dict",
        "LIT2366",
        ("accumulate_grad_batches=accumulate", "accumulate_grad_batches={0: accumulate}"),
    ),
    wrong(
        "accumulation by a callback, too much",
        "LIT2321",
        ("accumulate_grad_batches=accumulate,\n        ", ""),
        (CALLBACKS, f"callbacks=[best, {SCHEDULER}({{0: accumulate, 1: accumulate + 1}}), {RATE}]"),
    ),
    wrong(
        "clipping by a callback, too short",
        "LIT2322",
        (CLIP + ",\n        ", ""),
        (CALLBACKS, f"callbacks=[best, Clipping(clip), {RATE}]"),
        (HEAD, CLIPPING.replace("self.clip)", "self.clip / 2)") + HEAD),
    ),
    wrong(
        "clipping by a callback, by value",
        "LIT2322",
        (CLIP + ",\n        ", ""),
        (CALLBACKS, f"callbacks=[best, Clipping(clip), {RATE}]"),
        (HEAD, CLIPPING.replace("norm_(", "value_(") + HEAD),
    ),
    wrong("no clipping", "LIT2322", (CLIP + ",\n        ", "")),
    wrong("always clips", "LIT2322", (CLIP, "gradient_clip_val=clip or 1.0")),
    wrong("clips by value", "LIT2323", (CLIP, CLIP + ', gradient_clip_algorithm="value"')),
    wrong("no epoch", "LIT2320", ("max_epochs=max_epochs", "max_epochs=0")),
    wrong(
        "a fit of its own",
        "LIT2320",
        (HEAD, "class Idle(L.Trainer):\n    def fit(self, *_, **__):\n        pass\n\n\n" + HEAD),
        ("return L.Trainer(", "return Idle("),
    ),
    wrong("a dry run", "LIT2320", (ROOT, ROOT + ", fast_dev_run=True")),
    wrong(
        "writes nothing",
        "LIT2330",
        (CALLBACKS, "enable_checkpointing=False"),
        (LOGGER, "logger=False"),
    ),
    wrong("no end", "LIT2320", ("max_epochs=max_epochs", "max_epochs=-1")),
    *(
        wrong(f"left in: {limit}", "LIT2361", (ROOT, f"{ROOT}, {limit}"))
        for limit in (
            "limit_train_batches=50",
            "limit_val_batches=10",
            "limit_test_batches=1",
            "max_steps=200",
            "use_distributed_sampler=False",
            'max_time={"hours": 1}',
        )
    ),
    right(
        "limits that limit nothing",
        (ROOT, ROOT + ", limit_train_batches=1.0, limit_val_batches=None, max_steps=-1"),
    ),
    *(
        wrong(
            f"{name} cut at {most}",
            code,
            (
                f"{name}={name}" if name == "max_epochs" else "accumulate_grad_batches=accumulate",
                f"max_epochs=min(max_epochs, {most})"
                if name == "max_epochs"
                else f"accumulate_grad_batches=min(accumulate, {most})",
            ),
        )
        for name, most, code in (
            ("max_epochs", 64, "LIT2320"),
            ("accumulate", 8, "LIT2321"),
            ("accumulate", 64, "LIT2321"),
        )
    ),
    wrong(
        "one checkpoint callback for all", "LIT413", (BEST, f'globals().setdefault("kept", {BEST})')
    ),
    wrong(
        "a checkpoint of every second epoch",
        "LIT413",
        (", save_last=True", ", save_last=True, every_n_epochs=2"),
    ),
    wrong("half of the batches", "LIT2361", (ROOT, ROOT + ", limit_train_batches=0.5")),
    wrong("the same few batches", "LIT2361", (ROOT, ROOT + ", overfit_batches=5")),
    wrong("a part of the batches", "LIT2361", (ROOT, ROOT + ", limit_train_batches=3")),
    # --- what is kept
    wrong("lowest val_acc", "LIT411", (', mode="max"', "")),
    wrong("monitors nothing", "LIT2330", ('monitor="val_acc", mode="max", ', "")),
    wrong("every second epoch", "LIT413", ("save_last=True", "save_last=True, every_n_epochs=3")),
    wrong("no last one", "LIT2331", (", save_last=True", "")),
    wrong(
        "no checkpoint", "LIT2330", (CALLBACKS, f"callbacks=[{RATE}], enable_checkpointing=False")
    ),
    wrong("weights alone", "LIT2532", ("save_last=True", "save_last=True, save_weights_only=True")),
    # --- log
    wrong("validates on a batch", "LIT2361", (ROOT, ROOT + ", limit_val_batches=1")),
    wrong("validates on a half", "LIT2361", (ROOT, ROOT + ", limit_val_batches=0.5")),
    wrong("validates seldom", "LIT2363", (ROOT, ROOT + ", check_val_every_n_epoch=2")),
    wrong("validates twice an epoch", "LIT2363", (ROOT, ROOT + ", val_check_interval=0.5")),
    wrong("logger left out", "LIT2362", (LOGGER + ",\n        ", "")),
    wrong("no logger", "LIT2340", (LOGGER, "logger=False")),
    wrong(
        "log beside the program",
        "LIT2340",
        (LOGGER, 'logger=CSVLogger("logs")'),
    ),
    wrong("default logger and folder", "LIT2362", (LOGGER + ",\n        " + ROOT + ",", "")),
    wrong("no monitor of the rate", "LIT2341", (CALLBACKS, "callbacks=[best]")),
    wrong("the rate of epochs", "LIT2342", ('"step"', '"epoch"')),
    wrong(
        "the rate at the end of epochs",
        "LIT2342",
        (RATE, "Rates()"),
        (
            HEAD,
            RATES.format(LOGS_LR).replace(
                "_batch_end(self, t, m, outputs, batch, i)", "_epoch_end(self, t, m)"
            )
            + HEAD,
        ),
    ),
    wrong(
        "the rate at the start of epochs",
        "LIT2342",
        (RATE, "Rates()"),
        (
            HEAD,
            RATES.format(LOGS_LR).replace(
                "_batch_end(self, t, m, outputs, batch, i)", "_epoch_start(self, t, m)"
            )
            + HEAD,
        ),
    ),
    wrong(
        "another number for the rate",
        "LIT2341",
        (RATE, "Rates()"),
        (HEAD, RATES.format('m.log("lr", 0.1)') + HEAD),
    ),
    wrong("logs a little too seldom", "LIT2341", (ROOT, ROOT + ", log_every_n_steps=60")),
    wrong("logs too seldom", "LIT2341", (ROOT, ROOT + ", log_every_n_steps=500")),
    # --- place
    wrong(
        "checkpoints beside the program",
        "LIT2350",
        ("save_last=True", 'save_last=True, dirpath="checkpoints"'),
    ),
    wrong(
        "a second log beside the program",
        "LIT2350",
        (LOGGER, 'logger=[CSVLogger(run_dir), CSVLogger("logs")]'),
    ),
    # --- the function
    wrong("returns nothing", "LIT2300", ("return L.Trainer(", "trainer = L.Trainer(")),
    wrong("another name", "LIT901", ("def make_trainer(", "def trainer_of(")),
    *CAUSES,
]
