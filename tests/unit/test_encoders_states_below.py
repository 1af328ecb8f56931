"""States kept below the last layers, against one pass of transformers for each text alone."""

import pytest
import torch

from workbench.encoders import Encoder, LastLayers
from workbench.encoders.states_below import StatesBelow
from workbench.models import small_bert, train_wordpiece

TEXTS = ["to sort a list", "a", "to read a file of many words and to close it again", "", "a"]
LAYERS = 3


@pytest.fixture
def encoder():
    tokenizer = train_wordpiece(TEXTS * 3, vocabulary=120, max_length=64)
    model = small_bert(len(tokenizer), layers=LAYERS, width=16, heads=2, positions=64, seed=0)
    return Encoder(model, tokenizer)


def passed(encoder, text):
    with torch.no_grad():
        read = encoder.tokenizer(text, return_tensors="pt")
        return encoder.model.eval()(**read, output_hidden_states=True).hidden_states


@pytest.mark.parametrize("count", [1, 2, LAYERS])
def test_the_states_are_those_of_the_layer_below(encoder, count):
    for text, states in zip(TEXTS, StatesBelow(encoder, count)(TEXTS), strict=True):
        torch.testing.assert_close(states, passed(encoder, text)[LAYERS - count][0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("count", [1, LAYERS])
def test_the_vectors_are_means_of_the_last_states(encoder, count):
    last = LastLayers(encoder, count).train()
    found = StatesBelow(encoder, count).vectors(last, TEXTS)
    wanted = torch.stack([passed(encoder, text)[-1][0].mean(dim=0) for text in TEXTS])
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    assert not found.requires_grad
    assert last.training, "the mode is put back"


def test_a_text_is_run_once(encoder, monkeypatch):
    kept, asked = StatesBelow(encoder, 2), []
    run = Encoder.token_states
    watched = lambda self, texts, **how: asked.extend(texts) or run(self, texts, **how)  # noqa: E731
    monkeypatch.setattr(Encoder, "token_states", watched)
    first = kept(TEXTS[:2])
    again = kept([*TEXTS, "to sort"])
    assert asked == [*TEXTS[:4], "to sort"]
    assert len(kept) == 5
    assert again[0] is first[0]
    assert kept([]) == []


def test_refused(encoder):
    for count in (0, LAYERS + 1):
        with pytest.raises(ValueError, match=f"between 1 and {LAYERS}.* got {count}"):
            StatesBelow(encoder, count)
    with pytest.raises(TypeError, match="put it in a list"):
        StatesBelow(encoder, 1)("a text")
    with pytest.raises(TypeError, match="text 1 must be a str"):
        StatesBelow(encoder, 1)(["a", 3])
    with pytest.raises(ValueError, match="text 0 must be valid Unicode"):
        StatesBelow(encoder, 1)(["\ud800"])
