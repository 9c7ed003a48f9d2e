"""A broken answer to the heartbeat.

Strategy: find the kernel's end of the heartbeat's connection, take it from the thread that answers,
and write one frame of eight bytes to it, which lacks the envelope that a reader waits for.
Surface: jupyter_client, which reads a heartbeat without a deadline and joins the thread that does.
Nobody may be connected to it.
"""

from tests.attacks.arena import Attack

HOLD = r"""
import os, socket, time
from ipykernel.kernelapp import IPKernelApp
port, sent, kept = IPKernelApp.instance().hb_port, 0, []
for name in os.listdir("/proc/self/fd"):
    try:
        end = socket.socket(fileno=os.dup(int(name)))
        end.getpeername()
        if str(end.getsockname()).endswith(f"-{port}"):
            silent = socket.socketpair()
            os.dup2(silent[0].fileno(), int(name))
            kept += [end, silent]
            sent += end.send(b"\0\6" + b"hanged")
    except OSError:  # no socket, or none that is connected
        continue
if sent:
    time.sleep(3)  # until the other side looks for its answer
print("sent", sent)
"""

ATTACK = Attack(cells=(HOLD,), answer="right", share=1, says="sent 0")
