"""The same vectors give the same numbers through mteb and through us."""

import numpy as np
import pytest

from workbench.corpora import Labels, Pairs, Retrieval, Words

mteb = pytest.importorskip("mteb", reason="the extra mteb is not installed")
from workbench.evaluation import evaluate_classification, evaluate_retrieval, evaluate_sts  # noqa: E402
from workbench.evaluation.mteb_bridge import MtebEncoder, as_task  # noqa: E402


class Table:
    """An encoder whose vectors follow from the letters of a text."""

    name = "table"

    def encode(self, texts):
        return np.stack([self.vector(text) for text in texts]).astype(np.float32)

    def vector(self, text):
        rng = np.random.default_rng(sum(ord(c) * 31**i for i, c in enumerate(text)) % 2**32)
        topic = np.zeros(16)
        topic[len(text) % 4] = 1.5  # texts of like length lie near one another
        return topic + rng.normal(size=16)


def through_mteb(data, **options):
    task = as_task(data, **options)
    result = mteb.evaluate(MtebEncoder(Table()), [task], cache=None, show_progress_bar=False)
    return result.task_results[0].scores["test"][0]


@pytest.fixture
def texts():
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list("abcdefgh"), rng.integers(8, 30))) for _ in range(300)]


def test_sts(texts):
    data = Pairs(texts[:100], texts[100:200], np.random.default_rng(1).integers(0, 6, 100) / 1.0)
    ours, theirs = evaluate_sts(Table(), data), through_mteb(data)
    assert ours["spearman"].value == pytest.approx(theirs["cosine_spearman"], abs=1e-6)
    assert ours["pearson"].value == pytest.approx(theirs["cosine_pearson"], abs=1e-6)


def test_retrieval(texts):
    rng = np.random.default_rng(2)
    documents = {f"d{i}": text for i, text in enumerate(texts[:200])}
    queries = {f"q{i}": text for i, text in enumerate(texts[200:])}
    qrels = {q: {f"d{j}": int(rng.integers(0, 3)) for j in rng.choice(200, 12, replace=False)} for q in queries}
    data = Retrieval(documents, queries, qrels)
    ours, theirs = evaluate_retrieval(Table(), data), through_mteb(data)
    for name in ("ndcg@10", "recall@10", "map@10", "precision@10", "mrr@10"):
        assert ours[name].value == pytest.approx(theirs[name.replace("@", "_at_")], abs=1e-4), name  # they round to 5


def test_classification(texts):
    labels = [f"length {len(text) % 4}" for text in texts]
    data = Labels(texts, labels, columns={"split": ["train"] * 150 + ["test"] * 150})
    ours, theirs = evaluate_classification(Table(), data), through_mteb(data)
    assert ours["accuracy"].value == pytest.approx(theirs["accuracy"], abs=1e-6)
    assert ours["macro_f1"].value == pytest.approx(theirs["f1"], abs=1e-6)


def test_queries_and_documents_get_the_prompts_of_the_folder():
    class Prompted(Table):
        prompts = {"query": "q: ", "passage": "p: "}  # noqa: RUF012

        def __init__(self, prompt=""):
            self.prompt = prompt

        def with_settings(self, *, prompt):
            return Prompted(self.prompts[prompt])

        def encode(self, texts):
            return super().encode([self.prompt + text for text in texts])

    encoder, batch = MtebEncoder(Prompted()), [{"text": ["one", "two"]}, {"text": ["three"]}]
    for kind, prefix in ((mteb.types.PromptType.query, "q: "), (mteb.types.PromptType.document, "p: "), (None, "")):
        wanted = Table().encode([prefix + text for text in ("one", "two", "three")])
        assert np.array_equal(encoder.encode(batch, prompt_type=kind), wanted)


def test_the_bridge_refuses(texts):
    with pytest.raises(TypeError, match="encode"):
        MtebEncoder(object())
    with pytest.raises(TypeError, match="Pairs, Labels or Retrieval"):
        as_task(Words(["a"], ["b"], [1.0]))
    with pytest.raises(ValueError, match="split 'test'"):
        as_task(Labels(texts, ["x"] * 300, columns={"split": ["train"] * 300}))
