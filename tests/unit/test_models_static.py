"""Skip-gram against loops in numpy, fastText's hash against published values, planted topics and analogies."""

import json

import numpy as np
import pytest
import torch

from workbench.models.skipgram import Bags, Words, epoch_blocks, skipgram_step
from workbench.models.static import WordVectors, train_word_vectors
from workbench.models.subwords import ngram_buckets, word_lists

TOPICS = [[f"t{topic}w{i}" for i in range(12)] for topic in range(5)]


def planted(seed=0, n=500):
    """Texts of 12 words, each text from one of five topics."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(TOPICS[rng.integers(5)], size=12)) for _ in range(n)]


SMALL = {"dimensions": 16, "window": 4, "min_count": 1, "subsample": 0}


@pytest.fixture(scope="module")
def plain():
    return train_word_vectors(planted(), **SMALL, epochs=4, seed=0)


@pytest.fixture(scope="module")
def with_subwords():
    return train_word_vectors(planted(), **SMALL, epochs=4, subwords=(3, 4), seed=0)


def by_loops(inputs, outputs, bags, beside, counts, noise, negatives, rate):
    """One step of Mikolov's Eq. 4, pair by pair and noise word by noise word, in float64."""

    def s(x):
        return 1 / (1 + np.exp(-x))

    new_in, new_out = inputs.copy(), outputs.copy()
    for i, rows in enumerate(bags):
        h, moved = inputs[rows].mean(axis=0), np.zeros(inputs.shape[1])
        for j, counted in zip(beside[i], counts[i], strict=True):
            if not counted:
                continue
            pull = rate * (1 - s(outputs[j] @ h))
            moved += pull * outputs[j]
            new_out[j] += pull * h
            for m in noise:  # k draws in expectation: the mean over the shared noise words, k times
                push = -rate * negatives / len(noise) * s(outputs[m] @ h)
                moved += push * outputs[m]
                new_out[m] += push * h
        for row in rows:
            new_in[row] += moved
    return new_in, new_out


def test_a_step_is_the_sum_over_pairs_and_noise_words():
    rng = np.random.default_rng(0)
    inputs, outputs = rng.normal(size=(9, 4)), rng.normal(size=(6, 4))
    bags = [[0], [1, 7, 8], [0], [2, 7], [5, 6, 6]]
    beside, counts = rng.integers(0, 6, size=(5, 4)), rng.random((5, 4)) < 0.6
    noise = np.array([0, 3, 3, 5, 1, 0, 2])
    expected = by_loops(inputs, outputs, bags, beside, counts, noise, 5, 0.1)
    own, other = torch.from_numpy(inputs.copy()), torch.from_numpy(outputs.copy())
    sizes = np.array([len(rows) for rows in bags])
    every = Bags(np.concatenate(bags), np.cumsum(sizes) - sizes, sizes)
    skipgram_step(
        own,
        other,
        every.of(np.arange(5)),
        (torch.from_numpy(beside), torch.from_numpy(counts)),
        torch.from_numpy(noise),
        negatives=5,
        rate=0.1,
    )
    np.testing.assert_allclose(own.numpy(), expected[0], atol=1e-12)
    np.testing.assert_allclose(other.numpy(), expected[1], atol=1e-12)


def test_a_step_is_the_gradient_of_the_objective():
    """Of words that are one row each, by autograd of the objective as it stands in the docstring."""
    rng = torch.Generator().manual_seed(0)
    inputs, outputs = torch.randn(6, 4, generator=rng).double(), torch.randn(6, 4, generator=rng).double()
    centres, beside = torch.tensor([0, 2, 5]), torch.tensor([[1, 2], [3, 3], [0, 4]])
    counts, noise = torch.tensor([[1, 1], [1, 0], [0, 1]]).bool(), torch.tensor([1, 4, 4, 5])
    a, b = inputs.clone().requires_grad_(), outputs.clone().requires_grad_()
    log = torch.nn.functional.logsigmoid
    near = (log((a[centres][:, None] * b[beside]).sum(-1)) * counts).sum()
    far = (log(-a[centres] @ b[noise].T).mean(dim=1) * counts.sum(dim=1) * 3).sum()
    (near + far).backward()
    bag = centres, torch.arange(3), torch.ones(3, dtype=torch.int64)
    skipgram_step(inputs, outputs, bag, (beside, counts), noise, negatives=3, rate=1.0)
    torch.testing.assert_close(inputs, (a + a.grad).detach())
    torch.testing.assert_close(outputs, (b + b.grad).detach())


def test_neighbours_lie_in_reach_and_in_the_same_text():
    words = Words(np.arange(40), np.repeat([0, 1, 2], [10, 25, 5]), np.ones(40))
    seen = []
    for centres, beside, counts, done in epoch_blocks(words, window=3, subsample=0, rng=np.random.default_rng(0)):
        assert 0 <= done < 1
        for centre, near, counted in zip(centres, beside, counts, strict=True):
            found = sorted(near[counted].tolist())
            same = [i for i in range(40) if words.texts[i] == words.texts[centre] and i != centre]
            reaches = [[i for i in same if abs(i - centre) <= reach] for reach in (1, 2, 3)]
            assert found in reaches
            seen.append((int(centre), len(found)))
    assert sorted(centre for centre, _ in seen) == list(range(40))
    assert len({many for centre, many in seen if 13 <= centre < 32}) == 3  # every reach was drawn


def test_frequent_words_are_thinned_as_often_as_they_should():
    counts = np.array([8000, 2000])
    words = Words(np.repeat([0, 1], counts), np.zeros(10_000, dtype=np.int64), counts)
    kept, _ = words.kept(0.1, np.random.default_rng(0))
    for word, share in enumerate(counts / counts.sum()):
        expected = min(1, np.sqrt(0.1 / share) + 0.1 / share)
        assert (kept == word).sum() / counts[word] == pytest.approx(expected, abs=0.03)
    assert len(words.kept(0, np.random.default_rng(0))[0]) == 10_000


@pytest.mark.parametrize("kind", ["plain", "with_subwords"])
def test_words_of_a_planted_topic_are_nearest(request, kind):
    vectors = request.getfixturevalue(kind)
    x = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    topic = np.array([int(word[1]) for word in vectors.words])
    cosine, same = x @ x.T, topic[:, None] == topic[None, :]
    np.fill_diagonal(cosine, -np.inf)
    assert (topic[cosine.argmax(axis=1)] == topic).all()
    off = ~np.eye(len(topic), dtype=bool)
    assert cosine[same & off].min() > cosine[~same].max()


def test_a_planted_analogy_is_solved():
    """Words xiyj of two features stand beside what tells the first and what tells the second."""
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(3000):
        i, j = rng.integers(4), rng.integers(4)
        texts.append([f"a{i}n{rng.integers(3)}", f"x{i}y{j}", f"b{j}n{rng.integers(3)}"])
    vectors = train_word_vectors(texts, dimensions=12, window=1, min_count=1, subsample=0, epochs=8, seed=0)
    names = [f"x{i}y{j}" for i in range(4) for j in range(4)]
    x = np.stack([vectors.vector(name) for name in names])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    hits = total = 0
    for i in range(4):
        for j in range(4):
            for k, m in ((k, m) for k in range(4) for m in range(4) if k != i and m != j):
                asked = [4 * i + j, 4 * i + m, 4 * k + j]
                score = x @ (x[asked[1]] - x[asked[0]] + x[asked[2]])
                score[asked] = -np.inf
                hits, total = hits + (score.argmax() == 4 * k + m), total + 1
    assert hits / total > 0.8  # chance is 1 in 13


def test_a_seed_gives_the_same_vectors_and_moves_no_generator(plain):
    before = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002
    again = train_word_vectors(planted(), **SMALL, epochs=4, seed=0)
    assert (torch.get_rng_state().tolist(), str(np.random.get_state())) == (before[0].tolist(), before[1])  # noqa: NPY002
    assert again.words == plain.words
    assert np.array_equal(again.vectors, plain.vectors)
    other = train_word_vectors(planted(), **SMALL, epochs=4, seed=1)
    assert not np.array_equal(other.vectors, plain.vectors)


def test_the_hash_is_fasttexts():
    """32-bit FNV-1a of "<a" by hand, and the bytes above 127 as signed, against a loop over int32."""
    value = 2166136261
    for byte in b"<a":
        value = (value ^ byte) * 16777619 % 2**32
    assert ngram_buckets("a", (2, 2))[0] == value % 2_000_000
    with np.errstate(over="ignore"):
        value = np.uint32(2166136261)
        for byte in np.frombuffer("<ä".encode(), dtype=np.int8):
            value = (value ^ np.uint32(np.int32(byte).view(np.uint32))) * np.uint32(16777619)
    assert ngram_buckets("ä", (2, 2))[0] == int(value) % 2_000_000


def test_the_buckets_are_those_that_gensim_gives():
    """Written down from gensim 4.4.0: ft_ngram_hashes(word, 3, 6, 2000000), sorted; the second has bytes above 127."""
    assert sorted(ngram_buckets("ab", (3, 6))) == [209508, 621742, 1241756]
    assert sorted(ngram_buckets("भाषा", (3, 6))) == [
        168353,
        383108,
        605282,
        637163,
        831695,
        1016893,
        1283418,
        1419845,
        1527219,
        1625152,
    ]


def test_ngrams_are_those_of_the_marked_word():
    def grams(word, shortest, longest):
        marked = f"<{word}>"
        every = [marked[i:j] for i in range(len(marked)) for j in range(i + shortest, i + longest + 1)]
        return [gram for gram in every if len(gram) >= shortest]

    # "where" of the paper: <wh, whe, her, ere, re>
    assert len(ngram_buckets("where", (3, 3))) == 5
    assert len(set(ngram_buckets("where", (3, 3))) & set(ngram_buckets("here", (3, 3)))) == 3  # her, ere, re>
    assert len(ngram_buckets("where", (3, 6))) == 5 + 4 + 3 + 2
    assert len(ngram_buckets("ab", (1, 2))) == 2 + 3  # "<" and ">" alone are none
    assert len(ngram_buckets("ab", (5, 6))) == 0


def test_texts_are_the_mean_of_their_words_and_new_words_that_of_their_ngrams(plain, with_subwords):
    rows = plain.encode(["T1w3, t1w4!", ["t0w0"], "t2w1 nothing"])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[0], (plain.vector("t1w3") + plain.vector("t1w4")) / 2, rtol=1e-6)
    np.testing.assert_array_equal(rows[1], plain.vector("t0w0"))
    np.testing.assert_array_equal(rows[2], plain.vector("t2w1"))
    assert plain.encode([]).shape == (0, 16)
    assert plain.count_tokens(["T1w3, t1w4!", ""]).tolist() == [2, 0]
    assert (plain.width, len(plain), "t0w0" in plain, "T0W0" in plain) == (16, 60, True, False)
    new = with_subwords.vector("t3w99")
    known = np.stack([with_subwords.vector(f"t{topic}w1") for topic in range(5)])
    cosine = known @ new / np.linalg.norm(known, axis=1) / np.linalg.norm(new)
    assert cosine.argmax() == 3
    assert "t3w99" not in with_subwords


def test_marks_stay_with_their_letters():
    assert word_lists(["हिन्दी भाषा, İstanbul"], lower=False) == [["हिन्दी", "भाषा", "İstanbul"]]
    assert word_lists([["Keep This"], "Not-this"], lower=True) == [["Keep This"], ["not", "this"]]


@pytest.mark.parametrize("kind", ["plain", "with_subwords"])
def test_vectors_come_back_from_their_folder(request, kind, tmp_path):
    vectors = request.getfixturevalue(kind)
    vectors.save(tmp_path / "v")
    back = WordVectors.load(tmp_path / "v")
    assert (back.words, back.subwords, back.lower, back.recipe) == (
        vectors.words,
        vectors.subwords,
        vectors.lower,
        vectors.recipe,
    )
    texts = ["t0w1 t3w99", "t1w1"]
    np.testing.assert_array_equal(back.encode(texts), vectors.encode(texts))
    assert sorted(path.name for path in (tmp_path / "v").iterdir()) == ["word_vectors.json", "word_vectors.safetensors"]


def test_a_torn_or_foreign_folder_is_refused(plain, tmp_path):
    with pytest.raises(FileNotFoundError):
        WordVectors.load(tmp_path)
    plain.save(tmp_path)
    about, tables = tmp_path / "word_vectors.json", tmp_path / "word_vectors.safetensors"
    whole = about.read_text()
    tables.write_bytes(tables.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="has another SHA-256 than"):
        WordVectors.load(tmp_path)
    about.write_text(json.dumps({**json.loads(whole), "version": 2}))
    with pytest.raises(ValueError, match="holds 'word vectors' of version 2"):
        WordVectors.load(tmp_path)
    for broken in ("[1]", whole[:30], "{}"):
        about.write_text(broken)
        with pytest.raises(ValueError, match="does not describe word vectors"):
            WordVectors.load(tmp_path)
    about.write_text(whole)
    tables.unlink()
    with pytest.raises(FileNotFoundError):
        WordVectors.load(tmp_path)


def test_texts_without_a_known_word_are_refused_by_their_index(plain, with_subwords):
    with pytest.raises(ValueError, match=r"text 1 must hold a word that has a vector: its words begin with \['no'"):
        plain.encode(["t0w0", "no such words here"])
    with pytest.raises(ValueError, match="text 0 must hold a word that has a vector: it has no words"):
        plain.encode(["?!"])
    rows = plain.encode(["no", "t0w0"], unknown="zero")
    assert not rows[0].any()
    assert rows[1].any()
    with pytest.raises(ValueError, match="unknown must be 'refuse' or 'zero', got 'mean'"):
        plain.encode(["t0w0"], unknown="mean")
    with pytest.raises(TypeError, match="texts must be a list, got one str"):
        plain.encode("t0w0")
    with pytest.raises(TypeError, match="text 1 must be a str or a sequence of str, got int"):
        plain.encode(["t0w0", 3])
    with pytest.raises(KeyError, match="'no' is not one of 60 words, and there are no sub-words"):
        plain.vector("no")
    with pytest.raises(KeyError, match="'qqq' is not one of 60 words, and no n-gram of it is known"):
        with_subwords.vector("qqq")


def test_vectors_that_do_not_fit_their_words_are_refused():
    x = np.ones((2, 3), dtype=np.float32)
    for words, vectors, options, rule in [
        (["a", "a"], x, {}, "words must be different .*2 words, 1 different, and 2 vectors"),
        (["a"], x, {}, "one vector each, got 1 words"),
        ([], x[:0], {}, "got 0 words"),
        (["a", "b"], x * np.nan, {}, "vectors must be a table of finite numbers"),
        (["a", "b"], x[0], {}, r"got shape \(3,\)"),
        (["a", "b"], x, {"subwords": (3, 4)}, r"subwords and buckets go together, got subwords=\(3, 4\)"),
        (["a", "b"], x, {"buckets": {1: x[0]}}, "subwords and buckets go together"),
        (["a", "b"], x, {"subwords": (3, 4), "buckets": {1: x[0, :2]}}, "buckets must be as wide as vectors, 3, got 2"),
    ]:
        with pytest.raises(ValueError, match=rule):
            WordVectors(words, vectors, **options)


def test_settings_of_which_nothing_is_trained_are_refused():
    texts = ["a b", "a b c"]
    for options, rule in [
        ({"dimensions": 0}, "dimensions must be a whole number, at least 1, got 0"),
        ({"window": 0}, "window must be"),
        ({"negatives": 0}, "negatives must be"),
        ({"epochs": 0}, "epochs must be"),
        ({"min_count": 0}, "min_count must be"),
        ({"min_count": 3}, "two words or more must come min_count=3 times, 0 of 3 do"),
        ({"subwords": (3,)}, r"subwords must be None or two lengths such as \(3, 6\), got \(3,\)"),
        ({"subwords": (0, 3)}, "the shortest of subwords must be"),
        ({"subwords": (4, 3)}, "the longest of subwords must be a whole number, at least 4, got 3"),
        ({"rate": 0.0}, "rate must be above 0 and finite, got 0.0"),
        ({"rate": float("nan")}, "rate must be above 0"),
        ({"subsample": -1.0}, "subsample must be 0 or more and finite, got -1.0"),
        ({"seed": -1}, "seed must be a whole number"),
    ]:
        with pytest.raises(ValueError, match=rule):
            train_word_vectors(texts, **{"min_count": 1, "seed": 0, **options})
    with pytest.raises(ValueError, match="a text must hold two words or more of the vocabulary"):
        train_word_vectors(["a", "b"], min_count=1, seed=0)
    with pytest.raises(ValueError, match="two words or more must come min_count=1 times, 0 of 0 do"):
        train_word_vectors([], min_count=1, seed=0)
    with pytest.raises(TypeError, match="texts must be a list, got one str"):
        train_word_vectors("a b", seed=0)
    with pytest.raises(ValueError, match="vectors that are not finite: rate=1e\\+39 is too high"):
        train_word_vectors(texts * 20, min_count=1, rate=1e39, seed=0)
