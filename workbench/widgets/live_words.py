"""What LiveText says on its page: plain text and numbers, cut to a length that is read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.widgets.live_reader import LeftOut

__all__ = [
    "near_rows",
    "note",
    "number_rows",
    "parts",
    "said_of",
    "seconds_in_words",
    "settings_in_words",
    "token_rows",
]

LONGEST = 200  # characters of a text of the corpus
LISTED = 12  # neighbours
HELP = {
    "norm": "norm, before any scaling",
    "depth": "depth in the corpus (2 - mean chord)",
    "mean cosine": "mean cosine to the corpus",
    "hubness": "hubness: lists of {k} neighbours it enters",
    "tokens": "tokens",
}


def number_rows(diagnostics: Mapping[str, tuple[float, float]], *, k: int, sampled: bool) -> dict[str, Any]:
    """Every diagnostic before and after, and its change."""
    rows = []
    for name, (before, after) in diagnostics.items():
        words = HELP[name].format(k=k) + (" (about)" if name == "hubness" and sampled else "")
        digits = 0 if name in ("hubness", "tokens") else 4
        change = after - before
        rows.append([words, f"{before:,.{digits}f}", f"{after:,.{digits}f}", _signed(change, digits)])
    return {"heads": ["diagnostic", "before", "now", "change"], "rows": rows}


def near_rows(ids: np.ndarray, cosines: np.ndarray, texts: Sequence[str]) -> dict[str, Any]:
    """The first twelve neighbours: number, cosine, and the beginning of the text."""
    pairs = list(zip(ids, cosines, strict=True))[:LISTED]
    rows = [[int(row), f"{cosine:.4f}", _short(texts[int(row)])] for row, cosine in pairs]
    return {"heads": ["row", "cosine", "text"], "rows": rows}


def parts(text: str, found: Sequence[LeftOut]) -> list[list[Any]]:
    """The text in pieces, each with its effect, None between tokens; what lies behind the last token is left away."""
    pieces: list[list[Any]] = []
    at = 0
    for _, start, end, effect in found:
        if start > at:
            pieces.append([text[at:start], None])
        pieces.append([text[max(at, start) : end], effect])
        at = max(at, end)
    return [piece for piece in pieces if piece[0]]


def token_rows(found: Sequence[LeftOut]) -> list[list[str]]:
    """Every token with its effect, largest first, as a table that is read aloud has them."""
    ranked = sorted(found, key=lambda one: -one.effect)
    return [[one.token[:LONGEST], f"{one.effect:.4f}", f"{1 - one.effect:.4f}"] for one in ranked]


def said_of(found: Sequence[LeftOut]) -> str:
    """The legend of the coloured tokens."""
    if not found:
        return "There is no token to leave out."
    most = max(found, key=lambda one: one.effect)
    return (
        f"Shade: 1 - cosine of the text without the token's characters to the text, darkest {most.effect:.3f} "
        f"at “{_short(most.token)}”."
    )


def seconds_in_words(seconds: float) -> str:
    """A duration as it is said: "about 20 s", "about 4 min"."""
    if seconds < 1:
        return "less than a second"
    if seconds < 100:
        return f"about {seconds:.2g} s"
    return f"about {seconds / 60:.0f} min" if seconds < 6000 else f"about {seconds / 3600:.0f} h"


def note(text: str, tokens: int, most: int) -> str:
    """What there is to say of a text as such: that it is empty, or cut."""
    if not text.strip():
        return "There are no words: the vector is that of the special tokens alone."
    if tokens > most:
        return f"Only the first {most:,} of {tokens:,} tokens are read: the model takes no more."
    return f"{len(text):,} characters, {tokens:,} tokens."


def settings_in_words(text: tuple[float, str], corpus: tuple[float, str], n: int, seconds: float | None) -> str:
    """Under what settings text and corpus are, and what it takes to bring them together again."""
    if text == corpus:
        return f"Text and corpus are under the same settings: {_settings(text)}."
    long = "" if seconds is None else f" ({seconds_in_words(seconds)})"
    return (
        f"The text is read with {_settings(text)}, the {n:,} texts of the corpus with {_settings(corpus)}: cosines and "
        f"depth between the two compare different encoders until the corpus is embedded anew{long}."
    )


def _settings(pair: tuple[float, str]) -> str:
    return f"attention temperature {pair[0]:g} and {pair[1]} pooling"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _signed(change: float, digits: int) -> str:
    said = f"{change:+,.{digits}f}"
    return "0" if float(said.replace(",", "")) == 0 else said.replace("-", "−")
