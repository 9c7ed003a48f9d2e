"""Judges the Trainers and checkpoints of the runs of `script`."""

from __future__ import annotations

import re
from dataclasses import replace

from litcourse.core.evidence import Evidence, MalformedError
from litcourse.core.marks import find_findings
from litcourse.core.names import count_noun
from litcourse.core.question import Earned, Finding, Mark, NotLookedAt
from litcourse.scripts import fitted_trainers, script_findings

COMPLETE = 2
"""Number of epochs before the one in which `litcourse.scripts.interruption` interrupts a run."""
AN_OBJECT = re.compile(r"ValueError: \w+\( \(\w+\): |\w+: Cannot add arguments from: \{")
"""LightningCLI's error for a module, or a data module, that is an object and not a class."""
NO_SUBCOMMAND = "unrecognized arguments: fit"
"""End of the parser's last line if the script calls LightningCLI with run=False."""
EXCEPTIONS = (
    ("SaveConfigCallback expected", "LIT2510"),  # a run would overwrite an earlier one's config
    ("Subclass types require as default", "LIT2509"),  # a logger that is an object
    ("contains only the model", "LIT2532"),
    ("save_weights_only", "LIT2532"),
    ("'pytorch-lightning_version'", "LIT2532"),  # a key that a bare state_dict lacks
    ("Tried to step", "LIT2112"),  # OneCycleLR in a run of more steps than its total_steps
)
"""Parts of exceptions of Lightning, of its parser and of torch, with their codes."""


def judge_program(
    seen: Evidence, cost: str, epochs: int, batches: int, wanted: dict[str, str]
) -> Mark:
    """Judge that a run trained as its command asks, and wrote a checkpoint.

    Args:
        seen: evidence of the run.
        cost: the criterion.
        epochs: epochs that the command asks for.
        batches: batches in an epoch.
        wanted: further attributes that its Trainers must have resolved to.
    """
    run, criteria = seen["run"], (cost,)
    failed = _judge_endless(run, criteria, epochs) or script_findings(run, criteria)
    if failed:
        return _refine_finding(failed[0])
    called, fits = run["command"].text(), fitted_trainers(run)
    found = _judge_ranks(fits, called, criteria, 2 if cost == "two" else 1)
    for record in fits:
        right = {"max_epochs": str(epochs), **wanted}
        found = found or _judge_record(record, called, criteria, right, epochs * batches)
    if cost == "one":  # the same program, whose fault costs once
        found = found or _judge_defaults(fits, called, criteria)
    if found:
        return found[0]
    digests = [(_digest(record["start_weights"]), _digest(record["weights"])) for record in fits]
    if any(before == after for before, after in digests):
        expected, got = "other weights than before", "the same ones"
        return Finding("LIT2521", criteria, called, expected, got)
    weights = {after for _, after in digests}
    if len(weights) > 1:
        got = f"{len(weights)} different sets of weights"
        return Finding("LIT2520", criteria, called, "the same weights on all ranks", got)
    if any(seen["checkpoints"].texts()):
        return Earned(criteria)
    return Finding("LIT2502", criteria, called, "a checkpoint, *.ckpt", "none")


def _judge_ranks(
    fits: list[Evidence], called: str, criteria: tuple[str, ...], ranks: int
) -> list[Finding]:
    """Judge that each of `ranks` ranks ran one fit."""
    sizes = [record["world_size"].integer() for record in fits]
    if sizes == [ranks] * ranks:
        return []
    if set(sizes) == {ranks} and len(sizes) > ranks:
        got = f"{len(sizes)} on {count_noun(ranks, 'rank')}"
        return [Finding("LIT3712", criteria, called, "one fit per rank", got)]
    expected = count_noun(ranks, "rank")
    return [Finding("LIT943", criteria, called, expected, f"world sizes {sizes}")]


def _judge_defaults(fits: list[Evidence], called: str, criteria: tuple[str, ...]) -> list[Finding]:
    """Judge that a run without flags would train as long as it is told, on all data."""
    early = [text for record in fits for text in record["shortening"].texts()]
    if not early:
        return []
    plain = called.partition(" --")[0]  # the command of whoever gives no flags
    return [Finding("LIT2511", criteria, plain, "the Trainer's own defaults", early[0])]


def _judge_endless(run: Evidence, criteria: tuple[str, ...], epochs: int) -> list[Finding]:
    """Judge that no fit has more epochs than the command asks for; such a fit returned at once."""
    for record in fitted_trainers(run):
        if record["endless"].flag():
            most = record["max_epochs"]
            got = "max_epochs none" if most.is_none else f"max_epochs {most.integer()}"
            called, expected = run["command"].text(), f"max_epochs {epochs}"
            return [Finding("LIT2501", criteria, called, expected, got)]
    return []


def _judge_record(
    record: Evidence, called: str, criteria: tuple[str, ...], wanted: dict[str, str], steps: int
) -> list[Finding]:
    for name, right in wanted.items():
        node = record[name]
        got = str(node.integer()) if name == "max_epochs" and not node.is_none else _text(node)
        if got != right:
            code = "LIT2501" if name == "max_epochs" else "LIT2503"
            return [Finding(code, criteria, called, f"{name} {right}", f"{name} {got}")]
    epochs = record["current_epoch"].integer()
    if not record["finished"].flag() or str(epochs) != wanted["max_epochs"]:
        expected = count_noun(int(wanted["max_epochs"]), "epoch")
        return [Finding("LIT2501", criteria, called, expected, count_noun(epochs, "epoch"))]
    taken = record["global_step"].integer()
    if taken != steps:
        expected, got = count_noun(steps, "step"), count_noun(taken, "step")
        return [Finding("LIT2501", criteria, called, expected, got)]
    return []


def _digest(node: Evidence) -> str:
    digest = node.text()
    if not digest:
        raise MalformedError(node.path, "digest of weights")
    return digest


def _text(node: Evidence) -> str:
    return "none" if node.is_none else node.text()


def _refine_finding(finding: Finding) -> Finding:
    """The finding with a more exact code for the script's exception, if there is one."""
    if finding.code == "LIT941" and finding.where.endswith(NO_SUBCOMMAND):
        return replace(finding, code="LIT2505")
    if AN_OBJECT.match(finding.got):
        return replace(finding, code="LIT2506", expected="two classes", got="an object")
    code = next((code for words, code in EXCEPTIONS if words in finding.got), finding.code)
    return replace(finding, code=code)


def judge_cycle(short: int, long: int, batches: int, evidence: Evidence) -> Mark:
    """Judge that the one-cycle schedules of a short and a longer run differ in length.

    A program may have any schedule, or none: then there is nothing to judge.

    Args:
        short: epochs of the short run.
        long: epochs of the longer run.
        batches: batches in an epoch.
        evidence: evidence of all runs.
    """
    one, cost = evidence["one"]["run"], ("one",)
    lengths = _cycle_lengths(one, short)
    longer = _cycle_lengths(evidence["interrupted"]["run"], long)
    constant = sorted(lengths & longer)
    if not constant and (longer or lengths <= {short * batches}):
        return Earned(cost)
    if not constant:
        reason = "the longer run has no schedule, so its length can't be compared"
        return NotLookedAt(cost, reason)
    called, expected = one["command"].text(), f"a cycle of {count_noun(short * batches, 'step')}"
    got = f"total_steps={constant[0]}, in this run as in one of {long} epochs"
    return Finding("LIT2112", cost, called, expected, got)


def _cycle_lengths(run: Evidence, epochs: int) -> set[int]:
    """Lengths of the one-cycle schedules in the run's fits of `epochs` epochs."""
    fits = [record for record in fitted_trainers(run) if "cycles" in record]
    limited = [each for each in fits if not each["max_epochs"].is_none]
    right = [each for each in limited if each["max_epochs"].integer() == epochs]
    return {length for each in right for length in each["cycles"].integers()}


def judge_resumed(epochs: int, batches: int, evidence: Evidence) -> list[Mark]:
    """Judge that the interrupted run writes a checkpoint, from which another run resumes.

    Args:
        epochs: epochs that both commands ask for.
        batches: batches in an epoch.
        evidence: evidence of all runs.
    """
    cut, resumed = evidence["interrupted"], evidence["resumed"]
    found = _judge_endless(cut["run"], ("resumed",), epochs) or _judge_cut(cut, epochs)
    if found:
        return [*found]
    if resumed.is_none:
        return [*_no_checkpoint_findings(cut)]
    mark = judge_program(resumed, "resumed", epochs, batches, {})
    if any(finding.code != "LIT2502" for finding in find_findings([mark])):
        return [mark]
    started = _judge_start(resumed["run"], COMPLETE * batches)
    return [*started] if started else [mark]


def _judge_cut(cut: Evidence, epochs: int) -> list[Finding]:
    cost, called, fits = ("resumed",), cut["run"]["command"].text(), fitted_trainers(cut["run"])
    if not fits:
        failed = [_refine_finding(finding) for finding in script_findings(cut["run"], cost)]
        return failed or [Finding("LIT942", cost, called, "a Trainer that runs fit", "none")]
    taken = [record["current_epoch"].integer() for record in fits if record["finished"].flag()]
    if taken and min(taken) < epochs:
        expected, got = count_noun(epochs, "epoch"), count_noun(min(taken), "epoch")
        return [Finding("LIT2501", cost, called, expected, got)]
    if taken:
        expected = "the callback of the command line interrupts the run"
        return [Finding("LIT2533", cost, called, expected, "it ran to its end")]
    return []


def _judge_start(run: Evidence, complete: int) -> list[Finding]:
    """Judge that the run resumes after the `complete` steps of the finished epochs."""
    start = min(record["start_step"].integer() for record in fitted_trainers(run))
    cost, called, got = ("resumed",), run["command"].text(), f"it starts at step {start}"
    if start == 0:
        expected = "training goes on where the checkpoint was written"
        return [Finding("LIT2531", cost, called, expected, got)]
    if start < complete:
        expected = f"a checkpoint of epoch {COMPLETE}, so that training goes on at step {complete}"
        return [Finding("LIT2534", cost, called, expected, got)]
    return []


def _no_checkpoint_findings(cut: Evidence) -> list[Finding]:
    called = cut["run"]["command"].text()
    expected = "a checkpoint of the epochs that were complete"
    failed = [f for f in script_findings(cut["run"], ("resumed",)) if f.code == "LIT940"]
    if failed and "KeyboardInterrupt" not in failed[0].got:
        return [_refine_finding(finding) for finding in failed]
    return [Finding("LIT2530", ("resumed",), called, expected, "none")]
