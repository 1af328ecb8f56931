from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from sklearn.datasets import load_digits as original

from workbench.corpora import Images, fingerprint, load


@pytest.fixture(scope="module")
def digits() -> Images:
    return load("digits")


def test_the_rows_are_those_of_scikit_learn_in_levels_of_255(digits):
    levels = [round(Fraction(255 * level, 16)) for level in range(17)]
    held = original()
    expected = Counter(
        (bytes(levels[int(value)] for value in image.ravel()), int(label))
        for image, label in zip(held.images, held.target, strict=True)
    )
    assert Counter((i.tobytes(), int(label)) for i, label in zip(digits.images, digits.labels, strict=True)) == expected
    assert (digits.images.shape, digits.images.dtype) == ((1797, 8, 8), np.uint8)
    assert digits.label_names == tuple("0123456789")
    assert (digits.images.min(), digits.images.max()) == (0, 255)


def test_splits_part_the_rows_and_the_fingerprint_is_the_records(digits):
    parts = {split: load("digits", split=split) for split in ("train", "dev", "test")}
    assert sum(map(len, parts.values())) == 1797
    shares = {split: len(part) / 1797 for split, part in parts.items()}
    assert shares == pytest.approx({"train": 0.8, "dev": 0.1, "test": 0.1}, abs=0.03)
    keys = {split: {image.tobytes() for image in part.images} for split, part in parts.items()}
    assert not keys["train"] & keys["test"]
    assert not keys["train"] & keys["dev"]
    assert all(len(set(part.labels.tolist())) == 10 for part in parts.values())
    assert fingerprint("digits") == digits.source.fingerprint == parts["dev"].source.fingerprint


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r"digits has no split 'all'; it has \['dev', 'test', 'train'\]"):
        load("digits", split="all")
