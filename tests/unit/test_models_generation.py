"""Constrained generation against brute force, a trie against a set of sequences, draws against their shares."""

import itertools

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from tests.unit.test_models_likelihood import sharpened
from workbench.models.generation import Generated, Sampling, generate
from workbench.models.likelihood import log_likelihoods
from workbench.models.seeding import seeded
from workbench.models.small import small_bert, small_decoder, small_t5
from workbench.models.tokenizers import train_bpe
from workbench.retrieval.trie import Trie

TEXTS = ["hello world this is a test of things", "another text about the sea and the land"] * 3
TINY = {"layers": 2, "width": 32, "heads": 2}
PROMPTS = ["hello", "this is a test of things", "a"]
TITLES = ["sea", "sea and", "sea and the land", "test", "hello world", "the text"]
END = 2


@pytest.fixture(scope="module")
def bpe():
    return train_bpe(TEXTS, vocabulary=300)


@pytest.fixture(scope="module")
def models(bpe):
    config = GPT2Config(
        vocab_size=len(bpe), n_positions=40, n_embd=32, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=END
    )
    with seeded(3):
        gpt2 = sharpened(GPT2LMHeadModel(config)).eval()
    return {
        "decoder": sharpened(small_decoder(len(bpe), **TINY, positions=40, seed=0)),
        "gpt2": gpt2,  # positions are looked up: padding on the left must not shift them
        "t5": sharpened(small_t5(len(bpe), **TINY, seed=1)),
    }


@pytest.fixture(scope="module")
def titles(bpe):
    return [tuple(bpe.encode(title, add_special_tokens=False)) for title in TITLES]


KINDS = ["decoder", "gpt2", "t5"]


@pytest.mark.parametrize("kind", KINDS)
def test_enough_beams_give_every_title_in_the_order_of_its_likelihood(bpe, models, titles, kind):
    found = generate(
        models[kind], bpe, PROMPTS, max_tokens=12, allowed=Trie(titles, end=END).allowed, beams=len(titles) + 2
    )
    for prompt, outputs in zip(PROMPTS, found, strict=True):
        values = log_likelihoods(models[kind], bpe, [prompt] * len(titles), [[*title, END] for title in titles])
        order = np.argsort(-values)
        assert [output.tokens for output in outputs] == [(*titles[i], END) for i in order]
        assert [output.text for output in outputs] == [TITLES[i] for i in order]
        np.testing.assert_allclose([output.log_likelihood for output in outputs], values[order], atol=1e-4)
        assert all(output.ended for output in outputs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_tokens", [1, 10_000])
def test_the_best_of_all_sequences_over_four_tokens_is_found(bpe, models, kind, batch_tokens):
    alphabet, longest = (5, 9, 40), 3

    def rule(prefix):
        """Any of three tokens but never the same twice in a row; it may end behind the first."""
        return [token for token in alphabet if token not in prefix[-1:]] + ([END] if prefix else [])

    every = [
        (*row, END)
        for n in range(1, longest + 1)
        for row in itertools.product(alphabet, repeat=n)
        if all(a != b for a, b in itertools.pairwise(row))
    ]
    found = generate(
        models[kind], bpe, PROMPTS, max_tokens=longest + 1, allowed=rule, beams=60, batch_tokens=batch_tokens
    )
    for prompt, outputs in zip(PROMPTS, found, strict=True):
        values = log_likelihoods(models[kind], bpe, [prompt] * len(every), every)
        ended = [output for output in outputs if output.ended]
        assert ended[0].tokens == every[int(np.argmax(values))]
        assert ended[0].log_likelihood == pytest.approx(values.max(), abs=1e-4)
        assert {output.tokens for output in ended} == set(every)


@pytest.mark.parametrize("options", [{}, {"beams": 3}, {"sampling": Sampling(2, temperature=2.0, top_p=0.9, seed=1)}])
@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_log_likelihood_is_that_of_the_tokens(bpe, models, titles, kind, free, options):
    allowed = None if free else Trie(titles, end=END).allowed
    found = generate(models[kind], bpe, PROMPTS, max_tokens=5, allowed=allowed, **options)
    for prompt, outputs in zip(PROMPTS, found, strict=True):
        values = log_likelihoods(models[kind], bpe, [prompt] * len(outputs), [output.tokens for output in outputs])
        np.testing.assert_allclose([output.log_likelihood for output in outputs], values, atol=1e-4)
        assert values.tolist() == sorted(values, reverse=True)
        for output in outputs:
            assert output.ended == (output.tokens[-1] == END)
            assert output.ended or len(output.tokens) == 5
            if not free:
                assert any((*title, END)[: len(output.tokens)] == output.tokens for title in titles)


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_takes_the_likeliest_token_each_time(bpe, models, kind):
    model, outputs = models[kind], generate(models[kind], bpe, PROMPTS, max_tokens=4)
    for prompt, (output,) in zip(PROMPTS, outputs, strict=True):
        row, written = bpe.encode(prompt), []
        for _ in output.tokens:
            if kind == "t5":
                inputs = {"input_ids": torch.tensor([row]), "decoder_input_ids": torch.tensor([[0, *written]])}
            else:
                inputs = {"input_ids": torch.tensor([row + written])}
            with torch.no_grad():
                written.append(int(model(**inputs).logits[0, -1].argmax()))
        assert list(output.tokens) == written


def test_none_allowed_ends_the_text_and_each_prefix_is_asked_once(bpe, models):
    asked = []

    def rule(prefix):
        asked.append(prefix)
        return [7, 8] if len(prefix) < 2 else []

    (outputs,) = generate(models["decoder"], bpe, ["hello"], max_tokens=9, allowed=rule, beams=6)
    assert sorted(output.tokens for output in outputs) == [(a, b, END) for a in (7, 8) for b in (7, 8)]
    assert sorted(asked) == [(), (7,), (7, 7), (7, 8), (8,), (8, 7), (8, 8)]


def test_draws_are_as_frequent_as_they_are_likely(bpe, models):
    """Of 2,000 draws between three tokens at temperature 2, against the shares worked out from their logits."""
    tokens, prompt = [5, 9, 40], bpe.encode("hello")
    with torch.no_grad():
        logits = models["decoder"](input_ids=torch.tensor([prompt])).logits[0, -1, tokens].double() / 2
    expected = torch.softmax(logits, dim=0).numpy()
    sampling = Sampling(2000, temperature=2.0, seed=5)
    (outputs,) = generate(
        models["decoder"], bpe, [prompt], max_tokens=1, allowed=lambda _: tokens, sampling=sampling, batch_tokens=10**6
    )
    drawn = np.array([output.tokens[0] for output in outputs])
    shares = np.array([(drawn == token).mean() for token in tokens])
    assert np.abs(shares - expected).max() < 0.05  # four standard errors of a share of one half
    order = np.argsort(-expected)
    keep = order[: int(np.searchsorted(np.cumsum(expected[order]), 0.6)) + 1]
    assert len(keep) < 3
    (outputs,) = generate(
        models["decoder"],
        bpe,
        [prompt],
        max_tokens=1,
        allowed=lambda _: tokens,
        sampling=Sampling(300, temperature=2.0, top_p=0.6, seed=6),
        batch_tokens=10**6,
    )
    assert {output.tokens[0] for output in outputs} == {tokens[i] for i in keep}


def test_draws_depend_on_the_seed_alone_and_move_no_generator(bpe, models):
    sampling = Sampling(2, seed=3)
    before = torch.get_rng_state()
    first = generate(models["decoder"], bpe, PROMPTS, max_tokens=5, sampling=sampling)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    apart = generate(models["decoder"], bpe, PROMPTS, max_tokens=5, sampling=sampling, batch_tokens=1)
    assert [[o.tokens for o in outputs] for outputs in first] == [[o.tokens for o in outputs] for outputs in apart]
    other = generate(models["decoder"], bpe, PROMPTS, max_tokens=5, sampling=Sampling(2, seed=4))
    assert [[o.tokens for o in outputs] for outputs in first] != [[o.tokens for o in outputs] for outputs in other]
    assert first[0][0].tokens != first[0][1].tokens


def test_the_models_own_settings_and_modes_are_left_aside_and_put_back(bpe, models):
    model = models["decoder"]
    expected = generate(model, bpe, PROMPTS, max_tokens=6)
    settings = model.generation_config
    settings.repetition_penalty, settings.no_repeat_ngram_size = 5.0, 1
    model.train()
    try:
        assert generate(model, bpe, PROMPTS, max_tokens=6) == expected
        assert model.training
        assert model.generation_config is settings
    finally:
        settings.repetition_penalty, settings.no_repeat_ngram_size = None, None
        model.eval()
    assert generate(model, bpe, [], max_tokens=3) == []
    assert isinstance(expected[0][0], Generated)


def test_what_cannot_be_generated_is_refused(bpe, models):
    model = models["decoder"]
    refused = [
        (["a"], {"max_tokens": 0}, "max_tokens must be a whole number, at least 1"),
        (["a"], {"beams": 0}, "beams must be a whole number"),
        (["a"], {"beams": 301}, "beams must be at most 300, the tokens of the model, got 301"),
        (["a"], {"beams": 2, "sampling": Sampling()}, "beams=2 search and sampling draws"),
        (["a"], {"batch_tokens": 0}, "batch_tokens must be"),
        (["a"], {"max_tokens": 39}, "prompt 0 has 2 tokens, with max_tokens=39 too many for 40 positions"),
        (["a"], {"allowed": lambda _: [300]}, r"allowed gives token 300 after \(\), the model has 300"),
        (["a"], {"allowed": lambda _: [-1, 5]}, r"allowed gives token -1 after \(\)"),
        ([[]], {}, "prompt 0 has no token"),
    ]
    for prompts, options, rule in refused:
        with pytest.raises(ValueError, match=rule):
            generate(model, bpe, prompts, **{"max_tokens": 3, **options})
    with pytest.raises(TypeError, match="prompts must be a list, got one str"):
        generate(model, bpe, "a", max_tokens=3)
    bert = small_bert(300, layers=1, width=8, heads=1, seed=0)
    with pytest.raises(ValueError, match=r"must have a language head .*BertModel has none"):
        generate(bert, bpe, ["a"], max_tokens=3)
    endless = small_decoder(len(bpe), **TINY, seed=0)
    endless.generation_config.eos_token_id = None
    bare = train_bpe(TEXTS, vocabulary=300)
    bare.eos_token = None
    with pytest.raises(ValueError, match=r"allowed gives no token after \(7,\), and no token ends a text"):
        generate(endless, bare, ["a"], max_tokens=3, allowed=lambda prefix: [] if prefix else [7])


def test_sampling_refuses_values_of_which_nothing_is_drawn():
    for options, rule in [
        ({"number": 0}, "number must be a whole number, at least 1"),
        ({"temperature": 0.0}, "temperature must be above 0 and finite, got 0.0"),
        ({"temperature": float("nan")}, "temperature must be above 0"),
        ({"top_p": 0.0}, r"top_p must be in \(0, 1\], got 0.0"),
        ({"top_p": 1.1}, "top_p must be in"),
        ({"seed": -1}, "seed must be a whole number in"),
    ]:
        with pytest.raises(ValueError, match=rule):
            Sampling(**options)


@pytest.mark.parametrize("end", [None, 9])
def test_a_trie_allows_what_a_set_of_sequences_allows(end):
    rng = np.random.default_rng(0)
    rows = [tuple(rng.integers(0, 6, size=rng.integers(1, 6)).tolist()) for _ in range(120)]
    trie, whole = Trie(rows, end=end), {(*row, end) if end is not None else row for row in rows}
    assert len(trie) == len(whole)
    prefixes = {row[:n] for row in whole for n in range(len(row) + 1)} | {(7,), (0, 7), (9, 9)}
    for prefix in prefixes:
        n = len(prefix)
        expected = sorted({row[n] for row in whole if len(row) > n and row[:n] == prefix})
        assert trie.allowed(prefix) == expected
        assert (prefix in trie) == (prefix in whole)
    assert [] not in trie


def test_a_trie_refuses_what_is_no_sequence():
    for rows, end, rule in [
        ([], None, "a trie holds one sequence or more"),
        ([[1], []], None, r"sequence 1 must hold one token or more.*got \(\)"),
        ([[1, -1]], None, r"sequence 0 must hold .* got \(1, -1\)"),
        ([[1.5]], None, "sequence 0 must hold"),
        ([[1, 2]], 2, "sequence 0 must not hold the end token 2"),
    ]:
        with pytest.raises(ValueError, match=rule):
            Trie(rows, end=end)
