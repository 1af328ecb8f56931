"""Surgery against models put together by hand, transformers' own initialisation, and the model before."""

import copy

import numpy as np
import pytest
import torch
import transformers as hf
from torch import nn

from workbench.encoders import Encoder
from workbench.models.layers import layer_stack
from workbench.models.surgery import ExpertLinear, copy_layers, freeze, mlp_experts, reinitialise, scale_depth

SMALL = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "initializer_range": 0.3,
}
ENDS = {"bos_token_id": 1, "eos_token_id": 2}
SPECIAL = {"cls_token_id": 1, "sep_token_id": 2, "global_attn_every_n_layers": 3}
T5 = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 4, "num_heads": 2}
KINDS = {
    "bert": lambda **more: hf.BertModel(hf.BertConfig(**SMALL | more)),
    "masked": lambda **more: hf.BertForMaskedLM(hf.BertConfig(**SMALL | more)),
    "distilbert": lambda **more: hf.DistilBertModel(
        hf.DistilBertConfig(**{"vocab_size": 50, "dim": 16, "hidden_dim": 24, "n_layers": 4, "n_heads": 2} | more)
    ),
    "llama": lambda **more: hf.LlamaModel(hf.LlamaConfig(**SMALL | ENDS | more)),
    "causal": lambda **more: hf.LlamaForCausalLM(hf.LlamaConfig(**SMALL | ENDS | more)),
    "qwen2": lambda **more: hf.Qwen2Model(hf.Qwen2Config(**SMALL | ENDS | {"num_key_value_heads": 2} | more)),
    "modernbert": lambda **more: hf.ModernBertModel(hf.ModernBertConfig(**SMALL | ENDS | SPECIAL | more)),
    "t5": lambda **more: hf.T5EncoderModel(hf.T5Config(**T5 | more)),
}


def build(kind, seed=0, **more):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = KINDS[kind](**more).eval()
        with torch.no_grad():
            for p in model.parameters():  # norms and biases too: ones and zeros hide mistakes
                p.add_(0.1 * torch.randn(p.shape))
    return model


IDS = torch.randint(5, 50, (3, 7), generator=torch.Generator().manual_seed(1))


def run(model, ids=IDS):
    with torch.no_grad():
        return model(input_ids=ids)[0]


def by_hand(kind, model, numbers, **more):
    """A model of that depth built by transformers, with the layers' weights put in by their names."""
    key = {"distilbert": "n_layers", "t5": "num_layers"}.get(kind, "num_hidden_layers")
    new = build(kind, 9, **{key: len(numbers)}, **more)
    path = next(n for n, m in new.named_modules() if isinstance(m, nn.ModuleList) and len(m) == len(numbers))
    old = model.state_dict()
    state = {name: x for name, x in old.items() if not name.startswith(path + ".")}
    for place, number in enumerate(numbers):
        start = f"{path}.{number}."
        state |= {f"{path}.{place}.{n.removeprefix(start)}": x for n, x in old.items() if n.startswith(start)}
    new.load_state_dict(state)
    return new


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "modernbert"])
@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"repeat": range(1, 3)}, [0, 1, 2, 1, 2, 3]),
        ({"keep": [0, 3]}, [0, 3]),
        ({"keep": [0, 1, 1, 2, 2, 3]}, [0, 1, 1, 2, 2, 3]),
    ],
)
def test_a_scaled_model_is_the_one_built_by_hand(kind, options, numbers, tmp_path):
    model = build(kind)
    before = run(model)
    new = scale_depth(model, **options)
    expected = run(by_hand(kind, model, numbers))
    torch.testing.assert_close(run(new), expected)
    assert len(layer_stack(new)) == new.config.num_hidden_layers == len(numbers)
    assert len({id(p) for p in layer_stack(new).parameters()}) == len(list(layer_stack(new).parameters()))
    assert len({p.data_ptr() for p in new.parameters()}) == len(list(new.parameters()))
    new.save_pretrained(tmp_path)
    torch.testing.assert_close(run(type(new).from_pretrained(tmp_path).eval()), expected)
    with torch.no_grad():
        for p in new.parameters():
            p.zero_()
    torch.testing.assert_close(run(model), before, atol=0, rtol=0)


def test_layers_of_kinds_keep_their_kinds(tmp_path):
    """ModernBERT attends globally in every third layer; its first layer has no norm of its own."""
    model = build("modernbert", local_attention=2)
    new = scale_depth(model, repeat=[1, 2, 3])
    assert [x[0] for x in new.config.layer_types] == list("fssfssf")
    kinds = ["full_attention" if x == "f" else "sliding_attention" for x in "fssfssf"]
    expected = run(by_hand("modernbert", model, [0, 1, 2, 3, 1, 2, 3], local_attention=2, layer_types=kinds))
    torch.testing.assert_close(run(new), expected)
    new.save_pretrained(tmp_path)
    torch.testing.assert_close(run(hf.ModernBertModel.from_pretrained(tmp_path).eval()), expected)


def test_an_upscaled_decoder_generates_with_its_cache_as_without():
    model = scale_depth(build("causal"), repeat=[1, 2])
    options = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}
    cached, plain = (model.generate(IDS, use_cache=use, **options) for use in (True, False))
    assert torch.equal(cached, plain)
    assert [m.layer_idx for m in model.modules() if hasattr(m, "layer_idx")] == list(range(6))


def test_an_encoder_takes_an_upscaled_model(enc):
    new = scale_depth(enc.whole_model, repeat=[2, 3])
    bigger = Encoder(new, enc.tokenizer)
    assert bigger.n_layers == 8
    states = bigger.hidden_states(["the cats were running"])
    np.testing.assert_allclose(states[:5], enc.hidden_states(["the cats were running"])[:5], atol=1e-6)
    cut = scale_depth(Encoder(enc.whole_model, enc.tokenizer, options={"layers": 3}).model, keep=[0, 1, 2, 2])
    assert Encoder(cut, enc.tokenizer).n_layers == 4


@pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
def test_layers_are_copied_where_the_mapping_says(kind):
    source, target = build(kind, 1), build(kind, 2)
    mine = copy.deepcopy(target)
    assert copy_layers(source, target, {0: 0, 1: 3}) is target
    for to, start in {0: 0, 1: 3}.items():
        for name, x in layer_stack(target)[to].state_dict().items():
            assert torch.equal(x, layer_stack(source)[start].state_dict()[name]), name
    for number in (2, 3):
        for name, x in layer_stack(target)[number].state_dict().items():
            assert torch.equal(x, layer_stack(mine)[number].state_dict()[name])
    with torch.no_grad():
        next(layer_stack(target)[0].parameters()).zero_()  # a copy, not the same tensor
    assert next(layer_stack(source)[0].parameters()).abs().sum() > 0


def test_a_student_takes_embeddings_too_and_layers_may_change_places():
    teacher, student = build("masked", 1), build("bert", 2, num_hidden_layers=2)
    copy_layers(teacher, student, {0: 1, 1: 3}, also=["embeddings"])
    hidden = scale_depth(teacher.bert, keep=[1, 3])
    torch.testing.assert_close(run(student), run(hidden))
    swapped = copy.deepcopy(student)
    copy_layers(swapped, swapped, {0: 1, 1: 0})
    for a, b in ((0, 1), (1, 0)):
        for name, x in layer_stack(swapped)[a].state_dict().items():
            assert torch.equal(x, layer_stack(student)[b].state_dict()[name])


@pytest.mark.parametrize("kind", ["bert", "llama", "t5", "modernbert"])
def test_layers_are_drawn_as_the_model_draws_them(kind, tmp_path):
    build(kind).save_pretrained(tmp_path)
    model = type(build(kind)).from_pretrained(tmp_path).eval()  # weights that transformers will not touch again
    before = {name: x.clone() for name, x in model.state_dict().items()}
    torch.manual_seed(3)
    rng = torch.get_rng_state()
    count = reinitialise(model, layers=[1, 2], seed=0)
    assert torch.equal(torch.get_rng_state(), rng)
    stack, fresh = layer_stack(model), layer_stack(KINDS[kind]())
    assert count == sum(p.numel() for i in (1, 2) for p in stack[i].parameters())
    for i in (1, 2):
        for (name, got), (_, own) in zip(stack[i].named_parameters(), fresh[i].named_parameters(), strict=True):
            if own.std() == 0:  # a bias, a norm
                assert torch.equal(got, own), name
            else:
                assert abs(float((got.std() / own.std()).detach()) - 1) < 0.35, name
                assert abs(float((got.mean() / own.std()).detach())) < 0.35, name
    for name, x in model.state_dict().items():
        layer = any(x.data_ptr() == y.data_ptr() for i in (1, 2) for y in stack[i].state_dict().values())
        assert layer or torch.equal(x, before[name]), name
    again = type(model).from_pretrained(tmp_path)
    reinitialise(again, layers=[1, 2], seed=0)
    torch.testing.assert_close(again.state_dict(), model.state_dict(), atol=0, rtol=0)
    reinitialise(again, layers=[1, 2], seed=1)
    assert not torch.equal(run(again.eval()), run(model))


def test_submodules_are_drawn_anew_by_name():
    model = build("bert")
    rest = {name: x.clone() for name, x in model.state_dict().items() if not name.startswith("pooler")}
    assert reinitialise(model, names=["pooler."], seed=0) == 16 * 16 + 16
    assert not model.pooler.dense.bias.any()
    for name, x in rest.items():
        assert torch.equal(model.state_dict()[name], x)


def test_freezing_stops_what_it_names_and_counts():
    model = build("masked")
    assert freeze(model, "bert.embeddings", "bert.encoder.layer.1.") == (50 + 32 + 2 + 2) * 16 + sum(
        p.numel() for p in layer_stack(model)[1].parameters()
    )
    for name, p in model.named_parameters():
        assert p.requires_grad != name.startswith(("bert.embeddings.", "bert.encoder.layer.1.")), name
    tied = build("masked")
    assert freeze(tied, "cls.predictions.decoder.weight", "bert.embeddings.word_embeddings") == 50 * 16  # one tensor
    assert freeze(tied, "") == sum(p.numel() for p in tied.parameters())
    assert not any(p.requires_grad for p in tied.parameters())


def test_a_name_ends_at_a_dot():
    model = build("bert", num_hidden_layers=11)
    freeze(model, "encoder.layer.1")
    assert layer_stack(model)[10].output.dense.weight.requires_grad


MLPS = {"bert": 1, "distilbert": 1, "llama": 2, "qwen2": 2, "modernbert": 1, "t5": 1, "causal": 2}


@pytest.mark.parametrize("kind", MLPS)
@pytest.mark.parametrize("options", [{"tokens": [3, 4, 7]}, {}, {"top": 2}, {"tokens": [3, 4, 7], "layers": [2]}])
def test_right_after_surgery_the_outputs_are_the_models_own(kind, options):
    model = build(kind).double()
    ids = IDS.clone()
    ids[:, 1] = torch.tensor([7, 3, 7])
    new = mlp_experts(model, experts=3, **options)
    torch.testing.assert_close(run(new, ids), run(model, ids), atol=1e-12, rtol=1e-12)
    single = run(mlp_experts(model.float(), experts=3, **options), ids)
    assert (single - run(model, ids)).abs().max() <= 1e-6 * run(model, ids).abs().max()
    made = [m for m in new.modules() if isinstance(m, ExpertLinear)]
    assert len(made) == (MLPS[kind] + 1) * len(options.get("layers", range(4)))
    assert not any(isinstance(m, ExpertLinear) for m in model.modules())
    again = copy.deepcopy(new)  # after a forward pass with a graph
    again.train()(input_ids=ids)[0].sum().backward()
    copy.deepcopy(again)


def stirred(model, seed=5):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for m in model.modules():
            if isinstance(m, ExpertLinear):
                for p in m.parameters():
                    p.add_(0.3 * torch.randn(p.shape, generator=generator))
    return model


def with_expert(model, experts, number):
    """The plain model with one expert's weights in its MLPs."""
    plain = copy.deepcopy(model)
    for name, m in experts.named_modules():
        if isinstance(m, ExpertLinear):
            linear = plain.get_submodule(name)
            with torch.no_grad():
                linear.weight.copy_(m.weight[number])
                if m.bias is not None:
                    linear.bias.copy_(m.bias[number])
    return plain


@pytest.mark.parametrize("kind", ["bert", "llama", "t5"])
def test_a_text_goes_through_the_expert_that_its_token_names(kind):
    model, tokens = build(kind), [3, 4, 2]
    new = stirred(mlp_experts(model, experts=3, tokens=tokens))
    ids = IDS.clone()
    for row, asked in enumerate([2, 0, 2]):
        ids[row, 1] = tokens[asked]
    ids[0, 4] = tokens[0]  # the first one counts
    got = run(new, ids)
    for row, asked in enumerate([2, 0, 2]):
        torch.testing.assert_close(
            got[row], run(with_expert(model, new, asked), ids[row : row + 1])[0], atol=1e-5, rtol=1e-4
        )
    assert not torch.allclose(got[0], run(with_expert(model, new, 0), ids[:1])[0], atol=1e-2)
    run(new, ids)
    new(input_ids=ids)[0].square().sum().backward()
    for m in new.modules():
        if isinstance(m, ExpertLinear):
            assert [bool(g.any()) for g in m.weight.grad] == [True, False, True]
    with pytest.raises(ValueError, match=r"row 1 has none of the experts' tokens \[3, 4, 2\]"):
        new(input_ids=torch.tensor([[4, 9], [9, 9]]))


@pytest.mark.parametrize("top", [1, 2, 3])
@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_a_router_mixes_the_best_experts_of_each_token(kind, top):
    """One layer's MLP against a loop over tokens and experts."""
    model = build(kind)
    new = stirred(mlp_experts(model, experts=3, top=top, seed=1))
    layer, x = layer_stack(new)[1], torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    first = layer.intermediate.dense if kind == "bert" else layer.mlp.gate_proj

    def mlp(h, e):
        if kind == "bert":
            up, down = layer.intermediate.dense, layer.output.dense
            return nn.functional.gelu(h @ up.weight[e].T + up.bias[e]) @ down.weight[e].T + down.bias[e]
        m = layer.mlp
        gated = nn.functional.silu(h @ m.gate_proj.weight[e].T) * (h @ m.up_proj.weight[e].T)
        return gated @ m.down_proj.weight[e].T

    expected = torch.zeros_like(x)
    for n in range(2):
        for t in range(5):
            logits = first.router.weight @ x[n, t]
            best = logits.argsort(descending=True)[:top].tolist()
            shares = logits[best].exp() / logits[best].exp().sum()
            expected[n, t] = sum(s * mlp(x[n, t], e) for s, e in zip(shares, best, strict=True))
    with torch.no_grad():
        if kind == "bert":
            got = layer.output.LayerNorm(layer.output.dense(layer.intermediate(x)))
            expected = layer.output.LayerNorm(expected)
        else:
            got = layer.mlp(x)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)
    new(input_ids=IDS)[0].square().sum().backward()
    assert first.router.weight.grad.abs().max() > 0


def test_one_expert_per_token_gives_its_router_the_gradient_of_the_probability():
    """d(p_best / p_best.detach() * y) / d logits = y (onehot - p), by hand."""
    new = stirred(mlp_experts(build("llama"), experts=3, seed=1))
    mlp = layer_stack(new)[0].mlp
    x = torch.randn(1, 1, 16, generator=torch.Generator().manual_seed(0))
    out = mlp(x)
    out.sum().backward()
    p = (mlp.gate_proj.router.weight.detach() @ x[0, 0]).softmax(dim=0)
    slope = out.detach().sum() * (nn.functional.one_hot(p.argmax(), 3) - p)
    torch.testing.assert_close(mlp.gate_proj.router.weight.grad, slope[:, None] * x[0, 0], atol=1e-5, rtol=1e-4)


def test_routers_are_drawn_by_their_seed():
    def router(seed):
        return layer_stack(mlp_experts(build("llama"), experts=2, seed=seed))[0].mlp.gate_proj.router.weight

    assert torch.equal(router(0), router(0))
    assert not torch.equal(router(0), router(1))


def test_experts_in_an_encoder_and_its_store(enc):
    """The store is used, and tells one surgery from another."""
    tokens = enc.tokenizer.convert_tokens_to_ids(["[unused1]", "[unused2]"])
    new = Encoder(stirred(mlp_experts(enc.whole_model, experts=2, tokens=tokens)), enc.tokenizer)
    ids = [[101, token, 2300, 2003, 102] for token in tokens]
    with torch.no_grad():
        rows = new.pooled(ids)
    assert not torch.allclose(rows[0], rows[1], atol=1e-2)
    one = mlp_experts(enc.whole_model, experts=2, top=1)
    two = mlp_experts(enc.whole_model, experts=2, top=2)
    other = mlp_experts(enc.whole_model, experts=2, tokens=tokens[::-1])
    marks = {Encoder(m, enc.tokenizer).fingerprint for m in (enc.whole_model, one, two, other, new.whole_model)}
    assert len(marks) == 5
    texts = ["the cats were running", "a b"]
    routed = Encoder(stirred(two), enc.tokenizer)
    first = routed.encode(texts)
    np.testing.assert_allclose(routed.encode(texts[:1], store=False), first[:1], atol=1e-5)
    assert routed.stores


def test_weights_of_experts_load_into_the_same_surgery():
    new = stirred(mlp_experts(build("bert"), experts=2, tokens=[3, 4]))
    other = mlp_experts(build("bert", 7), experts=2, tokens=[3, 4])
    other.load_state_dict(new.state_dict())
    ids = IDS.clone()
    ids[:, 0] = 4
    torch.testing.assert_close(run(other, ids), run(new, ids), atol=0, rtol=0)


BERT = build("bert")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: copy_layers(BERT, BERT, {0: 4}), "layer of the source must be between 0 and 3, got 4"),
        (lambda: copy_layers(BERT, BERT, {-1: 0}), "layer of the target must be between 0 and 3, got -1"),
        (lambda: copy_layers(BERT, build("llama"), {0: 0}), "cannot copy layer 0 onto 0: .* is on one side only"),
        (
            lambda: copy_layers(BERT, build("bert", hidden_size=8), {1: 2}),
            r"cannot copy layer 2 onto 1: .* is \(16, 16\) there and \(8, 8\) here",
        ),
        (lambda: copy_layers(BERT, BERT, {}, also=["embedings"]), "'embedings'; the nearest is 'embeddings'"),
        (lambda: scale_depth(BERT), "either keep or repeat"),
        (lambda: scale_depth(BERT, keep=[0], repeat=[1]), "either keep or repeat"),
        (lambda: scale_depth(BERT, keep=[]), "keep must name at least one layer"),
        (lambda: scale_depth(BERT, repeat=[]), "repeat must name at least one layer"),
        (lambda: scale_depth(BERT, keep=[0, 4]), "layer of the model must be between 0 and 3, got 4"),
        (lambda: scale_depth(BERT, repeat=[0, 2]), r"follow each other, got \[0, 2\]"),
        (lambda: scale_depth(build("t5"), keep=[1, 2]), "layer 0 of T5Block has weights of its own"),
        (lambda: scale_depth(build("modernbert"), keep=[0, 0, 1]), "must stay first and be there once"),
        (lambda: reinitialise(BERT, seed=0), "none were given"),
        (lambda: reinitialise(BERT, layers=[4], seed=0), "between 0 and 3, got 4"),
        (lambda: reinitialise(BERT, names=["poler"], seed=0), "'poler'; the nearest is 'pooler'"),
        (lambda: freeze(BERT), "no name was given"),
        (lambda: freeze(BERT, "encoder.layers"), "'encoder.layers'; the nearest is 'encoder.layer'"),
        (lambda: mlp_experts(BERT, experts=1), "experts must be at least 2, got 1"),
        (lambda: mlp_experts(BERT, experts=2, tokens=[3]), r"2 distinct ids, one per expert, got \[3\]"),
        (lambda: mlp_experts(BERT, experts=2, tokens=[3, 3]), r"2 distinct ids, one per expert, got \[3, 3\]"),
        (lambda: mlp_experts(BERT, experts=2, tokens=[3, 50]), "below 50, the vocabulary, got 50"),
        (lambda: mlp_experts(BERT, experts=2, layers=[1, 4]), r"between 0 and 3, got \[1, 4\]"),
        (lambda: mlp_experts(BERT, experts=2, layers=[1, 1]), r"distinct and between 0 and 3, got \[1, 1\]"),
        (lambda: mlp_experts(BERT, experts=2, top=3), "top must be between 1 and 2, and 1 with tokens, got 3"),
        (lambda: mlp_experts(BERT, experts=2, tokens=[3, 4], top=2), "and 1 with tokens, got 2"),
        (
            lambda: mlp_experts(hf.GPT2Model(hf.GPT2Config(n_embd=8, n_layer=2, n_head=2, vocab_size=9)), experts=2),
            r"layer 0 \(GPT2Block\) has no MLP of nn.Linear",
        ),
        (
            lambda: mlp_experts(mlp_experts(BERT, experts=2, tokens=[3, 4], layers=[0]), experts=2, tokens=[3, 4]),
            "plain nn.Embedding of the words, got _ReadingEmbedding",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused(call, message):
    before = {name: x.clone() for name, x in BERT.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        call()
    torch.testing.assert_close(dict(BERT.state_dict()), before, atol=0, rtol=0)
    assert all(p.requires_grad for p in BERT.parameters())
