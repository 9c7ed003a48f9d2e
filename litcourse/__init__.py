"""What a student of the course installs: given models and data, checks, explanations.

`Check("lab1_mnist")` gives the checks of a lab, `explain("LIT101")` tells more about a
finding. Importing this package is cheap; torch and Lightning are imported by the first
thing that needs them.
"""

from litcourse.check import Check
from litcourse.feedback.catalogue import explain

__all__ = ["Check", "explain"]
__version__ = "0.1.0"
