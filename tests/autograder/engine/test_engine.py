"""The warm process and its kernels: started, isolated from each other, ended, replaced."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from autograder.bank import without_markers
from autograder.course import Course
from autograder.demo.made_up_students import copy_course, fill_notebook, hand_in, read_points
from autograder.engine import client, syscalls
from autograder.nbgrader_plugins.graded_kernel import Kernel
from tests.course import points_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_engine")]

LAB, QUESTION = "lab1_mnist", "wrap"
SECONDS = 60
STATE = """
import logging, os, random, signal, sys, warnings
import numpy as np, torch
state = {
    "environment": dict(os.environ),
    "files": sorted(os.listdir("/tmp")) + sorted(os.listdir(".")) + sorted(os.listdir("/dev/shm")),
    "modules": sorted(sys.modules), "path": sys.path, "arguments": sys.argv,
    "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
    "torch": (str(torch.get_default_dtype()), torch.is_grad_enabled(),
              torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()),
    "hook": torch.nn.Module.__call__.__qualname__,
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGALRM)],
    "process": (os.getcwd(), os.umask(0o022), os.nice(0), os.getpriority(os.PRIO_PROCESS, 0)),
    "loggers": {name: logging.getLogger(name).level for name in ("", "lightning", "torch")},
}
"""
DRAWN = """
drawn = [random.random(), float(np.random.rand()), float(torch.rand(1)), int.from_bytes(
    __import__("multiprocessing").current_process().authkey[:6], "big")]
"""
MESS = """
import logging, os, random, signal, sys
import numpy as np, torch, wave
os.environ["MESS"] = "1"
for place in ("/tmp", ".", "/dev/shm"):
    open(f"{place}/mess", "w").write("mess")
sys.path.insert(0, "/tmp/mess")
torch.set_num_threads(7), torch.set_default_dtype(torch.float64), torch.set_grad_enabled(False)
torch.nn.Module.__call__ = lambda self: None
random.seed(1), np.random.seed(1), torch.manual_seed(1)
signal.signal(signal.SIGALRM, signal.SIG_IGN)
logging.getLogger("lightning").setLevel(99)
os.chdir("/tmp"), os.umask(0)
"""
TWO_RANKS = """
import os, torch, torch.distributed as dist
def rank(number):
    os.environ |= {"RANK": str(number), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29571"}
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1, bias=False))
    model(torch.full((1, 2), float(number))).sum().backward()
    same = model.module.weight.grad.tolist() == [[0.5, 0.5]]  # the mean of both ranks
    os._exit(0 if same else 1)
pids = []
for number in range(2):
    pid = os.fork()
    if not pid:
        try:
            rank(number)
        finally:
            os._exit(2)
    pids.append(pid)
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids])
"""


@contextmanager
def kernel(folder: Path) -> Iterator[Callable[[str], str]]:
    """A sandboxed kernel; runs cells, and returns what they print."""
    started = Kernel(folder, 2 * SECONDS, sandbox=True, limits={})
    try:
        yield lambda source: text(started, source)
    finally:
        started.stop()


def text(started: Kernel, source: str) -> str:
    outcome = started.run(source, SECONDS)
    assert (outcome.status, outcome.error) == ("done", "")
    return "".join(output.get("text", "") for output in outcome.outputs)


def test_nothing_passes_from_one_kernel_to_the_next(tmp_path: Path) -> None:
    found, drawn = [], []
    for mess in (False, True, False):
        with kernel(tmp_path) as run:
            if mess:
                run(MESS)
                continue
            found.append(ast.literal_eval(run(STATE + "print(state)")))
            drawn += ast.literal_eval(run(DRAWN + "print(drawn)"))
    assert found[0] == found[1]
    assert len(set(drawn)) == len(drawn), "two kernels draw the same numbers"
    assert not [name for name in found[0]["modules"] if name.startswith("autograder")]
    assert not list(tmp_path.iterdir()), "the kernel's folder is a copy"


def test_a_kernel_is_as_one_that_was_started_cold(tmp_path: Path) -> None:
    with kernel(tmp_path) as run:
        warm = ast.literal_eval(run(STATE + "print(state)"))
    cold = subprocess.run(
        [sys.executable, "-c", f"import lightning, torchvision\n{STATE}\nprint(state)"],
        cwd=tmp_path, env=warm["environment"] | {"HOME": str(tmp_path), "MPLBACKEND": "agg"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    state = ast.literal_eval(cold.stdout.splitlines()[-1])
    for name in ("threads", "torch", "hook", "signals", "loggers"):
        assert warm[name] == state[name], name
    assert warm["process"][1:] == state["process"][1:]
    assert not [name for name in set(state["modules"]) - set(warm["modules"]) if "." not in name]


def test_two_ranks_work_inside(tmp_path: Path) -> None:
    with kernel(tmp_path) as run:
        assert "[0, 0]\n" in run(TWO_RANKS)


def test_commands_of_a_shell_work_inside(tmp_path: Path) -> None:
    """IPython runs them in a terminal; a cell that begins with one must not die of that."""
    with kernel(tmp_path) as run:
        assert run("!echo $((20 + 3))\nprint('and on')").split() == ["23", "and", "on"]
        assert run("names = !ls /dev/pts\nprint(names)").strip() == "['ptmx']"
        assert "'0'" in run("import os, pty\nends = pty.openpty()\nprint(os.listdir('/dev/pts'))")


def test_output_is_as_a_terminal_shows_it(tmp_path: Path) -> None:
    with kernel(tmp_path) as run:
        assert run("for n in range(5): print(f'\\r{n} of 4', end='')") == "4 of 4"
        assert run("print('one\\r\\ntwo')") == "one\ntwo\n"
        assert run("import sys\nprint(1)\nprint(2, file=sys.stderr)\nprint(3)") == "1\n3\n2\n"


def test_calls_that_would_deceive_or_hold_up_the_grader_are_refused(tmp_path: Path) -> None:
    with kernel(tmp_path) as run:
        said = run(
            """
            import ctypes, fcntl
            try:
                fcntl.fcntl(open("/run/evidence"), fcntl.F_SETLEASE, fcntl.F_RDLCK)
            except PermissionError as error:
                print(error.errno)
            libc = ctypes.CDLL(None, use_errno=True)
            print(libc.prctl(35, 14, 0, 0, 0), ctypes.get_errno())  # PR_SET_MM, PR_SET_MM_MAP
            print(fcntl.fcntl(0, fcntl.F_GETFD), libc.prctl(3, 0, 0, 0, 0))  # harmless ones
            """
        )
    assert said.split() == ["1", "-1", "1", "0", "1"]


def test_linux_kills_kernels_before_other_programs(tmp_path: Path) -> None:
    with kernel(tmp_path) as run:
        assert run("print(open('/proc/self/oom_score_adj').read())").strip() == "1000"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root goes first; to enable: run it as root")
def test_the_warm_process_goes_before_kernels(tmp_path: Path) -> None:
    """Forty that spin, each in a session of its own, kept it from measuring for ten seconds."""
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    with kernel(tmp_path) as run:
        warm = client.engine().pid
        assert os.getpriority(os.PRIO_PROCESS, warm) == -10
        assert run("import os; print(os.getpriority(os.PRIO_PROCESS, 0))").strip() == str(mine)
        group = Path(f"/proc/{warm}/autogroup")
        assert not group.exists() or group.read_text(encoding="ascii").endswith("nice -10\n")


def test_a_killed_warm_process_is_replaced(tmp_path: Path) -> None:
    started = Kernel(tmp_path, 2 * SECONDS, sandbox=True, limits={})
    assert started._provisioner.link is not None
    before = client.engine().pid
    left = [psutil.Process(pid) for pid in (before, started._provisioner.link.pid)]
    os.kill(before, signal.SIGKILL)
    _, alive = psutil.wait_procs(left, timeout=SECONDS)
    assert not alive, "a kernel outlived the process that watches its limits"
    assert started.run("1", SECONDS).status == "dead"
    started.stop()
    with kernel(tmp_path) as run:
        assert run("print(1 + 1)").strip() == "2"
    assert client.engine().pid != before
    client.stop()


OWNER = """
import sys
from pathlib import Path
from autograder.engine import client
from autograder.nbgrader_plugins.graded_kernel import Kernel
kernel = Kernel(Path(sys.argv[1]), 120, sandbox=True, limits={})
link = kernel._provisioner.link
print(client.engine().pid, link.pid, flush=True)
kernel.run("while True: pass", 600)
"""


def test_it_dies_with_its_owner(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    environment = {**os.environ, "TMPDIR": "/tmp"}  # noqa: S108 (sockets want short paths)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        left = [psutil.Process(pid) for pid in pids]
        time.sleep(0.5)  # the kernel spins
        owner.kill()
    _, alive = psutil.wait_procs(left, timeout=SECONDS)
    assert len(pids) == 2
    assert not alive


def ordinary() -> None:
    """Become user 1000 with no capability, whose files are those of who runs the test."""
    if os.geteuid() == 0:
        syscalls.unshare(syscalls.NEWUSER, "the user namespace")
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text("1000 0 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text("1000 0 1", encoding="ascii")


PEEP = """
import os
print("user", os.getuid(), "sees", os.path.exists({secret!r}), os.path.exists({source!r}))
!echo a terminal for $(id -un)
print("capabilities", [line.split()[1] for line in open("/proc/self/status") if "CapEff" in line])
"""


def test_an_ordinary_user_can_grade_in_the_sandbox(root: Path, tmp_path: Path) -> None:
    whole, course = Course(root), tmp_path / "course"
    course.mkdir()
    made = copy_course(whole, course, whole.lab(LAB), whole.lab(LAB).questions)
    lab = made.lab(LAB)
    secret = course / ".course-secret"
    peep = PEEP.format(secret=str(secret), source=str(lab.path))
    right = without_markers(lab.questions[QUESTION].solution)
    hand_in(course, "ada", LAB, fill_notebook(lab.notebook, {QUESTION: peep + right}))
    hand_in(course, "ben", LAB, lab.notebook)
    program = str(Path(sys.executable).with_name("autograder"))
    done = subprocess.run(
        [program, "grade", LAB, "--jobs", "1"], cwd=course, capture_output=True, text=True,
        check=False, preexec_fn=ordinary, env={**os.environ, "TMPDIR": "/tmp"},  # noqa: S108 (short paths)
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = read_points(course, LAB, ["ada", "ben"])
    assert found["ada"][QUESTION] == points_of(LAB, QUESTION)
    assert secret.is_file()
    page = (course / "autograded/ada" / LAB / f"{LAB}.ipynb").read_text(encoding="utf-8")
    assert "user 1000 sees False False" in page
    assert "a terminal for student" in page
    assert "capabilities ['0000000000000000']" in page
