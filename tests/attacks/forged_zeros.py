"""Evidence of the right shape, all zeros, in place of a measurement.

Strategy: replace `litcourse.frontends.kernel_entry.write_evidence` by a function that takes the
measured evidence of the wrong answer, sets every tensor in it to zero, and hands that over.
Surface: the evidence file, which code in the kernel can always write.
"""

from tests.attacks.arena import Attack

FORGE = """
import pathlib, litcourse.frontends.kernel_entry, torch
from litcourse.core.serialization import encode, decode
honest = litcourse.frontends.kernel_entry.write_evidence
def zeroed(node):
    if isinstance(node, torch.Tensor):
        return torch.zeros_like(node)
    if isinstance(node, dict):
        return {key: zeroed(child) for key, child in node.items()}
    if isinstance(node, list):
        return [zeroed(child) for child in node]
    return 0.0 if isinstance(node, float) else node
def answer(lab, question, inbox, outbox, namespace):
    honest(lab, question, inbox, outbox, namespace)
    tree = decode(pathlib.Path(outbox).read_bytes())
    pathlib.Path(outbox).write_bytes(encode(zeroed(tree)))
    globals()["forged"] = True
litcourse.frontends.kernel_entry.write_evidence = answer
"""

ATTACK = Attack(cells=(FORGE,), last=("print('forged', forged)",), says="forged True")
