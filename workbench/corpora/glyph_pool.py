"""The characters that several faces have together, and which of them look alike in one of the faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from workbench.corpora.base import check_texts
from workbench.corpora.glyphs import load_glyphs

__all__ = ["Glyph", "Pool", "glyph_pool"]

_LEGIBLE = 8  # pixels of ink at a font size of 24: below it dots and dashes look alike
_UNREADABLE = ("mark", "punctuation")  # kinds that say little without their place on a line


@dataclass(frozen=True)
class Glyph:
    """A character, its name and class, the faces that have it; equal `look`: alike in one of the faces."""

    character: str
    name: str
    label: str
    faces: tuple[str, ...]
    look: int


Pool = tuple[tuple[Glyph, ...], ...]


def glyph_pool(faces: tuple[str, ...], characters: Sequence[str] | None) -> Pool:
    """Groups of characters to draw from: those given as one group, or (None) one group a class.

    Raises:
        TypeError: `characters` is one str, or holds what is no str.
        ValueError: none of the faces has the character, or no such face.
    """
    known = _known(faces) if faces else {}
    if characters is None:
        groups: dict[str, list[Glyph]] = {}
        for glyph, legible in known.values():
            if legible:
                groups.setdefault(glyph.label, []).append(glyph)
        return tuple(tuple(groups[label]) for label in sorted(groups))
    wanted = check_texts(characters, "characters", "draw_canvases")
    if missing := [character for character in wanted if character not in known]:
        raise ValueError(f"none of the faces {list(faces)} has a character {missing[0]!r}")
    return (tuple(known[character][0] for character in wanted),)


@lru_cache(maxsize=8)
def _known(faces: tuple[str, ...]) -> dict[str, tuple[Glyph, bool]]:
    """Every character by itself, in the order of code points, and whether it is drawn when none is asked for."""
    about: dict[str, tuple[str, str]] = {}
    held_by: dict[str, list[str]] = {}
    twins: dict[str, list[str]] = {}
    legible: dict[str, bool] = {}
    for face in faces:
        held = load_glyphs(subset=face)
        sides = np.maximum(held.images.any(axis=1).sum(axis=1), held.images.any(axis=2).sum(axis=1))
        for row, character in enumerate(held.columns["character"]):
            about[character] = held.columns["name"][row], str(held.label_names[held.labels[row]])
            held_by.setdefault(character, []).append(face)
            twins.setdefault(character, []).append(held.columns["twin"][row])
            said = held.columns["kind"][row] not in _UNREADABLE
            legible[character] = legible.get(character, True) and said and bool(sides[row] >= _LEGIBLE)
    looks = _looks(twins)
    return {
        character: (Glyph(character, *about[character], tuple(held_by[character]), looks[character]), large)
        for character, large in sorted(legible.items())
    }


def _looks(twins: dict[str, list[str]]) -> dict[str, int]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pictures = {twin: i for i, twin in enumerate(dict.fromkeys(t for held in twins.values() for t in held), len(twins))}
    edges = [(row, pictures[twin]) for row, held in enumerate(twins.values()) for twin in held]
    count = len(twins) + len(pictures)
    graph = coo_array((np.ones(len(edges)), tuple(np.array(edges).T)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    return dict(zip(twins, map(int, component), strict=False))
