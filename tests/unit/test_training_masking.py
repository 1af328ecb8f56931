import pytest
import torch

from workbench.training.masking import mask_tokens

IDS = torch.tensor(
    [[2, 10, 11, 12, 13, 14, 15, 16, 17, 3], [2, 20, 21, 3, 0, 0, 0, 0, 0, 0], [2, 30, 3, 0, 0, 0, 0, 0, 0, 0]]
)
MASK = IDS != 0
OPEN = IDS >= 10


def masked(rate=0.25, seed=0, **changes):
    given = {"rate": rate, "replacement": 4, "special": [0, 2, 3], "generator": torch.Generator().manual_seed(seed)}
    return mask_tokens(IDS, MASK, **{**given, **changes})


def test_each_text_loses_its_share_and_nothing_else_changes():
    for rate, expected in ((0.25, [2, 1, 1]), (0.5, [4, 1, 1]), (1.0, [8, 2, 1]), (0.01, [1, 1, 1])):
        ids, places = masked(rate)
        assert places.sum(dim=1).tolist() == expected
        assert not (places & ~OPEN).any()
        assert (ids[places] == 4).all()
        assert torch.equal(ids[~places], IDS[~places])


def test_every_token_is_drawn_equally_often():
    counts = torch.zeros(IDS.shape)
    generator = torch.Generator().manual_seed(0)
    for _ in range(4000):
        counts += masked(0.25, generator=generator)[1]
    share = counts[0, 1:9] / 4000
    assert (share - 0.25).abs().max() < 0.03  # four standard errors


def test_padding_that_looks_like_a_token_is_never_masked():
    ids = IDS.masked_fill(~MASK, 99)
    _, places = mask_tokens(ids, MASK, rate=1.0, replacement=4, special=[2, 3], generator=torch.Generator())
    assert not (places & ~MASK).any()


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1, float("nan")])
def test_refused_rates(rate):
    with pytest.raises(ValueError, match="rate"):
        masked(rate)


def test_refused_shapes_and_texts():
    with pytest.raises(ValueError, match="one shape"):
        mask_tokens(IDS, MASK[:, :4], rate=0.5, replacement=4, special=[], generator=torch.Generator())
    with pytest.raises(ValueError, match="none of"):
        mask_tokens(IDS, MASK, rate=0.5, replacement=4, special=range(100), generator=torch.Generator())
