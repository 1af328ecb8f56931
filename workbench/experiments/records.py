"""The record of a run: one JSON file, written by atomic rename, checked when read."""

import json
from pathlib import Path
from typing import TypedDict, cast

from workbench.home import replacing

__all__ = ["ClaimRow", "Record", "TornRecord", "read_record", "write_atomic"]


class ClaimRow(TypedDict):
    """One claim in a record; value, low, high and n are None where it was not measured."""

    key: str
    kind: str
    says: str
    unit: str
    on: str
    where: str
    expect: str
    n: int | None
    n_unit: str | None
    value: float | None
    low: float | None
    high: float | None
    limit: float | list[float | None]
    verdict: str | None
    note: str
    decides: bool


class Record(TypedDict):
    """What a run leaves behind."""

    slug: str
    scale: str
    claims_sha: str
    parameters: dict[str, object]
    changed: list[str]
    seeds: list[int]
    uses: dict[str, dict[str, str]]
    versions: dict[str, str]
    device: str
    seconds: float
    cpu_seconds: float
    peak_memory: int
    claims: list[ClaimRow]
    replications: list[ClaimRow]
    figures: list[dict[str, str]]
    notes: list[str]


class TornRecord(ValueError):
    """A record file that is not whole JSON with the fields of `Record`."""


def write_atomic(path: Path, text: str) -> None:
    """Writes `text` in UTF-8 so that a reader sees the old file or the new one, never a part, even after a kill."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def read_record(path: Path) -> Record:
    """The record in this file.

    Raises:
        FileNotFoundError: no such file.
        TornRecord: not JSON, or a field of the schema is missing or unknown.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise TornRecord(f"{path} is not JSON: {error}") from error
    fields = set(Record.__annotations__)
    if not isinstance(record, dict) or set(record) != fields:
        found = set(record) if isinstance(record, dict) else set()
        raise TornRecord(f"{path}: missing {sorted(fields - found)}, unknown {sorted(found - fields)}")
    row_fields = set(ClaimRow.__annotations__)
    for row in [*record["claims"], *record["replications"]]:
        if set(row) != row_fields:
            raise TornRecord(
                f"{path}: claim {row.get('key')} has fields {sorted(set(row) ^ row_fields)} too few or many"
            )
    return cast(Record, record)
