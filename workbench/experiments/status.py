"""Tables for the terminal: all papers, and one run beside the committed result."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from workbench.experiments.launch import newest_record
from workbench.experiments.papers import Paper, find_papers
from workbench.experiments.records import ClaimRow, Record, read_record
from workbench.experiments.table import limit_text, number_text, verdict_text
from workbench.home import project_root

if TYPE_CHECKING:
    from workbench.experiments.jobs import Outcome

__all__ = ["committed_record", "outcome_table", "paper_rows", "sweep_table"]


def committed_record(paper: Paper) -> Record | None:
    """The small-scale record in data/measured; None where there is none yet.

    Raises:
        TornRecord: the file is there and is not a record.
    """
    path = project_root() / "data" / "measured" / f"{paper.slug}.json"
    return read_record(path) if path.is_file() else None


def paper_rows() -> list[tuple[str, str, str, str, str]]:
    """A row per paper: slug, family, deciding claim, committed result, scales completed on this machine."""
    rows = []
    for paper in find_papers():
        claim = next(c for c in paper.claims if c.decides)
        record = committed_record(paper)
        row = next((r for r in record["claims"] if r["decides"]), None) if record else None
        small = f"{number_text(row)} {row['unit']}: {verdict_text(row)}" if row else "not measured yet"
        done = [scale for scale in paper.scales if newest_record(paper.slug, scale)]
        rows.append((paper.slug, paper.family, f"{claim.key} {claim.says}", small, ", ".join(done) or "none"))
    return rows


def outcome_table(paper: Paper, record: Record) -> Table:
    """Per claim: what the paper says, the committed small result with its verdict, and this run's number."""
    committed = committed_record(paper)
    theirs = {row["key"]: row for row in committed["claims"]} if committed else {}
    table = Table("paper claims", "committed small result", f"this machine, {record['scale']} scale", title=paper.title)
    table.show_lines = True
    for row in sorted(record["claims"], key=lambda r: not r["decides"]):
        key = f"{row['key']}{' (decides)' if row['decides'] else ''}"
        says = f"{key} {row['says']}\n{row['unit']}, {limit_text(row['limit'])}, on {row['on']}; {row['where']}"
        table.add_row(escape(says), escape(_cell(theirs.get(row["key"]))), escape(_cell(row)))
    return table


def _cell(row: ClaimRow | None) -> str:
    if row is None:
        return "not measured yet"
    return verdict_text(row) if row["value"] is None else f"{number_text(row)}\n{verdict_text(row)}"


def sweep_table(outcomes: Sequence["Outcome"], varied: Sequence[str]) -> Table:
    """A row per run: paper, the parameters that vary, every claim's number, verdict of the deciding one, seconds."""
    table = Table("paper", *varied, "claims [95 %]", "the deciding one", "seconds")
    for outcome in outcomes:
        first = [outcome.plan.paper.slug, *(repr(outcome.plan.parameters[name]) for name in varied)]
        if outcome.record is None:
            table.add_row(*map(escape, [*first, outcome.failure, "failed", ""]))
            continue
        rows = sorted(outcome.record["claims"], key=lambda r: not r["decides"])
        numbers = "\n".join(f"{row['key']} {number_text(row)}" for row in rows)
        table.add_row(*map(escape, [*first, numbers, verdict_text(rows[0]), f"{outcome.record['seconds']:g}"]))
    return table
