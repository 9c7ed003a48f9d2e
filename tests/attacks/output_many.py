"""Outputs that are small enough each, of many cells.

Strategy: forty cells print a megabyte each, of characters that take six bytes on a disk.
Surface: disk and memory of the grader, which keeps outputs.
"""

from tests.attacks.arena import Attack

PRINT = "print('\\x00' * 10**6)"

ATTACK = Attack(
    cells=(PRINT, "for _ in range(50):\n    print('\\xe9' * 3000)") * 20, answer="right",
    finding="LIT926", share=1, most_text=9 * 2**20,
)  # fmt: skip
