"""No wait on the road of a submission is without a deadline: else one submission stops a class.

A call that can wait for ever gets a timeout, or stands below with what ends it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDERS = ("autograder/engine", "autograder/grading", "autograder/nbgrader_plugins")
TIMED = {"acquire", "communicate", "get_msg", "join", "poll", "result", "select", "wait"}
"""Calls that wait for ever unless they get a number."""
UNTIMED = {"accept", "flock", "lockf", "os.read", "readline", "recv", "recv_bytes", "recv_fds",
           "recv_into", "recvmsg", "send_bytes", "sendall", "subprocess.run", "wait4",
           "waitpid"}  # fmt: skip
"""Calls that wait for ever and take no number."""
ENDED = {
    "client.py: Connection.__init__: sendall": "the socket's timeout",
    "client.py: Connection._read_message: recv": "the socket's timeout",
    "client.py: Connection.own_seconds: sendall": "the socket's timeout",
    "client.py: Connection.signal: sendall": "the socket's timeout",
    "client.py: Engine.revive: poll": "asks a child, and does not wait",
    "client.py: Connection.wait_for_end: poll": "the socket's timeout",
    "graded_kernel.py: Kernel.run: poll": "the socket's timeout, of 0",
    "judge_client.py: JudgeClient._connect: sendall": "the socket's timeout",
    "judge_client.py: JudgeClient._connect: settimeout": "SO_RCVTIMEO and SO_SNDTIMEO come next",
    "judge_client.py: _await_start: recv_bytes": "SO_RCVTIMEO",
    "judge_server.py: receive: recv_bytes": "the client's SO_RCVTIMEO; the server lives for it",
    "judge_server.py: send: send_bytes": "the client's SO_SNDTIMEO; the server's alarm",
    "judge_server.py: serve: send_bytes": "a few bytes, for which there is room",
    "kernel.py: run_init: read": "the client's timeout for a start, which ends this process",
    "kernel.py: run_init: waitpid": "as long as the kernel, which the server ends",
    "provisioner.py: WarmProvisioner.poll: poll": "the socket's timeout, of 0",
    "provisioner.py: WarmProvisioner.wait: poll": "the socket's timeout, of 0",
    "server.py: Server._accept: accept": "the selector says that there is a client",
    "server.py: Server._accept: readline": "the socket's timeout",
    "server.py: Server._accept: settimeout": "the selector tells when to read",
    "server.py: Server._finish: wait4": "its pipe has ended, which it alone holds",
    "server.py: Server._handle_command: recv": "the selector says that there is something",
    "server.py: Server._reap: waitpid": "its pipe has ended, which it alone holds",
    "server.py: Server._report: read": "the selector says that there is something",
    "server.py: Server._start_kernel: sendall": "a few bytes, for which there is room",
    "server.py: _send_line: sendall": "MSG_DONTWAIT",
    "session.py: hold_run_lock: flock": "LOCK_NB",
    "shard.py: _lock: flock": "LOCK_NB",
    "worker_pool.py: WorkerPool._collect: recv_bytes": "`wait` says that there is something",
    "worker_pool.py: WorkerPool._hand_out: send_bytes": "a few bytes, for which there is room",
    "worker_pool.py: _serve: recv_bytes": "as long as the pool: its end closes the pipe",
    "worker_pool.py: _serve: send_bytes": "the pool's time limit for a task",
}


def waits(path: Path) -> Iterator[str]:
    """The calls in a module that can wait for ever, with the function that they stand in."""

    def walk(node: ast.AST, inside: tuple[str, ...]) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            name = (*inside, child.name) if named else inside  # type: ignore[attr-defined]
            if isinstance(child, ast.Call) and (called := may_wait(child)):
                yield f"{path.name}: {'.'.join(inside)}: {called}"
            yield from walk(child, name)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), ())


def may_wait(call: ast.Call) -> str:
    """The name of a function that is called and can wait for ever, or ""."""
    whole = ast.unparse(call.func)
    name = whole.rpartition(".")[2]
    timeouts = [word.value for word in call.keywords if "timeout" in (word.arg or "")]
    if "." not in whole or not all(map(is_none, timeouts)) or ("timeout" in name and not call.args):
        return ""
    if name in TIMED:
        forever = all(map(is_none, call.args))
    elif name == "settimeout":
        forever = is_none(call.args[0])
    else:
        forever = {name, whole} & UNTIMED != set()
    return name if forever else ""


def is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def test_every_wait_has_a_deadline(root: Path) -> None:
    modules = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    found = {wait for module in modules for wait in waits(module)}
    assert found - set(ENDED) == set(), "give it a timeout, or say above what ends it"
    assert set(ENDED) - found == set(), "these are no more"


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("thread.join()", 1),
        ("thread.join(5)", 0),
        ("process.wait(timeout=None)", 1),
        ("process.wait(timeout=5)", 0),
        ("', '.join(names)", 0),
        ("connection.poll(None)", 1),
        ("connection.recv_bytes()", 1),
        ("subprocess.run(['x'])", 1),
        ("subprocess.run(['x'], timeout=9)", 0),
        ("runner.run(source)", 0),
        ("os.read(end, 9)", 1),
        ("sock.settimeout(None)", 1),
    ],
)
def test_it_would_notice(tmp_path: Path, source: str, count: int) -> None:
    module = tmp_path / "module.py"
    module.write_text(f"def road():\n    {source}\n", encoding="utf-8")
    assert len(list(waits(module))) == count
