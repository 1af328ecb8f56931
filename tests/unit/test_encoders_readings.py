"""Readings of layers and poolings against encoders that run by themselves."""

import numpy as np
import pytest

from workbench.encoders.readings import Readings

TEXTS = ["The cats weren't running.", "", "one", "word " * 40, "one"]


def test_a_reading_is_the_encoder_of_that_layer_and_pooling(enc):
    readings = Readings(enc, (0, 4, 6), ("mean", "cls", "max"))
    for layer in (4, 6):
        for how in ("mean", "cls", "max"):
            alone = enc.with_settings(layers=layer, pooling=how)
            expected = alone.encode(TEXTS, normalize=False, store=False, progress=False)
            np.testing.assert_allclose(readings.reading(layer, how).encode(TEXTS), expected, atol=1e-5)
    np.testing.assert_allclose(readings.reading(0).encode(TEXTS), enc.hidden_states(TEXTS, layers=[0])[0], atol=1e-5)


def test_fewer_dimensions_are_the_first_columns(enc):
    readings = Readings(enc, (6,))
    np.testing.assert_array_equal(
        readings.reading(6, dimensions=24).encode(TEXTS), readings.reading(6).encode(TEXTS)[:, :24]
    )
    assert readings.reading(6, dimensions=24).name.endswith("layer 6, mean, 24 dimensions")
    assert readings.reading(6).encode([]).shape == (0, 384)


def test_each_text_runs_once(enc, monkeypatch):
    seen = []
    run = enc.token_states
    monkeypatch.setitem(vars(enc), "token_states", lambda texts, **more: seen.extend(texts) or run(texts, **more))
    readings = Readings(enc, (2, 6), ("mean", "max"))
    for _ in range(2):
        readings.reading(2, "max").encode(["a", "b", "a"])
        readings.reading(6).encode(["b", "c"])
    assert sorted(seen) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("layers", "poolings", "words"), [((), ("mean",), "0..6"), ((7,), ("mean",), "0..6"), ((6,), ("own",), "poolings")]
)
def test_what_cannot_be_read_is_refused(enc, layers, poolings, words):
    with pytest.raises(ValueError, match=words):
        Readings(enc, layers, poolings)


@pytest.mark.parametrize(
    ("layer", "how", "dimensions"), [(4, "mean", None), (6, "cls", None), (6, "mean", 0), (6, "mean", 385)]
)
def test_a_reading_that_is_not_there_is_refused(enc, layer, how, dimensions):
    with pytest.raises(ValueError, match=f"got {dimensions if dimensions is not None else layer}"):
        Readings(enc, (6,)).reading(layer, how, dimensions=dimensions)
