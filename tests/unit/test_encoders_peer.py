"""MiniLM's vectors against sentence-transformers' own, from the same folder."""

import numpy as np
import pytest

from workbench.encoders import find_model, load_encoder

TEXTS = [
    "a cat",
    "",
    "A dog runs over the hill and comes back.",
    "naïve café, 漢字, \U0001f600",
    "  leading and trailing blanks \n",
    "word " * 400,
    "short",
]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("module") / "home"
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(root))
        yield


@pytest.fixture(scope="module")
def peer():
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(find_model("all-MiniLM-L6-v2")), device="cpu")


@pytest.fixture(scope="module")
def enc():
    return load_encoder("all-MiniLM-L6-v2", device="cpu")


def test_vectors_are_the_peers(enc, peer):
    np.testing.assert_allclose(enc.encode(TEXTS, store=False), peer.encode(TEXTS), atol=1e-5)


def test_the_prompt_is_the_peers(enc, peer):
    ours = enc.with_settings(prompt="query: ").encode(TEXTS, store=False)
    np.testing.assert_allclose(ours, peer.encode(TEXTS, prompt="query: "), atol=1e-5)


def test_cut_dimensions_are_the_peers(enc, peer):
    ours = enc.with_settings(dimensions=100).encode(TEXTS, store=False)
    np.testing.assert_allclose(ours, peer.encode(TEXTS, truncate_dim=100, normalize_embeddings=True), atol=1e-5)


@pytest.mark.parametrize(("ours", "theirs"), [("cls", "cls"), ("last", "lasttoken"), ("max", "max")])
def test_other_poolings_are_the_peers(enc, peer, ours, theirs):
    peer[1].pooling_mode = theirs
    try:
        expected = peer.encode(TEXTS)
    finally:
        peer[1].pooling_mode = "mean"
    np.testing.assert_allclose(enc.with_settings(pooling=ours).encode(TEXTS, store=False), expected, atol=1e-5)


@pytest.mark.parametrize("length", [512, 16])
def test_another_length_is_the_peers(enc, peer, length):
    before, peer.max_seq_length = peer.max_seq_length, length
    try:
        expected = peer.encode(["word " * 600, "one two three " * 10])
    finally:
        peer.max_seq_length = before
    got = enc.with_settings(max_length=length).encode(["word " * 600, "one two three " * 10], store=False)
    np.testing.assert_allclose(got, expected, atol=1e-5)
