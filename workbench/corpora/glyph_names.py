"""What Unicode says of a character: its name taken apart, its script or sort of symbol, its place in a hierarchy."""

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["CLASSES", "Character", "described"]

# scripts of the DejaVu faces, then sorts of signs that belong to no script
CLASSES = (
    "arabic", "armenian", "braille", "canadian aboriginal", "coptic", "cyrillic", "georgian", "greek", "hebrew", "lao",
    "latin", "lisu", "nko", "ogham", "old italic", "tifinagh", "arrow", "block element", "box drawing",
    "combining mark", "currency", "digit", "dingbat", "domino tile", "emoticon", "geometric shape", "hexagram",
    "mathematical letter", "mathematical sign", "modifier", "number", "playing card", "punctuation", "symbol",
    "tetragram", "other script",
)  # fmt: skip

_KINDS = {"L": "letter", "M": "mark", "N": "number", "P": "punctuation", "S": "symbol"}
_CATEGORIES = {
    "Mn": "combining mark", "Mc": "combining mark", "Me": "combining mark", "Nd": "digit", "Nl": "number",
    "No": "number", "Sc": "currency", "Sk": "modifier", "Lm": "modifier", "Lu": "mathematical letter",
    "Ll": "mathematical letter", "Lo": "mathematical letter",
}  # fmt: skip
_BLOCKS = {
    "Box Drawing": "box drawing",
    "Block Elements": "block element",
    "Geometric Shapes": "geometric shape",
    "Domino Tiles": "domino tile",
    "Playing Cards": "playing card",
    "Yijing Hexagram Symbols": "hexagram",
    "Tai Xuan Jing Symbols": "tetragram",
    "Emoticons": "emoticon",
    "Dingbats": "dingbat",
}
_FORM = re.compile(r" (ISOLATED|INITIAL|MEDIAL|FINAL) FORM$")  # of Arabic letters, which change with their place
_LETTER = re.compile(r"^.*?\b(?:LETTER|SYLLABICS|DIGIT) (?=.)")
_CASE = re.compile(r"\b(CAPITAL|SMALL) (?=.)")


@dataclass(frozen=True)
class Character:
    """A character with what its Unicode properties say; `label` is one of `CLASSES`."""

    character: str
    code: int
    name: str
    script: str
    label: str
    category: str
    kind: str
    case: str
    accents: str
    base: str
    path: str


def described(character: str) -> Character:
    """One named character, taken apart.

    Raises:
        ValueError: the character has no name.
    """
    from fontTools.unicodedata import script, script_name

    name, category = unicodedata.name(character), unicodedata.category(character)
    base, _, accents = _FORM.sub("", name).partition(" WITH ")
    kind = "digit" if category == "Nd" else _KINDS[category[0]]
    written = script_name(script(character)).replace("_", " ").lower()
    label = _label(character, name, category, written)
    stem = _CASE.sub("", _LETTER.sub("", base)) if kind in ("letter", "digit") else base
    return Character(
        character, ord(character), name, written, label, category, kind,
        {"Lu": "capital", "Ll": "small"}.get(category, "none"),
        accents, base, f"{kind}/{label}/{stem.lower()}",
    )  # fmt: skip


def _label(character: str, name: str, category: str, written: str) -> str:
    from fontTools.unicodedata import block

    if written not in ("common", "inherited"):
        return written if written in CLASSES else "other script"
    if category[0] == "P":
        return "punctuation"
    if category in _CATEGORIES:
        return _CATEGORIES[category]
    if "ARROW" in name:
        return "arrow"
    return _BLOCKS.get(block(character), "mathematical sign" if category == "Sm" else "symbol")
