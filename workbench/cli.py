"""The command line: papers, show, run, new, report, doctor, lab. Exit 0 done, 1 error, 2 wrong use."""

import os
import subprocess
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workbench.experiments.papers import Paper, UnknownPaper, find_paper
from workbench.experiments.parameters import ParameterError, nearest, parse_text
from workbench.home import project_root

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Explore embedding spaces, rerun papers, teach.")
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Slug = Annotated[str, typer.Argument(help="the paper's slug, as `workbench papers` lists it")]


@app.command()
def papers() -> None:
    """Lists the papers, their deciding claims and what was measured."""
    from workbench.experiments.status import paper_rows

    table = Table("paper", "family", "deciding claim", "committed small result", "runs completed here")
    for row in _checked(paper_rows):
        table.add_row(*(escape(cell) for cell in row))
    out.print(table)


@app.command()
def show(slug: Slug) -> None:
    """Shows a paper's claims, parameters, scales and data without running anything."""
    paper = _paper(slug)
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
def run(
    slugs: Annotated[list[str], typer.Argument(help="one paper or more")],
    parameter: Annotated[list[str] | None, typer.Option("-p", help="NAME=VALUE; a list is JSON")] = None,
    scale: Annotated[str | None, typer.Option(help="smoke, small or paper")] = None,
    seeds: Annotated[int | None, typer.Option(help="how many seeds, from `seed` on")] = None,
    force: Annotated[bool, typer.Option(help="run again although the same run is done")] = False,
) -> None:
    """Runs papers' notebooks and prints what was claimed and what was measured."""
    from workbench.experiments.keys import plan_run

    found = [_paper(slug) for slug in slugs]
    given = [("scale", scale)] if scale is not None else []
    given += [("seeds", str(seeds))] if seeds is not None else []
    plans = []
    for paper in found:
        values = _values(paper, [*given, *(_split(text) for text in parameter or [])])
        try:
            plans.append(plan_run(paper, values))
        except (ParameterError, ValueError) as error:
            _fail(2 if isinstance(error, ParameterError) else 1, str(error))
    from workbench.experiments.launch import RunFailed, launch
    from workbench.experiments.report import write_report
    from workbench.experiments.status import outcome_table

    for plan in plans:
        err.print(f"{plan.paper.slug}: {escape(str(plan.folder))}")
        try:
            done = launch(plan, force=force, on_cell=_progress if err.is_terminal else None)
        except RunFailed as error:
            _fail(1, str(error))
        if done.known:
            err.print("this very run is done already (--force runs it again)")
        out.print(outcome_table(plan.paper, done.record))
        out.print(str(write_report(plan.paper, done.record, done.folder)), markup=False)


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
        _fail(2, str(error))
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
            paper = _paper(slug)
            if write:
                publish(paper)
            out.print(str(newest_report(paper)), markup=False)
        if write:
            write_pages()
        elif slug is None:
            _fail(2, "report needs a paper, or --write")
    except (LookupError, ValueError) as error:
        _fail(1, str(error))


@app.command()
def doctor() -> None:
    """Says what is installed, what is here, and what cannot run on this machine and why."""
    from workbench.experiments.doctor import findings

    for finding in findings():
        mark = {True: "[green]ok[/green]", False: "[yellow]--[/yellow]"}[finding.good]
        out.print(f"{mark}  {escape(finding.what)}: {escape(finding.says)}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(context: typer.Context) -> None:
    """Opens JupyterLab on notebooks/start_here.ipynb, on this machine only; further arguments go to it."""
    root = _checked(project_root)
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", *context.args]
    environment = os.environ | {"WORKBENCH_HOME": str(root)}
    page = "--LabApp.default_url=/lab/tree/notebooks/start_here.ipynb"
    raise typer.Exit(subprocess.call([*command, page], cwd=root, env=environment))


def _paper(slug: str) -> Paper:
    try:
        return find_paper(slug)
    except UnknownPaper as error:
        _fail(2, str(error))


def _values(paper: Paper, texts: list[tuple[str, str]]) -> dict[str, object]:
    """Typed values of what the command line gives; a repeated or unknown name is wrong use."""
    values: dict[str, object] = {}
    for name, text in texts:
        if name not in paper.parameters:
            close = nearest(name, paper.parameters)
            _fail(2, f"{paper.slug} has no parameter {name!r}{close} It has: {', '.join(paper.parameters)}")
        if name in values:
            _fail(2, f"parameter {name!r} was given twice")
        try:
            values[name] = parse_text(paper.parameters[name], text)
        except ParameterError as error:
            _fail(2, f"{paper.slug}: {error}")
    return values


def _split(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name):
        _fail(2, f"-p takes NAME=VALUE, got {text!r}")
    return name.strip(), value.strip()


def _progress(cell: int, of: int, source: str) -> None:
    first = next((line for line in source.splitlines() if line.strip()), "")
    err.print(f"cell {cell}/{of}  {escape(first[:90])}", style="dim")


def _checked(function):  # noqa: ANN001, ANN202 - whatever the function returns
    try:
        return function()
    except (ValueError, LookupError, FileNotFoundError) as error:
        _fail(1, str(error))


def _fail(status: int, message: str) -> NoReturn:
    err.print(f"[red]error:[/red] {escape(message)}")
    raise typer.Exit(status)
