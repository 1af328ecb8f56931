"""What differs between two runs: the recipe first, then the numbers."""

import json
from collections.abc import Mapping
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from workbench.experiments.keys import Plan
from workbench.experiments.launch import complete_record, newest_record
from workbench.experiments.papers import find_paper
from workbench.experiments.records import ClaimRow, Record, read_record
from workbench.experiments.table import number_text, verdict_text
from workbench.home import data_dir

__all__ = ["claims_side_by_side", "find_run", "recipe_differences", "why_it_would_run"]

Difference = tuple[str, str, str]  # what, in the first, in the second
NONE = "–"
SHOWN = 8  # modules named; a change of the whole package would fill the screen


def why_it_would_run(plan: Plan) -> list[Difference]:
    """What this run would have that the nearest completed run of the paper had not; empty where it is done.

    The nearest is the one with the fewest parts that differ. Where no run completed here yet, one row says so.
    """
    if complete_record(plan.folder) is not None:
        return []
    earlier = [_parts(path.parent) for path in sorted(plan.folder.parent.glob("*/record.json"))]
    found = [recipe_differences(parts, plan.parts) for parts in earlier if parts]
    return min(found, key=len, default=[("runs", "none completed here", "this would be the first")])


def recipe_differences(first: Mapping[str, str], second: Mapping[str, str]) -> list[Difference]:
    """Rows (part, in the first, in the second) of the parts of two keys that differ; those in JSON name by name."""
    rows: list[Difference] = []
    # a committed record has no key beside it, so the sources behind it cannot be compared
    whole = "notebook" in first and "notebook" in second
    names = sorted({*first, *second} if whole else {*first} & {*second})
    differ = [name for name in names if first.get(name) != second.get(name)]
    sources = [name.removeprefix("source: ") for name in differ if name.startswith("source: ")]
    if sources:
        more = f" and {len(sources) - SHOWN} more" if len(sources) > SHOWN else ""
        rows.append((f"{len(sources)} modules of workbench", "as they were", ", ".join(sources[:SHOWN]) + more))
    for name in differ:
        a, b = first.get(name), second.get(name)
        if name.startswith("source: "):
            continue
        if name in ("parameters", "versions", "seeds") and a is not None and b is not None:
            rows += _inside(name, json.loads(a), json.loads(b))
        else:
            rows.append((name, _short(a), _short(b)))
    return rows


def find_run(text: str) -> tuple[Record, dict[str, str]]:
    """A completed run's record and the parts of its recipe.

    Args:
        text: path of a record or of a run's folder; SLUG for the paper's newest run here; SLUG/KEY, where the
            first digits of the key are enough.

    Raises:
        LookupError: no such paper, no such completed run, or several keys that begin so.
        ValueError: a record that is torn.
    """
    path = Path(text)
    if path.suffix == ".json" or (path / "record.json").is_file():
        path = path if path.suffix == ".json" else path / "record.json"
        try:
            record = read_record(path)
        except FileNotFoundError as error:
            raise LookupError(f"no record at {path}") from error
        return record, _recipe(record, path.parent)
    slug, _, key = text.partition("/")
    paper = find_paper(slug)
    if not key:
        newest = newest_record(paper.slug)
        if newest is None:
            raise LookupError(f"no completed run of {slug} here: 'workbench run {slug}' makes one")
        return newest[0], _recipe(*newest)
    folders = [f for f in sorted((data_dir() / "runs" / slug).glob("*")) if f.name.startswith(key)]
    complete = [(r, f) for f in folders if (r := complete_record(f)) is not None]
    if len(complete) != 1:
        raise LookupError(f"{len(complete)} completed runs of {slug} begin with {key!r}, one is needed")
    return complete[0][0], _recipe(*complete[0])


def claims_side_by_side(first: Record, second: Record) -> Table:
    """Each claim of either record with both numbers and their difference, second minus first.

    There is no test in it: a record keeps intervals, not the values of single items, and two runs of one
    notebook share most of theirs.
    """
    table = Table("claim", "first", "second", "second - first", show_lines=True)
    mine = {row["key"]: row for row in first["claims"]}
    theirs = {row["key"]: row for row in second["claims"]}
    for key in dict.fromkeys([*mine, *theirs]):
        a, b = mine.get(key), theirs.get(key)
        row = a or b
        change = NONE
        if a and b and a["value"] is not None and b["value"] is not None and a["unit"] == b["unit"]:
            change = f"{b['value'] - a['value']:+.4g}"
        says = f"{key} {row['says']}\n{row['unit']}, on {row['on']}" if row else key
        table.add_row(*(escape(cell) for cell in (says, _cell(a), _cell(b), change)))
    return table


def _recipe(record: Record, folder: Path) -> dict[str, str]:
    """Parts of a run's key, or what its record says of them where the key is not beside it."""
    said = {
        "paper": record["slug"],
        "parameters": json.dumps(record["parameters"]),
        "seeds": json.dumps({"seeds": record["seeds"]}),
        "versions": json.dumps(record["versions"]),
        "device": record["device"],
        "claims": record["claims_sha"],
    }
    uses = {f"{kind}: {name}": value for kind, found in record["uses"].items() for name, value in found.items()}
    return said | uses | (_parts(folder) or {})


def _parts(folder: Path) -> dict[str, str] | None:
    try:
        return json.loads((folder / "key.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def _inside(what: str, first: Mapping[str, object], second: Mapping[str, object]) -> list[Difference]:
    names = [name for name in dict.fromkeys([*first, *second]) if first.get(name, NONE) != second.get(name, NONE)]
    label = {"parameters": "parameter ", "versions": "version of "}.get(what, "")
    return [(f"{label}{name}", str(first.get(name, NONE)), str(second.get(name, NONE))) for name in names]


def _short(value: str | None) -> str:
    if value is None:
        return NONE
    return value[:12] if len(value) == 64 else value


def _cell(row: ClaimRow | None) -> str:
    return NONE if row is None else f"{number_text(row)}\n{verdict_text(row)}".strip()
