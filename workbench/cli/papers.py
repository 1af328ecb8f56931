"""Papers: list, show, make a new one, report."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from workbench.cli.shared import app, checked, fail, find, out

__all__ = ["new", "papers", "report", "show"]

Slug = Annotated[str, typer.Argument(help="the paper's slug, as `workbench papers` lists it")]


@app.command()
def papers() -> None:
    """Lists the papers, their deciding claims and what was measured."""
    from workbench.experiments.status import paper_rows

    table = Table("paper", "family", "deciding claim", "committed small result", "runs completed here")
    for row in checked(paper_rows):
        table.add_row(*(escape(cell) for cell in row))
    out.print(table)


@app.command()
def show(slug: Slug) -> None:
    """Shows a paper's claims, parameters, scales and data without running anything."""
    paper = find(slug)
    out.print(f"[bold]{escape(paper.title)}[/bold]  ({paper.family}/{paper.slug})\n")
    claims = Table("claim", "says", "on", "limit", "where")
    from workbench.experiments.table import limit_text

    for claim in paper.claims:
        key = claim.key + (" (decides)" if claim.decides else "")
        claims.add_row(
            *(escape(x) for x in (key, f"{claim.says} ({claim.unit})", claim.on, limit_text(claim.limit), claim.where))
        )
    out.print(claims)
    names = Table("parameter", "type", *paper.scales)
    for name, parameter in paper.parameters.items():
        presets = [paper.resolve({"scale": scale})[name] for scale in paper.scales]
        names.add_row(name, escape(parameter.describe()), *(escape(repr(value)) for value in presets))
    out.print(names)
    out.print(escape(f"corpora: {', '.join(paper.uses['corpora'])}; models: {', '.join(paper.uses['models'])}"))


@app.command()
def new(
    slug: Annotated[str, typer.Argument(help="lower-case letters, digits and '_'")],
    family: Annotated[str, typer.Option(help="folder under notebooks/")] = "geometry",
) -> None:
    """Makes a notebook for a paper, with every cell that the contract asks for, ready to run, and its table row."""
    from workbench.experiments.pages import write_pages
    from workbench.experiments.scaffold import write_notebook

    try:
        path = write_notebook(slug, family)
        write_pages()
    except (ValueError, FileExistsError) as error:
        fail(2, str(error))
    out.print(str(path), markup=False)


@app.command()
def report(
    slug: Annotated[str | None, typer.Argument(help="a paper; without it only pages are made")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="keep the small run as the committed result; remake pages")
    ] = False,
) -> None:
    """Makes the HTML report of a paper's newest run; --write commits its record, figures and tables to the tree."""
    from workbench.experiments.pages import publish, write_pages
    from workbench.experiments.report import newest_report

    try:
        if slug is not None:
            paper = find(slug)
            if write:
                publish(paper)
            out.print(str(newest_report(paper)), markup=False)
        if write:
            write_pages()
        elif slug is None:
            fail(2, "report needs a paper, or --write")
    except (LookupError, ValueError) as error:
        fail(1, str(error))
