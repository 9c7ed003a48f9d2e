"""Running a program that a student wrote, as `python NAME ARGUMENTS` would.

Read in this order:

1. `script_runner`: `run_script`, warm, and `run_fresh`, the command as it stands.
2. `script_outcomes`: what a judge says of a run, `script_findings`.
3. `script_process`: the process that is the script.
4. `recorder`: notes what each Trainer of it does.
5. `interruption`: a callback that cuts a run off.
"""

from litcourse.scripts.script_outcomes import (
    all_trainers,
    count_noun,
    fitted_trainers,
    script_findings,
)
from litcourse.scripts.script_runner import format_command, import_script, run_fresh, run_script

__all__ = [
    "all_trainers",
    "count_noun",
    "fitted_trainers",
    "format_command",
    "import_script",
    "run_fresh",
    "run_script",
    "script_findings",
]
