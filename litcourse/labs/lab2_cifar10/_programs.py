"""The judge's part of `script`: what the Trainers of a run did, and what the run left."""

from __future__ import annotations

from dataclasses import replace

from litcourse.evidence import Evidence
from litcourse.question import Finding
from litcourse.scripts import fitted, script_findings

OVERWRITES = "SaveConfigCallback expected"
"""How Lightning's exception begins where a log of an earlier run would be overwritten."""
CYCLE_OVER = "Tried to step"
"""How OneCycleLR's exception begins in a run of more steps than its total_steps."""
COMPLETE = 2
"""Epochs that come to their end before `litcourse.interruption` interrupts a run."""
WEIGHTS_ALONE = ("contains only the model", "save_weights_only")


def judge_program(
    seen: Evidence, cost: str, epochs: int, batches: int, wanted: dict[str, str]
) -> list[Finding]:
    """One run: it trained as the command asks, and left a checkpoint.

    Args:
        seen: of the run.
        cost: the criterion.
        epochs: that the command asks for.
        batches: of an epoch.
        wanted: what else its Trainers must have resolved to.
    """
    run, criteria = seen["run"], (cost,)
    failed = _endless(run, criteria, epochs) or script_findings(run, criteria)
    if failed:
        return [_named(finding) for finding in failed]
    called, fits = run["command"].text(), fitted(run)
    ranks = 2 if cost == "two" else 1
    sizes = [record["world_size"].integer() for record in fits]
    if sizes != [ranks] * ranks:
        return [Finding("LIT943", criteria, called, f"{ranks} ranks", f"world sizes {sizes}")]
    for record in fits:
        asked = {"max_epochs": str(epochs), **wanted}
        found = _judge_record(record, called, criteria, asked, epochs * batches)
        if found:
            return found
    weights = {record["weights"].text() for record in fits if record["finished"].flag()}
    if len(weights) > 1:
        got = f"{len(weights)} different sets of weights"
        return [Finding("LIT2520", criteria, called, "the same weights on all ranks", got)]
    if list(seen["checkpoints"]):
        return []
    return [Finding("LIT2502", criteria, called, "a checkpoint, *.ckpt", "none")]


def _endless(run: Evidence, criteria: tuple[str, ...], epochs: int) -> list[Finding]:
    """A fit of more epochs than the command asks for, which was let return at once."""
    for record in fitted(run):
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
        expected = f"{wanted['max_epochs']} epochs"
        return [Finding("LIT2501", criteria, called, expected, f"{epochs} epochs")]
    taken = record["global_step"].integer()
    if taken != steps:
        return [Finding("LIT2501", criteria, called, f"{steps} steps", f"{taken} steps")]
    return []


def _text(node: Evidence) -> str:
    return "none" if node.is_none else node.text()


def _named(finding: Finding) -> Finding:
    """A script's own exception by the finding that says more of it."""
    if OVERWRITES in finding.got:
        return replace(finding, code="LIT2510")
    if "bad_fork(at::kCUDA)" in finding.got:  # how torch says it in a process that was forked
        return replace(finding, code="LIT007")
    if any(words in finding.got for words in WEIGHTS_ALONE):
        return replace(finding, code="LIT2532")
    if CYCLE_OVER in finding.got:
        return replace(finding, code="LIT2112")
    return finding


def judge_cycle(steps: int, evidence: Evidence) -> list[Finding]:
    """The one-cycle schedules of a short run and of a longer one are not equally long.

    Args:
        steps: of the short run.
        evidence: of all runs.
    """
    short, long = (
        [
            set(each["cycles"].integers())
            for each in fitted(evidence[run]["run"])
            if "cycles" in each
        ]
        for run in ("one", "interrupted")
    )
    written_down = sorted(set.intersection(*short, *long)) if short and long else []
    if not written_down:
        return []
    called, expected = evidence["one"]["run"]["command"].text(), f"a cycle of {steps} steps"
    got = f"total_steps={written_down[0]}, in this run as in one of more epochs"
    return [Finding("LIT2112", ("one",), called, expected, got)]


def judge_resumed(epochs: int, batches: int, evidence: Evidence) -> list[Finding]:
    """The run that is cut off leaves a checkpoint, and another run goes on from it.

    Args:
        epochs: that both commands ask for.
        batches: of an epoch.
        evidence: of all runs.
    """
    cut, resumed = evidence["interrupted"], evidence["resumed"]
    found = _endless(cut["run"], ("resumed",), epochs) or _judge_cut(cut)
    if found:
        return found
    if resumed.is_none:
        return _nothing_left(cut)
    found = judge_program(resumed, "resumed", epochs, batches, {})
    if found and found[0].code != "LIT2502":
        return found
    return _judge_start(resumed["run"], COMPLETE * batches) or found


def _judge_cut(cut: Evidence) -> list[Finding]:
    cost, called, fits = ("resumed",), cut["run"]["command"].text(), fitted(cut["run"])
    if not fits:
        failed = [_named(finding) for finding in script_findings(cut["run"], cost)]
        return failed or [Finding("LIT942", cost, called, "a Trainer that runs fit", "none")]
    if any(record["finished"].flag() for record in fits):
        expected = "the callback of the command line interrupts the run"
        return [Finding("LIT2533", cost, called, expected, "it ran to its end")]
    return []


def _judge_start(run: Evidence, complete: int) -> list[Finding]:
    """It goes on behind the `complete` steps of the epochs that came to their end."""
    start = min(record["start_step"].integer() for record in fitted(run))
    cost, called, got = ("resumed",), run["command"].text(), f"it starts at step {start}"
    if start == 0:
        expected = "training goes on where the checkpoint was written"
        return [Finding("LIT2531", cost, called, expected, got)]
    if start < complete:
        expected = f"a checkpoint of epoch {COMPLETE}, so that training goes on at step {complete}"
        return [Finding("LIT2534", cost, called, expected, got)]
    return []


def _nothing_left(cut: Evidence) -> list[Finding]:
    called = cut["run"]["command"].text()
    expected = "a checkpoint of the epochs that were complete"
    failed = [f for f in script_findings(cut["run"], ("resumed",)) if f.code == "LIT940"]
    if failed and "KeyboardInterrupt" not in failed[0].got:
        return [_named(finding) for finding in failed]
    return [Finding("LIT2530", ("resumed",), called, expected, "none")]
