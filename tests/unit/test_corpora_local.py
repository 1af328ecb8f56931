import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.corpora import (
    Dictionary,
    Images,
    Labels,
    Pairs,
    Retrieval,
    Scores,
    Triplets,
    UnknownCorpus,
    Words,
    catalogue,
    fingerprint,
    load,
)

PAIRS = {
    "text1": ["a", "b", "c"],
    "text2": ["d", "e", "f"],
    "score": [0.0, 2.5, 5.0],
    "split": ["train", "test", "test"],
}
CORPUS = {"id": ["1", "2"], "title": ["Title", ""], "text": ["body", "alone"], "lang": ["en", "de"]}
QUERIES = {
    "id": ["p", "q", "r"],
    "text": ["x", "y", "z"],
    "split": ["train", "test", "none"],
    "lang": ["en", "en", "de"],
}
QRELS = {"query_id": ["p", "q"], "doc_id": ["2", "1"], "relevance": [1, 2], "split": ["train", "test"]}
JUDGED = {"corpus": CORPUS, "queries": QUERIES, "qrels": QRELS}


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    return tmp_path


def make(root: Path, name: str, schema: str, tables: dict, **card: object) -> Path:
    folder = root / name
    folder.mkdir()
    for table, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{table}.parquet")
    stated = {"name": name, "schema": schema, "task": "a task", "rows": {schema: {"total": 3}}, "origin": ["here"]}
    (folder / "card.json").write_text(json.dumps({**stated, "licence": "CC0", "languages": ["en"], **card}))
    return folder


def test_pairs_by_split_with_their_other_columns(root):
    make(root, "tiny", "pairs", {"pairs": {**PAIRS, "year": ["2012", "2013", "2014"]}})
    record = load("tiny", split="test")
    assert isinstance(record, Pairs)
    assert (record.left, record.right, record.scores.tolist()) == (("b", "c"), ("e", "f"), [2.5, 5.0])
    assert record.columns == {"split": ("test", "test"), "year": ("2013", "2014")}
    assert (record.source.name, record.source.kind, record.source.licence) == ("tiny", "local", "CC0")
    assert (record.source.split, record.source.origin) == ("test", "here")
    assert len(load("tiny")) == 3


def test_an_unknown_split_or_subset_names_those_there_are(root):
    make(root, "tiny", "pairs", {"pairs": {**PAIRS, "subset": ["u", "v", "v"]}})
    make(root, "flat", "corpus", {"corpus": {"text": ["a"]}})
    assert load("tiny", subset="v").left == ("b", "c")
    with pytest.raises(ValueError, match=r"tiny has no split 'dev'; it has \['test', 'train'\]"):
        load("tiny", split="dev")
    with pytest.raises(ValueError, match=r"tiny has no subset 'w'; it has \['u', 'v'\]"):
        load("tiny", subset="w")
    with pytest.raises(ValueError, match="flat has no split 'test'; it has none"):
        load("flat", split="test")


def test_the_other_schemas_become_their_record_types(root):
    make(root, "l", "labels", {"labels": {"text": ["a"], "label": ["x"], "split": ["all"]}})
    make(root, "t", "triplets", {"triplets": {"anchor": ["a"], "positive": ["p"], "negative": ["n"], "split": ["all"]}})
    words = {"word1": ["a"], "word2": ["b"], "score": [3.0]}
    make(root, "w", "words", {"words": words, "analogies": {key: ["k"] for key in ("a", "b", "c", "d", "category")}})
    make(root, "d", "dictionary", {"dictionary": {"word": ["w"], "definition": ["d"]}, "hypernyms": {"word1": ["w"]}})
    names = ("set", "mteb_task", "model", "split", "subset", "metric", "source")
    make(root, "s", "scores", {"scores": {**{key: ["v"] for key in names}, "main_score_x100": [82.0]}})
    label, triplet, word, entry, score = (load(name) for name in "ltwds")
    made = (label, triplet, word, entry, score)
    assert [type(record) for record in made] == [Labels, Triplets, Words, Dictionary, Scores]
    assert (label.labels, triplet.negatives) == (("x",), ("n",))
    assert (word.analogies["d"], word.scores.tolist()) == (("k",), [3.0])
    assert entry.tables["hypernyms"] == {"word1": ("w",)}
    assert (score.columns["main_score_x100"], len(score)) == ((82.0,), 1)


def test_retrieval_takes_the_test_queries_and_joins_titles(root):
    make(root, "r", "retrieval", JUDGED)
    record = load("r")
    assert isinstance(record, Retrieval)
    assert record.documents == {"1": "Title body", "2": "alone"}
    assert (record.queries, record.qrels, record.candidates) == ({"q": "y"}, {"q": {"1": 2}}, None)
    assert (record.columns["lang"], record.document_columns["title"]) == (("en",), ("Title", ""))
    assert record.source.split == "test"
    assert load("r", split="train").qrels == {"p": {"2": 1}}
    assert load("r", split="none").qrels == {}


def test_retrieval_without_test_queries_takes_all_that_are_judged(root):
    splits = ["dev", "train", "none"]
    make(root, "r", "retrieval", {**JUDGED, "queries": {**QUERIES, "split": splits}})
    assert list(load("r").queries) == ["p", "q"]
    assert load("r").source.split is None


def test_a_language_chooses_queries_and_documents(root):
    make(root, "r", "retrieval", JUDGED)
    record = load("r", subset="en")
    assert (list(record.queries), list(record.documents)) == (["q"], ["1"])


def test_candidates_come_in_the_order_of_their_rank(root):
    candidates = {
        "query_id": ["q", "q", "p"], "doc_id": ["2", "1", "1"], "rank": [2, 1, 1], "bm25": [1.0, 2.0, 3.0],
        "split": ["test", "test", "train"],
    }  # fmt: skip
    make(root, "r", "retrieval", {**JUDGED, "candidates": candidates})
    assert load("r").candidates == {"q": ["1", "2"]}


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("corpus", {"id": ["1", "1"]}, "r: corpus, row 1: an id must be there once, '1' is there twice"),
        ("queries", {"id": ["q", "q", "r"], "split": ["test"] * 3}, "r: queries, row 1: an id must be there once"),
        ("qrels", {"doc_id": ["2", "9"]}, "r: qrels of query 'q' names no document: '9'"),
        ("qrels", {"relevance": [1, None]}, "r: qrels, row 1: relevance must be a number"),
        ("corpus", {"text": ["a", None]}, "r: corpus, row 1: text must not be null"),
    ],
)
def test_damaged_retrieval_tables_are_refused(root, table, change, message):
    make(root, "r", "retrieval", {**JUDGED, table: {**JUDGED[table], **change}})
    with pytest.raises(ValueError, match=message):
        load("r")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": [1.0, float("nan"), 2.0]}, "tiny: pairs, row 1: score must be a number, never null or NaN"),
        ({"score": [1.0, 1.0, None]}, "tiny: pairs, row 2: score must be a number, never null or NaN"),
        ({"text2": ["d", "e", None]}, "tiny: pairs, row 2: text2 must not be null"),
        ({"score": ["1", "2", "3"]}, "tiny: pairs: score must hold numbers, it holds string"),
        ({"text1": [1, 2, 3]}, "tiny: pairs: text1 must hold texts, it holds int64"),
    ],
)
def test_a_damaged_column_is_named_with_set_and_row(root, change, message):
    make(root, "tiny", "pairs", {"pairs": {**PAIRS, **change}})
    with pytest.raises(ValueError, match=message):
        load("tiny")


@pytest.mark.parametrize("column", list(PAIRS))
def test_a_missing_column_is_named(root, column):
    make(root, "tiny", "pairs", {"pairs": {name: values for name, values in PAIRS.items() if name != column}})
    with pytest.raises(ValueError, match=f"tiny: pairs must have column '{column}', it has"):
        load("tiny")


def test_a_torn_or_missing_table_is_refused(root):
    path = make(root, "tiny", "pairs", {"pairs": PAIRS}) / "pairs.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"tiny: pairs\.parquet must be a whole Parquet file"):
        load("tiny")
    path.unlink()
    with pytest.raises(ValueError, match=r"tiny: pairs\.parquet must be a whole Parquet file"):
        load("tiny")


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("{", "must be a JSON object in UTF-8"),
        ("3", "must be a JSON object in UTF-8"),
        ("{}", "must state .*'licence'"),
    ],
)
def test_a_damaged_card_is_refused(root, card, message):
    (make(root, "tiny", "pairs", {"pairs": PAIRS}) / "card.json").write_text(card)
    with pytest.raises(ValueError, match=rf"tiny/card\.json {message}"):
        load("tiny")


def test_an_unknown_schema_is_refused(root):
    make(root, "tiny", "pears", {"pears": PAIRS})
    with pytest.raises(ValueError, match=r"schema must be one of .*'pairs'.*, got 'pears'"):
        load("tiny")


def test_images_come_without_pickle(root):
    folder = make(root, "i", "images", {})
    images = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    np.savez(folder / "images.npz", images=images, labels=np.array([1, 0]), label_names=np.array(["a", "b"]))
    record = load("i")
    assert isinstance(record, Images)
    assert np.array_equal(record.images, images)
    assert (record.labels.tolist(), record.label_names) == ([1, 0], ("a", "b"))
    with pytest.raises(ValueError, match="i has no splits and no subsets, got 'test'"):
        load("i", split="test")
    names = np.array(["a", "b"], dtype=object)
    np.savez(folder / "images.npz", images=images, labels=np.array([1, 0]), label_names=names)
    with pytest.raises(ValueError, match="whole and without pickle"):
        load("i")
    (folder / "images.npz").write_bytes(b"PK torn")
    with pytest.raises(ValueError, match="whole and without pickle"):
        load("i")


def test_the_fingerprint_follows_the_files(root):
    folder = make(root, "tiny", "pairs", {"pairs": PAIRS})
    before = fingerprint("tiny")
    assert load("tiny").source.fingerprint == before
    assert len(before) == 64
    (folder / "notes.txt").write_text("not read")
    assert fingerprint("tiny") == before
    pq.write_table(pa.table({**PAIRS, "score": [0.0, 2.5, 4.9]}), folder / "pairs.parquet")
    assert fingerprint("tiny") != before


def test_workbench_data_is_read_at_each_call(root, tmp_path_factory, monkeypatch):
    make(root, "tiny", "pairs", {"pairs": PAIRS})
    assert len(load("tiny")) == 3
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path_factory.mktemp("empty")))
    with pytest.raises(UnknownCorpus):
        load("tiny")


@pytest.mark.parametrize("option", ["text", "label", "scope"])
def test_a_local_set_takes_no_column_and_no_scope(root, option):
    make(root, "tiny", "pairs", {"pairs": PAIRS})
    with pytest.raises(ValueError, match=f"'tiny' is a local set and takes no {option}, got 'all'"):
        load("tiny", **{option: "all"})


def test_unknown_names_are_answered_with_the_nearest(root, monkeypatch):
    make(root, "tiny_pairs", "pairs", {"pairs": PAIRS})
    with pytest.raises(LookupError, match="no data set is named 'tiny_pear'; the nearest is 'tiny_pairs'"):
        load("tiny_pear")
    with pytest.raises(UnknownCorpus, match="the nearest is 'pydocs'"):
        fingerprint("pydoc")
    with pytest.raises(UnknownCorpus, match=r"catalogue\(\) lists them"):
        load("~~~~")
    with pytest.raises(UnknownCorpus, match="no data set is named"):
        load("../tiny_pairs")
    with pytest.raises(UnknownCorpus, match=r"'brown' is a local set, but WORKBENCH_DATA=.* holds no brown/card\.json"):
        load("brown")
    monkeypatch.delenv("WORKBENCH_DATA")
    with pytest.raises(UnknownCorpus, match=r"'brown' is a local set.*set the environment variable WORKBENCH_DATA"):
        load("brown")


def test_a_set_of_the_hub_that_is_local_too_is_read_locally_and_else_has_no_fingerprint_before_it_is_fetched(root):
    with pytest.raises(UnknownCorpus, match=r"'stsb' is a set of the hub and not in its cache: load\('stsb'\)"):
        fingerprint("stsb")
    make(root, "stsb", "pairs", {"pairs": PAIRS})
    assert load("stsb").source.kind == "local"
    assert len(load("stsb")) == 3
    assert len(fingerprint("stsb")) == 64
    assert [entry.kind for entry in catalogue() if entry.name == "stsb"] == ["local"]


def test_workbench_data_that_is_no_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "absent"))
    for call in (catalogue, lambda: load("stsb")):
        with pytest.raises(ValueError, match="WORKBENCH_DATA must name a folder of sets"):
            call()


def test_the_catalogue_says_what_is_here(root, monkeypatch):
    make(root, "tiny", "pairs", {"pairs": PAIRS})
    make(root, "r", "retrieval", JUDGED, rows={"corpus": {"total": 2}})
    entries = {entry.name: entry for entry in catalogue()}
    tiny = entries["tiny"]
    assert (tiny.kind, tiny.record, tiny.rows, tiny.task, tiny.licence, tiny.here) == (
        "local", "Pairs", 3, "a task", "CC0", True,
    )  # fmt: skip
    assert (entries["r"].record, entries["r"].rows) == ("Retrieval", 2)
    assert (entries["brown"].kind, entries["brown"].record, entries["brown"].here) == ("local", "Corpus", False)
    hub = entries["stsb"]  # local as well, but not there
    assert (hub.kind, hub.record, hub.rows, hub.here) == ("hub", "Pairs", 1379, False)
    assert (entries["pydocs"].kind, entries["pydocs"].here) == ("built-in", True)
    monkeypatch.delenv("WORKBENCH_DATA")
    assert "tiny" not in {entry.name for entry in catalogue()}
