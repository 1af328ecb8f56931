"""Embeddings with gradients against the model run row by row, the gradient cache against the whole batch."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.faults.tiny_bert import make_tiny_bert
from workbench.encoders import load_encoder
from workbench.losses import cosent, info_nce, triplet
from workbench.training import embed, embed_step

TEXTS = [f"text number {i}" + " rows" * (i % 9) for i in range(21)]
BATCH = {"anchor": TEXTS[:10], "positive": TEXTS[10:20]}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return load_encoder(str(make_tiny_bert(tmp_path_factory.mktemp("model"))), device="cpu")


def gradients(encoder, loss):
    encoder.parts.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in encoder.parts.named_parameters() if p.grad is not None}


def close(found, wanted, tolerance=1e-6):
    assert found.keys() == wanted.keys()
    scale = max(float(g.abs().max()) for g in wanted.values())
    assert scale > 0
    for name, grad in wanted.items():
        np.testing.assert_allclose(found[name], grad, rtol=0, atol=tolerance * max(scale, 1), err_msg=name)


def one_by_one(encoder, text):
    ids = encoder.tokenizer([text], return_tensors="pt")
    return encoder.model(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"])[0][0].mean(dim=0)


def test_embed_is_encode_with_gradients_row_by_row(encoder):
    rows = embed(encoder, TEXTS)
    np.testing.assert_allclose(rows.detach(), encoder.encode(TEXTS, normalize=False, store=False), atol=1e-6)
    weights = torch.linspace(-1, 1, len(TEXTS))[:, None]
    found = gradients(encoder, (rows.tanh() * weights).sum())
    wanted = gradients(encoder, (torch.stack([one_by_one(encoder, t) for t in TEXTS]).tanh() * weights).sum())
    close(found, wanted, 1e-5)


def test_layers_are_those_of_hidden_states(encoder):
    rows = embed(encoder, TEXTS, layers=[2, 0, 1])
    np.testing.assert_allclose(rows.detach(), encoder.hidden_states(TEXTS, layers=[2, 0, 1]), atol=1e-6)
    found = gradients(encoder, rows[1].square().sum())  # of the embeddings alone
    assert {name.split(".")[0] for name, grad in found.items() if grad.any()} == {"embeddings"}


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_chunked_loss_and_gradients_are_those_of_the_whole_batch_with_the_same_dropout(encoder, chunk, dropout):
    encoder.model.train()
    for module in encoder.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout

    def made(chunk_now):
        torch.manual_seed(1)
        parts = embed(encoder, BATCH["anchor"] + BATCH["positive"], chunk=chunk_now)
        loss = info_nce(*parts.split(10), symmetric=True) + cosent(parts[:10, 0].tanh(), parts[10:, 1])
        return float(loss.detach()), gradients(encoder, loss)

    try:
        # without chunks the parts would be others, so the whole graph of the same parts is kept as the oracle
        value, found = made(chunk)
        oracle, wanted = _kept(encoder, chunk)
    finally:
        encoder.model.eval()
    assert value == pytest.approx(oracle, abs=1e-6)
    close(found, wanted)


def _kept(encoder, chunk):
    from workbench.training import embedding

    torch.manual_seed(1)
    parts, run, order = embedding._plan(encoder, BATCH["anchor"] + BATCH["positive"], None, chunk)
    rows = torch.cat([run(part) for part in parts])[order]
    loss = info_nce(*rows.split(10), symmetric=True) + cosent(rows[:10, 0].tanh(), rows[10:, 1])
    return float(loss.detach()), gradients(encoder, loss)


@pytest.mark.parametrize("loss", [info_nce, lambda a, b: triplet(a, b, b.flip(0), margin=0.5)])
def test_chunk_without_dropout_changes_nothing(encoder, loss):
    plain = gradients(encoder, embed_step(loss)(encoder, BATCH, {}))
    close(gradients(encoder, embed_step(loss, chunk=4)(encoder, BATCH, {})), plain, 2e-6)


def test_chunk_under_autocast_runs_the_second_time_as_the_first(encoder):
    def made(chunk):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = embed_step(info_nce, chunk=chunk)(encoder, BATCH, {})
        return gradients(encoder, loss)

    whole, found = made(None), made(21)
    scale = max(float(g.abs().max()) for g in whole.values())
    for name, grad in whole.items():
        np.testing.assert_allclose(found[name], grad, rtol=0, atol=0.02 * scale, err_msg=name)


def test_chunk_of_a_module_holds_few_rows_at_a_time():
    class Counting(nn.Linear):
        most = 0

        def forward(self, x):
            self.most = max(self.most, len(x))
            return super().forward(x)

    torch.manual_seed(0)
    module, x = Counting(4, 3), torch.randn(50, 4)
    embed(module, x, chunk=8).square().sum().backward()
    found, module.weight.grad = module.weight.grad.clone(), None
    assert module.most == 8
    nn.functional.linear(x, module.weight, module.bias).square().sum().backward()
    np.testing.assert_allclose(found, module.weight.grad, rtol=1e-5)


def test_columns_go_to_the_modules_they_name_and_given_ones_to_the_loss():
    torch.manual_seed(0)
    modules = {"query": nn.Linear(4, 3), "document": nn.Linear(5, 3)}
    batch = {"q": torch.randn(6, 4), "d": torch.randn(6, 5), "score": np.linspace(0, 1, 6, dtype="f4")}

    def loss(q, d, score):
        return ((q * d).sum(dim=1) - score).square().mean()

    step = embed_step(loss, columns={"q": "query", "d": "document"}, given=("score",))
    expected = loss(modules["query"](batch["q"]), modules["document"](batch["d"]), torch.as_tensor(batch["score"]))
    assert step(modules, batch, {}).item() == pytest.approx(expected.item(), rel=1e-6)


def test_given_texts_reach_the_loss_as_they_are():
    seen = []

    def loss(a, b, source):
        seen.append(source)
        return (a * b).sum()

    batch = {"anchor": torch.ones(2, 3), "positive": torch.ones(2, 3), "source": ["x", "y"]}
    embed_step(loss, given=("source",))(nn.Linear(3, 3), batch, {})
    assert seen == [["x", "y"]]


def test_alignment_and_uniformity_are_watched():
    torch.manual_seed(0)
    batch = {"anchor": torch.randn(6, 4), "positive": torch.randn(6, 4)}
    state = {}
    embed_step(info_nce)(nn.Identity(), batch, state)
    a, b = ((x / x.norm(dim=1, keepdim=True)).numpy() for x in batch.values())
    pairs = [np.exp(-2 * np.square(a[i] - a[j]).sum()) for i in range(6) for j in range(i)]
    assert state["metrics"]["alignment"] == pytest.approx(np.square(a - b).sum(axis=1).mean(), rel=1e-5)
    assert state["metrics"]["uniformity"] == pytest.approx(np.log(np.mean(pairs)), rel=1e-5)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"anchor": ["a"]}, "lacks 'positive'"),
        ({"anchor": ["a"], "positive": ["b"], "label": [1]}, "has 'label', which the step does not know"),
        ({"anchor": ["a", "b"], "positive": ["b"]}, "equal length, got {'anchor': 2, 'positive': 1}"),
        ({"anchor": [], "positive": []}, "at least one row"),
        ({"anchor": ["text"], "positive": ["rows"]}, "at least 2 rows, got 1"),
    ],
)
def test_batches_that_do_not_fit_are_refused(encoder, batch, message):
    with pytest.raises(ValueError, match=message):
        embed_step(info_nce)(encoder, batch, {})


def test_what_cannot_be_embedded_is_refused(encoder):
    with pytest.raises(ValueError, match="at least one row"):
        embed(encoder, [])
    with pytest.raises(ValueError, match="chunk must be 1 or more, got 0"):
        embed(encoder, TEXTS, chunk=0)
    with pytest.raises(ValueError, match="layer must be between 0"):
        embed(encoder, TEXTS, layers=[3])
    with pytest.raises(ValueError, match="layers must be one or more"):
        embed(encoder, TEXTS, layers=[])
    with pytest.raises(ValueError, match="layers are of an Encoder, got Linear"):
        embed(nn.Linear(2, 2), torch.ones(2, 2), layers=[1])
    with pytest.raises(TypeError, match=r"an encoder or an nn.Module, got int"):
        embed(3, torch.ones(2, 2))
    with pytest.raises(TypeError, match="text 1 must be a str"):
        embed(encoder, ["a", 2])
    with pytest.raises(ValueError, match="each listed once"):
        embed_step(info_nce, columns=("a", "a"))
    with pytest.raises(ValueError, match="each listed once"):
        embed_step(info_nce, columns=("a", "b"), given=("b",))
    with pytest.raises(ValueError, match="chunk must be 1 or more"):
        embed_step(info_nce, chunk=0)
    with pytest.raises(KeyError, match="name the module 'query'"):
        embed_step(info_nce, columns={"a": "query", "b": "query"})(encoder, {"a": ["x"], "b": ["x"]}, {})
