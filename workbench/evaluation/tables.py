"""How a table of results shows itself: text, HTML, CSV, data frame."""

import csv
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import pandas

from workbench.home import replacing

__all__ = ["Table"]


class Table:
    """The base of what is shown as a table: it gives `heads`, `preface`, `cells()` and `records()`."""

    heads: ClassVar[tuple[str, ...]] = ()

    @property
    def preface(self) -> list[str]:
        """Lines that stand before the table in every form of it."""
        return []

    def cells(self) -> list[tuple[str, ...]]:
        """The table's cells as texts, a tuple a row."""
        return []

    def records(self) -> list[dict[str, object]]:
        """The rows as plain numbers and texts by name."""
        return []

    def __str__(self) -> str:
        rows = [self.heads, *self.cells()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.heads))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*self.preface, *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        before = "".join(f"<li>{escape(line)}</li>" for line in self.preface)
        head = "".join(f"<th>{escape(name)}</th>" for name in self.heads)
        body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in self.cells())
        return f"<ul>{before}</ul><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_frame(self) -> "pandas.DataFrame":
        """A data frame with a row for each record; its `attrs["preface"]` holds the lines before the table."""
        import pandas

        frame = pandas.DataFrame(self.records())
        frame.attrs["preface"] = self.preface
        return frame

    def to_csv(self, path: Path) -> None:
        """Writes the records as CSV in the place of `path`, after the preface as lines that begin with '#'."""
        import io

        text = io.StringIO()
        text.writelines(f"# {' '.join(line.split())}\n" for line in self.preface)
        records = self.records()
        writer = csv.DictWriter(text, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _safe(value) for name, value in record.items()} for record in records)
        with replacing(Path(path)) as file:
            file.write(text.getvalue().encode())


def _safe(value: object) -> object:
    """A text that a spreadsheet would run as a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
