"""The one door to data: `load` gives a record by name or from a file, `fingerprint` says which rows."""

import difflib
import os
from pathlib import Path

from workbench.corpora.base import Record
from workbench.corpora.builtin import BUILT_IN
from workbench.corpora.hub import hub_fingerprint, is_cached, load_hub
from workbench.corpora.known import KNOWN
from workbench.corpora.local import data_root, load_local, local_fingerprint, local_names
from workbench.corpora.pinned import PINNED
from workbench.corpora.tables import SUFFIXES, load_table, table_fingerprint

__all__ = ["UnknownCorpus", "fingerprint", "load"]


class UnknownCorpus(LookupError):
    """No built-in set, local set or table has this name."""


def load(
    name: str | os.PathLike[str],
    *,
    split: str | None = None,
    text: str | None = None,
    label: str | None = None,
    scope: str | None = None,
    subset: str | None = None,
) -> Record:
    """The rows of a data set as a record: `load("stsb", split="test")` is `Pairs` with 1,379 rows.

    The path of a .csv, .tsv, .jsonl or .parquet file, a built-in name ('pydocs', 'pysource', 'readmes', 'glyphs',
    'cldr', 'digits'), the folder name of a local set under WORKBENCH_DATA, or a set of the model hub, in this
    order; the sets of the hub are pinned to a revision and fetched once. See `catalogue` for what there is, and
    the readers of the built-in sets (`workbench.corpora.builtin`) for their columns.

    Args:
        name: name of the set, or path of the file.
        split: train, dev, test or what the set has; None takes all rows. A `Retrieval` splits its queries,
            and None takes the test queries where there are any, else every query.
        text: for a file, the column that becomes the texts; every other column is kept.
        label: for a file, the column that becomes the labels: the record is then `Labels`, else `Corpus`.
        scope: for 'pydocs' and 'pysource', 'stdlib-core', 'stdlib' or 'all' (None).
        subset: rows of one value of the column `subset`, or of `lang` where a set has no such column; for
            'pysource' what a row is ("functions"), for 'glyphs' a face ("serif"), for 'cldr' two locales ("en-de").

    Raises:
        UnknownCorpus: no such name (a LookupError); the message names the nearest.
        LookupError: a set of the hub that is not in its cache, while the hub does not answer or refuses it; the
            message says what is missing and how to get it.
        ValueError: an option that this kind of source does not take, an unknown split, scope, subset or
            column, a missing, torn or unreadable file, a null text or a NaN score (with its row).
    """
    options = {"split": split, "text": text, "label": label, "scope": scope, "subset": subset}
    if isinstance(name, os.PathLike) or Path(name).suffix.lower() in SUFFIXES:
        _refuse(name, "a file", options, ("scope",))
        return load_table(Path(name), text=text, label=label, split=split, subset=subset)
    if name in BUILT_IN:
        built_in = BUILT_IN[name]
        _refuse(name, "a built-in set", options, tuple(o for o in options if o not in built_in.options))
        return built_in.load(**{option: options[option] for option in built_in.options})
    if name in PINNED and not _is_local(name):
        _refuse(name, "a set of the hub", options, ("text", "label", "scope"))
        return load_hub(name, split=split, subset=subset)
    folder = _folder(name)
    _refuse(name, "a local set", options, ("text", "label", "scope"))
    return load_local(folder, split=split, subset=subset)


def fingerprint(name: str | os.PathLike[str], *, scope: str | None = None) -> str:
    """Hexadecimal SHA-256 that changes when the rows of `name` would change; reads no row.

    A built-in set is hashed as reader version, scope and the versions of what it reads, a local set and a
    file as their bytes, a set of the hub as its revision and columns.

    Raises:
        UnknownCorpus: no such name, or a set of the hub that is not in its cache.
        ValueError: an unknown scope, a scope for what has none, or no such file.
    """
    built_in = BUILT_IN.get(name) if isinstance(name, str) else None
    if built_in and "scope" in built_in.options:
        return built_in.fingerprint(scope)
    if scope is not None:
        raise ValueError(f"{os.fspath(name)!r} takes no scope, got {scope!r}")
    if built_in:
        return built_in.fingerprint()
    if isinstance(name, os.PathLike) or Path(name).suffix.lower() in SUFFIXES:
        return table_fingerprint(Path(name))
    if name in PINNED and not _is_local(name):
        if not is_cached(name):
            raise UnknownCorpus(f"{name!r} is a set of the hub and not in its cache: load({name!r}) fetches it")
        return hub_fingerprint(name)
    return local_fingerprint(_folder(name))


def _refuse(name: str | os.PathLike[str], kind: str, options: dict[str, str | None], wrong: tuple[str, ...]) -> None:
    given = [option for option in wrong if options[option] is not None]
    if given:
        raise ValueError(f"{os.fspath(name)!r} is {kind} and takes no {given[0]}, got {options[given[0]]!r}")


def _is_local(name: str) -> bool:
    return data_root() is not None and name in local_names()


def _folder(name: str) -> Path:
    root = data_root()
    if root and name in local_names():
        return root / name
    near = difflib.get_close_matches(name, [*BUILT_IN, *KNOWN, *PINNED, *(local_names() if root else ())], n=1)
    said = f"no data set is named {name!r}"
    if root is None and name in KNOWN:
        raise UnknownCorpus(
            f"{name!r} is a local set, and no local sets are here: set the environment variable WORKBENCH_DATA "
            f"to the folder that holds {name}/card.json"
        )
    if root and name in KNOWN:
        raise UnknownCorpus(f"{name!r} is a local set, but WORKBENCH_DATA={str(root)!r} holds no {name}/card.json")
    if Path(name).suffix:
        raise UnknownCorpus(f"{said}, and a file ends in one of {', '.join(SUFFIXES)}")
    raise UnknownCorpus(f"{said}; the nearest is {near[0]!r}" if near else f"{said}; catalogue() lists them all")
