"""Draws job scripts, and holds the pocket and a real Slurm together.

    .venv/bin/python tools/fuzz_pocket.py [--minutes 10] [--submit 0.3] [--out FILE] [--every]

Not run in CI. Needs slurm-wlm, no root. Every script is held against `sbatch --test-only`; a share
is submitted: then allocation, environment of every task, state and exit code have to agree. What
disagrees is written to FILE, a case a line, in the form of the corpus of the tests; with --every
what agrees is, too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.litcourse.pocket.corpus import differences, replay
from tests.slurm.remaking import remake
from tests.slurm.rootless import RootlessSlurm, refusal

STUDENT = ("student", 1000, 1000)
SMALL = st.integers(1, 4).map(str)
COUNTS = st.one_of(SMALL, st.sampled_from(["5", "8", "9", "12", "16", "64", "65", "0", "x", "-1"]))
OPTIONS: dict[str, st.SearchStrategy[str]] = {
    "--nodes": st.one_of(SMALL, st.sampled_from(["2-3", "1-4", "8", "9", "3-2", "two"])),
    "--ntasks": COUNTS,
    "--ntasks-per-node": COUNTS,
    "--cpus-per-task": st.sampled_from(["1", "2", "4", "8", "16", "33", "65"]),
    "--gres": st.sampled_from(
        ["gpu", "gpu:1", "gpu:4", "gpu:a100:2", "gpu:8", "gpu:9", "gpu:0", "gpus:1"]
    ),
    "--gpus-per-node": st.sampled_from(["1", "2", "4", "8", "9", "a100:2", "0"]),
    "--gpus": st.sampled_from(["1", "2", "3", "4", "8", "12", "a100:2", "64", "65"]),
    "--gpus-per-task": st.sampled_from(["1", "2", "4", "9"]),
    "--gpu-bind": st.sampled_from(
        ["none", "single:1", "closest", "map_gpu:0,1", "per_task:1", "x"]
    ),
    "--ntasks-per-gpu": st.sampled_from(["1", "2"]),
    "--cpus-per-gpu": st.sampled_from(["1", "4", "9"]),
    "--mem": st.sampled_from(["0", "1G", "32G", "500G", "600G", "100", "1.5G", "2g"]),
    "--mem-per-cpu": st.sampled_from(["1G", "2000", "8G", "64G"]),
    "--mem-per-gpu": st.sampled_from(["1G", "32G", "100G"]),
    "--time": st.sampled_from(
        ["10", "1:00", "1:00:00", "1-0", "2-0", "0-1", "90m", "0:30", "0-2:30:10"]
    ),
    "--partition": st.sampled_from(["gpu", "debug", "nowhere", "debug,gpu"]),
    "--exclusive": st.just(""),
    "--nodelist": st.sampled_from(["n1", "n2,n3", "n[1-4]", "n9"]),
    "--exclude": st.sampled_from(["n1", "n[2-3]", "n9"]),
    "--distribution": st.sampled_from(["block", "cyclic"]),
    "--job-name": st.sampled_from(["a", "my job", "interactive"]),
    "--open-mode": st.sampled_from(["append", "truncate", "x"]),
    "--requeue": st.just(""),
    "--signal": st.sampled_from(["USR1@60", "B:USR1@60", "10", "FOO", "SIGTERM@70000"]),
}  # fmt: skip
OFTEN = ("--nodes", "--ntasks", "--ntasks-per-node", "--gres", "--gpus-per-node", "--cpus-per-task")
SRUN: dict[str, st.SearchStrategy[str]] = {
    "--ntasks": SMALL,
    "--nodes": st.sampled_from(["1", "2", "3"]),
    "--ntasks-per-node": SMALL,
    "--cpus-per-task": st.sampled_from(["1", "2", "4"]),
    "--gres": st.sampled_from(["gpu:1", "gpu:2", "gpu:0", "none"]),
    "--gpus-per-node": st.sampled_from(["1", "2", "4"]),
    "--gpus": st.sampled_from(["1", "2", "4"]),
    "--gpus-per-task": st.sampled_from(["1", "2"]),
    "--gpu-bind": st.sampled_from(["none", "single:1", "closest"]),
    "--label": st.just(""),
    "--exact": st.just(""),
    "--exclusive": st.just(""),
    "--distribution": st.sampled_from(["block", "cyclic"]),
    "--job-name": st.just("other"),
    "--export": st.sampled_from(["ALL", "ALL,X_A=1"]),
}


@st.composite
def jobs(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Options of sbatch and options of srun."""
    names = draw(st.lists(st.sampled_from(OFTEN), max_size=3, unique=True))
    names += draw(st.lists(st.sampled_from(sorted(OPTIONS)), max_size=2, unique=True))
    options = [f"{n}={v}" if (v := draw(OPTIONS[n])) else n for n in dict.fromkeys(names)]
    steps = draw(st.lists(st.sampled_from(sorted(SRUN)), max_size=2, unique=True))
    return options, [f"{n}={v}" if (v := draw(SRUN[n])) else n for n in steps]


def script(options: list[str], steps: list[str]) -> str:
    """A script with these directives, which records what the shell and the tasks see."""
    quoted = [f'"{word}"' if " " in word else word for word in options]
    head = "".join(f"#SBATCH {word}\n" for word in quoted)
    return f"#!/bin/bash\n{head}python train.py --batch\nsrun {' '.join(steps)} python train.py\n"


def main() -> None:
    """Draw, compare and write what disagrees."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--submit", type=float, default=0.3)
    parser.add_argument("--out", type=Path, default=Path("fuzz_pocket.jsonl"))
    parser.add_argument("--every", action="store_true", help="write what agrees, too")
    parsed = parser.parse_args()
    if refusal():
        raise SystemExit(refusal())
    with tempfile.TemporaryDirectory(prefix="fz-", dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        with RootlessSlurm(Path(folder)) as cluster:
            _fuzz(cluster, parsed)


def _fuzz(cluster: RootlessSlurm, parsed: argparse.Namespace) -> None:
    end, numbers = time.monotonic() + 60 * parsed.minutes, itertools.count()
    rng, seen = random.Random(), {"tested": 0, "submitted": 0, "differ": 0}

    @settings(max_examples=50, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(jobs())
    def compare(job: tuple[list[str], list[str]]) -> None:
        if time.monotonic() > end:
            return
        submit = rng.random() < parsed.submit
        case: dict[str, Any] = {"name": f"fuzz_{next(numbers)}", "script": script(*job)}
        case |= {} if submit else {"args": ["--test-only"]}
        made = remake(cluster, case, case["name"])
        with tempfile.TemporaryDirectory() as own:
            outcome, program = replay(made, Path(own), STUDENT)
            found = differences(made, outcome, program, Path(own))
        seen["submitted" if submit else "tested"] += 1
        if found:
            seen["differ"] += 1
            print(f"{job}\n    " + "\n    ".join(line[:300] for line in found[:3]), flush=True)
        if found or parsed.every:
            with parsed.out.open("a") as file:
                file.write(json.dumps(made | {"differs": found}) + "\n")

    while time.monotonic() < end:
        compare()
    print(seen)


if __name__ == "__main__":
    main()
