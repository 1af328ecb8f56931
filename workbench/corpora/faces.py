"""The DejaVu fonts that travel with matplotlib: which characters a face has, and the ink of one of them."""

import hashlib
import importlib.metadata
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["FACES", "LICENCE", "characters_of", "check_face", "faces_fingerprint", "fitted", "font", "ink"]

LICENCE = "Bitstream Vera and Arev licences; changes of DejaVu are public domain"
FACES = {
    "sans": "DejaVuSans",
    "bold": "DejaVuSans-Bold",
    "oblique": "DejaVuSans-Oblique",
    "bold-oblique": "DejaVuSans-BoldOblique",
    "serif": "DejaVuSerif",
    "serif-bold": "DejaVuSerif-Bold",
    "serif-italic": "DejaVuSerif-Italic",
    "serif-bold-italic": "DejaVuSerif-BoldItalic",
    "mono": "DejaVuSansMono",
    "mono-bold": "DejaVuSansMono-Bold",
    "mono-oblique": "DejaVuSansMono-Oblique",
    "mono-bold-oblique": "DejaVuSansMono-BoldOblique",
}
_PACKAGES = ("matplotlib", "pillow", "fonttools")


def check_face(face: str) -> None:
    """Refuses a face that is not in `FACES`.

    Raises:
        ValueError: no such face; the message lists them.
    """
    if face not in FACES:
        raise ValueError(f"a face is one of {list(FACES)}, got {face!r}")


@lru_cache
def characters_of(face: str) -> frozenset[str]:
    """The characters that a face maps to a glyph of its own and that are assigned, without controls and spaces."""
    from fontTools.ttLib import TTFont

    with TTFont(_path(face), lazy=True) as held:
        mapped = {chr(code) for code, glyph in (held.getBestCmap() or {}).items() if glyph != ".notdef"}
    return frozenset(character for character in mapped if unicodedata.category(character)[0] not in "CZ")


@lru_cache(maxsize=512)
def font(face: str, size: int) -> Any:  # noqa: ANN401 - Pillow's type is not there before it draws
    """The face at a font size of `size` pixels, as Pillow's FreeTypeFont; nothing is shaped or turned."""
    from PIL import ImageFont

    return ImageFont.truetype(_path(face), size, layout_engine=ImageFont.Layout.BASIC)


def ink(face: str, character: str, size: int) -> np.ndarray:
    """The antialiased ink of a character, 0 to 255, uint8 (h, w), cut to the ink; (0, 0) where nothing is drawn."""
    from PIL import Image, ImageDraw

    drawn = font(face, size)
    x0, y0, x1, y1 = map(round, drawn.getbbox(character))
    canvas = Image.new("L", (x1 - x0 + 4, y1 - y0 + 4))  # two pixels a side: the box is rounded
    ImageDraw.Draw(canvas).text((2 - x0, 2 - y0), character, fill=255, font=drawn)
    box = canvas.getbbox()
    return np.array(canvas.crop(box)) if box else np.zeros((0, 0), dtype=np.uint8)


def fitted(face: str, character: str, size: int, limit: int) -> tuple[np.ndarray, int]:
    """The ink at a font size of `size` pixels, or at the largest below it where no side is over `limit`; that size."""
    drawn = ink(face, character, size)
    while max(drawn.shape) > limit:
        size = min(size - 1, size * limit // max(drawn.shape) + 1)
        drawn = ink(face, character, size)
    return drawn, size


def faces_fingerprint(reader: str) -> str:
    """Hexadecimal SHA-256 of a reader's version and of all that decides its pixels and names."""
    from PIL import features

    parts = [reader, f"unicode {unicodedata.unidata_version}", f"freetype {features.version('freetype2')}"]
    parts += [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@lru_cache
def _path(face: str) -> Path:
    import matplotlib

    check_face(face)
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{FACES[face]}.ttf"
