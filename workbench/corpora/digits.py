"""The built-in set `digits`: scikit-learn's handwritten digits of 8 by 8 pixels."""

import hashlib
import importlib.metadata

import numpy as np

from workbench.corpora.base import Source
from workbench.corpora.records import Images
from workbench.corpora.splits import check_split, hash_split, part

__all__ = ["LICENCE", "ORIGIN", "TASK", "digits_fingerprint", "load_digits"]

TASK = "handwritten digit, 10 classes, 8 x 8 pixels"
LICENCE = "CC-BY-4.0 (UCI), copy in scikit-learn (BSD-3-Clause)"
ORIGIN = (
    "sklearn.datasets.load_digits: test part of Optical Recognition of Handwritten Digits, Alpaydin and Kaynak, UCI"
)

_READER = "digits reader 1"  # raised when the rows or splits of the same scikit-learn change
_LEVELS = 16  # a pixel of the original counts the dark dots of a 4 by 4 field


def load_digits(*, split: str | None = None) -> Images:
    """1,797 digits, ink light, uint8 (n, 8, 8), labels 0 to 9, in the order of the SHA-256 of their pixels.

    The original's levels 0 to 16 become 0 to 255: round(255 * level / 16). Columns: split, by the hash of the
    image, so that equal images are in one split. The original's test writers are not told apart.

    Raises:
        ValueError: no such split.
    """
    from sklearn import datasets

    check_split("digits", split)
    levels, classes = datasets.load_digits(return_X_y=True)
    images = np.rint(np.asarray(levels) * (255 / _LEVELS)).astype(np.uint8).reshape(-1, 8, 8)
    keys = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    columns = {"split": tuple(hash_split(f"digits {keys[row]}") for row in order)}
    source = Source("digits", "built-in", LICENCE, ORIGIN, digits_fingerprint(), split)
    labels = np.asarray(classes, dtype=np.int64)[order]
    return part(Images(images[order], labels, tuple("0123456789"), columns, source=source), split)


def digits_fingerprint() -> str:
    """Hexadecimal SHA-256 of the reader's version and scikit-learn's, which brings the images; reads no image."""
    return hashlib.sha256(f"{_READER}\nscikit-learn {importlib.metadata.version('scikit-learn')}".encode()).hexdigest()
