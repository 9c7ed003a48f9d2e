"""Searching for expected values while the probe runs.

Strategy: from inside `training_step`, walk all frames and all objects of the garbage collector
for an `Inputs`, for anything named `withheld`, and for modules of `autograder`.
Surface: what a check brings into the process.
"""

from tests.attacks.arena import Attack

SEARCH = """
import gc, sys
seen = []
def search():
    frame = sys._getframe()
    while frame is not None:
        for name, value in list(frame.f_locals.items()):
            kind = type(value).__name__
            if name in ("withheld", "secret", "expected") or kind in ("Inputs", "Lab"):
                seen.append(f"frame {frame.f_code.co_name} {name}")
        frame = frame.f_back
    for found in gc.get_objects():
        if type(found).__name__ in ("Inputs", "Verdict", "Finding", "Lab", "Course"):
            seen.append(type(found).__name__)
        if type(found) is dict and "withheld" in found and "shown" in found:
            if not isinstance(found["withheld"], property):
                seen.append("a dict of both halves")
    seen.extend(name for name in sys.modules if name.partition(".")[0] == "autograder")
"""
HOOK = """
honest = LitClassifier.training_step
def training_step(self, batch, batch_idx):
    if not searched:
        searched.append(1)
        search()
    return honest(self, batch, batch_idx)
searched = []
LitClassifier.training_step = training_step
"""

ATTACK = Attack(
    cells=(SEARCH,), after=(HOOK,), last=("print('searched', len(searched), sorted(set(seen)))",),
    says=r"searched 1 \[\]",
)  # fmt: skip
