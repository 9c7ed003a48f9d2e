"""Judges whether the ranks come together: as many as there should be, on a GPU each, to the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from litcourse.core.names import count_noun
from litcourse.core.question import Finding
from litcourse.labs.lab5_slurm._placed import Placed, place_all
from litcourse.labs.lab5_slurm._sbatch_refusals import quote
from litcourse.labs.lab5_slurm._submitted import Submitted

_BY_ERROR = {
    "argparse": "LIT5022",
    "RuntimeError": "LIT5023",
    "KeyError": "LIT5030",
    "IndexError": "LIT5021",
}
_BOUND = "LIT5027"


@dataclass(frozen=True)
class Size:
    """Nodes of a job, and ranks on each."""

    nodes: int
    per_node: int

    @property
    def ranks(self) -> int:
        """All of them."""
        return self.nodes * self.per_node

    def __str__(self) -> str:
        ranks = count_noun(self.ranks, "rank")
        return (
            ranks if self.nodes == 1 else f"{ranks}, {self.per_node} on each of {self.nodes} nodes"
        )


def judge_meeting(
    job: Submitted, size: Size, cost: tuple[str, ...], restart: int = 0
) -> Finding | None:
    """What keeps the ranks of a run from coming together, the most exact reason; None if nothing.

    Args:
        job: a submission that ran `train.py`.
        size: what should have come together.
        cost: the criteria.
        restart: which run of the job.
    """
    placed = place_all(job, restart)
    found = (
        _number(job, placed, size)
        or _refused(job, placed, size)
        or _world(job, placed, size)
        or _devices(job, placed)
        or (_end(job, placed) if restart == job.restarts else None)
    )
    if found is None:
        return None
    code, expected, got, where = found
    return Finding(code, cost, _called(job, placed), expected, got, where)


_Found = tuple[str, str, str, str]
"""Code, what is expected, what the ranks saw, and the option behind it."""


def _called(job: Submitted, placed: Sequence[Placed]) -> str:
    return f"{job.command}: {_command(placed[0])}" if placed else job.command


def _command(one: Placed) -> str:
    return " ".join([one.seen.program, *one.seen.words])


def _number(job: Submitted, placed: Sequence[Placed], size: Size) -> _Found | None:
    in_steps = [one for one in placed if one.seen.step != "batch"]
    if not in_steps and size.ranks > 1:
        many = f"{len(placed)} process{'es' * (len(placed) > 1)}"
        got = f"{many} in the batch shell: {_first_words(placed, job)}"
        return "LIT5020", f"{size}, started by srun", got, "python without srun"
    count = Counter(one.seen.host for one in placed)
    wanted = [size.per_node] * size.nodes
    if sorted(count.values()) == wanted:
        return None
    spread = ", ".join(f"{number} on {host}" for host, number in count.items())
    options = job.quote("nodes", "ntasks-per-node") + _more(job.quote_given("ntasks"))
    code = "LIT5021" if len(job.shares) == size.nodes else "LIT5040"
    return code, str(size), f"train.py was started {len(placed)} times: {spread}", options


def _more(text: str) -> str:
    return f", {text}" if text else ""


def _first_words(placed: Sequence[Placed], job: Submitted) -> str:
    error = next((one.place.text for one in placed if one.place.text), "")
    said = [line for line in job.lines() if "GLOBAL_RANK" in line or "TIME LIMIT" in line]
    return error or quote(said) or job.ended


def _refused(job: Submitted, placed: Sequence[Placed], size: Size) -> _Found | None:
    """What argparse or Lightning refuses on some process."""
    one = next((one for one in placed if one.place.error), None)
    if one is None:
        return None
    code = _BY_ERROR.get(one.place.error, "")
    options = job.quote("ntasks-per-node") + _more(job.quote_given("ntasks", "gpus-per-task"))
    if one.misread:
        return code, "arguments that train.py knows", quote(one.misread.splitlines()[-1:]), ""
    if one.place.error == "MisconfigurationException":
        code = _few_gpus(job, one)
        options = job.quote_given("gpus-per-task", "gpu-bind", "ntasks-per-gpu")
        if not options and code == _BOUND:
            options = "no directive: an option of srun, or CUDA_VISIBLE_DEVICES"
        options = options or job.quote_given("gpus-per-node", "gres", "gpus")
    if one.place.error == "ValueError":
        of_nodes = "num_nodes" in one.place.text
        code = "LIT5026" if of_nodes else "LIT5024"
        options = job.quote("nodes" if of_nodes else "ntasks-per-node")
    who = f"rank {one.seen.environment.get('SLURM_PROCID', '?')} on {one.seen.host}"
    said = " ".join(one.place.text.split())
    return code or "LIT5024", f"{size}", f"{who}: {said}", options


def _few_gpus(job: Submitted, one: Placed) -> str:
    """Bound to a GPU each, or too few on the node."""
    held = {share.node: share.gpus for share in job.shares}.get(one.seen.host, 0)
    enough = one.devices.isdigit() and held >= int(one.devices)
    return _BOUND if enough else "LIT5028"


def _world(job: Submitted, placed: Sequence[Placed], size: Size) -> _Found | None:
    """Worlds, ranks and addresses."""
    alone = next((one for one in placed if not one.place.slurm), None)
    if alone is not None and size.ranks > 1:
        name = alone.seen.environment.get("SLURM_JOB_NAME", "")
        got = f"each of {len(placed)} processes trains alone, in a job named {name!r}"
        return "LIT5029", f"one world of {size}", got, job.quote("job-name", "ntasks-per-node")
    worlds = sorted({one.place.world for one in placed})
    if worlds != [size.ranks]:
        got = f"a world of {', '.join(map(str, worlds))}"
        return "LIT5021", f"a world of {size.ranks}", got, job.quote("ntasks", "ntasks-per-node")
    ranks = sorted(one.place.rank for one in placed)
    if ranks != list(range(size.ranks)):
        got = f"ranks {', '.join(map(str, sorted(set(ranks))))}, {len(ranks)} processes"
        return "LIT5030", f"ranks 0 to {size.ranks - 1}, once each", got, ""
    return _address(placed)


def _address(placed: Sequence[Placed]) -> _Found | None:
    home = next(one.seen.host for one in placed if one.place.rank == 0)
    lost = next((one for one in placed if one.meets_at != home), None)
    if lost is None or len(placed) == 1:
        return None
    who = f"rank {lost.place.rank} on {lost.seen.host} looks at {lost.place.address}"
    return "LIT5031", f"all look for rank 0 on its node, {home}", who, "MASTER_ADDR"


def _devices(job: Submitted, placed: Sequence[Placed]) -> _Found | None:
    asked = job.quote("gpus-per-node") + _more(job.quote_given("gres", "gpus", "gpus-per-task"))
    blind = next((one for one in placed if one.gpu is None), None)
    if blind is not None:
        got = f"rank {blind.place.rank} on {blind.seen.host} sees none"
        return "LIT5032", "a GPU for each rank", got, asked
    taken = Counter((one.seen.host, one.gpu) for one in placed)
    place, number = max(taken.items(), key=lambda item: item[1])
    if number > 1:
        return "LIT5033", "a GPU of its own for each rank", f"{number} ranks on {place}", asked
    return None


def _end(job: Submitted, placed: Sequence[Placed]) -> _Found | None:
    """Whether all came to their end, and the job with them."""
    met = [m for m in job.moments("ready", job.restarts) if m.details == str(len(placed))]
    if "DUE TO TIME LIMIT" in " ".join(job.lines()) or job.ended.startswith("TIMEOUT"):
        return "LIT5034", "COMPLETED 0:0", job.ended, job.quote("time")
    lost = [line for line in job.lines() if "can't open file" in line]
    if lost:
        return "LIT5016", "python finds train.py", quote(lost[:1]), job.quote_given("chdir")
    failed = [one for one in placed if one.seen.exit_code != 0]
    if failed or not met or not job.moments("finished", job.restarts):
        code = failed[0].seen.exit_code if failed else None
        got = f"rank {failed[0].place.rank if failed else 0} ended with {code}, job {job.ended}"
        return "LIT5035", "all ranks end with 0", got, quote(job.said_errors)
    if job.ended != "COMPLETED 0:0":
        return "LIT5038", "COMPLETED 0:0", job.ended, quote(job.said_errors)
    return None
