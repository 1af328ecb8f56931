import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.conftest import empty_project
from workbench.corpora import Corpus, Labels, Pairs, Retrieval, load
from workbench.corpora.corrupt import _NEAR, drop_words, planted_duplicates, shuffle_words, typos, wrong_pairs

TEXT = st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("ab \n\t"), max_size=40)
TEXTS = st.lists(TEXT, max_size=6)
RATE = st.floats(0, 1)
SEED = st.integers(-(2**70), 2**70)


@pytest.fixture(scope="module")
def docstrings(tmp_path_factory) -> Corpus:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(empty_project(tmp_path_factory.mktemp("corrupt") / "home")))
        return load("pydocs", scope="stdlib-core")


def edits(one: str, other: str) -> int:
    """Insertions, deletions, substitutions and transpositions (optimal string alignment), by the textbook table."""
    above, before = [], list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            best = min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, above[j - 2] + 1)
            row.append(best)
        above, before = before, row
    return before[-1]


def test_the_table_counts_edits():
    pairs = {("abc", "abc"): 0, ("abc", "acb"): 1, ("abc", "ab"): 1, ("abc", "axc"): 1, ("abc", "abbc"): 1}
    pairs |= {("", "abc"): 3, ("kitten", "sitting"): 3, ("ca", "abc"): 3}
    assert {pair: edits(*pair) for pair in pairs} == pairs


def within_binomial(count: int, n: int, rate: float, bias: float = 0.0) -> bool:
    return abs(count - n * rate) < 4.5 * (n * rate * (1 - rate)) ** 0.5 + bias * n * rate


@pytest.mark.parametrize("rate", [0.01, 0.03])
def test_typos_touch_the_stated_share_of_characters(docstrings, rate):
    texts = [text[:120] for text in docstrings.texts[:350]]
    n = sum(map(len, texts))
    found = sum(map(edits, texts, typos(texts, rate=rate, seed=1)))
    # two touched characters side by side, of which there are `rate` to a touched one, may count as one
    assert within_binomial(found, n, rate, bias=rate)
    assert n > 25_000


def test_every_kind_of_typo_is_made_about_equally_often(docstrings):
    words = sorted({w for t in docstrings.texts for w in t.split() if w.isalpha() and w.isascii() and len(w) > 4})
    kinds = collections.Counter()
    for word, typed in zip(words, typos(words, rate=0.03, seed=3), strict=True):
        if edits(word, typed) == 1:
            kinds[len(typed) - len(word) or ("swapped" if sorted(word) == sorted(typed) else "hit")] += 1
    n = kinds.total()
    assert set(kinds) == {-1, 1, "swapped", "hit"}
    assert n > 500
    # the last letter has nothing to change places with: somewhat fewer of those
    assert all(0.17 * n < count < 0.32 * n for count in kinds.values()), kinds


def test_keys_that_touch_on_the_keyboard():
    assert set(_NEAR["g"]) == set("tyfhvb")
    assert set(_NEAR["a"]) == set("qwsz")
    assert set(_NEAR["p"]) == set("0ol")
    assert set(_NEAR["1"]) == set("2q")
    assert set(_NEAR["m"]) == set("njk")
    assert len(_NEAR) == 36
    assert all(key in _NEAR[near] for key in _NEAR for near in _NEAR[key])


def test_a_single_character_is_hit_beside_or_doubled_with_a_key_beside():
    once = collections.Counter(typos(["g"] * 4000, rate=1, seed=0))
    assert set(once) == {*"tyfhvb", *(f"{k}g" for k in "tyfhvb")}  # never lost: it is all there is
    assert all(within_binomial(count, 4000, 1 / 12) for count in once.values())
    assert set(typos(["G"] * 400, rate=1, seed=0)) == {key.upper() for key in once}
    assert set(typos(["é"] * 50, rate=1, seed=0)) == {"éé"}


def test_equal_characters_do_not_change_places():
    # each touch then adds or takes one: 1 - 0.98 ** 4 = 0.078 of the texts change, 0.001 less where two undo each other
    typed = typos(["éééé"] * 20_000, rate=0.02, seed=0)
    assert within_binomial(sum(new != "éééé" for new in typed), 20_000, 0.077)


def test_a_text_of_two_characters_that_no_key_makes():
    # first: doubled, lost, or in the other's place; then whichever stands second: doubled or, if not alone, lost
    assert set(typos(["éü"] * 500, rate=1, seed=0)) == {"ééüü", "ééü"[:2], "üü", "üéé", "ü"}
    assert set(typos(["é "] * 500, rate=1, seed=0)) >= {"éé  ", "éé", " éé"}
    assert all("é" in typed for typed in typos(["é "] * 500, rate=1, seed=0))


@given(TEXTS, RATE, SEED)
@settings(deadline=None, max_examples=150)
def test_typos_keep_within_their_bounds(texts, rate, seed):
    typed = typos(texts, rate=rate, seed=seed)
    assert len(typed) == len(texts)
    for text, new in zip(texts, typed, strict=True):
        assert len(new) <= 2 * len(text)
        assert bool(new) == bool(text)
        assert bool(new.strip()) == bool(text.strip())


@given(TEXTS, RATE, SEED)
@settings(deadline=None, max_examples=150)
def test_words_are_dropped_or_shuffled_but_never_made(texts, rate, seed):
    for text, fewer in zip(texts, drop_words(texts, rate=rate, seed=seed), strict=True):
        rest = iter(text.split())
        assert all(word in rest for word in fewer.split())  # in their order
        assert bool(fewer.split()) == bool(text.split())
        assert bool(fewer) == bool(text)
        assert fewer[: len(text) - len(text.lstrip())] == text[: len(text) - len(text.lstrip())]
    for text, mixed in zip(texts, shuffle_words(texts, seed=seed), strict=True):
        assert sorted(mixed.split()) == sorted(text.split())
        assert [c for c in mixed if c.isspace()] == [c for c in text if c.isspace()]


CORRUPTIONS = {
    "typos": lambda texts, seed: typos(texts, rate=0.2, seed=seed),
    "drop_words": lambda texts, seed: drop_words(texts, rate=0.4, seed=seed),
    "shuffle_words": lambda texts, seed: shuffle_words(texts, seed=seed),
}


@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_text_is_corrupted_alike_whatever_stands_beside_it(docstrings, corrupt):
    texts = [text[:200] for text in docstrings.texts[:60]]
    whole = corrupt(texts, 5)
    assert corrupt(texts[20:40], 5) == whole[20:40]
    assert corrupt(texts[::-1], 5) == whole[::-1]
    assert corrupt(texts, 5) == whole
    other = corrupt(texts, 6)
    assert sum(a != b for a, b in zip(whole, other, strict=True)) > 50
    # a text that comes again is corrupted anew, and its first copy as if it came alone
    repeated = corrupt([texts[0], texts[1], texts[0]], 5)
    assert repeated[:2] == whole[:2]
    assert repeated[2] != repeated[0]


def test_rate_0_is_identity_and_what_a_low_rate_drops_a_high_one_drops_too(docstrings):
    texts = docstrings.texts[:200]
    assert typos(texts, rate=0, seed=0) == drop_words(texts, rate=0, seed=0) == list(texts)
    counts = []
    for rate in (0.1, 0.3, 0.9, 1):
        fewer = drop_words(texts, rate=rate, seed=2)
        most = drop_words(texts, rate=rate / 2, seed=2)
        for few, many in zip(fewer, most, strict=True):
            rest = iter(many.split())
            assert all(word in rest for word in few.split())
        counts.append(sum(len(text.split()) for text in fewer))
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == len(texts)  # one word each


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_words_are_dropped_in_the_stated_share(docstrings, rate):
    texts = [text for text in docstrings.texts[:500] if len(text.split()) > 20]
    n = sum(len(text.split()) for text in texts)
    kept = sum(len(text.split()) for text in drop_words(texts, rate=rate, seed=0))
    assert within_binomial(n - kept, n, rate)
    assert n > 10_000


def test_dropped_words_take_the_space_before_them():
    results = set(drop_words([" a b\n\nc\t"] * 300, rate=0.5, seed=0))
    assert results == {" a b\n\nc\t", " a b\t", " a\n\nc\t", " b\n\nc\t", " a\t", " b\t", " c\t"}


def test_shuffled_words_come_in_every_order_equally_often():
    found = collections.Counter(shuffle_words([" a b\nc "] * 6000, seed=0))
    orders = ("abc", "acb", "bac", "bca", "cab", "cba")
    assert set(found) == {f" {x} {y}\n{z} " for x, y, z in orders}
    assert all(within_binomial(count, 6000, 1 / 6) for count in found.values())
    assert shuffle_words(["", "  ", "one", " one "], seed=0) == ["", "  ", "one", " one "]


@pytest.mark.parametrize("share", [0, 0.25, 1])
def test_planted_duplicates_are_copies_behind_the_originals(share):
    texts = [f"text {i}" for i in range(10)]
    planted, origins = planted_duplicates(texts, share=share, seed=0)
    copies = {0: 0, 0.25: 3, 1: 10}[share]
    assert (len(planted), origins.dtype, origins.shape) == (10 + copies, np.int64, (10 + copies,))
    assert planted[:10] == texts
    assert origins[:10].tolist() == list(range(10))
    assert [texts[i] for i in origins] == planted
    assert len(set(origins[10:].tolist())) == copies


def test_planted_duplicates_of_a_record_keep_their_columns_and_are_nested():
    labels = Labels([f"text {i}" for i in range(40)], [i % 3 for i in range(40)], {"place": range(40)})
    few, some = (planted_duplicates(labels, share=share, seed=4) for share in (0.2, 0.5))
    assert type(few[0]) is Labels
    assert list(few[0].columns["place"]) == few[1].tolist()
    assert list(few[0].labels) == [i % 3 for i in few[1]]
    assert set(few[1][40:].tolist()) < set(some[1][40:].tolist())
    assert len(some[1]) == 60
    assert planted_duplicates(labels, share=0.2, seed=5)[1].tolist() != few[1].tolist()
    pairs = Pairs(["a", "b"], ["c", "d"], [0.0, 1.0])
    assert planted_duplicates(pairs, share=1, seed=0)[0].scores.tolist() == [0, 1, 0, 1]


@given(st.integers(0, 30), RATE, SEED)
@settings(deadline=None, max_examples=100)
def test_the_chosen_rows_and_no_others_lose_their_partner(n, share, seed):
    left, right = [f"l{i}" for i in range(n)], [f"r{i}" for i in range(n)]
    if 0.5 <= share * n < 1.5:
        with pytest.raises(ValueError, match="changes 2 pairs or more"):
            wrong_pairs((left, right), share=share, seed=seed)
        return
    (ours, theirs), wrong = wrong_pairs((left, right), share=share, seed=seed)
    assert ours == left
    assert (wrong.shape, wrong.dtype) == ((n,), bool)
    assert abs(int(wrong.sum()) - share * n) <= 0.5
    assert sorted(theirs) == sorted(right)
    assert [a != b for a, b in zip(theirs, right, strict=True)] == wrong.tolist()


@given(st.lists(st.integers(0, 4), min_size=2, max_size=12), SEED)
@settings(deadline=None, max_examples=200)
def test_rows_with_one_right_text_change_whenever_that_is_possible(rights, seed):
    left, right = [f"l{i}" for i in range(len(rights))], [f"r{i}" for i in rights]
    if 2 * max(collections.Counter(right).values()) > len(right):  # more rows hold it than could take another
        with pytest.raises(ValueError, match="has no wrong partner left"):
            wrong_pairs((left, right), share=1, seed=seed)
        return
    (_, moved), wrong = wrong_pairs((left, right), share=1, seed=seed)
    assert wrong.all()
    assert sorted(moved) == sorted(right)
    assert all(a != b for a, b in zip(moved, right, strict=True))


def test_a_second_partner_of_the_same_left_text_is_no_wrong_one():
    left, right = ["q", "q", "a", "b"], ["q1", "q2", "a1", "b1"]
    for seed in range(30):
        (_, moved), _ = wrong_pairs((left, right), share=1, seed=seed)
        assert {moved[0], moved[1]} == {"a1", "b1"}
        assert {moved[2], moved[3]} == {"q1", "q2"}


def test_wrong_pairs_of_a_record_keep_scores_and_columns_and_are_nested():
    n = 50
    pairs = Pairs([f"l{i}" for i in range(n)], [f"r{i}" for i in range(n)], np.arange(n), {"place": range(n)})
    moved, wrong = wrong_pairs(pairs, share=0.2, seed=7)
    assert type(moved) is Pairs
    assert moved.left == pairs.left
    assert moved.scores.tolist() == list(range(n))
    assert list(moved.columns["place"]) == list(range(n))
    assert wrong.sum() == 10
    assert {i for i in range(n) if moved.right[i] != pairs.right[i]} == set(np.flatnonzero(wrong).tolist())
    more = wrong_pairs(pairs, share=0.6, seed=7)[1]
    assert (more >= wrong).all()
    assert more.sum() == 30
    same, none = wrong_pairs(pairs, share=0, seed=7)
    assert (same.right, none.any()) == (pairs.right, False)
    assert wrong_pairs(pairs, share=0.2, seed=8)[1].tolist() != wrong.tolist()


def test_which_rows_are_wrong_is_spread_evenly():
    n, seeds = 20, 400
    left, right = [f"l{i}" for i in range(n)], [f"r{i}" for i in range(n)]
    runs = [wrong_pairs((left, right), share=0.5, seed=seed) for seed in range(seeds)]
    often = np.sum([wrong for _, wrong in runs], axis=0)
    assert all(within_binomial(int(count), seeds, 0.5) for count in often)
    to_first = collections.Counter(moved[0] for (_, moved), wrong in runs if wrong[0])
    assert set(to_first) == set(right[1:])
    assert max(to_first.values()) < 30  # 200 runs over 19 partners: 10.5 each


TEXT_CALLS = {
    "typos": lambda texts, rate, seed: typos(texts, rate=rate, seed=seed),
    "drop_words": lambda texts, rate, seed: drop_words(texts, rate=rate, seed=seed),
    "shuffle_words": lambda texts, _, seed: shuffle_words(texts, seed=seed),
    "planted_duplicates": lambda texts, share, seed: planted_duplicates(texts, share=share, seed=seed),
    "wrong_pairs": lambda texts, share, seed: wrong_pairs((texts, texts), share=share, seed=seed),
}


@pytest.mark.parametrize("call", TEXT_CALLS.values(), ids=TEXT_CALLS)
def test_wrong_texts_seeds_rates_and_shares_are_refused(call):
    texts = ["one text", "another text", "a third"]
    for wrong in ([1, 2], ["a", None]):
        with pytest.raises(TypeError, match="must hold texts"):
            call(wrong, 0.5, 0)
    for wrong in ("one text", {"a": 1}, 3):
        with pytest.raises(TypeError, match="must be a sequence with one value per row"):
            call(wrong, 0.5, 0)
    for seed in (0.0, "0", None, True):
        with pytest.raises(TypeError, match="seed must be an int, got"):
            call(texts, 0.9, seed)
    call(texts, 1, np.int64(3))


@pytest.mark.parametrize("name", sorted(set(TEXT_CALLS) - {"shuffle_words"}))
def test_a_rate_or_share_outside_0_to_1_is_refused(name):
    texts = ["one text", "another text"]
    for wrong in (-0.1, 1.01, float("nan"), float("inf"), 2):
        with pytest.raises(ValueError, match=rf"(rate|share) must be in \[0, 1\], got {wrong}"):
            TEXT_CALLS[name](texts, wrong, 0)
    for wrong in ("0.5", None, True, [0.5]):
        with pytest.raises(TypeError, match=r"(rate|share) must be a number, got"):
            TEXT_CALLS[name](texts, wrong, 0)
    TEXT_CALLS[name](texts, np.float32(1), 0)


def test_what_cannot_be_paired_or_copied_is_refused():
    for wrong in (["only lefts"], ("a", "b", "c"), "ab", Corpus(["a", "b"]), 3):
        with pytest.raises(TypeError, match="wrong_pairs takes Pairs or two sequences of texts, got"):
            wrong_pairs(wrong, share=0.5, seed=0)
    with pytest.raises(ValueError, match="a right text per left one, got 2 and 1"):
        wrong_pairs((["a", "b"], ["c"]), share=0.5, seed=0)
    with pytest.raises(ValueError, match=r"changes 2 pairs or more, share=0\.5 of n=2 pairs is 1"):
        wrong_pairs((["a", "b"], ["c", "d"]), share=0.5, seed=0)
    with pytest.raises(TypeError, match="takes rows without ids, got a Retrieval"):
        planted_duplicates(Retrieval({"d": "x"}, {"q": "y"}, {"q": {"d": 1}}), share=0.5, seed=0)


def test_empty_sets_stay_empty():
    assert typos([], rate=1, seed=0) == drop_words([], rate=1, seed=0) == shuffle_words([], seed=0) == []
    texts, origins = planted_duplicates([], share=1, seed=0)
    assert (texts, origins.shape) == ([], (0,))
    assert wrong_pairs(([], []), share=1, seed=0)[0] == ([], [])
