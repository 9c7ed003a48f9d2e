"""The catalogue of findings: whole, named by code, and true of the installed libraries."""

from __future__ import annotations

import argparse
import ast
import builtins
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import lightning as L
import lightning.pytorch.callbacks
import lightning.pytorch.cli
import lightning.pytorch.loggers
import lightning.pytorch.strategies
import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

import litcourse.data
import litcourse.models
from autograder.bank import Case, load, without_markers
from autograder.course import Lab
from litcourse.core.names import UnknownNameError
from litcourse.feedback.catalogue import Entry, catalogue, explain
from tests.course import LABS

CODE = re.compile(r"\bLIT\d{3,4}\b")


def named(root: Path) -> set[str]:
    """The codes that our own code names, the bank's expectations left out."""
    files = [p for package in ("litcourse", "autograder") for p in (root / package).rglob("*.py")]
    texts = [p.read_text(encoding="utf-8") for p in files if "bank" not in p.parts]
    return {code for text in texts for code in CODE.findall(text)}


def test_every_code_that_is_named_has_an_entry(root: Path) -> None:
    assert not named(root) - set(catalogue())


def test_every_entry_is_named_by_code(root: Path) -> None:
    assert not set(catalogue()) - named(root)


def test_codes_in_texts_for_people_have_an_entry(root: Path) -> None:
    files = [*root.glob("*.md"), *(root / "docs").glob("*.md"), *root.glob("source/*/*.ipynb"),
             *(root / "autograder/building/templates").iterdir()]  # fmt: skip
    found = {(p.name, c) for p in files for c in CODE.findall(p.read_text(encoding="utf-8"))}
    assert not {pair for pair in found if pair[1] not in catalogue()}


@pytest.mark.parametrize("entry", catalogue().values(), ids=catalogue())
def test_entries_are_whole(entry: Entry) -> None:
    assert CODE.fullmatch(entry.code)
    assert 10 <= len(entry.title) <= 70
    assert not entry.title.endswith(".")
    for text in (entry.why, entry.fix):
        assert len(text) > 20
        assert text[-1] in ".)"
        assert "  " not in text
    assert len(str(entry).splitlines()[0]) <= 79


def test_titles_tell_findings_apart() -> None:
    titles = [entry.title for entry in catalogue().values()]
    assert len(titles) == len(set(titles))


# --- names of APIs in the texts ------------------------------------------------------------------


def students_names(answer: str) -> set[str]:
    """Names that an answer defines or takes as arguments, and its texts that are names."""
    head, _, rest = without_markers(answer).partition("\n")
    if head.startswith("%%") and not head.endswith(".py"):
        return set()  # a job script
    found = set()
    for node in ast.walk(ast.parse(rest if head.startswith("%%") else f"{head}\n{rest}")):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Constant) and str(node.value).isidentifier():
            found.add(str(node.value))
    return found


PLACES = (
    builtins, time, L, L.LightningModule, L.Trainer, L.Callback, L.LightningDataModule,
    lightning.pytorch.callbacks, lightning.pytorch.loggers, lightning, torch, nn, nn.Module, F,
    torch.optim, torch.optim.Optimizer, torch.Tensor, torch.utils.data, torch.Generator,
    torchvision.transforms, litcourse.data, litcourse.models, litcourse,
    lightning.pytorch.callbacks.ModelCheckpoint, lightning.pytorch.strategies,
    lightning.pytorch.strategies.DDPStrategy, torch.nn.parallel,
    torch.utils.data.DistributedSampler, torch.optim.lr_scheduler,
    torch.optim.lr_scheduler.LRScheduler, lightning.pytorch.cli,
    argparse.ArgumentParser, torch.distributed.fsdp, torch.distributed.fsdp.wrap,
    torch.distributed.fsdp.FSDPModule, torch.distributed.device_mesh,
)  # fmt: skip
STUDENTS = {name for lab in LABS.values() for cells in lab.questions.values()
            for name in students_names(cells.solution)}  # fmt: skip
"""What students define, the arguments of it, and the metrics that they log."""
WORDS = {
    # words that only look like an API
    "Python", "Jupyter", "MNIST", "GPU", "GPUs", "CPU", "CPUs", "CSV", "PIL", "SGD", "GANs",
    "JupyterLab", "Lightning", "PyTorch", "NumPy", "DeepSpeed",
}  # fmt: skip
REMOVED = {"training_epoch_end", "validation_epoch_end", "test_epoch_end"}
TORCHMETRICS = {"MulticlassAccuracy"}
CALLED = re.compile(r"([A-Za-z_][\w.]*)\(")
CAMEL = re.compile(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b")


def exists(name: str) -> bool:
    last = name.rsplit(".", maxsplit=1)[-1]
    known = STUDENTS | WORDS | REMOVED | TORCHMETRICS
    return last in known or any(hasattr(place, last) for place in PLACES)


def test_the_texts_promise_no_api_that_is_missing() -> None:
    missing = set()
    for entry in catalogue().values():
        text = f"{entry.title} {entry.why} {entry.fix}"
        missing |= {(entry.code, n) for n in CALLED.findall(text) if not exists(n)}
        missing |= {(entry.code, n) for n in CAMEL.findall(text) if not exists(n)}
    assert not missing


def test_a_missing_api_would_be_noticed() -> None:
    assert exists("self.log")
    assert exists("EarlyStopping")
    assert not exists("EarlyStoping")
    assert not exists("self.logg")


def test_metrics_of_torchmetrics_exist() -> None:
    import torchmetrics.classification

    assert all(hasattr(torchmetrics.classification, name) for name in TORCHMETRICS)


def test_numbers_in_the_texts_are_those_of_the_code() -> None:
    """What LIT111 says of the floor, LIT352 of the defaults."""
    logits = torch.zeros(1, 10)
    logits[0, 3] = 1e9
    floor = F.cross_entropy(logits.softmax(1), torch.tensor([3])).item()
    assert f"{floor:.2f}" in catalogue()["LIT111"].why
    text = catalogue()["LIT352"].fix
    assert all(f"{name}=" in text for name in ("batch_size", "val_size", "seed", "num_workers"))


COMMON = {"LIT0", "LIT9", "LIT50"}
"""Findings that every question may have, those of grading, and those of any job script."""


def hundred_of(lab: Lab, question_id: str, cases: list[Case]) -> str:
    """The hundred of codes that most wrong answers to the question trigger."""
    found = Counter(case.expects[:-2] for case in cases if not case.right)
    own = {hundred: count for hundred, count in found.items() if hundred not in COMMON}
    assert own, f"{lab.id}, {question_id}: no finding of its own"
    return max(own, key=lambda hundred: own[hundred])


def test_every_question_has_its_hundred() -> None:
    hundreds = {(lab.id, name): hundred_of(lab, name, cases)
                for lab in LABS.values() for name, cases in load(lab).items()}  # fmt: skip
    assert len(set(hundreds.values())) == len(hundreds), "two questions share one"
    assert {code[:-2] for code in catalogue()} == COMMON | set(hundreds.values())


def test_the_findings_of_a_lab_lie_in_its_file(root: Path) -> None:
    for lab in LABS.values():
        text = (root / f"litcourse/feedback/findings/{lab.id}.toml").read_text(encoding="utf-8")
        inside = {code[:-2] for code in CODE.findall(text) if f"[{code}]" in text}
        assert inside <= {hundred_of(lab, name, cases) for name, cases in load(lab).items()}


# --- explain -------------------------------------------------------------------------------------


def test_explain_does_not_mind_the_case() -> None:
    assert explain("lit111") is explain("LIT111")


@pytest.mark.parametrize(("number", "code"), [(102, "LIT102"), ("102", "LIT102"), (3, "LIT003")])
def test_explain_takes_the_number_alone(number: int | str, code: str) -> None:
    assert explain(number) is explain(code)


def test_an_unknown_code_lists_the_nearest_first() -> None:
    with pytest.raises(UnknownNameError) as error:
        explain("LIT111x")
    assert error.value.valid[0] == "LIT111"
    assert set(error.value.valid) == set(catalogue())


def test_an_entry_as_text_and_as_html() -> None:
    entry = Entry("LIT000", "a < b", "why & why", "fix it", "read me")
    assert max(map(len, str(explain("LIT301")).splitlines())) <= 79
    html = entry._repr_html_()
    assert "a &lt; b" in html
    assert "why &amp; why" in html
    assert "Read on: read me" in html
    assert "Read on" not in Entry("LIT000", "a", "b", "c")._repr_html_()
    assert repr(entry) == str(entry)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("litcourse")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_an_entry_tells_its_place_on_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "On the web" not in f"{explain('LIT102')}{explain('LIT102')._repr_html_()}"
    monkeypatch.setenv("LITCOURSE_SITE", "https://a.example/b/")
    address = "https://a.example/b/findings.html#lit102"
    assert str(explain("LIT102")).endswith(f"On the web: {address}")
    assert f'<a href="{address}">' in explain("LIT102")._repr_html_()
    monkeypatch.setenv("LITCOURSE_SITE", "javascript:alert(1)")
    assert "javascript" not in explain("LIT102")._repr_html_()


def test_the_command_explains() -> None:
    done = command("explain", "lit111")
    assert done.returncode == 0
    assert done.stdout.startswith("LIT111  softmax before cross_entropy\n\n")
    assert "What to do: " in done.stdout


def test_the_command_answers_a_mistyped_code_without_a_traceback() -> None:
    done = command("explain", "LIT999")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Nearest first: LIT9" in done.stderr
    assert "Traceback" not in done.stderr
