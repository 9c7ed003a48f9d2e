"""Answers to `launch`: what the command line decides, and what an import does."""

from autograder.bank import right, wrong
from autograder.bank.lab3_ddp._lab3_causes import LAUNCH as CAUSES

DEVICES = "devices=options.devices,"
EPOCHS = "max_epochs=options.max_epochs,"
ADD_DEVICES = 'parser.add_argument("--devices", type=int, required=True)'
ADD_EPOCHS = 'parser.add_argument("--max_epochs", type=int, default=2)'
GUARD = 'if __name__ == "__main__":\n    main()'
FIT = "trainer.fit(Digits(), train_batches())"
FILE = "%%writefile train_ddp.py"
AGAIN = "L.Trainer(devices=options.devices, max_epochs=options.max_epochs, logger=False)"
PARSE = "options = parser.parse_args()"

CASES = [
    right("strategy by name", (DEVICES, DEVICES + '\n        strategy="ddp",')),
    right(
        "steps as a limit by default",
        (ADD_EPOCHS, ADD_EPOCHS.replace("=2", "=None")),
        (EPOCHS, EPOCHS + "\n        max_steps=20 if options.max_epochs is None else -1,"),
    ),
    right(
        "the name of the program",
        ("import argparse", "import argparse\nimport sys\n\nNAME = sys.argv[0]"),
    ),
    right(
        "further flags", (ADD_EPOCHS, ADD_EPOCHS + '\n    parser.add_argument("--lr", type=float)')
    ),
    right(
        "with a class and another network",
        ("self.model = MLP()", "self.model = MLP(hidden=(32, 16))"),
        (
            GUARD,
            'def cli():\n    main()\n\n\nif __name__ == "__main__":\n    raise SystemExit(cli())',
        ),
    ),
    right(
        "with a data module",
        (
            FIT,
            "data = L.LightningDataModule.from_datasets(train_batches().dataset, batch_size=32)\n"
            "    trainer.fit(Digits(), datamodule=data)",
        ),
    ),
    wrong(
        "the older package throughout",
        "LIT944",
        ("import lightning as L", "import pytorch_lightning as L"),
    ),
    wrong("no guard", "LIT3702", (GUARD, "main()")),
    wrong(
        "arguments in place of the guard",
        "LIT3702",
        ("import argparse", "import argparse\nimport sys"),
        (GUARD, "if len(sys.argv) > 1:\n    main()"),
    ),
    wrong(
        "reads the command line at import",
        "LIT3702",
        ("import argparse", "import argparse\nimport sys\n\nARGUMENTS = sys.argv[1:]"),
        ("parse_args()", "parse_args(ARGUMENTS)"),
    ),
    wrong(
        "takes a number from the command line at import",
        "LIT3702",
        ("import argparse", "import argparse\nimport sys\n\nDEVICES = int(sys.argv[2])"),
        (DEVICES, "devices=DEVICES,"),
    ),
    wrong(
        "a Trainer at import",
        "LIT3701",
        (
            "def main() -> None:",
            "trainer = L.Trainer(devices=1, logger=False)\n\n\ndef main() -> None:",
        ),
    ),
    wrong(
        "parses at import",
        "LIT3702",
        (
            "def main() -> None:",
            "argparse.ArgumentParser().parse_known_args()\n\n\ndef main() -> None:",
        ),
    ),
    right(
        "settings and definitions at the top level",
        (
            "import argparse",
            "import argparse\nimport logging\nimport warnings\nfrom importlib.metadata import version",
        ),
        (
            "def main() -> None:",
            """warnings.filterwarnings("ignore", message=".*does not have many workers.*")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.set_float32_matmul_precision("high")
LOSS = torch.nn.CrossEntropyLoss()
STEPS = torch.arange(3)
NORMALIZED = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
LIGHTNING = version("lightning")


def main() -> None:""",
        ),
    ),
    right(
        "a thread that ends",
        (FIT, FIT + "\n    timer.cancel()"),
        (
            PARSE,
            PARSE
            + "\n    import threading\n\n    timer = threading.Timer(300, print)\n    timer.start()",
        ),
    ),
    right(
        "a pool of threads and one in the background",
        (
            PARSE,
            PARSE
            + """
    import threading
    import time
    from concurrent.futures import ThreadPoolExecutor

    ThreadPoolExecutor(2).submit(print, "begins")
    threading.Thread(target=time.sleep, args=(300,), daemon=True).start()""",
        ),
    ),
    right(
        "deals out by itself",
        (EPOCHS, EPOCHS + "\n        use_distributed_sampler=False,"),
        (FIT, "trainer.fit(Digits(), train_batches(trainer))"),
        ("def train_batches() -> DataLoader:", "def train_batches(trainer) -> DataLoader:"),
        (
            "return DataLoader(digits, batch_size=32, shuffle=True)",
            "mine = Subset(digits, range(trainer.global_rank, 320, trainer.world_size))\n"
            "    return DataLoader(mine, batch_size=32, shuffle=True)",
        ),
    ),
    right(
        "keeps the global batch",
        (FIT, "trainer.fit(Digits(), train_batches(options.devices))"),
        ("def train_batches() -> DataLoader:", "def train_batches(devices) -> DataLoader:"),
        ("batch_size=32, shuffle", "batch_size=32 // devices, shuffle"),
    ),
    *(
        wrong(
            f"at import: {name}",
            "LIT3723",
            ("def main() -> None:", f"{line}\n\n\ndef main() -> None:"),
        )
        for name, line in (
            ("a file", 'open("seen.txt", "w").close()'),
            ("a folder", 'import os\n\nos.makedirs("runs/1", exist_ok=True)'),
            ("a log", 'import logging\n\nlogging.basicConfig(filename="train.log", force=True)'),
            ("a checkpoint", 'torch.save({}, "empty.pt")'),
            ("data", "DIGITS = mnist(train=True)"),
            ("data in a call", "COUNT = len(mnist(train=True))"),
            ("a loader", "LOADER = DataLoader([1, 2, 3])"),
            ("seed", "L.seed_everything(7)"),
            ("torch's seed", "torch.manual_seed(7)"),
            ("a network", "MODEL = Digits()"),
            ("spawn", "torch.multiprocessing.set_start_method('spawn', force=True)"),
            ("a print", "print('training begins')"),
            (
                "a thread",
                "import threading\nimport time\n\n"
                "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            ),
            ("a program", "import subprocess\n\nsubprocess.run(['true'])"),
            ("a folder changed", "import os\n\nos.chdir('..')"),
        )
    ),
    wrong(
        "a thread that sleeps on",
        "LIT946",
        (
            FIT,
            FIT + "\n    import threading\n    import time\n\n"
            "    threading.Thread(target=time.sleep, args=(300,)).start()",
        ),
    ),
    wrong(
        "a process that sleeps on",
        "LIT946",
        (
            FIT,
            FIT + "\n    import multiprocessing\n    import time\n\n"
            "    multiprocessing.Process(target=time.sleep, args=(300,)).start()",
        ),
    ),
    wrong(
        "each rank trains on all data",
        "LIT3722",
        (EPOCHS, EPOCHS + "\n        use_distributed_sampler=False,"),
    ),
    wrong(
        "each rank trains on the same half",
        "LIT3722",
        (EPOCHS, EPOCHS + "\n        use_distributed_sampler=False,"),
        (FIT, "trainer.fit(Digits(), train_batches(options.devices))"),
        ("def train_batches() -> DataLoader:", "def train_batches(devices) -> DataLoader:"),
        ("range(320)", "range(320 // devices)"),
    ),
    wrong("an empty program", "LIT3716", code='%%writefile train_ddp.py\n"""To do."""'),
    wrong(
        "says what it would do",
        "LIT3716",
        code="""
        %%writefile train_ddp.py
        import argparse

        if __name__ == "__main__":
            parser = argparse.ArgumentParser()
            parser.add_argument("--devices", type=int)
            parser.add_argument("--max_epochs", type=int, default=2)
            print("training on", parser.parse_args())
        """,
    ),
    wrong("nothing is called", "LIT942", (GUARD, "pass")),
    wrong("guard mistyped", "LIT942", ('"__main__"', '"main"')),
    wrong("devices ignored", "LIT943", (DEVICES, "devices=1,")),
    wrong("always two", "LIT943", (DEVICES, "devices=2,")),
    wrong("all devices there are", "LIT943", (DEVICES, 'devices="auto",')),
    wrong("epochs ignored", "LIT3704", (EPOCHS, "max_epochs=1,")),
    *(
        wrong(f"always {epochs} epochs", "LIT3704", (EPOCHS, f"max_epochs={epochs},"))
        for epochs in (2, 3, 4, 5)
    ),
    wrong(
        "epochs without a default", "LIT3714", (ADD_EPOCHS, ADD_EPOCHS.replace(", default=2", ""))
    ),
    wrong("trains for ever", "LIT3714", (ADD_EPOCHS, ADD_EPOCHS.replace("=2", "=-1"))),
    wrong("a thousand epochs", "LIT3714", (EPOCHS, "max_epochs=1000,")),
    wrong("epochs as text", "LIT3711", (ADD_EPOCHS, ADD_EPOCHS.replace("type=int, ", ""))),
    wrong(
        "epochs as text, by default too",
        "LIT3711",
        (ADD_EPOCHS, ADD_EPOCHS.replace("type=int, default=2", 'default="2"')),
    ),
    wrong("trains a second time", "LIT3712", (FIT, f"{FIT}\n    {AGAIN}.{FIT.split('.', 1)[1]}")),
    wrong("a learning rate of 0", "LIT3710", ("lr=0.05", "lr=0.0")),
    wrong(
        "a batch of each epoch", "LIT3715", (EPOCHS, EPOCHS + "\n        limit_train_batches=1,")
    ),
    wrong("half of each epoch", "LIT3715", (EPOCHS, EPOCHS + "\n        limit_train_batches=0.5,")),
    wrong("max_epochs unknown", "LIT941", (ADD_EPOCHS, "parser.set_defaults(max_epochs=2)")),
    wrong(
        "devices as text",
        "LIT943",
        (ADD_DEVICES, ADD_DEVICES.replace("type=int, ", "")),
        (DEVICES, "devices=len(options.devices),"),
    ),
    wrong(
        "a flag of another name",
        "LIT941",
        (ADD_DEVICES, ADD_DEVICES.replace("--devices", "--gpus")),
    ),
    wrong(
        "needs max_epochs", "LIT941", (ADD_EPOCHS, ADD_EPOCHS.replace("default=2", "required=True"))
    ),
    wrong("for notebooks", "LIT3706", (DEVICES, DEVICES + '\n        strategy="ddp_notebook",')),
    wrong("spawn", "LIT3706", (DEVICES, DEVICES + '\n        strategy="ddp_spawn",')),
    wrong(
        "spawn above one device",
        "LIT3706",
        (DEVICES, DEVICES + '\n        strategy="ddp_spawn" if options.devices > 1 else "auto",'),
    ),
    wrong("on the CPU alone", "LIT3725", (DEVICES, DEVICES + '\n        accelerator="cpu",')),
    *(
        wrong(f"{name} beside the epochs", "LIT3724", (EPOCHS, f"{EPOCHS}\n        {limit},"))
        for name, limit in (
            ("steps", "max_steps=200"),
            ("minutes", 'max_time={"minutes": 10}'),
        )
    ),
    right(
        "steps that follow from the epochs",
        (EPOCHS, EPOCHS + "\n        max_steps=options.max_epochs * 10,"),
    ),
    right("the accelerator's default", (DEVICES, DEVICES + '\n        accelerator="auto",')),
    wrong("on a GPU alone", "LIT3713", (DEVICES, DEVICES + '\n        accelerator="gpu",')),
    wrong(
        "a network of its own",
        "LIT3705",
        (
            "self.model = MLP()",
            "self.model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))",
        ),
    ),
    wrong("no fit", "LIT3717", (FIT, "print(trainer)")),
    wrong(
        "hides what goes wrong",
        "LIT3708",
        (
            FIT,
            "try:\n        trainer.fit(Digits())\n    except Exception as error:\n        print(error)",
        ),
    ),
    wrong("no step", "LIT3709", (EPOCHS, EPOCHS + "\n        limit_train_batches=0,")),
    wrong(
        "gradients that are not averaged",
        "LIT3707",
        (
            FIT,
            "Digits.on_train_start = apart\n    " + FIT,
        ),
        (
            "def main() -> None:",
            """def apart(self):
    self.trainer.strategy.model.require_backward_grad_sync = False


def main() -> None:""",
        ),
    ),
    wrong(
        "saves on rank 0 alone",
        "LIT932",
        (
            FIT,
            FIT + '\n    if trainer.is_global_zero:\n        trainer.save_checkpoint("last.ckpt")',
        ),
    ),
    wrong("a mistake in the code", "LIT940", (FIT, "trainer.fit(digits, train_batches())")),
    wrong("does not compile", "LIT940", (GUARD, GUARD.replace(":\n", "\n"))),
    wrong("another file", "LIT915", (FILE, "%%writefile train.py")),
    wrong("no file", "LIT915", (FILE + "\n", "")),
    *CAUSES,
]
