"""Answers to `script`: what a program lets the command line decide, and what it leaves."""

from autograder.bank import right, wrong
from autograder.bank.lab2_cifar10._lab2_causes import SCRIPT as CAUSES

FILE = "%%writefile train.py"
CLI = "LightningCLI(LitCNN, Photos)"
GUARD = 'if __name__ == "__main__":\n    main()'
NET = "self.model = SmallCNN(width=width)"
TOTAL = "total = self.trainer.estimated_stepping_batches"
IMPORT = "from torchvision import transforms\n"
CHECKPOINT = "from lightning.pytorch.callbacks import ModelCheckpoint\n"
KEEPS = 'LightningCLI(LitCNN, Photos, trainer_defaults={{"callbacks": [ModelCheckpoint({})]}})'

CASES = [
    right("without a guard", (GUARD, "main()")),
    right(
        "its own checkpoints and seed",
        (IMPORT, CHECKPOINT + IMPORT),
        (
            CLI,
            "LightningCLI(\n        LitCNN,\n        Photos,\n        seed_everything_default=7,\n"
            '        trainer_defaults={"callbacks": [ModelCheckpoint(monitor="val_acc", mode="max"), '
            'ModelCheckpoint(save_last=True)], "precision": "32-true"},\n    )',
        ),
    ),
    right(
        "keeps every epoch's checkpoint",
        (IMPORT, CHECKPOINT + IMPORT),
        (CLI, KEEPS.format('monitor="val_acc", mode="max", save_top_k=-1')),
    ),
    right(
        "a fixed version, overwritten on purpose",
        (
            CLI,
            'LightningCLI(\n        LitCNN,\n        Photos,\n        save_config_kwargs={"overwrite": True},\n'
            '        trainer_defaults={"logger": {"class_path": "CSVLogger", "init_args": {"save_dir": "runs", "version": "only"}}},\n    )',
        ),
    ),
    right(
        "subclass of LightningCLI",
        (
            f"def main():\n    {CLI}",
            "class Program(LightningCLI):\n    def add_arguments_to_parser(self, parser):\n"
            '        parser.set_defaults({"data.batch_size": 64})\n\n\n'
            "def main():\n    Program(LitCNN, Photos)",
        ),
    ),
    right(
        "defaults that Lightning has, too",
        (
            CLI,
            "LightningCLI(LitCNN, Photos, "
            'trainer_defaults={"max_epochs": 3, "limit_val_batches": 1.0, "max_steps": -1})',
        ),
    ),
    # --- the command line
    wrong(
        "the older package throughout",
        "LIT944",
        ("import lightning as L", "import pytorch_lightning as L"),
        ("from lightning.pytorch.cli", "from pytorch_lightning.cli"),
    ),
    wrong("runs no subcommand", "LIT2505", (CLI, "LightningCLI(LitCNN, Photos, run=False)")),
    wrong(
        "fifty batches unless told",
        "LIT2511",
        (CLI, 'LightningCLI(LitCNN, Photos, trainer_defaults={"limit_train_batches": 50})'),
        costs=("one",),
    ),
    wrong(
        "two hundred steps unless told",
        "LIT2511",
        (CLI, 'LightningCLI(LitCNN, Photos, trainer_defaults={"max_steps": 200})'),
    ),
    wrong(
        "ten batches to validate with, by set_defaults",
        "LIT2511",
        (
            f"def main():\n    {CLI}",
            "class Program(LightningCLI):\n    def add_arguments_to_parser(self, parser):\n"
            '        parser.set_defaults({"trainer.limit_val_batches": 10})\n\n\n'
            "def main():\n    Program(LitCNN, Photos)",
        ),
        costs=("one",),
    ),
    wrong(
        "a Trainer of its own that takes fifty batches",
        "LIT2511",
        (
            f"def main():\n    {CLI}",
            "class Short(L.Trainer):\n"
            "    def __init__(self, *args, limit_train_batches=50, **kwargs):\n"
            "        super().__init__(*args, limit_train_batches=limit_train_batches, **kwargs)\n\n\n"
            "def main():\n    LightningCLI(LitCNN, Photos, trainer_class=Short)",
        ),
        costs=("one",),
    ),
    wrong("a model without a default", "LIT941", ("width: int = 32", "width: int")),
    wrong("data without a default", "LIT941", ("data_dir: str | None = None", "data_dir: str")),
    wrong("no data module", "LIT940", (CLI, "LightningCLI(LitCNN)")),
    wrong("never called", "LIT942", (GUARD, "")),
    wrong(
        "a Trainer of its own",
        "LIT2505",
        (
            CLI,
            "trainer = L.Trainer(max_epochs=1)\n    cli = LightningCLI(LitCNN, Photos, run=False)\n    trainer.fit(cli.model, cli.datamodule)",
        ),
    ),
    wrong(
        "a Trainer that is not the command line's",
        "LIT2508",
        (
            CLI,
            "L.Trainer(max_epochs=1, limit_train_batches=5, limit_val_batches=1).fit(LitCNN(), Photos())",
        ),
    ),
    wrong(
        "a default that ends the run early",
        "LIT2501",
        (CLI, 'LightningCLI(LitCNN, Photos, trainer_defaults={"max_steps": 1})'),
    ),
    wrong(
        "no command line at all",
        "LIT2508",
        (
            CLI,
            "L.Trainer(max_epochs=3, limit_train_batches=1, limit_val_batches=1).fit(LitCNN(), Photos())",
        ),
    ),
    wrong(
        "one device",
        "LIT943",
        (
            CLI,
            "class One(L.Trainer):\n        def __init__(self, *arguments, **keywords):\n"
            '            keywords["devices"] = 1\n            super().__init__(*arguments, **keywords)\n\n'
            "    LightningCLI(LitCNN, Photos, trainer_class=One)",
        ),
    ),
    wrong(
        "one precision",
        "LIT2503",
        (
            CLI,
            "class Whole(L.Trainer):\n        def __init__(self, *arguments, **keywords):\n"
            '            keywords["precision"] = "32-true"\n            super().__init__(*arguments, **keywords)\n\n'
            "    LightningCLI(LitCNN, Photos, trainer_class=Whole)",
        ),
    ),
    wrong(
        "forgets the callbacks",
        "LIT2533",
        (
            CLI,
            "class Bare(L.Trainer):\n        def __init__(self, *arguments, **keywords):\n"
            '            keywords["callbacks"] = []\n            super().__init__(*arguments, **keywords)\n\n'
            "    LightningCLI(LitCNN, Photos, trainer_class=Bare)",
        ),
    ),
    wrong(
        "a Trainer at the top level without the command line",
        "LIT2501",
        (GUARD, "trainer = L.Trainer(max_epochs=10)\ntrainer.fit(LitCNN(), Photos())"),
    ),
    # --- the program itself
    wrong("uses the notebook's class", "LIT940", (NET, "self.model = LitResNet(SmallCNN()).model")),
    wrong(
        "an annotation of a name that is not imported",
        "LIT940",
        ("data_dir: str | None = None", "data_dir: str | PurePath | None = None"),
    ),
    wrong("forgets an import", "LIT940", ("from torch.nn import functional as F\n", "")),
    wrong("hard-coded steps", "LIT2112", (TOTAL, "total = 2")),
    wrong("hard-coded steps that are enough for these runs", "LIT2112", (TOTAL, "total = 10 * 36")),
    wrong("a tensor on the GPU", "LIT007", (NET, NET + ".cuda()")),
    wrong("another file", "LIT915", (FILE, "%%writefile training.py")),
    wrong("objects in place of classes", "LIT2506", (CLI, "LightningCLI(LitCNN(), Photos())")),
    wrong("an object as data", "LIT2506", (CLI, "LightningCLI(LitCNN, Photos())")),
    wrong("main called twice", "LIT3712", (GUARD, GUARD + "\n    main()")),
    wrong(
        "one epoch, whatever the command says",
        "LIT2501",
        (
            CLI,
            "class Short(L.Trainer):\n        def __init__(self, *arguments, **keywords):\n"
            '            keywords["max_epochs"] = 1\n            super().__init__(*arguments, **keywords)\n\n'
            "    LightningCLI(LitCNN, Photos, trainer_class=Short)",
        ),
    ),
    # --- what it leaves
    wrong(
        "no checkpoint",
        "LIT2502",
        (CLI, 'LightningCLI(LitCNN, Photos, trainer_defaults={"enable_checkpointing": False})'),
    ),
    wrong(
        "the log of another run",
        "LIT2510",
        (
            CLI,
            'LightningCLI(LitCNN, Photos, trainer_defaults={"logger": {"class_path": "CSVLogger", "init_args": {"save_dir": "runs", "version": 0}}})',
        ),
    ),
    wrong(
        "saves at the end",
        "LIT2530",
        (
            CLI,
            'cli = LightningCLI(LitCNN, Photos, trainer_defaults={"enable_checkpointing": False})\n'
            '    cli.trainer.save_checkpoint("end.ckpt")',
        ),
    ),
    wrong(
        "weights alone",
        "LIT2532",
        (IMPORT, CHECKPOINT + IMPORT),
        (CLI, KEEPS.format("save_weights_only=True")),
    ),
    wrong(
        "a state_dict alone",
        "LIT2532",
        (
            CLI,
            "class Saver(L.Callback):\n        def on_train_epoch_end(self, trainer, module):\n"
            '            torch.save(module.state_dict(), "weights.ckpt")\n\n'
            '    defaults = {"callbacks": [Saver()], "enable_checkpointing": False}\n'
            "    LightningCLI(LitCNN, Photos, trainer_defaults=defaults)",
        ),
    ),
    wrong(
        "the best checkpoint alone",
        "LIT2534",
        (IMPORT, CHECKPOINT + IMPORT),
        (CLI, KEEPS.format('monitor="val_acc", mode="max"')),
    ),
    wrong(
        "a last one beside the best",
        "LIT2534",
        (IMPORT, CHECKPOINT + IMPORT),
        (CLI, KEEPS.format('monitor="val_acc", mode="max", save_last=True')),
    ),
    wrong(
        "every second epoch",
        "LIT2502",
        (IMPORT, CHECKPOINT + IMPORT),
        (CLI, KEEPS.format("every_n_epochs=2")),
    ),
    wrong(
        "fits by hand, without the path",
        "LIT2531",
        (
            CLI,
            "class Program(LightningCLI):\n        def _run_subcommand(self, subcommand):\n"
            "            self.trainer.fit(self.model, self.datamodule)\n\n    Program(LitCNN, Photos)",
        ),
    ),
    wrong(
        "a step without a loss",
        "LIT2521",
        (
            '        self.log("train_loss", loss)\n        return loss',
            '        self.log("train_loss", loss)',
        ),
    ),
    wrong(
        "an optimizer of other parameters",
        "LIT2521",
        ("self.parameters(),", "SmallCNN().parameters(),"),
    ),
    wrong(
        "no optimizer",
        "LIT2521",
        ('return {\n            "optimizer"', '{\n            "optimizer"'),
    ),
    wrong(
        "one rank changes its weights",
        "LIT2520",
        (IMPORT, "from lightning.pytorch.callbacks import Callback\n" + IMPORT),
        (
            CLI,
            "class Nudge(Callback):\n        def on_train_end(self, trainer, module):\n"
            "            if trainer.is_global_zero:\n"
            "                next(module.parameters()).data.add_(1.0)\n\n"
            '    LightningCLI(LitCNN, Photos, trainer_defaults={"callbacks": [Nudge()]})',
        ),
    ),
    *CAUSES,
]
