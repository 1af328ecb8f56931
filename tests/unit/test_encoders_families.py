"""The list of cheap encoders: unlike kinds, one seed one list, random weights that are no copy."""

import numpy as np
import pytest

from workbench.encoders.families import cheap_encoders, untrained

TEXTS = [f"word{i} word{i % 7} and word{i % 11}" for i in range(300)]


def test_twenty_encoders_of_unlike_kinds_the_first_eight_of_every_kind(enc):
    encoders = cheap_encoders(enc, TEXTS, seed=0)
    kinds = [name.split()[0] for name in encoders]
    assert len(encoders) == 20
    assert set(kinds) == set(kinds[:8]) == {"trained", "untrained", "TF-IDF", "characters", "words"}
    assert kinds.count("trained") == 11
    rows = {name: encoder.encode(TEXTS[:3]) for name, encoder in encoders.items()}
    assert all(len(x) == 3 and np.isfinite(x).all() for x in rows.values())
    widths = {name: x.shape[1] for name, x in rows.items() if name.startswith("trained")}
    assert widths["trained 6 mean 24"] == 24
    expected = enc.encode(TEXTS[:3], normalize=False, store=False, progress=False)
    np.testing.assert_allclose(rows["trained 6 mean"], expected, atol=1e-5)


def test_random_weights_are_those_of_the_seed_and_leave_the_generator_alone(enc):
    import torch

    before = torch.random.get_rng_state()
    one, same, other = (untrained(enc, layers=2, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    x, y, z = (e.encode(TEXTS[:3], store=False, progress=False) for e in (one, same, other))
    np.testing.assert_array_equal(x, y)
    assert np.abs(x - z).max() > 0.1
    assert (one.n_layers, enc.n_layers) == (2, 6)
    assert one.settings.max_length == enc.settings.max_length


def test_what_the_list_is_not_made_for_is_refused(enc):
    with pytest.raises(ValueError, match="6 layers, got 4"):
        cheap_encoders(enc.with_settings(layers=4), TEXTS, seed=0)
    with pytest.raises(ValueError, match="at least 1 layer"):
        untrained(enc, layers=0, seed=0)
