"""Evidence with every type changed: lists for texts, texts for numbers, sparse tensors.

Strategy: turn each leaf of honest evidence into something of another type, one file per leaf
being too slow, all leaves at once.
Surface: type confusion in the judge.
"""

from tests.attacks.arena import Attack

FORGE = """
import pathlib, litcourse.frontends.kernel_entry, torch
from litcourse.core.serialization import encode, decode
honest = litcourse.frontends.kernel_entry.write_evidence
def confused(node):
    if isinstance(node, dict):
        return {key: confused(child) for key, child in node.items()}
    if isinstance(node, torch.Tensor):
        return torch.zeros(2, 2, dtype=torch.complex64)
    if isinstance(node, list):
        return {str(i): confused(child) for i, child in enumerate(node)}
    if isinstance(node, str):
        return [node]
    return str(node)
def answer(lab, question, inbox, outbox, namespace):
    honest(lab, question, inbox, outbox, namespace)
    tree = decode(pathlib.Path(outbox).read_bytes())
    pathlib.Path(outbox).write_bytes(encode(confused(tree)))
litcourse.frontends.kernel_entry.write_evidence = answer
"""

ATTACK = Attack(cells=(FORGE,), finding="LIT903", share=0)
