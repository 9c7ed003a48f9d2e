"""A pickle in place of evidence, which runs code where it is read.

Strategy: the evidence file holds a pickle that writes a file into the course when it is loaded,
once
bare and once inside a torch checkpoint.
Surface: any `pickle.load` or `torch.load` of the grader's.
"""

from tests.attacks.arena import Attack

FORGE = """
import io, litcourse.frontends.kernel_entry, os, pathlib, pickle, torch
class Bomb:
    def __reduce__(self):
        return os.system, (f"touch {TARGETS['marker']}",)
buffer = io.BytesIO()
torch.save({"state_dict": Bomb()}, buffer)
def answer(lab, question, inbox, outbox, namespace):
    pathlib.Path(outbox).write_bytes(pickle.dumps(Bomb()) + buffer.getvalue())
litcourse.frontends.kernel_entry.write_evidence = answer
"""

ATTACK = Attack(cells=(FORGE,), answer="unsolved", finding="LIT903", share=0)
