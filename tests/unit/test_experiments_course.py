"""Lessons, their student copies, the checks of their exercises, and the command that writes them."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from workbench.cli import app
from workbench.experiments import expect, expect_close
from workbench.experiments.course import Lesson, UnknownLesson, find_lesson, find_lessons, write_students
from workbench.intervals import Estimate

TRIPLE = [
    ("ex", "code", ["exercise"], "answer = ..."),
    ("so", "code", ["solution"], "answer = 42  # the secret"),
    ("ch", "code", ["check"], "assert answer == 42, 'hint: six times seven'"),
]


def cell(name, kind, tags, source):
    body = {"cell_type": kind, "id": name, "metadata": {"tags": tags} if tags else {}, "source": [source]}
    return body | ({"execution_count": 7, "outputs": [{"output_type": "stream", "name": "stdout", "text": "42"}]}
                   if kind == "code" else {})  # fmt: skip


def write_lesson(root, name, cells=None, metadata=None):
    folder = root / "notebooks" / "course"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").touch()
    cells = [("title", "markdown", [], f"# Lesson: {name}\n\ntext"), *(TRIPLE if cells is None else cells)]
    said = {"lesson": {"reading_minutes": 5, "running_minutes": 1}} if metadata is None else metadata
    notebook = {"cells": [cell(*one) for one in cells], "metadata": said, "nbformat": 4, "nbformat_minor": 5}
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return Lesson(path)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A project of its own with two lessons; a rough draft beside them that Jupyter keeps is none."""
    project = tmp_path / "project"
    write_lesson(project, "01_first")
    write_lesson(project, "02_second", [*TRIPLE, ("after", "markdown", [], "text stays"), *TRIPLE])
    (project / "notebooks" / "course" / ".hidden.ipynb").touch()
    monkeypatch.setenv("WORKBENCH_HOME", str(project))
    return project


def call(*arguments):
    result = CliRunner().invoke(app, ["course", *map(str, arguments)])
    assert "Traceback" not in result.output
    return result.exit_code, " ".join(result.output.split())


def test_the_lessons_are_found_with_title_minutes_and_exercises(course):
    first, second = find_lessons()
    assert (first.name, second.name) == ("01_first", "02_second")
    assert (first.title, first.minutes) == ("Lesson: 01_first", (5, 1))
    assert [len(lesson.exercises) for lesson in (first, second)] == [1, 2]
    assert [c["id"] for c in first.exercises[0]] == ["ex", "so", "ch"]
    assert find_lesson("02_second") == second


def test_a_student_copy_is_the_source_without_solutions_and_outputs(course):
    lesson = write_lesson(course, "03_third", [("text", "markdown", ["keep"], "Solve."), *TRIPLE], {
        "lesson": {"reading_minutes": 5, "running_minutes": 1}, "widgets": {"state": "42"}
    })  # fmt: skip
    copy = lesson.student()
    assert [c["id"] for c in copy["cells"]] == ["title", "text", "ex", "ch"]
    assert "".join(copy["cells"][2]["source"]) == "answer = ..."
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in copy["cells"][2:])
    assert "secret" not in json.dumps(copy)
    assert copy["metadata"] == {"lesson": {"reading_minutes": 5, "running_minutes": 1}}
    assert len(json.loads(lesson.path.read_text())["cells"]) == 5  # the source is left as it is


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([TRIPLE[1], TRIPLE[2]], "'so' is a solution without a stub"),
        ([TRIPLE[0], ("between", "markdown", [], "text"), *TRIPLE[1:]], "'ex' is tagged 'exercise', and no cell"),
        ([TRIPLE[0], ("a", "markdown", ["solution"], "text")], "must be a code cell, it is markdown"),
        ([TRIPLE[0], TRIPLE[1]], "'so' is tagged 'solution', and no cell tagged 'check' is directly below"),
        ([TRIPLE[0]], "'ex' is tagged 'exercise', and no cell tagged 'solution' is directly below"),
        ([TRIPLE[2]], "'ch' is a check, and no cell tagged 'solution' is directly above"),
        ([TRIPLE[0], TRIPLE[1], TRIPLE[1], TRIPLE[2]], "'so'"),
        ([("two", "code", ["exercise", "solution"], "x = 1")], "'two' has more than one of the tags"),
    ],
)
def test_an_exercise_that_is_not_whole_is_refused_and_nothing_is_written(course, tmp_path, cells, words):
    broken = write_lesson(course, "03_broken", cells)
    with pytest.raises(ValueError, match="03_broken") as caught:
        broken.student()
    assert words in str(caught.value)
    with pytest.raises(ValueError, match="03_broken"):
        write_students(find_lessons(), tmp_path / "copies")
    assert not (tmp_path / "copies").exists()
    assert call("--student", "--into", tmp_path / "copies")[0] == 1
    assert call()[0] == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"lesson": {"reading_minutes": 5}},
        {"lesson": {"reading_minutes": 0, "running_minutes": 1}},
        {"lesson": {"reading_minutes": "5", "running_minutes": 1}},
    ],
)
def test_minutes_must_be_there(course, metadata):
    with pytest.raises(ValueError, match="reading_minutes"):
        _ = write_lesson(course, "03_third", metadata=metadata).minutes


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": [{}]}', "\x00"])
def test_what_is_no_notebook_is_said(course, text):
    path = course / "notebooks" / "course" / "03_torn.ipynb"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="03_torn"):
        _ = Lesson(path).exercises
    assert call()[0] == 1


def test_an_unknown_lesson_names_the_nearest(course):
    with pytest.raises(UnknownLesson, match="'02_secnd', did you mean '02_second'"):
        find_lesson("02_secnd")
    status, said = call("02_secnd")
    assert status == 2
    assert "02_second" in said


def test_the_command_lists_the_lessons(course, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    write_lesson(course, "03_a_name_that_is_typed_in_full")
    status, said = call()
    assert status == 0
    assert "03_a_name_that_is_typed_in_full" in said
    assert "5 min" in said
    assert "02_second" in said
    assert "02_second" not in call("01_first")[1]


def test_the_command_writes_what_was_asked_for(course, tmp_path):
    into = tmp_path / "for students" / "week 1"
    status, _ = call("--student", "02_second", "02_second", "--into", into)
    assert status == 0
    assert [path.name for path in into.iterdir()] == ["02_second.ipynb"]
    assert call("--student", "--into", into)[0] == 2  # not empty by now
    (into / "02_second.ipynb").write_text("a student's work")
    (into / "notes.txt").write_text("mine")
    assert call("--student", "--into", into, "--force")[0] == 0
    assert sorted(path.name for path in into.iterdir()) == ["01_first.ipynb", "02_second.ipynb", "notes.txt"]
    assert json.loads((into / "02_second.ipynb").read_text())["cells"][0]["id"] == "title"
    assert (into / "notes.txt").read_text() == "mine"


def test_wrong_use_exits_2_and_writes_nothing(course, tmp_path):
    (tmp_path / "file").write_text("mine")
    full = tmp_path / "full"
    full.mkdir()
    (full / "work.ipynb").write_text("mine")
    sources = course / "notebooks" / "course"
    before = {path.name: path.read_bytes() for path in sources.iterdir()}
    for arguments, words in [
        (["--student"], "--into"),
        (["--into", full], "--student"),
        (["--force"], "--student"),
        (["--student", "--into", full], "is not empty"),
        (["--student", "--into", tmp_path / "file"], "is a file"),
        (["--student", "--into", tmp_path / "file", "--force"], "is a file"),
        (["--student", "--into", sources, "--force"], "holds the sources themselves"),
        (["--student", "03_third", "--into", tmp_path / "new"], "no lesson '03_third'"),
    ]:
        status, said = call(*arguments)
        assert status == 2, (arguments, said)
        assert words in said
    assert {path.name: path.read_bytes() for path in sources.iterdir()} == before
    assert (full / "work.ipynb").read_text() == "mine"
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_an_error(course, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert call("--student", "--into", tmp_path / "file" / "below")[0] == 1


@pytest.mark.parametrize("condition", [True, np.bool_(True), np.array([1, 2]).sum() == 3])
def test_expect_lets_what_is_true_pass(condition):
    expect(condition, "hint")


@pytest.mark.parametrize("condition", [False, np.bool_(False), None, ..., 1, "yes", np.array([True, True])])
def test_expect_fails_with_the_hint_and_nothing_else(condition):
    with pytest.raises(AssertionError) as caught:
        expect(condition, "hint: look")
    assert str(caught.value) == "hint: look"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (np.float32(0.1), 0.1),
        ([1, 2], np.array([1, 2])),
        (torch.tensor([[1.0]]), [[1]]),
        (torch.tensor(1.0, requires_grad=True).detach(), 1),
        (Estimate(0.25, 0.1, 0.4, n=3, unit="item", method="by hand", definition="a number"), 0.25),
        (0.2 + 1e-7, 0.2),
    ],
)
def test_expect_close_lets_equal_numbers_pass(value, expected):
    expect_close(value, expected, "hint")


@pytest.mark.parametrize(
    ("value", "expected", "message"),
    [
        (None, 1, "hint"),
        (..., [1, 2], "hint"),
        ("one", 1, "hint (yours is no number and no array of numbers: str)"),
        ([1, [2, 3]], [1, 2], "hint (yours is no number and no array of numbers: list)"),
        ({}, 1, "hint (yours is no number and no array of numbers: dict)"),
        (torch.tensor(1.0, requires_grad=True), 1, "hint (yours is no number and no array of numbers: Tensor)"),
        ([1, 2, 3], [1, 2], "hint (yours has shape (3,), it should be (2,))"),
        (1, [1], "hint (yours has shape (), it should be (1,))"),
        (0.5, 0.25, "hint (yours: 0.5)"),
        (float("nan"), 0.25, "hint (yours: nan)"),
        (float("inf"), 0.25, "hint (yours: inf)"),
        ([1, 2, 9], [1, 2, 3], "hint (yours: 1 of 3 numbers are not right)"),
    ],
)
def test_expect_close_says_what_is_wrong_and_not_what_is_right(value, expected, message):
    with pytest.raises(AssertionError) as caught:
        expect_close(value, expected, "hint")
    assert str(caught.value) == message


def test_the_distance_that_is_let_pass_is_within():
    expect_close([0.0, 0.1], [0.0, 0.0], "hint", within=0.11)
    with pytest.raises(AssertionError):
        expect_close([0.0, 0.1], [0.0, 0.0], "hint", within=0.09)


@pytest.mark.parametrize(("expected", "within"), [(1, 0), (1, -1), (1, float("nan")), (float("nan"), 1)])
def test_a_check_at_fault_is_no_hint(expected, within):
    with pytest.raises(ValueError, match="within must be above 0"):
        expect_close(1, expected, "hint", within=within)
