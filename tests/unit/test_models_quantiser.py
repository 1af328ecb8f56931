"""The product quantiser against loops in numpy: codes, values, and the gradient of the soft assignment."""

import numpy as np
import pytest
import torch

from workbench.models import ProductQuantiser

M, K, S, N = 3, 5, 2, 7
SOFTNESS = 0.4


def orthogonal(width, seed=3):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((width, width)))[0]


@pytest.fixture
def parts():
    rng = np.random.default_rng(0)
    return rng.standard_normal((M, K, S)), orthogonal(M * S), rng.standard_normal((N, M * S))


def module(parts, softness=SOFTNESS):
    centres, rotation, _ = parts
    return ProductQuantiser(centres, rotation=rotation, softness=softness)


def by_hand(parts):
    """Codes (n, m) and the quantised rows, one part of one row at a time."""
    centres, rotation, rows = parts
    codes, out = np.zeros((N, M), dtype=int), np.zeros((N, M * S))
    for i, row in enumerate(rows):
        turned = rotation @ row
        for j in range(M):
            piece = turned[j * S : (j + 1) * S]
            far = [float(np.sum((piece - centre) ** 2)) for centre in centres[j]]
            codes[i, j] = int(np.argmin(far))
            out[i, j * S : (j + 1) * S] = centres[j, codes[i, j]]
    return codes, out


def test_codes_and_values_are_those_of_a_loop(parts):
    book, rows = module(parts), torch.from_numpy(parts[2])
    codes, out = by_hand(parts)
    np.testing.assert_array_equal(book.codes(rows).numpy(), codes)
    np.testing.assert_allclose(book(rows).detach().numpy(), out, atol=1e-12)
    np.testing.assert_allclose(book.decoded(torch.from_numpy(codes)).detach().numpy(), out, atol=1e-12)
    assert len(set(map(tuple, codes))) > 1


def test_values_do_not_depend_on_the_softness_nor_codes_on_blocks(parts, monkeypatch):
    rows = torch.from_numpy(parts[2])
    torch.testing.assert_close(module(parts, 1e-3)(rows), module(parts, 100.0)(rows))
    whole = module(parts).codes(rows)
    monkeypatch.setattr("workbench.models.quantiser.BLOCK_NUMBERS", 2 * M * K)
    torch.testing.assert_close(module(parts).codes(rows), whole)


def test_scores_of_rotated_queries_are_scores_against_rows_turned_back(parts):
    _, rotation, rows = parts
    book, queries = module(parts), np.random.default_rng(1).standard_normal((4, M * S))
    found = book.rotated(torch.from_numpy(queries)) @ book(torch.from_numpy(rows)).T
    np.testing.assert_allclose(found.detach().numpy(), queries @ (by_hand(parts)[1] @ rotation).T, atol=1e-12)


def surrogate(centres, rows, rotation, weights, kept_centres, codes):
    """Its true gradient is the straight-through one: soft choice of kept centres, hard choice of moving ones."""
    total = 0.0
    for i, row in enumerate(rows):
        turned = rotation @ row
        for j in range(M):
            piece, asked = turned[j * S : (j + 1) * S], weights[i, j * S : (j + 1) * S]
            far = np.array([np.sum((piece - centre) ** 2) for centre in centres[j]])
            soft = np.exp(-far / SOFTNESS) / np.exp(-far / SOFTNESS).sum()
            total += soft @ (kept_centres[j] @ asked) + centres[j, codes[i, j]] @ asked
    return total


def differences(of, at, step=1e-6):
    """Central differences of a function of an array, number by number."""
    slopes = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[place] += step
        down[place] -= step
        slopes[place] = (of(up) - of(down)) / (2 * step)
    return slopes


def test_the_gradient_is_that_of_the_soft_assignment(parts):
    centres, rotation, rows = parts
    codes, _ = by_hand(parts)
    weights = np.random.default_rng(2).standard_normal((N, M * S))
    book, given = module(parts), torch.from_numpy(rows).requires_grad_()
    (book(given) * torch.from_numpy(weights)).sum().backward()
    of_rows = differences(lambda x: surrogate(centres, x, rotation, weights, centres, codes), rows)
    of_centres = differences(lambda c: surrogate(c, rows, rotation, weights, centres, codes), centres)
    np.testing.assert_allclose(given.grad.numpy(), of_rows, atol=1e-7)
    np.testing.assert_allclose(book.centres.grad.numpy(), of_centres, atol=1e-7)
    assert np.abs(of_rows).max() > 0.1


def test_the_rotation_is_not_trained_and_is_kept_with_the_weights(parts):
    book = module(parts)
    assert [name for name, _ in book.named_parameters()] == ["centres"]
    assert set(book.state_dict()) == {"centres", "rotation"}
    assert "m=3, k=5, width=6" in repr(book)


def test_without_a_rotation_rows_stay_as_they_are(parts):
    rows = torch.from_numpy(parts[2])
    torch.testing.assert_close(ProductQuantiser(parts[0]).rotated(rows), rows)
    assert ProductQuantiser(parts[0]).codes(rows[:0]).shape == (0, M)


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        ({"centres": np.ones((2, 3))}, "centres"),
        ({"centres": np.ones((2, 3, 2), dtype=int)}, "centres"),
        ({"centres": np.full((2, 3, 2), np.nan)}, "centres"),
        ({"centres": np.ones((2, 0, 2))}, "centres"),
        ({"rotation": np.eye(5)}, "rotation"),
        ({"rotation": 2 * np.eye(6)}, "orthogonal"),
        ({"rotation": np.full((6, 6), np.nan)}, "orthogonal"),
        ({"softness": 0.0}, "softness"),
        ({"softness": float("nan")}, "softness"),
    ],
)
def test_what_makes_no_quantiser_is_refused(parts, how, rule):
    given = {"centres": parts[0], "rotation": parts[1]} | how
    with pytest.raises(ValueError, match=rule):
        ProductQuantiser(given.pop("centres"), **given)


def test_wrong_rows_and_codes_are_refused(parts):
    book = module(parts)
    for call in (book.rotated, book.codes, book):
        with pytest.raises(ValueError, match=r"rows must be \(n, 6\)"):
            call(torch.ones(2, 5, dtype=torch.float64))
    for codes in (torch.zeros(2, 2, dtype=torch.int64), torch.zeros(2, M)):
        with pytest.raises(ValueError, match="integers"):
            book.decoded(codes)
    with pytest.raises(ValueError, match=r"0\.\.4"):
        book.decoded(torch.full((1, M), K))
