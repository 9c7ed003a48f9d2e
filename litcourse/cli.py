"""The command `litcourse`, for students: `litcourse explain LIT101`, `litcourse sbatch FILE`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from litcourse.core.exit_codes import ExitCode
from litcourse.core.names import UnknownNameError
from litcourse.feedback.catalogue import catalogue, explain


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Args:
        arguments: arguments of the command; None takes those of the command line.
    """
    parser = argparse.ArgumentParser(prog="litcourse", description="Help with the course's labs.")
    commands = parser.add_subparsers(dest="command", required=True)
    about = "tell more about the findings of a check"
    command = commands.add_parser("explain", help=about, description=about)
    command.add_argument("code", nargs="*", help="such as LIT101; without one, a list of all")
    about = "submit a batch script to a pocket Slurm, which runs it here (see its --help)"
    commands.add_parser("sbatch", help=about, add_help=False)
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["sbatch"]:  # what follows are options of sbatch, not of argparse
        from litcourse.pocket import command as sbatch

        return sbatch.main(words[1:])
    options = parser.parse_args(words)
    try:
        _explain(options.code)
    except UnknownNameError as error:
        print(f"litcourse: {error}", file=sys.stderr)
        return ExitCode.MISTAKE  # as argparse for its own errors
    return ExitCode.DONE


def _explain(codes: Sequence[str]) -> None:
    if codes:
        print("\n\n".join(str(explain(code)) for code in codes))
    else:
        print("\n".join(f"{code}  {entry.title}" for code, entry in catalogue().items()))


if __name__ == "__main__":
    sys.exit(main())
