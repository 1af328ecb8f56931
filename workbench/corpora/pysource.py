"""The built-in set `pysource`: files, functions, comments and identifiers of installed Python packages."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from workbench.corpora.base import Source
from workbench.corpora.cache import read_rows, write_rows
from workbench.corpora.pydocs import LICENCE, SCOPES, scope_files, scope_versions
from workbench.corpora.records import Corpus
from workbench.corpora.splits import check_split, hash_split
from workbench.home import cache_dir

__all__ = ["LICENCE", "ORIGIN", "SUBSETS", "TASK", "load_pysource", "package_split", "pysource_fingerprint"]

TASK = "Python source: files, functions with their docstrings, comments with their code, identifiers as words"
ORIGIN = "source of the standard library, numpy, scipy, scikit-learn, torch and transformers as installed"

SUBSETS = {
    "files": ("text", "path", "module", "package", "lines"),
    "functions": ("text", "name", "module", "package", "kind", "signature", "docstring", "lines"),
    "comments": ("text", "module", "package", "line", "code"),
    "identifiers": ("text", "identifier", "kinds", "count", "package"),
}
_NUMBERS = ("lines", "line", "count")
_READER = 1  # raised when the rows or splits of the same packages change
_SALT = "pysource 461"  # of 1,000 that whose shares of rows came nearest to 80, 10, 10 % in every scope and subset

Row = tuple[str, ...]


def load_pysource(*, scope: str | None = None, subset: str | None = None, split: str | None = None) -> Corpus:
    """Source code as texts, in the order of the SHA-256 of their own text; nothing is imported.

    `subset` says what a row is; `package` is the top level (of the standard library the module's first part):

    - "files": a source file, with Unix line ends; columns path (below the library's folder), module, package, lines.
    - "functions" (None): a function or method with its decorators, without its docstring, dedented; no local
      functions and no stubs; columns name (dotted), module, package, kind ('function', 'method'), signature,
      docstring ('' where none), lines (of the text).
    - "comments": a comment of 30 characters or more, see `pycomments.comments`; columns module, package, line
      (its first, from 1), code (the statement that it precedes or stands beside, '' where none).
    - "identifiers": the words of an identifier in lower case ("get http response 2"), two or more of them not
      digits, one of three letters or more; columns identifier (its most frequent spelling), kinds (of function,
      class, variable, argument, attribute, joined by ", "), count (in the scope, imports left out), package (the one
      with most of them).

    Files and functions that resemble an earlier row by 0.7 or more are dropped (`duplicates.distinct_rows`),
    of comments and identifiers exact copies. `split` is of whole packages, see `package_split`; None takes all
    rows. The columns lines, line and count hold int, the others str. Rows are kept in data/cache/pysource.

    Raises:
        ValueError: `scope` is not 'stdlib-core', 'stdlib' or 'all' (None), `subset` or `split` is none of
            those above, or the split holds no package of the scope.
        ModuleNotFoundError: a package of the scope is not installed.
    """
    scope, subset = scope or "all", subset or "functions"
    if subset not in SUBSETS:
        raise ValueError(f"the subset of pysource is one of {list(SUBSETS)}, got {subset!r}")
    check_split("pysource", split)
    key = pysource_fingerprint(scope)
    path = cache_dir("pysource") / f"{subset}-{key}.parquet"
    columns = read_rows(path, SUBSETS[subset])
    if columns is None:
        rows = _READERS[subset](scope)
        columns = {name: tuple(row[i] for row in rows) for i, name in enumerate(SUBSETS[subset])}
        write_rows(path, columns)
    rest = {name: tuple(map(int, v)) if name in _NUMBERS else v for name, v in columns.items() if name != "text"}
    source = Source("pysource", "built-in", LICENCE, ORIGIN, key, split=split, scope=f"{scope}, {subset}")
    whole = Corpus(columns["text"], rest, source=source)
    return whole if split is None else _part(whole, scope, split)


def pysource_fingerprint(scope: str | None = None) -> str:
    """Hexadecimal SHA-256 of the reader's version, the scope and its modules, and the versions of what is read.

    Raises:
        ValueError: `scope` is not 'stdlib-core', 'stdlib' or 'all' (None).
        ModuleNotFoundError: a package of the scope is not installed.
    """
    scope = scope or "all"
    if scope not in SCOPES:
        raise ValueError(f"the scope of pysource is one of {list(SCOPES)}, got {scope!r}")
    parts = [f"pysource reader {_READER}", _SALT, *scope_versions(scope)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def package_split(package: str) -> str:
    """The split of a whole package by a hash of its name: 'train' (8 of 10), 'dev' or 'test'.

    Rows differ much in number from package to package, so shares of rows are near these only on average.
    """
    return hash_split(f"{_SALT} {package}")


def _part(whole: Corpus, scope: str, split: str) -> Corpus:
    packages = whole.columns["package"]
    splits = {package: package_split(package) for package in set(packages)}
    rows = [row for row, package in enumerate(packages) if splits[package] == split]
    if not rows:
        raise ValueError(
            f"split {split!r} of pysource holds no package of scope {scope!r}: splits are of whole packages, "
            f"and all {len(splits)} of this scope fell to {sorted(set(splits.values()))}"
        )
    return whole.take(rows)


def _files(scope: str) -> list[Row]:
    rows = []
    for path, module, package, text in _texts(scope):
        inside = module.replace(".", "/") + ("/__init__.py" if path.stem == "__init__" else ".py")
        rows.append((text, inside, module, package, str(len(text.rstrip("\n").split("\n")))))
    return _distinct(rows)


def _functions(scope: str) -> list[Row]:
    from workbench.corpora.pycode import functions

    rows = []
    for _, module, package, text in _texts(scope):
        for code, name, kind, signature, docstring, lines in functions(text, module):
            rows.append((code, name, module, package, kind, signature, docstring, str(lines)))
    return _distinct(rows)


def _comments(scope: str) -> list[Row]:
    from workbench.corpora.pycomments import comments

    rows = []
    for _, module, package, text in _texts(scope):
        rows += [(said, module, package, str(line), code) for said, line, code in comments(text)]
    kept: dict[str, Row] = {}
    for row in _ordered(rows):
        kept.setdefault(row[0], row)
    return list(kept.values())


def _identifiers(scope: str) -> list[Row]:
    from workbench.corpora.pycode import named, split_words

    packages: dict[str, Counter[str]] = defaultdict(Counter)
    kinds: dict[str, set[str]] = defaultdict(set)
    for _, _, package, text in _texts(scope):
        for (identifier, kind), count in Counter(named(text)).items():
            packages[identifier][package] += count
            kinds[identifier].add(kind)
    spellings: dict[str, list[str]] = defaultdict(list)
    for identifier in sorted(packages, key=lambda i: (-packages[i].total(), i)):
        words = split_words(identifier)
        if sum(not word[0].isdigit() for word in words) >= 2 and max(map(len, words)) >= 3:
            spellings[" ".join(words)].append(identifier)
    rows = []
    for text, alike in spellings.items():
        total = sum((packages[identifier] for identifier in alike), Counter[str]())
        known = sorted(set().union(*(kinds[identifier] for identifier in alike)) - {""})
        if known:  # names that are bound nowhere here are imported from elsewhere
            first = min(total, key=lambda package: (-total[package], package))
            rows.append((text, alike[0], ", ".join(known), str(total.total()), first))
    return _ordered(rows)


def _texts(scope: str) -> Iterator[tuple[Path, str, str, str]]:
    from workbench.corpora.pycode import source_text

    for path, module in scope_files(scope):
        text = source_text(path)
        if text and text.strip():
            yield path, module, module.partition(".")[0], text


def _ordered(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (hashlib.sha256(row[0].encode("utf-8", "surrogatepass")).digest(), row[1:]))


def _distinct(rows: list[Row]) -> list[Row]:
    from workbench.corpora.duplicates import distinct_rows

    rows = _ordered(rows)
    return [rows[i] for i in distinct_rows([row[0] for row in rows])]


_READERS: dict[str, Callable[[str], list[Row]]] = {
    "files": _files,
    "functions": _functions,
    "comments": _comments,
    "identifiers": _identifiers,
}
