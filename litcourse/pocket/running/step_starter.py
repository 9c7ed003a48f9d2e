"""Starts the steps of a job: ranks that are recorded, or processes, one for each task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from litcourse.pocket import steps
from litcourse.pocket.reading.getopt import BeyondError, RefusedError
from litcourse.pocket.running.launches import Launch, Rank, which
from litcourse.pocket.running.output_patterns import Names, file_name
from litcourse.pocket.running.reports import Client, Report
from litcourse.pocket.standins import ABSENT, COMMANDS
from litcourse.pocket.variables import step_variables, task_variables

if TYPE_CHECKING:
    from litcourse.pocket.job import Job

BEYOND = 64
"""Exit code where the pocket does not emulate something."""
_BUSY = "step creation temporarily disabled, retrying (Requested nodes are busy)"


class StepStarter:
    """The steps of one run of a job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._number = 0
        self._waiting: list[Launch] = []
        self.cores: dict[str, int] = {}
        """Cores that a task of a step is bound to, by the step's number."""

    def start(self, client: Client) -> None:
        """Start what a srun asks for, or let it wait until there is room."""
        launch = Launch(client)
        try:
            launch.step = self._plan(client, set())
        except RefusedError as refused:
            client.write(refused.text + "\n", 2)
            client.exit(refused.code)
            return
        except BeyondError as beyond:
            self._job.outcome.beyond.append(str(beyond))
            client.write(f"srun: {beyond}\n", 2)
            client.exit(BEYOND)
            return
        client.write("".join(line + "\n" for line in launch.step.warnings), 2)
        inside = "SLURM_STEP_ID" in client.environment
        if inside and "overlap" not in launch.step.options:
            # It would wait for the step that it is in, which waits for it.
            client.write(f"srun: Job {self._job.facts.id} {_BUSY}\n", 2)
            client.exit(1)
            return
        self._job.launches.append(launch)
        self._waiting.append(launch)
        # Steps that are started beside each other come in any order: they are placed when all
        # have come, the first first.
        self._job.after(0, self.retry)

    def _plan(self, client: Client, avoid: set[str]) -> steps.Step:
        job = self._job
        return steps.plan_step(
            client.words[1:], client.environment, job.allocation, job.facts.id, avoid
        )

    def retry(self) -> None:
        """Start steps that waited for room, the first first."""
        while self._waiting:  # read anew each time: a step that ends at once comes back here
            launch = min(self._waiting, key=lambda launch: launch.client.pid)
            there = launch in self._job.launches
            if there and not self._find_room(launch):
                break
            self._waiting.remove(launch)
            if there:
                self._begin(launch)

    def _find_room(self, launch: Launch) -> bool:
        """Whether nothing that runs is in the way; nodes that are free are taken first."""
        assert launch.step is not None  # noqa: S101  (every srun's launch has one)
        full = {node for node in launch.step.nodes if not self._fits(launch.step, node)}
        if not full:
            return True
        try:
            other = self._plan(launch.client, {n for n in self._job.allocation.nodes
                                               if not self._fits(launch.step, n)})  # fmt: skip
        except RefusedError:
            return False
        if all(self._fits(other, node) for node in other.nodes):
            launch.step = other
            return True
        return False

    def _fits(self, step: steps.Step, node: str) -> bool:
        if "overlap" in step.options:
            return True
        share = next(share for share in self._job.allocation.shares if share.node == node)
        cores, gpus = share.cores, share.gpus_held
        for launch in self._job.launches:
            other = launch.step
            if (
                launch.begun
                and other is not None
                and node in other.nodes
                and "overlap" not in other.options
            ):
                index = other.nodes.index(node)
                cores -= other.cores_on_node[index]
                gpus -= other.gpus_on_node[index]
        index = step.nodes.index(node) if node in step.nodes else 0
        return step.cores_on_node[index] <= cores and step.gpus_on_node[index] <= gpus

    # --- its tasks -------------------------------------------------------------------------------

    def _begin(self, launch: Launch) -> None:
        job, client = self._job, launch.client
        assert launch.step is not None  # noqa: S101
        launch.placed = True
        step = launch.step = replace(launch.step, number=self._number)
        self._number += 1
        self.cores[str(step.number)] = step.cores
        shared = step_variables(job.facts, job.allocation, step, client.environment)
        tasks, cwd = list(step.tasks()), self._working_folder(launch)
        for task in tasks:
            variables = task_variables(step, task, shared)
            rank = Rank(launch, step.command, variables, cwd, task.node, task.rank)
            launch.ranks.append(rank)
        if not self._open_files(launch, tasks):
            return
        name = step.command[0].rpartition("/")[2]
        file, code = ("", 2) if name in ABSENT else which(step.command[0], shared, client.cwd)
        if name.startswith("python") and ("/" in step.command[0] or file):
            self._record(launch)
        elif not file:
            self._not_found(launch, tasks, code)
        elif (
            name in COMMANDS and file.startswith(str(job.folder)) and name not in {"srun", "sbatch"}
        ):
            self._record(launch)
        else:
            launch.real = True
            # Tasks read what srun reads; that is kept in a file before they start.
            client.say("keep", job.folder / f"stdin.{job.restart}.{step.number}")

    @staticmethod
    def _working_folder(launch: Launch) -> str:
        """Where the tasks run: where srun does, or in the folder of its `--chdir`."""
        asked = launch.step_options().get("chdir", "")
        folder = Path(launch.client.cwd, asked)
        if asked and not folder.is_dir():
            node = launch.step.nodes[0] if launch.step else ""
            what = f"couldn't chdir to `{folder}': No such file or directory: going to /tmp instead"
            launch.client.write(f"slurmstepd-{node}: error: {what}\n", 2)
            return "/tmp"  # noqa: S108  (what Slurm does)
        return str(folder)

    def _record(self, launch: Launch) -> None:
        """Begin ranks that are no processes: nothing would happen in them but the record."""
        launch.client.say("drain")
        for rank in launch.ranks:
            self._job.begin(rank)
        launch.begun = True
        if launch.ended:
            self.finish(launch)

    def _not_found(self, launch: Launch, tasks: list[steps.Task], code: int) -> None:
        why = "Permission denied" if code == 13 else "No such file or directory"  # noqa: PLR2004
        for task, rank in zip(tasks, launch.ranks, strict=True):
            name = rank.words[0]
            shown = Path(rank.cwd) if "/" in name and not name.startswith("/") else ""
            path = f"{shown}/{name}" if shown else name
            text = f"slurmstepd-{task.node}: error: execve(): {path}: {why}\n"
            launch.client.write(text, 2)
            rank.code = code
        launch.begun = True
        self.finish(launch)

    def _open_files(self, launch: Launch, tasks: list[steps.Task]) -> bool:
        """Files of srun's own `--output` and `--error`, one for all tasks or one for each."""
        step, job = launch.step, self._job
        assert step is not None  # noqa: S101
        patterns = [step.options.get(name, "") for name in ("output", "error")]
        if not any(patterns):
            return True
        seen: set[str] = set()
        for task in tasks:
            names = Names(job.facts.id, job.facts.submitted.job_name, task.node, job.facts.user,
                          str(step.number), task.node_index, task.rank)  # fmt: skip
            paths = [
                str(Path(launch.client.cwd, file_name(p, names))) if p else "" for p in patterns
            ]
            for path in set(filter(None, paths)) - seen:
                seen.add(path)
                if not self._create(path, step):
                    launch.client.write(f"srun: error: Could not open stdout file [{path}]: "
                                        "No such file or directory\n", 2)  # fmt: skip
                    self._job.launches.remove(launch)
                    launch.client.exit(1)
                    return False
                job.outcome.outputs.setdefault(path, "")
            launch.files[task.rank] = (paths[0], paths[1])
        return True

    @staticmethod
    def _create(path: str, step: steps.Step) -> bool:
        append = step.options.get("open-mode", "t").startswith("a")
        try:
            with Path(path).open("a" if append else "w", encoding="utf-8"):
                return True
        except OSError:
            return False

    def heard(self, launch: Launch, report: Report) -> None:
        """A srun has told of its standard input or of a task."""
        if report.kind == "drained" and launch.real:
            self._start_processes(launch, empty=report.values[0] == 0)
        elif report.kind == "child":
            launch.children[report.values[0]] = report.values[1]
        elif report.kind == "ended":
            index, code = report.values
            launch.children.pop(index, None)
            rank = next(rank for rank in launch.ranks if rank.index == index)
            self._job.end(rank, code)
            if code and "kill-on-bad-exit" in launch.step_options():
                self._job.signal_launch(launch, 15)

    def _start_processes(self, launch: Launch, *, empty: bool) -> None:
        job, step = self._job, launch.step
        assert step is not None  # noqa: S101
        source = "/dev/null" if empty else job.folder / f"stdin.{job.restart}.{step.number}"
        launch.begun = True
        launch.client.say("cd", launch.ranks[0].cwd)
        for rank in launch.ranks:
            file, _ = which(rank.words[0], rank.environment, rank.cwd)
            out, error = launch.files.get(rank.index, ("", ""))
            variables = [f"{name}={value}" for name, value in rank.environment.items()]
            launch.client.say(
                "run", rank.index, file, source, out, error, int(launch.label), len(rank.words),
                *rank.words, *variables,
            )  # fmt: skip

    def finish(self, launch: Launch) -> None:
        """Report the ends of all tasks, and end the srun."""
        if launch not in self._job.launches:
            return
        self._job.launches.remove(launch)
        assert launch.step is not None  # noqa: S101
        code = launch.report_ends(launch.step.nodes, list(launch.step.tasks()))
        launch.client.exit(code)
        self.retry()
