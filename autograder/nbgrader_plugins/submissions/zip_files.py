"""Unpacks a zip file of a submission into a folder. The file may be hostile.

Only plain files are unpacked, under names that stay in the folder. What a header says about sizes
is not believed: what comes out is counted.
"""

from __future__ import annotations

import errno
import os
import stat
import zipfile
from pathlib import Path, PurePosixPath

from autograder.engine.machine_faults import NO_ROOM
from autograder.nbgrader_plugins.submissions.submission_files import open_plain

MOST_MEMBERS = 1000
"""Limit of the entries of a zip file, folders included."""
_LONGEST_DIRECTORY = 2**20
"""Limit in bytes of its table of contents, which zipfile reads as a whole: some 20,000 entries."""
_TAIL = 2**16 + 22
"""Bytes at the end of a zip file that may hold its end record: the record and its comment."""
_END, _SIZE_AT = b"PK\x05\x06", 12
"""Signature of the end record; place of the size of the table of contents in it."""
_END_64 = b"PK\x06\x07"
"""Signature of the end record of zip files above 4 GiB, which has sizes of its own."""
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Methods of packing that are read: any other may need any amount of memory."""
_LONGEST_NAME = 1000
_CHUNK = 2**16
_OURS = NO_ROOM | {
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.EACCES,
}  # fmt: skip
"""Errors that say something about the grader's machine, not about the zip file."""


class ZipFileError(Exception):
    """A zip file that is not unpacked; the message says why."""


def unpack(
    path: Path, folder: Path, most_bytes: int, most_members: int = MOST_MEMBERS
) -> list[str]:
    """Unpack the zip file at `path` into the empty folder `folder`.

    Args:
        path: the zip file.
        folder: an empty folder.
        most_bytes: limit of all that comes out.
        most_members: limit of its entries.

    Returns:
        names of the members that were left out: links, and names that lead out of the folder.

    Raises:
        ZipFileError: it is damaged, needs a password or exceeds a limit.
        OSError: the machine can't hold the files.
    """
    try:
        with open_plain(path) as file:
            _check_directory(file.seek(0, os.SEEK_END), _read_tail(path))
            with zipfile.ZipFile(file) as archive:
                return _unpack_members(archive, folder, most_bytes, most_members)
    except ZipFileError:
        raise
    except OSError as error:
        if error.errno in _OURS:
            raise
        raise ZipFileError(f"it is damaged ({error.strerror or type(error).__name__})") from error
    except Exception as error:  # a damaged file may break any part of a reader
        raise ZipFileError(f"it is damaged ({type(error).__name__})") from error


def _read_tail(path: Path) -> bytes:
    with open_plain(path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        return file.read()


def _check_directory(size: int, tail: bytes) -> None:
    """Refuse a table of contents that is too large, before zipfile reads it."""
    if size and _END not in tail:
        raise ZipFileError("it is no zip file, or only a part of one")
    if _END_64 in tail:
        raise ZipFileError("it is made for more than 4 GiB")
    place = tail.find(_END)
    while place >= 0:  # a comment may hold another one: whichever zipfile takes is small
        at = place + _SIZE_AT
        if int.from_bytes(tail[at : at + 4], "little") > _LONGEST_DIRECTORY:
            raise ZipFileError("it holds too many files")
        place = tail.find(_END, place + 1)


def _unpack_members(
    archive: zipfile.ZipFile, folder: Path, most_bytes: int, most_members: int
) -> list[str]:
    members = archive.infolist()
    if len(members) > most_members:
        raise ZipFileError(
            f"it holds {len(members):,} files; at most {most_members:,} are unpacked"
        )
    taken: set[PurePosixPath] = set()
    left_out, room = [], most_bytes
    for member in members:
        name = _safe_name(member)
        if member.is_dir() or (name is not None and name.parts[0] == "__MACOSX"):
            continue
        if name is None or not _is_plain(member):
            left_out.append(member.filename)
            continue
        if name in taken:
            raise ZipFileError(f"it holds {name} twice")
        taken.add(name)
        _check_readable(member)
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.open("xb").close()
        except OSError as error:
            if error.errno in _OURS:
                raise
            left_out.append(member.filename)  # a file has the name of another one's folder
            continue
        room -= _write(archive, member, target, room)
    return left_out


def _check_readable(member: zipfile.ZipInfo) -> None:
    if member.flag_bits & 0x41:  # encrypted, or strongly encrypted
        raise ZipFileError("it needs a password")
    if member.compress_type not in _METHODS:
        raise ZipFileError("it is packed by another method than the usual one (deflate)")


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, room: int) -> int:
    """Write a member to `target`; the bytes that it has."""
    count = 0
    with archive.open(member) as source, target.open("wb") as copy:
        while chunk := source.read(_CHUNK):
            count += len(chunk)
            if count > room:
                raise ZipFileError("it unpacks to more than a submission may hold")
            copy.write(chunk)
    return count


def _is_plain(member: zipfile.ZipInfo) -> bool:
    """Whether a member is a plain file, as far as its Unix mode says; Windows writes none."""
    return stat.S_IFMT(member.external_attr >> 16) in {0, stat.S_IFREG}


def _safe_name(member: zipfile.ZipInfo) -> PurePosixPath | None:
    """The member's path in the folder; None for one that leads out of it or can't be a path."""
    text = member.filename.replace("\\", "/")  # old programs of Windows write it
    name = PurePosixPath(text)
    bad = name.is_absolute() or ".." in name.parts or not name.parts or ":" in name.parts[0]
    return None if bad or "\0" in text or len(os.fsencode(text)) > _LONGEST_NAME else name
