import numpy as np
import pytest
import torch

from workbench.retrieval.late import late_search, max_sim


def by_hand(queries, query_mask, documents, document_mask):
    scores = np.zeros((len(queries), len(documents)))
    for i in range(len(queries)):
        for j in range(len(documents)):
            best = [
                max(float(q @ d) for d, there in zip(documents[j], document_mask[j], strict=True) if there)
                for q, asked in zip(queries[i], query_mask[i], strict=True)
                if asked
            ]
            scores[i, j] = sum(best) / len(best)
    return scores


@pytest.fixture
def states():
    rng = np.random.default_rng(3)
    queries, documents = rng.normal(size=(3, 4, 5)), rng.normal(size=(6, 7, 5))
    query_mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    document_mask = (np.arange(7) < rng.integers(1, 8, 6)[:, None]).astype(np.int64)
    documents[document_mask == 0] = 100  # padding must not win
    return queries, query_mask, documents, document_mask


@pytest.mark.parametrize("block", [None, 1, 4, 6])
def test_scores_are_the_formula_in_loops(states, block):
    got = max_sim(*map(torch.tensor, states), block=block)
    np.testing.assert_allclose(got.numpy(), by_hand(*states), rtol=1e-12)


def test_one_token_each_is_the_dot_product():
    rng = np.random.default_rng(0)
    a, b = torch.tensor(rng.normal(size=(3, 1, 4))), torch.tensor(rng.normal(size=(5, 1, 4)))
    got = max_sim(a, torch.ones(3, 1), b, torch.ones(5, 1))
    np.testing.assert_allclose(got.numpy(), (a[:, 0] @ b[:, 0].T).numpy(), rtol=1e-12)


def test_gradients_reach_the_tokens_that_won_alone():
    query = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    document = torch.tensor([[[0.5, 0.0], [0.2, 9.0]]], requires_grad=True)
    max_sim(query, torch.ones(1, 1), document, torch.ones(1, 2)).sum().backward()
    assert query.grad is not None
    assert query.grad.tolist() == [[[0.5, 0.0]]]
    assert document.grad is not None
    assert document.grad.tolist() == [[[1.0, 0.0], [0.0, 0.0]]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: torch.ones(3, 4)}, "token states must be"),
        ({0: torch.ones(3, 4, 9, dtype=torch.float64)}, "token states must be"),
        ({1: torch.ones(3, 3)}, "the query mask must be of shape \\(3, 4\\)"),
        ({3: torch.ones(6)}, "the document mask must be of shape \\(6, 7\\)"),
        ({1: torch.tensor([[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]])}, "query 1 has no token"),
        ({3: torch.zeros(6, 7)}, "document 0 has no token"),
    ],
)
def test_wrong_states_are_refused(states, change, message):
    given = [change.get(i, torch.tensor(x)) for i, x in enumerate(states)]
    with pytest.raises(ValueError, match=message):
        max_sim(*given)


def test_a_block_below_1_is_refused(states):
    with pytest.raises(ValueError, match="block must be at least 1"):
        max_sim(*map(torch.tensor, states), block=0)


@pytest.mark.parametrize("block", [1, 4, 128])
def test_a_search_is_the_sorted_scores(states, block):
    queries, query_mask, documents, document_mask = map(torch.tensor, states)
    names = list("uvwxyz")
    hits = late_search((queries, query_mask), (documents, document_mask), 4, ids=list("abc"), names=names, block=block)
    wanted = by_hand(*states)
    order = np.argsort(-wanted, axis=1)[:, :4]
    assert (hits.indices == order).all()
    np.testing.assert_allclose(hits.scores, np.take_along_axis(wanted, order, axis=1), rtol=1e-6)
    assert hits.ranked("a") == [names[i] for i in order[0]]


def test_equal_documents_stand_in_the_order_of_the_corpus():
    same = torch.ones(5, 2, 3), torch.ones(5, 2)
    assert late_search(same, same, 5, ids=list("abcde"), names=list("abcde")).indices[2].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"k": 0}, "k must be at least 1 and at most m=2"),
        ({"k": 3}, "k must be at least 1 and at most m=2"),
        ({"ids": ["a"]}, "must name every text, got 1 and 2 for 2 and 2"),
        ({"names": ["a", "a"]}, "given twice"),
    ],
)
def test_wrong_searches_are_refused(how, message):
    same = torch.ones(2, 2, 3), torch.ones(2, 2)
    given = {"k": 1, "ids": ["a", "b"], "names": ["c", "d"]} | how
    with pytest.raises(ValueError, match=message):
        late_search(same, same, **given)
