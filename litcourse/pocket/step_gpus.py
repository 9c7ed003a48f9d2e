"""GPUs of a step: how many on each node, and which of them a task sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from litcourse.pocket.allocation import Share, first_filled
from litcourse.pocket.reading import values
from litcourse.pocket.reading.getopt import RefusedError


def no_step(job: int, reason: str, before: str = "") -> RefusedError:
    """The words of srun where the job has no room for a step."""
    text = f"srun: error: Unable to create step for job {job}: {reason}"
    return RefusedError(f"{before}\n{text}" if before else text)


def step_gpus(  # noqa: C901  (Slurm knows that many ways to ask)
    options: Mapping[str, str],
    given: Mapping[str, str],
    shares: Sequence[Share],
    job: int,
) -> tuple[int, ...] | None:
    """GPUs of the step on each of its nodes; None for as many as its tasks need.

    Slurm looks at this before it counts processors.

    Raises:
        RefusedError: the step asks for GPUs that the job has not.
    """
    held = [share.gpus_held for share in shares]
    if (
        "gres" in given
        and values.gres(given["gres"], "srun").number == 0
        and not options.get("gpus-per-node")
    ):
        return (0,) * len(shares)
    wrong = no_step(job, "Invalid generic resource (gres) specification")
    if options.get("cpus-per-gpu") and not any(held):
        raise wrong
    per_node = _asked_per_node(options, given)
    asks = [options.get(name) for name in ("gpus", "gpus-per-task")]
    if not any(share.gpus_held for share in shares) and (per_node or any(asks)):
        raise RefusedError(
            f"srun: error: Step requested GRES but job doesn't have GRES\n{wrong.text}"
        )
    if per_node is not None:
        if per_node > min(held):
            limit = f"the job's gres_per_node=gpu:{min(held)}"
            what = f"Step requested gres_per_node=gpu:{per_node} is more than {limit}"
            raise RefusedError(f"srun: error: {what}\n{wrong.text}")
        total = values.gpus(given["gpus"], "srun").number if given.get("gpus") else None
        if total not in {None, per_node * len(shares)}:
            raise wrong
        return (per_node,) * len(shares)
    if options.get("gpus"):
        total = values.gpus(options["gpus"], "srun").number
        if total > sum(held) or total < len(shares):
            raise wrong
        if "gpus" in given:
            return tuple(first_filled(total, held))
    return None


def needed_gpus(
    options: Mapping[str, str], shares: Sequence[Share], tasks: Sequence[int]
) -> tuple[int, ...]:
    """As many as tasks need, else those that the job asked for."""
    asked = [share.gpus_asked for share in shares]
    per_gpu = int(options.get("ntasks-per-gpu") or 0)
    if options.get("gpus-per-task"):
        number = values.gpus(options["gpus-per-task"], "srun").number
        return tuple(number * count for count in tasks)
    if per_gpu and not options.get("gpus"):
        return tuple(min(a, -(-count // per_gpu)) for a, count in zip(asked, tasks, strict=True))
    return tuple(asked)


def nodes_room(options: Mapping[str, str], shares: Sequence[Share], cores: int) -> list[int]:
    """Tasks that each node has cores and GPUs for."""
    found = [share.cores // cores for share in shares]
    if options.get("gpus-per-task") and any(share.gpus_held for share in shares):
        number = values.gpus(options["gpus-per-task"], "srun").number or 1
        return [min(n, s.gpus_held // number) for n, s in zip(found, shares, strict=True)]
    return found


def _asked_per_node(options: Mapping[str, str], given: Mapping[str, str]) -> int | None:
    if given.get("gres") and values.gres(given["gres"], "srun").number:
        return values.gres(given["gres"], "srun").number
    if options.get("gpus-per-node"):
        return values.gpus(options["gpus-per-node"], "srun").number
    return 0 if given.get("gres") else None


def bind_words(options: Mapping[str, str]) -> str:
    """How tasks are bound to GPUs, in the words of `--gpu-bind`."""
    given = options.get("gpu-bind", "")
    if given:
        return given
    if options.get("gpus-per-task"):
        return f"per_task:{values.gpus(options['gpus-per-task'], 'srun').number}"
    if options.get("ntasks-per-gpu"):
        return f"single:{options['ntasks-per-gpu']}"
    return ""


def bound_gpus(bind: str, gpus: int, local: int) -> tuple[int, ...]:
    """The GPUs that a task is bound to, of `gpus` on its node."""
    kind, _, text = bind.removeprefix("verbose,").removeprefix("v,").partition(":")
    if kind == "none" or not gpus:
        return ()
    if kind == "per_task":
        number = int(text)
        return tuple(range(local * number, min(gpus, (local + 1) * number))) or (0,)
    if kind == "single":
        return (local // int(text) % gpus,)
    if kind == "map_gpu":
        places = [int(item.split("*")[0], 0) for item in text.split(",")]
        return (places[local % len(places)],)
    if kind == "mask_gpu":
        masks = [int(item.split("*")[0], 16) for item in text.split(",")]
        mask = masks[local % len(masks)]
        return tuple(index for index in range(gpus) if mask >> index & 1)
    return tuple(range(gpus))
