"""The built-in set `cldr`: names of territories, languages, scripts, currencies, months and days in many locales."""

import hashlib
import importlib.metadata
from collections import Counter

import numpy as np

from workbench.corpora.base import Source
from workbench.corpora.cache import read_rows, write_rows
from workbench.corpora.cldr_names import check_locale, locale_parts, own_names
from workbench.corpora.records import Corpus, Pairs
from workbench.corpora.splits import check_split, hash_split, part
from workbench.home import cache_dir

__all__ = ["LICENCE", "ORIGIN", "TASK", "cldr_fingerprint", "cldr_locales", "load_cldr"]

TASK = "names of territories, languages, scripts, currencies, months and days: a lexicon for any pair of locales"
LICENCE = "Unicode-3.0 (CLDR), BSD-3-Clause (babel)"
ORIGIN = "Unicode Common Locale Data Repository as installed with babel"

_COLUMNS: tuple[str, ...] = ("text", "locale", "language", "script", "kind", "code")
_READER = "cldr reader 1"  # raised when the rows or splits of the same babel change


def load_cldr(*, subset: str | None = None, split: str | None = None) -> Corpus | Pairs:
    """Names that a locale states itself, none inherited: a `Corpus` of all, or the `Pairs` of two locales.

    `subset` joins two locales by a hyphen: "en-de", "en-zh_Hant", "hi-mr"; None takes every name of every locale.
    Left out are names that are the bare code and, in locales that do not write Latin, names that are the English
    ones. Kinds are territory, language, script, currency, month (codes 1 to 12) and day (0: Monday).

    Corpus: in the order of the texts' SHA-256; columns locale, language, script (ISO 15924), kind, code, split;
    kept in data/cache/cldr. Pairs: what both locales name, every score 1, in the order of the SHA-256 of kind and
    code; columns kind, code, same (bool: both names are the same string), split. Splits are by kind and code: an
    entry is in the same split in all locales.

    Raises:
        ValueError: no such locale (the message names the nearest), `subset` is not two different locales, they
            name nothing in common, or no such split.
    """
    check_split("cldr", split)
    source = Source("cldr", "built-in", LICENCE, ORIGIN, cldr_fingerprint(), split, subset)
    if subset is not None:
        return part(_pairs(subset, source), split)
    held = dict(zip(_COLUMNS, _every_name(), strict=True))
    entries = zip(held["kind"], held["code"], strict=True)
    splits = {entry: hash_split(f"cldr {' '.join(entry)}") for entry in dict.fromkeys(entries)}
    columns = {name: held[name] for name in _COLUMNS[1:]}
    columns["split"] = tuple(splits[entry] for entry in zip(held["kind"], held["code"], strict=True))
    return part(Corpus(held["text"], columns, source=source), split)


def cldr_locales() -> dict[str, int]:
    """Number of names that each locale states itself, by locale, the largest first; locales with none are absent."""
    return dict(sorted(Counter(_every_name()[1]).items(), key=lambda item: (-item[1], item[0])))


def cldr_fingerprint() -> str:
    """Hexadecimal SHA-256 of the reader's version and babel's, which brings the names; reads no name."""
    return hashlib.sha256(f"{_READER}\nbabel {importlib.metadata.version('babel')}".encode()).hexdigest()


def _every_name() -> tuple[tuple[str, ...], ...]:
    path = cache_dir("cldr") / f"{cldr_fingerprint()}.parquet"
    columns = read_rows(path, _COLUMNS)
    if columns is None:
        parts: dict[str, tuple[str, str]] = {}
        rows = []
        for name, locale, kind, code in own_names():
            language, script = parts[locale] = parts.get(locale) or locale_parts(locale)
            rows.append((name, locale, language, script, kind, code))
        rows.sort(key=lambda row: (hashlib.sha256(row[0].encode()).digest(), row[1:]))
        columns = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
        write_rows(path, columns)
    return tuple(columns[name] for name in _COLUMNS)


def _pairs(subset: str, source: Source) -> Pairs:
    locales = subset.split("-")
    for locale in locales:
        check_locale(locale)
    if len(locales) != 2 or locales[0] == locales[1]:
        raise ValueError(f"a subset of cldr is two different locales joined by a hyphen ('en-zh_Hant'), got {subset!r}")
    named = [{(kind, code): name for name, _, kind, code in own_names([locale])} for locale in locales]
    common = sorted(named[0].keys() & named[1].keys(), key=lambda e: hashlib.sha256(" ".join(e).encode()).digest())
    if not common:
        counts = {locale: len(names) for locale, names in zip(locales, named, strict=True)}
        raise ValueError(f"the locales of {subset!r} name nothing in common; names of their own: {counts}")
    left, right = (tuple(names[entry] for entry in common) for names in named)
    kinds, codes = zip(*common, strict=True)
    columns = {
        "kind": kinds,
        "code": codes,
        "same": tuple(a == b for a, b in zip(left, right, strict=True)),
        "split": tuple(hash_split(f"cldr {' '.join(entry)}") for entry in common),
    }
    return Pairs(left, right, np.ones(len(common)), columns, source=source)
