"""Trained poolings against numpy loops, and inside an encoder against transformers' own states."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.mutants import killed
from workbench.encoders import Encoder
from workbench.encoders.pooling import through, token_pooled
from workbench.models import heads
from workbench.models.heads import LatentAttention, LatentQueries, LayerMix, TokenPooling

D, HEADS, LAYERS = 8, 2, 3
LENGTHS = [4, 1, 3]


def states(seed=0, layers=None):
    shape = (len(LENGTHS), 4, D) if layers is None else (layers, len(LENGTHS), 4, D)
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


MASK = torch.tensor([[i < n for i in range(4)] for n in LENGTHS])


def stirred(head, seed=3):
    """Every parameter random, in float64: fresh heads have zeros and ones that hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in head.double().parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return head


def norm(x, module=None):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x if module is None else x * module.weight.detach().numpy() + module.bias.detach().numpy()


def weight(linear):
    return linear.weight.detach().numpy().T


def attended(block, queries, context):
    """queries (a, D), context (b, D): row by row, head by head."""
    q = norm(queries, block.norm_queries) @ weight(block.to_queries)
    about = norm(context, block.norm_context)
    k, v, size = about @ weight(block.to_keys), about @ weight(block.to_values), D // HEADS
    out = np.zeros_like(queries)
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(q)):
            scores = np.array([q[i, part] @ k[j, part] for j in range(len(k))]) / math.sqrt(size)
            shares = np.exp(scores - scores.max())
            out[i, part] = shares @ v[:, part] / shares.sum()
    return queries + out @ weight(block.out)


def fed(block, x):
    value, gate = np.split(norm(x, block.norm) @ weight(block.up), 2, axis=-1)
    gelu = np.array([[0.5 * g * (1 + math.erf(g / math.sqrt(2))) for g in row] for row in gate])
    return x + (value * gelu) @ weight(block.down)


def texts(x):
    """The tokens of each text, without padding."""
    return [x[i, :n].numpy() for i, n in enumerate(LENGTHS)]


def latent_attention(head, x):
    latents = head.latents.detach().numpy()
    return np.stack([fed(head.feed, attended(head.attend, t, latents)).mean(axis=0) for t in texts(x)])


def latent_queries(head, x):
    latents = head.latents.detach().numpy()
    return np.stack([fed(head.feed, attended(head.attend, latents, t)).mean(axis=0) for t in texts(x)])


def layer_mix(head, x):
    pick = (lambda t: t.mean(axis=0)) if head.read == "mean" else (lambda t: t[-1])
    read = np.stack([[pick(t) for t in texts(layer)] for layer in x], axis=1)  # (n, layers, d)
    if head.form == "weights":
        raw = np.exp(head.weights.detach().numpy())
        return np.einsum("l,nld->nd", raw / raw.sum(), read)
    rows = []
    for one in read:
        placed = norm(one) + head.places.detach().numpy()
        queries = placed if head.form == "self" else head.latents.detach().numpy()
        rows.append(fed(head.feed, attended(head.attend, queries, placed)).mean(axis=0))
    return np.stack(rows)


CASES = {
    "latent attention": (lambda: LatentAttention(D, latents=5, heads=HEADS, seed=0), latent_attention),
    "latent queries": (lambda: LatentQueries(D, latents=5, heads=HEADS, seed=0), latent_queries),
    **{
        f"{form} {read}": (
            lambda form=form, read=read: LayerMix(LAYERS, D, form=form, read=read, latents=5, heads=HEADS, seed=0),
            layer_mix,
        )
        for form in ("weights", "cross", "self")
        for read in ("mean", "last")
    },
}


def given(head):
    return states(layers=LAYERS if head.all_layers else None)


@pytest.mark.parametrize("case", CASES)
def test_a_pooling_is_the_papers_formula(case):
    build, oracle = CASES[case]
    head = stirred(build())
    x = given(head)
    with torch.no_grad():
        np.testing.assert_allclose(head(x, MASK), oracle(head, x), atol=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_padding_does_not_matter_and_gradients_reach_every_parameter(case):
    head = stirred(CASES[case][0]())
    x, other = given(head), given(head)
    other[~MASK.expand(other.shape[:-1])] = 1e3
    torch.testing.assert_close(head(x, MASK), head(other, MASK), atol=1e-12, rtol=0)
    (head(x, MASK) ** 2).sum().backward()
    for name, p in head.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().max() > 0, name


@pytest.mark.parametrize("case", CASES)
def test_equal_seeds_give_equal_weights_and_the_generator_stays(case):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = CASES[case][0](), CASES[case][0]()
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_seeds_differ():
    assert not torch.equal(LatentAttention(D, seed=0, heads=2).latents, LatentAttention(D, seed=1, heads=2).latents)


def test_before_training_two_of_them_are_means():
    x = states()
    means = np.stack([t.mean(axis=0) for t in texts(x)])
    np.testing.assert_allclose(LatentAttention(D, heads=2, seed=0).double()(x, MASK).detach(), means, atol=1e-12)
    x = states(layers=LAYERS)
    of_layers = np.mean([[t.mean(axis=0) for t in texts(layer)] for layer in x], axis=0)
    np.testing.assert_allclose(LayerMix(LAYERS, D, seed=0).double()(x, MASK).detach(), of_layers, atol=1e-12)


def test_a_padding_state_that_is_not_finite_does_not_reach_a_mean():
    x = states()
    x[1, 2] = torch.nan
    rows = LayerMix(1, D, seed=0).double()(x.unsqueeze(0), MASK).detach()
    np.testing.assert_allclose(rows, np.stack([t.mean(axis=0) for t in texts(x)]), atol=1e-12)


def build_and_compare(case, pick):
    """A check for a mutant of a class: the oracle against the class it is given."""
    options = {"latents": 5, "heads": HEADS, "seed": 0}

    def check(cls):
        head = stirred(cls(LAYERS, D, form=case, **options) if pick is layer_mix else cls(D, **options))
        x = given(head)
        with torch.no_grad():
            np.testing.assert_allclose(head(x, MASK), pick(head, x), atol=1e-10)

    return check


@pytest.mark.parametrize(
    ("name", "case", "pick", "old", "new"),
    [
        ("LatentAttention", None, latent_attention, "value * functional.gelu(gate)", "gate * functional.gelu(value)"),
        ("LatentAttention", None, latent_attention, "return queries + self.out", "return self.out"),
        ("LatentAttention", None, latent_attention, "masked_fill(~mask.unsqueeze(-1), 0.0)", "clone()"),
        ("LatentQueries", None, latent_queries, "self.attend(latents, states, mask)", "self.attend(latents, states)"),
        ("LatentQueries", None, latent_queries, "about = self.norm_queries(queries), self.norm_context(context)",
         "about = self.norm_queries(queries), context"),
        ("LayerMix", "cross", layer_mix, "functional.layer_norm(read, read.shape[-1:])", "read"),
        ("LayerMix", "cross", layer_mix, " + self.places", ""),
        ("LayerMix", "weights", layer_mix, "self.weights.softmax(dim=0)", "self.weights"),
    ],
)  # fmt: skip
def test_mutants_are_killed(name, case, pick, old, new):
    assert killed(heads, name, old, new, build_and_compare(case, pick))


TEXTS = ["one", "the cats were running away", "a b c"]


def with_head(enc, head, **options):
    return Encoder(enc.whole_model, enc.tokenizer, options=options, head=head)


def every_state(model, enc, text):
    with torch.no_grad():
        ids = enc.tokenizer(text, return_tensors="pt")["input_ids"]
        return torch.stack(model(input_ids=ids, output_hidden_states=True).hidden_states)


def randomised(head):
    return stirred(head).float()


@pytest.mark.parametrize("layers", [None, 4])
def test_an_encoder_hands_its_head_the_states_of_every_layer(enc, layers):
    head = randomised(LayerMix((layers or 6) + 1, 384, form="weights", seed=0))
    encoder = with_head(enc, head, layers=layers)
    got = encoder.encode(TEXTS, store=False, normalize=False)
    shares = head.weights.detach().double().exp().numpy()
    shares /= shares.sum()
    for row, text in zip(got, TEXTS, strict=True):
        read = every_state(enc.whole_model, enc, text)[: (layers or 6) + 1, 0].double().mean(dim=1).numpy()
        np.testing.assert_allclose(row, shares @ read, atol=1e-5)
    assert got.dtype == np.float32
    assert encoder.width == 384


def test_an_encoder_hands_its_head_the_last_layers_states(enc):
    head = randomised(LatentQueries(384, latents=3, heads=HEADS, seed=0))
    encoder = with_head(enc, head, dimensions=100)
    got = encoder.encode(TEXTS, store=False, normalize=False)
    assert got.shape == (3, 100)
    for row, text in zip(got, TEXTS, strict=True):
        last = every_state(enc.whole_model, enc, text)[-1]
        with torch.no_grad():
            expected = head(last, torch.ones(last.shape[:2], dtype=torch.bool))[0, :100]
        np.testing.assert_allclose(row, expected, atol=1e-5 * float(expected.abs().max()))
    pooled = encoder.pooled([[101, 2300, 102], [101, 102]])
    pooled.sum().backward()
    assert head.latents.grad is not None
    head.zero_grad()
    encoder.model.zero_grad()


class TokensAndMaximum(TokenPooling):
    """A pooling of a user's own, with nothing to train: per dimension the largest over layers and tokens."""

    all_layers = True

    def forward(self, states, mask):
        return states.amax(dim=0).masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(dim=1)


def test_a_pooling_of_ones_own(enc):
    got = with_head(enc, TokensAndMaximum()).encode(TEXTS, store=False, normalize=False)
    for row, text in zip(got, TEXTS, strict=True):
        np.testing.assert_allclose(row, every_state(enc.whole_model, enc, text)[:, 0].amax(dim=(0, 1)), atol=1e-5)


def test_the_store_tells_heads_apart(enc):
    """Also those whose tensors are all equal, and one that is trained further."""
    built = [
        LayerMix(7, 384, form="self", heads=2, seed=0),
        LayerMix(7, 384, form="self", heads=4, seed=0),
        LayerMix(7, 384, form="self", heads=2, read="last", seed=0),
        LayerMix(7, 384, form="weights", seed=0),
        LayerMix(7, 384, form="weights", read="last", seed=0),
        nn.Sequential(nn.Linear(384, 4), nn.Tanh()),
        nn.Sequential(nn.Linear(384, 4), nn.ReLU()),
    ]
    built[6].load_state_dict(built[5].state_dict())
    encoders = [with_head(enc, head) for head in built]
    assert len({e.fingerprint for e in [enc, *encoders]}) == 8
    assert with_head(enc, LayerMix(7, 384, form="self", heads=2, seed=0)).fingerprint == encoders[0].fingerprint
    first = encoders[3].encode(TEXTS)
    with torch.no_grad():
        built[3].weights[0] += 5
    second = encoders[3].encode(TEXTS)
    assert np.abs(first - second).max() > 0.01
    np.testing.assert_array_equal(encoders[3].encode(TEXTS), second)
    np.testing.assert_allclose(encoders[3].encode(TEXTS, store=False), second, atol=1e-6)


def test_a_head_in_half_precision_takes_states_in_its_own():
    head = LatentAttention(D, heads=2, seed=0).bfloat16()
    got = token_pooled(head, states().float(), MASK)
    assert got.dtype == torch.float32
    means = np.stack([t.mean(axis=0) for t in texts(states())])
    np.testing.assert_allclose(got.detach(), means, atol=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LatentAttention(10, heads=4, seed=0), "width must be a multiple of heads=4, got 10"),
        (lambda: LatentQueries(8, latents=0, seed=0), "latents must be at least 1, got 0"),
        (lambda: LayerMix(0, 8, seed=0), "layers must be at least 1, got 0"),
        (lambda: LayerMix(2, 8, form="mean", seed=0), "form must be 'weights', 'cross' or 'self', got 'mean'"),
        (lambda: LayerMix(2, 8, read="cls", seed=0), "read must be 'mean' or 'last', got 'cls'"),
        (lambda: LayerMix(2, D, seed=0)(states(layers=3).float(), MASK), r"with 2 layers, .*got shape \(3, 3, 4, 8\)"),
        (lambda: LayerMix(2, D, seed=0)(states().float(), MASK), r"must be \(layers, n, t, d\)"),
        (lambda: through(LayerMix(2, D, seed=0), torch.ones(2, D)), "LayerMix pools token states: only an Encoder"),
        (
            lambda: token_pooled(
                LatentAttention(D, heads=2, seed=0), states(), MASK & torch.tensor([[1], [0], [1]]).bool()
            ),
            "row 1 has no tokens",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_subclass_must_say_how_it_pools():
    with pytest.raises(NotImplementedError, match="TokenPooling must define forward"):
        TokenPooling()(states(), MASK)


@pytest.mark.parametrize(
    ("head", "options", "message"),
    [
        (lambda: LatentAttention(8, heads=2, seed=0), {}, "head must take vectors of 384 dimensions"),
        (lambda: LayerMix(6, 384, seed=0), {}, "with 6 layers"),
        (lambda: LayerMix(7, 384, seed=0), {"layers": 3}, r"with 7 layers, .* got shape \(4, "),
        (lambda: LayerMix(7, 384, seed=0), {"layers": 9}, "layers must be between 1 and 6, .*got 9"),
    ],
)
def test_a_head_that_does_not_fit_is_refused_when_the_encoder_is_made(enc, head, options, message):
    with pytest.raises(ValueError, match=message):
        with_head(enc, head(), **options)


def test_shapes_of_encoders_without_a_layer_list_are_pooled_too():
    from transformers import AlbertConfig, AlbertModel

    from workbench.models.tokenizers import train_wordpiece

    tokenizer = train_wordpiece(["one two three"] * 3, vocabulary=40)
    config = AlbertConfig(vocab_size=len(tokenizer), embedding_size=8, hidden_size=16, num_attention_heads=2,
                          num_hidden_layers=2, intermediate_size=16)  # fmt: skip
    encoder = Encoder(AlbertModel(config).eval(), tokenizer, head=LatentAttention(16, heads=2, seed=0))
    plain = Encoder(encoder.whole_model, tokenizer)
    np.testing.assert_allclose(
        encoder.encode(["one two", "three"], store=False), plain.encode(["one two", "three"], store=False), atol=1e-6
    )
