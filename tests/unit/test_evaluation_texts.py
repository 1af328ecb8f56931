"""Likelihood, spans, ROUGE and segments against hand cases, rouge_score and nltk."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.evaluation.likelihood import bits_per_byte, bits_per_character, perplexity
from workbench.evaluation.spans import span_f1, spans_of
from workbench.evaluation.summaries import pk, rouge, window_diff


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_perplexity_by_hand():
    """Every token one of 8 equally likely: perplexity 8, whatever the lengths."""
    found = perplexity([[math.log(8)] * n for n in (1, 5, 40, 3, 2, 9)])
    assert found["perplexity"].value == pytest.approx(8)
    assert found["nats_per_token"].value == pytest.approx(math.log(8))
    assert found["perplexity"].high - found["perplexity"].low == pytest.approx(0, abs=1e-9)


def test_one_text_has_no_interval():
    assert perplexity([[1.0, 2.0]])["nats_per_token"].value == 1.5
    assert perplexity([[1.0, 2.0]])["perplexity"].high == math.inf
    assert bits_per_byte([math.log(2)], ["a"])["bits_per_byte"].high == math.inf
    assert span_f1([[(0, 1, "A")]], [[(0, 1, "A")]])["f1"].high == math.inf
    assert rouge(["a"], ["a"])["rouge1"].high == math.inf
    assert pk([[0, 1]], [[0, 1]])["pk"].high == math.inf


def test_perplexity_weighs_tokens_and_not_texts(rng):
    nats = [rng.exponential(2, size=n) for n in rng.integers(1, 60, size=200)]
    found = perplexity(nats)
    assert found["perplexity"].value == pytest.approx(math.exp(np.concatenate(nats).mean()))
    assert found["perplexity"].value != pytest.approx(np.mean([math.exp(n.mean()) for n in nats]))
    assert found["perplexity"].low < found["perplexity"].value < found["perplexity"].high
    assert found.per_item == pytest.approx([n.mean() for n in nats])
    replicates = [
        math.exp(np.concatenate([n for n, b in zip(nats, found.blocks, strict=True) if b != block]).mean())
        for block in range(20)
    ]
    assert found.replicates["perplexity"] == pytest.approx(replicates)
    error = math.sqrt(19 / 20 * sum((r - found["perplexity"].value) ** 2 for r in replicates))
    assert found["perplexity"].standard_error == pytest.approx(error)


def test_texts_of_one_group_stay_in_one_block(rng):
    nats = [rng.exponential(2, size=10) for _ in range(60)]
    groups = [f"book {i % 12}" for i in range(60)]
    found = perplexity(nats, groups=groups, recipe={"model": "m"}, source="abc")
    assert len(set(found.blocks)) == 12
    assert all(len({found.blocks[i] for i in range(60) if groups[i] == name}) == 1 for name in groups)
    assert (found.recipe, found.source) == ({"model": "m"}, "abc")
    with pytest.raises(ValueError, match="one for each of 60 texts, got 2"):
        perplexity(nats, groups=["a", "b"])


def test_bits_by_hand():
    texts, nats = ["abcd", "né", "語"], [[2 * math.log(2)] * 3, [math.log(2)] * 2, 4 * math.log(2)]
    assert bits_per_character(nats, texts)["bits_per_character"].value == pytest.approx((6 + 2 + 4) / (4 + 2 + 1))
    found = bits_per_byte(nats, texts)
    assert found["bits_per_byte"].value == pytest.approx((6 + 2 + 4) / (4 + 3 + 3))
    assert found.per_item == pytest.approx([6 / 4, 2 / 3, 4 / 3])


@pytest.mark.parametrize(
    ("nats", "words"),
    [
        ([], "one text or more"),
        ([[1.0], []], "text 1: nats must be a 1-D array"),
        ([[1.0], 2.0], "text 1: nats must be a 1-D array"),
        ([[1.0, math.nan]], "text 0: nats must be finite, token 1"),
        ([[1.0], [2.0, math.inf]], "text 1: nats must be finite, token 1"),
        ([[1.0], [0.5, -2.0]], "text 1: .* never negative, token 1 has -2"),
        ([[800.0]] * 3, "mean of 800 nats"),
    ],
)
def test_perplexity_refuses(nats, words):
    with pytest.raises(ValueError, match=words):
        perplexity(nats)


@pytest.mark.parametrize("bits", [bits_per_character, bits_per_byte])
def test_bits_refuse_empty_and_missing_texts(bits):
    with pytest.raises(ValueError, match="text 1 is empty"):
        bits([[1.0], [1.0]], ["a", ""])
    with pytest.raises(ValueError, match="got 2 for 1 texts"):
        bits([[1.0], [1.0]], ["a"])
    with pytest.raises(ValueError, match="never negative"):
        bits([-1.0], ["a"])
    with pytest.raises(ValueError, match="one for each of 1 texts"):
        bits([1.0], ["a"], groups=[])


def test_a_text_without_utf8_is_refused():
    with pytest.raises(ValueError, match="surrogates"):
        bits_per_byte([1.0], ["\ud800"])


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ([], []),
        (["O", "O"], []),
        (["B-PER", "I-PER", "O", "B-LOC"], [(0, 2, "PER"), (3, 4, "LOC")]),
        (["B-PER", "B-PER", "I-PER"], [(0, 1, "PER"), (1, 3, "PER")]),
        (["I-PER", "I-PER", "O", "I-PER"], [(0, 2, "PER"), (3, 4, "PER")]),  # IOB1
        (["B-PER", "I-LOC", "I-LOC"], [(0, 1, "PER"), (1, 3, "LOC")]),
        (["O", "I-time-of-day"], [(1, 2, "time-of-day")]),
    ],
)
def test_spans_of_tags_are_those_of_conlleval(tags, spans):
    assert spans_of(tags) == spans


@pytest.mark.parametrize("tag", ["B", "I-", "X-PER", "", "o", "E-PER"])
def test_tags_outside_bio_are_refused(tag):
    with pytest.raises(ValueError, match=f"token 1 has {tag!r}"):
        spans_of(["O", tag])


def test_span_f1_by_hand():
    gold = [[(0, 2, "PER"), (3, 4, "LOC")], [(0, 1, "ORG")], []]
    predicted = [[(0, 2, "PER"), (3, 5, "LOC")], [(0, 1, "LOC")], [(1, 2, "PER")]]
    found = span_f1(predicted, gold)  # 1 right of 4 predicted and of 3 gold
    assert found["precision"].value == pytest.approx(1 / 4)
    assert found["recall"].value == pytest.approx(1 / 3)
    assert found["f1"].value == pytest.approx(2 / 7)
    assert found["f1:PER"].value == pytest.approx(2 * 1 / (2 + 1))
    assert found["f1:LOC"].value == 0
    assert found["f1:ORG"].value == 0
    assert found.arrays["right"].tolist() == [1, 0, 0]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_span_f1_is_that_of_one_long_list(seed):
    rng = np.random.default_rng(seed)
    tags = ["O", "B-A", "I-A", "B-B", "I-B"]
    sides = [[[tags[i] for i in rng.integers(0, 5, size=12)] for _ in range(30)] for _ in range(2)]
    predicted, gold = ([spans_of(text) for text in side] for side in sides)
    said = [(i, *span) for i, spans in enumerate(predicted) for span in spans]
    true = [(i, *span) for i, spans in enumerate(gold) for span in spans]
    right = sum(span in true for span in said)
    found = span_f1(predicted, gold)
    assert found["precision"].value == pytest.approx(right / len(said))
    assert found["recall"].value == pytest.approx(right / len(true))
    assert found["f1"].value == pytest.approx(2 * right / (len(said) + len(true)))
    assert math.isfinite(found["f1"].high)


def test_nothing_predicted_is_no_precision_and_no_recall():
    found = span_f1([[], []], [[(0, 1, "A")], []])
    assert [found[metric].value for metric in ("precision", "recall", "f1")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("predicted", "gold", "words"),
    [
        ([[]], [[(0, 1, "A")], []], "same texts, got 1 and 2"),
        ([[], []], [[], []], "no span in 2 texts"),
        ([[(0, 1, "A"), (0, 1, "A")]], [[(0, 1, "A")]], "predicted: text 0 has the span .* twice"),
        ([[]], [[(2, 2, "A")]], r"gold: .* text 0 has \(2, 2\)"),
        ([[(-1, 2, "A")]], [[(0, 2, "A")]], r"predicted: .* text 0 has \(-1, 2\)"),
    ],
)
def test_span_f1_refuses(predicted, gold, words):
    with pytest.raises(ValueError, match=words):
        span_f1(predicted, gold)


def test_rouge_by_hand():
    """The police killed the gunman (Lin 2004, section 3.1), with inflected forms that stemming makes equal."""
    found = rouge(["police kill the gunman", "the gunman kill police", "", "x y"], ["police killed the gunman"] * 4)
    assert found.arrays["rouge1"].tolist() == [1, 1, 0, 0]
    assert found.arrays["rouge2"] == pytest.approx([1, 1 / 3, 0, 0])  # "the gunman" of three pairs each
    assert found.arrays["rougeL"] == pytest.approx([1, 1 / 2, 0, 0])
    assert found["rouge1"].value == 0.5
    assert found.main == "rougeL"


def test_rouge_is_the_packages_and_the_best_reference_counts(rng):
    from rouge_score.rouge_scorer import RougeScorer

    words = ["cats", "cat", "sat", "running", "run", "mat", "the", "on", "a", "house", "houses"]
    texts = [" ".join(rng.choice(words, size=8)) for _ in range(60)]
    predicted, first, second = texts[:20], texts[20:40], texts[40:]
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    single, double = rouge(predicted, first), rouge(predicted, list(zip(first, second, strict=True)))
    for kind in ("rouge1", "rouge2", "rougeL"):
        each = np.array(
            [
                [scorer.score(gold, p)[kind].fmeasure for p, gold in zip(predicted, side, strict=True)]
                for side in (first, second)
            ]
        )
        assert single.arrays[kind] == pytest.approx(each[0])
        assert double.arrays[kind] == pytest.approx(each.max(axis=0))
        assert double[kind].value == pytest.approx(each.max(axis=0).mean())
        assert double[kind].low < double[kind].value < double[kind].high


@pytest.mark.parametrize(
    ("predicted", "gold", "words"),
    [
        ([], [], "same texts, got 0 and 0"),
        (["a"], ["a", "b"], "same texts, got 1 and 2"),
        (["a", "b"], ["a", ""], "text 1: a reference must hold"),
        (["a"], ["語"], "text 0: a reference must hold"),
        (["a"], [[]], "text 0: a reference must hold"),
        (["a"], [["a", " ."]], "text 0: a reference must hold"),
    ],
)
def test_rouge_refuses(predicted, gold, words):
    with pytest.raises(ValueError, match=words):
        rouge(predicted, gold)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40), st.integers(1, 40))
def test_windows_are_nltks(gaps, k):
    segmentation = pytest.importorskip("nltk.metrics.segmentation")
    said, true = ([pair[i] for pair in gaps] for i in (0, 1))
    k = min(k, len(gaps))
    theirs = segmentation.windowdiff(true, said, k, boundary=1)
    assert window_diff([said], [true], k=k)["window_diff"].value == pytest.approx(theirs)
    theirs = segmentation.pk(true, said, k, boundary=1)
    assert pk([said], [true], k=k)["pk"].value == pytest.approx(theirs)


def test_a_near_miss_costs_less_than_a_far_one_and_pk_misses_one_boundary_too_many():
    true = [0, 0, 0, 0, 1, 0, 0, 0, 0]  # 10 units, 2 segments of 5: half of the mean is 2.5, a window of 3
    near, far, both = [0] * 5 + [1] + [0] * 3, [0] * 8 + [1], [0, 0, 0, 0, 1, 1, 0, 0, 0]
    found = window_diff([true, near, far, both], [true] * 4)
    assert found.arrays["window_diff"] == pytest.approx([0, 2 / 7, 4 / 7, 3 / 7])
    assert pk([both], [true])["pk"].value == pytest.approx(1 / 7)
    assert found["window_diff"].value == pytest.approx((0 + 2 + 4 + 3) / 28)
    assert found.columns["length"] == (10,) * 4
    assert window_diff([near], [true], k=3)["window_diff"].value == pytest.approx(2 / 7)


@pytest.mark.parametrize("measure", [window_diff, pk])
@pytest.mark.parametrize(
    ("predicted", "gold", "k", "words"),
    [
        ([], [], None, "same texts"),
        ([[0]], [[0], [1]], None, "same texts, got 1 and 2"),
        ([[0, 1]], [[0, 1, 0]], None, "text 0: .* as many gaps, got 2 and 3"),
        ([[]], [[]], None, "text 0: a text has one gap or more"),
        ([[0, 2]], [[0, 1]], None, "text 0: a gap is 0 or 1, got 2"),
        ([[0, 1]], [[0, 1]], 3, "text 0: k must be at least 1 and at most its 2 gaps, got 3"),
        ([[0, 1]], [[0, 1]], 0, "got 0"),
    ],
)
def test_windows_refuse(measure, predicted, gold, k, words):
    with pytest.raises(ValueError, match=words):
        measure(predicted, gold, k=k)
