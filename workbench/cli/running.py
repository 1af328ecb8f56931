"""Runs: one, several, a sweep; why one would run; two compared."""

from itertools import product
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from workbench.cli.evaluation import evaluations_at, print_comparison
from workbench.cli.shared import app, checked, err, fail, find, out, split, values_of
from workbench.experiments.keys import Plan, plan_run
from workbench.experiments.papers import Paper, find_papers
from workbench.experiments.parameters import ParameterError

__all__ = ["compare", "run", "sweep"]

Parameters = Annotated[list[str] | None, typer.Option("-p", help="NAME=VALUE; a list is JSON")]
Scale = Annotated[str | None, typer.Option(help="smoke, small or paper")]
Seeds = Annotated[int | None, typer.Option(help="how many seeds, from `seed` on")]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="runs at a time, each in a process of its own")]
Force = Annotated[bool, typer.Option(help="run again although the same run is done")]
Why = Annotated[bool, typer.Option(help="run nothing; say what differs from the nearest run that is done")]


@app.command()
def run(
    slugs: Annotated[list[str] | None, typer.Argument(help="one paper or more")] = None,
    parameter: Parameters = None,
    scale: Scale = None,
    seeds: Seeds = None,
    jobs: Jobs = 1,
    every: Annotated[bool, typer.Option("--all", help="every paper of the project")] = False,
    why: Why = False,
    force: Force = False,
) -> None:
    """Runs papers' notebooks and prints what was claimed and what was measured."""
    if every == bool(slugs):
        fail(2, "run takes one paper or more, or --all")
    papers = checked(find_papers) if every else [find(slug) for slug in dict.fromkeys(slugs or [])]
    texts = [*_preset(scale, seeds), *map(split, parameter or [])]
    plans = [_plan(paper, values_of(paper, texts)) for paper in papers]
    if why:
        _explain(plans)
    elif len(plans) == 1 and jobs == 1:
        _run_here(plans[0], force=force)
    else:
        _run_all(plans, jobs=jobs, force=force)


@app.command()
def sweep(
    slug: Annotated[str, typer.Argument(help="the paper's slug")],
    parameter: Parameters = None,
    scale: Scale = None,
    seeds: Seeds = None,
    jobs: Jobs = 1,
    why: Why = False,
    force: Force = False,
) -> None:
    """Runs one paper with every combination of the values given: -p lr=1e-5 -p lr=2e-5 are two runs."""
    paper = find(slug)
    choices: dict[str, list[tuple[str, str]]] = {}
    for name, value in [*_preset(scale, seeds), *map(split, parameter or [])]:
        choices.setdefault(name, []).append((name, value))
    varied = [name for name, values in choices.items() if len(values) > 1]
    if not varied:
        fail(2, "a sweep repeats -p for one parameter at least: -p lr=1e-5 -p lr=2e-5")
    plans = [_plan(paper, values_of(paper, list(chosen))) for chosen in product(*choices.values())]
    if len({plan.key for plan in plans}) < len(plans):
        fail(2, f"two of the {len(plans)} combinations are the same run")
    if why:
        _explain(plans)
    else:
        _run_all(plans, jobs=jobs, force=force, varied=varied)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="SLUG, SLUG/KEY, a run's folder or record; or evaluations")],
    second: Annotated[str, typer.Argument(help="likewise")],
) -> None:
    """Shows how the recipes of two runs differ, then their claims; of two evaluations, the paired test of each task."""
    x, y = checked(lambda: (evaluations_at(first), evaluations_at(second)))
    if x and y:
        print_comparison(x, y)
        return
    if x or y:
        fail(2, f"{first if x else second} holds evaluations and {second if x else first} does not")
    from workbench.experiments.differences import claims_side_by_side, find_run, recipe_differences

    (a, mine), (b, theirs) = checked(lambda: (find_run(first), find_run(second)))
    recipe = Table("recipe", "first", "second", title="the same recipe" if mine == theirs else None)
    for row in recipe_differences(mine, theirs):
        recipe.add_row(*map(escape, row))
    out.print(recipe)
    out.print(claims_side_by_side(a, b))
    out.print("no test: a record keeps intervals, and two runs of one notebook share most of their items")


def _preset(scale: str | None, seeds: int | None) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in (("scale", scale), ("seeds", seeds)) if value is not None]


def _plan(paper: Paper, values: dict[str, object]) -> Plan:
    try:
        return plan_run(paper, values)
    except (ParameterError, ValueError) as error:
        fail(2 if isinstance(error, ParameterError) else 1, str(error))


def _explain(plans: list[Plan]) -> None:
    from workbench.experiments.differences import why_it_would_run

    for plan in plans:
        rows = why_it_would_run(plan)
        out.print(f"{plan.paper.slug} {plan.key}: " + ("would run; it differs in" if rows else "is done"), markup=False)
        for what, before, now in rows:
            out.print(f"  {what}: {before} -> {now}", markup=False)


def _run_here(plan: Plan, *, force: bool) -> None:
    """One run, in this process, with its progress."""
    from workbench.experiments.launch import RunFailed, launch
    from workbench.experiments.report import write_report
    from workbench.experiments.status import outcome_table

    err.print(f"{plan.paper.slug}: {escape(str(plan.folder))}")
    try:
        done = launch(
            plan,
            force=force,
            on_cell=_progress if err.is_terminal else None,
            on_wait=lambda: err.print("another process is at this very run: waiting for its record"),
        )
    except RunFailed as error:
        fail(1, str(error))
    if done.known:
        err.print("this very run is done already (--force runs it again)")
    out.print(outcome_table(plan.paper, done.record))
    out.print(str(checked(lambda: write_report(plan.paper, done.record, done.folder))), markup=False)


def _run_all(plans: list[Plan], *, jobs: int, force: bool, varied: list[str] | None = None) -> None:
    """Several runs, a line as each ends, one table at the end; exit 1 when one of them failed."""
    from workbench.experiments.jobs import Outcome, run_many
    from workbench.experiments.status import sweep_table

    def told(outcome: Outcome) -> None:
        state = outcome.failure or ("done already" if outcome.known else "done")
        err.print(f"{outcome.plan.paper.slug} {outcome.plan.key}: {escape(state)}")

    outcomes = checked(lambda: run_many(plans, jobs=jobs, force=force, on_end=told))
    out.print(sweep_table(outcomes, varied or []))
    failed = sum(bool(outcome.failure) for outcome in outcomes)
    if failed:
        fail(
            1, f"{failed} of {len(outcomes)} runs failed; the others are kept, and the same command goes on from there"
        )


def _progress(cell: int, of: int, source: str) -> None:
    first = next((line for line in source.splitlines() if line.strip()), "")
    err.print(f"cell {cell}/{of}  {escape(first[:90])}", style="dim")
