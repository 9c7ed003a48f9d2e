"""nbgrader's settings for this course: autograding runs the steps of `autograder.nbgrader_plugins`.

They work in any folder that holds this file and `source/`, with `autograder` installed.
"""

from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ComputeChecksums,
    IncludeHeaderFooter,
    InstantiateTests,
    LimitOutput,
    LockCells,
    OverwriteKernelspec,
    SaveCells,
)

from autograder.nbgrader_plugins.execute import RunSubmission
from autograder.nbgrader_plugins.exporter import SubmissionExporter
from autograder.nbgrader_plugins.grade import GradeEvidence, SaveScores
from autograder.nbgrader_plugins.penalties import LatePenalties
from autograder.nbgrader_plugins.repair import Repair
from autograder.stubs import ClearAnswers

c = get_config()  # type: ignore[name-defined]  # nbgrader defines it

# A term is a course id: the exchange keeps each id apart, so a new term needs a new one, in the
# settings of students too. docs/term.md tells what else may stand here, such as c.Exchange.root.
c.CourseDirectory.course_id = "litcourse"

# For `nbgrader validate`: the first import of torch and Lightning, and checks that start programs,
# can take longer than nbgrader's default of 30 s for a cell.
c.Execute.timeout = 300

# nbgrader's own steps in its own order, but for ClearAnswers in place of ClearSolutions.
c.GenerateAssignment.preprocessors = [
    IncludeHeaderFooter,
    InstantiateTests,
    LockCells,
    ClearAnswers,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    SaveCells,
    ClearHiddenTests,
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
]

# nbgrader's own `collect` and the formgrader's button, without following links of students.
c.ExchangeFactory.collect = "autograder.nbgrader_plugins.collect.CollectPlainFiles"

# Limits while grading: c.RunSubmission.cell_seconds and .notebook_seconds of wall time, and
# c.RunSubmission.limits = {"memory_mib": 4096, ...}; all names: autograder/engine/limits.py.
c.Autograde.exporter_class = SubmissionExporter
# Repair does what nbgrader's DeduplicateIds and OverwriteCells do, and more. CheckCellMetadata
# would find nothing after it: Repair restores nbgrader's metadata from the lab.
c.Autograde.sanitize_preprocessors = [
    Repair,
    ClearOutput,
    OverwriteKernelspec,
]
# LatePenalties takes its settings from c.AssignLatePenalties, as nbgrader's own step does.
c.Autograde.autograde_preprocessors = [
    RunSubmission,
    GradeEvidence,
    LimitOutput,
    SaveScores,
    LatePenalties,
]
