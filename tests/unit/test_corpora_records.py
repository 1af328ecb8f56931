import hashlib

import numpy as np
import pytest

from workbench.corpora import Corpus, Dictionary, Images, Labels, Pairs, Retrieval, Scores, Triplets, Words


@pytest.fixture
def corpus() -> Corpus:
    return Corpus(list("abcdef"), {"package": ["x", "y", "x", "y", "x", "z"], "row": range(6)})


def test_rows_are_held_as_tuples_with_their_columns(corpus):
    assert corpus.texts == ("a", "b", "c", "d", "e", "f")
    assert corpus.columns["row"] == (0, 1, 2, 3, 4, 5)
    assert len(corpus) == 6


def test_take_keeps_the_order_asked_for(corpus):
    taken = corpus.take(np.array([4, 1]))
    assert (taken.texts, taken.columns["row"]) == (("e", "b"), (4, 1))


@pytest.mark.parametrize("index", [6, -1])
def test_take_refuses_an_index_outside(corpus, index):
    with pytest.raises(IndexError, match=rf"index {index} is not in \[0, n=6\)"):
        corpus.take([0, index])


def test_take_refuses_what_is_no_integer(corpus):
    with pytest.raises(TypeError):
        corpus.take([1.5])


def test_where_keeps_rows_of_a_value_or_of_any_of_several(corpus):
    assert corpus.where(package="x").texts == ("a", "c", "e")
    assert corpus.where(package=["y", "z"]).texts == ("b", "d", "f")
    assert corpus.where(package="x", row=(2, 3)).texts == ("c",)
    assert corpus.where(texts="b").columns["row"] == (1,)


def test_where_names_the_columns_and_values_there_are(corpus):
    with pytest.raises(ValueError, match=r"no column 'pack'; it has \['package', 'row', 'texts'\]"):
        corpus.where(pack="x")
    with pytest.raises(ValueError, match=r"no row has package 'q'; there are \['x', 'y', 'z'\]"):
        corpus.where(package="q")
    with pytest.raises(ValueError, match="no row has all of"):
        corpus.where(package="z", row=0)


def test_a_sample_is_ordered_by_the_keyed_hash_of_the_text(corpus):
    def place(text: str) -> bytes:
        return hashlib.blake2b(text.encode() + b"\x000", key=b"3", digest_size=16).digest()

    assert corpus.sample(4, seed=3).texts == tuple(sorted("abcdef", key=place)[:4])


def test_a_sample_depends_on_the_seed_and_not_on_the_order_of_the_rows():
    texts = [f"text {i}" for i in range(200)]
    there, back = Corpus(texts), Corpus(texts[::-1])
    assert there.sample(20, seed=1).texts == back.sample(20, seed=1).texts
    assert there.sample(10, seed=1).texts == there.sample(20, seed=1).texts[:10]
    assert set(there.sample(20, seed=1).texts) != set(there.sample(20, seed=2).texts)


def test_a_sample_of_all_rows_holds_each_row_once_even_when_rows_are_equal():
    record = Labels(["same"] * 3 + ["other"], ["a", "b", "c", "d"])
    assert sorted(record.sample(4, seed=0).labels) == ["a", "b", "c", "d"]


def test_equal_rows_take_places_of_their_own():
    def place(row: tuple[str, int]) -> bytes:
        return hashlib.blake2b(b"%s\x00%d" % (row[0].encode(), row[1]), key=b"0", digest_size=16).digest()

    rows = [(text, again) for text in "abcdefgh" for again in range(3)]
    expected = "".join(text for text, _ in sorted(rows, key=place))
    assert "".join(Corpus([text for text, _ in rows]).sample(24).texts) == expected
    assert "aaa" not in expected  # side by side they would be drawn together


@pytest.mark.parametrize("n", [0, 7])
def test_a_sample_larger_than_the_record_is_refused(corpus, n):
    with pytest.raises(ValueError, match=f"1 to n=6 rows, got {n}"):
        corpus.sample(n)


def test_a_record_shows_itself_in_one_line_without_its_texts(corpus):
    assert repr(corpus) == "Corpus(made here: 6 rows; columns ['texts', 'package', 'row'])"


@pytest.mark.parametrize(
    "make",
    [
        lambda bad: Corpus(["a", bad]),
        lambda bad: Pairs(["a", "b"], ["a", bad], [0, 1]),
        lambda bad: Labels(["a", bad], ["x", "y"]),
        lambda bad: Triplets(["a", "b"], ["a", bad], ["c", "d"]),
        lambda bad: Dictionary(["a", "b"], ["a", bad]),
        lambda bad: Words(["a", bad], ["a", "b"], [0, 1]),
        lambda bad: Retrieval({"1": "a", "2": bad}, {"q": "a"}, {}),
        lambda bad: Retrieval({"1": "a"}, {"p": "a", "q": bad}, {}),
    ],
)
@pytest.mark.parametrize("bad", [None, 3, b"b", float("nan")])
def test_a_text_that_is_no_str_is_named_with_its_row(make, bad):
    with pytest.raises(TypeError, match=r"must hold texts \(str\), row 1 is"):
        make(bad)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Corpus(["a", "b"], {"row": [1]}),
        lambda: Pairs(["a", "b"], ["a"], [0, 1]),
        lambda: Pairs(["a", "b"], ["a", "b"], [0]),
        lambda: Labels(["a", "b"], ["x"]),
        lambda: Scores({"a": [1, 2], "b": [1]}),
        lambda: Images(np.zeros((2, 4, 4), np.uint8), np.zeros(3, np.int64), ["x"]),
    ],
)
def test_unequal_lengths_are_refused(make):
    with pytest.raises(ValueError, match="one value per row, got lengths"):
        make()


@pytest.mark.parametrize("texts", ["one text", 3, {"a": 1}])
def test_one_text_is_no_sequence_of_texts(texts):
    with pytest.raises(TypeError, match="must be a sequence with one value per row"):
        Corpus(texts)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_a_score_that_is_no_number_is_named_with_its_row(bad):
    with pytest.raises(ValueError, match="a score must be finite, row 1 is"):
        Pairs(["a", "b"], ["c", "d"], [1.0, bad])
    with pytest.raises(ValueError, match="a score must be finite, row 1 is"):
        Words(["a", "b"], ["c", "d"], [1.0, bad])


@pytest.mark.parametrize("bad", [["x", "y"], [[0], [1]]])
def test_scores_are_one_number_per_row(bad):
    with pytest.raises(ValueError, match="scores are one number per row"):
        Pairs(["a", "b"], ["c", "d"], bad)


def test_scores_are_float64_and_cannot_be_written():
    given = np.array([1, 2], dtype=np.int32)
    scores = Pairs(["a", "b"], ["c", "d"], given).scores
    assert scores.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        scores[0] = 5


def test_filtered_pairs_keep_scores_beside_their_texts():
    pairs = Pairs(["a", "b", "c"], ["d", "e", "f"], [1, 2, 3], {"year": ["x", "y", "x"]})
    kept = pairs.where(year="x")
    assert (kept.left, kept.right, kept.scores.tolist()) == (("a", "c"), ("d", "f"), [1.0, 3.0])


@pytest.mark.parametrize("bad", [None, 1.5])
def test_a_label_is_str_or_int(bad):
    with pytest.raises(TypeError, match="a label is str or int, row 1 is"):
        Labels(["a", "b"], ["x", bad])


@pytest.fixture
def retrieval() -> Retrieval:
    return Retrieval(
        {"d1": "one", "d2": "two"},
        {"q1": "uno", "q2": "due", "q3": "tre"},
        {"q1": {"d1": 1}, "q2": {"d2": 2, "d1": 0}},
        {"q1": ["d2", "d1"]},
        {"lang": ["it", "it", "en"]},
    )


def test_the_rows_of_a_retrieval_set_are_its_queries(retrieval):
    assert len(retrieval) == 3
    kept = retrieval.where(lang="it").take([1])
    assert kept.queries == {"q2": "due"}
    assert kept.qrels == {"q2": {"d2": 2, "d1": 0}}
    assert kept.candidates == {}
    assert kept.documents == retrieval.documents
    assert set(retrieval.sample(3).queries) == {"q1", "q2", "q3"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"qrels": {"q9": {"d1": 1}}}, "qrels names query 'q9'"),
        ({"qrels": {"q1": {"d9": 1}}}, "qrels of query 'q1' names no document: 'd9'"),
        ({"candidates": {"q1": ["d9"]}}, "candidates of query 'q1' names no document: 'd9'"),
        ({"document_columns": {"title": ["t"]}}, "every document column holds n=2 values"),
    ],
)
def test_ids_that_are_not_there_are_refused(retrieval, change, message):
    given = {"documents": retrieval.documents, "queries": retrieval.queries, "qrels": retrieval.qrels}
    with pytest.raises(ValueError, match=message):
        Retrieval(**{**given, **change})


def test_a_relevance_is_an_int(retrieval):
    with pytest.raises(TypeError, match="a relevance is an int, query 'q1'"):
        Retrieval(retrieval.documents, retrieval.queries, {"q1": {"d1": 0.5}})


def test_images_are_checked_and_taken_with_their_labels():
    images = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)
    record = Images(images, np.array([0, 1, 1]), ["cat", "dog"])
    assert np.array_equal(record.where(labels=1).images, images[1:])
    assert sorted(record.sample(3).labels.tolist()) == [0, 1, 1]
    with pytest.raises(ValueError, match="row 2 has label 1 of 1 label_names"):
        Images(images, np.array([0, 0, 1]), ["cat"])
    with pytest.raises(ValueError, match=r"images are \(n, h, w\)"):
        Images(images[0], np.array([0, 1, 1, 1]), ["cat", "dog"])
    with pytest.raises(TypeError, match="images are uint8, labels integers"):
        Images(images.astype(np.float32), np.array([0, 1, 1]), ["cat", "dog"])
    with pytest.raises(TypeError, match="images are uint8, labels integers"):
        Images(images, np.array([0.0, 1.0, 1.0]), ["cat", "dog"])
