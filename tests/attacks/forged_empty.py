"""Well-formed evidence in which nothing was found, because nothing was looked at.

Strategy: keep the evidence's outer form, with no cases, no tensors and no losses in it.
Surface: loops of the judge that run over what came, and so over nothing.
"""

from tests.attacks.arena import Attack

FORGE = """
import pathlib, litcourse.frontends.kernel_entry
from litcourse.core.serialization import encode
def answer(lab, question, inbox, outbox, namespace):
    nothing = {
        "bases": ["lightning.pytorch.core.module.LightningModule"],
        "cases": {},
        "device": {"to_its_end": True},
    }
    pathlib.Path(outbox).write_bytes(encode(nothing))
litcourse.frontends.kernel_entry.write_evidence = answer
"""

ATTACK = Attack(cells=(FORGE,), answer="unsolved", finding="LIT903", share=0)
