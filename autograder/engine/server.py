"""The warm process: `python -m autograder.engine.server SOCKET` with a scrubbed environment.

It imports once, then forks a kernel or a judge server for every connection. A client asks for a
kernel by one line of JSON (`provisioner`); lines of JSON reply: its pid, that it is ready, how it
ended. The kernel ends when its client closes the connection, the server when its standard input
closes. Meanwhile the client can ask how much time the kernel had for itself. A judge server
(`judge_server`) draws inputs and judges; it takes over the connection.

The server is single-threaded, as a fork with a new user namespace requires. It knows no secret:
neither the course nor the gradebook nor a student's name.
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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autograder.engine import (
    cgroups,
    imports,
    judge_server,
    kernel,
    syscalls,
    user_quotas,
    watch,
)
from autograder.engine.limits import MEBI, Limits
from litcourse.ranks.processes import process_tree, read

_LINE_SECONDS = 10.0
"""Seconds that a client has for the line that says what it wants: the others wait meanwhile."""
TICK = 0.2
"""Seconds between two measurements of the kernels."""
MAX_LINE = 2**20
_FIRST = -10
"""Nice value of the server, if it is root: it has to measure kernels, however many processes want
a processor. Without, forty that spin kept it from that for ten seconds."""


@dataclass
class _KernelHandle:
    """A kernel, its init process and its client.

    Args:
        connection: the connection to the client.
        limits: limits of the kernel.
        init: pid of the init process.
        pipe: file descriptor for the reports of the init process.
        baseline: bytes of memory that the kernel shares with the server.
        pid: pid of the kernel; 0 until the init process reports it.
        watcher: measures the kernel; None until there is a pid.
        reason: the limit that the kernel exceeded, or "".
        usage: the last measurement.
        status: the kernel's wait status; None until the init process reports it.
        text: an unfinished line of the init process.
        group: its control group, or None.
        disturbed: what others took all of, so that this one may have missed it.
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
    status: int | None = None
    group: Path | None = None
    disturbed: str = ""

    def measure(self) -> watch.Usage:
        """Its usage of now, from /proc and its control group."""
        if self.watcher is None:
            self.watcher = watch.Watch(self.pid, self.baseline)
        usage = self.watcher.usage(self.limits.memory_mib * MEBI)
        counted = cgroups.cpu_seconds(self.group) if self.group else None
        return replace(usage, cpu_seconds=max(usage.cpu_seconds, counted or 0.0))


class Server:
    """Accepts connections on `path` until standard input ends.

    Args:
        path: path of the socket.
        fault: why there can be no sandbox, or "".
    """

    def __init__(self, path: str, fault: str) -> None:
        self._fault, self._most = fault, user_quotas.most_processes()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(64)  # clients can connect from now on, and wait for the imports
        self._selector = selectors.DefaultSelector()
        self._kernels: dict[int, _KernelHandle] = {}
        self._nice = os.getpriority(os.PRIO_PROCESS, 0)

    def run(self) -> None:
        """Serve until standard input ends."""
        _go_first()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
        while True:
            for key, _ in self._selector.select(TICK):
                if key.data is None:
                    return
                key.data(key.fileobj)
            for handle in self._kernels.values():
                _watch(handle)
            self._note_exhausted()

    def _note_exhausted(self) -> None:
        """Note on all kernels that they may have missed what others took.

        Of one user, what one of them took: a kernel that is alone misses what it took itself.
        """
        handles = list(self._kernels.values())
        if handles and user_quotas.is_crowded(read("/proc/loadavg"), self._most):
            for handle in handles:
                handle.disturbed = handle.disturbed or "processes of the machine"
        if os.geteuid() == 0 or len(handles) < 2:  # noqa: PLR2004 (there is another)
            return
        what = user_quotas.find_exhausted(min(handle.limits.open_files for handle in handles))
        for handle in handles:
            if what:
                handle.disturbed = handle.disturbed or f"{what} of the grader's user"

    def stop(self) -> None:
        """End every kernel."""
        for handle in self._kernels.values():
            _kill(handle)

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:  # no file is left on the machine: the client tries again
            return
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            connection.settimeout(_LINE_SECONDS)
            line = connection.makefile("rb").readline(MAX_LINE)
            connection.settimeout(None)  # of a blocking one, the selector tells when to read
            request = json.loads(line)
            if "judge" in request:
                imports.rehearse_draws(request["judge"])  # before the first fork that draws
                self._start_judge(connection)
            else:
                self._start_kernel(connection, request)
            return
        connection.close()

    def _start_judge(self, connection: socket.socket) -> None:
        """Fork a judge server; it ends when its client closes the connection."""
        read_end, write_end = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                syscalls.die_with_parent(signal.SIGKILL)
                os.setpriority(os.PRIO_PROCESS, 0, self._nice)
                kernel.close_others({connection.fileno(), write_end})
                judge_server.serve(connection)
            finally:
                os._exit(0)  # never back into the server's loop
        os.close(write_end)
        connection.close()
        self._selector.register(read_end, selectors.EVENT_READ, lambda _: self._reap(pid, read_end))

    def _reap(self, pid: int, read_end: int) -> None:
        self._selector.unregister(read_end)
        os.close(read_end)
        os.waitpid(pid, 0)

    def _start_kernel(self, connection: socket.socket, request: dict[str, Any]) -> None:
        if self._fault and request["sandbox"]:
            connection.sendall(json.dumps({"error": self._fault}).encode() + b"\n")
            connection.close()
            return
        read_end, write_end = os.pipe()
        limits, group = Limits(**request["limits"]), cgroups.make_group()
        init = os.fork()
        if not init:
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.setpriority(os.PRIO_PROCESS, 0, self._nice)
                if group:
                    cgroups.enter(group)
                kernel.run_init(request, limits, write_end)
            finally:
                os._exit(1)  # never back into the server's loop
        os.close(write_end)
        handle = _KernelHandle(connection, limits, init, read_end, watch.own_memory(), group=group)
        self._kernels[init] = handle
        self._selector.register(read_end, selectors.EVENT_READ, lambda _: self._report(handle))
        self._selector.register(
            connection, selectors.EVENT_READ, lambda _: self._handle_command(handle)
        )

    def _report(self, handle: _KernelHandle) -> None:
        """Pass on the reports of the init process; at its end report how the kernel ended."""
        data = os.read(handle.pipe, 65536)
        if not data:
            self._finish(handle)
            return
        handle.text += data
        *lines, handle.text = handle.text.split(b"\n")
        for line in lines:
            message = json.loads(line)
            handle.pid = message.get("pid", handle.pid)
            handle.status = message.get("status", handle.status)
            _send_line(handle, line)

    def _finish(self, handle: _KernelHandle) -> None:
        _, status, usage = os.wait4(handle.init, 0)
        counted = cgroups.cpu_seconds(handle.group) if handle.group else None
        seconds = max(usage.ru_utime + usage.ru_stime, handle.usage.cpu_seconds, counted or 0.0)
        if handle.group:
            cgroups.remove(handle.group)
        if not handle.reason and seconds > handle.limits.cpu_seconds:
            handle.reason = "cpu"  # the operating system's own limit came first
        status = status if handle.status is None else handle.status
        ended = {"ended": status, "reason": handle.reason, "cpu_seconds": seconds}
        # Who exceeded a limit of its own pays for that; the others run again.
        ended["disturbed"] = "" if handle.reason else handle.disturbed
        _send_line(handle, json.dumps(ended).encode())
        self._selector.unregister(handle.pipe)
        os.close(handle.pipe)
        with contextlib.suppress(KeyError):
            self._selector.unregister(handle.connection)
        handle.connection.close()
        del self._kernels[handle.init]

    def _handle_command(self, handle: _KernelHandle) -> None:
        """Send the signals that the client asks for, or tell it a time; no client, no kernel."""
        try:
            data = handle.connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(handle.connection)
            _kill(handle)
            return
        for line in data.splitlines():
            command = json.loads(line)
            if "since" in command:
                seconds = handle.watcher.own_seconds(command["since"]) if handle.watcher else 0.0
                _send_line(handle, json.dumps({"own_seconds": seconds}).encode())
                continue
            number = int(command["signal"])
            if number == signal.SIGKILL:
                _kill(handle)
            elif handle.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(handle.pid, number)


def _go_first() -> None:
    """Have this process run before kernels, if it may: its nice value, and its session's.

    Each kernel has a session of its own, and Linux may share the time among sessions first
    (autogroups, see sched(7)).
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _FIRST)
        Path("/proc/self/autogroup").write_text(str(_FIRST), encoding="ascii")


def _send_line(handle: _KernelHandle, line: bytes) -> None:
    with contextlib.suppress(OSError):
        handle.connection.sendall(line + b"\n", socket.MSG_DONTWAIT)


def _watch(handle: _KernelHandle) -> None:
    if not handle.pid or handle.reason:
        return
    handle.usage = handle.measure()
    handle.reason = watch.exceeded_limit(handle.usage, handle.limits)
    if handle.reason:
        _kill(handle)


def _kill(handle: _KernelHandle) -> None:
    """Kill the kernel with every process that it started; the init process then ends by itself."""
    pids = process_tree(handle.pid) if handle.pid else [handle.init]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Serve on the socket that the command line names."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the program that started the server
    server = Server(sys.argv[1], "".join(sys.argv[2:]))
    imports.import_all()
    try:
        server.run()
    finally:
        server.stop()
        cgroups.remove_all()
        shutil.rmtree(
            Path(sys.argv[1]).parent, ignore_errors=True
        )  # also if the program that made it is dead
        os._exit(0)  # freeing the frozen objects would take long


if __name__ == "__main__":
    main()
