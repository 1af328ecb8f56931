"""A map as a small picture and a sentence, drawn without a browser: what a saved notebook shows."""

import io
from base64 import b64encode
from html import escape

import numpy as np
from PIL import Image

from workbench.widgets.map_columns import MISSING, Colouring, Frame
from workbench.widgets.stand_in import figure

__all__ = ["caption", "page", "picture"]

WIDTH, HEIGHT, BORDER = 720, 440, 14
LARGEST = 60_000  # bytes of the picture; in a notebook it takes a third more
CONTEXT = (214, 214, 214)
# colours and share of the full width: what is tried in turn until the picture is small enough
FORMS = ((64, 1.0), (32, 1.0), (32, 0.8), (16, 0.8), (16, 0.6), (8, 0.5), (8, 0.35))


def picture(points: np.ndarray, colouring: Colouring, chosen: np.ndarray, *, largest: int = LARGEST) -> bytes:
    """PNG of at most 64 colours on white: points (n, 2), what is not `chosen` (ids) in grey; `largest` in bytes."""
    for colours, share in FORMS:
        size = round(WIDTH * share), round(HEIGHT * share)
        drawn = Image.fromarray(_pixels(points, colouring, chosen, (2 * size[0], 2 * size[1])))
        small = drawn.resize(size, Image.Resampling.BOX).quantize(colours, dither=Image.Dither.NONE)
        held = io.BytesIO()
        small.save(held, "PNG", optimize=True)
        if held.tell() <= largest:
            break
    return held.getvalue()


def _pixels(points: np.ndarray, colouring: Colouring, chosen: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Image (height, width, 3) at twice the size of the picture."""
    width, height = size
    placed = Frame.around(points).placed(points)
    spread = [np.abs(placed[:, k]).max(initial=1e-9) for k in (0, 1)]
    scale = min(*((side / 2 - 2 * BORDER) / s for side, s in zip(size, spread, strict=True)))
    across, down = (
        np.rint(middle + side * placed[:, k]).astype(np.int32)
        for k, middle, side in ((0, width / 2, scale), (1, height / 2, -scale))
    )
    diameter = 16 if len(points) <= 500 else 12 if len(points) <= 3000 else 8 if len(points) <= 20_000 else 5
    image, table = np.full((height, width, 3), 255, np.uint8), colouring.table()
    at, codes = down * width + across, colouring.codes
    if len(chosen):
        _stamp(image, at, np.zeros(len(at), np.uint8), np.array([CONTEXT], np.uint8), diameter)
        at, codes = at[chosen], codes[chosen]
    if colouring.missing:
        gone = codes == MISSING
        _stamp(image, at[gone], codes[gone], table, diameter, hollow=True)
        at, codes = at[~gone], codes[~gone]
    _stamp(image, at, codes, table, diameter)
    return image


def _stamp(
    image: np.ndarray, at: np.ndarray, codes: np.ndarray, table: np.ndarray, diameter: int, *, hollow: bool = False
) -> None:
    """Draws discs, or rings, around the middles: one pixel a point first, so that the time hardly depends on n."""
    height, width, _ = image.shape
    middles = np.full(height * width, -1, np.int16)
    middles[at] = codes
    filled = np.flatnonzero(middles >= 0)
    tints, drawn, half = middles[filled], np.full_like(middles, -1), diameter / 2
    reach = int(half)  # below the border, so that no disc reaches beyond an edge
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            far = np.hypot(dx, dy)
            if far <= half and not (hollow and far < 0.6 * half):
                drawn[filled + (dy * width + dx)] = tints
    covered = np.flatnonzero(drawn >= 0)
    image.reshape(-1, 3)[covered] = table[drawn[covered]]


def caption(title: str, n: int, colouring: Colouring, selected: int) -> str:
    """The sentence under the picture: how many points, what the colours mean, how many are selected."""
    parts = [f"{title or 'Map'}: {_counted(n, 'point')}"]
    if colouring.form == "numbers" and colouring.low:
        parts.append(f"coloured by {colouring.name or 'a number'} from {colouring.low} to {colouring.high}")
    elif colouring.form == "labels":
        parts.append(f"coloured by {colouring.name or 'group'} ({_counted(len(colouring.kinds), 'label')})")
    if colouring.missing:
        parts.append(f"{colouring.missing:,} without a value")
    if selected:
        parts.append(f"{selected:,} selected, the others grey")
    return ", ".join(parts) + ". Run the cell to get the live map."


def _counted(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def page(
    mark: str, points: np.ndarray, colouring: Colouring, chosen: np.ndarray, title: str, *, largest: int = LARGEST
) -> str:
    """HTML of the saved picture with its sentence and the colours of the labels. No text of a point is in it."""
    source = "data:image/png;base64," + b64encode(picture(points, colouring, chosen, largest=largest)).decode()
    words = caption(title, len(points), colouring, len(chosen))
    return figure(mark, source=source, alt=words, caption=words, below=_key(colouring))


def _key(colouring: Colouring) -> str:
    tints = colouring.tints["light"]
    if colouring.form == "numbers" and colouring.low:
        stops = "".join(f'<span style="color:{tint}">■</span>' for tint in tints)
        return f"<p>{colouring.low} {stops} {colouring.high}</p>"
    kinds = list(zip(colouring.kinds, tints, strict=False))
    rest = "" if len(colouring.kinds) <= len(kinds) else ", others grey"
    named = ", ".join(f'<span style="color:{tint}">●</span> {escape(label)} ({n:,})' for (label, n), tint in kinds)
    return f"<p>{named}{rest}</p>" if named else ""
