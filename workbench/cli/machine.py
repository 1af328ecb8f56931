"""This machine: what it has, and JupyterLab on it."""

import os
import subprocess
import sys

import typer
from rich.markup import escape

from workbench.cli.shared import app, checked, out
from workbench.home import project_root

__all__ = ["doctor", "lab"]


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
    root = checked(project_root)
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", *context.args]
    environment = os.environ | {"WORKBENCH_HOME": str(root)}
    page = "--LabApp.default_url=/lab/tree/notebooks/start_here.ipynb"
    raise typer.Exit(subprocess.call([*command, page], cwd=root, env=environment))
