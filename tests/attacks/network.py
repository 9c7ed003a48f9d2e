"""The network.

Strategy: connect to addresses and names; abstract sockets of the machine; the engine's own socket;
the host of a virtual machine; raw packets; the kernel's key ring, which forks share.
Surface: the network namespace, and what is not in it.
"""

from tests.attacks.arena import Attack

CONNECT = """
import ctypes, os, socket
def connected(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as handle:
        handle.settimeout(2)
        handle.connect(address)
        return address
for address in (("1.1.1.1", 53), ("10.0.0.1", 22), ("169.254.169.254", 80)):
    try_to(f"TCP {address}", lambda: connected(socket.AF_INET, address))
try_to("IPv6", lambda: connected(socket.AF_INET6, ("2606:4700:4700::1111", 53)))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try_to("UDP", lambda: datagrams.sendto(b"x", ("1.1.1.1", 53)))
try_to("engine", lambda: connected(socket.AF_UNIX, TARGETS["socket"]))
try_to("bus", lambda: connected(socket.AF_UNIX, "/run/dbus/system_bus_socket"))
try_to("X", lambda: connected(socket.AF_UNIX, chr(0) + "/tmp/.X11-unix/X0"))
try_to("the test's abstract socket", lambda: connected(socket.AF_UNIX, chr(0) + TARGETS["root"]))
try_to("vsock", lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
try_to("raw", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
libc = ctypes.CDLL(None, use_errno=True)
def key():
    number = libc.syscall(248, b"user", b"litcourse", b"x", ctypes.c_size_t(1), -3)
    return number if number >= 0 else 1 / 0
try_to("key ring", key)
"""
NAME = "import urllib.request\nurllib.request.urlopen('https://example.org')"

ATTACK = Attack(cells=(CONNECT, NAME), answer="right", held=12, finding="LIT927", share=1)
