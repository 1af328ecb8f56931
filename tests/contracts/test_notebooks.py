"""Every paper's notebook keeps the rules, every committed record belongs to its notebook, pages are fresh."""

import json
import re
import shutil

import pytest

from tests.contracts.notebook_rules import wrong_with
from workbench.experiments.pages import END, START, papers_table
from workbench.experiments.papers import Paper, find_papers
from workbench.experiments.records import read_record
from workbench.experiments.scaffold import write_notebook

PAPERS = {paper.slug: paper for paper in find_papers()}


@pytest.mark.parametrize("slug", PAPERS)
def test_a_notebook_keeps_the_rules(slug):
    assert wrong_with(PAPERS[slug]) == []


def test_slugs_are_unique():
    assert len(PAPERS) == len(find_papers()) > 0


def test_every_record_belongs_to_its_notebook_as_it_stands(root):
    for path in (root / "data" / "measured").glob("*.json"):
        record, paper = read_record(path), PAPERS[path.stem]
        assert record["slug"] == paper.slug
        assert record["scale"] == "small"
        assert record["claims_sha"] == paper.claims_sha, f"the claims of {paper.slug} changed after the record was made"
        assert record["changed"] == []
        assert record["parameters"] == paper.resolve({"scale": "small"})
        for figure in record["figures"]:
            assert figure["alt"]
            picture = (root / "figures" / paper.slug / f"{figure['name']}.svg").read_text(encoding="utf-8")
            assert re.search(r'<svg[^>]* width="(820|1080)"', picture), "not the width that our figures ask for"


def test_the_table_of_papers_is_fresh(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    assert text.split(START)[1].split(END)[0].strip() == papers_table().strip()


@pytest.fixture
def empty_project(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    return tmp_path


def test_a_new_notebook_keeps_the_rules(empty_project):
    path = write_notebook("demo_paper", "geometry")
    assert wrong_with(Paper(path)) == []
    with pytest.raises(FileExistsError):
        write_notebook("demo_paper", "geometry")
    with pytest.raises(ValueError, match="taken"):
        write_notebook("demo_paper", "elastic")
    with pytest.raises(ValueError, match="lower-case"):
        write_notebook("../demo", "geometry")


def broken(path, cell, old, new):
    """The notebook with one replacement in one cell."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    target = next(c for c in notebook["cells"] if c["id"] == cell)
    source = "".join(target["source"])
    assert old in source
    target["source"] = [source.replace(old, new)]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return Paper(path)


@pytest.mark.parametrize(
    ("cell", "old", "new", "rule"),
    [
        ("start", "n_texts=n_texts", "n_texts=40", "parameters_reach_start"),
        ("start", '"demo_paper"', '"other"', "parameters_reach_start"),
        ("record", '"C1"', '"C2"', "claims_are_measured"),
        ("verdict", "run.verdict()", "pass", "claims_are_measured"),
        ("figure", 'run.figure("similarity", figure, alt=', 'run.figure("similarity", figure, text=', "figures"),
        ("claims", "decides=True", "decides=False", "literals"),
        ("claims", 'on="pydocs"', 'on="imdb"', "literals"),
        ("claims", '"n_texts": 40}', '"n_texts": None}', "literals"),
        ("encode", "encoder = load", "class A: pass\nencoder = load", "budgets"),
        ("encode", "encoder = load", "pass\n" * 30 + "encoder = load", "budgets"),
    ],
)
def test_a_breach_of_each_rule_is_seen(empty_project, cell, old, new, rule):
    path = write_notebook("demo_paper", "geometry")
    words = wrong_with(broken(path, cell, old, new))
    assert any(w.startswith(rule) for w in words), words


def test_outputs_and_lost_tags_are_seen(empty_project):
    path = write_notebook("demo_paper", "geometry")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    code[-1]["metadata"] = {}
    code[0]["execution_count"] = 3
    path.write_text(json.dumps(notebook), encoding="utf-8")
    words = wrong_with(Paper(path))
    assert {w.split(":")[0] for w in words} == {"tags", "outputs"}
    shutil.rmtree(path.parent)
