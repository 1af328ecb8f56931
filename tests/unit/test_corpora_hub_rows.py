"""The rows that the files of a pinned set become, and what is refused."""

import gzip

import numpy as np
import pytest

from tests.standin_hub import REVISION, lines, parquet, readme
from workbench.corpora import Labels, Pairs, Retrieval, hub, pin
from workbench.corpora.pinned import PINNED

PARTS = {
    "default": {"test": "qrels/test.jsonl"},
    "corpus": {"corpus": "corpus.jsonl"},
    "queries": {"queries": "q.jsonl"},
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Pins a set under the name 'small', with these files in the cache, without a hub."""

    def lay(pinned, contents):
        for path, content in contents.items():
            (tmp_path / "small" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "small" / path).write_bytes(content)
        monkeypatch.setitem(PINNED, "small", pinned)
        monkeypatch.setattr(hub, "_cached", lambda _: tmp_path / "small")

    return lay


def as_lines(columns):
    return lines([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def a_retrieval_set():
    return {
        "README.md": readme(**PARTS),
        "qrels/test.jsonl": lines(
            [{"query-id": q, "corpus-id": d, "score": s} for q, d, s in [(1, "a", 2.0), (1, "b", 0)]]
        ),
        "corpus.jsonl": lines([{"_id": "a", "title": "T", "text": "x"}, {"_id": "b", "title": "", "text": "y"}]),
        "q.jsonl": lines([{"_id": "1", "text": "asked"}, {"_id": "2", "text": "of another split"}]),
    }


@pytest.mark.parametrize(("kind", "written"), [("parquet", lambda c: parquet(**c)), ("jsonl", as_lines)])
def test_pairs_of_every_pinned_split_come_with_its_name(files, kind, written):
    rows = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "score": [0, 4.5]}
    more = {"sentence1": ["e"], "sentence2": ["f"], "score": [5.0], "genre": ["news"]}
    files(pin.sts("o/n", REVISION, test=2, dev=1), {f"test.{kind}": written(rows), f"validation.{kind}": written(more)})
    both = hub.load_hub("small")
    assert isinstance(both, Pairs)
    assert (both.left, both.right, both.scores.tolist()) == (("a", "b", "e"), ("c", "d", "f"), [0, 4.5, 5])
    assert both.columns == {"split": ("test", "test", "dev"), "genre": (None, None, "news")}
    assert (both.source.kind, both.source.split, both.source.origin) == ("hub", None, f"o/n at {REVISION}")
    dev = hub.load_hub("small", split="dev")
    assert (dev.left, dev.columns["genre"], dev.source.split) == (("e",), ("news",), "dev")


def test_a_split_that_is_not_pinned_is_taken_uncounted_and_one_that_is_not_there_is_refused(files):
    rows = {"text": ["a", "b"], "label": [1, 0], "label_text": ["yes", "no"]}
    held = {f"{split}.jsonl.gz": gzip.compress(as_lines(rows)) for split in ("train", "test")}
    files(pin.labels("o/n", REVISION, test=2), held)
    train = hub.load_hub("small", split="train")
    assert isinstance(train, Labels)
    assert (train.texts, train.labels, train.columns["label_text"]) == (("a", "b"), (1, 0), ("yes", "no"))
    with pytest.raises(ValueError, match=r"small has no split 'dev'; it has \['train', 'test'\]"):
        hub.load_hub("small", split="dev")


def test_rows_of_lists_become_one_row_an_entry(files):
    one = {"sent1": [["a", "b"]], "sent2": [["c", "d"]], "labels": [[1, 0]]}
    files(pin.yes_no("o/n", REVISION, test=2), {"test.parquet": parquet(**one)})
    pairs = hub.load_hub("small")
    assert (pairs.left, pairs.right, pairs.scores.tolist()) == (("a", "b"), ("c", "d"), [1, 0])
    parts = {"sentences": [["a", "b"], ["c"]], "labels": [["x", "y"], ["x"]]}
    files(pin.clusters("o/n", REVISION, test=3), {"test.parquet": parquet(**parts)})
    labels = hub.load_hub("small")
    assert (labels.texts, labels.labels, labels.columns["part"]) == (("a", "b", "c"), ("x", "y", "x"), (0, 0, 1))


def test_translations_are_pairs_of_score_1_and_a_subset_is_a_language(files):
    rows = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "lang": ["de-en", "fr-en"]}
    files(pin.bitext("o/n", REVISION, test=2), {"test.parquet": parquet(**rows)})
    assert hub.load_hub("small").scores.tolist() == [1, 1]
    french = hub.load_hub("small", subset="fr-en")
    assert (french.left, french.columns["lang"], french.source.scope) == (("b",), ("fr-en",), "fr-en")
    with pytest.raises(ValueError, match=r"small has no subset 'xx'; it has \['de-en', 'fr-en'\]"):
        hub.load_hub("small", subset="xx")


def test_a_retrieval_set_has_the_judged_queries_and_every_document(files):
    files(pin.judged("o/n", REVISION, documents=2, queries=1, relevant=1), a_retrieval_set())
    found = hub.load_hub("small")
    assert isinstance(found, Retrieval)
    assert (found.documents, found.queries) == ({"a": "T x", "b": "y"}, {"1": "asked"})
    assert (found.qrels, found.candidates) == ({"1": {"a": 2, "b": 0}}, None)
    assert found.document_columns == {"title": ["T", ""]}
    assert found.source.split == "test"
    with pytest.raises(ValueError, match="small has no subsets, got 'en'"):
        hub.load_hub("small", subset="en")


def test_a_reranking_set_has_candidates(files):
    parts = {"qrels": {"test": "a.parquet"}, "corpus": {"test": "b.parquet"}, "queries": {"test": "c.parquet"}}
    held = {
        "README.md": readme(**parts, top_ranked={"test": "d.parquet"}),
        "a.parquet": parquet(**{"query-id": ["1", "1"], "corpus-id": ["a", "b"], "score": [0, 1]}),
        "b.parquet": parquet(id=["a", "b"], text=["x", "y"]),
        "c.parquet": parquet(id=["1"], text=["asked"]),
        "d.parquet": parquet(**{"query-id": ["1"], "corpus-ids": [["b", "a"]]}),
    }
    files(pin.judged("o/n", REVISION, documents=2, queries=1, relevant=1), held)
    found = hub.load_hub("small")
    assert found.candidates == {"1": ["b", "a"]}
    assert found.documents == {"a": "x", "b": "y"}


def test_judgements_that_name_no_document_are_kept_apart_if_their_number_is_pinned(files):
    judged = lines([{"query-id": "1", "corpus-id": d, "score": 1} for d in ("a", "gone")])
    held = a_retrieval_set() | {"qrels/test.jsonl": judged}
    files(pin.judged("o/n", REVISION, queries=1, relevant=2, absent=1), held)
    found = hub.load_hub("small")
    assert found.qrels == {"1": {"a": 1}}
    assert found.tables["absent"] == {"query_id": ["1"], "doc_id": ["gone"], "relevance": [1]}
    files(pin.judged("o/n", REVISION, absent=2), held)
    with pytest.raises(ValueError, match="the pinned 2 judgements that name no document, it has 1"):
        hub.load_hub("small")
    files(pin.judged("o/n", REVISION), held)
    with pytest.raises(ValueError, match="names no document: 'gone'"):
        hub.load_hub("small")


GOOD = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "score": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (
            {"test.parquet": parquet(**GOOD | {"sentence1": ["a", None]})},
            "small: test, row 1: sentence1 must not be null",
        ),
        ({"test.parquet": parquet(**GOOD | {"sentence2": [1, 2]})}, "row 0: sentence2 must be a text, got int"),
        ({"test.parquet": parquet(**GOOD | {"score": [1.0, None]})}, "row 1: score must be a number, never null"),
        ({"test.parquet": parquet(**GOOD | {"score": [np.nan, 1.0]})}, "row 0: score must be a number, never null"),
        ({"test.parquet": parquet(sentence1=["a"], score=[1.0])}, "must have column 'sentence2', it has"),
        ({"test.parquet": parquet(**{k: v[:1] for k, v in GOOD.items()})}, "the pinned 2 rows, it has 1"),
        ({"test.parquet": parquet(**{k: v[:0] for k, v in GOOD.items()})}, "must have rows"),
        ({"test.parquet": parquet(**GOOD)[:-20]}, "test.parquet must be a whole parquet file"),
        ({"test.jsonl": b'{"sentence1": "a", "sen'}, "test.jsonl must be a whole jsonl file"),
        ({"test.jsonl.gz": gzip.compress(lines([GOOD]) * 99)[:-20]}, "test.jsonl.gz must be a whole jsonl file"),
        ({"test.py": b"print()"}, "small must hold Parquet or JSON files"),
        ({"train.parquet": parquet(**GOOD)}, "small has no split 'test'; it has"),
    ],
)
def test_what_is_not_whole_is_refused_with_file_and_rule(files, held, said):
    files(pin.sts("o/n", REVISION, test=2), held)
    with pytest.raises(ValueError, match=said):
        hub.load_hub("small")


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("label", [1, None], r"row 1: label must be a whole number or a text, got None"),
        ("label", [1.5, 2.0], r"row 0: label must be a whole number or a text, got 1.5"),
        ("text", ["a", None], "row 1: text must not be null"),
    ],
)
def test_a_class_or_text_that_is_none_is_refused(files, column, values, said):
    rows = {"text": ["a", "b"], "label": [0, 1]} | {column: values}
    files(
        pin.labels("o/n", REVISION, test=2),
        {"test.jsonl": as_lines(rows)},
    )
    with pytest.raises(ValueError, match=said):
        hub.load_hub("small")


def test_lists_of_unequal_length_are_refused(files):
    uneven = parquet(sent1=[["a", "b"]], sent2=[["c"]], labels=[[1, 0]])
    files(pin.yes_no("o/n", REVISION, test=2), {"test.parquet": uneven})
    with pytest.raises(ValueError, match=r"row 0: its lists must be equally long, got .*'sent2': 1"):
        hub.load_hub("small")


@pytest.mark.parametrize(
    ("path", "rows", "said"),
    [
        ("corpus.jsonl", [{"_id": "a", "text": "x"}, {"_id": "a", "text": "y"}], "'a' is there twice"),
        ("corpus.jsonl", [{"_id": i, "text": "x"} for i in "ac"], "names no document: 'b'"),
        ("corpus.jsonl", [{"_id": i, "text": "x"} for i in "abc"], "the pinned 2 documents, it has 3"),
        (
            "corpus.jsonl",
            [{"_id": "a", "text": "x"}, {"_id": "b", "text": None}],
            "small: corpus, row 1: text must not",
        ),
        ("q.jsonl", [{"_id": "7", "text": "x"}], "the pinned 1 test queries with a judgement, it has 0"),
        ("q.jsonl", [{"text": "x"}], "small: queries must have column 'id'"),
        ("qrels/test.jsonl", [{"query-id": "1", "corpus-id": "a", "score": 0}], "the pinned 1 judgements other than 0"),
        (
            "qrels/test.jsonl",
            [{"query-id": "1", "corpus-id": "a", "score": 0.5}],
            "row 0: score must be a whole number",
        ),
        ("qrels/test.jsonl", [{"query-id": "1", "corpus-id": "a"}], "small: default must have column 'score'"),
        ("qrels/test.jsonl", [{"query-id": "1", "corpus-id": "a", "score": s} for s in (1, 2)], "row 1: 'a' is judged"),
    ],
)
def test_a_retrieval_set_that_does_not_fit_is_refused(files, path, rows, said):
    pinned = pin.judged("o/n", REVISION, documents=2, queries=1, relevant=1)
    files(pinned, a_retrieval_set() | {path: lines(rows)})
    with pytest.raises(ValueError, match=said):
        hub.load_hub("small")


def test_a_retrieval_set_without_data_is_refused(files):
    files(pin.judged("o/n", REVISION), {"notes.txt": b"nothing"})
    with pytest.raises(ValueError, match="small must hold Parquet or JSON files"):
        hub.load_hub("small")
