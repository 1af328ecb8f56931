"""Generated pages: committed records and figures, the README's table of papers, and a page for each family."""

import json
import re
from pathlib import Path

from workbench.experiments.launch import newest_record
from workbench.experiments.papers import Paper, find_papers
from workbench.experiments.records import write_atomic
from workbench.experiments.status import committed_record
from workbench.experiments.table import false_successes, limit_text, number_text, verdict_text
from workbench.home import project_root

__all__ = ["family_pages", "papers_table", "publish", "write_pages"]

START, END = "<!-- papers: made by `workbench report --write` -->", "<!-- end of papers -->"


def publish(paper: Paper) -> Path:
    """Keeps the newest small run as the committed result: data/measured/<slug>.json and figures/<slug>/*.svg.

    Raises:
        LookupError: no small run completed on this machine.
        ValueError: its parameters were changed, or its claims are not those of the notebook now.
    """
    root = project_root()
    found = newest_record(paper.slug, "small")
    if found is None:
        raise LookupError(
            f"no completed small run of {paper.slug}: 'workbench run {paper.slug} --scale small' makes one"
        )
    record, folder = found
    if record["changed"] or record["notes"]:
        raise ValueError(f"only preset parameters are kept; changed: {record['changed']}, notes: {record['notes']}")
    if record["claims_sha"] != paper.claims_sha:
        raise ValueError(f"the claims of {paper.slug} changed after this run; run it again")
    _write_pictures(folder / "figures", root / "figures" / paper.slug, [f["name"] for f in record["figures"]])
    target = root / "data" / "measured" / f"{paper.slug}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, json.dumps(record, indent=1) + "\n")
    return target


def write_pages() -> Path:
    """Writes every family's page, puts the table of papers into README.md between its two marks, returns its path.

    Raises:
        ValueError: the marks are not in the README, or there is none.
    """
    path = project_root() / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if START not in text or END not in text:
        raise ValueError(f"README.md must hold the lines {START!r} and {END!r}")
    pattern = re.compile(re.escape(START) + ".*?" + re.escape(END), re.DOTALL)
    write_atomic(path, pattern.sub(lambda _: f"{START}\n{papers_table()}\n{END}", text))
    for page, words in family_pages().items():
        write_atomic(page, words)
    return path


def papers_table() -> str:
    """Markdown: paper, deciding claim, limit, ours with interval, verdict; then the false successes to expect."""
    lines = [
        "| paper | deciding claim | limit, fixed before | ours, small scale [95 %] | verdict |",
        "|---|---|---|---|---|",
    ]
    judged = 0
    for paper in find_papers():
        record = committed_record(paper)
        claim = next(c for c in paper.claims if c.decides)
        row = next((r for r in record["claims"] if r["decides"]), None) if record else None
        judged += bool(row and row["verdict"])
        link = f"[{paper.title}](notebooks/{paper.family}/{paper.slug}.ipynb)"
        number = f"{number_text(row)} {row['unit']}" if row else "–"
        verdict = verdict_text(row) if row else "not measured yet"
        lines.append(f"| {link} | {claim.says} | {limit_text(claim.limit)} | {number} | {verdict} |")
    return "\n".join([*lines, "", false_successes(judged)])


def family_pages() -> dict[Path, str]:
    """The README of every family that has a paper, by its path: its claims, the deciding ones first."""
    families: dict[str, list[Paper]] = {}
    for paper in find_papers():
        families.setdefault(paper.family, []).append(paper)
    folder = project_root() / "notebooks"
    return {folder / family / "README.md": _family_page(family, papers) for family, papers in families.items()}


def _family_page(family: str, papers: list[Paper]) -> str:
    rows = [(claim.decides, paper, claim, committed_record(paper)) for paper in papers for claim in paper.claims]
    judged = 0
    tables: dict[bool, list[str]] = {True: [], False: []}
    for decides, paper, claim, record in rows:
        row = next((r for r in record["claims"] if r["key"] == claim.key), None) if record else None
        judged += bool(decides and row and row["verdict"])
        cells = [f"[{paper.title}]({paper.slug}.ipynb)", f"{claim.key} {claim.says}", claim.on, limit_text(claim.limit)]
        cells += [f"{number_text(row)} {row['unit']}", verdict_text(row)] if row else ["–", "not measured yet"]
        cells += [record["scale"], f"{record['cpu_seconds'] / 60:.0f}"] if record else ["–", "–"]
        tables[decides].append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    head = [
        "| paper | claim | on | limit, fixed before | ours [95 %] | verdict | scale | CPU minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(
        [
            f"# {family.replace('_', ' ').capitalize()}",
            "\nMade by `workbench report --write`; [what a verdict means](../VERDICTS.md).",
            "\n## Deciding claims\n",
            *(head + tables[True]),
            f"\n{false_successes(judged)}",
            "\n## Other claims\n",
            *(head + tables[False]),
            "",
        ]
    )


def _write_pictures(source: Path, target: Path, names: list[str]) -> None:
    """SVG of each figure, all in one browser session: every start of the browser costs seconds."""
    if not names:
        return
    import plotly.io

    target.mkdir(parents=True, exist_ok=True)
    figures = [plotly.io.from_json((source / f"{name}.json").read_text(encoding="utf-8")) for name in names]
    wide, high = ([figure.layout[side] for figure in figures] for side in ("width", "height"))
    paths = [target / f"{name}.svg" for name in names]
    plotly.io.write_images(figures, paths, width=wide, height=high)  # pyright: ignore  # else all are 700 x 500
