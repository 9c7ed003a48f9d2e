"""A verdict in place of evidence.

Strategy: hand over evidence that says score, points and passed, and no measurement.
Surface: the evidence file; a grader that trusts what it is told.
"""

from tests.attacks.arena import Attack

FORGE = """
import pathlib, litcourse.frontends.kernel_entry
from litcourse.core.serialization import encode
def answer(lab, question, inbox, outbox, namespace):
    verdict = {"score": 1.0, "points": 10.0, "passed": True, "findings": []}
    pathlib.Path(outbox).write_bytes(encode(verdict))
litcourse.frontends.kernel_entry.write_evidence = answer
"""

ATTACK = Attack(cells=(FORGE,), answer="unsolved", finding="LIT903", share=0)
