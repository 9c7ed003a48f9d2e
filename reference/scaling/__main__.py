"""`python -m reference.scaling`."""

import sys

from reference.scaling.tables import main

if __name__ == "__main__":
    sys.exit(main())
