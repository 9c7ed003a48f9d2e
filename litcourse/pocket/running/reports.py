"""The socket on which stand-ins report: all that happens in a job comes in here, in one queue."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from dataclasses import dataclass, field
from pathlib import Path

_MOST = 8 * 2**20
"""Bytes of one report: arguments and environment of a process."""
NAME = "reports"
"""Name of the socket in the stand-ins' folder."""


@dataclass(eq=False)
class Client:
    """A stand-in that is connected."""

    connection: socket.socket
    pid: int = 0
    words: list[str] = field(default_factory=list)
    """Name of the command and its arguments."""
    cwd: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    buffer: bytearray = field(default_factory=bytearray)
    open: bool = True

    def say(self, *parts: object) -> None:
        """Tell it what to do; one that has ended does not hear it."""
        body = b"\0".join(os.fsencode(str(part)) for part in parts)
        try:
            self.connection.sendall(len(body).to_bytes(4, "little") + body)
        except OSError:
            self.open = False

    def write(self, text: str, stream: int = 1) -> None:
        """Have it write to its standard output (1) or error (2)."""
        if text:
            self.say("write", stream, text)

    def exit(self, code: int) -> None:
        """Have it end."""
        self.say("exit", code)


@dataclass(frozen=True)
class Report:
    """What a client said.

    "start", "signal" NUMBER, "drained" BYTES, "child" INDEX PID, "ended" INDEX CODE, or "gone".
    """

    client: Client
    kind: str
    values: tuple[int, ...] = ()


class Reports:
    """The listening socket and its clients.

    Args:
        folder: where the socket lies; its path may be long.
    """

    def __init__(self, folder: Path) -> None:
        self._selector = selectors.DefaultSelector()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._clients: set[Client] = set()
        _bind(self._socket, folder)
        self._socket.listen(512)
        self._socket.setblocking(False)  # noqa: FBT003  (the socket's own signature)
        self._selector.register(self._socket, selectors.EVENT_READ, None)

    def watch(self, descriptor: int) -> None:
        """Have `wait` return when a descriptor becomes readable."""
        self._selector.register(descriptor, selectors.EVENT_READ, descriptor)

    def forget(self, descriptor: int) -> None:
        """Undo `watch`."""
        self._selector.unregister(descriptor)

    def wait(self, seconds: float) -> list[Report]:
        """The reports that have come, in the order in which they came from each client.

        None means that no client has anything to say, one that has only just connected included:
        the job's clock moves on that.
        """
        found: list[Report] = []
        ready = self._selector.select(seconds)
        while ready:
            connected = False
            for key, _ in ready:
                if key.data is None:
                    self._accept()
                    connected = True
                elif isinstance(key.data, Client):
                    found += self._read(key.data)
            ready = self._selector.select(0) if connected else []
        return found

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self._socket.accept()
                client = Client(connection)
                self._clients.add(client)
                self._selector.register(connection, selectors.EVENT_READ, client)

    def _read(self, client: Client) -> list[Report]:
        try:
            data = client.connection.recv(1 << 18)
        except OSError:
            data = b""
        if not data or len(client.buffer) > _MOST:
            self._drop(client)
            return [Report(client, "gone")]
        client.buffer += data
        found = []
        while len(client.buffer) >= 4:  # noqa: PLR2004  (the length of what follows)
            length = int.from_bytes(client.buffer[:4], "little")
            if len(client.buffer) < 4 + length:
                break
            body = bytes(client.buffer[4 : 4 + length])
            del client.buffer[: 4 + length]
            found += _report(client, body)
        return found

    def _drop(self, client: Client) -> None:
        client.open = False
        self._selector.unregister(client.connection)
        client.connection.close()
        self._clients.discard(client)

    def close(self) -> None:
        """Close the socket and all connections: clients that are left end."""
        for client in list(self._clients):
            self._drop(client)
        self._selector.close()
        self._socket.close()


def _bind(listener: socket.socket, folder: Path) -> None:
    """Bind by a short path: one of a socket has at most 107 characters."""
    try:
        listener.bind(str(folder / NAME))
    except OSError:
        here = os.open(".", os.O_RDONLY)
        try:
            os.chdir(folder)
            listener.bind(NAME)
        finally:
            os.fchdir(here)
            os.close(here)


def _report(client: Client, body: bytes) -> list[Report]:
    kind, *parts = [os.fsdecode(part) for part in body.split(b"\0")]
    try:
        if kind == "start":
            pid, count, client.cwd, *rest = parts
            client.pid, words = int(pid), int(count)
            client.words = rest[:words]
            pairs = (item.partition("=") for item in rest[words:] if "=" in item)
            client.environment = {name: value for name, _, value in pairs}
            return [Report(client, kind)]
        return [Report(client, kind, tuple(map(int, parts)))]
    except ValueError:
        return []  # not one of ours: whatever a script says there is not heeded
