"""launch: `train_ddp.py` trains on as many ranks as its command line says.

The probe imports the file, and runs it as a program with one rank and with two. The evidence is
the records of its Trainers on each rank.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from random import Random
from typing import Any

from litcourse.core.evidence import Evidence
from litcourse.core.names import count_noun
from litcourse.core.namespace import Student
from litcourse.core.question import (
    Criterion,
    Earned,
    Finding,
    Inputs,
    Mark,
    NotLookedAt,
    Question,
)
from litcourse.scripts import (
    all_trainers,
    fitted_trainers,
    import_script,
    run_script,
    script_findings,
)

FILE = "train_ddp.py"
ALL = ("one", "two", "epochs", "import")
LIMIT = 30.0
"""Seconds that a run may take, from the task."""
_CAUSES = (
    ("LIT3718", r"[Dd]efault process group has not been initialized"),
    ("LIT3718", r"environment variable (RANK|WORLD_SIZE|MASTER_\w+) expected"),
    ("LIT3718", r"KeyError: '?(LOCAL_)?(RANK|WORLD_SIZE)"),
    ("LIT3720", r"selected strategy to be `(fsdp|deepspeed|model_parallel)"),
    ("LIT3720", r"strategy `\w+` requires a GPU accelerator"),
)
"""Codes of exceptions of torch 2.15 and lightning 2.6."""
MOST_EPOCHS = 100
"""Limit for the task's "few epochs"; a fit of more returns at once, recorded as "endless"."""
_TOO_MANY = 1.5
"""Samples of both ranks in an epoch, by those of one: 1 and some padding are right, 2 is wrong."""


def draw(rng: Random) -> Inputs:
    """Two numbers of epochs, for the run on two ranks; the other run uses the script's default."""
    return Inputs({"epochs": rng.sample(range(2, 6), 2)})


# --- probe ------------------------------------------------------------------------------


def probe(shown: dict[str, Any], student: Student) -> dict[str, Any]:
    """Import the script, run it on one rank, run it on two."""
    source = student.file(FILE)
    names = sorted(_names_in(source) & {"Trainer", "LightningCLI"})
    imported = import_script(source, FILE)
    bounds: dict[str, Any] = {"limit": LIMIT, "most_epochs": MOST_EPOCHS}
    one = run_script(source, FILE, ["--devices", "1"], world_size=1, **bounds)
    if _other_starts(Evidence(one)):  # each process of such a run takes ten seconds to start
        return {"import": imported, "one": one, "two": None, "names": names}
    more = ["--devices", "2", "--max_epochs", str(_choose_epochs(shown, Evidence(one)))]
    two = run_script(source, FILE, more, world_size=2, **bounds)
    return {"import": imported, "one": one, "two": two, "names": names}


def _names_in(source: str) -> set[str]:
    """All names in the text of a program; none if it is no Python."""
    try:
        nodes = ast.walk(ast.parse(source))
    except (SyntaxError, ValueError):
        return set()
    return {getattr(node, "id", getattr(node, "attr", "")) for node in nodes}


def _choose_epochs(shown: dict[str, Any], one: Evidence) -> int:
    """Epochs for the run on two ranks, other than the script's default."""
    default = {record["current_epoch"].integer() for record in fitted_trainers(one)}
    return next(int(epochs) for epochs in shown["epochs"] if {epochs} != default)


def _other_starts(run: Evidence) -> list[str]:
    """The ways in which the run started ranks, other than as programs."""
    ways = {record["started_by"].text() for record in all_trainers(run)}
    return sorted(ways - {"popen", "program"})


# --- judge ------------------------------------------------------------------------------


def judge(inputs: Inputs, evidence: Evidence) -> list[Mark]:
    """Judge the two runs, then the import."""
    one, two = evidence["one"], evidence["two"]
    if _other_starts(one):
        starting = _judge_starting(one, ("one", "two", "epochs"))
        return [*starting, _judge_import(evidence["import"], [one])]
    marks = [
        *_judge_run(one, "one"),
        *(
            _judge_starting(two, ("two", "epochs"))
            or [
                *_judge_run(two, "two", _choose_epochs(inputs.shown, one), one),
                *_judge_shards(one, two),
            ]
        ),
        _judge_import(evidence["import"], [one, two]),
    ]
    names = evidence["names"].texts()
    return [_name_cause(mark, names) if isinstance(mark, Finding) else mark for mark in marks]


def _name_cause(finding: Finding, names: list[str]) -> Finding:
    """The finding with the code of the cause that the exception, or the program's text, shows."""
    said = f"{finding.got} @ {finding.where}"
    code = next((code for code, pattern in _CAUSES if re.search(pattern, said)), finding.code)
    if finding.code == "LIT942":
        made = "Trainer" in names or "LightningCLI" in names
        code = "LIT3717" if "none of which" in finding.got else "LIT942" if made else "LIT3716"
    if finding.code == "LIT941" and "LightningCLI" in names:
        code = "LIT3721"
    return replace(finding, code=code)


def _judge_starting(run: Evidence, cost: tuple[str, ...]) -> list[Mark]:
    """Judge that all ranks are programs."""
    ways = _other_starts(run)
    if not ways:
        return []
    called, expected = run["command"].text(), "the program itself, once per rank"
    return [Finding("LIT3706", cost, called, expected, f"processes started by {', '.join(ways)}")]


def _judge_run(
    seen: Evidence, run: str, epochs: int | None = None, alone: Evidence | None = None
) -> list[Mark]:
    cost = ("one",) if run == "one" else ("two", "epochs")
    called, fits = seen["command"].text(), fitted_trainers(seen)
    failed = _judge_fits(seen, fits, called, cost)
    if failed:
        return [*failed]
    training = _judge_training(fits, called, cost[:1])
    if epochs is None:
        return [_judge_accelerator(fits, called, cost) or training]
    return [training, _judge_epochs(fits, called, epochs, alone)]


def _judge_accelerator(fits: list[Evidence], called: str, cost: tuple[str, ...]) -> Finding | None:
    """Judge that the program leaves the accelerator to the machine that it runs on."""
    named = {record["named_accelerator"].text() for record in fits} - {"auto", "None"}
    if not named:
        return None
    return Finding("LIT3725", cost, called, "no accelerator is named", f'"{min(named)}"')


def _judge_fits(
    seen: Evidence, fits: list[Evidence], called: str, cost: tuple[str, ...]
) -> list[Finding]:
    """Judge that the run is one fit on each rank."""
    if any(record["endless"].flag() for record in fits):
        most = max(_most_epochs(record) for record in fits)
        got = "no number of epochs" if most < 0 else f"{most} epochs"
        return [Finding("LIT3714", cost, called, f"at most {MOST_EPOCHS} epochs", got)]
    failed = script_findings(seen, cost)
    nodes = max((record["num_nodes"].integer() for record in all_trainers(seen)), default=1)
    if failed:
        return [_name_failure(finding, fits, nodes) for finding in failed]
    asked = {"one": 1, "two": 2}[cost[0]]
    if seen["asked"].integer() != asked:
        return [Finding("LIT903", cost, called, f"{asked} ranks", "a run of others")]
    again = max((record["fits"].integer() for record in fits if "fits" in record), default=1)
    if len(fits) != asked or again > 1:
        got = f"{len(fits) * again} on {count_noun(asked, 'rank')}"
        return [Finding("LIT3712", cost, called, "one fit per rank", got)]
    return []


def _name_failure(finding: Finding, fits: list[Evidence], nodes: int) -> Finding:
    """The finding on a run that failed, with a code for what its Trainers were told."""
    if nodes > 1:
        return replace(finding, code="LIT3719", got=f"num_nodes={nodes}; {finding.got}")
    if any(record["as_text"].texts() for record in fits):
        return replace(finding, code="LIT3711", got="max_epochs is text")
    return replace(finding, code="LIT3713") if finding.code == "LIT013" else finding


def _most_epochs(record: Evidence) -> int:
    epochs = record["max_epochs"]
    return -1 if epochs.is_none else epochs.integer()


def _judge_training(fits: list[Evidence], called: str, cost: tuple[str, ...]) -> Mark:
    """Judge that each rank trained a network of the course to the end, with equal weights."""
    for record in fits:
        found = _judge_fit(record, called, cost)
        if found:
            return found
    if len({record["weights"].text() for record in fits}) > 1:
        got = "other weights on each"
        return Finding("LIT3707", cost, called, "the same weights on each rank", got)
    return Earned(cost)


def _judge_fit(record: Evidence, called: str, cost: tuple[str, ...]) -> Finding | None:
    rank = f"rank {record['global_rank'].integer()}"
    if not record["finished"].flag():
        return Finding("LIT3708", cost, called, "fit comes to its end", f"not on {rank}")
    if record["global_step"].integer() == 0:
        return Finding("LIT3709", cost, called, "optimizer steps", f"none on {rank}")
    if not any(record["networks"].texts()):
        got = f"{record['module'].text()} without one, on {rank}"
        return Finding("LIT3705", cost, called, "a network of litcourse.models", got)
    start, end = record["start_weights"].text(), record["weights"].text()
    if not start or not end or start == end:
        got = f"those of the start, on {rank}"
        return Finding("LIT3710", cost, called, "trained weights", got)
    if not record["all_batches"].flag():
        got = f"{record['train_batches'].integer()} of them, on {rank}"
        return Finding("LIT3715", cost, called, "all batches in each epoch", got)
    return None


def _judge_shards(one: Evidence, two: Evidence) -> list[Finding]:
    """Judge that two ranks share the samples that one rank trains on in an epoch.

    The sampler pads by a sample or so, so twice as many tells it; ranks that have the same samples
    have not shared them either.
    """
    alone, ranks = _ended(one), _ended(two)
    whole = all(record["whole"].flag() for record in (*alone, *ranks))
    if not whole or len(alone) != 1 or len(ranks) != 2:  # noqa: PLR2004 (--devices 2)
        return []  # another finding tells why
    every = alone[0]["samples"].integer()
    each = [record["samples"].integer() for record in ranks]
    shards = {record["shard"].text() for record in ranks}
    same = len(shards) == 1 and "" not in shards
    if every > 1 and (sum(each) >= _TOO_MANY * every or same):
        called, got = two["command"].text(), f"{' and '.join(map(str, each))} of {every}"
        where = "the same on each" if same else ""
        expected = "the ranks share the samples of an epoch"
        return [Finding("LIT3722", ("two",), called, expected, got, where)]
    return []


def _ended(run: Evidence) -> list[Evidence]:
    return [record for record in fitted_trainers(run) if record["finished"].flag()]


def _judge_epochs(fits: list[Evidence], called: str, epochs: int, alone: Evidence | None) -> Mark:
    ran, cost = sorted({record["current_epoch"].integer() for record in fits}), ("epochs",)
    if ran != [epochs]:
        got = f"{', '.join(map(str, ran))} epochs"
        return Finding("LIT3704", cost, called, f"{epochs} epochs", got)
    limits = _other_limits(fits, fitted_trainers(alone) if alone else [])
    if limits:
        got = f"{', '.join(limits)}, with --max_epochs {epochs}, too"
        return Finding("LIT3724", cost, called, "no limit but the number of epochs", got)
    if all(record["finished"].flag() for record in fits):
        return Earned(cost)
    return NotLookedAt(cost, "fit does not come to its end")


def _other_limits(fits: list[Evidence], alone: list[Evidence]) -> list[str]:
    """What else ends a training early; steps that follow from the number of epochs may."""
    steps = {record["max_steps"].integer() for record in (*fits, *alone)}
    found = [f"max_steps={steps.pop()}"] if len(steps) == 1 and steps != {-1} else []
    timed = any("Timer" in record["callbacks"].texts() for record in fits)
    return [*found, *(["max_time"] if timed else [])]


def _judge_import(seen: Evidence, runs: list[Evidence]) -> Mark:
    """Judge that an import does not do what the `runs` as a program do."""
    cost, called = ("import",), seen["command"].text()
    if all_trainers(seen):
        fits = len(fitted_trainers(seen))
        got = f"{len(all_trainers(seen))} Trainers made, {fits} of them fitted"
        return Finding("LIT3701", cost, called, "nothing runs", got)
    entries = list(seen["ranks"])
    ended = [entry["value"] for entry in entries if "value" in entry]
    if any(each["parsed"].flag() for each in (*ended, *(e for e in entries if "parsed" in e))):
        return Finding("LIT3702", cost, called, "nothing is parsed", "the command line was read")
    failed = script_findings(seen, cost)
    if failed:
        return failed[0]
    effects = [effect for value in ended for effect in value["effects"].texts()]
    if effects:
        got = f"it {', '.join(effects)}"
        return Finding("LIT3723", cost, called, "definitions alone", got)
    if any(map(_does_something, runs)):
        return Earned(cost)
    return NotLookedAt(cost, "run as a program, it makes no Trainer of lightning either")


def _does_something(run: Evidence) -> bool:
    """Whether a run made a Trainer, or failed; one that only ends may hold nothing at all."""
    ends = [entry["value"]["exit"].integer() if "value" in entry else 1 for entry in run["ranks"]]
    return bool(all_trainers(run)) or any(ends)


QUESTION = Question(
    title="Launch it on N devices",
    defines=(),
    files=(FILE,),
    criteria=(
        Criterion("one", "--devices 1 trains on one rank, to the end", 0.25),
        Criterion("two", "--devices 2 trains one model on two ranks", 0.4),
        Criterion("epochs", "--max_epochs decides how long", 0.15),
        Criterion("import", "importing the file runs and parses nothing", 0.2),
    ),
    draw=draw,
    probe=probe,
    judge=judge,
)
