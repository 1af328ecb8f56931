"""Log-likelihoods against one forward pass for each token, and against transformers' own losses."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from workbench.evaluation import perplexity
from workbench.models.likelihood import log_likelihoods, pseudo_log_likelihood, token_log_likelihoods
from workbench.models.seeding import seeded
from workbench.models.small import small_bert, small_decoder, small_t5
from workbench.models.tokenizers import train_bpe, train_wordpiece

TEXTS = ["hello world this is a test of things", "another text about the sea and the land"] * 3
TINY = {"layers": 2, "width": 32, "heads": 2}
PROMPTS = ["hello", "", "this is a test of", "another text about"]
CONTINUATIONS = [" world", "a test of things", " the sea and the land", " things"]


@pytest.fixture(scope="module")
def bpe():
    return train_bpe(TEXTS, vocabulary=300)


@pytest.fixture(scope="module")
def decoder(bpe):
    return sharpened(small_decoder(len(bpe), **TINY, positions=40, seed=0))


@pytest.fixture(scope="module")
def t5(bpe):
    return sharpened(small_t5(len(bpe), **TINY, seed=1))


@pytest.fixture(scope="module")
def gpt2(bpe):
    config = GPT2Config(
        vocab_size=len(bpe), n_positions=40, n_embd=32, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2
    )
    with seeded(3):
        return sharpened(GPT2LMHeadModel(config)).train()  # it has dropout: whoever forgets eval mode is seen


def sharpened(model):
    """Weights ten times as large: attention that looks at something, so that padding let in would show."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2 and weight.std() < 0.1:
                weight.mul_(10)
    return model


def one_by_one(model, prompt, row):
    """Log-likelihood of each token by one forward pass each, without padding, in float64."""
    model, found = model.eval(), []
    with torch.no_grad():
        for i, token in enumerate(row):
            if model.config.is_encoder_decoder:
                inputs = {"input_ids": torch.tensor([prompt]), "decoder_input_ids": torch.tensor([[0, *row[:i]]])}
            else:
                inputs = {"input_ids": torch.tensor([[*prompt, *row[:i]]])}
            logits = model(**inputs).logits[0, -1].double().numpy()
            found.append(logits[token] - logits.max() - np.log(np.exp(logits - logits.max()).sum()))
    return found


@pytest.mark.parametrize("batch_tokens", [1, 30, 10_000])
@pytest.mark.parametrize("kind", ["decoder", "gpt2", "t5"])
def test_each_token_is_that_of_a_forward_pass_of_its_own(request, bpe, kind, batch_tokens):
    model = request.getfixturevalue(kind)
    prompts = [[1, *bpe.encode(p, add_special_tokens=False)] for p in PROMPTS]  # <s> before a text, of both kinds
    rows = [bpe.encode(c, add_special_tokens=False) for c in CONTINUATIONS]
    got = token_log_likelihoods(model, bpe, PROMPTS, CONTINUATIONS, batch_tokens=batch_tokens)
    assert [len(values) for values in got] == [len(row) for row in rows]
    for values, prompt, row in zip(got, prompts, rows, strict=True):
        assert values.dtype == np.float64
        np.testing.assert_allclose(values, one_by_one(model, prompt, row), atol=2e-5, rtol=1e-5)
    sums = log_likelihoods(model, bpe, PROMPTS, CONTINUATIONS)
    np.testing.assert_allclose(sums, [values.sum() for values in got], atol=1e-4)
    assert np.ptp(np.concatenate(got)) > 1  # not all tokens alike: the comparison means something


def test_the_mean_is_the_loss_of_transformers(bpe, decoder, t5):
    ids = bpe("hello world this is a test", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        loss = decoder(input_ids=ids, labels=ids).loss.item()
        labels = torch.tensor([[*bpe.encode(" the sea", add_special_tokens=False), 2]])
        of_t5 = t5(input_ids=ids, labels=labels).loss.item()
    whole = token_log_likelihoods(decoder, bpe, [""], ["hello world this is a test"])
    assert -whole[0].mean() == pytest.approx(loss, rel=1e-5)
    behind = token_log_likelihoods(t5, bpe, ["hello world this is a test"], [" the sea"], end=True)
    assert len(behind[0]) == labels.shape[1]
    assert -behind[0].mean() == pytest.approx(of_t5, rel=1e-5)


def test_the_end_of_text_is_one_token_more(bpe, decoder):
    closed = token_log_likelihoods(decoder, bpe, ["hello"], [" world"], end=True)[0]
    row = [*bpe.encode(" world", add_special_tokens=False), 2]
    prompt = [1, *bpe.encode("hello", add_special_tokens=False)]
    np.testing.assert_allclose(closed, one_by_one(decoder, prompt, row), atol=2e-5, rtol=1e-5)
    assert log_likelihoods(decoder, bpe, ["hello"], [[]], end=True)[0] == pytest.approx(
        one_by_one(decoder, prompt, [2])[0], abs=2e-5
    )


def test_tokens_are_taken_as_they_are_and_may_follow_a_text(bpe, decoder):
    row = bpe.encode(" world", add_special_tokens=False)
    prompt = bpe.encode("hello")
    texts = log_likelihoods(decoder, bpe, ["hello"], [" world"])
    assert log_likelihoods(decoder, bpe, [prompt], [np.array(row)]) == pytest.approx(texts)
    assert log_likelihoods(decoder, bpe, ["hello"], [tuple(row)]) == pytest.approx(texts)
    assert log_likelihoods(decoder, bpe, [prompt[1:]], [row]) != pytest.approx(texts)  # without the start token


def test_probabilities_of_all_single_tokens_sum_to_one(bpe, decoder):
    every = [[token] for token in range(len(bpe))]
    values = log_likelihoods(decoder, bpe, ["this is"] * len(every), every)
    assert np.exp(values).sum() == pytest.approx(1, abs=1e-5)


def test_every_mode_is_left_as_it_was_and_perplexity_takes_the_numbers(bpe, gpt2):
    gpt2.train()
    gpt2.transformer.h[0].eval()
    before = [part.training for part in gpt2.modules()]
    rows = token_log_likelihoods(gpt2, bpe, PROMPTS, CONTINUATIONS)
    assert [part.training for part in gpt2.modules()] == before
    expected = np.exp(-np.concatenate(rows).mean())
    assert float(perplexity([-row for row in rows])["perplexity"]) == pytest.approx(expected)
    assert token_log_likelihoods(gpt2, bpe, [], []) == []


def test_a_tokenizer_that_puts_an_end_behind_a_text_puts_none_behind_the_prompt(bpe, decoder):
    from tokenizers import processors

    closing = train_bpe(TEXTS, vocabulary=300)
    closing.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    assert closing.encode("hello")[-1] == 2
    expected = log_likelihoods(decoder, bpe, ["hello"], [" world"])
    assert log_likelihoods(decoder, closing, ["hello"], [" world"]) == pytest.approx(expected)


@pytest.mark.parametrize("batch_tokens", [1, 10_000])
def test_pseudo_log_likelihood_masks_one_token_at_a_time(batch_tokens):
    wordpiece = train_wordpiece(TEXTS, vocabulary=80)
    model = sharpened(small_bert(len(wordpiece), **TINY, head="masked_lm", seed=0))
    texts = ["hello world", "the sea and the land about this", "a"]
    got = pseudo_log_likelihood(model, wordpiece, texts, batch_tokens=batch_tokens)
    for text, values in zip(texts, got, strict=True):
        row, expected = wordpiece.encode(text), []
        for place in range(1, len(row) - 1):
            masked = [*row]
            masked[place] = wordpiece.mask_token_id
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([masked])).logits[0, place]
            expected.append(torch.log_softmax(logits.double(), dim=0)[row[place]].item())
        np.testing.assert_allclose(values, expected, atol=2e-5, rtol=1e-5)
    assert pseudo_log_likelihood(model, wordpiece, []) == []


def test_pseudo_log_likelihood_refuses_what_cannot_be_masked(bpe, decoder):
    wordpiece = train_wordpiece(TEXTS, vocabulary=80)
    model = small_bert(len(wordpiece), layers=1, width=8, heads=1, positions=6, head="masked_lm", seed=0)
    with pytest.raises(ValueError, match="tokenizer must have a mask token"):
        pseudo_log_likelihood(model, bpe, ["a"])
    with pytest.raises(ValueError, match="masked-LM head, BertModel has none"):
        pseudo_log_likelihood(model.base_model, wordpiece, ["a"])
    with pytest.raises(ValueError, match="masked-LM head, LlamaForCausalLM has none"):
        pseudo_log_likelihood(decoder, wordpiece, ["a"])
    with pytest.raises(ValueError, match="text 1 must have one token or more, got ''"):
        pseudo_log_likelihood(model, wordpiece, ["a", ""])
    with pytest.raises(ValueError, match="text 0 has 7 tokens, the model has 6 positions"):
        pseudo_log_likelihood(model, wordpiece, ["the the the the the"])
    with pytest.raises(TypeError, match="text 0 must be a str, got list"):
        pseudo_log_likelihood(model, wordpiece, [[1, 2]])
    with pytest.raises(TypeError, match="texts must be a list, got one str"):
        pseudo_log_likelihood(model, wordpiece, "a")
    with pytest.raises(ValueError, match="batch_tokens must be a whole number, at least 1"):
        pseudo_log_likelihood(model, wordpiece, ["a"], batch_tokens=0)
    with torch.no_grad():
        model.base_model.embeddings.word_embeddings.weight[wordpiece.mask_token_id] = torch.nan
    with pytest.raises(ValueError, match="text 0: the log-likelihood of token 0 is not finite"):
        pseudo_log_likelihood(model, wordpiece, ["a"])


REFUSED = [
    (["a"], [" b", " c"], ValueError, "one for each continuation, got 1 for 2"),
    ("a", ["b"], TypeError, "prompts must be a list, got one str"),
    (["a"], "b", TypeError, "continuations must be a list, got one str"),
    (["a", 3], [" b", " c"], TypeError, "prompt 1 must be a str or a sequence of int, got 3"),
    (["a"], [[1.5]], TypeError, r"continuation 0 must be a str or a sequence of int, got \[1.5\]"),
    (["a"], [[True]], TypeError, "continuation 0 must be a str or a sequence of int"),
    (["a"], ["\ud800"], ValueError, "continuation 0 must be valid Unicode: lone surrogate at 0"),
    (["a"], [""], ValueError, "continuation 0 must have one token or more, got ''"),
    ([[]], [[5]], ValueError, "prompt 0 has no token"),
    (["a"], [[300]], ValueError, "continuation 0 has token 300, the model has 300 of them"),
    ([[-1]], [[5]], ValueError, "prompt 0 has token -1"),
    ([[5]], [" b"], TypeError, "continuation 0 must be tokens, as its prompt is"),
    (["this is "], ["a"], ValueError, "continuation 0 must begin with a new token: one lies across .*'this is '"),
    (["a" * 30], ["b" * 30], ValueError, "row 0: prompt and continuation has 61 tokens, the model has 40 positions"),
]


@pytest.mark.parametrize(("prompts", "continuations", "kind", "rule"), REFUSED, ids=[row[3] for row in REFUSED])
def test_what_has_no_likelihood_is_refused(bpe, decoder, prompts, continuations, kind, rule):
    with pytest.raises(kind, match=rule):
        token_log_likelihoods(decoder, bpe, prompts, continuations)


def test_a_model_or_tokenizer_that_cannot_is_refused(bpe, decoder, t5):
    with pytest.raises(ValueError, match=r"must have a language head .*LlamaModel has none"):
        token_log_likelihoods(decoder.base_model, bpe, ["a"], [" b"])
    with pytest.raises(ValueError, match="batch_tokens must be a whole number"):
        token_log_likelihoods(decoder, bpe, ["a"], [" b"], batch_tokens=0)
    broken = small_decoder(len(bpe), **TINY, seed=0)
    with torch.no_grad():
        broken.model.norm.weight[0] = torch.nan
    with pytest.raises(ValueError, match="continuation 0: the log-likelihood of token 0 is not finite"):
        token_log_likelihoods(broken, bpe, ["a"], [" b"])
    endless = small_decoder(len(bpe), **TINY, seed=0)
    endless.generation_config.eos_token_id = None
    bare = train_bpe(TEXTS, vocabulary=300)
    bare.eos_token = None
    with pytest.raises(ValueError, match="end=True needs a token that ends a text"):
        token_log_likelihoods(endless, bare, ["a"], [" b"], end=True)
    startless = small_t5(len(bpe), **TINY, seed=0)
    startless.config.decoder_start_token_id = startless.generation_config.decoder_start_token_id = None
    with pytest.raises(ValueError, match="names no decoder_start_token_id"):
        token_log_likelihoods(startless, bpe, ["a"], [" b"])
