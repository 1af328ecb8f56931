"""Wrong use of the command line: exit 2, the value and the rule are named, no kernel starts."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.faults.conftest import WORKBENCH


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "length_collapse", "-p", "tus=1"], ["tus", "taus"]),
        (["run", "length_collapse", "-p", "taus=1,0.8"], ["taus", "1,0.8", "JSON"]),
        (["run", "length_collapse", "-p", "taus=[1,7]"], ["taus", "from 0.05 to 1"]),
        (["run", "length_collapse", "-p", "n_texts=3"], ["n_texts", "from 20 to 5000"]),
        (["run", "length_collapse", "-p", "n_texts=many"], ["n_texts", "int"]),
        (["run", "length_collapse", "-p", "n_texts"], ["NAME=VALUE"]),
        (["run", "length_collapse", "-p", "n_texts=50", "-p", "n_texts=60"], ["twice"]),
        (["run", "length_collapse", "--scale", "Small"], ["scale", "small"]),
        (["run", "length_colapse"], ["length_colapse", "length_collapse"]),
        (["show", "nothing_like_it"], ["nothing_like_it"]),
        (["new", "Bad-Slug"], ["Bad-Slug"]),
        (["report"], ["paper"]),
        (["dance"], ["dance"]),
    ],
)
def test_wrong_use_exits_2_and_names_the_value_and_the_rule(arguments, words):
    code = f"import sys\nsys.argv[1:] = {arguments!r}\nfrom workbench.cli import app\ntry:\n    app()\n"
    code += "finally:\n    assert 'nbclient' not in sys.modules and 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    for word in words:
        assert word in done.stderr.replace("\n", " ")


def papermill(project, notebook, *arguments):
    command = [sys.executable, "-m", "papermill", "--engine", "workbench", "--no-progress-bar", *arguments]
    from tests.faults.conftest import environment

    return subprocess.run(
        [*command, str(notebook), str(project / "out.ipynb")],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_plain_papermill_with_our_engine_leaves_the_same_record(project):
    here = project('run.record("C1", np.arange(30) / 10)')
    done = papermill(here, here / "notebooks" / "faults" / "broken.ipynb", "-p", "n_texts", "30")
    assert done.returncode == 0, done.stderr
    assert len(list((here / "data" / "runs" / "broken").glob("*/record.json"))) == 1


@pytest.mark.parametrize(("name", "value"), [("n_textes", "30"), ("n_texts", "thirty"), ("n_texts", "7")])
def test_plain_papermill_with_our_engine_refuses_before_a_kernel_starts(project, name, value):
    here = project("open('started', 'w')")
    done = papermill(here, here / "notebooks" / "faults" / "broken.ipynb", "-p", name, value)
    assert done.returncode == 1
    assert "ParameterError" in done.stderr
    assert "n_texts" in done.stderr
    assert not list(here.rglob("started"))


def test_texts_are_escaped_in_the_report(project):
    cell = (
        'run.record("C1", np.arange(30) / 10)\n'
        "import plotly.graph_objects as go\n"
        'run.figure("f", go.Figure(layout={"title": {"text": "</script><script>alert(1)</script>"}}), alt="<b>alt</b>")'
    )
    here = project(cell)
    command = [*WORKBENCH, "run", "broken"]
    from tests.faults.conftest import environment

    done = subprocess.run(command, cwd=here, env=environment(here), capture_output=True, text=True, check=True)
    from pathlib import Path

    html = Path(done.stdout.strip().splitlines()[-1]).read_text(encoding="utf-8")
    assert "<script>alert(1)" not in html
    assert "&lt;b&gt;alt&lt;/b&gt;" in html
    assert html.count("<!doctype html>") == 1


def test_a_new_paper_passes_the_whole_contract_and_runs(tmp_path):
    """In a copy of the project: the command itself, the contract tests on its tree, then a smoke run."""
    import shutil

    copy = tmp_path / "copy"
    kept = shutil.ignore_patterns(".git", ".venv", "cache", "runs", "__pycache__", ".*_cache", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=kept)
    from tests.faults.conftest import environment

    surroundings = environment(copy) | {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}

    def call(*command):
        return subprocess.run(
            [sys.executable, *command],
            cwd=copy,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    made = call(*WORKBENCH[1:], "new", "demo_paper")
    assert made.returncode == 0, made.stderr
    chosen = "demo_paper or stripped or command0 or command1 or table or slugs or page"
    checked = call("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contracts", "-k", chosen)
    assert checked.returncode == 0, checked.stdout
    ran = call(*WORKBENCH[1:], "run", "demo_paper")
    assert ran.returncode == 0, ran.stderr
