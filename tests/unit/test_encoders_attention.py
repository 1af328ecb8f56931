"""Attention temperature and maps, against transformers' own eager attention and against scaled weights."""

import copy

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaModel,
    MistralConfig,
    MistralModel,
    ModernBertConfig,
    ModernBertModel,
    MPNetConfig,
    MPNetModel,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from workbench.encoders import attention_temperature
from workbench.encoders.attention import attention_maps, temperature_of

SMALL = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = {**SMALL, "num_key_value_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.3}
ENCODER = {**SMALL, "max_position_embeddings": 64, "initializer_range": 0.3}
MODELS = {
    "bert": (BertModel, BertConfig(**ENCODER)),
    "xlm-r": (XLMRobertaModel, XLMRobertaConfig(**ENCODER)),
    "modernbert": (
        ModernBertModel,
        ModernBertConfig(**ENCODER, local_attention=4, cls_token_id=1, sep_token_id=2),
    ),
    "llama": (LlamaModel, LlamaConfig(**GROUPED)),
    "qwen3": (Qwen3Model, Qwen3Config(**GROUPED, head_dim=8)),
    "mistral": (MistralModel, MistralConfig(**GROUPED, sliding_window=3)),
}
DECODERS = {"llama", "qwen3", "mistral"}


def build(name):
    kind, config = MODELS[name]
    torch.manual_seed(0)
    return kind(copy.deepcopy(config)).eval()


def padded(name, lengths=(9, 5, 2)):
    """Ids and mask; decoders padded on the left, where a wrong mask shows."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        place = slice(max(lengths) - length, None) if name in DECODERS else slice(length)
        ids[row, place] = torch.randint(3, 97, (length,), generator=generator)
        mask[row, place] = 1
    return ids, mask


def run(model, ids, mask):
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask)[0]


def one_text(length=7):
    ids = torch.randint(3, 97, (1, length), generator=torch.Generator().manual_seed(2))
    return ids, torch.ones_like(ids)


@pytest.mark.parametrize("name", MODELS)
def test_a_temperature_of_1_changes_no_bit_of_a_padded_batch(name):
    model, (ids, mask) = build(name), padded(name)
    plain = run(model, ids, mask)
    with attention_temperature(model, 1):
        assert torch.equal(run(model, ids, mask), plain)


@pytest.mark.parametrize("name", MODELS)
def test_behind_the_block_everything_is_as_before_also_after_an_error(name):
    model, (ids, mask) = build(name), padded(name)
    plain, before = run(model, ids, mask), model.config._attn_implementation
    inside = []

    def stop():
        inside.append(run(model, ids, mask))
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"), attention_temperature(model, 0.3):
        stop()
    assert not torch.allclose(inside[0][mask.bool()], plain[mask.bool()], atol=1e-4)
    assert torch.equal(run(model, ids, mask), plain)
    assert model.config._attn_implementation == before
    assert temperature_of(model) == 1.0


@pytest.mark.parametrize("name", MODELS)
def test_a_temperature_towards_0_gives_one_hot_rows(name):
    model = build(name)
    with attention_temperature(model, 1e-7):
        maps = attention_maps(model, one_text(), layers=None)
    assert maps.shape == (3, 4, 7, 7)
    np.testing.assert_allclose(maps.max(axis=-1), 1.0, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_temperature_of_a_padded_batch_is_that_of_each_text_alone(name):
    model, (ids, mask) = build(name), padded(name)
    with attention_temperature(model, 0.4):
        together = run(model, ids, mask)
        for row in range(len(ids)):
            kept = mask[row].bool()
            alone = run(model, ids[row : row + 1, kept], mask[row : row + 1, kept])
            torch.testing.assert_close(together[row, kept], alone[0], atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("tau", [0.5, 2.0])
def test_bert_at_tau_is_bert_with_queries_divided_by_tau(tau):
    model, (ids, mask) = build("bert"), padded("bert")
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        for layer in scaled.encoder.layer:
            layer.attention.self.query.weight.div_(tau)
            layer.attention.self.query.bias.div_(tau)
    expected = run(scaled, ids, mask)
    assert not torch.allclose(expected, run(model, ids, mask), atol=1e-3)
    with attention_temperature(model, tau):
        torch.testing.assert_close(run(model, ids, mask), expected, atol=1e-5, rtol=0)


def test_t5_at_tau_divides_its_position_bias_too_and_its_maps_are_refused():
    torch.manual_seed(0)
    config = T5Config(vocab_size=97, d_model=32, d_kv=8, d_ff=48, num_layers=3, num_heads=4)
    model = T5EncoderModel(config).eval()
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        for block in scaled.encoder.block:
            block.layer[0].SelfAttention.q.weight.div_(0.5)
        scaled.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight.div_(0.5)
    ids, mask = padded("t5")
    with attention_temperature(model, 0.5):
        torch.testing.assert_close(run(model, ids, mask), run(scaled, ids, mask), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="position bias"):
        attention_maps(model, one_text(), layers=None)


@pytest.mark.parametrize("name", MODELS)
def test_maps_are_those_of_eager_attention(name):
    model, (ids, mask) = build(name), one_text()
    maps = attention_maps(model, (ids, mask), layers=None)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask, output_attentions=True).attentions
    for layer in range(3):
        np.testing.assert_allclose(maps[layer], expected[layer][0].numpy(), atol=1e-6)
    np.testing.assert_allclose(maps.sum(axis=-1), 1.0, atol=1e-5)


def test_maps_of_chosen_layers_come_in_the_order_asked_for():
    model = build("bert")
    whole = attention_maps(model, one_text(), layers=None)
    np.testing.assert_array_equal(attention_maps(model, one_text(), layers=[2, 0]), whole[[2, 0]])
    with pytest.raises(ValueError, match="between 0 and 2, got 3"):
        attention_maps(model, one_text(), layers=[3])


def test_rows_that_may_attend_to_nothing_are_0_not_nan():
    ids, mask = padded("mistral", lengths=(3, 9))
    maps = attention_maps(build("mistral"), (ids, mask), layers=None)  # the first text has 6 pads on its left
    assert np.isfinite(maps).all()
    assert (maps[:, :, :6].sum(axis=-1) == 0).any()
    np.testing.assert_allclose(maps[:, :, 6:].sum(axis=-1), 1.0, atol=1e-5)


def test_two_models_keep_their_own_temperature_even_with_one_configuration_between_them():
    torch.manual_seed(0)
    config = BertConfig(**ENCODER)
    first, second = BertModel(config).eval(), BertModel(config).eval()
    ids, mask = padded("bert")
    plain = run(first, ids, mask), run(second, ids, mask)
    with attention_temperature(first, 0.5):
        cold = run(first, ids, mask)
        assert torch.equal(run(second, ids, mask), plain[1])
        with attention_temperature(second, 3.0):
            assert torch.equal(run(first, ids, mask), cold)
            assert not torch.equal(run(second, ids, mask), plain[1])
        assert torch.equal(run(first, ids, mask), cold)
        assert torch.equal(run(second, ids, mask), plain[1])
    assert torch.equal(run(first, ids, mask), plain[0])


def test_an_inner_block_replaces_the_outer_one():
    model, (ids, mask) = build("bert"), padded("bert")
    with attention_temperature(model, 0.5):
        alone = run(model, ids, mask)
    with attention_temperature(model, 4.0):
        outer = run(model, ids, mask)
        with attention_temperature(model, 0.5):
            assert temperature_of(model) == 0.5
            assert torch.equal(run(model, ids, mask), alone)
        assert torch.equal(run(model, ids, mask), outer)


def test_gradients_flow_and_the_random_state_is_left_alone():
    model, (ids, mask) = build("bert").train(), padded("bert")
    state = torch.get_rng_state()
    with attention_temperature(model, 0.5):
        assert torch.equal(torch.get_rng_state(), state)
        assert model.training
        model(input_ids=ids, attention_mask=mask)[0].square().sum().backward()
    assert model.encoder.layer[0].attention.self.query.weight.grad.abs().sum() > 0


def test_a_model_whose_attention_is_out_of_reach_is_refused():
    model = MPNetModel(MPNetConfig(**ENCODER)).eval()
    with (
        pytest.raises(ValueError, match="MPNetModel made 0 attention calls for 3 layers"),
        attention_temperature(model, 2),
    ):
        pass
    with pytest.raises(ValueError, match="0 attention calls"):
        attention_maps(model, one_text(), layers=None)


def test_a_bias_hidden_in_the_mask_is_refused():
    model = build("bert")
    bias = torch.zeros(1, 1, 7, 7)
    with attention_temperature(model, 0.5), pytest.raises(ValueError, match="bias within its mask"):
        run(model, one_text()[0], bias)


@pytest.mark.parametrize("tau", [0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_not_above_0_and_finite_is_refused(tau):
    with pytest.raises(ValueError, match="tau must be above 0 and finite"), attention_temperature(build("bert"), tau):
        pass


@pytest.mark.parametrize("tau", ["0.5", None, True])
def test_a_temperature_that_is_no_number_is_refused(tau):
    with pytest.raises(TypeError, match="tau"), attention_temperature(build("bert"), tau):
        pass
