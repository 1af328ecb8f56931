"""`workbench evaluate` and `compare` as real processes, on small sets and a model of two layers."""

import json
import random
import re
import shutil
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests.faults.conftest import WORKBENCH, environment
from tests.faults.tiny_bert import make_tiny_bert
from workbench.cli import app


def write_set(root, name, schema, tables):
    folder = root / name
    folder.mkdir(parents=True)
    for table, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{table}.parquet")
    card = {"name": name, "schema": schema, "task": "a task", "rows": {schema: {"total": 1}}, "origin": ["here"],
            "licence": "CC0", "languages": ["en"]}  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card))


def text(draw):
    return " ".join(draw.choice(["text", "number", "rows", "columns", str(draw.randrange(100))]) for _ in range(6))


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A project, a model and a folder of small sets, one for each kind of evaluation."""
    root = tmp_path_factory.mktemp("evaluate")
    (root / "notebooks").mkdir()
    (root / "pyproject.toml").touch()
    make_tiny_bert(root / "tiny")
    make_tiny_bert(root / "other", seed=1)
    draw = random.Random(0)
    sets = root / "sets"
    n = 60
    a, b = ([text(draw) for _ in range(n)] for _ in range(2))
    split = ["train"] * 10 + ["test"] * (n - 10)
    pairs = {"text1": a, "text2": b, "split": split}
    write_set(sets, "graded", "pairs", {"pairs": {**pairs, "score": [i % 6 / 1 for i in range(n)]}})
    write_set(sets, "yes_no", "pairs", {"pairs": {**pairs, "score": [float(i % 2) for i in range(n)]}})
    write_set(
        sets,
        "few",
        "pairs",
        {"pairs": {k: v[-10:] for k, v in {**pairs, "score": [i % 6 / 1 for i in range(n)]}.items()}},
    )
    write_set(sets, "all_one", "pairs", {"pairs": {**pairs, "score": [1.0] * n}})
    write_set(
        sets,
        "topics",
        "labels",
        {"labels": {"text": a, "label": list("xy") * 30, "split": ["train", "train", "test", "test"] * 15}},
    )
    write_set(sets, "test_only", "labels", {"labels": {"text": a, "label": list("xy") * 30, "split": ["test"] * n}})
    ids = [f"d{i}" for i in range(n)]
    asked = [f"q{i}" for i in range(12)]
    found = {
        "corpus": {"id": ids, "title": [""] * n, "text": a},
        "queries": {"id": asked, "text": b[:12], "split": ["test"] * 12},
        "qrels": {"query_id": asked, "doc_id": ids[:12], "relevance": [1] * 12, "split": ["test"] * 12},
    }
    write_set(sets, "search", "retrieval", found)
    published = {"set": ["graded"], "mteb_task": ["G"], "model": ["someone/tiny"], "split": ["test"],
                 "subset": ["default"], "metric": ["Spearman of cosine"], "main_score_x100": [12.34],
                 "source": ["s"]}  # fmt: skip
    write_set(sets, "reference_scores", "scores", {"scores": published})
    return root


@pytest.fixture
def call(here, workbench):
    def run(*arguments):
        return workbench(here, *arguments, WORKBENCH_DATA=str(here / "sets"), HF_HUB_OFFLINE="1")

    return run


@pytest.fixture(scope="module")
def done(here):
    """What the first call of `evaluate` gave for each of two models, under the project's own data/evaluations."""
    variables = environment(here) | {"WORKBENCH_DATA": str(here / "sets"), "HF_HUB_OFFLINE": "1"}

    def run(model, tasks):
        line = [*WORKBENCH, "evaluate", "--model", model, "--tasks", tasks]
        return subprocess.run(line, cwd=here, env=variables, capture_output=True, text=True, check=False, timeout=300)

    found = {"tiny": run("tiny", "graded,yes_no,topics,search"), "other": run("other", "graded,search,topics")}
    assert [process.returncode for process in found.values()] == [0, 0], found
    return found


def folder_of(here, model):
    (folder,) = (here / "data" / "evaluations").glob(f"{model}-*")
    return folder


def test_every_kind_is_evaluated_and_saved(here, done):
    said = done["tiny"]
    assert re.search(r"4 tasks, \d+ texts, [\d,]+ tokens: \d+\.\d minutes", said.stderr)
    rows = {
        line.split("│")[1].strip(): [c.strip() for c in line.split("│")[2:-1]]
        for line in said.stdout.splitlines()
        if line.startswith("│")
    }
    assert {task: (row[0], row[2]) for task, row in rows.items()} == {
        "graded": ("spearman", "50"),  # the test split
        "yes_no": ("average_precision", "50"),
        "topics": ("accuracy", "30"),
        "search": ("ndcg@10", "12"),
    }
    assert rows["graded"][3] == "12.34"
    assert [rows[task][3] for task in ("yes_no", "topics", "search")] == [""] * 3
    assert all(re.fullmatch(r"-?\d+\.\d\d \[-?\d+\.\d\d, -?\d+\.\d\d\]", row[1]) for row in rows.values())
    folder = folder_of(here, "tiny")
    assert re.fullmatch("tiny-[0-9a-f]{12}", folder.name)
    assert sorted(path.name for path in folder.iterdir()) == [
        "graded.json", "search.json", "topics.json", "yes_no.json"]  # fmt: skip
    assert said.stdout.splitlines()[-1] == str(folder)


def test_a_second_call_repeats_only_what_is_torn(here, done, call, tmp_path):
    shutil.copytree(folder_of(here, "tiny"), tmp_path / folder_of(here, "tiny").name)
    (path,) = tmp_path.rglob("graded.json")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    others = {name: name.stat().st_mtime_ns for name in tmp_path.rglob("*.json") if name != path}
    again = call("evaluate", "--model", "tiny", "--tasks", "graded,yes_no,topics,search", "--out", str(tmp_path))
    assert again.returncode == 0, again.stderr
    assert again.stderr.startswith("1 tasks, ")
    assert again.stdout.splitlines()[:-1] == done["tiny"].stdout.splitlines()[:-1]
    assert path.read_bytes() == whole
    assert {name: name.stat().st_mtime_ns for name in others} == others


def test_other_settings_go_elsewhere(here, done, call, tmp_path):
    line = ("evaluate", "--model", "tiny", "--tasks", "graded", "--out", str(tmp_path))
    changed = call(*line, "--set", "pooling=cls", "--set", "max_length=5")
    assert changed.returncode == 0, changed.stderr
    (folder,) = tmp_path.iterdir()
    assert folder.name != folder_of(here, "tiny").name
    recipe = json.loads((folder / "graded.json").read_text())["evaluation"]["recipe"]
    assert (recipe["pooling"], recipe["max_length"]) == ("cls", 5)


def test_what_ended_stays_when_a_later_task_fails(call, tmp_path):
    failed = call("evaluate", "--model", "tiny", "--tasks", "yes_no,few", "--split", "test", "--out", str(tmp_path))
    assert failed.returncode == 1
    assert "20 pairs or more, got 10" in failed.stderr
    assert [path.name for path in tmp_path.rglob("*.json")] == ["yes_no-test.json"]


def test_two_evaluations_are_compared_recipe_first(here, done, call):
    found = call("compare", folder_of(here, "tiny").name, str(folder_of(here, "other")))  # by name, and by path
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[0] == "recipe, model: tiny -> other"
    assert lines[1].startswith("recipe, weights: ")
    assert found.stdout.index("recipe, weights") < found.stdout.index("p (Holm)")
    assert len(re.findall("not significant|significant", found.stdout)) == 3
    assert lines[-1] == "in one of them only: yes_no"


def test_files_are_compared_and_what_cannot_be_is_said(here, done, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(here))
    monkeypatch.chdir(here)
    a, b = (folder_of(here, model) for model in ("tiny", "other"))
    torn = tmp_path / "torn.json"
    torn.write_bytes((a / "graded.json").read_bytes()[:200])

    def compared(first, second):
        ran = CliRunner().invoke(app, ["compare", str(first), str(second)])
        return ran.exit_code, ran.output + ran.stderr

    assert compared(a / "graded.json", a / "graded.json")[1].startswith("the same recipe")
    for status, first, second, words in (
        (0, a / "graded.json", b / "graded.json", "recipe, weights: "),
        (1, a / "graded.json", b / "search.json", "of kind 'sts', the other 'retrieval'"),
        (1, a / "yes_no.json", b, "no task in common"),
        (2, a, "no_such_paper", "holds evaluations and no_such_paper does not"),
        (1, a, torn, "torn.json is torn"),
    ):
        got, said = compared(first, second)
        assert (got, words in said.replace("\n", " ")) == (status, True), said


@pytest.mark.parametrize(
    ("status", "arguments", "words"),
    [
        (2, ["--tasks", "gradde"], "no data set is named 'gradde'; the nearest is 'graded'"),
        (2, ["--tasks", "graded,gradde"], "'graded'"),
        (1, ["--tasks", "clinc150"], "'clinc150' is a local set, but WORKBENCH_DATA="),
        (2, ["--tasks", "all_one"], "all_one holds pairs whose scores are [1.0] only; what can be evaluated is"),
        (2, ["--tasks", "test_only"], "test_only has labels, but not both splits"),
        (2, ["--tasks", "reference_scores"], "reference_scores is Scores; what can be evaluated is"),
        (2, ["--tasks", " , "], "--tasks takes names"),
        (1, ["--tasks", "graded", "--split", "dev"], "graded has no split 'dev'"),
        (1, ["--tasks", "graded:part"], "part"),
        (2, ["--tasks", "graded", "--set", "poling=cls"], "knows no 'poling', did you mean 'pooling'?"),
        (2, ["--tasks", "graded", "--set", "pooling"], "NAME=VALUE"),
        (2, ["--tasks", "graded", "--set", "max_length=many"], "max_length must be a whole number, got 'many'"),
        (1, ["--tasks", "graded", "--model", "no_such_model"], "no_such_model"),
    ],
)
def test_wrong_use_and_what_is_not_here(here, call, tmp_path, status, arguments, words):
    done = call(
        "evaluate", "--out", str(tmp_path), *(["--model", "tiny"] if "--model" not in arguments else []), *arguments
    )
    assert (done.returncode, words in done.stderr.replace("\n", " ")) == (status, True), done.stderr
    assert not list(tmp_path.iterdir())
