"""Every notebook runs at smoke scale: papers through the command line's own path, start_here in a plain kernel."""

import json
import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from workbench.experiments.papers import find_papers
from workbench.experiments.records import read_record

PAPERS = {paper.slug: paper for paper in find_papers()}
FAMILIES = {
    family: [paper.slug for paper in papers] for family, papers in groupby(find_papers(), lambda paper: paper.family)
}
FEW = [family for family, slugs in FAMILIES.items() if len(slugs) < 3]  # in one call: starting costs more than they do
CALLS = {family: FAMILIES[family] for family in FAMILIES if family not in FEW}
CALLS |= {" and ".join(FEW): [slug for family in FEW for slug in FAMILIES[family]]} if FEW else {}
OWN_WORK = 8.0  # seconds of CPU of the cells' own work
WARM_START = 3.0  # to fork a warm kernel, and to load the model
START_UP = 16.0  # seconds of CPU to import torch, transformers, papermill and to load the model; measured 12 to 15


@pytest.fixture
def home(tmp_path, root):
    """The project's notebooks with empty data/, so that nothing comes from an earlier run."""
    for name in ("notebooks", "pyproject.toml", "README.md"):
        (tmp_path / name).symlink_to(root / name)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "measured").symlink_to(root / "data" / "measured")
    return tmp_path


@pytest.mark.parametrize("families", CALLS)
@pytest.mark.timeout(900)
def test_the_papers_of_a_family_run_at_smoke_scale(families, home, record_property):
    """One call for a family, in which kernels start warm: a third of the time of one call a paper."""
    slugs, counted = CALLS[families], home / "cpu_seconds"
    environment = os.environ | {"WORKBENCH_HOME": str(home), "OMP_NUM_THREADS": "1", "COLUMNS": "160"}
    count = [sys.executable, str(Path(__file__).with_name("counted.py")), str(counted)]
    run = [sys.executable, "-c", "from workbench.cli import app; app()", "run", *slugs, "--scale", "smoke"]
    done = subprocess.run(
        [*count, *run], cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=800
    )
    assert done.returncode == 0, done.stderr
    for slug in slugs:
        (path,) = (home / "data" / "runs" / slug).glob("*/record.json")
        measured_at_smoke_scale(PAPERS[slug], path)
    cpu = float(counted.read_text())
    record_property("cpu_seconds", round(cpu, 1))
    # thread-seconds swell by a third and more when neighbours share the core, hence the factor
    assert cpu < 2 * (START_UP + len(slugs) * (OWN_WORK + WARM_START))


def measured_at_smoke_scale(paper, path):
    record = read_record(path)
    assert [row["key"] for row in record["claims"]] == [claim.key for claim in paper.claims]
    assert all(row["verdict"] is None and row["note"] for row in record["claims"])
    assert any(row["value"] is not None for row in record["claims"] + record["replications"])
    assert path.with_name("report.html").is_file()
    executed = json.loads(path.with_name("notebook.ipynb").read_text(encoding="utf-8"))
    assert not [o for cell in executed["cells"] for o in cell.get("outputs", []) if o.get("name") == "stderr"], path


def test_start_here_runs_from_top_to_bottom(home, root):
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(root / "notebooks" / "start_here.ipynb", as_version=4)
    environment = os.environ | {"WORKBENCH_HOME": str(home), "OMP_NUM_THREADS": "1"}
    client = NotebookClient(notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(home)}})
    client.execute(env=environment)
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    assert not [out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"]
    drawn = [out for out in outputs if "application/vnd.plotly.v1+json" in out.get("data", {})]
    assert len(drawn) == 2
