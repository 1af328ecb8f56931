"""Home, records, keys, tables, publishing, doctor: each against a small project made here."""

import os

import pytest

from workbench.experiments import doctor, keys, pages
from workbench.experiments.papers import Paper, UnknownPaper, find_paper
from workbench.experiments.records import TornRecord, read_record, write_atomic
from workbench.experiments.report import newest_report
from workbench.experiments.run import start
from workbench.experiments.scaffold import write_notebook
from workbench.experiments.table import VerdictTable, limit_text, verdict_text
from workbench.home import cache_dir, project_root


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    write_notebook("demo_paper", "geometry")
    return tmp_path


def opened(project, monkeypatch, folder="run", **given):
    monkeypatch.setenv("WORKBENCH_RUN", str(project / folder))
    paper = find_paper("demo_paper")
    return start("demo_paper", paper.claims, paper.scales, paper.uses, **given)


def test_the_root_is_what_the_environment_names(project, monkeypatch):
    assert project_root() == project
    assert cache_dir("x") == project / "data" / "cache" / "x"
    monkeypatch.setenv("WORKBENCH_HOME", str(project / "notebooks"))
    with pytest.raises(FileNotFoundError, match=r"notebooks/ and pyproject\.toml"):
        project_root()


def test_without_the_environment_the_root_is_the_nearest_parent(project, monkeypatch):
    monkeypatch.delenv("WORKBENCH_HOME")
    deep = project / "notebooks" / "geometry"
    monkeypatch.chdir(deep)
    assert project_root() == project


def test_a_record_says_all_that_its_schema_asks_for(project, monkeypatch):
    run = opened(project, monkeypatch, scale="small")
    run.record("C1", [0.2, 0.3, 0.4])
    table = run.verdict()
    record = read_record(project / "run" / "measured.json")
    assert record == table.record
    wanted = {
        "slug",
        "scale",
        "claims_sha",
        "parameters",
        "seeds",
        "uses",
        "versions",
        "device",
        "seconds",
        "peak_memory",
    }
    assert wanted < set(record)
    row = record["claims"][0]
    wanted = {"key", "kind", "unit", "n", "value", "low", "high", "limit", "verdict", "decides"}
    assert wanted < set(row)
    assert (row["n"], row["verdict"], row["limit"], row["kind"]) == (3, "reproduced", 0.01, "effect")
    assert record["claims_sha"] == find_paper("demo_paper").claims_sha
    assert record["peak_memory"] > 2**20
    assert "reproduced" in repr(table)
    assert "<table>" in table._repr_html_()


def test_a_replication_is_shown_and_never_judged(project, monkeypatch):
    run = opened(project, monkeypatch, scale="small")
    run.record("C1", [0.2, 0.3, 0.4])
    run.record("C1", [0.5, 0.6, 0.7], on="elsewhere")
    with pytest.raises(ValueError, match="already measured on elsewhere"):
        run.record("C1", [0.5, 0.6, 0.7], on="elsewhere")
    record = run.verdict().record
    assert [r["verdict"] for r in record["replications"]] == [None]
    assert record["replications"][0]["on"] == "elsewhere"


def test_claims_that_differ_from_the_file_are_not_judged(project, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(project / "run"))
    paper = find_paper("demo_paper")
    from dataclasses import replace

    softer = [replace(paper.claims[0], at_least=0.001)]
    run = start("demo_paper", softer, paper.scales, paper.uses, scale="small")
    run.record("C1", [0.2, 0.3, 0.4])
    row = run.verdict().record["claims"][0]
    assert row["verdict"] is None
    assert "differ from the saved notebook" in row["note"]


def test_an_inconclusive_claim_says_what_the_run_could_have_shown(project, monkeypatch):
    run = opened(project, monkeypatch, scale="small")
    run.record("C1", [-1.0, 0.1, 1.0])
    row = run.verdict().record["claims"][0]
    assert row["verdict"] == "inconclusive"
    assert "80 % power" in row["note"]


def test_seeds_count_from_the_first(project, monkeypatch):
    assert opened(project, monkeypatch).seeds == [0]
    assert opened(project, monkeypatch, seed=3, seeds=4).seeds == [3, 4, 5, 6]


def test_start_refuses_two_deciding_claims_and_equal_keys(project, monkeypatch):
    paper = find_paper("demo_paper")
    with pytest.raises(ValueError, match="differ"):
        start("demo_paper", paper.claims * 2, paper.scales, paper.uses)
    with pytest.raises(ValueError, match="exactly one claim decides"):
        start("demo_paper", [], paper.scales, paper.uses)
    with pytest.raises(UnknownPaper, match="did you mean 'demo_paper'"):
        start("demo_papr", paper.claims, paper.scales, paper.uses)


@pytest.mark.parametrize(("name", "alt", "words"), [("a", " ", "alternative text"), ("A b", "x", "lower-case")])
def test_a_figure_needs_a_name_and_an_alternative_text(project, monkeypatch, name, alt, words):
    import plotly.graph_objects as go

    with pytest.raises(ValueError, match=words):
        opened(project, monkeypatch).figure(name, go.Figure(), alt=alt)


def test_here_refuses_a_corpus_that_uses_does_not_name(project, monkeypatch):
    run = opened(project, monkeypatch)
    assert run.here("pydocs")
    with pytest.raises(KeyError, match="imdb"):
        run.here("imdb")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"slug": "x"}', "\xff"])
def test_a_torn_record_is_refused(tmp_path, text):
    path = tmp_path / "record.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(TornRecord, match=r"record\.json"):
        read_record(path)


def test_an_atomic_write_keeps_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_atomic(path, "old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, "new")
    assert path.read_text() == "old"


def test_the_key_changes_with_every_part_and_with_nothing_else(project):
    paper = find_paper("demo_paper")
    plan = keys.plan_run(paper, {})
    assert keys.plan_run(find_paper("demo_paper"), {"n_texts": 40}).key == plan.key  # the preset, said aloud
    assert keys.plan_run(paper, {"n_texts": 41}).key != plan.key
    assert plan.parts["corpora: pydocs"] != keys.ABSENT
    assert plan.parts["models: all-MiniLM-L6-v2"] != keys.ABSENT
    text = paper.path.read_text(encoding="utf-8")
    paper.path.write_text(text.replace("print(similarity)", "print(similarity, 1)"), encoding="utf-8")
    changed = keys.plan_run(Paper(paper.path), {})
    assert {k for k in plan.parts if plan.parts[k] != changed.parts[k]} == {"notebook"}
    prose = text.replace("Say what the paper says.", "It says this.")
    paper.path.write_text(prose, encoding="utf-8")
    assert keys.plan_run(Paper(paper.path), {}).key == plan.key


def test_the_package_part_reads_every_module_that_the_notebook_reaches(project):
    paper = find_paper("demo_paper")
    found = {path.name for name in keys._reached(paper) for path in keys._sources(keys.PACKAGE, name)}
    assert {"cosine.py", "tensors.py", "encoder.py", "pydocs.py", "projections.py"} <= found
    assert "classification.py" not in found


def test_the_report_of_a_paper_without_a_run_is_refused(project):
    with pytest.raises(LookupError, match="workbench run demo_paper"):
        newest_report(find_paper("demo_paper"))


def small_run(project, monkeypatch, **given):
    run = opened(project, monkeypatch, folder="data/runs/demo_paper/by_hand", scale="small", **given)
    run.record("C1", [0.2, 0.3, 0.4])
    run.verdict()
    (run.folder / "measured.json").replace(run.folder / "record.json")


def test_a_small_run_is_kept_and_the_table_shows_it(project, monkeypatch):
    with pytest.raises(LookupError, match="--scale small"):
        pages.publish(find_paper("demo_paper"))
    assert "not measured yet" in pages.papers_table()
    small_run(project, monkeypatch)
    kept = pages.publish(find_paper("demo_paper"))
    assert kept == project / "data" / "measured" / "demo_paper.json"
    assert "reproduced" in pages.papers_table()
    (project / "README.md").write_text("nothing")
    with pytest.raises(ValueError, match="README"):
        pages.write_pages()
    (project / "README.md").write_text(f"a\n{pages.START}\nold\n{pages.END}\nb\n")
    pages.write_pages()
    text = (project / "README.md").read_text()
    assert "old" not in text
    assert pages.papers_table() in text
    assert text.startswith("a\n")
    assert text.endswith("\nb\n")
    ((page, words),) = pages.family_pages().items()
    assert page.read_text(encoding="utf-8") == words
    deciding, others = words.split("## Other claims")
    assert "reproduced" in deciding.split("## Deciding claims")[1]
    assert "1 deciding claim; by chance alone 0.025" in deciding
    assert others.count("](demo_paper.ipynb)") == len(find_paper("demo_paper").claims) - 1


def test_a_run_with_changed_parameters_or_older_claims_is_not_kept(project, monkeypatch):
    small_run(project, monkeypatch, n_texts=50)
    with pytest.raises(ValueError, match="n_texts"):
        pages.publish(find_paper("demo_paper"))
    small_run(project, monkeypatch)
    path = find_paper("demo_paper").path
    path.write_text(path.read_text(encoding="utf-8").replace("at_least=0.01", "at_least=0.02"), encoding="utf-8")
    with pytest.raises(ValueError, match="run it again"):
        pages.publish(find_paper("demo_paper"))


def test_limits_and_verdicts_in_words():
    assert [limit_text(x) for x in (0.05, [0.9, None], [None, 2], [1, 2])] == [
        "at least 0.05",
        "at least 0.9",
        "at most 2",
        "1 to 2",
    ]
    assert verdict_text({"verdict": None, "note": "not judged"}) == "not judged"
    assert verdict_text({"verdict": "absent", "note": ""}) == "absent"


def test_texts_are_escaped_in_the_table_of_claims(project, monkeypatch):
    run = opened(project, monkeypatch)
    run.not_measured("C1", "<script>alert(1)</script>")
    html = VerdictTable(run.verdict().record)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_doctor_says_what_is_missing_in_plain_words(project, monkeypatch):
    monkeypatch.delenv("WORKBENCH_DATA", raising=False)
    monkeypatch.setenv("PATH", "")
    found = {finding.what: finding for finding in doctor.findings()}
    assert found["model"].good
    assert not found["local sets"].good
    assert "WORKBENCH_DATA is not set" in found["local sets"].says
    assert not found["browser"].good
    assert all(f.says for f in found.values())


def test_a_claim_that_reads_no_corpus_is_always_here():
    assert keys.fingerprints({"corpora": ["no texts"], "models": []}) == {
        "corpora": {"no texts": "none read"},
        "models": {},
    }
