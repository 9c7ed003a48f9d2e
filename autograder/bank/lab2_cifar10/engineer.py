"""Answers to `engineer`: what is handed on, and what a run leaves."""

from autograder.bank import right, wrong

BEST = 'ModelCheckpoint(monitor="val_acc", mode="max", save_last=True)'
RATE = 'LearningRateMonitor(logging_interval="step")'
LOGGER = "logger=CSVLogger(run_dir)"
ROOT = "default_root_dir=run_dir"
CLIP = "gradient_clip_val=clip"
PRECISION = "precision=precision"
DEVICES = "devices=devices"
ACCELERATOR = "accelerator=accelerator"
CALLBACKS = f"callbacks=[best, {RATE}]"

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
    # --- hardware
    wrong("on the GPU", "LIT013", (ACCELERATOR, 'accelerator="gpu"')),
    wrong("on the CPU", "LIT2310", (ACCELERATOR, 'accelerator="cpu"')),
    wrong("accelerator left out", "LIT2310", (ACCELERATOR + ",\n        ", "")),
    wrong("devices left out", "LIT2311", (DEVICES + ",\n        ", "")),
    wrong("one device", "LIT2311", (DEVICES, "devices=1")),
    wrong(
        "counts the list",
        "LIT2311",
        (DEVICES, "devices=len(devices) if isinstance(devices, list) else devices"),
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
    wrong("no clipping", "LIT2322", (CLIP + ",\n        ", "")),
    wrong("always clips", "LIT2322", (CLIP, "gradient_clip_val=clip or 1.0")),
    wrong("clips by value", "LIT2323", (CLIP, CLIP + ', gradient_clip_algorithm="value"')),
    wrong("a part of the batches", "LIT2321", (ROOT, ROOT + ", limit_train_batches=3")),
    # --- what is kept
    wrong("lowest val_acc", "LIT411", (', mode="max"', "")),
    wrong("monitors nothing", "LIT2330", ('monitor="val_acc", mode="max", ', "")),
    wrong("monitors another key", "LIT010", ('monitor="val_acc"', 'monitor="val_accuracy"')),
    wrong("every second epoch", "LIT413", ("save_last=True", "save_last=True, every_n_epochs=3")),
    wrong("no last one", "LIT2331", (", save_last=True", "")),
    wrong(
        "no checkpoint", "LIT2330", (CALLBACKS, f"callbacks=[{RATE}], enable_checkpointing=False")
    ),
    # --- log
    wrong("no logger", "LIT2340", (LOGGER, "logger=False")),
    wrong(
        "log beside the program",
        "LIT2340",
        (LOGGER, 'logger=CSVLogger("logs")'),
    ),
    wrong("default logger and folder", "LIT2340", (LOGGER + ",\n        " + ROOT + ",", "")),
    wrong("no monitor of the rate", "LIT2341", (CALLBACKS, "callbacks=[best]")),
    wrong("the rate of epochs", "LIT2342", ('"step"', '"epoch"')),
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
]
