"""The built-in set `pydocs`: docstrings of installed Python packages, with name, signature and code."""

import hashlib
import importlib.metadata
import importlib.util
import platform
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from workbench.corpora.base import Source
from workbench.corpora.cache import read_rows, write_rows
from workbench.corpora.docstrings import COLUMNS, described, source_files
from workbench.corpora.records import Corpus
from workbench.home import cache_dir

__all__ = [
    "LICENCE", "ORIGIN", "SCOPES", "TASK", "load_pydocs", "pydocs_fingerprint", "scope_files", "scope_versions",
]  # fmt: skip

TASK = "docstring <-> function, class or module: topics, hierarchy, documents of all lengths"
LICENCE = "PSF-2.0 (standard library), BSD-3-Clause (numpy, scipy, scikit-learn, torch), Apache-2.0 (transformers)"
ORIGIN = "docstrings of the standard library, numpy, scipy, scikit-learn, torch and transformers as installed"

SCOPES = ("stdlib-core", "stdlib", "all")
_READER = 1  # raised when the rows of the same packages change
_PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
    "transformers": "transformers",
}

# in every Python from 3.11 to 3.14, much text for the time that parsing takes, with the longest docstrings
_CORE = (
    "_pydecimal", "_threading_local", "argparse", "cmd", "codecs", "collections",
    "configparser", "contextlib", "ctypes", "difflib", "doctest", "email", "fileinput", "heapq", "http",
    "json", "logging", "lzma", "mailbox", "optparse", "os", "pyclbr",
    "shelve", "shutil", "site", "smtplib", "socket", "socketserver", "ssl", "statistics",
    "textwrap", "threading", "timeit", "traceback", "turtle", "typing", "urllib", "uuid", "wsgiref",
)  # fmt: skip


def load_pydocs(scope: str | None = None) -> Corpus:
    """Docstrings as texts, in the order of the SHA-256 of their own text.

    Columns: name (dotted), module, package (top level; for the standard library the module's first part),
    kind (module, class, function or method), signature (as `ast.unparse` writes it), code (source of a
    function or method without its docstring, '' for others). Docstrings under 30 characters are dropped, and
    those whose 4-word shingles resemble those of an earlier row by 0.7 or more (`duplicates.distinct_rows`).
    Nothing is imported; the rows are kept in data/cache/pydocs.

    Raises:
        ValueError: `scope` is not 'stdlib-core', 'stdlib' or 'all' (None).
        ModuleNotFoundError: a package of the scope is not installed.
    """
    key = pydocs_fingerprint(scope)
    path = cache_dir("pydocs") / f"{key}.parquet"
    columns = read_rows(path, COLUMNS)
    if columns is None:
        columns = _parsed(scope or "all")
        write_rows(path, columns)
    rest = {name: values for name, values in columns.items() if name != "text"}
    return Corpus(
        columns["text"], rest, source=Source("pydocs", "built-in", LICENCE, ORIGIN, key, scope=scope or "all")
    )


def pydocs_fingerprint(scope: str | None = None) -> str:
    """Hexadecimal SHA-256 of the reader's version, the scope and its modules, and the versions of what is read.

    Raises:
        ValueError: `scope` is not 'stdlib-core', 'stdlib' or 'all' (None).
        ModuleNotFoundError: a package of the scope is not installed.
    """
    scope = scope or "all"
    if scope not in SCOPES:
        raise ValueError(f"the scope of pydocs is one of {list(SCOPES)}, got {scope!r}")
    return hashlib.sha256("\n".join([f"reader {_READER}", *scope_versions(scope)]).encode()).hexdigest()


def scope_versions(scope: str) -> list[str]:
    """One of SCOPES, the modules that it names, and the versions of what is read.

    Raises:
        ModuleNotFoundError: a package of the scope is not installed.
    """
    parts = [scope, platform.python_implementation(), platform.python_version()]
    if scope == "stdlib-core":
        parts += _CORE
    if scope == "all":
        parts += [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES.values()]
    return parts


def scope_files(scope: str) -> Iterator[tuple[Path, str]]:
    """Python files of one of SCOPES with their dotted module names, tests left out, in a fixed order.

    Raises:
        ModuleNotFoundError: a package of the scope is not installed.
    """
    return _files(scope)


def _parsed(scope: str) -> dict[str, tuple[str, ...]]:
    from workbench.corpora.duplicates import distinct_rows

    rows = [row for path, module in _files(scope) for row in described(path, module)]
    rows.sort(key=lambda row: (hashlib.sha256(row[0].encode()).digest(), row[1]))
    kept = [rows[i] for i in distinct_rows([row[0] for row in rows])]
    return dict(zip(COLUMNS, zip(*kept, strict=True), strict=True))


def _files(scope: str) -> Iterator[tuple[Path, str]]:
    yield from source_files(Path(sysconfig.get_path("stdlib")), only=_CORE if scope == "stdlib-core" else None)
    for package in _PACKAGES if scope == "all" else ():
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(f"pydocs reads {package}, which is not installed", name=package)
        for path, module in source_files(Path(found.origin).parent):
            yield path, f"{package}.{module}" if module else package
