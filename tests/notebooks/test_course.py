"""The lessons run whole; their student copies fail where an exercise is not done, and are the lesson once it is."""

import os
import resource
import time

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from typer.testing import CliRunner

from workbench.cli import app
from workbench.experiments.course import find_lessons

LESSONS = {lesson.name: lesson for lesson in find_lessons()}
OWN_WORK, START_UP = 8.0, 16.0  # seconds of CPU, as for the papers' notebooks
WIDGET = "application/vnd.jupyter.widget-view+json"
each_lesson = pytest.mark.parametrize("name", LESSONS)
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def run(tmp_path, root):
    """Runs a notebook in a project with empty data/, so that nothing comes from an earlier run."""
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    for name in ("notebooks", "pyproject.toml"):
        (home / name).symlink_to(root / name)
    environment = os.environ | {"WORKBENCH_HOME": str(home), "OMP_NUM_THREADS": "1"}

    def execute(notebook, **settings):
        place = {"metadata": {"path": str(home)}}
        client = NotebookClient(notebook, timeout=200, kernel_name="python3", resources=place, **settings)
        client.execute(env=environment)
        return notebook

    return execute


@pytest.fixture
def student(tmp_path):
    """The student copy of a lesson, written by the command line."""

    def make(name):
        into = tmp_path / "students"
        made = CliRunner().invoke(app, ["course", "--student", name, "--into", str(into)])
        assert made.exit_code == 0, made.output
        return nbformat.read(into / f"{name}.ipynb", as_version=4)

    return make


def outputs(notebook):
    return [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]


def unwanted(notebook):
    return [out for out in outputs(notebook) if out.output_type == "error" or out.get("name") == "stderr"]


def hints_of(lesson):
    """The id of every check with its source, in order."""
    return {check["id"]: check["source"] for _, _, check in lesson.exercises}


@each_lesson
def test_a_lesson_runs_from_top_to_bottom(name, run, record_property):
    """As a grader runs it: nobody answers the widgets, and the time is limited."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    notebook = run(nbformat.read(LESSONS[name].path, as_version=4), store_widget_state=True)
    assert time.monotonic() - started < 240
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert unwanted(notebook) == []
    assert any(WIDGET in out.get("data", {}) for out in outputs(notebook))
    left_out = [cell.id for cell in notebook.cells if "skip-execution" in cell.metadata.get("tags", [])]
    assert [c.id for c in notebook.cells if c.cell_type == "code" and c.execution_count is None] == left_out
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    record_property("cpu_seconds", round(cpu, 1))
    assert cpu < 2 * (OWN_WORK + START_UP)


@each_lesson
def test_a_student_copy_fails_at_each_exercise_that_is_not_done_and_nowhere_else(name, run, student):
    hints = hints_of(LESSONS[name])
    notebook = run(student(name), allow_errors=True)
    failed = {c.id: out for c in notebook.cells if c.cell_type == "code" for out in c.outputs if "ename" in out}
    assert list(failed) == list(hints)
    for check, error in failed.items():
        assert error.ename == "AssertionError", (check, error.evalue)
        assert error.evalue.startswith("hint: ")
        assert error.evalue[:40] in hints[check], "the hint alone, for nothing was tried"


@each_lesson
def test_a_student_copy_with_the_solutions_in_its_stubs_is_the_lesson(name, student):
    """So that the run of the lesson is also that of a copy whose exercises are done."""
    notebook, lesson = student(name), nbformat.read(LESSONS[name].path, as_version=4)
    solutions = {stub["id"]: solution["source"] for stub, solution, _ in LESSONS[name].exercises}
    filled = [solutions.get(cell.id, cell.source) for cell in notebook.cells]
    assert filled == [cell.source for cell in lesson.cells if cell.id not in solutions]


def test_a_grader_that_stops_at_the_first_error_shows_its_hint(run, student):
    name, lesson = next(iter(LESSONS.items()))
    notebook = student(name)
    first, second, *_ = lesson.exercises
    next(cell for cell in notebook.cells if cell.id == first[0]["id"]).source = first[1]["source"]
    with pytest.raises(CellExecutionError) as stopped:
        run(notebook)
    assert stopped.value.ename == "AssertionError"
    assert stopped.value.evalue.startswith("hint: ")
    assert stopped.value.evalue[:40] in second[2]["source"]
    done = [cell.id for cell in notebook.cells if cell.get("execution_count")]
    assert done[-1] == second[2]["id"]


@pytest.mark.slow
@each_lesson
def test_the_cells_that_are_left_out_otherwise_run_too(name, run):
    notebook = nbformat.read(LESSONS[name].path, as_version=4)
    run(notebook, skip_cells_with_tag="none of them")
    assert [out for out in unwanted(notebook) if out.output_type == "error"] == []
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
