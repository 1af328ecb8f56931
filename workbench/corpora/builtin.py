"""The built-in sets, one line each: who reads them, and which options of `load` they take."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from workbench.corpora import cldr, digits, glyphs, pydocs, pysource, readmes
from workbench.corpora.base import Record

__all__ = ["BUILT_IN", "BuiltIn"]


@dataclass(frozen=True)
class BuiltIn:
    """A built-in set: its module (TASK, LICENCE, ORIGIN), its two functions, its record type and languages.

    `options` are those of `load` that the reader takes; where `scope` is one, the fingerprint takes it too.
    """

    module: ModuleType
    load: Callable[..., Record]
    fingerprint: Callable[..., str]
    options: tuple[str, ...]
    record: str
    languages: tuple[str, ...]


BUILT_IN: dict[str, BuiltIn] = {
    "pydocs": BuiltIn(pydocs, pydocs.load_pydocs, pydocs.pydocs_fingerprint, ("scope",), "Corpus", ("en",)),
    "pysource": BuiltIn(
        pysource, pysource.load_pysource, pysource.pysource_fingerprint, ("scope", "subset", "split"), "Corpus", ("en",)
    ),
    "readmes": BuiltIn(readmes, readmes.load_readmes, readmes.readmes_fingerprint, (), "Corpus", ("en",)),
    "glyphs": BuiltIn(glyphs, glyphs.load_glyphs, glyphs.glyphs_fingerprint, ("subset", "split"), "Images", ()),
    "cldr": BuiltIn(cldr, cldr.load_cldr, cldr.cldr_fingerprint, ("subset", "split"), "Corpus or Pairs", ("mul",)),
    "digits": BuiltIn(digits, digits.load_digits, digits.digits_fingerprint, ("split",), "Images", ()),
}
