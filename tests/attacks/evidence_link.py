"""A link, a pipe or a folder in place of the evidence file.

Strategy: delete the file and put a link to the course secret there, or a pipe, that the grader
would read for ever; mount over it.
Surface: the path that the grader opens.
"""

from tests.attacks.arena import Attack

REPLACE = """
import os
def swapped(make):
    def action():
        os.unlink("/run/evidence")
        make()
    return action
try_to("link", swapped(lambda: os.symlink(TARGETS["secret"], "/run/evidence")))
try_to("pipe", swapped(lambda: os.mkfifo("/run/evidence")))
try_to("folder", swapped(lambda: os.mkdir("/run/evidence")))
try_to("rename", lambda: os.rename("/run/evidence", "/run/elsewhere"))
try_to("rename over", lambda: os.rename("/tmp/x", "/run/evidence"))
try_to("link beside it", lambda: os.symlink(TARGETS["secret"], "/run/channel/evidence2"))
try_to("the channel's own", lambda: os.unlink("/run/channel/evidence"))
try_to("inputs as a link", lambda: os.symlink(TARGETS["secret"], "/run/channel/inputs"))
"""

ATTACK = Attack(cells=(REPLACE,), held=8)
