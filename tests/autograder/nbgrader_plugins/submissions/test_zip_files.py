"""Zip files that were made to do harm."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from autograder.nbgrader_plugins.submissions import zip_files
from autograder.nbgrader_plugins.submissions.zip_files import ZipFileError, unpack

MOST = 10**6


def packed(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def unpacked(data: bytes, tmp_path: Path, most: int = MOST) -> tuple[dict[str, bytes], list[str]]:
    """The files that come out, by name, and the names that were left out."""
    path, folder = tmp_path / "sent.zip", tmp_path / "inner/out"
    path.write_bytes(data)
    folder.mkdir(parents=True)
    left_out = unpack(path, folder, most)
    files = [found for found in folder.rglob("*") if not found.is_dir()]
    assert all(stat.S_ISREG(found.lstat().st_mode) for found in files)
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {"sent.zip"} | {
        p.name for p in files
    }
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}, left_out


def refused(data: bytes, tmp_path: Path, most: int = MOST) -> str:
    with pytest.raises(ZipFileError) as caught:
        unpacked(data, tmp_path, most)
    return str(caught.value)


def test_plain_files_come_out(tmp_path: Path) -> None:
    files = {"a.txt": b"1", "b/c.txt": b"2", "b\\d.txt": b"3", "B/c.txt": b"4", "é.txt": b"5"}
    junk = {"__MACOSX/._a.txt": b"x", "empty/": b""}
    found, left_out = unpacked(packed(files | junk), tmp_path)
    assert found == {name.replace("\\", "/"): data for name, data in files.items()}
    assert left_out == []


@pytest.mark.parametrize(
    "name", ["../up", "/top", "a/../../up", "..\\up", "C:\\up", "\\\\host\\up", "..", "a" * 1001]
)
def test_names_that_lead_out_are_left_out(name: str, tmp_path: Path) -> None:
    found, left_out = unpacked(packed({name: b"x", "good": b"1"}), tmp_path)
    assert found == {"good": b"1"}
    assert left_out == [name]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_special_files_are_left_out(kind: int, tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (kind | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("link/below", "x")
    found, left_out = unpacked(made.getvalue(), tmp_path)
    assert (found, left_out) == ({"link/below": b"x"}, ["link"])


@pytest.mark.parametrize("order", [("a", "a/b"), ("a/b", "a")])
def test_a_file_with_the_name_of_a_folder_is_left_out(
    order: tuple[str, str], tmp_path: Path
) -> None:
    found, left_out = unpacked(packed(dict.fromkeys(order, b"x")), tmp_path)
    assert (found, left_out) == ({order[0]: b"x"}, [order[1]])


def test_a_bomb_is_stopped_by_what_comes_out(tmp_path: Path) -> None:
    data = bytearray(packed({"zeros": bytes(3 * MOST)}))
    assert "more than a submission may hold" in refused(bytes(data), tmp_path)
    assert sum(p.stat().st_size for p in (tmp_path / "inner").rglob("zeros")) <= MOST


def test_sizes_in_headers_are_not_believed(tmp_path: Path) -> None:
    data = packed({"zeros": bytes(3 * MOST)})
    lie = data.replace(struct.pack("<L", 3 * MOST), struct.pack("<L", 10))
    assert lie != data
    assert refused(lie, tmp_path)


def test_a_bomb_of_many_files_is_stopped(tmp_path: Path) -> None:
    assert "more than" in refused(packed({str(i): bytes(MOST // 10) for i in range(20)}), tmp_path)


def test_thousands_of_members_are_refused(tmp_path: Path) -> None:
    assert "it holds 1,001 files" in refused(packed({str(i): b"" for i in range(1001)}), tmp_path)


def test_a_giant_table_of_contents_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_files, "_LONGEST_DIRECTORY", 1000)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    path = tmp_path / "sent.zip"
    path.write_bytes(_many := _crowded())
    assert len(_many) > 1000
    with pytest.raises(ZipFileError, match="too many files"):
        unpack(path, tmp_path, MOST)


def _crowded() -> bytes:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 100, 100, 5000, 0, 0)
    return bytes(5000) + end


def test_the_end_records_of_giant_zip_files_are_refused(tmp_path: Path) -> None:
    data = packed({"a": b"1"})
    place = data.rfind(b"PK\x05\x06")
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    assert "4 GiB" in refused(data[:place] + locator + data[place:], tmp_path)


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a", "2")
    assert refused(made.getvalue(), tmp_path) == "it holds a twice"


def test_a_password_is_named(tmp_path: Path) -> None:
    data = bytearray(packed({"a": b"1"}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(signature) + at] |= 1
    assert refused(bytes(data), tmp_path) == "it needs a password"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_methods_are_refused(method: int, tmp_path: Path) -> None:
    assert "another method" in refused(packed({"a": b"1" * 1000}, method), tmp_path)


def test_a_part_of_a_zip_file_is_no_zip_file(tmp_path: Path) -> None:
    data = packed({"a": os.urandom(5000)})
    assert "only a part" in refused(data[:3000], tmp_path)


@pytest.mark.parametrize("seed", range(60))
def test_damage_anywhere_is_told_or_harmless(seed: int, tmp_path: Path) -> None:
    data = bytearray(packed({"a/b": os.urandom(50), "c": b"1" * 500, "d": b""}))
    data[seed * 7 % len(data)] ^= 1 << seed % 8
    data[seed * 31 % len(data)] = 255 - seed
    with contextlib.suppress(ZipFileError):
        unpacked(bytes(data), tmp_path)
