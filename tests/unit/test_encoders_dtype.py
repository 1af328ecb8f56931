"""Half precision: close to float32, pooled and scored in float32, and announced where it is slow."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from workbench.corpora import load
from workbench.encoders import load_encoder
from workbench.encoders.encoding import token_budget
from workbench.encoders.pooling import pool, through
from workbench.encoders.precision import bfloat16_instructions, moved, warn_of_slow

pytestmark = pytest.mark.usefixtures("home")

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: torch finds none here")


@pytest.fixture
def docstrings(enc):
    """24 real docstrings of every length, by their number of tokens."""
    texts = list(load("pydocs", scope="stdlib-core").texts[:400])
    order = np.argsort(enc.count_tokens(texts), kind="stable")
    return [texts[i] for i in order[:: len(order) // 24][:24]]


def row_cosines(x, y):
    x, y = x.astype(np.float64), y.astype(np.float64)
    return (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)


def test_bfloat16_rows_have_a_cosine_of_0_999_with_float32_rows(enc, docstrings):
    half = enc.with_settings(dtype="bfloat16")
    rows = half.encode(docstrings, store=False)
    assert (rows.dtype, half.settings.dtype) == (np.float32, "bfloat16")
    whole = enc.encode(docstrings, store=False)
    assert row_cosines(rows, whole).min() > 0.999
    assert not np.array_equal(rows, whole)  # it did compute in half precision
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)  # scaled to length 1 in float32


def test_loading_in_bfloat16_is_the_same_as_changing_to_it(enc, docstrings):
    loaded = load_encoder("all-MiniLM-L6-v2", device="cpu", dtype="bfloat16")
    assert next(loaded.model.parameters()).dtype == torch.bfloat16
    expected = enc.with_settings(dtype="bfloat16").encode(docstrings[:4], store=False)
    np.testing.assert_array_equal(loaded.encode(docstrings[:4], store=False), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_raised_before_it_is_summed(dtype):
    values = torch.tensor(np.random.default_rng(0).normal(1, 0.1, size=(2, 512, 3))).to(dtype)
    mask = torch.ones(2, 512, dtype=torch.bool)
    expected = values.double().mean(dim=1).numpy()
    got = pool(values, mask, how="mean")
    assert got.dtype == torch.float32
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-6)
    in_half = values.cumsum(dim=1)[:, -1] / 512  # each partial sum rounded to the dtype, as a naive loop would
    assert np.abs(in_half.double().numpy() - expected).max() > 1e-4


def test_a_head_in_half_precision_gives_float32():
    head = nn.Linear(4, 2).to(torch.bfloat16)
    rows = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    got = through(head, rows)
    expected = rows.to(torch.bfloat16).double() @ head.weight.double().T + head.bias.double()
    assert got.dtype == torch.float32
    np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), atol=2e-2)
    assert through(None, rows) is rows


def capabilities(monkeypatch, **has):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64", "avx2": True, **has})


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({}, False),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"architecture": "aarch64", "bf16": True}, True),
    ],
)
def test_instructions_are_what_the_processor_says(has, expected, monkeypatch):
    capabilities(monkeypatch, **has)
    assert bfloat16_instructions() is expected


def test_slow_half_precision_is_announced_and_fast_is_not(enc, monkeypatch):
    capabilities(monkeypatch)
    with pytest.warns(UserWarning, match="no bfloat16 instructions"):
        enc.with_settings(dtype="bfloat16")
    with pytest.warns(UserWarning, match="no bfloat16 instructions"):
        load_encoder("all-MiniLM-L6-v2", device="cpu", dtype="bfloat16")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        enc.with_settings(dtype="float32", max_length=9)
        warn_of_slow(nn.Linear(2, 2))
        warn_of_slow(nn.Linear(2, 2, device="meta").to(torch.bfloat16))  # not on this CPU
        capabilities(monkeypatch, amx_bf16=True)
        warn_of_slow(nn.Linear(2, 2).to(torch.bfloat16))


def test_a_model_is_copied_only_when_it_has_to_change():
    model = nn.Linear(2, 2)
    assert moved(model, device=None, dtype=None) is model
    assert moved(model, device="cpu", dtype="float32") is model
    half = moved(model, device="cpu", dtype="bfloat16")
    assert (half.weight.dtype, model.weight.dtype) == (torch.bfloat16, torch.float32)
    with pytest.raises(ValueError, match="got 'int8'"):
        moved(model, device=None, dtype="int8")
    with pytest.raises(ValueError, match=r"dtype must be one of .*'float64'"):
        load_encoder("all-MiniLM-L6-v2", device="cpu", dtype="float64")


@pytest.mark.gpu
@needs_gpu
def test_float32_rows_of_the_gpu_are_those_of_the_cpu(enc, docstrings):
    on_gpu = load_encoder("all-MiniLM-L6-v2", device="cuda")
    assert on_gpu.settings.device.startswith("cuda")
    np.testing.assert_allclose(on_gpu.encode(docstrings, store=False), enc.encode(docstrings, store=False), atol=1e-4)


@pytest.mark.gpu
@needs_gpu
def test_bfloat16_rows_of_the_gpu_have_a_cosine_of_0_999_with_float32_rows_of_the_cpu(enc, docstrings):
    rows = load_encoder("all-MiniLM-L6-v2", device="cuda", dtype="bfloat16").encode(docstrings, store=False)
    assert rows.dtype == np.float32
    assert row_cosines(rows, enc.encode(docstrings, store=False)).min() > 0.999


@pytest.mark.parametrize(("kind", "tokens"), [("cpu", 512), ("cuda", 32768)])
def test_the_default_budget_is_the_devices(kind, tokens):
    encoder = SimpleNamespace(device=torch.device(kind))
    assert token_budget(encoder, None) == tokens
    assert token_budget(encoder, 7) == 7
