"""The control that earns everything: what is graded before and after each attack.

Strategy: none. The instructor's own solution.
Surface: none.
"""

from tests.attacks.arena import Attack

ATTACK = Attack(answer="right", share=1)
