"""A broken answer to the heartbeat.

Strategy: find the kernel's end of the heartbeat's connection, and write one frame of eight bytes
to it, which lacks the envelope that a reader waits for.
Surface: jupyter_client, which reads a heartbeat without a deadline and joins the thread that does.
"""

from tests.attacks.arena import Attack

HOLD = r"""
import os, socket
from ipykernel.kernelapp import IPKernelApp
port, sent = IPKernelApp.instance().hb_port, 0
for name in os.listdir("/proc/self/fd"):
    try:
        end = socket.socket(fileno=os.dup(int(name)))
    except OSError:
        continue
    with end:
        try:
            if str(end.getsockname()).endswith(f"-{port}"):
                sent += end.send(b"\0\6" + b"hanged")
        except OSError:  # that which listens
            pass
print("sent", sent)
"""

ATTACK = Attack(cells=(HOLD,), answer="right", share=1, says=r"sent \d")
