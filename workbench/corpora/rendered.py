"""Texts as pictures: one line each, drawn in a DejaVu face."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from workbench.corpora.base import check_texts
from workbench.corpora.faces import characters_of, check_face, font

__all__ = ["draw_text"]

_TALL = "ǛẪẲỦḖḮṎΐᾏЎĢỊȿç|"  # letters with two accents above or one below, and the deepest sign of ASCII
_SMALLEST = 8  # pixels of a line; below it letters of DejaVu are no longer told apart


def draw_text(texts: Sequence[str], *, height: int = 16, width: int | None = None, face: str = "mono") -> np.ndarray:
    """One line a text, white (255) on black, antialiased, uint8 (n, height, width), from the left edge on.

    The font size is the largest at which Latin letters with two accents keep all their ink; what is taller still
    (some pointed Arabic and Hebrew letters, integral signs) loses rows at the edge. Characters stand in the order
    of the text, from left to right: Arabic and Hebrew are neither turned nor joined. About 0.7 ms a line of 60
    characters on one core.

    Args:
        texts: one line each, of characters that the face has, and of spaces.
        height: pixels of the line, 8 or more; 16 is the patch of PIXEL (Rust et al. 2022, arXiv:2207.06991).
        width: pixels; what is longer is cut at the right, what is shorter is black there. None: the longest text.
        face: a name of `faces.FACES`.

    Raises:
        TypeError: `texts` is one str, or a text is no str; the message names the row.
        ValueError: no text, a text without ink, a character that the face does not have (the message names row and
            character), no such face, a height below 8 or a width below 1.
    """
    check_face(face)
    lines = check_texts(texts, "texts", "draw_text")
    if not lines:
        raise ValueError("draw_text needs at least one text, got none")
    if height < _SMALLEST:
        raise ValueError(f"height must be at least {_SMALLEST} pixels, got {height}")
    if width is not None and width < 1:
        raise ValueError(f"width must be at least 1 pixel, got {width}")
    known = characters_of(face) | {" ", "\N{NO-BREAK SPACE}"}
    for row, line in enumerate(lines):
        if missing := next((c for c in line if c not in known), None):
            raise ValueError(f"row {row}: face {face!r} has no character {missing!r} (U+{ord(missing):04X})")
        if not line.strip():
            raise ValueError(f"row {row}: a text must leave ink, got {line!r}")
    size, top = _line(face, height)
    ends = [font(face, size).getbbox(line)[::2] for line in lines]
    starts = [max(0, -round(left)) for left, _ in ends]  # a J of DejaVu Sans begins left of its place
    shape = (width or max(start + round(end[1]) for start, end in zip(starts, ends, strict=True)), height)
    places = [(start, top) for start in starts]
    return np.stack([_drawn(line, face, size, shape, at) for line, at in zip(lines, places, strict=True)])


def _drawn(line: str, face: str, size: int, shape: tuple[int, int], at: tuple[int, int]) -> np.ndarray:
    from PIL import Image, ImageDraw

    canvas = Image.new("L", shape)
    ImageDraw.Draw(canvas).text(at, line, fill=255, font=font(face, size))
    return np.asarray(canvas)


@lru_cache
def _line(face: str, height: int) -> tuple[int, int]:
    """Font size, and where a line starts so that the tall letters stand inside it."""
    tall = "".join(sorted(characters_of(face) & set(_TALL)))
    for size in range(height, 0, -1):
        _, above, _, below = map(round, font(face, size).getbbox(tall))
        if below - above <= height:
            return size, (height - (below - above)) // 2 - above
    raise ValueError(f"no font size of face {face!r} fits a line of {height} pixels")
