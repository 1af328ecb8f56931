"""Word similarity and analogies against scipy and plain loops."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from workbench.corpora import Words, load
from workbench.evaluation.words import evaluate_analogies, evaluate_word_similarity


class Table:
    """An encoder that looks its vectors up."""

    def __init__(self, vectors):
        self.vectors = vectors

    def encode(self, texts):
        return np.stack([self.vectors[text] for text in texts])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def similarity_set(rng, sizes, d=5):
    """Lists of different scales, whose scores follow the cosine with noise."""
    words, subset, scores, vectors = ([], []), [], [], {}
    for scale, (name, n) in enumerate(sizes.items(), start=1):
        for i in range(n):
            pair = (f"{name}{i // 2}", f"{name} other {i}")
            for word in pair:
                vectors.setdefault(word, rng.normal(size=d))
            x, y = (vectors[word] for word in pair)
            cosine = x @ y / np.linalg.norm(x) / np.linalg.norm(y)
            scores.append(10**scale * round(cosine + rng.normal() / 2, 1))
            subset.append(name)
            words[0].append(pair[0])
            words[1].append(pair[1])
    return vectors, Words(*words, np.array(scores), columns={"subset": subset})


def by_scipy(vectors, data, rows):
    cosine = [
        1 - np.dot(x, y) / np.linalg.norm(x) / np.linalg.norm(y)
        for x, y in ((vectors[data.word1[i]], vectors[data.word2[i]]) for i in rows)
    ]
    return spearmanr([-c for c in cosine], data.scores[rows]).statistic


def test_similarity_is_scipys_spearman_list_by_list(rng):
    vectors, data = similarity_set(rng, {"one": 40, "two": 60})
    for of in (vectors, Table(vectors)):
        found = evaluate_word_similarity(of, data)
        one, two = by_scipy(vectors, data, range(40)), by_scipy(vectors, data, range(40, 100))
        assert found["spearman:one"].value == pytest.approx(one, abs=1e-6)
        assert found["spearman:two"].value == pytest.approx(two, abs=1e-6)
        assert found["spearman"].value == pytest.approx((one + two) / 2, abs=1e-6)
        assert found["spearman"].low < found["spearman"].value < found["spearman"].high
        assert len(found.per_item) == 100
        assert found.recipe["words_without_vector"] == 0


def test_a_set_without_lists_is_one_list(rng):
    vectors, data = similarity_set(rng, {"one": 30})
    found = evaluate_word_similarity(vectors, Words(data.word1, data.word2, data.scores))
    assert found["spearman"].value == pytest.approx(by_scipy(vectors, data, range(30)), abs=1e-6)
    assert found["spearman"].value == found["spearman:all"].value


def test_words_without_a_vector_are_left_out_counted_and_named(rng):
    vectors, data = similarity_set(rng, {"one": 40, "two": 60})
    missing = {"one0", "one other 7", *(f"two{i}" for i in range(25))}  # "one0" is in two pairs
    have = {word: v for word, v in vectors.items() if word not in missing}
    rows = [i for i in range(100) if not missing & {data.word1[i], data.word2[i]}]
    found = evaluate_word_similarity(have, data)
    assert found["spearman:one"].value == pytest.approx(by_scipy(vectors, data, [i for i in rows if i < 40]), abs=1e-6)
    assert found.ids == tuple(str(i) for i in rows)
    assert found.recipe["left_out"] == 100 - len(rows) == 53
    assert found.recipe["words_without_vector"] == 27
    assert found.recipe["first_without_vector"][:3] == ["one0", *[f"two{i}" for i in range(2)]]
    assert len(found.recipe["first_without_vector"]) == 20


def test_a_list_that_cannot_be_correlated_has_no_number(rng):
    vectors, data = similarity_set(rng, {"one": 40, "two": 60})
    scores = np.r_[data.scores[:40], np.full(60, 3.0)]
    found = evaluate_word_similarity(vectors, Words(data.word1, data.word2, scores, columns=data.columns))
    assert set(found) == {"spearman", "spearman:one"}
    assert found["spearman"].value == found["spearman:one"].value


def test_one_list_of_several_is_taken_by_its_name(rng):
    vectors, data = similarity_set(rng, {"one": 40, "two": 60})
    whole = evaluate_word_similarity(vectors, data)
    part = whole.by("subset")["two"]
    assert part["spearman"].value == whole["spearman:two"].value
    assert "spearman:one" not in part


def test_no_list_at_all_is_refused(rng):
    vectors, data = similarity_set(rng, {"one": 2})
    with pytest.raises(ValueError, match="nothing to correlate"):
        evaluate_word_similarity(vectors, data)
    with pytest.raises(ValueError, match="none of 3 words has a vector"):
        evaluate_word_similarity({}, data)


@pytest.mark.parametrize(
    ("vector", "words"),
    [
        (np.zeros(5), "'one3' has a vector that is zero or not finite"),
        (np.array([1, 2, np.nan, 0, 0]), "'one3' has a vector that is zero or not finite"),
        (np.ones(4), "'one3': vectors must be as wide"),
        (np.float64(1), "'one3': vectors must be as wide"),
    ],
)
def test_a_wrong_vector_is_refused_by_its_word(rng, vector, words):
    vectors, data = similarity_set(rng, {"one": 40})
    with pytest.raises(ValueError, match=words):
        evaluate_word_similarity({**vectors, "one3": vector}, data)


def test_a_wrong_vector_of_an_encoder_is_refused_by_its_word(rng):
    vectors, data = similarity_set(rng, {"one": 40})
    with pytest.raises(ValueError, match="'one3' has a vector"):
        evaluate_word_similarity(Table({**vectors, "one3": np.full(5, np.inf)}), data)


def analogy_set(rng, n=14, d=12, noise=0.4):
    """Pairs of words whose difference is one direction for each category, with noise; questions of every two pairs."""
    vectors, rows = {}, []
    for category in ("capital", "plural"):
        step = rng.normal(size=d)
        for i in range(n):
            vectors[f"{category} {i}"] = rng.normal(size=d)
            vectors[f"{category} {i}'"] = vectors[f"{category} {i}"] + step + noise * rng.normal(size=d)
        names = [(f"{category} {i}", f"{category} {i}'") for i in range(n)]
        rows += [(*p, *q, category) for p in names for q in names if p != q]
    columns = dict(zip(("a", "b", "c", "d", "category"), zip(*rows, strict=True), strict=True))
    return vectors, Words([], [], [], analogies=columns)


def by_loops(vectors, names, rows):
    unit = {word: v / np.linalg.norm(v) for word, v in vectors.items()}
    hits = {"3cosadd": [], "3cosmul": []}
    for a, b, c, d in rows:
        best = {"3cosadd": (-9.0, ""), "3cosmul": (-9.0, "")}
        for word in names:
            if word in (a, b, c):
                continue
            to = {x: unit[word] @ unit[x] for x in (a, b, c)}
            shifted = {x: (cosine + 1) / 2 for x, cosine in to.items()}
            best["3cosadd"] = max(best["3cosadd"], (to[b] - to[a] + to[c], word))
            best["3cosmul"] = max(best["3cosmul"], (shifted[b] * shifted[c] / (shifted[a] + 0.001), word))
        for rule, (_, word) in best.items():
            hits[rule].append(word == d)
    return hits


def questions(data):
    return list(zip(*(data.analogies[part] for part in "abcd"), strict=True))


@pytest.mark.parametrize("noise", [0.3, 0.8])
def test_analogies_are_those_of_plain_loops(rng, monkeypatch, noise):
    vectors, data = analogy_set(rng, noise=noise)
    hits = by_loops(vectors, list(vectors), questions(data))
    monkeypatch.setattr("workbench.evaluation.words.BLOCK_NUMBERS", 50 * len(vectors))  # several blocks
    for of in (vectors, Table(vectors)):
        found = evaluate_analogies(of, data)
        for rule, right in hits.items():
            assert found.arrays[rule].tolist() == right
            assert found[rule].value == pytest.approx(np.mean(right))
            assert 0 < found[rule].value < 1
    assert hits["3cosadd"] != hits["3cosmul"]
    parts = found.by("category")
    assert list(parts) == ["capital", "plural"]
    assert parts["plural"]["3cosadd"].value == pytest.approx(np.mean(hits["3cosadd"][len(hits["3cosadd"]) // 2 :]))


def test_the_vocabulary_is_what_is_chosen_from(rng):
    vectors, data = analogy_set(rng)
    wide = {**vectors, **{f"noise {i}": rng.normal(size=12) for i in range(3000)}}
    hits = by_loops(wide, list(wide), questions(data)[:10])
    found = evaluate_analogies(wide, data)
    assert found.arrays["3cosadd"][:10].tolist() == hits["3cosadd"]
    narrow = evaluate_analogies(wide, data, vocabulary=list(vectors))
    assert narrow.arrays["3cosmul"].tolist() == by_loops(vectors, list(vectors), questions(data))["3cosmul"]
    assert found["3cosadd"].value < narrow["3cosadd"].value
    assert (found.recipe["vocabulary"], narrow.recipe["vocabulary"]) == (len(wide), len(vectors))


def test_question_words_are_never_the_answer():
    """Without that rule the word nearest to b - a + c is b itself."""
    vectors = {"a": [1, 0, 0.1], "b": [1, 0.2, 0], "c": [1, 0, 0], "d": [0.2, 1, 0], "far": [-1, -1, 1]}
    data = Words([], [], [], analogies={"a": ["a"], "b": ["b"], "c": ["c"], "d": ["d"], "category": ["x"]})
    found = evaluate_analogies(vectors, data)
    assert found["3cosadd"].value == found["3cosmul"].value == 1
    same = Words([], [], [], analogies={"a": ["a"], "b": ["b"], "c": ["c"], "d": ["b"], "category": ["x"]})
    assert evaluate_analogies(vectors, same)["3cosadd"].value == 0


def test_questions_outside_the_vocabulary_are_left_out_and_counted(rng):
    vectors, data = analogy_set(rng)
    have = {word: v for word, v in vectors.items() if word not in ("capital 3", "plural 5'")}
    kept = [i for i, words in enumerate(questions(data)) if all(word in have for word in words)]
    found = evaluate_analogies(have, data)
    assert found.ids == tuple(map(str, kept))
    assert found.recipe["left_out"] == len(questions(data)) - len(kept) == 2 * 2 * 13
    assert found.recipe["first_without_vector"] == ["capital 3", "plural 5'"]
    assert len(found.columns["category"]) == len(kept)


def test_questions_that_share_their_first_two_words_stay_in_one_block(rng):
    vectors, data = analogy_set(rng)
    found = evaluate_analogies(vectors, data)
    first = {}
    for (a, b, _, _), block in zip(questions(data), found.blocks, strict=True):
        assert first.setdefault((a, b), block) == block
    assert len(set(found.blocks)) == 20


def test_analogies_refuse(rng):
    vectors, data = analogy_set(rng)
    with pytest.raises(ValueError, match="has no analogies"):
        evaluate_analogies(vectors, Words(["a"], ["b"], [1.0]))
    with pytest.raises(ValueError, match="none of 364 analogies"):
        evaluate_analogies(vectors, data, vocabulary=["capital 0", "capital 1"])
    with pytest.raises(ValueError, match="'capital 0' twice"):
        evaluate_analogies(vectors, data, vocabulary=["capital 0", "capital 0"])


@pytest.mark.local
def test_minilm_ranks_the_words_of_two_short_lists(enc):
    data = load("word_similarity").where(subset=["rg65", "mc30"])
    found = evaluate_word_similarity(enc, data)
    encoded = {word: enc.encode([word])[0] for word in dict.fromkeys([*data.word1, *data.word2])}
    rows = [i for i, name in enumerate(data.columns["subset"]) if name == "mc30"]
    assert found["spearman:mc30"].value == pytest.approx(by_scipy(encoded, data, rows), abs=0.002)  # batches differ
    assert 0.7 < found["spearman"].value < 0.95
