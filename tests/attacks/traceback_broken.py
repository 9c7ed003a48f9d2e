"""A cell whose error can't be shown.

Strategy: exceptions whose text raises, `showtraceback` replaced, an exception hook that ends
Python,
an error whose name is no text.
Surface: the reply to a cell, which the grader reads.
"""

from tests.attacks.arena import Attack

BREAK = """
shell = get_ipython()
def broken(*args, **kwargs):
    raise RuntimeError("no traceback for you")
shell.showtraceback = shell._showtraceback = broken
class Odd(BaseException):
    __name__ = None
    def __str__(self):
        raise SystemExit(0)
    __repr__ = __str__
raise Odd
"""
RAISE = """
Odd.__name__ = "X" * 100_000
def training_step(self, batch, batch_idx):
    raise Odd
LitClassifier.training_step = training_step
"""

ATTACK = Attack(cells=(BREAK,), after=(RAISE,), share=0)
