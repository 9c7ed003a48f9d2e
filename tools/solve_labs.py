"""Solves every lab and runs it in another environment; `tools/try_torch.sh` calls it.

`write FOLDER` needs this checkout's `.venv`: it writes each lab with the instructor's solutions.
`run FOLDER` needs what students install, and nothing of `autograder`: it runs these notebooks from
top to bottom, demonstrations too, and prints a line. The exit code is 1 if a check finds anything.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbformat import NotebookNode

PASSED = "All of it is right."
"""How the card of a check ends that found nothing, as text."""
NO_SCORE, FINDING = "No score: ", "Fix first: "
"""In the card of a check that this torch kept from measuring, and of one that found something."""
CELL_SECONDS = 600


def write(folder: Path) -> None:
    """Write the solved notebooks of all labs into `folder`."""
    from autograder.bank import without_markers
    from autograder.course import find_course

    folder.mkdir(parents=True, exist_ok=True)
    for lab in find_course().labs.values():
        notebook = lab.notebook
        for cell in notebook.cells:
            cell.source = without_markers(cell.source)
        nbformat.write(notebook, folder / lab.path.name)


def run(folder: Path) -> int:
    """Run the notebooks in `folder`; the number of checks that found something."""
    started, lines, checks, failed, waiting = time.monotonic(), [], 0, 0, 0
    for path in sorted(folder.glob("*.ipynb")):
        notebook = _executed(path)
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            text = "".join(_texts(cell))
            is_check = cell.source.startswith("check.")
            checks += is_check
            if is_check and NO_SCORE in text and FINDING not in text:
                waiting += 1
                lines.append(f"{path.stem}, {cell.source.splitlines()[0]}\n{text}")
            elif (is_check and PASSED not in text) or _raised(cell):
                failed += 1
                lines.append(f"{path.stem}, {cell.source.splitlines()[0]}\n{text}")
    for line in lines:
        sys.stdout.write(f"{line}\n")
    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "lightning"))
    python, seconds = platform.python_version(), time.monotonic() - started
    unlooked = f", {waiting} not looked at" if waiting else ""
    verdict = (
        f"{checks - waiting} checks pass{unlooked}"
        if not failed
        else f"{failed} cells FAIL of {checks} checks"
    )
    sys.stdout.write(f"Python {python}, {names}: {verdict}, {seconds:.0f} s\n")
    return failed


def _executed(path: Path) -> NotebookNode:
    from nbclient import NotebookClient

    work = path.with_suffix("")
    work.mkdir(exist_ok=True)
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(work)}},
    )
    client.execute()
    return notebook


def _raised(cell: NotebookNode) -> bool:
    return any(output.output_type == "error" for output in cell.outputs)


def _texts(cell: NotebookNode) -> list[str]:
    texts = []
    for output in cell.outputs:
        if output.output_type == "error":
            texts.append(f"{output.ename}: {output.evalue}\n")
        texts.append(output.get("data", {}).get("text/plain", ""))
    return texts


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("action", choices=("write", "run"))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.action == "write":
        write(arguments.folder)
        return 0
    return int(run(arguments.folder) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
