import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from workbench import tensors
from workbench.tensors import as_rows, cosines, row_blocks, unit


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_array_keeps_its_memory_and_its_dtype(dtype):
    x = np.ones((3, 2), dtype)
    rows = as_rows(x)
    x[1, 1] = 5
    assert rows[1, 1] == 5
    assert rows.numpy().dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_tensor_comes_back_as_it_is(dtype):
    x = torch.ones(3, 2, dtype=dtype)
    assert as_rows(x) is x


def test_a_read_only_map_is_read_without_a_warning(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(6.0).reshape(3, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = as_rows(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert rows.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_reversed_rows_are_copied_in_order():
    assert as_rows(np.array([[1.0], [2.0]])[::-1]).tolist() == [[2.0], [1.0]]


@pytest.mark.parametrize(
    ("x", "rule"),
    [
        (np.ones(3), r"x must be 2-D.*got shape \(3,\)"),
        (np.ones((2, 2, 2)), r"x must be 2-D.*got shape \(2, 2, 2\)"),
        (np.ones((3, 0)), "one column or more"),
        (np.ones((0, 3)), "x needs at least 1 rows, got 0"),
        (np.ones((2, 2), int), "floating dtype.*got int64"),
        (np.array([[1], [1, 2]], dtype=object), "floating dtype.*got object"),
        (np.ones((2, 2), np.longdouble), "floating dtype"),
        (np.ones((2, 2), ">f4"), "floating dtype.*got >f4"),
        (torch.ones(2, 2, dtype=torch.int8), "floating dtype, got torch.int8"),
        (torch.ones(2, 2, dtype=torch.complex64), "floating dtype, got torch.complex64"),
        (torch.eye(3).to_sparse(), "dense.*sparse_coo"),
    ],
)
def test_as_rows_refuses(x, rule):
    with pytest.raises(ValueError, match=rule):
        as_rows(x)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_row_that_is_not_finite_is_named(bad, monkeypatch):
    monkeypatch.setattr(tensors, "BLOCK_NUMBERS", 4)  # blocks of 2 rows
    x = np.ones((7, 2))
    x[5, 1] = x[6, 0] = bad
    with pytest.raises(ValueError, match="vectors: row 5 is not finite"):
        as_rows(x, name="vectors")


def test_too_few_rows_are_counted():
    with pytest.raises(ValueError, match="x needs at least 3 rows, got 2"):
        as_rows(np.ones((2, 2)), least=3)


def test_masked_arrays_are_refused():
    with pytest.raises(TypeError, match="masked"):
        as_rows(np.ma.masked_array(np.ones((2, 2))))


def test_lists_are_a_type_error():
    # in a process of its own: under the suite the annotations are checked first, with an error of their own
    code = """
from workbench.tensors import as_rows, unit
for call in (as_rows, unit):
    try:
        call([[1.0]])
    except TypeError as error:
        print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert said == "x must be a numpy array or a torch tensor, got list\n" * 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unit_divides_by_the_length(dtype, rng):
    x = rng.normal(size=(5, 4)).astype(dtype)
    got = unit(x).numpy()
    assert got.dtype == dtype
    np.testing.assert_allclose(
        got, x / np.sqrt((x**2).sum(axis=1, keepdims=True)), rtol=1e-6 if dtype == np.float32 else 1e-14
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_raised(dtype):
    got = unit(torch.tensor([[3.0, 4.0]], dtype=dtype))
    assert got.dtype == torch.float32
    assert got[0].tolist() == pytest.approx([0.6, 0.8], rel=1e-6)


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e30])
def test_tiny_and_huge_rows_keep_their_direction(scale):
    x = torch.tensor([[3.0, 4.0]], dtype=torch.float64).mul(scale).float()
    assert unit(x)[0].tolist() == pytest.approx([0.6, 0.8], rel=1e-4)


def test_more_axes_are_more_rows(rng):
    x = rng.normal(size=(2, 3, 4))
    np.testing.assert_allclose(unit(x).numpy(), x / np.linalg.norm(x, axis=-1, keepdims=True), rtol=1e-14)


def test_the_gradient_is_the_projection_off_the_row(rng):
    x, g = torch.tensor(rng.normal(size=(1, 4)), requires_grad=True), rng.normal(size=4)
    (unit(x) @ torch.tensor(g)).sum().backward()
    row = x.detach().numpy()[0]
    length = np.linalg.norm(row)
    expected = (g - (g @ row) * row / length**2) / length
    np.testing.assert_allclose(x.grad[0].numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "rule"),
    [
        (np.array([[1.0, 0], [0, 0], [0, 0]]), "x: row 1 is zero and has no direction"),
        (np.array([[1.0, 0], [np.nan, 0]]), "x: row 1 is not finite"),
        (np.array([[np.inf, 0]]), "x: row 0 is not finite"),
        (np.array([[[1.0], [0.0]]]), r"x: row \(0, 1\) is zero"),
        (torch.zeros(2), r"rows of floats, got torch.float32 of shape \(2,\)"),
        (torch.zeros(2, 0), "rows of floats"),
        (torch.ones(2, 2, dtype=torch.int32), "rows of floats, got torch.int32"),
        (np.ones((2, 2), int), "floating dtype"),
    ],
)
def test_unit_refuses(x, rule):
    with pytest.raises(ValueError, match=rule):
        unit(x)


@pytest.mark.parametrize(("n", "size"), [(0, 3), (1, 3), (3, 3), (7, 3), (6, 3)])
def test_row_blocks_cover_every_row_once(n, size):
    blocks = list(row_blocks(n, size))
    assert [i for block in blocks for i in range(n)[block]] == list(range(n))
    assert all(block.stop - block.start == size for block in blocks[:-1])


@pytest.mark.parametrize(("n", "size"), [(-1, 3), (3, 0)])
def test_row_blocks_refuses(n, size):
    with pytest.raises(ValueError, match=f"n={n}, size={size}"):
        row_blocks(n, size)


def test_cosines_are_those_of_scikit_learn(rng, monkeypatch):
    monkeypatch.setattr(tensors, "BLOCK_NUMBERS", 15)  # blocks of 3 rows
    a, b = rng.normal(size=(10, 5)), rng.normal(size=(4, 5))
    np.testing.assert_allclose(cosines(a, b).numpy(), cosine_similarity(a, b), rtol=1e-12)
    assert cosines(a.astype("f4"), torch.tensor(b)).dtype == torch.float64
    assert cosines(a.astype("f2"), b.astype("f2")).dtype == torch.float32


def test_cosines_name_the_row_of_a_later_block(monkeypatch):
    monkeypatch.setattr(tensors, "BLOCK_NUMBERS", 4)
    a = np.ones((7, 2))
    a[5] = 0
    with pytest.raises(ValueError, match="a: row 5 is zero"):
        cosines(a, np.ones((1, 2)))


def test_cosines_refuse_unlike_widths():
    with pytest.raises(ValueError, match="as many columns, got 2 and 3"):
        cosines(np.ones((2, 2)), np.ones((2, 3)))


def test_reversed_rows_pass_even_a_single_one():
    x = np.arange(12, dtype=np.float64).reshape(4, 3) + 1
    assert torch.equal(as_rows(x[::-1]), torch.from_numpy(x[::-1].copy()))
    assert torch.equal(as_rows(x[::-1][:1]), torch.from_numpy(x[3:].copy()))
