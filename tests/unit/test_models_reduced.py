import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from workbench.models.reduced import reduced_bert
from workbench.models.small import small_bert


@pytest.fixture(scope="module")
def model():
    return small_bert(40, layers=1, width=16, heads=2, positions=12, seed=3)


def test_word_vectors_are_the_principal_components_of_scikit_learn(model):
    words = model.get_input_embeddings().weight.detach().double().numpy()
    wanted = PCA(8).fit_transform(words)
    got = reduced_bert(model, width=8, heads=2, seed=0).get_input_embeddings().weight.detach().numpy()
    signs = np.sign((got * wanted).sum(0))
    np.testing.assert_allclose(got * signs, wanted, atol=1e-6)


def test_all_else_is_its_seed(model):
    one, same, other = (reduced_bert(model, width=8, heads=2, seed=s).state_dict() for s in (0, 0, 1))
    words = "embeddings.word_embeddings.weight"
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert torch.equal(one[words], other[words])
    query = "encoder.layer.1.attention.self.query.weight"
    assert not torch.equal(one[query], other[query])
    assert one["embeddings.position_embeddings.weight"].shape == (12, 8)


def test_the_model_given_stays_as_it_is(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        reduced_bert(model, width=8, heads=2, seed=0).get_input_embeddings().weight.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_more_dimensions_than_there_are_are_refused(model):
    with pytest.raises(ValueError, match="width must be at most 16"):
        reduced_bert(model, width=20, heads=2, seed=0)
