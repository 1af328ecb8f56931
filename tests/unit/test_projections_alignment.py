"""Maps of several spaces, aligned: against planted movements, closed forms, and scipy's Procrustes."""

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from workbench.projections import aligned_maps, movement, pca, robust_fit


def cloud(n=400, d=48, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * np.linspace(3, 0.3, d)


def turned(d, seed=1):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
@pytest.mark.parametrize(("n", "d"), [(400, 48), (150, 200), (6000, 12)])
def test_rows_that_did_not_change_stay_when_others_move(n, d, share):
    rng = np.random.default_rng(2)
    before = cloud(n, d)
    after, moved = before.copy(), rng.permutation(n)[: int(share * n)]
    after[moved] += 5 * rng.normal(size=d) + rng.normal(size=(len(moved), d))  # as a group, to one side
    maps = aligned_maps([before, after, (after @ turned(d)) * 7 + 100, before])
    assert maps.shape == (4, n, 2)
    assert maps.dtype == np.float32
    width = np.ptp(maps.reshape(-1, 2), axis=0).max()
    stayed = np.setdiff1d(np.arange(n), moved)
    steps = np.abs(np.diff(maps, axis=0)).max(axis=2) / width
    assert steps[:, stayed].max() < 0.01
    assert np.median(steps[0, moved]) > 0.05
    assert steps[1].max() < 1e-3  # turned, scaled and shifted as a whole: nothing moves


def test_noise_in_all_rows_does_not_turn_the_map():
    rng, before = np.random.default_rng(3), cloud(600, 30)
    after = before + 0.05 * rng.normal(size=before.shape)
    maps = aligned_maps([before, after])
    assert np.abs(maps[1] - maps[0]).max() < 6 * 0.05


def test_one_space_is_its_pca_and_equal_spaces_are_equal_maps():
    x = cloud()
    np.testing.assert_allclose(aligned_maps([x])[0], pca(x), atol=1e-5)
    maps = aligned_maps(np.stack([x] * 3))
    np.testing.assert_allclose(maps[0], pca(x), atol=1e-5)
    assert np.abs(maps - maps[0]).max() < 1e-5
    np.testing.assert_allclose(aligned_maps([x], dimensions=3)[0], pca(x, dimensions=3), atol=1e-5)


def test_widths_that_differ_are_padded_with_zeros():
    x = cloud(300, 20)
    narrow = x[:, :6]
    padded = np.pad(narrow, ((0, 0), (0, 14)))
    np.testing.assert_allclose(aligned_maps([x, narrow]), aligned_maps([x, padded]), atol=1e-5)


def test_kinds_of_numbers_and_large_means():
    x = cloud(200, 10)
    expected = aligned_maps([x, x])
    tensors = [torch.from_numpy(x), torch.from_numpy(x).requires_grad_()]
    np.testing.assert_array_equal(aligned_maps(tensors), expected)
    np.testing.assert_allclose(aligned_maps([x + 1e6, x]), expected, atol=1e-4)
    assert np.abs(aligned_maps([x.astype(np.float16)] * 2) - expected).max() < 0.02


def test_degenerate_spaces_have_maps():
    assert aligned_maps([np.ones((5, 3))] * 2).tolist() == np.zeros((2, 5, 2)).tolist()
    line = np.arange(4.0)[:, None]
    np.testing.assert_allclose(aligned_maps([line, 3 * line])[:, :, 0], [[-1.5, -0.5, 0.5, 1.5]] * 2, atol=1e-6)
    mixed = aligned_maps([cloud(50, 4), np.ones((50, 4)), cloud(50, 4)])
    assert np.isfinite(mixed).all()


def test_above_384_dimensions_and_5000_rows_the_fit_still_holds():
    rng = np.random.default_rng(4)
    x = (rng.normal(size=(6000, 5)) * [5, 4, 3, 2, 1]) @ rng.normal(size=(5, 450)).astype(np.float32)
    y = x.copy()
    y[::10] += rng.normal(size=450)
    maps = aligned_maps([x, y])
    stayed = np.setdiff1d(np.arange(6000), np.arange(0, 6000, 10))
    assert np.abs(maps[1] - maps[0])[stayed].max() / np.ptp(maps[0], axis=0).max() < 0.01


@pytest.mark.parametrize(
    ("spaces", "options", "error", "words"),
    [
        ([], {}, ValueError, "one space at least, got none"),
        ([cloud(9), cloud(8)], {}, ValueError, "as many rows, got 9 in space 0 and 8 in 1"),
        ([cloud(9), [[1.0]]], {}, TypeError, "space"),
        ([np.ones((1, 3))], {}, ValueError, "space 0 needs at least 2 rows"),
        ([cloud(9), np.full((9, 48), np.nan)], {}, ValueError, "space 1: row 0 is not finite"),
        ([cloud(9)], {"dimensions": 0}, ValueError, r"dimensions must lie in 1\.\.384, got 0"),
    ],
)
def test_spaces_that_are_refused(spaces, options, error, words):
    with pytest.raises(error, match=words):
        aligned_maps(spaces, **options)


def test_the_fit_is_the_weighted_procrustes_of_scipy():
    x = torch.from_numpy(cloud(300, 8))
    y = torch.from_numpy(2 * cloud(300, 8) @ turned(8) + 1 + 0.5 * np.random.default_rng(5).normal(size=(300, 8)))
    scale, shift, turn = robust_fit(x, y)
    assert scale == pytest.approx(2, rel=0.05)
    far = (scale * x @ turn + shift - y).norm(dim=1).numpy()
    w = (1 / (1 + (far / np.median(far)) ** 2))[:, None]
    a, b = (z.numpy() - (w * z.numpy()).sum(0) / w.sum() for z in (x, y))
    expected, _ = orthogonal_procrustes(np.sqrt(w) * a, np.sqrt(w) * b)
    np.testing.assert_allclose(turn.numpy(), expected, atol=5e-3)  # the last weights are not settled to the end
    with pytest.raises(ValueError, match=r"one shape \(n, d\), got \(300, 8\) and \(300, 7\)"):
        robust_fit(x, y[:, :7])


def test_movement_is_the_planted_distance():
    x = cloud(500, 20)
    y, moved = x.copy(), np.arange(0, 500, 12)
    shift = np.random.default_rng(6).normal(size=(len(moved), 20)) * 2
    y[moved] += shift
    found = movement(x, 5 * y @ turned(20) - 3)
    spread = np.sqrt(np.square(x - x.mean(axis=0)).sum(axis=1).mean())
    expected = np.zeros(500)
    expected[moved] = np.linalg.norm(shift, axis=1) / spread
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float64


def test_movement_between_widths_is_what_was_cut_off():
    x = cloud(400, 6)
    spread = np.sqrt(np.square(x - x.mean(axis=0)).sum(axis=1).mean())
    y = x.copy()
    y[:, 4:] = 0
    y[100:, 4:] = x[100:, 4:]  # three rows in four keep all
    found = movement(x, y)
    np.testing.assert_allclose(found[:100], np.linalg.norm(x[:100, 4:], axis=1) / spread, atol=1e-6)
    assert movement(x, x[:, :5]).shape == (400,)


def test_movement_refuses():
    with pytest.raises(ValueError, match="as many rows, got 9 and 8"):
        movement(cloud(9), cloud(8))
    with pytest.raises(ValueError, match="all rows before are equal"):
        movement(np.ones((9, 3)), cloud(9, 3))
    with pytest.raises(ValueError, match="after: row 0 is not finite"):
        movement(cloud(9, 3), np.full((9, 3), np.inf))
    with pytest.raises(TypeError, match="before"):
        movement([1], cloud(9))
