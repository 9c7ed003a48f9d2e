"""The warm process: `python -m autograder.engine.server SOCKET` with a scrubbed environment.

It imports once, then forks a kernel or a judge server for every connection. One line of JSON asks
for a kernel (`provisioner`); lines of JSON answer: its pid, that it is ready, how it ended. When
the connection is closed the kernel dies; when standard input is closed the server does. A judge
server (`judge_server`) draws inputs and judges, and takes the connection over.

It is single-threaded, as a fork with a new user namespace requires, and knows no secret: not
the course, not the gradebook, no student's name.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.engine import imports, judge_server, kernel, syscalls, watch
from autograder.engine.limits import Limits
from litcourse.ranks.processes import process_tree

TICK = 0.2
"""Seconds between two looks at what the kernels take."""
MAX_LINE = 2**20


@dataclass
class _Running:
    """A kernel, the process between it and us, and whoever asked for it.

    Args:
        connection: to its client.
        limits: of the kernel.
        init: the process between.
        pipe: what the init process says.
        baseline: bytes of memory that it has from us, and so did not take.
    """

    connection: socket.socket
    limits: Limits
    init: int
    pipe: int
    baseline: int
    pid: int = 0
    watcher: watch.Watch | None = None
    reason: str = ""
    usage: watch.Usage = field(default_factory=watch.Usage)
    text: bytes = b""


class Server:
    """Accepts connections on `path` until standard input ends."""

    def __init__(self, path: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(64)  # from now on clients can connect, and wait for the imports
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, _Running] = {}

    def run(self) -> None:
        """Serve."""
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
        while True:
            for key, _ in self._selector.select(TICK):
                if key.data is None:
                    return
                key.data(key.fileobj)
            for running in self._running.values():
                _watch(running)

    def stop(self) -> None:
        """End every kernel."""
        for running in self._running.values():
            _kill(running)

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            line = connection.makefile("rb").readline(MAX_LINE)
            request = json.loads(line)
            if "judge" in request:
                imports.rehearse_draws(request["judge"])  # before the first fork that draws
                self._start_judge(connection)
            else:
                self._start(connection, request)
            return
        connection.close()

    def _start_judge(self, connection: socket.socket) -> None:
        """Fork one; it ends when its client hangs up."""
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                syscalls.die_with_parent(signal.SIGKILL)
                kernel.close_others({connection.fileno(), writing})
                judge_server.serve(connection)
            finally:
                os._exit(0)  # never back into the server's loop
        os.close(writing)
        connection.close()
        self._selector.register(reading, selectors.EVENT_READ, lambda _: self._reap(pid, reading))

    def _reap(self, pid: int, reading: int) -> None:
        self._selector.unregister(reading)
        os.close(reading)
        os.waitpid(pid, 0)

    def _start(self, connection: socket.socket, request: dict[str, Any]) -> None:
        reading, writing = os.pipe()
        limits = Limits(**request["limits"])
        init = os.fork()
        if not init:
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                kernel.run_init(request, limits, writing)
            finally:
                os._exit(1)  # never back into the server's loop
        os.close(writing)
        running = _Running(connection, limits, init, reading, watch.own_memory())
        self._running[init] = running
        self._selector.register(reading, selectors.EVENT_READ, lambda _: self._report(running))
        self._selector.register(
            connection, selectors.EVENT_READ, lambda _: self._handle_command(running)
        )

    def _report(self, running: _Running) -> None:
        """Pass on what the init process says; at its end, how the kernel ended."""
        data = os.read(running.pipe, 65536)
        if not data:
            self._finish(running)
            return
        running.text += data
        *lines, running.text = running.text.split(b"\n")
        for line in lines:
            running.pid = json.loads(line).get("pid", running.pid)
            _send_line(running, line)

    def _finish(self, running: _Running) -> None:
        _, status, usage = os.wait4(running.init, 0)
        seconds = max(usage.ru_utime + usage.ru_stime, running.usage.cpu_seconds)
        ended = {"ended": status, "reason": running.reason, "cpu_seconds": seconds}
        _send_line(running, json.dumps(ended).encode())
        self._selector.unregister(running.pipe)
        os.close(running.pipe)
        with contextlib.suppress(KeyError):
            self._selector.unregister(running.connection)
        running.connection.close()
        del self._running[running.init]

    def _handle_command(self, running: _Running) -> None:
        """Signals that the client asks for; its hanging up kills the kernel."""
        try:
            data = running.connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(running.connection)
            _kill(running)
            return
        for line in data.splitlines():
            number = int(json.loads(line)["signal"])
            if number == signal.SIGKILL:
                _kill(running)
            elif running.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(running.pid, number)


def _send_line(running: _Running, line: bytes) -> None:
    with contextlib.suppress(OSError):
        running.connection.sendall(line + b"\n", socket.MSG_DONTWAIT)


def _watch(running: _Running) -> None:
    if not running.pid or running.reason:
        return
    if running.watcher is None:
        running.watcher = watch.Watch(running.pid, running.baseline)
    running.usage = running.watcher.usage()
    running.reason = watch.exceeded_limit(running.usage, running.limits)
    if running.reason:
        _kill(running)


def _kill(running: _Running) -> None:
    """Kill the kernel with all that it started; the init process then ends by itself."""
    pids = process_tree(running.pid) if running.pid else [running.init]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Serve on the socket that the command line names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    server = Server(sys.argv[1])
    imports.import_all()
    try:
        server.run()
    finally:
        server.stop()
        shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)  # also if its maker is dead
        os._exit(0)  # frozen objects are not worth a tidy end


if __name__ == "__main__":
    main()
