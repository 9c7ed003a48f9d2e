"""Judges whether a data module does what a Trainer needs in each process, stage and epoch."""

from __future__ import annotations

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import RAISED, error_finding
from litcourse.core.question import Finding, Inputs
from litcourse.probing.class_bases import BOTH_PACKAGES, derives_from, first_base
from litcourse.probing.datamodules.kind import Kind
from litcourse.probing.datamodules.samples import (
    TOLERANCE,
    identify,
    identify_keys,
    judge_images,
    judge_split,
)


def judge_class(kind: Kind, evidence: Evidence, every: tuple[str, ...]) -> list[Finding]:
    """Judge what every criterion needs: a data module class, and data from its loaders.

    Args:
        kind: the kind of images.
        evidence: from `litcourse.probing.datamodules.calls`.
        every: all criteria of the question.
    """
    # A class of pytorch_lightning passes here: its loaders work, and only a Trainer refuses it.
    if not derives_from(evidence["bases"], "LightningDataModule", BOTH_PACKAGES):
        got = first_base(evidence["bases"])
        called, expected = f"class {kind.class_name}", "of lightning.LightningDataModule"
        return [Finding(kind.code("LIT300"), every, called, expected, got)]
    return [_failure_finding(evidence, every)] if "error" in evidence["first"] else []


def judge_module(
    kind: Kind, inputs: Inputs, evidence: Evidence, more: list[Finding] | None = None
) -> list[Finding]:
    """Compare each loader's samples with the drawn images.

    Args:
        kind: the kind of images.
        inputs: the inputs of the check.
        evidence: from `litcourse.probing.datamodules.calls`.
        more: a lab's own findings about images; if there are any, `judge_images` does not run.
    """
    first = evidence["first"]
    images = more or judge_images(kind, inputs, first)
    rest = [*judge_loaders(kind, inputs, evidence), *judge_prepare(kind, evidence)]
    if any("split" in finding.criteria for finding in images):
        return [*images, *rest]  # a split needs samples that the judge recognises
    split = judge_split(kind, inputs, first) or judge_use(kind, inputs, evidence)
    repeat = [] if split else judge_repeat(kind, inputs, evidence)
    return [*images, *split, *repeat, *judge_order(kind, inputs, first), *rest]


def _failure_finding(evidence: Evidence, every: tuple[str, ...]) -> Finding:
    """The finding on a rank where `setup` failed: it may need state that `prepare_data` set."""
    error = evidence["first"]["error"]
    if "error" in evidence["after_prepare"]:
        return error_finding(error, every)
    called, expected = "setup where prepare_data never ran", "data sets made in setup"
    got = f"{error['type'].text()}: {error['message'].text()}"
    return Finding("LIT301", every, called, expected, got, error["line"].text())


def judge_use(kind: Kind, inputs: Inputs, evidence: Evidence) -> list[Finding]:
    """Judge what only a call by Lightning itself shows."""
    for key, code in (("validate", "LIT303"), ("trainer", "LIT304")):
        if "error" not in evidence[key]:
            continue
        finding = error_finding(evidence[key]["error"], ("split",))
        earlier = "error" in evidence["prepared"]  # the same error, without a Trainer
        named = kind.code(code) if finding.code == RAISED and not earlier else finding.code
        return [Finding(named, ("split",), finding.called, "it works", finding.got, finding.where)]
    if "error" in evidence["elsewhere"]:
        return []  # `judge_repeat` judges that
    val = set(identify(kind, inputs, "train", evidence["first"]["val"]["images"].tensor()))
    validated, elsewhere = (
        set(identify_keys(kind, inputs, evidence[k]["val"])) for k in ("validate", "elsewhere")
    )
    if val != elsewhere or val == validated:  # `judge_repeat` judges a split that always differs
        return []
    expected, got = "the samples that fit validates on", "others"
    return [Finding("LIT303", ("split",), 'setup("validate")', expected, got)]


def judge_repeat(kind: Kind, inputs: Inputs, evidence: Evidence) -> list[Finding]:
    """Judge that each process and each setup has one split, and another seed another split."""
    cost, called = ("repeat",), "setup in two processes"
    for key in ("elsewhere", "again", "other_seed"):
        if "error" in evidence[key]:
            return [error_finding(evidence[key]["error"], cost)]
    val = set(identify(kind, inputs, "train", evidence["first"]["val"]["images"].tensor()))
    elsewhere, again, other = (
        set(identify_keys(kind, inputs, evidence[key]["val"]))
        for key in ("elsewhere", "again", "other_seed")
    )
    for seen, code, call in ((elsewhere, "LIT330", called), (again, "LIT332", "setup, twice")):
        if val != seen:
            got = f"{len(val - seen)} of {len(val)} validation samples differ"
            return [Finding(code, cost, call, "the same split", got)]
    if val == other:
        called = "setup with another seed"
        return [Finding("LIT331", cost, called, "another split", "the same split")]
    if set(identify_keys(kind, inputs, evidence["again"]["train"])) & again:
        return [Finding("LIT321", cost, "setup, twice", "disjoint parts", "shared samples")]
    return []


def judge_order(kind: Kind, inputs: Inputs, first: Evidence) -> list[Finding]:
    """Judge that each training epoch has a new order."""
    once = identify(kind, inputs, "train", first["train"]["images"].tensor())
    again = identify_keys(kind, inputs, first["train_again"])
    if once != again:
        return []
    got = "the order of the data set" if once == sorted(once) else "the same order twice"
    called, expected = "two epochs of train_dataloader()", "a new order each time"
    return [Finding("LIT340", ("order",), called, expected, got)]


def judge_loaders(kind: Kind, inputs: Inputs, evidence: Evidence) -> list[Finding]:
    """Judge batch sizes, workers and defaults."""
    cost = ("loaders",)
    size = inputs.shown["batch_size"]
    for name in ("train", "val", "test"):
        sizes = evidence["first"][name]["sizes"].integers()
        if any(n != size for n in sizes[:-1]) or not all(0 < n <= size for n in sizes[-1:]):
            called, got = f"{name}_dataloader(), batch_size={size}", f"batches of {sizes}"
            return [Finding("LIT350", cost, called, f"batches of {size}", got)]
    if "error" in evidence["workers"]:
        return [error_finding(evidence["workers"]["error"], cost)]
    wanted = inputs.shown["num_workers"]
    for name in ("train", "val", "test"):
        workers = evidence["workers"][name].integer()
        if workers != wanted:
            called = f"{name}_dataloader() with num_workers={wanted}"
            return [Finding("LIT351", cost, called, f"{wanted} workers", f"{workers} workers")]
    return _judge_defaults(kind, inputs, evidence["defaults"])


def _judge_defaults(kind: Kind, inputs: Inputs, seen: Evidence) -> list[Finding]:
    if "error" in seen:
        return [error_finding(seen["error"], ("loaders",))]
    total = len(inputs.shown["sets"]["train"]["labels"])
    split, seeded = (identify_keys(kind, inputs, seen[name]) for name in ("val", "seeded"))
    batch, val, workers = seen["first_batch"].integer(), len(split), seen["workers"].integer()
    right = min(kind.batch_size, total - val)
    if batch != right or abs(val - kind.val_size * total) > 1 + TOLERANCE:
        expected = f"batches of {right}, about {kind.val_size * total:.0f} samples to validate"
        got = f"a first batch of {batch}, {val} samples to validate"
    elif workers:
        expected, got = "num_workers 0", f"{workers}"
    elif set(split) != set(seeded):
        expected, got = "the split of seed=42", "another split"
    else:
        return []
    called = f"{kind.class_name}()"
    return [Finding(kind.code("LIT352"), ("loaders",), called, expected, got)]


def judge_prepare(kind: Kind, evidence: Evidence) -> list[Finding]:
    """Judge that only `prepare_data` downloads, and that it sets no attribute."""
    cost, called = ("prepare",), "prepare_data() on an empty folder"
    if "error" in evidence["prepared"]:
        return [error_finding(evidence["prepared"]["error"], cost)]
    if "error" in evidence["after_prepare"]:
        return [error_finding(evidence["after_prepare"]["error"], cost)]
    kept = evidence["prepared"]["kept"].texts()
    if kept:
        got = "self." + ", self.".join(kept[:4])
        expected = "no new attribute"
        return [Finding(kind.code("LIT305"), cost, "prepare_data()", expected, got)]
    phases = evidence["fetched_in"].texts()
    if phases and set(phases) == {"prepare_data"}:
        return []
    got = "fetched in " + ", ".join(phases) if phases else "nothing was fetched"
    return [Finding(kind.code("LIT302"), cost, called, "fetched in prepare_data", got)]
