import numpy as np
import pytest
import torch

from workbench.training.interaction import late_step, listwise_step

RNG = np.random.default_rng(5)
STATES = {name: RNG.normal(size=(1 + i % 3, 4)) for i, name in enumerate("abcdef")}


def tokens(texts):
    longest = max(len(STATES[t]) for t in texts)
    states, mask = torch.zeros(len(texts), longest, 4, dtype=torch.float64), torch.zeros(len(texts), longest)
    for i, text in enumerate(texts):
        states[i, : len(STATES[text])], mask[i, : len(STATES[text])] = torch.tensor(STATES[text]), 1
    return states, mask


def entropy_of(scores, right):
    return float(np.mean([np.log(np.exp(row).sum()) - row[r] for row, r in zip(scores, right, strict=True)]))


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_late_step_is_the_cross_entropy_of_its_scores(temperature):
    batch = {"anchor": list("abc"), "positive": list("def")}
    scores = [
        [np.mean([max(q @ d for d in STATES[p]) for q in STATES[a]]) / temperature for p in batch["positive"]]
        for a in batch["anchor"]
    ]
    got = late_step(temperature=temperature)(tokens, batch, {})
    assert float(got) == pytest.approx(entropy_of(np.array(scores), [0, 1, 2]), rel=1e-9)


def test_listwise_step_picks_the_first_column():
    values = {(a, c): float(RNG.normal()) for a in "ab" for c in "cdef"}
    batch = {"positive": ["c", "d"], "anchor": ["a", "b"], "negative 0": ["d", "e"], "negative 1": ["e", "f"]}
    got = listwise_step()(lambda pairs: torch.tensor([values[p] for p in pairs], dtype=torch.float64), batch, {})
    rows = [[values[("a", c)] for c in "cde"], [values[("b", c)] for c in "def"]]
    assert float(got) == pytest.approx(entropy_of(np.array(rows), [0, 0]), rel=1e-9)


def test_models_that_tell_nothing_apart_score_the_log_of_the_candidates():
    def same(texts):
        return torch.ones(len(texts), 2, 4), torch.ones(len(texts), 2)

    assert float(late_step()(same, {"anchor": list("abc"), "positive": list("def")}, {})) == pytest.approx(np.log(3))
    batch = {"anchor": ["a"], "positive": ["b"], "negative": ["c"]}
    assert float(listwise_step()(lambda pairs: torch.zeros(len(pairs)), batch, {})) == pytest.approx(np.log(2))


@pytest.mark.parametrize("temperature", [0.0, float("nan"), float("inf")])
def test_a_temperature_that_is_not_above_0_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be above 0"):
        late_step(temperature=temperature)


@pytest.mark.parametrize(
    ("step", "batch"),
    [
        (late_step(), {"anchor": ["a"], "positive": ["b"]}),
        (late_step(), {"anchor": ["a", "b"], "positive": ["b", "c"], "negative": ["c", "d"]}),
        (listwise_step(), {"anchor": ["a"], "positive": ["b"]}),
        (listwise_step(), {"positive": ["b"], "negative": ["a"]}),
    ],
)
def test_other_batches_are_refused(step, batch):
    with pytest.raises(ValueError, match="_step takes anchor"):
        step(tokens, batch, {})
