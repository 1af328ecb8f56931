"""The loss of continuations against transformers' logits and numpy, text by text."""

import numpy as np
import pytest
import torch

from workbench.models import small_decoder, small_t5, train_bpe
from workbench.training import Batches, FitConfig, continuation_step, fit

PROMPTS = ['one : "', "one two three four", "two :"]
TEXTS = ["red", " green blue red", " blue"]


@pytest.fixture(scope="module")
def tokenizer():
    return train_bpe([a + b for a, b in zip(PROMPTS, TEXTS, strict=True)] * 3, vocabulary=290)


@pytest.fixture
def model(tokenizer):
    made = small_decoder(len(tokenizer), layers=2, width=16, heads=2, seed=0)
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(8 if weight.ndim == 2 else 1)
    return made


def by_hand(model, tokenizer, places):
    """Mean of -ln p over the tokens that `places(number of prompt tokens, number of tokens)` names, alone per text."""
    values = []
    for prompt, text in zip(PROMPTS, TEXTS, strict=True):
        begin, ids = len(tokenizer(prompt)["input_ids"]), tokenizer(prompt + text)["input_ids"]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0].double().numpy()
        for t in places(begin, len(ids)):
            row = logits[t - 1] - logits[t - 1].max()
            values.append(np.log(np.exp(row).sum()) - row[ids[t]])
    return float(np.mean(values))


@pytest.mark.parametrize("weight", [0.0, 1.0, 0.25])
def test_the_loss_is_that_of_each_text_alone(model, tokenizer, weight):
    state = {}
    step = continuation_step(tokenizer, prompt_weight=weight)
    loss = step(model, {"prompt": PROMPTS, "continuation": TEXTS}, state)
    answers = by_hand(model, tokenizer, range)
    everything = by_hand(model, tokenizer, lambda _begin, n: range(1, n))
    assert abs(answers - everything) > 0.01
    assert float(loss.detach()) == pytest.approx(answers + weight * everything, rel=1e-5)
    assert state["metrics"] == {"continuation": pytest.approx(answers, rel=1e-5)}


def test_a_decoder_learns_what_it_is_taught(model, tokenizer):
    batches = Batches({"prompt": PROMPTS, "continuation": TEXTS}, size=3)
    result = fit(model, batches, step=continuation_step(tokenizer), config=FitConfig(80, 1e-2), state={})
    losses = result.column("continuation")
    assert losses[-1] < 0.3 < 2 < losses[0]


def test_what_cannot_be_taught_is_refused(model, tokenizer):
    for weight in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="prompt_weight must be"):
            continuation_step(tokenizer, prompt_weight=weight)
    step = continuation_step(tokenizer)
    with pytest.raises(ValueError, match="is an encoder-decoder"):
        step(small_t5(99, layers=1, width=16, heads=2, seed=0), {"prompt": ["a"], "continuation": ["b"]}, {})
    with pytest.raises(ValueError, match="continuation 0 must have one token"):
        step(model, {"prompt": ["one"], "continuation": [""]}, {})
    with pytest.raises(TypeError, match="must be a str"):
        step(model, {"prompt": [3.5], "continuation": ["b"]}, {})
