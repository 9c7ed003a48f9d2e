# /// script
# dependencies = ["numpy", "scikit-learn"]
# ///
"""Write ``litcourse/embedded/digits.npz`` from scikit-learn's copy of the digits.

    uv run --script tools/make_embedded.py

Needed once: the file is part of the repository, and a test knows its digest. scikit-learn is no
dependency: it brings SciPy, which torchmetrics imports wherever it is, for half a second each time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "litcourse" / "embedded" / "digits.npz"


def main() -> None:
    """Write the images (1797, 8, 8) and labels (1797,), both uint8, and say where."""
    images, labels = load_digits(return_X_y=True)
    np.savez_compressed(
        TARGET, images=images.reshape(-1, 8, 8).astype(np.uint8), labels=labels.astype(np.uint8)
    )
    print(f"{TARGET.name}: {len(labels)} digits, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
