"""The table of claims: in a notebook, on a terminal, in a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from workbench.experiments.records import ClaimRow, Record

__all__ = ["VerdictTable", "false_successes", "limit_text", "number_text", "verdict_text"]


@dataclass(frozen=True)
class VerdictTable:
    """The claims of one record; shows itself as HTML in a notebook and as text elsewhere."""

    record: Record

    def __repr__(self) -> str:
        lines = [
            f"{row['key']:<5} {row['says']} ({row['on']}): {number_text(row)} {row['unit']}; {verdict_text(row)}"
            for row in self.rows
        ]
        return "\n".join([*lines, false_successes(1)])

    @property
    def rows(self) -> list[ClaimRow]:
        """Claims first, the deciding one leading, then replications."""
        claims = sorted(self.record["claims"], key=lambda row: not row["decides"])
        return [*claims, *self.record["replications"]]

    def _repr_html_(self) -> str:
        heads = ("", "claim", "on", "where", "limit", "measured [95 % interval]", "verdict")
        head = "".join(f"<th scope='col' style='text-align:left'>{escape(h)}</th>" for h in heads)
        body = "".join(_html_row(row) for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{escape(false_successes(1))}</p>"


def number_text(row: ClaimRow) -> str:
    """Value and interval, as in 0.123 [0.100, 0.146], or a dash where nothing was measured."""
    if row["value"] is None:
        return "–"
    return f"{row['value']:.4g} [{row['low']:.4g}, {row['high']:.4g}]"


def limit_text(limit: float | Sequence[float | None]) -> str:
    """The limit that was fixed before the run, in words."""
    if not isinstance(limit, Sequence):
        return f"at least {limit:g}"
    low, high = limit
    if low is None or high is None:
        return f"at most {high:g}" if low is None else f"at least {low:g}"
    return f"{low:g} to {high:g}"


def verdict_text(row: ClaimRow) -> str:
    """The verdict, with the note that explains it."""
    if row["verdict"] is None:
        return row["note"]
    return row["verdict"] + (f" ({row['note']})" if row["note"] else "")


def false_successes(deciding: int) -> str:
    """How many deciding claims would pass by chance alone."""
    return (
        f"{deciding} deciding claim{'s' if deciding != 1 else ''}; by chance alone "
        f"{0.025 * deciding:.3g} would pass (2.5 % each). The other claims are secondary."
    )


def _html_row(row: ClaimRow) -> str:
    key = escape(row["key"])
    cells = (
        f"<b>{key}</b> (decides)" if row["decides"] else key,
        escape(row["says"]) + f"<br><small>{escape(row['unit'])}</small>",
        *(escape(row[name]) for name in ("on", "where")),
        escape(limit_text(row["limit"])),
        escape(number_text(row))
        + (f"<br><small>n = {row['n']} ({escape(row['n_unit'] or '')})</small>" if row["n"] else ""),
        escape(verdict_text(row)),
    )
    return "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>"
