"""One long line, which expressions for a terminal's ways look through again and again.

Strategy: print a line of 900,000 letters, then as many that take letters back.
Surface: the time of the grader.
"""

from tests.attacks.arena import Attack

LINES = (
    "print('a' * 900_000)",
    "print('a' * 400_000 + chr(8) * 400_000)",
    "print('a\\r' * 400_000)",
    "print('printed', 'x' * 3)",
)

ATTACK = Attack(cells=LINES, answer="right", share=1, says="printed xxx")
