"""One process takes all the memory.

Strategy: keep blocks of memory, each written to, until the end.
Surface: the machine's memory.
"""

from tests.attacks.arena import Attack

HOG = """
kept = []
try:
    while True:
        kept.append(bytearray(2**25))
finally:
    print("got", 0 < len(kept) * 32 < 300, flush=True)
    kept.clear()
"""

ATTACK = Attack(
    cells=(HOG,), answer="right", finding="LIT921", says="got True", share=1,
    settings={"limits": {"memory_mib": 256}},
)  # fmt: skip
