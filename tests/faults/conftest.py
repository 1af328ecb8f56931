"""A project of its own with one small notebook, run by the real command line."""

import json
import os
import subprocess
import sys
import time

import pytest

from workbench.experiments.scaffold import CELLS

WORKBENCH = [sys.executable, "-c", "from workbench.cli import app; app()"]
KEPT = {"parameters", "claims", "start", "verdict"}


@pytest.fixture
def project(tmp_path):
    """A folder with notebooks/faults/broken.ipynb whose one working cell is `cell`; light imports only."""

    def make(cell, *, slug="broken"):
        return write_project(tmp_path, cell, slug=slug)

    return make


def write_project(root, cell, *, slug="broken"):
    folder = root / "notebooks" / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").touch()
    cells = [_cell(name, tags, source.format(slug=slug)) for _, name, tags, source in CELLS if name in KEPT]
    cells.insert(3, _cell("work", (), cell))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / f"{slug}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return root


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


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
