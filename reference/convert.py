"""One file of weights, from the folder that FSDP or ZeRO saved.

    python -m reference.convert runs/mnist/checkpoints/best.ckpt --out best.ckpt
    python -m reference.mnist test --weights best.ckpt
    python -m reference.mnist fit --weights best.ckpt --trainer.strategy=ddp

The file is what Lightning saves of one GPU, without what a run needs to go on: plain
`torch.load(...)["state_dict"]` and `load_from_checkpoint` read it, and training from it starts with
a new optimizer. To go on with the old optimizer, give the folder as `--ckpt_path`: FSDP2's on any
number of ranks, ZeRO's on as many as before. ZeRO's files are pickles, which can run code when they
are read: convert only what your own runs wrote.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import pickle
import sys
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.serialization import get_unsafe_globals_in_checkpoint

from litcourse.core.exit_codes import ExitCode

KEPT = (
    "epoch",
    "global_step",
    "pytorch-lightning_version",
    *(
        getattr(owner, f"CHECKPOINT_HYPER_PARAMS_{part}")
        for owner in (LightningModule, LightningDataModule)
        for part in ("KEY", "NAME", "TYPE")
    ),
)
"""What the file has beside the weights: who they are, and how the module was made."""
_ROOTS = ("state_dict.", "model.")
"""What stands before the names of weights, as Lightning saves them under FSDP2 and FSDP1."""
_INDEX, _REST = ".metadata", "meta.pt"
"""Written last, first by torch and then by Lightning: where the shards lie, and all but tensors."""
_LATEST, _STATES, _OPTIMIZER = "latest", "_model_states.pt", "_optim_states.pt"
"""DeepSpeed's: which folder counts, and in it how the names of the files of ranks end."""
READING = (
    *(OSError, EOFError, ValueError, LookupError, RuntimeError, pickle.UnpicklingError),
    *(ImportError, AttributeError, TypeError),  # of pickles alone
    CheckpointException,
)
"""What torch and DeepSpeed raise when a file is damaged, or one is missing."""


class ConvertError(Exception):
    """The checkpoint can't be converted: what is wrong with which path, and what to do.

    Args:
        path: the path.
        fault: what is wrong with it.
        next_step: what to type or look for next.
    """

    def __init__(self, path: Path, fault: str, next_step: str) -> None:
        super().__init__(f"{path}: {fault}\n  Next: {next_step}")
        self.fault = fault


def convert(checkpoint: Path, out: Path) -> None:
    """Write the weights of `checkpoint`, a folder, to the file `out`; all or nothing.

    Raises:
        ConvertError: there is no whole checkpoint, or `out` exists.
    """
    if out.exists():
        raise ConvertError(out, "exists already", "give another --out, or remove it")
    if not out.absolute().parent.is_dir():
        raise ConvertError(out.parent, "there is no such folder", f"mkdir -p {out.parent}")
    check_folder(checkpoint)
    read = _read_zero if folder_kind(checkpoint) == "zero" else _read_shards
    found = read(checkpoint)
    partial = out.with_name(f"{out.name}.partial")
    torch.save(found, partial)
    partial.rename(out)


def folder_kind(folder: Path) -> str:
    """`zero`, or `shards` of FSDP.

    Raises:
        ConvertError: it is neither.
    """
    if folder.is_file():
        raise ConvertError(folder, "it is one file already", "use it as it is")
    if not folder.is_dir():
        near = _checkpoints(folder.parent)
        step = f"take one of {near}" if near else "look for folders whose names end in .ckpt"
        raise ConvertError(folder, "there is no such folder", step)
    if (folder / _INDEX).is_file() or (folder / _REST).is_file() or any(folder.glob("*.distcp")):
        return "shards"
    if (folder / _LATEST).is_file() or any(folder.glob("*/*_states.pt")):
        return "zero"
    if any(folder.glob("*_states.pt")):
        raise ConvertError(folder, "it is a part of ZeRO's checkpoint", f"take {folder.parent}")
    near = _checkpoints(folder)
    step = f"take one of {near}" if near else "give the folder that ModelCheckpoint named"
    raise ConvertError(folder, "it holds no checkpoint of FSDP or ZeRO", step)


def _checkpoints(folder: Path) -> str:
    """Folders in `folder` that look like checkpoints, for a message."""
    return ", ".join(str(path) for path in sorted(folder.glob("*.ckpt")) if path.is_dir())


def _half(folder: Path, what: str) -> ConvertError:
    step = "take another checkpoint; a run that was killed while it saved leaves such a folder"
    return ConvertError(folder, f"it is half of a checkpoint: {what}", step)


def _read_shards(folder: Path) -> dict[str, Any]:
    """What FSDP's sharded checkpoint comes to; only the weights are read, no optimizer state."""
    try:
        reader = FileSystemReader(folder)
        index = reader.read_metadata()
        weights = {key: _empty(of) for key, of in index.state_dict_metadata.items() if _root(key)}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")  # as it should be
            load(weights, storage_reader=reader, no_dist=True)
        rest = beside_shards(folder)
    except READING as error:
        raise _half(folder, f"a file is damaged ({_short(error)})") from error
    return _file(rest, {key.removeprefix(_root(key)): value for key, value in weights.items()})


def check_folder(folder: Path) -> None:
    """See that a folder is a whole checkpoint; nothing large is read.

    Raises:
        ConvertError: it is not, or a part of it is missing.
    """
    try:
        check = _check_zero if folder_kind(folder) == "zero" else _check_shards
        check(folder)
    except READING as error:
        raise _half(folder, f"a file is damaged ({_short(error)})") from error


def beside_shards(folder: Path) -> dict[str, Any]:
    """What a folder holds beside the shards; tensors among it stay on the disk.

    Raises:
        ConvertError: it is no checkpoint.
        Exception: one of `READING`, where a file is damaged or missing.
    """
    found: dict[str, Any]
    if folder_kind(folder) == "shards":
        found = torch.load(folder / _REST, map_location="cpu", weights_only=True, mmap=True)
    else:
        part = _zero_part(folder)
        names = [path.name for path in sorted(part.glob(f"*{_STATES}"))]
        if not names:
            raise _half(folder, f"there is no file {part.name}/*{_STATES}")
        # As DeepSpeed reads it, which saves what callbacks like beside the weights.
        found = torch.load(part / names[0], map_location="cpu", weights_only=False, mmap=True)
    return found


def _check_shards(folder: Path) -> None:
    """Raise ConvertError if a file of FSDP's is missing or cut off."""
    missing = [name for name in (_INDEX, _REST) if not (folder / name).is_file()]
    if missing:
        raise _half(folder, f"{missing[0]} is missing, which is written at the end")
    if not zipfile.is_zipfile(folder / _REST):
        raise _half(folder, f"{_REST} is cut off")
    try:
        index = FileSystemReader(folder).read_metadata()
    except READING as error:
        raise _half(folder, f"{_INDEX} is damaged ({_short(error)})") from error
    _check_files(folder, index.storage_data.values())


def _zero_part(folder: Path) -> Path:
    """Where the files of ZeRO's ranks are."""
    part = folder / (folder / _LATEST).read_text().strip()
    if part == folder or not part.is_dir():
        raise _half(folder, f"{_LATEST} names no folder in it")
    return part


def _check_zero(folder: Path) -> None:
    """Raise ConvertError if a file of ZeRO's is missing or cut off.

    That `latest` is there says little. DeepSpeed 0.19 writes it when rank 0 is done, though another
    may still write, and be killed.
    """
    if not (folder / _LATEST).is_file():
        raise _half(folder, f"{_LATEST} is missing, which is written at the end")
    part = _zero_part(folder)
    found = {path.name: path for path in sorted(part.glob("*.pt"))}
    for name, path in found.items():
        if not zipfile.is_zipfile(path):
            raise _half(folder, f"{name} is cut off")
    ranks = [f"zero_pp_rank_{rank}_mp_rank_00" for rank in range(zero_ranks(folder))]
    needed = [f"{rank}{_OPTIMIZER}" for rank in ranks]
    if f"mp_rank_00{_STATES}" not in found:  # stages 1 and 2 keep weights in one file, 3 in many
        needed += [f"{rank}{_STATES}" for rank in ranks]
    for name in needed:
        if name not in found and f"bf16_{name}" not in found:
            raise _half(folder, f"{name} is missing")


def zero_ranks(folder: Path) -> int:
    """How many ranks wrote a checkpoint of ZeRO.

    Raises:
        ConvertError: it is none.
        Exception: one of `READING`, where a file is damaged.
    """
    return int(beside_shards(folder)["dp_world_size"])


def _check_files(folder: Path, shards: Iterable[Any]) -> None:
    """Raise ConvertError if a file is missing, or ends before its last shard does."""
    ends: dict[str, int] = {}
    for shard in shards:
        end = shard.offset + shard.length
        ends[shard.relative_path] = max(end, ends.get(shard.relative_path, 0))
    for name, end in sorted(ends.items()):
        path = folder / name
        size = path.stat().st_size if path.is_file() else 0
        if size < end:
            raise _half(folder, f"{name} has {size} bytes of {end}")


def holds_optimizer(checkpoint: Path) -> bool:
    """Whether training can go on from a checkpoint, be it a file or a folder.

    Raises:
        Exception: one of `READING`, where a file is damaged.
    """
    if checkpoint.is_file():
        if get_unsafe_globals_in_checkpoint(checkpoint):
            return True  # what callbacks of one's own have saved; who reads it has to allow it
        held = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        return "optimizer_states" in held
    if not (checkpoint / _INDEX).is_file():
        return True  # ZeRO's always do; if it is none, who reads it will say so
    keys = FileSystemReader(checkpoint).read_metadata().state_dict_metadata
    return any(key.startswith("optimizer_") for key in keys)


def _root(key: str) -> str:
    """What stands before the name of a weight; "" if `key` is none."""
    return next((root for root in _ROOTS if key.startswith(root)), "")


def _empty(of: Any) -> Tensor | None:
    """A place for what is read; None for what is no tensor."""
    if isinstance(of, TensorStorageMetadata):
        return torch.empty(of.size, dtype=of.properties.dtype)
    return None


def _read_zero(folder: Path) -> dict[str, Any]:
    """What ZeRO's checkpoint comes to: the 32-bit weights that its optimizer holds."""
    try:
        from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
    except ImportError:
        raise ConvertError(folder, "only DeepSpeed reads ZeRO's files", "make setup") from None
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # DeepSpeed tells of every file
            weights = get_fp32_state_dict_from_zero_checkpoint(str(folder))
    except READING as error:
        raise _half(folder, _short(error)) from error
    return _file(beside_shards(folder), {key: value.detach() for key, value in weights.items()})


def _file(rest: dict[str, Any], weights: dict[str, Any]) -> dict[str, Any]:
    return {"state_dict": weights, **{key: rest[key] for key in KEPT if key in rest}}


def _short(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[-1][:200]}"


def main(args: list[str] | None = None) -> int:
    """Convert what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m reference.convert",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="folder that FSDP or ZeRO saved")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    given = parser.parse_args(args)
    try:
        convert(given.checkpoint, given.out)
    except ConvertError as error:
        print(f"convert: {error}", file=sys.stderr)  # noqa: T201  an error message
        return ExitCode.MISTAKE
    print(f"wrote {given.out}")  # noqa: T201  the program's answer
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
