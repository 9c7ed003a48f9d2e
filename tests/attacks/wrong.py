"""The control that earns a part: an answer with the wrong optimizer, honestly handed in.

Strategy: none.
Surface: none.
"""

from tests.attacks.arena import Attack

ATTACK = Attack(answer="wrong", finding="LIT133", share=0.6)
