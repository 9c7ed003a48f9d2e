"""Evidence that is NaN everywhere, so that no comparison says that it is wrong.

Strategy: as `forged_zeros`, with NaN in tensors and numbers: every `a > b` is false.
Surface: the evidence file; comparisons of the judge.
"""

from tests.attacks.arena import Attack

FORGE = """
import pathlib, litcourse.frontends.kernel_entry, torch
from litcourse.core.serialization import encode, decode
honest, nan = litcourse.frontends.kernel_entry.write_evidence, float("nan")
def spoilt(node):
    if isinstance(node, torch.Tensor):
        return torch.full_like(node, nan) if node.is_floating_point() else node
    if isinstance(node, dict):
        return {key: spoilt(child) for key, child in node.items()}
    if isinstance(node, list):
        return [spoilt(child) for child in node]
    return nan if isinstance(node, float) else node
def answer(lab, question, inbox, outbox, namespace):
    honest(lab, question, inbox, outbox, namespace)
    tree = decode(pathlib.Path(outbox).read_bytes())
    pathlib.Path(outbox).write_bytes(encode(spoilt(tree)))
    globals()["forged"] = True
litcourse.frontends.kernel_entry.write_evidence = answer
"""

ATTACK = Attack(cells=(FORGE,), last=("print('forged', forged)",), says="forged True")
