"""Losses against a teacher, of lists and of cuts, beside sentence-transformers' on the same numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from workbench.losses.distillation import distil_scores, embedding_cosine, embedding_mse
from workbench.losses.ranking import list_net, rank_net
from workbench.losses.wrappers import layers_and_dimensions, matryoshka
from workbench.tensors import unit

N, D = 5, 8


@pytest.fixture(scope="module")
def peers():
    """Its two families of losses; the import takes seconds, so only where one of these tests runs."""
    cross = pytest.importorskip("sentence_transformers.cross_encoder.losses", reason="needs sentence-transformers")
    single = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    return SimpleNamespace(cross=cross, single=single)


def drawn(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


class Given(torch.nn.Module):
    """A stand-in for a model: embeds by looking up what the features already hold."""

    def forward(self, features):
        return {"sentence_embedding": features["rows"]}

    def get_embedding_dimension(self):
        return D


class Scoring(torch.nn.Module):
    """A stand-in for a cross-encoder: the pair's document names its own score."""

    num_labels, device = 1, torch.device("cpu")

    def preprocess(self, pairs, **_):
        return {"scores": torch.tensor([float(document) for _, document in pairs])}

    def forward(self, features):
        return {"scores": features["scores"][:, None]}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_divergence_of_candidate_lists(peers, temperature):
    queries, candidates, teacher = drawn(N, D), drawn(3, N, D, seed=1), drawn(N, 3, seed=2)
    peer = peers.single.DistillKLDivLoss(Given(), temperature=temperature)
    expected = peer.compute_loss_from_embeddings([queries, *candidates], teacher)
    scores = torch.einsum("nd,knd->nk", queries, candidates)
    assert distil_scores(scores, teacher, temperature=temperature).item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize(("loss", "metric"), [(embedding_mse, "mse"), (embedding_cosine, "cosine")])
def test_distances_to_a_teacher(peers, loss, metric):
    student, teacher = drawn(N, D), drawn(N, D, seed=1)
    peer = peers.single.EmbedDistillLoss(Given(), distance_metric=metric)
    expected = peer.compute_loss_from_embeddings([student], [teacher])
    assert loss(student, teacher).item() == pytest.approx(expected.item(), rel=1e-9)


LENGTHS = [4, 2, 3]


def ragged():
    """Lists of different lengths: as documents and labels for the peer, padded with a mask for us."""
    scores, grades = drawn(3, 4), torch.tensor([[2, 0, 1, 0], [0, 1, 0, 0], [1, 1, 3, 0]])
    mask = torch.arange(4)[None] < torch.tensor(LENGTHS)[:, None]
    documents = [[repr(float(v)) for v in row[:n]] for row, n in zip(scores, LENGTHS, strict=True)]
    labels = [row[:n].float() for row, n in zip(grades, LENGTHS, strict=True)]
    return scores, grades, mask, (["q"] * 3, documents), labels


def test_list_net(peers):
    scores, grades, mask, inputs, labels = ragged()
    expected = peers.cross.ListNetLoss(Scoring())(inputs, labels)
    assert list_net(scores, grades, mask=mask).item() == pytest.approx(expected.item(), rel=1e-5)


def test_rank_net(peers):
    scores, grades, mask, inputs, labels = ragged()
    expected = peers.cross.RankNetLoss(Scoring(), reduction_log="natural")(inputs, labels)
    assert rank_net(scores, grades, mask=mask).item() == pytest.approx(expected.item(), rel=1e-5)


def contrast(a, b):
    """The peer's default base loss, written out: softmax over the positives, cosines times 20."""
    logits = unit(a) @ unit(b).T * 20
    return torch.nn.functional.cross_entropy(logits, torch.arange(len(a)))


@pytest.mark.parametrize("weights", [None, [1, 0.5, 3]])
def test_matryoshka_adds_without_dividing_by_the_number_of_sizes(peers, weights):
    sizes, pair = [8, 2, 4], [drawn(N, D), drawn(N, D, seed=1)]
    model = Given()
    base = peers.single.MultipleNegativesRankingLoss(model, scale=20.0)
    peer = peers.single.MatryoshkaLoss(model, base, sizes, matryoshka_weights=weights)
    expected = peer([{"rows": x} for x in pair], None)
    got = matryoshka(contrast, *pair, dimensions=sizes, weights=weights)
    assert got.item() == pytest.approx(expected.item(), rel=1e-9)


def test_layers_are_aligned_as_in_the_peer(peers):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    class Stacked(Transformer):
        """Token states of one token after three layers, as given."""

        auto_model = SimpleNamespace(config=SimpleNamespace(output_hidden_states=False))

        def __init__(self):
            torch.nn.Module.__init__(self)

        def forward(self, features):
            states = [x[:, None] for x in features["layers"]]
            features.update(all_layer_embeddings=states, token_embeddings=states[-1])  # the peer reads them from here
            return features

    layers = [(drawn(N, D, seed=2 * i), drawn(N, D, seed=2 * i + 1)) for i in range(3)]
    model = SentenceTransformer(modules=[Stacked(), Pooling(D, "cls")], device="cpu")
    base = peers.single.MultipleNegativesRankingLoss(model, scale=20.0)
    peer = peers.single.AdaptiveLayerLoss(model, base, n_layers_per_step=-1, kl_temperature=0.3)
    texts = [
        {"layers": [layer[side] for layer in layers], "attention_mask": torch.ones(N, 1, dtype=torch.int64)}
        for side in (0, 1)
    ]
    expected = peer(texts, None)
    # the peer divides the inner layers' losses by their number but not their alignments, and multiplies these by T
    inner = [
        layers_and_dimensions(contrast, layers, exits=[(i, D)], align=align)
        for i in (0, 1)
        for align in (None, lambda s, t: distil_scores(s, t.detach(), temperature=0.3) / 0.3)
    ]
    task, both = inner[0] + inner[2], inner[1] + inner[3]
    assert expected.item() == pytest.approx((contrast(*layers[-1]) + task / 2 + (both - task)).item(), rel=1e-9)
