"""What `diagnose` says of a space: numbers with intervals, their definitions, and what is unusual in plain words."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from workbench.intervals import Estimate

if TYPE_CHECKING:
    import pandas

__all__ = ["Report", "Reports", "Row"]


@dataclass(frozen=True)
class Row:
    """One number of a report.

    Attributes:
        name: the diagnostic, as it is called in `workbench.diagnostics`.
        estimate: value and interval; None where it could not be measured.
        unusual: what is unusual about it, in plain words; '' where nothing is.
        note: why there is no number, or what it was measured on where that is not all rows.
    """

    name: str
    estimate: Estimate | None
    unusual: str = ""
    note: str = ""

    @property
    def number(self) -> str:
        """Value and interval in three digits, or a dash."""
        if self.estimate is None:
            return "–"
        e = self.estimate
        ends = f" [{e.low:.3g}, {e.high:.3g}]" if math.isfinite(e.low) and math.isfinite(e.high) else " (no interval)"
        return f"{e.value:.3g}{ends}"


@dataclass(frozen=True)
class Report:
    """The diagnostics of one space; shows itself as a table in a notebook and as text elsewhere.

    Attributes:
        rows: one for each number, in a fixed order.
        n: rows of the space (texts).
        d: its columns (dimensions).
        notes: what holds for the report as a whole, such as that rows have unit length.
    """

    rows: Sequence[Row]
    n: int
    d: int
    notes: Sequence[str] = field(default_factory=tuple)

    def __getitem__(self, name: str) -> Estimate:
        """The estimate called `name`.

        Raises:
            KeyError: no row has this name, or it could not be measured.
        """
        row = next((row for row in self.rows if row.name == name), None)
        if row is None:
            raise KeyError(f"no {name!r} in this report; it has {', '.join(r.name for r in self.rows)}")
        if row.estimate is None:
            raise KeyError(f"{name} was not measured: {row.note}")
        return row.estimate

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [f"{row.name:<{width}}  {row.number:<26}  {row.unusual or row.note}".rstrip() for row in self.rows]
        return "\n".join([f"{self.n:,} rows, {self.d:,} dimensions", *lines, *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads = ("diagnostic", "value [95 % interval]", "what is unusual", "definition")
        cells = [
            (row.name, row.number, row.unusual or "", row.estimate.definition if row.estimate else row.note)
            for row in self.rows
        ]
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        title = f"<p><b>{self.n:,} rows, {self.d:,} dimensions</b></p>"
        return title + _table(heads, cells) + (f"<ul>{notes}</ul>" if notes else "")

    def to_frame(self) -> "pandas.DataFrame":
        """A data frame with a row for each number: value, low, high, n, unit, method, definition, unusual, note."""
        import pandas

        return pandas.DataFrame(self._records()).set_index("name")

    def to_json(self) -> str:
        """JSON text of the whole report; numbers that are not finite become null."""
        return json.dumps({"n": self.n, "d": self.d, "notes": list(self.notes), "rows": self._records()}, indent=1)

    def _records(self) -> list[dict[str, Any]]:
        parts = ("value", "low", "high", "n", "unit", "method", "definition")
        rows = []
        for row in self.rows:
            told = {part: _plain(getattr(row.estimate, part, None)) for part in parts}
            rows.append({"name": row.name, **told, "unusual": row.unusual, "note": row.note})
        return rows


@dataclass(frozen=True)
class Reports:
    """Several reports in one table, a column each: layers, models, before and after.

    Args:
        reports: name of the column -> report.

    Raises:
        ValueError: no report.
    """

    reports: Mapping[str, Report]

    def __post_init__(self) -> None:
        if not self.reports:
            raise ValueError("reports must hold at least one report, got none")

    def __str__(self) -> str:
        rows = [("", *self.reports), *self._cells()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return _table(("diagnostic", *self.reports), self._cells())

    def to_frame(self) -> "pandas.DataFrame":
        """A data frame of values, diagnostics down and reports across; NaN where one was not measured."""
        import pandas

        frames = {name: report.to_frame()["value"] for name, report in self.reports.items()}
        return pandas.DataFrame(frames).reindex([row[0] for row in self._cells()]).astype(float)

    def _cells(self) -> list[tuple[str, ...]]:
        names = dict.fromkeys(row.name for report in self.reports.values() for row in report.rows)
        found = [{row.name: row.number for row in report.rows} for report in self.reports.values()]
        return [(name, *(numbers.get(name, "–") for numbers in found)) for name in names]


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    left = "style='text-align:left'"
    head = "".join(f"<th scope='col' {left}>{escape(text)}</th>" for text in heads)
    body = "".join(
        "<tr>" + f"<th scope='row' {left}>{escape(row[0])}</th>"
        + "".join(f"<td {left}>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )  # fmt: skip
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
