"""Judges whether a data module does what a Trainer needs in each process, stage and epoch."""

from __future__ import annotations

from collections.abc import Sequence

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import RAISED, error_finding
from litcourse.core.marks import find_findings, merge
from litcourse.core.question import Earned, Finding, Inputs, Mark, NotLookedAt
from litcourse.probing.class_bases import BOTH_PACKAGES, derives_from, first_base
from litcourse.probing.datamodules.calls import WIDE
from litcourse.probing.datamodules.kind import UNKNOWN, Kind
from litcourse.probing.datamodules.samples import (
    LOADERS,
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
    kind: Kind, inputs: Inputs, evidence: Evidence, more: Sequence[Mark] = ()
) -> list[Mark]:
    """Compare each loader's samples with the drawn images.

    Args:
        kind: the kind of images.
        inputs: the inputs of the check.
        evidence: from `litcourse.probing.datamodules.calls`.
        more: a lab's own marks about images; what they name is not judged again.
    """
    first, marks = evidence["first"], list[Mark](more)
    if not _cost("images", marks):
        marks += judge_images(kind, inputs, first)
    if not _cost("split", marks):  # a split needs samples that the judge recognises
        split = judge_split(kind, inputs, first)
        if not find_findings(split):
            split = merge([split, judge_use(kind, inputs, evidence), _judge_many(inputs, evidence)])
        marks += split
    if not _cost("repeat", marks):
        marks += judge_repeat(kind, inputs, evidence)
    if not _cost("order", marks):
        marks += judge_order(kind, inputs, first)
    fair = not _cost("split", marks)
    loaders = judge_loaders(kind, inputs, evidence, fair=fair)
    return [*marks, *loaders, *judge_prepare(kind, evidence)]


def _cost(criterion: str, marks: Sequence[Mark]) -> bool:
    """Whether a mark fails a criterion, or says why nobody looks at it."""
    return any(criterion in mark.criteria for mark in marks if not isinstance(mark, Earned))


def _failure_finding(evidence: Evidence, every: tuple[str, ...]) -> Finding:
    """The finding on a rank where `setup` failed: it may need state that `prepare_data` set."""
    error = evidence["first"]["error"]
    if "error" in evidence["after_prepare"]:
        return error_finding(error, every)
    called, expected = "setup where prepare_data never ran", "data sets made in setup"
    got = f"{error['type'].text()}: {error['message'].text()}"
    return Finding("LIT301", every, called, expected, got, error["line"].text())


def judge_use(kind: Kind, inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge what only a call by Lightning itself shows."""
    cost = ("split",)
    for key, code in (("validate", "LIT303"), ("trainer", "LIT304")):
        if "error" not in evidence[key]:
            continue
        finding = error_finding(evidence[key]["error"], cost)
        earlier = "error" in evidence["prepared"]  # the same error, without a Trainer
        named = kind.code(code) if finding.code == RAISED and not earlier else finding.code
        return [Finding(named, cost, finding.called, "it works", finding.got, finding.where)]
    if evidence["trainer"]["steps"].integer() != 1:
        return [NotLookedAt(cost, "a Trainer that was to fit one batch did not")]
    val = _val(kind, inputs, evidence["first"])
    validated = identify_keys(kind, inputs, evidence["validate"]["val"])
    if val == set(validated):
        return [Earned(cost)]
    failed = "error" in evidence["elsewhere"]
    if not failed and val == set(identify_keys(kind, inputs, evidence["elsewhere"]["val"])):
        expected, got = "the samples that fit validates on", "others"
        return [Finding("LIT303", cost, 'setup("validate")', expected, got)]
    # `judge_repeat` judges a split that always differs; this one is of the right size at least.
    same_size = UNKNOWN not in validated and len(set(validated)) == len(val)
    return [Earned(cost)] if same_size else []


def _judge_many(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the sizes of the parts of thousands of samples, where the loaders tell them."""
    cost, seen, many = ("split",), evidence["many"], inputs.shown["many"]
    if "error" in seen:
        return [error_finding(seen["error"], cost)]
    train, val, test = asked = [seen[name].integer() for name in LOADERS]
    total, wanted = many["train"], many["val_size"] * many["train"]
    right = test in {-1, many["test"]} and (val == -1 or abs(val - wanted) <= 1 + TOLERANCE)
    if -1 not in {train, val}:  # a loader that tells nothing is judged by its few samples alone
        right = right and 0 <= total - val - train < WIDE  # training may drop the last batch
    if right:
        return [Earned(cost)]
    called = f"loaders of {total} and {many['test']} images, val_size={many['val_size']}"
    expected = f"{total - wanted:.0f}, {wanted:.0f} and {many['test']} samples"
    return [Finding("LIT324", cost, called, expected, ", ".join(map(str, asked)))]


def _val(kind: Kind, inputs: Inputs, first: Evidence) -> set[int]:
    """The samples of the first pass over the validation loader."""
    return set(identify(kind, inputs, "train", first["val"]["images"].tensor()))


def judge_repeat(kind: Kind, inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge that each process and each setup has one split, and another seed another split."""
    cost = ("repeat",)
    for key in ("elsewhere", "again", "other_seed"):
        if "error" in evidence[key]:
            return [error_finding(evidence[key]["error"], cost)]
    val = _val(kind, inputs, evidence["first"])
    if not val or UNKNOWN in val:
        return [NotLookedAt(cost, "val_dataloader() has no samples that could be compared")]
    found = _judge_same_split(kind, inputs, evidence, val)
    return [*found] if found else _judge_known_samples(kind, inputs, evidence, val)


def _judge_same_split(
    kind: Kind, inputs: Inputs, evidence: Evidence, val: set[int]
) -> list[Finding]:
    """Compare the first split with those of another process, of two setups, of another seed."""
    cost, once = ("repeat",), "setup, twice"
    elsewhere, again, other = (
        set(identify_keys(kind, inputs, evidence[key]["val"]))
        for key in ("elsewhere", "again", "other_seed")
    )
    for seen, code, call in (
        (elsewhere, "LIT330", "setup in two processes"),
        (again, "LIT332", once),
    ):
        if val != seen:
            got = f"{len(val - seen)} of {len(val)} validation samples differ"
            return [Finding(code, cost, call, "the same split", got)]
    if val == other:
        called = "setup with another seed"
        return [Finding("LIT331", cost, called, "another split", "the same split")]
    train = evidence["first"]["train"]["images"].tensor()
    shared = val.intersection(identify(kind, inputs, "train", train))
    # `judge_split` judges parts that always share samples.
    if not shared and again.intersection(identify_keys(kind, inputs, evidence["again"]["train"])):
        return [Finding("LIT321", cost, once, "disjoint parts", "shared samples")]
    return []


def _judge_known_samples(
    kind: Kind, inputs: Inputs, evidence: Evidence, val: set[int]
) -> list[Mark]:
    """The mark if no split is wrong: whether the other splits are of known samples."""
    cost = ("repeat",)
    other = set(identify_keys(kind, inputs, evidence["other_seed"]["val"]))
    train = identify_keys(kind, inputs, evidence["again"]["train"])
    if train and len(other) == len(val) and UNKNOWN not in (*other, *train):
        return [Earned(cost)]
    return [NotLookedAt(cost, "setup, twice or with another seed, did not give such samples")]


def judge_order(kind: Kind, inputs: Inputs, first: Evidence) -> list[Mark]:
    """Judge that each training epoch has a new order."""
    cost, called = ("order",), "two epochs of train_dataloader()"
    once = identify(kind, inputs, "train", first["train"]["images"].tensor())
    again = identify_keys(kind, inputs, first["train_again"])
    if len(once) <= 1 or len(once) != len(again) or UNKNOWN in (*once, *again):
        return [NotLookedAt(cost, f"{called} show no samples that could be compared")]
    if once != again:
        return _judge_fixed_order(kind, inputs, first)
    got = "the order of the data set" if once == sorted(once) else "the same order twice"
    return [Finding("LIT340", cost, called, "a new order each time", got)]


def _judge_fixed_order(kind: Kind, inputs: Inputs, first: Evidence) -> list[Mark]:
    """Judge that validation and test come in one order, pass after pass."""
    cost = ("order",)
    for name, part in (("val", "train"), ("test", "test")):
        once = identify(kind, inputs, part, first[name]["images"].tensor())
        again = identify_keys(kind, inputs, first[f"{name}_again"], part)
        if UNKNOWN in once:
            continue  # "split" judges samples of another set, and nobody can tell their order
        if len(once) != len(again) or UNKNOWN in again:
            return [NotLookedAt(cost, f"two passes of {name}_dataloader() can't be compared")]
        if once != again:
            called, got = f"two passes of {name}_dataloader()", "another order each time"
            return [Finding("LIT341", cost, called, "the same order", got)]
    return [Earned(cost)]


def judge_loaders(
    kind: Kind, inputs: Inputs, evidence: Evidence, *, fair: bool = True
) -> list[Mark]:
    """Judge batch sizes, workers and defaults.

    Args:
        kind: the kind of images.
        inputs: the inputs of the check.
        evidence: from `litcourse.probing.datamodules.calls`.
        fair: whether the split is right; a wrong one has its own finding, and its sizes show
            nothing of batches and defaults.
    """
    cost = ("loaders",)
    waits: list[Mark] = []
    size, first = inputs.shown["batch_size"], evidence["first"]
    for name in LOADERS:
        sizes = first[name]["sizes"].integers()
        if any(n != size for n in sizes[:-1]) or not all(0 < n <= size for n in sizes[-1:]):
            called, got = f"{name}_dataloader(), batch_size={size}", f"batches of {sizes}"
            return [Finding("LIT350", cost, called, f"batches of {size}", got)]
        count = first[name]["images"].tensor().shape[:1]
        if sizes[:1] != [size] or (sum(sizes),) != count:
            waits.append(NotLookedAt(cost, f"{name}_dataloader() shows no batches of {size}"))
    wide = _judge_wide(inputs, evidence["wide"], first)
    if wide and (fair or "error" in evidence["wide"]):
        return [*wide]
    if "error" in evidence["workers"]:
        return [error_finding(evidence["workers"]["error"], cost)]
    wanted = inputs.shown["num_workers"]
    for name in LOADERS:
        workers = evidence["workers"][name].integer()
        if workers != wanted:
            called = f"{name}_dataloader() with num_workers={wanted}"
            return [Finding("LIT351", cost, called, f"{wanted} workers", f"{workers} workers")]
    return [*waits, *_judge_defaults(kind, inputs, evidence["defaults"], fair=fair)]


def _judge_wide(inputs: Inputs, seen: Evidence, first: Evidence) -> list[Finding]:
    """Judge that batches may be as large as the data; training may drop one that is not full."""
    if "error" in seen:
        return [error_finding(seen["error"], ("loaders",))]
    val = sum(first["val"]["sizes"].integers())
    train = len(inputs.shown["sets"]["train"]["labels"]) - val
    sizes = {name: seen[name].integer() for name in ("train", "val")}
    if sizes["val"] == val and sizes["train"] in {0, train}:
        return []
    called = "loaders with batch_size=1000"
    expected, got = f"batches of {train} and {val}", f"{sizes['train']} and {sizes['val']}"
    return [Finding("LIT350", ("loaders",), called, expected, got)]


def _judge_defaults(kind: Kind, inputs: Inputs, seen: Evidence, *, fair: bool) -> list[Mark]:
    if "error" in seen:
        return [error_finding(seen["error"], ("loaders",))]
    total = len(inputs.shown["sets"]["train"]["labels"])
    split, seeded = (identify_keys(kind, inputs, seen[name]) for name in ("val", "seeded"))
    batch, val, workers = seen["first_batch"].integer(), len(split), seen["workers"].integer()
    right = min(kind.batch_size, total - val if fair else batch)
    if batch != right or (fair and abs(val - kind.val_size * total) > 1 + TOLERANCE):
        expected = f"batches of {right}, about {kind.val_size * total:.0f} samples to validate"
        got = f"a first batch of {batch}, {val} samples to validate"
    elif workers:
        expected, got = "num_workers 0", f"{workers}"
    elif set(split) != set(seeded):
        expected, got = "the split of seed=42", "another split"
    elif UNKNOWN in split and fair:
        return [NotLookedAt(("loaders",), f"{kind.class_name}() serves other images")]
    else:
        return [Earned(("loaders",))]
    called = f"{kind.class_name}()"
    return [Finding(kind.code("LIT352"), ("loaders",), called, expected, got)]


def judge_prepare(kind: Kind, evidence: Evidence) -> list[Mark]:
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
        loaded = evidence["after_prepare"]["batches"].integers()
        some = len(loaded) == len(LOADERS) and any(loaded)
        empty = NotLookedAt(cost, "after prepare_data and setup no loader had a batch")
        return [Earned(cost) if some else empty]
    got = "fetched in " + ", ".join(phases) if phases else "nothing was fetched"
    return [Finding(kind.code("LIT302"), cost, called, "fetched in prepare_data", got)]
