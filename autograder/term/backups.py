"""`autograder backup` and `restore`: a term in one file, which another machine can go on with.

It holds what can't be made again: settings, secret, gradebook, hand-ins, evidence, extensions.
`autograded/` and `feedback/` are left out: `autograder grade` writes them from the evidence, and
runs nobody's code for that. A gradebook on a server is left to the server's own backup.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy.engine import make_url

from autograder.course import AuthorError, Course
from autograder.grading.reporting.progress import console
from autograder.grading.settings import CourseSettings
from autograder.grading.tries.try_store import TRIES
from autograder.nbgrader_plugins.submissions.private_copy import LEFT_OUT
from autograder.secret import SECRET_FILE
from autograder.students.extensions import FILE as EXTENSIONS
from autograder.term.open_course import open_course
from litcourse.core.environment import swept_folder
from litcourse.core.exit_codes import ExitCode

_MANIFEST = "backup.json"
_GRADEBOOK = "gradebook.db"
_MEGA = 1_000_000


def backup(course: Course, out: Path, *, wait: bool = False) -> ExitCode:
    """Write the course into the file `out`, which must be new.

    Args:
        course: the course.
        out: the file, a tar archive packed by gzip, mode 0600.
        wait: wait for the end of another run.

    Raises:
        AuthorError: the file is there already, or can't be written.
    """
    out, to = out.absolute(), console(json=False)
    if out.exists():
        raise AuthorError(out, "", "it is there already", "name a new file, with the date in it")
    part = out.with_name(f".{out.name}.part")
    with open_course(course, wait=wait) as settings:
        try:
            part.unlink(missing_ok=True)  # of a killed run; or somebody's who could then read it
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                server = _pack(settings, out, file)
                file.flush()
                os.fsync(file.fileno())
            part.rename(out)
        except OSError as error:
            fault = f"it can't be written: {error.strerror or error}"
            raise AuthorError(out, "", fault, "name a file elsewhere") from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
    to.print(f"wrote {out}, {out.stat().st_size / _MEGA:.1f} MB. It holds the secret and all work "
             "of all students: keep it as you keep the course.", soft_wrap=True)  # fmt: skip
    if server:
        to.print(f"The gradebook is on a server and not in it: {server}. Next: pg_dump",
                 style="yellow", soft_wrap=True)  # fmt: skip
    return ExitCode.DONE


def _pack(settings: CourseSettings, out: Path, file: io.BufferedWriter) -> str:
    """Write the archive; the server of the gradebook, or "" if it is a file."""
    root, digests = settings.root, {}
    url = make_url(settings.course.db_url)
    with tarfile.open(fileobj=file, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path in _files(settings):
            if path == out or path.name.endswith(".part"):
                continue
            name = str(path.relative_to(root))
            info = archive.gettarinfo(path, name)
            if (
                info.issym()
            ):  # a student's: it counts as a file that was left out, wherever it leads
                info.linkname = LEFT_OUT
                archive.addfile(info)
            elif info.isreg() or info.islnk() or info.isdir():
                archive.add(path, name, recursive=False)
            if info.isreg() or info.islnk():
                digests[name] = _digest(path)
        database = url.database if url.drivername.startswith("sqlite") else None
        if database and (gradebook := Path(root, database)).exists():
            with swept_folder("backup") as place:
                copy = place / _GRADEBOOK
                _copy_gradebook(gradebook, copy)
                archive.add(copy, _GRADEBOOK)
                digests[_GRADEBOOK] = _digest(copy)
        manifest = {
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "course_id": settings.course.course_id,
            "autograder": version("autograder"),
            "sha256": digests,
        }
        data = json.dumps(manifest, indent=1).encode()
        info = tarfile.TarInfo(_MANIFEST)
        info.size, info.mode = len(data), 0o600
        archive.addfile(info, io.BytesIO(data))
    return "" if url.drivername.startswith("sqlite") else str(url.host or url.drivername)


def _files(settings: CourseSettings) -> Iterator[Path]:
    """The files of the course that can't be made again."""
    root, course = settings.root, settings.course
    for name in (SECRET_FILE, EXTENSIONS):
        if (root / name).exists():
            yield root / name
    folders = (
        root / course.source_directory,
        root / course.submitted_directory,
        root / TRIES,
        settings.records.folder("", ""),
    )
    yield from sorted(root.glob("*.py"))
    for folder in folders:
        for place, inner, names in os.walk(folder):
            inner.sort()
            yield Path(place)
            for name in sorted(names):
                if not name.startswith(".lock"):
                    yield Path(place, name)


def _copy_gradebook(path: Path, copy: Path) -> None:
    """Copy an SQLite file by its own means, so that the copy is of one moment."""
    source, target = sqlite3.connect(f"file:{path}?mode=ro", uri=True), sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def restore(file: Path, folder: Path) -> ExitCode:
    """Unpack a backup into the new folder `folder`, and check every file of it.

    Args:
        file: what `backup` wrote.
        folder: a folder that is empty, or not there.

    Raises:
        AuthorError: the folder holds something, or the file is damaged.
    """
    to = console(json=False)
    if folder.exists() and any(folder.iterdir()):
        step = "name a new folder; move it into place when you have looked at it"
        raise AuthorError(folder, "", "it is not empty", step)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.geteuid():
        step = "name a new folder of your own"
        raise AuthorError(folder, "", "it belongs to another account", step)
    folder.chmod(0o700)
    try:
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        wrong = [n for n, sha in manifest["sha256"].items() if _digest(folder / n) != sha]
    except (OSError, EOFError, ValueError, LookupError, tarfile.TarError, zlib.error) as error:
        shutil.rmtree(folder)
        fault = f"it is no complete backup: {error}"
        raise AuthorError(file, "", fault, "take another one") from error
    if wrong:
        shutil.rmtree(folder)
        fault = f"{len(wrong)} files are damaged, the first is {wrong[0]}"
        raise AuthorError(file, "", fault, "take another one")
    (folder / _MANIFEST).unlink()
    if (folder / SECRET_FILE).exists():
        (folder / SECRET_FILE).chmod(0o600)
    for path in (folder / TRIES, folder / "evidence"):
        if path.is_dir():
            path.chmod(0o700)
    to.print(f"{len(manifest['sha256'])} files of {manifest['course_id']}, {manifest['made']}, "
             f"in {folder}", soft_wrap=True)  # fmt: skip
    to.print(f"Next: cd {folder} && autograder grade, which writes autograded/ and feedback/ again")
    return ExitCode.DONE
