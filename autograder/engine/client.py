"""Starts the warm process of this program and asks it for kernels and judge servers."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

KEPT_VARIABLES = ("LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "TMPDIR")
"""What the warm process takes over of the environment, and kernels from it."""
_STOP_SECONDS = 5.0
"""Seconds that the server has to end after its standard input was closed."""
_RETRY_SECONDS = 0.02
LOST = -1
"""In place of a wait status: the warm process has ended, and its kernels with it."""


class EngineError(RuntimeError):
    """The warm process gives no kernel or judge server; the message says why."""


class Engine:
    """The warm process of this program. It ends when this program does."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="warm-"))
        self.socket = self._folder / "socket"
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin:/bin"])
        environment["HOME"] = str(self._folder)  # so that it reads nobody's settings
        environment["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # or importing the debugger warns
        self._process = subprocess.Popen(
            [sys.executable, "-m", "autograder.engine.server", str(self.socket)],
            cwd=self._folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._owner = os.getpid()

    @property
    def pid(self) -> int:
        """Process id of the warm process."""
        return self._process.pid

    def connect(self, timeout: float) -> socket.socket:
        """A connection to the warm process; the client's first line says what it wants.

        Raises:
            EngineError: the warm process has ended.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        while True:
            try:
                connection.connect(str(self.socket))
            except (FileNotFoundError, ConnectionRefusedError):
                if not self._is_alive():
                    connection.close()
                    raise EngineError("the warm process has ended") from None
                time.sleep(_RETRY_SECONDS)
            else:
                return connection

    def _is_alive(self) -> bool:
        if os.getpid() == self._owner:
            return self._process.poll() is None
        return Path(f"/proc/{self.pid}").exists()

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
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


_shared: Engine | None = None


def engine() -> Engine:
    """The engine of this program; the first call starts it, and a fork inherits it."""
    global _shared  # noqa: PLW0603 (one per program)
    if _shared is None:
        _shared = Engine()
        atexit.register(stop)
    return _shared


def stop() -> None:
    """End the engine of this program, if it has one."""
    global _shared  # noqa: PLW0603 (as above)
    if _shared is not None:
        _shared.stop()
        _shared = None


def connect(timeout: float) -> socket.socket:
    """A connection to the engine of this program; starts another one if it was killed."""
    try:
        return engine().connect(timeout)
    except EngineError:
        stop()
        return engine().connect(timeout)


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
        self._socket.settimeout(seconds)
        return self.poll() or {}

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
        self._socket.settimeout(seconds)
        try:
            self._socket.sendall(json.dumps({"since": since}).encode() + b"\n")
            while True:
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
