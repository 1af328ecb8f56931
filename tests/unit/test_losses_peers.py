"""The same embeddings through sentence-transformers' losses, which are loaded once and only here."""

import math

import pytest
import torch

from workbench.losses.contrastive import info_nce
from workbench.losses.guided import gist
from workbench.losses.margins import alignment_uniformity, cosent, margin_mse, triplet

N, D = 8, 6
ALL = ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc")


def rows(seed):
    return torch.randn(N, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


A, P, NEGATIVES, MORE = map(rows, range(4))
GUIDE_A, GUIDE_P, GUIDE_N = rows(5), rows(5) + rows(6), rows(7)


@pytest.fixture(scope="module")
def losses():
    return pytest.importorskip("sentence_transformers.sentence_transformer.losses")


@pytest.fixture(scope="module")
def given():
    """A model whose embeddings are what is put in."""

    class Given(torch.nn.Module):
        similarity_fct = None

        def forward(self, features):
            return {"sentence_embedding": features["rows"]}

    return Given()


def equal_with_gradients(ours, theirs, *inputs):
    """Value to 1e-9 and gradients to 1e-9 of the largest."""
    found = []
    for loss in (ours, theirs):
        leaves = [x.clone().requires_grad_() for x in inputs]
        value = loss(*leaves)
        found.append((value, *torch.autograd.grad(value, leaves)))
    for mine, peer in zip(*found, strict=True):
        torch.testing.assert_close(mine, peer, rtol=1e-9, atol=1e-9 * float(peer.detach().abs().max()))


@pytest.mark.parametrize("chunk", [None, 3])
def test_info_nce_is_multiple_negatives_ranking(losses, given, chunk):
    peer = losses.MultipleNegativesRankingLoss(given, scale=20.0)
    equal_with_gradients(
        lambda a, p: info_nce(a, p, chunk=chunk), lambda *x: peer.compute_loss_from_embeddings(list(x), None), A, P
    )
    equal_with_gradients(
        lambda a, p, n, m: info_nce(a, p, negatives=torch.cat([n, m]), chunk=chunk),
        lambda *x: peer.compute_loss_from_embeddings(list(x), None),
        *(A, P, NEGATIVES, MORE),
    )
    both = losses.MultipleNegativesRankingLoss(
        given, scale=10.0, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
    )
    equal_with_gradients(
        lambda a, p, n: info_nce(a, p, negatives=n, temperature=0.1, symmetric=True, chunk=chunk),
        lambda *x: both.compute_loss_from_embeddings(list(x), None),
        *(A, P, NEGATIVES),
    )
    same_side = losses.MultipleNegativesRankingLoss(given, directions=("query_to_doc", "query_to_query"))
    equal_with_gradients(
        lambda a, p: info_nce(a, p, same_side=True, chunk=chunk),
        lambda *x: same_side.compute_loss_from_embeddings(list(x), None),
        *(A, P),
    )


@pytest.fixture
def peer_gist(losses, given):
    """Their loss around the two stub models, past a constructor that asks for tokenizers."""

    def made(margin, same_side):
        loss = losses.GISTEmbedLoss.__new__(losses.GISTEmbedLoss)
        torch.nn.Module.__init__(loss)
        loss.model, loss.guide, loss.must_retokenize = given, GuideOf(), False
        loss.temperature, loss.margin, loss.margin_strategy = 0.1, margin, "absolute"
        loss.contrast_anchors = loss.contrast_positives = same_side
        loss.gather_across_devices = False
        loss.similarity_fct, loss.cross_entropy_loss = torch.nn.CosineSimilarity(dim=-1), torch.nn.CrossEntropyLoss()
        return loss

    return made


class GuideOf(torch.nn.Module):
    def forward(self, features):
        return {"sentence_embedding": features["guide"]}


@pytest.mark.parametrize("margin", [0.0, 0.2])
@pytest.mark.parametrize("same_side", [False, True])
def test_gist_is_theirs(peer_gist, margin, same_side):
    peer = peer_gist(margin, same_side)
    options = {"temperature": 0.1, "margin": margin, "same_side": same_side}

    def theirs(*given_rows):
        guides = (GUIDE_A, GUIDE_P, GUIDE_N)
        return peer([{"rows": x, "guide": g} for x, g in zip(given_rows, guides, strict=False)], None)

    equal_with_gradients(lambda a, p: gist(a, p, GUIDE_A, GUIDE_P, **options), theirs, A, P)
    equal_with_gradients(
        lambda a, p, n: gist(a, p, GUIDE_A, GUIDE_P, negatives=(n, GUIDE_N), **options), theirs, A, P, NEGATIVES
    )
    plain = info_nce(A, P, temperature=0.1, same_side=same_side)
    assert not math.isclose(gist(A, P, GUIDE_A, GUIDE_P, **options).item(), plain.item())  # the guide masks here


@pytest.mark.parametrize(("distance", "metric"), [("cosine", "COSINE"), ("euclidean", "EUCLIDEAN")])
def test_triplet_is_theirs(losses, given, distance, metric):
    from sentence_transformers.sentence_transformer.losses.triplet import TripletDistanceMetric

    peer = losses.TripletLoss(given, distance_metric=getattr(TripletDistanceMetric, metric), triplet_margin=0.5)
    equal_with_gradients(
        lambda a, p, n: triplet(a, p, n, margin=0.5, distance=distance),
        lambda *x: peer.compute_loss_from_embeddings(list(x), None),
        *(A, P, NEGATIVES),
    )


def test_cosent_is_theirs_ties_included(losses, given):
    peer, scores = losses.CoSENTLoss(given), torch.tensor([0.0, 1, 1, 2, 3, 3, 3, 5]).double()
    equal_with_gradients(
        lambda a, p: cosent(torch.cosine_similarity(a, p), scores),
        lambda *x: peer.compute_loss_from_embeddings(list(x), scores),
        *(A, P),
    )


def test_margin_mse_is_theirs_for_one_negative_and_for_many(losses, given):
    peer = losses.MarginMSELoss(given)
    one, two = rows(8)[:, 0], rows(8)[:, :2]
    equal_with_gradients(
        lambda a, p, n: margin_mse(a, p, n, one),
        lambda *x: peer.compute_loss_from_embeddings(list(x), one),
        *(A, P, NEGATIVES),
    )
    equal_with_gradients(
        lambda a, p, n, m: margin_mse(a, p, torch.stack([n, m], dim=1), two),
        lambda *x: peer.compute_loss_from_embeddings(list(x), two),
        *(A, P, NEGATIVES, MORE),
    )


def test_alignment_and_uniformity_are_the_authors_lines():
    def theirs(a, p):  # the README of ssnl/align_uniform
        x, y = (torch.nn.functional.normalize(v) for v in (a, p))
        align = (x - y).norm(p=2, dim=1).pow(2).mean()
        return align + sum(torch.pdist(v, p=2).pow(2).mul(-2).exp().mean().log() for v in (x, y)) / 2

    equal_with_gradients(alignment_uniformity, theirs, A, P)
