"""All of the disk.

Strategy: files of allowed size, in every place that can be written, until none can be.
Surface: the machine's disk and memory.
"""

from tests.attacks.arena import Attack

FILL = """
import os
total = 0
for place in ("/tmp", "/dev/shm", os.path.expanduser("~"), "/run/channel", "/run", "/var/tmp"):
    try:
        for number in range(100):
            with open(f"{place}/{number}", "wb") as file:
                for _ in range(8):
                    total += file.write(bytes(2**20))
    except OSError as error:
        print(place, error, flush=True)
print("wrote", 16 < total / 2**20 < 40)
open("one more", "wb").write(bytes(2**20))
"""
CLEAR = (
    "import shutil\nfor n in range(100):\n    try: os.unlink(f'/tmp/{n}')\n    except OSError: 0"
)

ATTACK = Attack(
    cells=(FILL, CLEAR), answer="right", finding="LIT925", says="wrote True", share=1,
    settings={"limits": {"disk_mib": 32}},
)  # fmt: skip
