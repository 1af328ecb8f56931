"""A project of its own with one small notebook, run by the real command line."""

import json
import os
import subprocess
import sys

import pytest

from workbench.experiments.scaffold import CELLS

WORKBENCH = [sys.executable, "-c", "from workbench.cli import app; app()"]
KEPT = {"parameters", "claims", "start", "verdict"}


@pytest.fixture
def project(tmp_path):
    """A folder with notebooks/faults/broken.ipynb whose one working cell is `cell`; light imports only."""

    def make(cell, *, slug="broken"):
        folder = tmp_path / "notebooks" / "faults"
        folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pyproject.toml").touch()
        cells = [_cell(name, tags, source.format(slug=slug)) for _, name, tags, source in CELLS if name in KEPT]
        cells.insert(3, _cell("work", (), cell))
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (folder / f"{slug}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        return tmp_path

    return make


def _cell(name, tags, source):
    if name == "start":  # without the imports of models and texts
        source = "from workbench.experiments import start\nimport numpy as np\n\nrun" + source.split("\n\nrun", 1)[1]
    if name == "claims":
        source = source.replace('["pydocs"]', "[]").replace('["all-MiniLM-L6-v2"]', "[]")
    body = {"cell_type": "code", "id": name, "metadata": {"tags": list(tags)}, "source": source}
    return body | {"execution_count": None, "outputs": []}


@pytest.fixture
def workbench():
    """Runs the command line in a project, with ordinary signal handling, and returns the finished process."""

    def call(project, *arguments, **changes):
        return subprocess.run(
            [*WORKBENCH, *arguments],
            cwd=project,
            env=environment(project) | changes,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return call


def environment(project):
    return os.environ | {"WORKBENCH_HOME": str(project), "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture
def in_background():
    """Starts the command line in a project and returns the running process; killed at the end of the test."""
    started = []

    def start(project, *arguments):
        process = subprocess.Popen(
            [*WORKBENCH, *arguments],
            cwd=project,
            env=environment(project),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
