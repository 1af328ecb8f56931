"""Every lesson keeps the rules of the course."""

import ast
import json
import re

import pytest

from tests.contracts.notebook_rules import LONGEST_CELL
from workbench.experiments.course import Lesson, find_lessons

LESSONS = {lesson.name: lesson for lesson in find_lessons()}
MOST_CELLS, MOST_CODE_LINES = 46, 190  # solutions are counted, for the teacher reads them
FEWEST_EXERCISES, MOST_EXERCISES = 4, 6
TEXTS, MODELS = {"pydocs"}, {"all-MiniLM-L6-v2"}  # both are built in


def wrong_with(lesson):
    """Every breach in words; an empty list for a good lesson."""
    rules = (minutes, exercises, budgets, built_in, outputs, mind)
    return [f"{rule.__name__}: {words}" for rule in rules for words in rule(lesson)]


def code_of(lesson):
    return [cell for cell in lesson.notebook["cells"] if cell["cell_type"] == "code"]


def calls(source, *names):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in names:
            yield node


def minutes(lesson):
    first = lesson.notebook["cells"][0]["source"]
    reading, running = lesson.minutes
    wanted = f"About {reading} minutes to read and do, about {running} minute{'s' * (running > 1)} to run"
    if wanted not in first:
        yield f"the first cell must say {wanted!r}"


def exercises(lesson):
    if not FEWEST_EXERCISES <= len(lesson.exercises) <= MOST_EXERCISES:
        yield f"{len(lesson.exercises)} exercises, not {FEWEST_EXERCISES} to {MOST_EXERCISES}"
    headings = [line for cell in lesson.notebook["cells"] for line in cell["source"].splitlines() if "### Ex" in line]
    parts = [int(found[1]) for line in headings if (found := re.search(r"\(about (\d+) minutes\)", line))]
    if not len(parts) == len(headings) == len(lesson.exercises):
        yield "each exercise has a heading of its own that says about how many minutes it takes"
    if sum(parts) >= lesson.minutes[0]:
        yield f"the exercises alone take {sum(parts)} of the {lesson.minutes[0]} minutes"
    for stub, solution, check in lesson.exercises:
        if "..." not in stub["source"]:
            yield f"the stub {stub['id']} leaves nothing open: no '...'"
        if not solution["metadata"].get("jupyter", {}).get("source_hidden"):
            yield f"the solution {solution['id']} is not folded"
        hints = [ast.unparse(arg) for call in calls(check["source"], "expect", "expect_close") for arg in call.args]
        if not any(text.strip("'\"").startswith("hint: ") for text in hints):
            yield f"the check {check['id']} has no hint"


def budgets(lesson):
    lines = {cell["id"]: [x for x in cell["source"].splitlines() if x.strip()] for cell in code_of(lesson)}
    if len(lesson.notebook["cells"]) > MOST_CELLS:
        yield f"{len(lesson.notebook['cells'])} cells, at most {MOST_CELLS}"
    if sum(map(len, lines.values())) > MOST_CODE_LINES:
        yield f"{sum(map(len, lines.values()))} code lines, at most {MOST_CODE_LINES}"
    yield from (
        f"{name} has {len(x)} lines, at most {LONGEST_CELL}" for name, x in lines.items() if len(x) > LONGEST_CELL
    )


def built_in(lesson):
    for cell in code_of(lesson):
        for names, known in ((("load",), TEXTS), (("load_encoder",), MODELS)):
            for call in calls(cell["source"], *names):
                if ast.literal_eval(call.args[0]) not in known:
                    yield f"{ast.unparse(call)}: a lesson needs nothing but {known}"


def outputs(lesson):
    if any(cell["outputs"] or cell["execution_count"] is not None for cell in code_of(lesson)):
        yield "committed with outputs"


def mind(lesson):
    if not any(cell["source"].startswith("## What would change your mind") for cell in lesson.notebook["cells"]):
        yield "no cell says what would change your mind"


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_keeps_the_rules(name):
    assert wrong_with(LESSONS[name]) == []


def test_there_are_lessons():
    assert list(LESSONS) == ["01_reading_a_map", "02_layers_and_length"]


@pytest.mark.parametrize(
    ("cell", "old", "new", "rule"),
    [
        ("title", "About 60 minutes", "About 10 minutes", "minutes"),
        ("kept-text", "(about 5 minutes)", "", "exercises"),
        ("kept-text", "(about 5 minutes)", "(about 50 minutes)", "exercises"),
        ("kept-exercise", "kept = ...", "kept = 0", "exercises"),
        ("kept-check", '"hint: ', '"', "exercises"),
        ("texts", 'load("pydocs"', 'load("imdb"', "built_in"),
        ("texts", 'load_encoder("all-MiniLM-L6-v2"', 'load_encoder("bge-m3"', "built_in"),
        ("texts", "import numpy as np", "pass\n" * 30 + "import numpy as np", "budgets"),
        ("mind", "## What would change your mind", "## Summary", "mind"),
    ],
)
def test_a_breach_of_each_rule_is_seen(tmp_path, cell, old, new, rule):
    notebook = json.loads(LESSONS["01_reading_a_map"].path.read_text(encoding="utf-8"))
    target = next(c for c in notebook["cells"] if c["id"] == cell)
    source = "".join(target["source"])
    assert old in source
    target["source"] = source.replace(old, new)
    path = tmp_path / "01_reading_a_map.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert any(words.startswith(rule) for words in wrong_with(Lesson(path)))


def test_outputs_and_an_open_solution_are_seen(tmp_path):
    notebook = json.loads(LESSONS["01_reading_a_map"].path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["metadata"].pop("jupyter", None)
    next(c for c in notebook["cells"] if c["cell_type"] == "code")["execution_count"] = 1
    path = tmp_path / "01_reading_a_map.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert {words.split(":")[0] for words in wrong_with(Lesson(path))} == {"exercises", "outputs"}
