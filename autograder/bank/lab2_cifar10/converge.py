"""Answers to `converge`: what is trained, for how long, and what a seed decides."""

from autograder.bank import right, wrong
from autograder.bank.lab2_cifar10._lab2_causes import CONVERGE as CAUSES

SEED = "L.seed_everything(seed, workers=True, verbose=False)"
MODULE = "module = LitResNet(SmallCNN())"
EPOCHS = "max_epochs=max_epochs"
FIT = "trainer.fit(module, datamodule=datamodule)"
RETURN = "return trainer, module"
TRAINER = """L.Trainer(
        max_epochs=max_epochs,
        logger=CSVLogger(run_dir),
        default_root_dir=run_dir,
        enable_model_summary=False,
    )"""
MADE = "make_trainer(max_epochs=max_epochs, run_dir=run_dir)"

CASES = [
    right("by make_trainer", (TRAINER, MADE)),
    right("torch's seed alone", (SEED, "torch.manual_seed(seed)")),
    right(
        "the best checkpoint",
        (TRAINER, MADE),
        (
            RETURN,
            "best = trainer.checkpoint_callback.best_model_path\n"
            "    return trainer, LitResNet.load_from_checkpoint(best, model=SmallCNN(), weights_only=True)",
        ),
    ),
    right("run_dir alone", ("\n        logger=CSVLogger(run_dir),", "")),
    right(
        "writes nothing",
        ("logger=CSVLogger(run_dir)", "logger=False, enable_checkpointing=False"),
        ("\n        default_root_dir=run_dir,", ""),
    ),
    right(
        "its defaults, written down",
        (MODULE, "module = LitResNet(SmallCNN(), max_lr=0.1, weight_decay=5e-4)"),
    ),
    right("without Nesterov", after=(("schedule", "plain momentum"),)),
    right("norms without decay", after=(("schedule", "norms and biases without decay"),)),
    right("engineer not solved", after=(("engineer", "stub"),)),
    right("augment not solved", after=(("augment", "stub"),)),
    # --- seeds
    wrong("no seed", "LIT2420", (SEED, "pass")),
    wrong("seeds after the network", "LIT2420", (SEED, ""), (MODULE, MODULE + f"\n    {SEED}")),
    wrong(
        "seeds the network alone",
        "LIT2420",
        (FIT, "torch.seed()\n    " + FIT),
    ),
    wrong("seeds NumPy alone", "LIT2420", (SEED, '__import__("numpy").random.seed(seed % 2**32)')),
    wrong("a fixed seed", "LIT2421", (SEED, SEED.replace("(seed", "(42"))),
    # --- what is trained
    wrong("never fits", "LIT2412", (FIT, "")),
    wrong(
        "a patched fit",
        "LIT2412",
        ("module = LitResNet", "L.Trainer.fit = lambda *_, **__: None\n    module = LitResNet"),
    ),
    wrong("a dry run", "LIT2412", (EPOCHS, EPOCHS + ", fast_dev_run=True")),
    wrong("one epoch", "LIT2412", (EPOCHS, "max_epochs=1")),
    wrong("one epoch more", "LIT2412", (EPOCHS, "max_epochs=max_epochs + 1")),
    wrong("a part of the batches", "LIT2412", (EPOCHS, EPOCHS + ", limit_train_batches=0.5")),
    *(
        wrong(f"a limit left in: {limit}", "LIT2414", (EPOCHS, f"{EPOCHS}, {limit}"))
        for limit in ("limit_train_batches=50", "max_steps=200", 'max_time={"minutes": 5}')
    ),
    wrong("at most eight epochs", "LIT2414", (EPOCHS, "max_epochs=min(max_epochs, 8)")),
    right("validates on ten batches", (EPOCHS, EPOCHS + ", limit_val_batches=10")),
    wrong(
        "stops early",
        "LIT2412",
        (
            EPOCHS,
            EPOCHS + ', callbacks=[__import__("lightning").pytorch.callbacks.EarlyStopping('
            'monitor="train_loss", mode="max", patience=1)]',
        ),
    ),
    wrong(
        "data of its own",
        "LIT2413",
        (
            FIT,
            "data = torch.utils.data.TensorDataset(torch.rand(32, 3, 32, 32), torch.arange(32) % 3)\n"
            "    loader = torch.utils.data.DataLoader(data, batch_size=8)\n"
            "    trainer.fit(module, loader, loader)",
        ),
    ),
    wrong("another network", "LIT2411", (MODULE, "module = LitResNet(ResNet((1, 1), 8))")),
    wrong("another width", "LIT2411", (MODULE, "module = LitResNet(SmallCNN(width=16))")),
    wrong("a new module comes back", "LIT2410", (RETURN, "return trainer, LitResNet(SmallCNN())")),
    wrong("a crawling rate", "LIT2430", (MODULE, "module = LitResNet(SmallCNN(), max_lr=1e-4)")),
    wrong(
        "a rate that explodes", "LIT2430", (MODULE, "module = LitResNet(SmallCNN(), max_lr=1e3)")
    ),
    wrong("a smaller rate", "LIT2430", (MODULE, "module = LitResNet(SmallCNN(), max_lr=0.01)")),
    wrong("a larger rate", "LIT2430", (MODULE, "module = LitResNet(SmallCNN(), max_lr=0.3)")),
    wrong("no decay", "LIT2430", (MODULE, "module = LitResNet(SmallCNN(), weight_decay=0.0)")),
    # --- where it writes
    wrong("ignores run_dir", "LIT2350", (TRAINER, "L.Trainer(max_epochs=max_epochs)")),
    wrong(
        "checkpoints beside the program",
        "LIT2350",
        ("\n        default_root_dir=run_dir,", ""),
        ("CSVLogger(run_dir)", "False"),
    ),
    # --- what comes back
    wrong("returns the module alone", "LIT2400", (RETURN, "return module")),
    wrong("returns the network", "LIT2400", (RETURN, "return trainer, module.model")),
    wrong("returns nothing", "LIT2400", (RETURN, "")),
    wrong("the other way round", "LIT2400", (RETURN, "return module, trainer")),
    wrong("data and module swapped", "LIT021", (FIT, "trainer.fit(datamodule, module)")),
    wrong("another name", "LIT901", ("def train_cifar10(", "def train(")),
    # --- what it stands on
    wrong("schedule not solved", "LIT904", after=(("schedule", "stub"),)),
    wrong(
        "schedule without an optimizer", "LIT904", after=(("schedule", "no configure_optimizers"),)
    ),
    wrong(
        "by a make_trainer that is not solved",
        "LIT904",
        (TRAINER, MADE),
        after=(("engineer", "stub"),),
    ),
    *CAUSES,
]
