"""The files of submissions: which count, their digests, and which of them a kernel sees.

A submission may hold anything. Only plain files count. Links are never followed: one could lead
to another submission or to the gradebook.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nbgrader.utils import find_all_files, ignore_patterns, parse_utc

if TYPE_CHECKING:
    from nbgrader.converters import Autograde
    from nbgrader.coursedir import CourseDirectory

TIMESTAMP = "timestamp.txt"
"""File in which nbgrader's exchange writes the time of the submission."""
SUBMISSION_SECRET = "submission_secret.txt"  # noqa: S105 (its name, not the secret)
"""File in which nbgrader's exchange writes random digits, others for each submission: by them the
student finds the page of feedback. In any folder, since a student may hand in a folder that she
had handed in before."""
_KILO = 1000  # nbgrader's limits of sizes are in kilobytes
LONGEST_NAME = 1000
"""Bytes of a file's path within the submission: it is copied into other folders, and Linux allows
4,095 in all."""
DEEPEST = 100
"""Folders within folders."""
_LONGEST_SECRET = 4096
_LONGEST_TIMESTAMP = 100


@dataclass(frozen=True, order=True)
class Submission:
    """One student's submission for one lab.

    Args:
        lab: id of the lab.
        student: id of the student.
        folder: its folder.
    """

    lab: str
    student: str
    folder: Path


@dataclass
class Contents:
    """The files of a submission that count.

    Args:
        files: path by name; a name is relative to the submission's folder.
        left_out: names of links and other special files, of files that are too large or too deep,
            and of folders that can't be listed.
        timestamp: content of `timestamp.txt`; "" unless it is a time.
    """

    files: dict[str, Path] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    timestamp: str = ""

    def cannot_list(self, error: OSError) -> None:
        """Note a folder that can't be listed; for `os.walk`."""
        self.left_out.append(str(error.filename))

    def fingerprint(self) -> str:
        """SHA-256 over names and bytes of all files but those of the exchange, hex.

        Raises:
            OSError: a file can't be read.
        """
        digest_of_all = hashlib.sha256()
        for name, path in sorted(self.files.items()):
            if is_of_exchange(name):
                continue
            with open_plain(path) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            digest_of_all.update(f"{digest} {len(os.fsencode(name))} ".encode() + os.fsencode(name))
        return digest_of_all.hexdigest()

    def matches(self, fingerprint: str) -> bool:
        """Whether the files have this `fingerprint`; False if one can't be read."""
        try:
            return self.fingerprint() == fingerprint
        except OSError:
            return False


def is_of_exchange(name: str) -> bool:
    """Whether nbgrader's exchange wrote the file, so that it differs where the work is the same."""
    return name == TIMESTAMP or PurePosixPath(name).name == SUBMISSION_SECRET


def discover(course: CourseDirectory, lab: str) -> list[Submission]:
    """All submissions of `lab` in nbgrader's layout, without those of excluded students."""
    return [found for found in _find(course, lab) if _counts(found)]


def find_passed_over(course: CourseDirectory, lab: str) -> list[str]:
    """Ids of students whose submission of `lab` is none: why is in brackets."""
    return [
        f"{found.student} (the id begins with a dot)"
        if found.student.startswith(".")
        else f"{found.student} ({lab} is no folder)"
        for found in _find(course, lab)
        if not _counts(found)
    ]


def _counts(found: Submission) -> bool:
    # nbgrader takes no student whose folder is hidden.
    return found.folder.is_dir() and not found.student.startswith(".")


def _find(course: CourseDirectory, lab: str) -> list[Submission]:
    """All that lies where a submission of `lab` would."""
    structure = course.directory_structure.format(
        nbgrader_step=course.submitted_directory, student_id="*", assignment_id=glob.escape(lab)
    )
    names = re.compile(
        course.format_path(
            course.submitted_directory, f"(?P<student>[^{os.sep}]+)", re.escape(lab), escape=True
        )
    )
    excluded = set(filter(None, course.student_id_exclude.split(",")))
    found = []
    pattern = os.path.join(glob.escape(course.root), structure)  # noqa: PTH118 (nbgrader's own)
    for path in sorted(glob.glob(pattern, include_hidden=True)):  # noqa: PTH207 (as above)
        match = names.fullmatch(path)
        if match and match["student"] not in excluded:
            found.append(Submission(lab, match["student"], Path(path)))
    return found


def scan(course: CourseDirectory, folder: Path) -> Contents:
    """The files of a submission that count: those that nbgrader takes, without links and giants.

    Raises nothing, whatever a student put there: the whole class waits for it.
    """
    found = Contents(timestamp=read_timestamp(folder))
    if _is_linked(folder):
        found.left_out.append(".")
        return found
    ignored = ignore_patterns(exclude=[*course.ignore])
    room = course.max_dir_size * _KILO
    for folder_name, folders, names in os.walk(folder, onerror=found.cannot_list):
        skipped = set(ignored(folder_name, folders + names))
        skipped |= {name for name in folders if name.endswith(".ipynb")}
        refused = {name for name in folders if not _may_enter(folder, Path(folder_name, name))}
        found.left_out += [_relative(folder, folder_name, name) for name in sorted(refused)]
        folders[:] = sorted(set(folders) - skipped - refused)
        for name in sorted(set(names) - skipped):
            path, relative = Path(folder_name, name), _relative(folder, folder_name, name)
            size = _size(path) if _fits(relative) else None
            if size is None or size > min(room, course.max_file_size * _KILO):
                found.left_out.append(relative)
                continue
            room -= size
            found.files[relative] = path
    return found


def read_timestamp(folder: Path) -> str:
    """The time of the submission in `folder`, as `Contents.timestamp`."""
    return "" if _is_linked(folder) else _timestamp(folder / TIMESTAMP)


def read_secret(folder: Path) -> str:
    """What nbgrader wrote into a hand-in, by which its page is found; "" without one."""
    if _is_linked(folder):
        return ""
    try:
        with open_plain(folder / SUBMISSION_SECRET) as file:
            return file.read(_LONGEST_SECRET).decode()
    except (OSError, ValueError):  # of an LMS
        return ""


def _is_linked(folder: Path) -> bool:
    return folder.is_symlink() or folder.parent.is_symlink()


def _may_enter(folder: Path, inner: Path) -> bool:
    relative = str(inner.relative_to(folder))
    return (
        _fits(relative) and relative.count("/") < DEEPEST and not os.path.islink(inner)  # noqa: PTH114 (Path.is_symlink of Python 3.11 raises)
    )


def _fits(relative: str) -> bool:
    return len(os.fsencode(relative)) <= LONGEST_NAME


def _relative(folder: Path, folder_name: str, name: str) -> str:
    return str(PurePosixPath(Path(folder_name, name).relative_to(folder)))


def _size(path: Path) -> int | None:
    """The size of a plain file, None for anything else."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _timestamp(path: Path) -> str:
    try:
        with open_plain(path) as file:
            text = file.read(_LONGEST_TIMESTAMP).decode().strip()
        parse_utc(text)
    except (OSError, ValueError, ArithmeticError):  # dateutil calculates with what stands there
        return ""
    return text


@contextlib.contextmanager
def open_plain(path: Path) -> Iterator[BufferedReader]:
    """Open a plain file for reading.

    Raises:
        OSError: it is a link or another special file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "no plain file", str(path))
        yield file


def add_master_files(converter: Autograde, lab: str, files: Mapping[str, Path]) -> dict[str, Path]:
    """`files` and the files of the lab's source folder, which win if both have a name.

    As in nbgrader, notebooks are left out, and `Autograde.exclude_overwriting` names the files
    that a student may change.
    """
    course = converter.coursedir
    source = Path(course.format_path(course.source_directory, ".", lab))
    kept = set(converter.exclude_overwriting.get(lab, []))
    masters = {}
    for found in find_all_files(str(source), [*course.ignore, "*.ipynb"]):
        name = str(PurePosixPath(Path(found).relative_to(source)))
        if name not in kept:
            masters[name] = Path(found).resolve()
    plain = {name: path for name, path in files.items() if not name.endswith(".ipynb")}
    return {
        name: path for name, path in plain.items() if not is_in_the_way(name, masters)
    } | masters


def is_in_the_way(name: str, files: Mapping[str, Path]) -> bool:
    """Whether a file has the name of a folder of `files`, or the other way round."""
    path = PurePosixPath(name)
    parents = {str(parent) for parent in path.parents}
    return any(other in parents or path in PurePosixPath(other).parents for other in files)


def copy_files(files: Mapping[str, Path], folder: Path) -> None:
    """Copy `files` into `folder` under their names."""
    for name, path in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with open_plain(path) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)


# --- what a kernel sees ------------------------------------------------------------------


def copy_visible(files: Path, work: Path) -> None:
    """Copy the files that a kernel may see into the new folder `work`, by their bytes alone.

    Modes and times are not copied: they could carry information that no digest covers.
    """
    work.mkdir()
    copy_files(find_visible(files), work)


def find_visible(files: Path) -> dict[str, Path]:
    """Files in `files` by name, without notebooks and the files of the exchange."""
    found = {}
    for folder, folders, names in os.walk(files):
        folders[:] = [name for name in folders if not name.endswith(".ipynb")]
        for name in names:
            path = Path(folder, name)
            relative = str(PurePosixPath(path.relative_to(files)))
            if not name.endswith(".ipynb") and not is_of_exchange(relative):
                found[relative] = path
    return found


def digest_submission(notebook: str, files: Path) -> str:
    """SHA-256, hex, of a notebook's digest and of names and bytes of the files beside it.

    The inputs of a question follow from this digest, so they change with everything that a student
    can change and their code can see. If they followed from the notebook alone, a student could put
    answers from the feedback on the same notebook into a file beside it.

    Args:
        notebook: SHA-256 of the notebook's bytes, hex.
        files: folder with the files.
    """
    beside = Contents(find_visible(files)).fingerprint()
    return hashlib.sha256(f"{notebook} {beside}".encode()).hexdigest()
