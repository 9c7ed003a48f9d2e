"""The judge and its tolerances are patched where the student's process has them.

Strategy: `litcourse` ships the judges: replace `QUESTION`, `judge`, every tolerance and
`litcourse.core.scoring.grade` before the check.
Surface: a grader that judged in the student's process would believe it.
"""

from tests.attacks.arena import Attack

PATCH = """
import dataclasses, litcourse.core.scoring, litcourse.core.comparison, litcourse.core.evidence
from litcourse.labs.lab1_mnist import wrap, _plain_loop
for module in (wrap, _plain_loop):
    for name in ("GRADIENT_TOLERANCE", "LOSS_TOLERANCE", "STEP_TOLERANCE"):
        setattr(module, name, float("inf"))
wrap.QUESTION = dataclasses.replace(wrap.QUESTION, judge=lambda *_: [])
wrap.judge = lambda *_: []
litcourse.core.scoring.grade = lambda *_: None
litcourse.core.comparison.distance = lambda *_: 0.0
print("patched")
"""

ATTACK = Attack(cells=(PATCH,), says="patched", finding="LIT133")
