"""A Jupyter kernel provisioner for warm kernels; the kernel specification names it.

Anything that starts kernels through jupyter_client can use it: `NotebookClient(notebook,
kernel_name="litcourse-graded")`, nbgrader, `jupyter execute`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Bool, Dict, Instance, Integer, Unicode

from autograder.engine import sandbox
from autograder.engine.client import Connection, engine
from autograder.engine.limits import Limits

POLL = 0.02
"""Seconds between two polls of a kernel."""


class WarmProvisioner(KernelProvisionerBase):
    """Forks a kernel from the warm process, in the sandbox unless told otherwise.

    The kernel's working folder holds a copy of the files in `cwd`. The sandbox discards it at the
    end.
    """

    sandbox = Bool(default_value=True, help="Isolate the kernel.").tag(config=True)
    limits = Dict(help="Limits by name, for `autograder.engine.limits.Limits`.").tag(config=True)
    startup_seconds = Integer(120, help="Time limit of a start.").tag(config=True)
    folder = Unicode(help="Where the kernel's folders are made.")
    link = Instance(Connection, allow_none=True)

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel."""
        return self.link is not None

    @property
    def channel(self) -> Path:
        """Folder that the kernel sees; an isolated kernel sees it at `sandbox.CHANNEL`."""
        return Path(self.folder) / "channel"

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Make the kernel's folders and tell Jupyter where its sockets will be."""
        # Short names: a socket's path has at most 107 characters.
        self.folder = tempfile.mkdtemp(
            prefix="k", dir=kwargs.pop("folder", None) or engine().folder
        )
        for name in ("channel", "root", "empty"):
            (Path(self.folder) / name).mkdir()
        (self.channel / "evidence").touch()
        manager: Any = self.parent
        manager.transport, manager.ip = "ipc", str(self.channel / "k")
        manager.cache_ports = False
        # Jupyter would write it, with the key of its sockets, where nobody sweeps after a kill.
        manager.connection_file = str(Path(self.folder) / "connection.json")
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Ask the warm process for a kernel and wait until it is ready."""
        del cmd
        work = Path(kwargs.get("cwd") or Path(self.folder) / "empty")
        request = self._request(work, kwargs.get("env") or {})
        loop = asyncio.get_running_loop()
        self.link = await loop.run_in_executor(None, Connection, request, self.startup_seconds)
        return self.connection_info

    def _request(self, work: Path, environment: dict[str, str]) -> dict[str, Any]:
        isolated = self.sandbox
        info = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in self.connection_info.items()
        }
        if isolated:
            info["ip"] = str(sandbox.CHANNEL / "k")
        home = str(sandbox.HOME) if isolated else str(Path(self.folder) / "empty")
        private = "/tmp" if isolated else home  # noqa: S108 (no submitted file lies there)
        return {
            "sandbox": isolated,
            "limits": asdict(Limits(**self.limits)),
            "connection": info,
            "connection_file": str(Path(private) / ".kernel.json"),
            "environment": _environment(environment, home, private),
            "place": {
                "channel": str(self.channel),
                "root": str(Path(self.folder) / "root"),
                "work": str(work),
                "hidden": [str(path) for path in _hidden()],
                "visible": [str(path) for path in _visible()],
            },
        }

    async def poll(self) -> int | None:
        """None while the kernel runs, else its exit code."""
        if self.link is None:
            return 0
        ended = self.link.poll()
        return None if ended is None else int(ended["ended"]) or 0

    async def wait(self) -> int | None:
        """Wait for the kernel's end, for as long as a start may take."""
        deadline = time.monotonic() + self.startup_seconds
        while await self.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110 (Jupyter's way)
            await asyncio.sleep(POLL)
        return await self.poll()

    async def send_signal(self, signum: int) -> None:
        """Send a signal, SIGINT for instance."""
        if self.link is not None:
            self.link.signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and all that it started."""
        del restart
        await self.send_signal(9)

    async def terminate(self, restart: bool = False) -> None:
        """As `kill`: a sandbox has nothing to save."""
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        """Close the connection and delete the kernel's folders."""
        del restart
        if self.link is not None:
            self.link.close()
            self.link = None
        shutil.rmtree(self.folder, ignore_errors=True)


def _environment(requested: dict[str, str], home: str, private: str) -> dict[str, str]:
    """The variables of a graded kernel; of those requested only nbgrader's and the locale."""
    kept = ("NBGRADER_", "LC_")
    return {
        **{name: value for name, value in requested.items() if name.startswith(kept)},
        "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), "/usr/bin", "/bin"]),
        "HOME": home,
        "USER": "student",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",  # noqa: S108 (the sandbox's own)
        "IPYTHONDIR": str(Path(private) / ".ipython"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


def _visible() -> list[Path]:
    import litcourse

    return [Path(sys.prefix), Path(sys.base_prefix), *map(Path, litcourse.__path__)]


def _hidden() -> list[Path]:
    import autograder

    return [Path(folder) for folder in autograder.__path__]
