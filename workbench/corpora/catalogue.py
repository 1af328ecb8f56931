"""What there is to load: built-in sets, local sets, and the known local sets that are not here."""

from dataclasses import dataclass
from pathlib import Path

from workbench.corpora.builtin import BUILT_IN, BuiltIn
from workbench.corpora.known import KNOWN
from workbench.corpora.local import RECORDS, data_root, local_names, read_card

__all__ = ["Entry", "catalogue"]


@dataclass(frozen=True)
class Entry:
    """One data set: name, kind ('built-in', 'local'), record type, rows, and what its owners say.

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
    """Every data set by name: the built-in sets, then the local sets in alphabetical order.

    A local set of the project's own list that is not under WORKBENCH_DATA is there with `here` False.

    Raises:
        ValueError: WORKBENCH_DATA names no folder, or a card is torn.
    """
    root, named = data_root(), local_names()
    return [
        *(_built_in(name, made) for name, made in BUILT_IN.items()),
        *(_local(root / name) if root and name in named else _absent(name) for name in sorted({*named, *KNOWN})),
    ]


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
