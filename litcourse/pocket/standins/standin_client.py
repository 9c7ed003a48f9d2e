"""What every stand-in runs: it reports itself to the pocket, and does what the pocket says.

Starts in a few milliseconds, so it imports nothing but what is built into the interpreter.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import posix
import sys

_CAUGHT = (
    (1, 2, 3, 10, 12, 14, 15, 18) if sys.platform == "linux" else (1, 2, 3, 14, 15, 19, 30, 31)
)
"""HUP INT QUIT USR1 USR2 ALRM TERM CONT: the pocket decides what they do."""
_CHILD = 17 if sys.platform == "linux" else 20


def main(command: str, folder: str) -> None:
    """Report `command` to the pocket whose socket lies in `folder`."""
    wake_read, wake_write = posix.pipe()
    for end in (wake_read, wake_write):
        posix.set_blocking(end, False)
    _signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (*_CAUGHT, _CHILD):
        _signal.signal(number, _ignore)
    link = _connect(folder)
    words = [command, *sys.argv[1:]]
    # Python itself sets LC_CTYPE where the locale is C (PEP 538).
    mine = {k: v for k, v in posix.environ.items() if (k, v) != (b"LC_CTYPE", b"C.UTF-8")}
    variables = [name + b"=" + value for name, value in mine.items()]
    parts = [b"start", b"%d" % posix.getpid(), b"%d" % len(words), _cwd(), *map(_bytes, words)]
    _say(link, parts + variables)
    _Loop(link, wake_read).run()


def _ignore(*_: object) -> None:
    """A handler that does nothing: the wake-up pipe tells of the signal."""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _cwd() -> bytes:
    try:
        return posix.getcwdb()
    except OSError:
        return b"/"


def _connect(folder: str) -> "_socket.socket":
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    here = posix.open(".", posix.O_RDONLY)
    try:
        posix.chdir(folder)  # a socket's path has at most 107 characters
        link.connect("reports")
    except OSError:
        posix.write(2, b"the pocket Slurm of this command has ended\n")
        posix._exit(1)  # noqa: SLF001  (os is not imported)
    finally:
        posix.fchdir(here)
        posix.close(here)
    return link


def _say(link: "_socket.socket", parts: list[bytes]) -> None:
    body = b"\0".join(parts)
    link.sendall(len(body).to_bytes(4, "little") + body)


class _Loop:
    def __init__(self, link: "_socket.socket", wake: int) -> None:
        import select

        self.link, self.wake, self.buffer = link, wake, b""
        self.children: dict[int, int] = {}
        self.labels: dict[int, tuple[bytes, bytes]] = {}
        self.poll = select.poll()
        for end in (link.fileno(), wake):
            self.poll.register(end, select.POLLIN)
        self.readable = select.POLLIN

    def run(self) -> None:
        while True:
            for end, _ in self.poll.poll():
                if end == self.wake:
                    self.signalled()
                elif end == self.link.fileno():
                    self.receive()
                else:
                    self.relay(end)

    def signalled(self) -> None:
        try:
            numbers = posix.read(self.wake, 4096)
        except OSError:
            return
        for number in numbers:
            if number != _CHILD:
                _say(self.link, [b"signal", b"%d" % number])
        self.reap()

    def reap(self) -> None:
        while self.children:
            try:
                pid, status = posix.waitpid(-1, posix.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            index = self.children.pop(pid, None)
            if index is not None:
                for end in [e for e, (label, _) in self.labels.items() if label == b"%d: " % index]:
                    self.relay(end, last=True)
                code = posix.waitstatus_to_exitcode(status)
                _say(self.link, [b"ended", b"%d" % index, b"%d" % code])

    def receive(self) -> None:
        data = self.link.recv(1 << 18)
        if not data:
            posix._exit(1)  # noqa: SLF001
        self.buffer += data
        while len(self.buffer) >= 4:  # noqa: PLR2004
            length = int.from_bytes(self.buffer[:4], "little")
            if len(self.buffer) < 4 + length:
                return
            body, self.buffer = self.buffer[4 : 4 + length], self.buffer[4 + length :]
            self.do(*body.split(b"\0"))

    def do(self, verb: bytes, *parts: bytes) -> None:
        if verb == b"write":
            _write_all(int(parts[0]), b"\0".join(parts[1:]))
        elif verb == b"exit":
            for end in list(self.labels):
                self.relay(end, last=True)
            posix._exit(int(parts[0]))  # noqa: SLF001
        elif verb == b"die":
            number = int(parts[0])
            _signal.signal(number, _signal.SIG_DFL)
            posix.kill(posix.getpid(), number)
        elif verb in {b"drain", b"keep"}:
            _say(self.link, [b"drained", b"%d" % _drain(parts[0] if parts else None)])
        elif verb == b"cd":
            posix.chdir(parts[0])
        elif verb == b"run":
            self.start(parts)

    def start(self, parts: tuple[bytes, ...]) -> None:
        """Start a task of whose words there are `count`; the rest are its variables."""
        index, file, source, output, error, label, count, *rest = parts
        words, variables = rest[: int(count)], rest[int(count) :]
        pairs = (item.partition(b"=") for item in variables)
        environment = {name: value for name, _, value in pairs}
        actions: list[tuple[object, ...]] = [(posix.POSIX_SPAWN_OPEN, 0, source, posix.O_RDONLY, 0)]
        append = posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND
        ends: tuple[int, ...] = ()
        if label == b"1":
            ends = posix.pipe()
            actions += [(posix.POSIX_SPAWN_DUP2, ends[1], 1), (posix.POSIX_SPAWN_DUP2, ends[1], 2)]
        if output:
            actions.append((posix.POSIX_SPAWN_OPEN, 1, output, append, 0o644))
        if error:
            actions.append((posix.POSIX_SPAWN_OPEN, 2, error, append, 0o644))
        elif output:
            actions.append((posix.POSIX_SPAWN_DUP2, 1, 2))
        try:
            pid = posix.posix_spawn(
                file, words, environment, file_actions=actions, setsigdef=(*_CAUGHT, _CHILD)
            )
        except OSError as problem:
            _say(self.link, [b"ended", index, b"%d" % (problem.errno or 1)])
            return
        finally:
            if ends:
                posix.close(ends[1])
        self.children[pid] = int(index)
        if ends:
            posix.set_blocking(ends[0], False)
            self.labels[ends[0]] = (b"%d: " % int(index), b"")
            self.poll.register(ends[0], self.readable)
        _say(self.link, [b"child", index, b"%d" % pid])
        self.reap()

    def relay(self, end: int, *, last: bool = False) -> None:
        """Write what a labelled task has written, line by line."""
        label, left = self.labels[end]
        while True:
            try:
                data = posix.read(end, 1 << 16)
            except BlockingIOError:
                if not last:
                    break
                data = b""
            left += data
            if not data:
                left, last = left + (b"\n" if left else b""), True
            *lines, left = left.split(b"\n")
            _write_all(1, b"".join(label + line + b"\n" for line in lines))
            if not data:
                break
        if last:
            self.poll.unregister(end)
            posix.close(end)
            del self.labels[end]
        else:
            self.labels[end] = (label, left)


def _write_all(stream: int, data: bytes) -> None:
    while data:
        try:
            data = data[posix.write(stream, data) :]
        except BlockingIOError:
            continue
        except OSError:
            return


def _drain(path: "bytes | None") -> int:
    """Read standard input, as srun does, into the file `path`; how many bytes there were.

    Without `path` no more than what is there at once is read.
    """
    import select

    ready = select.poll()
    ready.register(0, select.POLLIN)
    size, target = 0, None
    if path is not None:
        target = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o600)
    try:
        while size < 1 << 24 and (target is not None or ready.poll(0)):
            data = posix.read(0, 1 << 16)
            if not data:
                break
            size += len(data)
            if target is not None:
                _write_all(target, data)
    except OSError:
        return size
    finally:
        if target is not None:
            posix.close(target)
    return size
