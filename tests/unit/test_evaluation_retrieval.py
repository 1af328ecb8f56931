"""Retrieval, reranking and matching against plain numpy and pytrec_eval."""

import hashlib

import numpy as np
import pytest
import pytrec_eval

from workbench.corpora import Retrieval, load
from workbench.evaluation.matching import evaluate_matching
from workbench.evaluation.reranking import evaluate_reranking
from workbench.evaluation.retrieval import evaluate_retrieval, evaluate_run
from workbench.retrieval import Hits


class Table:
    """An encoder that looks its vectors up; with prompts it looks up prompt and text."""

    def __init__(self, vectors, prompts=None, prompt=""):
        self.vectors, self.prompts, self.prompt = vectors, prompts or {}, prompt

    @property
    def recipe(self):
        return {"model": "table", "prompt": self.prompt}

    def with_settings(self, prompt):
        return Table(self.vectors, self.prompts, self.prompts[prompt])

    def encode(self, texts):
        return np.stack([self.vectors[self.prompt + text] for text in texts])

    def count_tokens(self, texts):
        return np.array([len((self.prompt + text).split()) for text in texts])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def made(rng, documents=40, queries=15, **more):
    """A set of random judgements and an encoder of random vectors; query 0 has no relevant document, query 1 none."""
    held = {f"d{i}": f"text of document {i}" for i in range(documents)}
    asked = {f"q{i}": "what is " + "so " * i + str(i) for i in range(queries)}
    qrels = {q: {f"d{i}": int(rng.integers(1, 4)) for i in rng.choice(documents, 6, replace=False)} for q in asked}
    qrels["q0"] = {"d3": 0}
    del qrels["q1"]
    texts = [*held.values(), *asked.values()]
    return Retrieval(held, asked, qrels, **more), Table({text: rng.normal(size=6) for text in texts})


def cosine_runs(encoder, data, lists=None):
    def scores(query, names):
        a, b = encoder.encode([data.queries[query]])[0], encoder.encode([data.documents[d] for d in names])
        return (b @ a / np.linalg.norm(a) / np.linalg.norm(b, axis=1)).tolist()

    names = {query: (lists or {}).get(query, list(data.documents)) for query in data.queries}
    return {query: dict(zip(found, scores(query, found), strict=True)) for query, found in names.items()}


def trec(data, run, measures):
    found = pytrec_eval.RelevanceEvaluator(data.qrels, set(measures)).evaluate(run)
    return {m: np.array([found[q][m] for q in data.queries if data.qrels.get(q)]) for m in measures}


@pytest.mark.parametrize("k", [100, 20])
def test_retrieval_is_pytrec_evals_of_all_cosines(rng, k):
    data, encoder = made(rng)
    found = evaluate_retrieval(encoder, data, k=k)
    assert found.main == "ndcg@10"
    expected = trec(data, cosine_runs(encoder, data), ["ndcg_cut_10", "map_cut_20", "recall_20", "P_1", "success_3"])
    for ours, theirs in zip(
        ["ndcg@10", "map@20", "recall@20", "precision@1", "success@3"], expected.values(), strict=True
    ):
        assert found.arrays[ours] == pytest.approx(theirs, abs=1e-9)
        assert found[ours].value == pytest.approx(theirs.mean())
    assert ("ndcg@100" in found) is (k == 100)
    assert found.ids == tuple(q for q in data.queries if q != "q1")
    assert found.arrays["ndcg@10"][0] == 0  # q0, judged and without a relevant document
    assert found.columns["relevant"] == (0, *[6] * 13)
    assert found.columns["length"] == (3, *range(5, 18))
    assert found.recipe == {
        "model": "table",
        "prompt": "",
        "data": "made here",
        "split": "all",
        "metric": "cosine",
        "k": k,
    }
    lengths = found.by("length", bins=2)
    assert sum(len(part.ids) for part in lengths.values()) == len(found.ids)


def test_retrieval_by_inner_product_and_distance(rng):
    data, encoder = made(rng)
    for metric, score in (("dot", lambda a, b: b @ a), ("euclidean", lambda a, b: -np.linalg.norm(b - a, axis=1))):
        corpus = encoder.encode(list(data.documents.values()))
        run = {
            query: dict(zip(data.documents, score(encoder.encode([text])[0], corpus).tolist(), strict=True))
            for query, text in data.queries.items()
        }
        found = evaluate_retrieval(encoder, data, metric=metric)
        assert found.arrays["ndcg@10"] == pytest.approx(trec(data, run, ["ndcg_cut_10"])["ndcg_cut_10"], abs=1e-9)


def test_the_test_queries_count_where_a_column_says_which(rng):
    split = ["train", "test", "test"] + ["dev"] * 6 + ["test"] * 6
    data, encoder = made(rng, columns={"split": split, "kind": list("abcdefghijklmno")})
    found = evaluate_retrieval(encoder, data)
    assert found.ids == ("q2", *[f"q{i}" for i in range(9, 15)])  # q1 is not judged
    assert found.columns["kind"] == tuple("cjklmno")
    assert found.recipe["split"] == "test"
    everything = evaluate_retrieval(encoder, made(np.random.default_rng(0))[0])
    assert [everything.arrays["ndcg@10"][everything.ids.index(q)] for q in found.ids] == pytest.approx(found.per_item)


def test_a_query_among_the_documents_is_left_out_and_an_accidental_id_is_not():
    documents = {"1": "the same words", "2": "other words", "3": "third", **{f"x{i}": f"far {i}" for i in range(9)}}
    vectors = {text: np.array([0.0, 1.0]) for text in documents.values()}
    vectors |= {"the same words": np.array([1.0, 0.0]), "other words": np.array([1, 0.1]), "third": np.array([1, 0.05])}
    data = Retrieval(documents, {"1": "the same words", "3": "other words"}, {"1": {"2": 1}, "3": {"3": 1}})
    found = evaluate_retrieval(Table(vectors), data, k=10)
    # query 1 meets documents 3, 2; query 3 meets documents 2 (its own text), 3 (its own id, another text)
    assert found.arrays["mrr@10"].tolist() == [0.5, 0.5]
    run = {"1": {"1": 3.0, "2": 2.0}, "3": {"3": 1.0}}
    assert evaluate_run(run, data).arrays["mrr@1"].tolist() == [1, 1]


def test_prompts_are_the_models_own_names_and_stand_in_the_recipe(rng):
    data, plain = made(rng)
    vectors = {("query: " if t.startswith("what") else "passage: ") + t: v for t, v in plain.vectors.items()}
    both = Table(vectors, {"query": "query: ", "passage": "passage: "})
    found = evaluate_retrieval(both, data)
    assert found.per_item == pytest.approx(evaluate_retrieval(plain, data).per_item)
    assert (found.recipe["prompt"], found.recipe["query prompt"]) == ("passage: ", "query: ")
    other = Table({text: -vector for text, vector in plain.vectors.items()})
    turned = evaluate_retrieval(both, data, queries=other)
    run = {q: {d: -s for d, s in scores.items()} for q, scores in cosine_runs(plain, data).items()}
    assert turned.per_item == pytest.approx(trec(data, run, ["ndcg_cut_10"])["ndcg_cut_10"], abs=1e-9)


def test_a_run_and_its_hits_are_scored_as_pytrec_eval_does(rng):
    data, encoder = made(rng)
    run = cosine_runs(encoder, data)
    del run["q4"]
    found = evaluate_run(run, data, recipe={"model": "anything"})
    expected = trec(data, {**run, "q4": {}}, ["ndcg_cut_10", "map_cut_100"])
    assert found.arrays["ndcg@10"] == pytest.approx(expected["ndcg_cut_10"])
    assert found.arrays["map@100"] == pytest.approx(expected["map_cut_100"])
    assert found.arrays["ndcg@10"][found.ids.index("q4")] == 0
    assert found.recipe == {"data": "made here", "split": "all", "model": "anything"}
    order = {q: sorted(scores, key=scores.get, reverse=True) for q, scores in run.items()}
    places = {d: i for i, d in enumerate(data.documents)}
    indices = np.array([[places[d] for d in order[q]] for q in order])
    scores = np.array([[run[q][d] for d in order[q]] for q in order], dtype=np.float32)
    hits = Hits(tuple(order), tuple(data.documents), indices, scores)
    assert evaluate_run(hits, data).per_item == pytest.approx(found.per_item)


@pytest.mark.parametrize(
    ("run", "ks", "words"),
    [
        ({"nobody": {"d1": 1.0}}, (10,), "query 'nobody'"),
        ({"q2": {"d1": 1.0, "nothing": 0.5}}, (10,), "'nothing'"),
        ({"q2": {"d1": float("nan")}}, (10,), "'d1' for query 'q2' is NaN"),
        ({"q2": {"d1": 1.0}}, (5, 20), "ks must hold 10"),
    ],
)
def test_a_run_is_refused(rng, run, ks, words):
    with pytest.raises(ValueError, match=words):
        evaluate_run(run, made(rng)[0], ks=ks)


def test_retrieval_refuses(rng):
    data, encoder = made(rng)
    with pytest.raises(ValueError, match="needs documents"):
        evaluate_retrieval(encoder, Retrieval({}, {"q": "text"}, {}))
    with pytest.raises(ValueError, match="k=9"):
        evaluate_retrieval(encoder, data, k=9)
    with pytest.raises(ValueError, match="none of the 15 queries has a judgement"):
        evaluate_retrieval(encoder, Retrieval(data.documents, data.queries, {}))
    with pytest.raises(ValueError, match="metric must be one of"):
        evaluate_retrieval(encoder, data, metric="angle")
    broken = Table({**encoder.vectors, "text of document 7": np.full(6, np.nan)})
    with pytest.raises(ValueError, match="documents: row 7 is not finite"):
        evaluate_retrieval(broken, data)
    short = Table({text: vector[:5] for text, vector in encoder.vectors.items()})
    with pytest.raises(ValueError, match="must have 6 columns"):
        evaluate_retrieval(encoder, data, queries=short)
    short.encode = lambda _: np.ones((3, 6))
    with pytest.raises(ValueError, match="3 rows for 14 texts"):
        evaluate_retrieval(encoder, data, queries=short)


def candidates_of(rng, data, n=12):
    return {q: [f"d{i}" for i in rng.permutation(40)[:n]] for q in data.queries}


def test_reranking_by_cosine_and_by_a_cross_encoder_is_pytrec_evals(rng):
    data, encoder = made(rng)
    lists = candidates_of(rng, data)
    data = Retrieval(data.documents, data.queries, data.qrels, lists)
    run = cosine_runs(encoder, data, lists)
    expected = trec(data, run, ["map_cut_1000", "ndcg_cut_10", "recip_rank"])
    found = evaluate_reranking(encoder, data)
    assert found.task == "reranking"
    assert found.main == "map@1000"
    assert found.per_item == pytest.approx(expected["map_cut_1000"], abs=1e-9)
    assert found.arrays["ndcg@10"] == pytest.approx(expected["ndcg_cut_10"], abs=1e-9)
    assert found.arrays["mrr@20"] == pytest.approx(expected["recip_rank"], abs=1e-9)  # 12 candidates each

    class Cross:
        def score(self, pairs):
            a, b = (encoder.encode(texts) for texts in zip(*pairs, strict=True))
            return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)

    crossed = evaluate_reranking(Cross(), data)
    assert crossed.per_item == pytest.approx(found.per_item, abs=1e-9)
    assert crossed.recipe["model"] == "Cross"
    short = {q: dict(list(scores.items())[:4]) for q, scores in run.items()}
    few = evaluate_reranking(encoder, data, depth=4)
    assert few.per_item == pytest.approx(trec(data, short, ["map_cut_1000"])["map_cut_1000"], abs=1e-9)
    assert few.recipe["depth"] == 4


def test_reranking_refuses(rng):
    data, encoder = made(rng)
    lists = candidates_of(rng, data)

    class Cross:
        def __init__(self, scores):
            self.scores = scores

        def score(self, pairs):
            return self.scores(len(pairs))

    def of(lists):
        return Retrieval(data.documents, data.queries, data.qrels, lists)

    with pytest.raises(ValueError, match="no candidates to rerank"):
        evaluate_reranking(encoder, data)
    with pytest.raises(ValueError, match="'q5' is judged and has no candidates"):
        evaluate_reranking(encoder, of({q: names for q, names in lists.items() if q != "q5"}))
    with pytest.raises(ValueError, match="'q5' has a candidate twice"):
        evaluate_reranking(encoder, of({**lists, "q5": ["d1", "d2", "d1"]}))
    with pytest.raises(ValueError, match="depth must be at least 1"):
        evaluate_reranking(encoder, of(lists), depth=0)
    with pytest.raises(ValueError, match="queries must be None"):
        evaluate_reranking(Cross(np.zeros), of(lists), queries=encoder)
    with pytest.raises(ValueError, match="one score for each of 168 pairs"):
        evaluate_reranking(Cross(lambda n: np.zeros(n - 1)), of(lists))
    with pytest.raises(ValueError, match="is NaN"):
        evaluate_reranking(Cross(lambda n: np.full(n, np.nan)), of(lists))
    narrow = Table({text: vector[:5] for text, vector in encoder.vectors.items()})
    with pytest.raises(ValueError, match="queries have 5 columns"):
        evaluate_reranking(encoder, of(lists), queries=narrow)


def ranks_by_loop(x, y, mine, theirs):
    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y))
    ranks = []
    for row, group in zip(x, mine, strict=True):
        near = [(float(row @ other), name == group) for other, name in zip(y, theirs, strict=True)]
        best = max(cosine for cosine, belongs in near if belongs)
        ranks.append(1 + sum(cosine >= best for cosine, belongs in near if not belongs))
    return np.array(ranks)


@pytest.mark.parametrize("captions", ["one", "five", "one to four"])
def test_matching_is_a_plain_loop_both_ways(rng, captions):
    each = {"one": [1] * 60, "five": [5] * 30, "one to four": rng.integers(1, 5, size=60)}[captions]
    mine = [f"g{i}" for i, n in enumerate(each) for _ in range(n)]
    theirs = [f"g{i}" for i in range(len(each))]
    right = rng.normal(size=(len(each), 5))
    left = np.stack([right[int(g[1:])] for g in mine]) + rng.normal(size=(len(mine), 5))
    groups = {} if captions == "one" else {"left_groups": mine, "right_groups": theirs}
    found = evaluate_matching(left, right, names=("text", "image"), **groups)
    assert found.main == "text to image recall@1"
    for name, ranks in (
        ("text to image", ranks_by_loop(left, right, mine, theirs)),
        ("image to text", ranks_by_loop(right, left, theirs, mine)),
    ):
        assert 0 < np.mean(ranks <= 1) < np.mean(ranks <= 10) < 1
        for k in (1, 5, 10):
            assert found[f"{name} recall@{k}"].value == pytest.approx(np.mean(ranks <= k))
        assert found[f"{name} mean rank"].value == pytest.approx(ranks.mean())
        assert found[f"{name} mean rank"].low < ranks.mean() < found[f"{name} mean rank"].high
    assert len(found.ids) == len(each)
    half = found.take(range(len(each) // 2))["text to image recall@5"].value
    rows = [i for i, g in enumerate(mine) if int(g[1:]) < len(each) // 2]
    assert half == pytest.approx(np.mean(ranks_by_loop(left, right, mine, theirs)[rows] <= 5))


def test_equal_vectors_match_nothing():
    found = evaluate_matching(np.ones((12, 3)), np.ones((12, 3)))
    assert found["left to right recall@10"].value == 0
    assert found["right to left mean rank"].value == 12


@pytest.mark.parametrize(
    ("left", "right", "groups", "words"),
    [
        (np.ones((3, 2)), np.ones((3, 4)), {}, "as many columns"),
        (np.ones((3, 2)), np.ones((4, 2)), {}, "row belongs to row"),
        (np.ones((3, 2)), np.ones((1, 2)), {"left_groups": ["a"] * 3}, "both sides"),
        (np.ones((3, 2)), np.ones((1, 2)), {"left_groups": ["a"] * 2, "right_groups": ["a"]}, "one for each row"),
        (np.ones((2, 2)), np.ones((1, 2)), {"left_groups": ["a", "b"], "right_groups": ["a"]}, "group 'b' is missing"),
        (np.eye(2) * np.nan, np.eye(2), {}, "left: row 0 is not finite"),
        (np.eye(2), np.zeros((2, 2)), {}, "row 0 is zero"),
    ],
)
def test_matching_refuses(left, right, groups, words):
    with pytest.raises(ValueError, match=words):
        evaluate_matching(left, right, **groups)


@pytest.mark.local
def test_minilm_reaches_the_committed_number_on_500_documents_of_nfcorpus():
    """The first 500 documents by the SHA-256 of their id, 48 tokens of each, and the test queries judged on them.

    28.632 is from sentence-transformers, numpy in double precision and pytrec_eval alone.
    """
    from workbench.encoders import load_encoder

    whole = load("nfcorpus")
    kept = sorted(whole.documents, key=lambda d: hashlib.sha256(d.encode()).hexdigest())[:500]
    documents = {d: whole.documents[d] for d in kept}
    qrels = {q: {d: g for d, g in judged.items() if d in documents} for q, judged in whole.qrels.items()}
    data = Retrieval(documents, whole.queries, qrels, source=whole.source)
    found = evaluate_retrieval(load_encoder("all-MiniLM-L6-v2", max_length=48), data)
    assert len(found.ids) == 233
    assert 100 * found["ndcg@10"].value == pytest.approx(28.632, abs=0.02)
    assert 100 * found["map@100"].value == pytest.approx(19.028, abs=0.02)
    assert 100 * found["recall@100"].value == pytest.approx(49.223, abs=0.02)
