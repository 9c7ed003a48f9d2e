"""Judges what `run_script` returned: whether the script ran to its end and trained."""

from __future__ import annotations

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import RAISED
from litcourse.core.names import count_noun
from litcourse.core.question import Finding
from litcourse.ranks.rank_outcomes import is_cause, rank_findings


def script_findings(seen: Evidence, criteria: tuple[str, ...]) -> list[Finding]:
    """The finding on why a script did not run to its end or did not train; [] if it did both.

    For `import_script` only the end counts: the caller judges Trainers that an import makes.
    """
    called = seen["command"].text()
    found = [_script_finding(finding, called) for finding in rank_findings(seen, criteria)]
    if found and any(is_cause(entry) for entry in seen["ranks"]):
        return found
    for entry in seen["ranks"]:
        status = entry["value"]["exit"].integer() if "value" in entry else 0
        if status:  # other ranks may have waited for this one
            got = f"exit code {status}"
            return [Finding("LIT941", criteria, called, "exit code 0", got, _last_line(entry))]
    if found:
        return found
    left = [name for entry in seen["ranks"] for name in entry["value"]["left"].texts()]
    if left:
        got = f"its last line has run, and {', '.join(left)} goes on"
        return [Finding("LIT946", criteria, called, "the program ends", got)]
    asked = seen["asked"].integer()
    return _training_findings(seen, criteria, asked) if asked else []


def _training_findings(seen: Evidence, criteria: tuple[str, ...], asked: int) -> list[Finding]:
    called = seen["command"].text()
    fits = fitted_trainers(seen)
    if not fits:
        if "imports" in seen and seen["imports"].text():
            got = f"Trainers of {seen['imports'].text()}"
            return [Finding("LIT944", criteria, called, "a Trainer of lightning", got)]
        made = len(all_trainers(seen))
        got = f"{made} made, none of which ran fit" if made else "none was made"
        return [Finding("LIT942", criteria, called, "a Trainer that runs fit", got)]
    sizes = [record["world_size"].integer() for record in fits]
    ranks = {record["global_rank"].integer() for record in fits}
    if set(sizes) != {asked} or ranks != set(range(asked)):
        got = f"{len(ranks)}, world size {max(sizes)}"
        return [Finding("LIT943", criteria, called, count_noun(asked, "rank"), got)]
    return []


def all_trainers(seen: Evidence) -> list[Evidence]:
    """The records of all Trainers of a run, those of its ranks first."""
    records = [record for entry in seen["ranks"] for record in entry["trainers"]]
    return [*records, *seen["elsewhere"]]


def fitted_trainers(seen: Evidence) -> list[Evidence]:
    """The records of all Trainers of a run that called `fit`."""
    return [record for record in all_trainers(seen) if record["fitted"].flag()]


def _script_finding(finding: Finding, called: str) -> Finding:
    code = "LIT940" if finding.code == RAISED else finding.code
    return Finding(code, finding.criteria, called, finding.expected, finding.got, finding.where)


def _last_line(entry: Evidence) -> str:
    lines = [line for line in entry["output"].text().splitlines() if line.strip()]
    return lines[-1] if lines else ""
