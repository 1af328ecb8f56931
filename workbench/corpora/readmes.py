"""The built-in set `readmes`: the long descriptions of the Python packages installed here."""

import hashlib
import importlib.metadata

from workbench.corpora.base import Source
from workbench.corpora.records import Corpus

__all__ = ["LICENCE", "ORIGIN", "TASK", "load_readmes", "readmes_fingerprint"]

TASK = "descriptions of installed packages: long documents, one a package"
LICENCE = "the licence of each package, in the column licence"
ORIGIN = "metadata of the packages installed here"
_READER = 1  # raised when the rows of the same packages change
_SHORTEST = 30  # characters, as in pydocs
_FIELDS = ("Description", "Version", "Summary", "License-Expression", "License")


def load_readmes() -> Corpus:
    """Descriptions as texts, in the order of the SHA-256 of their own text.

    Columns: name, version, summary, licence ('' where a package states none). Packages with a description
    under 30 characters, a second copy of a package and this project itself are left out.
    """
    rows = []
    for name, distribution in _installed().items():
        about = distribution.metadata
        stated = {field: (about[field] or "").strip() if field in about else "" for field in _FIELDS}
        licence = stated["License-Expression"] or stated["License"].partition("\n")[0]
        if len(stated["Description"]) >= _SHORTEST:
            rows.append((stated["Description"], name, stated["Version"], stated["Summary"], licence))
    rows.sort(key=lambda row: (hashlib.sha256(row[0].encode("utf-8", "replace")).digest(), row[1]))
    texts, *rest = zip(*rows, strict=True)
    columns: dict[str, tuple[str, ...]] = dict(zip(("name", "version", "summary", "licence"), rest, strict=True))
    return Corpus(texts, columns, source=Source("readmes", "built-in", LICENCE, ORIGIN, readmes_fingerprint()))


def readmes_fingerprint() -> str:
    """Hexadecimal SHA-256 of the reader's version and the names and versions of the installed packages."""
    parts = [f"{name} {distribution.version}" for name, distribution in _installed().items()]
    return hashlib.sha256("\n".join([f"reader {_READER}", *parts]).encode()).hexdigest()


def _installed() -> dict[str, importlib.metadata.Distribution]:
    found = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.name.lower().replace("_", "-")
        if name != "workbench":
            found.setdefault(name, distribution)  # the first on the path is the one that is imported
    return dict(sorted(found.items()))
