"""More evidence than is allowed.

Strategy: fill the evidence file beyond what is read, with an honest beginning.
Surface: memory of the grader, which reads the file.
"""

from tests.attacks.arena import Attack

FORGE = """
import litcourse.frontends.kernel_entry, os
def answer(lab, question, inbox, outbox, namespace):
    with open(outbox, "wb") as file:
        for _ in range(66):
            file.write(bytes(2**20))
litcourse.frontends.kernel_entry.write_evidence = answer
"""

ATTACK = Attack(
    cells=(FORGE,), answer="unsolved", share=0, finding="LIT903",
    last=("print(os.stat('/run/evidence').st_size)",),
)  # fmt: skip
