"""Names what keeps a module from training on a GPU, for `wrap` and for lab 2's `schedule`."""

from __future__ import annotations

from litcourse.core.evidence import Evidence
from litcourse.core.known_errors import error_finding
from litcourse.core.marks import not_measured
from litcourse.core.question import Finding, Mark
from litcourse.probing.fake_gpu import BROUGHT_BACK

CALLED = "Trainer.fit on a GPU"


def judge_gpu(seen: Evidence, cost: tuple[str, ...]) -> list[Mark]:
    """The mark for an exception on the fake GPU; [] if there was none.

    Args:
        seen: what `attempt` gave of `litcourse.probing.fake_gpu.run_on_fake_gpu`.
        cost: criteria that it costs.
    """
    if "not_measured" in seen:
        return [not_measured(seen, cost)]
    if "error" not in seen:
        return []
    kind, message = seen["error"]["type"].text(), seen["error"]["message"].text()
    if BROUGHT_BACK in message:
        expected, line = "a batch stays where Lightning put it", message.split(BROUGHT_BACK)[1]
        return [Finding("LIT007", cost, CALLED, expected, "brought to the CPU", line.strip())]
    if kind == "DeviceMismatchError" or "same device" in message:
        expected, line = "tensors made on the batch's device", seen["error"]["line"].text()
        return [Finding("LIT142", cost, CALLED, expected, "tensors on the CPU", line)]
    return [error_finding(seen["error"], cost)]
