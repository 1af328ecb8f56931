"""The step over exits against a loop that pools the model's own hidden states."""

import numpy as np
import pytest
import torch

from workbench.encoders import Encoder
from workbench.losses import cosent, distil_scores
from workbench.models.small import small_bert
from workbench.models.tokenizers import train_wordpiece
from workbench.training.exits import exits_step

LEFT = ["one two three", "two", "three one"]
RIGHT = ["one", "three two one two", "two two"]
BATCH = {"left": LEFT, "right": RIGHT, "score": np.array([2.0, 0.0, 1.0])}


@pytest.fixture(scope="module")
def encoder():
    tokenizer = train_wordpiece(LEFT + RIGHT, vocabulary=40, max_length=16)
    model = small_bert(len(tokenizer), layers=3, width=8, heads=2, positions=16, seed=0)
    return Encoder(model.eval(), tokenizer)


def loss(a, b, scores):
    return cosent(torch.cosine_similarity(a, b, dim=1), scores)


def pooled(encoder, text):
    """Mean over the tokens of one text after each layer, from transformers alone."""
    ids = encoder.tokenizer(text, return_tensors="pt")["input_ids"]
    return [h[0].mean(dim=0) for h in encoder.model(input_ids=ids, output_hidden_states=True).hidden_states]


def by_hand(encoder, exits, align=False):
    a, b = (
        [torch.stack(rows) for rows in zip(*(pooled(encoder, t) for t in side), strict=True)] for side in (LEFT, RIGHT)
    )
    top, total = max(layer for layer, _ in exits), 0.0
    for layer, size in exits:
        total += loss(a[layer][:, :size], b[layer][:, :size], torch.tensor(BATCH["score"]))
        if align and layer < top:
            rows, full = (torch.cat([a[n][:, :size], b[n][:, :size]]) for n in (layer, top))
            total += distil_scores(rows, full)
    return total


@pytest.mark.parametrize("exits", [[(3, 8)], [(1, 4), (3, 8), (2, 2)], [(0, 8), (2, 5)]])
@pytest.mark.parametrize("align", [None, distil_scores])
def test_the_step_is_the_sum_over_its_exits(encoder, exits, align):
    step = exits_step(loss, exits, columns=("left", "right"), given=("score",), align=align)
    torch.testing.assert_close(
        step(encoder, BATCH, {}), by_hand(encoder, exits, align is not None).to(torch.float32), check_dtype=False
    )


def test_exits_may_be_drawn_from_the_state(encoder):
    drawn = exits_step(loss, lambda state: state["exits"], columns=("left", "right"), given=("score",))
    for exits in ([(1, 4), (3, 8)], [(2, 8)]):
        got = drawn(encoder, BATCH, {"exits": exits})
        torch.testing.assert_close(got, by_hand(encoder, exits), check_dtype=False)


def test_layers_above_the_deepest_exit_get_no_gradient(encoder):
    step = exits_step(loss, [(1, 4), (2, 8)], columns=("left", "right"), given=("score",))
    encoder.model.zero_grad()
    step(encoder, BATCH, {}).backward()
    grads = [layer.attention.self.query.weight.grad for layer in encoder.model.encoder.layer]
    assert all(g is not None and g.abs().max() > 0 for g in grads[:2])
    assert grads[2] is None


def test_refused(encoder):
    with pytest.raises(ValueError, match="columns must name"):
        exits_step(loss, [(3, 8)], columns=())
    step = exits_step(loss, [(3, 8)], columns=("left", "right"), given=("score",))
    with pytest.raises(ValueError, match="equal length"):
        step(encoder, {**BATCH, "right": RIGHT[:2]}, {})
    with pytest.raises(KeyError, match="score"):
        step(encoder, {"left": LEFT, "right": RIGHT}, {})
    for exits, words in (
        ([(4, 8)], "between 0"),
        ([(3, 9)], r"1\.\.8"),
        ([(3, 8), (3, 8)], "once"),
        ([], "exits must"),
    ):
        with pytest.raises(ValueError, match=words):
            exits_step(loss, exits, columns=("left", "right"), given=("score",))(encoder, BATCH, {})
