"""One self-contained HTML file per run: claims with intervals, figures, recipe, environment."""

import json
from pathlib import Path

from workbench.experiments.launch import newest_record
from workbench.experiments.papers import Paper
from workbench.experiments.records import ClaimRow, Record, write_atomic
from workbench.experiments.status import committed_record
from workbench.experiments.table import false_successes, limit_text, number_text, verdict_text

__all__ = ["newest_report", "write_report"]


def write_report(paper: Paper, record: Record, folder: Path) -> Path:
    """Writes `folder`/report.html and returns its path; texts are escaped, plotly.js is inside once."""
    import jinja2

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    template = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined).get_template(
        "report.html.j2"
    )
    figures = [_figure(folder, entry) for entry in record["figures"]]
    path = folder / "report.html"
    html = template.render(
        title=paper.title,
        record=record,
        rows=_rows(paper, record),
        replications=[row | {"number": number_text(row)} for row in record["replications"]],
        chance=false_successes(1),
        figures=figures,
        plotly_js=_plotly_js() if figures else "",
        command=_command(record),
        facts=_facts(record),
    )
    write_atomic(path, html)
    return path


def newest_report(paper: Paper) -> Path:
    """The report of the paper's newest completed run, made anew.

    Raises:
        LookupError: no run of the paper completed on this machine.
    """
    found = newest_record(paper.slug)
    if found is None:
        raise LookupError(f"no completed run of {paper.slug}: 'workbench run {paper.slug}' makes one")
    return write_report(paper, *found)


def _rows(paper: Paper, record: Record) -> list[dict[str, object]]:
    committed = committed_record(paper)
    theirs = {row["key"]: row for row in committed["claims"]} if committed else {}
    rows = sorted(record["claims"], key=lambda row: not row["decides"])
    return [_row(row, theirs.get(row["key"])) for row in rows]


def _row(row: ClaimRow, committed: ClaimRow | None) -> dict[str, object]:
    return dict(row) | {
        "limit_text": limit_text(row["limit"]),
        "number": number_text(row),
        "verdict_text": verdict_text(row),
        "committed_number": number_text(committed) if committed else "–",
        "committed_verdict": verdict_text(committed) if committed else "not measured yet",
    }


def _figure(folder: Path, entry: dict[str, str]) -> dict[str, object]:
    from markupsafe import Markup

    parsed = json.loads((folder / "figures" / f"{entry['name']}.json").read_text(encoding="utf-8"))
    # "</script>" inside a text would end the script element; JSON may write "<" as an escape.
    return {"alt": entry["alt"], "json": Markup(json.dumps(parsed).replace("<", "\\u003c"))}


def _plotly_js() -> object:
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())


def _command(record: Record) -> str:
    changes = " ".join(f"-p '{name}={json.dumps(record['parameters'][name])}'" for name in record["changed"])
    return f"workbench run {record['slug']} --scale {record['scale']} {changes}".strip()


def _facts(record: Record) -> list[tuple[str, str]]:
    uses = [f"{name} ({digest[:12]})" for kind in record["uses"].values() for name, digest in kind.items()]
    return [
        ("parameters", ", ".join(f"{k}={v!r}" for k, v in record["parameters"].items())),
        ("seeds", ", ".join(map(str, record["seeds"]))),
        ("data and models", ", ".join(uses)),
        ("versions", ", ".join(f"{k} {v}" for k, v in record["versions"].items())),
        ("device", record["device"]),
        ("time", f"{record['seconds']:g} s ({record['cpu_seconds']:g} s of CPU)"),
        ("peak memory", f"{record['peak_memory'] / 2**20:.0f} MiB"),
        ("claims, SHA-256", record["claims_sha"]),
    ]
