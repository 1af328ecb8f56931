"""What there is to load: built-in sets, local sets, and the known local sets that are not here."""

from dataclasses import dataclass
from pathlib import Path

from workbench.corpora.builtin import BUILT_IN, BuiltIn
from workbench.corpora.hub import is_cached
from workbench.corpora.known import KNOWN
from workbench.corpora.local import RECORDS, data_root, local_names, read_card
from workbench.corpora.pinned import PINNED

__all__ = ["Entry", "catalogue"]


@dataclass(frozen=True)
class Entry:
    """One data set: name, kind ('built-in', 'local', 'hub'), record type, rows, and what its owners say.

    `rows` counts the main table, of a retrieval set the documents; None until a built-in set has been
    parsed. `here` says whether `load` finds it now.
    """

    name: str
    kind: str
    record: str
    rows: int | None
    task: str
    languages: tuple[str, ...]
    licence: str
    origin: str
    here: bool


def catalogue() -> list[Entry]:
    """Every data set by name: the built-in sets, the local sets, then those of the hub, in alphabetical order.

    A set that is under WORKBENCH_DATA is local; `here` is False for a known local set that is not there, and for
    a set of the hub that is not in its cache.

    Raises:
        ValueError: WORKBENCH_DATA names no folder, or a card is torn.
    """
    root, named = data_root(), local_names()
    return [
        *(_built_in(name, made) for name, made in BUILT_IN.items()),
        *(_local(root / name) if root and name in named else _absent(name) for name in sorted(_local_or_known(named))),
        *(_of_hub(name) for name in sorted(PINNED.keys() - set(named))),
    ]


def _local_or_known(named: list[str]) -> set[str]:
    return {*named, *(KNOWN.keys() - PINNED.keys())}


def _of_hub(name: str) -> Entry:
    pinned = PINNED[name]
    counts = [*pinned.rows.values()] if pinned.record != "Retrieval" else [pinned.documents]
    rows = None if None in counts else sum(n for n in counts if n is not None)
    here = is_cached(name)
    return Entry(name, "hub", pinned.record, rows, pinned.task, pinned.languages, pinned.licence, pinned.repo, here)


def _built_in(name: str, made: BuiltIn) -> Entry:
    about = made.module
    return Entry(name, "built-in", made.record, None, about.TASK, made.languages, about.LICENCE, about.ORIGIN, True)


def _local(folder: Path) -> Entry:
    card = read_card(folder)
    schema = card["schema"]
    rows = card["rows"].get("corpus" if schema == "retrieval" else schema, {}).get("total")
    origin = "; ".join(card["origin"])
    record = RECORDS[schema].__name__
    return Entry(
        folder.name, "local", record, rows, card["task"], tuple(card["languages"]), card["licence"], origin, True
    )


def _absent(name: str) -> Entry:
    schema, rows = KNOWN[name]
    stated = "stated in the set's card"
    return Entry(name, "local", RECORDS[schema].__name__, rows, stated, (), stated, "WORKBENCH_DATA", False)
