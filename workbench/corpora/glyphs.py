"""The built-in set `glyphs`: Unicode characters drawn from the DejaVu fonts, with what Unicode says of them."""

import dataclasses
import hashlib
from functools import lru_cache

import numpy as np

from workbench.corpora.base import Source
from workbench.corpora.faces import LICENCE, characters_of, check_face, faces_fingerprint, fitted
from workbench.corpora.glyph_names import CLASSES, Character, described
from workbench.corpora.records import Images
from workbench.corpora.splits import check_split, hash_split, part

__all__ = ["LICENCE", "ORIGIN", "SIDE", "TASK", "glyphs_fingerprint", "load_glyphs"]

TASK = "picture of a character <-> its Unicode name, script, category, case and accents"
ORIGIN = "DejaVu fonts as installed with matplotlib; names and properties of the Unicode Character Database"

SIDE = 32  # pixels of an image's side
_FONT_SIZE = 24  # pixels; of DejaVu Sans 36 of 5,747 characters are too large at this size and drawn smaller
_LIMIT = 30  # pixels of ink, so that one black pixel is left on every side
_READER = "glyphs reader 1"  # raised when the rows or splits of the same fonts change


def load_glyphs(*, subset: str | None = None, split: str | None = None) -> Images:
    """White characters on black, antialiased, uint8 (n, 32, 32), ink centred, in the order of their names' SHA-256.

    `subset` names a face (`faces.FACES`): "sans" (None), "serif", "mono", "bold", "oblique" ... Every assigned
    character that the face has and that leaves ink, at a font size of 24 pixels, less where it would not fit
    (column font_size). Since the ink is centred, place and size on the line are lost: a comma and an apostrophe
    can look alike. Labels are `glyph_names.CLASSES`: the script, or for signs of no script the sort of sign.

    Columns: character, code (int), name, script ("latin", "common" ...), category (two letters, Unicode), kind
    (letter, mark, digit, number, punctuation, symbol), case (capital, small, none), accents (what follows " WITH "
    in the name, '' where none), base (the name without accents and without the form of Arabic letters), path
    ("letter/latin/e": kind, class, what is left of the base), twin (equal for equal pictures, also between faces),
    font_size (int), split. Splits are by the hash of the base: accented forms of one letter stay together in all
    faces; twins of other scripts may stand in another split.

    Raises:
        ValueError: no such face or split.
    """
    face = "sans" if subset is None else subset
    check_face(face)
    check_split("glyphs", split)
    images, rows, sizes = _drawn(face)
    names = [field.name for field in dataclasses.fields(Character) if field.name != "label"]
    columns = {name: tuple(getattr(row, name) for row in rows) for name in names}
    columns["twin"] = tuple(hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in images)
    columns["font_size"] = sizes
    columns["split"] = tuple(hash_split(f"glyphs {row.base}") for row in rows)
    labels = np.array([CLASSES.index(row.label) for row in rows])
    source = Source("glyphs", "built-in", LICENCE, ORIGIN, glyphs_fingerprint(), split, face)
    return part(Images(images, labels, CLASSES, columns, source=source), split)


def glyphs_fingerprint() -> str:
    """Hexadecimal SHA-256 of the reader's version, Unicode's, and those of what draws and describes; draws nothing."""
    return faces_fingerprint(_READER)


@lru_cache(maxsize=4)
def _drawn(face: str) -> tuple[np.ndarray, tuple[Character, ...], tuple[int, ...]]:
    known = sorted(map(described, characters_of(face)), key=lambda c: hashlib.sha256(c.name.encode()).digest())
    images = np.zeros((len(known), SIDE, SIDE), dtype=np.uint8)
    sizes = []
    for image, row in zip(images, known, strict=True):
        drawn, size = fitted(face, row.character, _FONT_SIZE, _LIMIT)
        top, left = ((SIDE - side) // 2 for side in drawn.shape)
        image[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
        sizes.append(size)
    inked = np.flatnonzero(images.any(axis=(1, 2)))
    kept = images[inked]
    kept.flags.writeable = False
    return kept, tuple(known[i] for i in inked), tuple(sizes[i] for i in inked)
