"""Pictures of several characters, with the box, the pixels, the name and the place of each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.corpora.faces import check_face, ink
from workbench.corpora.glyph_pool import Glyph, Pool, glyph_pool
from workbench.corpora.places import Corners, free_corners, grid_corners, place_name

__all__ = ["Canvases", "draw_canvases"]

_SMALLEST = 6  # pixels: below it characters are no longer told apart
_FILLED = 0.7  # of the side that k squares of equal size would have if they filled the picture
_STARTS = 20  # times that a picture is begun anew when its characters find no place


@dataclass(frozen=True, eq=False, repr=False)
class Canvases:
    """n pictures of k characters each (k differs); arrays are read-only, inner tuples have one value a character.

    Attributes:
        images: uint8 (n, size, size), characters lighter than the black ground.
        masks: int32 (n, size, size): 0 ground, 1 + j where character j of the picture has ink (image above 0).
        boxes: per picture an int array (k, 4) of x0, y0, x1, y1, tight around the ink; x1 and y1 are exclusive.
        characters: per picture its characters.
        names: their Unicode names.
        classes: their classes, of `glyph_names.CLASSES`.
        captions: their names with their places: "greek small letter alpha at the top left".
    """

    images: np.ndarray
    masks: np.ndarray
    boxes: tuple[np.ndarray, ...]
    characters: tuple[tuple[str, ...], ...]
    names: tuple[tuple[str, ...], ...]
    classes: tuple[tuple[str, ...], ...]
    captions: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.images)

    def __repr__(self) -> str:
        """One line: pictures, their size, characters in all."""
        side = self.images.shape[1]
        return f"Canvases({len(self):,} of {side} x {side} pixels; {sum(map(len, self.names)):,} characters)"


@dataclass(frozen=True)
class _Plan:
    size: int
    glyphs: tuple[int, int]
    grid: tuple[int, int] | None
    rotation: float
    pool: Pool


@dataclass(frozen=True)
class _Picture:
    image: np.ndarray
    mask: np.ndarray
    boxes: np.ndarray
    glyphs: list[Glyph]
    places: list[str]


def draw_canvases(
    n: int,
    *,
    seed: int,
    size: int = 64,
    glyphs: tuple[int, int] = (3, 6),
    grid: tuple[int, int] | None = None,
    rotation: float = 0.0,
    faces: Sequence[str] = ("sans", "serif", "mono"),
    characters: Sequence[str] | None = None,
) -> Canvases:
    """`n` pictures with characters of random face, size and brightness (half to full) whose boxes never overlap.

    Picture i depends on `seed` and i alone: fewer pictures are the head of more. No two characters of a picture
    look alike (A of Latin, Greek and Cyrillic). Faces, sizes and places are drawn with equal chances.

    Args:
        n: number of pictures.
        seed: 0 or more.
        size: pixels of a side.
        glyphs: fewest and most characters of a picture; each number between them is equally likely.
        grid: rows and columns; each character then stands in a cell of its own. None: anywhere, a pixel apart.
        rotation: each character is turned by up to so many degrees either way, 0 to 180.
        faces: names of `faces.FACES`; a character is drawn in one of those that have it.
        characters: what is drawn, each equally likely. None: every class of `glyph_names.CLASSES` equally likely,
            then each of its characters; marks, punctuation and what is too small to tell apart are left out.

    Raises:
        TypeError: `characters` is one str, or holds what is no str.
        ValueError: a number outside its range, no such face, a character that no face has, fewer characters that
            look different than a picture needs, too many for the size, or no free place found for them.
    """
    _check(n, seed, size, glyphs, grid, rotation)
    for face in faces:
        check_face(face)
    plan = _Plan(size, glyphs, grid, rotation, glyph_pool(tuple(faces), characters))
    looks = len({glyph.look for group in plan.pool for glyph in group})
    if looks < glyphs[1]:
        raise ValueError(f"a picture of {glyphs[1]} characters needs as many that look different, got {looks}")
    drawn = [_picture(plan, np.random.default_rng([seed, i])) for i in range(n)]
    images, masks = (np.stack([getattr(one, field) for one in drawn]) for field in ("image", "mask"))
    for array in (images, masks, *(one.boxes for one in drawn)):
        array.flags.writeable = False
    said = [[f"{g.name.lower()} {place}" for g, place in zip(one.glyphs, one.places, strict=True)] for one in drawn]
    drawn_characters, names, classes = (
        tuple(tuple(getattr(glyph, field) for glyph in one.glyphs) for one in drawn)
        for field in ("character", "name", "label")
    )
    return Canvases(
        images, masks, tuple(one.boxes for one in drawn), drawn_characters, names, classes, tuple(map(tuple, said))
    )


def _check(n: int, seed: int, size: int, glyphs: Sequence[int], grid: Sequence[int] | None, rotation: float) -> None:
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, got {seed}")
    if not 1 <= glyphs[0] <= glyphs[1]:
        raise ValueError(f"glyphs must be the fewest and the most characters of a picture, 1 or more, got {glyphs}")
    if grid is not None and (min(grid) < 1 or math.prod(grid) < glyphs[1]):
        raise ValueError(f"a grid is (rows, columns) with a cell for each of {glyphs[1]} characters, got {grid}")
    if not 0 <= rotation <= 180:
        raise ValueError(f"rotation must be 0 to 180 degrees, got {rotation}")
    if _sides(size, glyphs[1], grid)[0] < _SMALLEST:
        raise ValueError(f"{glyphs[1]} characters on {size} x {size} pixels would be under {_SMALLEST} pixels each")


def _sides(size: int, k: int, grid: Sequence[int] | None) -> tuple[int, int]:
    """Smallest and largest bound of a character's ink, in pixels, when k share a picture."""
    largest = size // max(grid) - 2 if grid else int(_FILLED * size / math.sqrt(k))
    return int(0.6 * largest), largest


def _picture(plan: _Plan, rng: np.random.Generator) -> _Picture:
    k = int(rng.integers(plan.glyphs[0], plan.glyphs[1] + 1))
    for _ in range(_STARTS):
        chosen = _chosen(plan.pool, k, rng)
        inks = [_ink(glyph, _sides(plan.size, k, plan.grid), plan.rotation, rng) for glyph in chosen]
        shapes = [(drawn.shape[0], drawn.shape[1]) for drawn in inks]
        corners = grid_corners(shapes, plan.size, plan.grid, rng) if plan.grid else free_corners(shapes, plan.size, rng)
        if corners is not None:
            return _composed(chosen, inks, corners, plan)
    raise ValueError(f"{k} characters found no free place on {plan.size} x {plan.size} pixels in {_STARTS} starts")


def _chosen(pool: Pool, k: int, rng: np.random.Generator) -> list[Glyph]:
    chosen: dict[int, Glyph] = {}
    while len(chosen) < k:
        group = pool[rng.integers(len(pool))]
        glyph = group[rng.integers(len(group))]
        chosen.setdefault(glyph.look, glyph)
    return list(chosen.values())


def _ink(glyph: Glyph, sides: tuple[int, int], rotation: float, rng: np.random.Generator) -> np.ndarray:
    from PIL import Image

    face = glyph.faces[rng.integers(len(glyph.faces))]
    side, angle = int(rng.integers(sides[0], sides[1] + 1)), float(rng.uniform(-rotation, rotation))
    light = int(rng.integers(128, 256)) / 255
    size = round(1.4 * side)  # capitals of DejaVu are 0.73 of the font size
    while True:
        drawn = Image.fromarray(ink(face, glyph.character, size))
        if angle:
            drawn = drawn.rotate(angle, resample=Image.Resampling.BICUBIC, expand=True)
        lit = np.rint(np.asarray(drawn) * light).astype(np.uint8)
        rows, columns = (np.flatnonzero(lit.any(axis=axis)) for axis in (1, 0))
        lit = lit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if max(lit.shape) <= side:
            return lit
        size = min(size - 1, size * side // max(lit.shape) + 1)


def _composed(chosen: list[Glyph], inks: list[np.ndarray], corners: Corners, plan: _Plan) -> _Picture:
    image = np.zeros((plan.size, plan.size), dtype=np.uint8)
    mask = np.zeros((plan.size, plan.size), dtype=np.int32)
    boxes, places = [], []
    rows, columns = plan.grid or (3, 3)
    for j, (lit, (top, left)) in enumerate(zip(inks, corners, strict=True), start=1):
        high, wide = lit.shape
        image[top : top + high, left : left + wide] = lit
        mask[top : top + high, left : left + wide][lit > 0] = j
        boxes.append((left, top, left + wide, top + high))
        row, column = (2 * top + high) * rows // (2 * plan.size), (2 * left + wide) * columns // (2 * plan.size)
        places.append(place_name(row, column, (rows, columns)))
    return _Picture(image, mask, np.array(boxes), chosen, places)
