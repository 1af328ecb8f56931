import numpy as np
import pytest
import torch

from tests.unit.mutants import killed
from workbench.training import negatives
from workbench.training.mining import mine_lexical, mine_negatives
from workbench.training.negatives import Negatives, denoise

RNG = np.random.default_rng(7)
QUERIES, CORPUS = RNG.normal(size=(6, 8)), RNG.normal(size=(40, 8))
POSITIVES = [[3], [5, 9], [0], [39, 1, 2], [7], [3]]


def cosine(x, y):
    return float(x @ y / np.sqrt(x @ x) / np.sqrt(y @ y))


def by_hand(*, count, first=0, last=100, margin=None, relative=None, near=cosine):
    """Rows of negatives, their scores, and how many candidates were left out of how many, by loops."""
    rows, scores, left_out, seen = [], [], 0, 0
    for query, own in zip(QUERIES, POSITIVES, strict=True):
        others = sorted((j for j in range(len(CORPUS)) if j not in own), key=lambda j: -near(query, CORPUS[j]))
        lowest = min(near(query, CORPUS[j]) for j in own)
        kept = []
        for j in others[first:last]:
            seen += 1
            value = near(query, CORPUS[j])
            high = margin is not None and value > lowest - margin
            high = high or (relative is not None and value > lowest - abs(lowest) * (1 - relative))
            left_out += high
            if not high:
                kept.append(j)
        rows.append(kept[:count])
        scores.append([near(query, CORPUS[j]) for j in kept[:count]])
    return rows, scores, left_out / seen


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"first": 4, "last": 12},
        {"first": 30},
        {"margin": 0.05},
        {"margin": -0.2, "last": 20},
        {"relative": 0.9},
        {"margin": 0.1, "relative": 0.95, "first": 2},
    ],
)
def test_negatives_are_those_of_a_loop(options):
    mined = mine_negatives(QUERIES, CORPUS, POSITIVES, count=3, fill="leave", **options)
    rows, scores, filtered = by_hand(count=3, **options)
    for found, values, row, expected in zip(mined.indices, mined.scores, rows, scores, strict=True):
        assert found[found >= 0].tolist() == row
        np.testing.assert_allclose(values[found >= 0], expected, atol=1e-6)
        assert np.isnan(values[found < 0]).all()
    assert mined.filtered == pytest.approx(filtered)


@pytest.mark.parametrize(
    ("metric", "near"), [("dot", lambda x, y: float(x @ y)), ("euclidean", lambda x, y: -float(np.linalg.norm(x - y)))]
)
def test_other_metrics_are_those_of_a_loop(metric, near):
    options = {"count": 2, "relative": 0.9}
    mined = mine_negatives(
        torch.tensor(QUERIES), torch.tensor(CORPUS), POSITIVES, metric=metric, fill="leave", **options
    )
    assert [row[row >= 0].tolist() for row in mined.indices] == by_hand(near=near, **options)[0]


def stub_model(vectors):
    from sentence_transformers import SentenceTransformer

    class Stub(SentenceTransformer):
        def encode(self, texts, **options):  # noqa: ARG002 - the peer gives them
            rows = np.array([vectors[text] for text in texts], dtype=np.float32)
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)

        encode_query = encode_document = encode

    return Stub(modules=[torch.nn.Identity()], device="cpu")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"first": 5}, {"range_min": 5}),
        ({"margin": 0.1}, {"absolute_margin": 0.1}),
        ({"relative": 0.9}, {"relative_margin": 0.1}),
        ({"margin": 0.02, "relative": 0.95}, {"absolute_margin": 0.02, "relative_margin": 0.05}),
    ],
)
def test_negatives_are_those_of_sentence_transformers(ours, theirs):
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    vectors = {f"q{i}": row for i, row in enumerate(QUERIES)} | {f"c{j}": row for j, row in enumerate(CORPUS)}
    pairs = [(f"q{i}", f"c{j}") for i, own in enumerate(POSITIVES) for j in own]
    made = mine_hard_negatives(
        Dataset.from_dict({"anchor": [a for a, _ in pairs], "positive": [p for _, p in pairs]}),
        stub_model(vectors),
        corpus=[f"c{j}" for j in range(len(CORPUS))],
        num_negatives=3,
        range_max=37,
        verbose=False,
        **theirs,
    )
    expected = {}
    for row in made:
        found = expected.setdefault(row["anchor"], [])
        if row["negative"] not in found:
            found.append(row["negative"])
    # the peer's window is cut after its margins, ours before: here it is the whole corpus
    mined = mine_negatives(QUERIES, CORPUS, POSITIVES, count=3, last=40, fill="leave", **ours)
    found = {f"q{i}": [f"c{j}" for j in row if j >= 0] for i, row in enumerate(mined.indices)}
    assert {query: row for query, row in found.items() if row} == expected
    assert sum(map(len, expected.values())) > 6


def test_sampling_draws_every_candidate_of_the_window_alike_and_each_query_for_itself():
    counts = np.zeros(40)
    for seed in range(600):
        mined = mine_negatives(QUERIES[:1], CORPUS, [[3]], count=2, first=2, last=8, sample=True, seed=seed)
        assert len(set(mined.indices[0])) == 2
        counts[mined.indices[0]] += 1
    window = mine_negatives(QUERIES[:1], CORPUS, [[3]], count=6, first=2, last=8).indices[0]
    assert set(np.flatnonzero(counts)) == set(window)
    assert abs(counts[window] - 200).max() < 5 * np.sqrt(600 * (1 / 3) * (2 / 3))
    both = [mine_negatives(QUERIES[:n], CORPUS, POSITIVES[:n], count=5, sample=True, seed=3).indices for n in (2, 6)]
    assert both[0].tolist() == both[1][:2].tolist()


def test_what_is_filled_at_random_stands_outside_the_list_and_is_no_positive():
    drawn = set()
    for seed in range(60):
        mined = mine_negatives(QUERIES, CORPUS, POSITIVES, count=4, last=6, margin=2.5, fill="random", seed=seed)
        assert mined.filtered == 1
        assert np.isnan(mined.scores).all()
        for row, query, own in zip(mined.indices, QUERIES, POSITIVES, strict=True):
            order = sorted(range(40), key=lambda j: -cosine(query, CORPUS[j]))
            assert len(set(row)) == 4
            assert not set(row) & set(own)
            assert not set(row) & set(order[:6])
        drawn |= set(mined.indices[0])
    listed = mine_negatives(QUERIES[:1], CORPUS, [POSITIVES[0]], count=6, last=6).indices[0]
    # 36 or more of 40 can be drawn for the first query; the longest list has 6 + 3 documents
    assert drawn.isdisjoint({*listed, 3})
    assert len(drawn) == 40 - len({*mine_negatives(QUERIES[:1], CORPUS, [[]], count=9, last=9).indices[0], 3})


def test_a_query_with_too_few_candidates_is_an_error_that_names_it():
    query, corpus = np.array([[1.0, 0.0]]), np.array([[1, 0.1], [1, 0.2], [0.0, 1], [1, 0.3]])
    with pytest.raises(ValueError, match="query 0 has 1 candidates of count=2: mine more candidates"):
        mine_negatives(query, corpus, [[0]], count=2, margin=0.5)
    with pytest.raises(ValueError, match=r"query 1: 0 documents are left to draw 1 from"):
        mine_negatives(QUERIES, CORPUS[:4], [[0], [0, 1], [2], [3], [1], [0]], count=3, last=4, fill="random")


def test_a_copy_of_the_positive_needs_a_margin_to_be_left_out():
    corpus = np.concatenate([CORPUS, CORPUS[3:4]])
    query = CORPUS[3:4] + 0.1
    assert mine_negatives(query, corpus, [[3]], count=1, margin=0.0).indices.tolist() == [[40]]
    assert mine_negatives(query, corpus, [[3]], count=1, margin=1e-4).indices.tolist() != [[40]]


TEXTS = ["red fox runs", "red red fox", "blue whale swims", "fox and whale", "green tea", "fox fox fox den"]


def test_lexical_negatives_share_a_word_and_are_no_positives():
    rank_bm25 = {}  # by the formula of Lucene
    n, k1, b = len(TEXTS), 0.9, 0.4
    words = [[w for w in text.split() if w != "and"] for text in TEXTS]
    length = [len(w) for w in words]

    def score(query, j):
        total = 0.0
        for word in query.split():
            df, tf = sum(word in row for row in words), words[j].count(word)
            idf = np.log(1 + (n - df + 0.5) / (df + 0.5))
            total += idf * tf / (tf + k1 * (1 - b + b * length[j] / np.mean(length)))
        return total

    queries = ["red fox", "whale"]
    for i, query in enumerate(queries):
        scores = [score(query, j) for j in range(n)]
        rank_bm25[i] = sorted((j for j in range(n) if scores[j] > 0), key=lambda j: (-scores[j], j))
    mined = mine_lexical(queries, TEXTS, [[1], [3]], count=2, fill="leave")
    assert mined.indices[0].tolist() == [j for j in rank_bm25[0] if j != 1][:2]
    assert mined.indices[1].tolist() == [2, -1]
    assert mined.filtered == 0
    np.testing.assert_allclose(mined.scores[1, 0], score("whale", 2), rtol=1e-5)
    filled = mine_lexical(queries, TEXTS, [[1], [3]], count=2, fill="random").indices[1]
    assert filled[0] == 2
    assert filled[1] in {0, 1, 4, 5}
    with pytest.raises(ValueError, match="query 1 has 1 candidates of count=2"):
        mine_lexical(queries, TEXTS, [[1], [3]], count=2)
    with pytest.raises(ValueError, match="first must be at least 0 and below last"):
        mine_lexical(queries, TEXTS, [[1], [3]], count=2, first=3, last=3)


def check_denoise(function):
    candidates = np.array([[4, 2, 9, 7], [1, 0, -1, -1]])
    scores = np.array([[0.9, 0.5, 0.71, 0.2], [0.3, 0.31, np.nan, 0]])
    kept = function(candidates, scores, np.array([0.8, 0.3]), count=2, margin=0.1, fill="leave")
    assert kept.indices.tolist() == [[2, 7], [-1, -1]]
    np.testing.assert_allclose(kept.scores[0], [0.5, 0.2])
    assert kept.filtered == pytest.approx(4 / 6)
    tied = function(candidates, scores, np.array([0.8, 0.3]), count=1, fill="leave")
    assert tied.indices.tolist() == [[2], [1]]
    part = function(candidates[:1], scores[:1], np.array([0.8]), count=2, margin=None, relative=0.9)
    assert part.indices.tolist() == [[2, 9]]
    negative = function(np.array([[0, 1]]), np.array([[-0.51, -0.55]]), np.array([-0.5]), count=1, relative=0.95)
    assert negative.indices.tolist() == [[1]]


def test_a_guide_leaves_out_what_it_scores_above_its_bound():
    check_denoise(denoise)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kept = there & ~(scores > bound", "kept = there & ~(scores >= bound"),
        ("positive.astype(np.float64) - margin", "positive.astype(np.float64) + margin"),
        ("np.abs(positive.astype(np.float64)) * (1 - relative)", "positive.astype(np.float64) * (1 - relative)"),
        ("filtered = 1 - kept.sum() / max(1, there.sum())", "filtered = 1 - kept.sum() / kept.size"),
    ],
)
def test_every_mutant_of_the_filter_is_killed(old, new):
    assert killed(negatives, "denoise", old, new, check_denoise)


def test_false_negatives_are_the_share_of_what_was_taken():
    mined = Negatives(np.array([[1, 2, 3], [4, -1, -1]]), np.zeros((2, 3)), 0.0)
    assert mined.false_negatives([[3, 9, 1], [5]]) == pytest.approx(2 / 4)
    assert mined.false_negatives([[], []]) == 0
    with pytest.raises(ValueError, match="a list for each of 2 queries, got 1"):
        mined.false_negatives([[1]])
    with pytest.raises(TypeError, match="relevant of query 1 must be integers"):
        mined.false_negatives([[1], [0.5]])
    with pytest.raises(ValueError, match="there are no negatives"):
        Negatives(np.full((1, 2), -1), np.zeros((1, 2)), 0.0).false_negatives([[1]])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"first": 5, "last": 5}, ValueError, "first=5, last=5"),
        ({"first": -1}, ValueError, "first=-1"),
        ({"count": 0}, ValueError, "at most last - first = 100, got 0"),
        ({"count": 11, "last": 10}, ValueError, "at most last - first = 10, got 11"),
        ({"margin": np.nan}, ValueError, "margin must be finite, got nan"),
        ({"relative": 0.0}, ValueError, "relative must be above 0"),
        ({"relative": 1.5}, ValueError, "got 1.5"),
        ({"fill": "zeros"}, ValueError, "fill must be None, 'random' or 'leave'"),
        ({"metric": "l2"}, ValueError, "metric must be one of"),
        ({"seed": -1}, ValueError, "seed must not be negative"),
        ({"positives": [[1]]}, ValueError, "a list for each of 6 queries, got 1"),
        ({"positives": [*POSITIVES[:5], [40]]}, ValueError, r"positives of query 5 must be in 0\.\.39, got 40"),
        ({"positives": [*POSITIVES[:5], [-1]]}, ValueError, "got -1"),
        ({"positives": [*POSITIVES[:5], [1.0]]}, TypeError, "positives of query 5 must be integers"),
        ({"positives": [*POSITIVES[:5], []], "margin": 0.1}, ValueError, "query 5 has no positive"),
        ({"queries": QUERIES[:, :3]}, ValueError, "queries must have 8 columns"),
    ],
)
def test_what_cannot_be_mined_is_refused(options, error, message):
    given = {"queries": QUERIES, "positives": POSITIVES, "count": 2} | options
    with pytest.raises(error, match=message):
        mine_negatives(given.pop("queries"), CORPUS, given.pop("positives"), **given)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"candidates": np.array([[0.0, 1.0]])}, TypeError, "candidates must be integers"),
        ({"scores": np.zeros((1, 3))}, ValueError, "candidates and scores must be"),
        ({"positive_scores": np.zeros(2)}, ValueError, "candidates and scores must be"),
        ({"candidates": np.array([[1, 1]])}, ValueError, "query 0: a candidate must be at least -1 and there once"),
        ({"candidates": np.array([[1, -2]])}, ValueError, "at least -1"),
        ({"scores": np.array([[np.nan, 0]])}, ValueError, "query 0 has a score that is not finite"),
        ({"positive_scores": np.array([np.inf])}, ValueError, "query 0 has a score that is not finite"),
        ({"count": 3}, ValueError, "at most the 2 candidates, got 3"),
        ({"fill": "random"}, ValueError, "fill must be None or 'leave'"),
        ({"margin": 3.0}, ValueError, "query 0 has 0 candidates of count=1"),
        ({"seed": -2}, ValueError, "seed must not be negative"),
    ],
)
def test_what_cannot_be_denoised_is_refused(changed, error, message):
    given = {
        "candidates": np.array([[0, 1]]),
        "scores": np.zeros((1, 2)),
        "positive_scores": np.ones(1),
        "count": 1,
        **changed,
    }
    with pytest.raises(error, match=message):
        denoise(given.pop("candidates"), given.pop("scores"), given.pop("positive_scores"), **given)


def test_one_positive_each_may_be_an_array():
    one = np.array([3, 5, 0, 39, 7, 3])
    listed = mine_negatives(QUERIES, CORPUS, [[p] for p in one], count=3, margin=0.0, fill="leave")
    assert (
        mine_negatives(QUERIES, CORPUS, one, count=3, margin=0.0, fill="leave").indices.tolist()
        == listed.indices.tolist()
    )
