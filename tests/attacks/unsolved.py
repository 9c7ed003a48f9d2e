"""The control that earns nothing: the stub as the lab has it.

Strategy: none.
Surface: none.
"""

from tests.attacks.arena import Attack

ATTACK = Attack(answer="unsolved", finding="LIT900", share=0)
