"""Starts the warm process of this program and asks it for kernels and judge servers."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from autograder.engine import interpreter
from autograder.engine.interpreter import SERVER
from litcourse.core.environment import hold, sweep

KEPT_VARIABLES = ("LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "TMPDIR")
"""What the warm process takes over of the environment, and kernels from it."""
_STOP_SECONDS = 5.0
"""Seconds that the server has to end after its standard input was closed."""
_RETRY_SECONDS = 0.02
_MOST_DEATHS, _SHORT_LIFE = 3, 120.0
"""A warm process that dies so many times in a row, each time within so many seconds, is given
up."""
LOST = -1
"""In place of a wait status: the warm process has ended, and its kernels with it."""


_PREFIX = "warm-"
"""Of the folder of a run, which holds students' work: the next run removes what a kill left."""
_LONGEST_PLACE = 50
"""Characters of the folder above that of a run: a socket's path in it has at most 107."""


class EngineError(RuntimeError):
    """The warm process gives no kernel or judge server; the message says why."""


class Engine:
    """The warm process of this program. It ends when this program does.

    If it is killed, the process that made this object starts another at the same socket; forks of
    that process wait for it.
    """

    def __init__(self) -> None:
        for place in {Path(tempfile.gettempdir()), _place()}:
            sweep(place, _PREFIX)
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_place()))
        self._lock = hold(self.folder)
        self.socket = self.folder / "socket"
        self._owner, self._deaths = os.getpid(), 0
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._started = time.monotonic()
        self.socket.unlink(missing_ok=True)  # of one that was killed
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin:/bin"])
        environment["HOME"] = str(self.folder)  # so that it reads nobody's settings
        # torch would make a folder in TMPDIR, of a name that other users know, and leave it there.
        environment["TORCHINDUCTOR_CACHE_DIR"] = str(self.folder / "inductor")
        environment["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # or importing the debugger warns
        module = SERVER if os.geteuid() == 0 else interpreter.__name__
        return subprocess.Popen(
            [sys.executable, "-m", module, str(self.socket)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process id of the warm process."""
        return self._process.pid

    def connect(self, timeout: float) -> socket.socket:
        """A connection to the warm process; the client's first line says what it wants.

        Raises:
            EngineError: there was no warm process for `timeout` seconds, it is given up, or
                somebody else's socket is in its place.
        """
        deadline = time.monotonic() + timeout
        while True:
            self.revive()
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(timeout)
            try:
                connection.connect(str(self.socket))
            except OSError as error:
                connection.close()
                if time.monotonic() > deadline or not self.folder.is_dir():
                    raise EngineError(f"the warm process has ended: {error}") from error
                time.sleep(_RETRY_SECONDS)
            else:
                _check_owner(connection)
                return connection

    def revive(self) -> None:
        """Start another warm process if this one was killed; a fork of the owner can't.

        Raises:
            EngineError: it died too often, or its folder is somebody else's.
        """
        if os.getpid() != self._owner or self._process.poll() is None:
            return
        lived = time.monotonic() - self._started
        self._deaths = self._deaths + 1 if lived < _SHORT_LIFE else 1
        if self._deaths >= _MOST_DEATHS:
            shutil.rmtree(self.folder, ignore_errors=True)  # so that nobody waits for it
            raise EngineError(f"the warm process has ended {self._deaths} times in a row")
        if self._process.stdin:
            self._process.stdin.close()
        if not self.folder.is_dir():  # one that ends by itself removes it
            with contextlib.suppress(FileExistsError):
                self.folder.mkdir(mode=0o700)
                os.close(self._lock)
                self._lock = hold(self.folder)
        if self.folder.lstat().st_uid != os.geteuid():  # who was faster in /tmp
            raise EngineError(f"{self.folder} is somebody else's")
        self._process = self._start()

    def stop(self) -> None:
        """End the warm process and all its kernels; a second call does nothing."""
        if os.getpid() != self._owner:
            return
        if self._process.stdin:
            self._process.stdin.close()
        self._process.terminate()  # it may still be importing; its kernels die with it
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


def _check_owner(connection: socket.socket) -> None:
    """Check that a process of this user listens at the other end: it gives verdicts.

    A folder that a warm process has removed could come again, by another user of the machine.

    Raises:
        EngineError: it is somebody else's.
    """
    size = struct.calcsize("3i")
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    if struct.unpack("3i", found)[1] != os.geteuid():
        connection.close()
        raise EngineError("the socket of the warm process is somebody else's")


def _place() -> Path:
    """The folder above that of a run: TMPDIR, or /tmp if that is too long for sockets."""
    place = tempfile.gettempdir()
    return Path(place if len(place) <= _LONGEST_PLACE else "/tmp")  # noqa: S108 (mkdtemp is private)


_shared: Engine | None = None


def engine() -> Engine:
    """The engine of this program; the first call starts it, and a fork inherits it."""
    global _shared  # noqa: PLW0603 (one per program)
    if _shared is None:
        _shared = Engine()
        atexit.register(stop)
    return _shared


def scratch() -> Path | None:
    """Where this run makes its folders; None, which is the system's place, if it has no engine."""
    return _shared.folder if _shared is not None else None


def stop() -> None:
    """End the engine of this program, if it has one."""
    global _shared  # noqa: PLW0603 (as above)
    if _shared is not None:
        _shared.stop()
        _shared = None


def connect(timeout: float) -> socket.socket:
    """A connection to the engine of this program."""
    return engine().connect(timeout)


def revive() -> None:
    """Start another warm process if that of this program was killed: its forks wait for it.

    Raises:
        EngineError: it died too often.
    """
    if _shared is not None:
        _shared.revive()


class Connection:
    """The client's end of the connection to one kernel.

    Args:
        request: what `kernel.run_init` takes.
        timeout: seconds until the kernel must be ready, the warm process's imports included.

    Raises:
        EngineError: the kernel did not start; the message says why.
    """

    def __init__(self, request: dict[str, Any], timeout: float) -> None:
        self.pid = 0
        self.ended: dict[str, Any] | None = None
        self._buffer = b""
        self._socket = connect(timeout)
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            self._await_ready()
        except OSError as error:
            self.close()
            raise EngineError(f"no kernel within {timeout:.0f} s: {error}") from error
        except EngineError:
            self.close()
            raise

    def _await_ready(self) -> None:
        while True:
            message = self._read_message()
            if message.get("ready"):
                self._socket.settimeout(0.0)
                return
            if "error" in message or "ended" in message:
                raise EngineError(message.get("error", f"the kernel died at its start: {message}"))

    def _read_message(self) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                raise EngineError("the warm process ended")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        self.pid = message.get("pid", self.pid)
        return message

    def poll(self) -> dict[str, Any] | None:
        """None while it runs, then its end.

        Returns:
            `ended` (a wait status; -1 if the warm process is gone), `reason` (the limit for which
            it was ended, or "") and `cpu_seconds`.
        """
        while self.ended is None:
            try:
                message = self._read_message()
            except (BlockingIOError, TimeoutError):
                return None
            except (OSError, EngineError):
                message = {"ended": LOST, "reason": "", "cpu_seconds": 0.0}
            if "ended" in message:
                self.ended = message
        return self.ended

    def wait_for_end(self, seconds: float) -> dict[str, Any]:
        """Wait up to `seconds` for the kernel's end: as `poll`, {} if it has not ended."""
        deadline = time.monotonic() + seconds
        while self.ended is None and (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            self.poll()
        return self.ended or {}

    def own_seconds(self, since: float, seconds: float) -> float | None:
        """Seconds that the kernel had for itself, see `litcourse.ranks.own_time`.

        Args:
            since: a moment of `time.monotonic`.
            seconds: how long to wait for the answer.

        Returns:
            None if the kernel has ended, or the warm process does not answer.
        """
        if self.ended is not None:
            return None
        deadline = time.monotonic() + seconds
        try:
            self._socket.sendall(json.dumps({"since": since}).encode() + b"\n")
            while True:
                self._socket.settimeout(max(0.0, deadline - time.monotonic()))
                message = self._read_message()
                if "own_seconds" in message:
                    return float(message["own_seconds"])
                if "ended" in message:
                    self.ended = message
                    return None
        except (OSError, EngineError):
            return None
        finally:
            self._socket.settimeout(0.0)

    def signal(self, number: int) -> None:
        """Send a signal to the kernel; SIGKILL also goes to every process that it started."""
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps({"signal": number}).encode() + b"\n")

    def close(self) -> None:
        """Close the connection, which ends the kernel."""
        self._socket.close()
