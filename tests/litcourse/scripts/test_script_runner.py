"""Scripts run as programs: on as many ranks as they ask for, from the command line that is told."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from litcourse.core.evidence import Evidence
from litcourse.core.question import Finding
from litcourse.core.serialization import decode, encode
from litcourse.probing.silenced import scratch_folder
from litcourse.scripts import (
    fitted_trainers,
    format_command,
    import_script,
    run_fresh,
    run_script,
    script_findings,
)

MODULE = """
import lightning as L
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from litcourse.models import MLP

class Small(L.LightningModule):
    def __init__(self, lr: float = 0.1):
        super().__init__()
        self.lr, self.model = lr, MLP(4, (3,), 2)

    def training_step(self, batch, index):
        loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.lr)

def loader():
    return DataLoader(TensorDataset(torch.randn(16, 4), torch.randint(0, 2, (16,))), 4)
"""
CLI = (
    MODULE
    + """
from lightning.pytorch.cli import LightningCLI

class Data(L.LightningDataModule):
    def train_dataloader(self):
        return loader()

if __name__ == "__main__":
    LightningCLI(Small, Data)
"""
)
ARGUMENTS = (
    MODULE
    + """
import argparse

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=1)
    arguments = parser.parse_args()
    trainer = L.Trainer(accelerator="cpu", devices=arguments.devices, max_epochs=1, logger=False)
    trainer.fit(Small(), loader())

if __name__ == "__main__":
    main()
"""
)
TWO = ["--devices", "2"]


@pytest.fixture(autouse=True)
def _in_a_quiet_room(_neutral: None) -> Any:
    with scratch_folder():
        yield


def judged(seen: dict[str, Any]) -> list[Finding]:
    """The findings on evidence that went the way it goes in grading."""
    return script_findings(Evidence(decode(encode(seen))), ("a",))


def run_cli(*arguments: str, world_size: int = 1) -> list[Evidence]:
    seen = run_script(CLI, "train.py", ["fit", *arguments], world_size=world_size)
    assert not judged(seen)
    return fitted_trainers(Evidence(seen))


def test_a_lightning_cli_program_in_all_its_ways() -> None:
    """One process, two ranks, resumed: several runs in one folder."""
    (alone,) = run_cli("--trainer.max_epochs=1")
    assert alone["world_size"].integer() == 1
    assert alone["precision"].text() == "32-true"
    assert alone["global_step"].integer() == 4
    (checkpoint,) = alone["checkpoints"].texts()
    assert Path(checkpoint).is_file()

    ranks = run_cli("--trainer.max_epochs=1", "--trainer.devices=2", "--trainer.strategy=ddp",
                    "--trainer.precision=bf16-mixed", world_size=2)  # fmt: skip
    assert [rank["global_rank"].integer() for rank in ranks] == [0, 1]
    assert {rank["precision"].text() for rank in ranks} == {"bf16-mixed"}
    assert len({rank["weights"].text() for rank in ranks}) == 1

    (resumed,) = run_cli("--trainer.max_epochs=2", f"--ckpt_path={checkpoint}")
    assert resumed["start_step"].integer() == 4
    assert resumed["global_step"].integer() == 8
    assert resumed["ckpt_path"].text() == checkpoint
    assert len(list(Path().rglob("*.ckpt"))) == 3


def test_a_script_that_parses_its_arguments() -> None:
    seen = run_script(ARGUMENTS, "train_ddp.py", TWO, world_size=2)
    assert seen["command"] == "python train_ddp.py --devices 2"
    assert not judged(seen)
    assert [entry["value"]["exit"] for entry in seen["ranks"]] == [0, 0]


def test_the_caller_stays_as_it_is() -> None:
    def state() -> list[Any]:
        return [sys.argv[:], sys.path[:], sys.modules["__main__"], Path.cwd(), dict(os.environ)]

    before = state()
    run_script(ARGUMENTS + "\nname = 'of the script'", "train_ddp.py", [])
    assert state() == before
    assert not hasattr(sys.modules["__main__"], "name")
    assert "train_ddp" not in sys.modules


def test_a_script_sees_what_a_program_sees(tmp_path: Path) -> None:
    source = (
        "import os, sys\n"
        "assert __name__ == '__main__' and sys.modules['__main__'].__dict__ is globals()\n"
        "assert sys.argv == ['a.py', 'x y'], sys.argv\n"
        "assert os.getcwd() == os.path.dirname(__file__) == sys.path[0]\n"
        "assert not {'RANK', 'LOCAL_RANK', 'WORLD_SIZE'} & set(os.environ)\n"
        "import beside\n"
    )
    (tmp_path / "beside.py").write_text("", encoding="utf-8")
    seen = run_script(source, "a.py", ["x y"], folder=tmp_path)
    assert seen["ranks"][0].get("value") == {"exit": 0, "left": []}, seen
    assert seen["command"] == "python a.py 'x y'"


def test_commands_are_quoted() -> None:
    assert format_command("a.py", ["--x=a b", "1"]) == "python a.py '--x=a b' 1"


@pytest.mark.parametrize(
    ("old", "new", "code", "told"),
    [
        ("devices=arguments.devices", "devices=1", "LIT943", "1, world size 1"),
        ("trainer.fit(", "(lambda *_: 0)(", "LIT942", "1 made, none of which ran fit"),
        ("    main()", "    pass", "LIT942", "none was made"),
        ('"--devices"', '"--gpus"', "LIT941", "exit code 2"),
        ("    main()", "    raise KeyError(3)", "LIT940", "KeyError: 3"),
        ("def loader():", "def loader(:", "LIT940", "SyntaxError"),
        ("trainer.fit(", "trainer.global_rank and exit(5); trainer.fit(", "LIT941", "exit code 5"),
        ("loss =", "assert not self.global_rank; loss =", "LIT940", "AssertionError"),
        ("    main()", "    import os; os._exit(0)", "LIT931", "exit code 0"),
    ],
)
def test_what_keeps_a_script_from_training(old: str, new: str, code: str, told: str) -> None:
    assert old in ARGUMENTS
    source = ARGUMENTS.replace(old, new, 1) if "main()" not in old else ARGUMENTS.replace(old, new)
    (found,) = judged(run_script(source, "train_ddp.py", TWO, world_size=2))
    assert (found.code, found.called) == (code, "python train_ddp.py --devices 2")
    assert told in found.got


def test_the_line_and_the_last_words_of_a_script() -> None:
    (found,) = judged(run_script("\nraise KeyError('x')", "a.py", []))
    assert found.where == "line 2 of a.py, in <module>: raise KeyError('x')"
    (found,) = judged(run_script(ARGUMENTS, "a.py", ["--nothing"]))
    assert found.where == "a.py: error: unrecognized arguments: --nothing"


def test_a_deadlock_of_a_script() -> None:
    source = ARGUMENTS.replace(
        "    trainer.fit(Small(), loader())",
        "    trainer.fit(Small(), loader())\n"
        "    if trainer.is_global_zero:\n        trainer.save_checkpoint('x.ckpt')",
    )
    (found,) = judged(run_script(source, "a.py", TWO, world_size=2))
    assert found.code == "LIT932"
    assert "rank 0 waits in barrier (in save_checkpoint) (line" in found.got
    assert "of a.py, in main: trainer.save_checkpoint('x.ckpt')" in found.got


def test_a_script_that_forks_its_own_ranks_is_seen() -> None:
    source = ARGUMENTS.replace("max_epochs=1,", "max_epochs=1, strategy='ddp_fork',")
    seen = run_script(source, "a.py", TWO, world_size=2)
    assert not judged(seen)
    assert [record["started_by"] for record in seen["elsewhere"]] == ["fork", "fork"]
    assert len(seen["ranks"]) == 1


def test_importing_a_script() -> None:
    seen = import_script(ARGUMENTS, "train_ddp.py")
    assert not judged(seen)
    assert seen["ranks"][0]["value"] == {
        "exit": 0,
        "parsed": False,
        "effects": [],
        "left": [],
    }
    assert seen["ranks"][0]["trainers"] == []


def test_effects_of_an_import_are_those_of_the_script_itself(tmp_path: Path) -> None:
    """`beside` has the same effects, but only its name is imported."""
    lines = """import os, random, sys, torch
open("log.txt", "w").close()
random.seed(3)
print("begins")
torch.save({}, "empty.pt")
torch.utils.data.TensorDataset(torch.arange(3))
"""
    (tmp_path / "beside.py").write_text(lines.replace("random.seed(3)", ""), encoding="utf-8")
    (other,) = import_script("import beside\n", "a.py", folder=tmp_path)["ranks"]
    for name in ("log.txt", "empty.pt"):
        (tmp_path / name).unlink()
    (own,) = import_script(lines, "a.py", folder=tmp_path)["ranks"]
    assert other["value"]["effects"] == ["writes files"]  # whoever wrote them
    found = {"writes log.txt", "prints", "loads data", "seeds or draws random numbers"}
    assert set(own["value"]["effects"]) == found


def test_a_thread_that_goes_on_is_left_behind() -> None:
    source = "import threading, time\nthreading.Thread(target=time.sleep, args=({},){}).start()\n"
    (kept,) = run_script(source.format(60, ""), "a.py", [])["ranks"]
    assert len(kept["value"]["left"]) == 1
    for last in ("0.1", "60"):
        (ended,) = run_script(source.format(last, ", daemon=True"), "a.py", [])["ranks"]
        assert ended["value"]["left"] == []


def test_importing_a_script_that_has_no_guard() -> None:
    source = ARGUMENTS.replace('if __name__ == "__main__":\n    main()', "main()")
    seen = import_script(source, "train_ddp.py")
    assert seen["ranks"][0]["value"] == {"exit": 2, "parsed": True}  # no argument of its own
    source = source.replace("parse_args()", "parse_args([])")
    (trainer,) = import_script(source, "train_ddp.py")["ranks"][0]["trainers"]
    assert trainer["fitted"]
    (found,) = judged(import_script("1 / 0", "train_ddp.py"))
    assert (found.code, found.called) == ("LIT940", "import train_ddp")


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("len(sys.argv)", True),
        ("sys.argv[1:]", True),
        ("'-q' in sys.argv", True),
        ("list(sys.argv)", True),
        ("sys.argv[0]", False),
        ("sys.executable", False),
        ("__import__('argparse').ArgumentParser()", False),
    ],
)
def test_reading_the_command_line_at_import_is_noted(line: str, parsed: bool) -> None:
    importlib.import_module("lightning.pytorch.trainer.trainer")  # here, not in every fork
    seen = import_script(f"import sys\n{line}\n", "train_ddp.py")
    assert seen["ranks"][0]["value"]["parsed"] is parsed


@pytest.mark.parametrize(
    ("limit", "endless"),
    [
        ("max_epochs=None", True),
        ("max_epochs=-1", True),
        ("max_epochs=4", True),
        ("max_epochs=3", False),
        ("max_steps=2", False),
        ("max_epochs=-1, max_time={'seconds': 1}", False),
    ],
)
def test_a_fit_that_would_go_on_and_on_returns_at_once(limit: str, endless: bool) -> None:
    source = ARGUMENTS.replace("max_epochs=1", limit)
    seen = run_script(source, "train_ddp.py", [], most_epochs=3)
    (record,) = fitted_trainers(Evidence(seen))
    assert record["endless"].flag() is endless
    assert record["finished"].flag() is not endless
    assert ("start_weights" in record) is not endless


@pytest.mark.slow
def test_fresh_programs_by_the_same_command_tell_the_same() -> None:
    fresh = run_fresh(ARGUMENTS, "train_ddp.py", TWO, world_size=2)
    warm = run_script(ARGUMENTS, "train_ddp.py", TWO, world_size=2)
    assert not judged(fresh)
    assert fresh["command"] == warm["command"]
    names = ("world_size", "global_rank", "strategy", "global_step", "started_by", "fitted")
    for mine, theirs in zip(
        fitted_trainers(Evidence(fresh)), fitted_trainers(Evidence(warm)), strict=True
    ):
        for name in names:
            assert mine[name]._node == theirs[name]._node


def test_a_fresh_program_that_does_not_end() -> None:
    seen = run_fresh("import time\ntime.sleep(60)", "a.py", [], limit=1.0)
    (found,) = judged(seen)
    assert (found.code, found.got) == ("LIT931", "not done after 1 s")
    (found,) = judged(run_fresh("import sys\nsys.exit('bye')", "a.py", []))
    assert (found.code, found.got, found.where) == ("LIT941", "exit code 1", "bye")
