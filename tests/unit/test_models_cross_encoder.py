"""Cross-encoders against single forward passes and sentence-transformers' own, on tiny random models."""

import numpy as np
import pytest
import torch
from transformers import DistilBertConfig, DistilBertModel, RobertaConfig, RobertaModel

from workbench.corpora import Retrieval
from workbench.evaluation import evaluate_reranking
from workbench.models.cross_encoder import CrossEncoder, from_encoder
from workbench.models.small import small_bert, small_decoder, small_t5
from workbench.models.tokenizers import train_bpe, train_wordpiece
from workbench.retrieval import Hits, Reranker, rerank

WORDS = ["red", "blue", "house", "tree", "cat", "dog", "of", "the", "a", "photo"]
TINY = {"layers": 3, "width": 16, "heads": 2, "positions": 24}
LONG = "the cat of the dog of the house of a tree of the red photo of the cat of a dog"
PAIRS = [
    ("a red house", "the photo of a red house"),
    ("dog", LONG),
    (LONG, "blue"),
    ("", ""),
    ("dog", LONG),
    ("cat", "the cat"),
    ("blue tree", "a tree"),
]


@pytest.fixture(scope="module")
def tokenizer():
    return train_wordpiece([*WORDS, LONG], vocabulary=60, max_length=24)


def wide(model):
    """Weights ten times those of a fresh model, so that scores differ in their first digits."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "LayerNorm" not in name:
                weight.mul_(10)
    return model


@pytest.fixture
def cross(tokenizer):
    return CrossEncoder(wide(small_bert(len(tokenizer), **TINY, head="classes", classes=1, seed=0)), tokenizer)


@torch.no_grad()
def one_by_one(cross, pairs):
    # in lists: transformers takes a second text that is empty and stands alone for none at all
    options = {"truncation": True, "max_length": cross.max_length, "return_tensors": "pt"}
    read = [cross.tokenizer([query], [document], **options) for query, document in pairs]
    return np.array([cross.model.eval()(**inputs).logits.item() for inputs in read])


def test_scores_are_the_logits_of_each_pair_alone(cross):
    alone = one_by_one(cross, PAIRS)
    assert np.ptp(alone) > 0.1
    for budget in (None, 1, 60):
        scores = cross.score(PAIRS, batch_tokens=budget)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, alone, atol=1e-5)
    assert cross.score([]).shape == (0,)


def test_scores_are_those_of_sentence_transformers(cross, tmp_path):
    from sentence_transformers import CrossEncoder as Theirs

    cross.model.save_pretrained(tmp_path)
    cross.tokenizer.save_pretrained(tmp_path)
    theirs = Theirs(str(tmp_path), device="cpu", max_length=24, activation_fn=torch.nn.Identity())
    np.testing.assert_allclose(cross.score(PAIRS), theirs.predict(PAIRS, show_progress_bar=False), atol=1e-5)


def test_batches_hold_what_the_budget_says_and_equal_pairs_are_read_once(cross, monkeypatch):
    seen, real = [], cross.model.forward

    def watched(**inputs):
        seen.append(tuple(inputs["input_ids"].shape))
        return real(**inputs)

    monkeypatch.setattr(cross.model, "forward", watched)
    cross.score(PAIRS, batch_tokens=48)
    assert sum(rows for rows, _ in seen) == len(set(PAIRS))
    assert [width for _, width in seen] == sorted((width for _, width in seen), reverse=True)
    assert all(rows == 1 or rows * width <= 48 for rows, width in seen)
    assert len(seen) < len(set(PAIRS))


def test_windows_change_no_score(cross, monkeypatch):
    whole = cross.score(PAIRS)
    monkeypatch.setattr("workbench.models.cross_encoder.WINDOW", 2)
    np.testing.assert_allclose(cross.score(PAIRS), whole, atol=1e-6)


def test_forward_trains_with_dropout_and_score_runs_without(cross):
    cross.train()
    cross.model.bert.embeddings.eval()
    before = [part.training for part in cross.modules()]
    first = cross.score(PAIRS)
    np.testing.assert_array_equal(cross.score(PAIRS), first)
    assert [part.training for part in cross.modules()] == before
    assert not torch.equal(cross(PAIRS), cross(PAIRS))
    cross.eval()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(cross(PAIRS), torch.tensor([1.0, 0, 0, 0, 0, 1, 1]))
    loss.backward()
    scores = one_by_one(cross, PAIRS)
    by_hand = np.mean(np.log1p(np.exp(scores)) - scores * np.array([1, 0, 0, 0, 0, 1, 1]))
    assert loss.item() == pytest.approx(by_hand, rel=1e-4)
    bias = cross.model.classifier.bias.grad.item()
    assert bias == pytest.approx(np.mean(1 / (1 + np.exp(-scores)) - [1, 0, 0, 0, 0, 1, 1]), rel=1e-3, abs=1e-6)


def test_twenty_steps_learn_to_tell_pairs_apart(tokenizer):
    model = from_encoder(small_bert(len(tokenizer), **TINY, seed=0), tokenizer, layers=1, seed=0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    wanted = torch.tensor([1.0, 0, 0, 1, 0, 1, 0])
    before = model.score(PAIRS)
    for _ in range(20):
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(model(PAIRS), wanted).backward()
        optimiser.step()
    after = model.score(PAIRS)
    gap = lambda scores: scores[wanted.bool().numpy()].mean() - scores[~wanted.bool().numpy()].mean()  # noqa: E731
    assert gap(after) > gap(before) + 0.5


def test_it_reranks_hits_and_is_evaluated(cross):
    assert isinstance(cross, Reranker)
    queries = {"q": "a red house", "r": "dog"}
    documents = {"d": "the photo of a red house", "e": "blue tree", "f": LONG}
    hits = Hits(("q", "r"), tuple(documents), np.array([[0, 1, 2]] * 2), np.array([[3.0, 2, 1]] * 2))
    found = rerank(hits, queries, documents, cross)
    for row, query in enumerate(queries.values()):
        alone = one_by_one(cross, [(query, text) for text in documents.values()])
        assert found.indices[row].tolist() == np.argsort(-alone).tolist()
    data = Retrieval(
        documents, queries, {"q": {"d": 1}, "r": {"f": 1}}, candidates={q: list(documents) for q in queries}
    )
    result = evaluate_reranking(cross, data)
    ranks = [found.indices[0].tolist().index(0) + 1, found.indices[1].tolist().index(2) + 1]
    assert result.arrays["map@1000"].tolist() == pytest.approx([1 / rank for rank in ranks])
    assert result.recipe["model"] == "cross-encoder"
    np.testing.assert_array_equal(cross.count_tokens(["dog", ""]), [3, 2])
    assert cross.count_tokens([]).shape == (0,)


@pytest.mark.parametrize("head", [None, "pooler", "masked_lm"])
def test_first_layers_are_copied_and_the_head_is_fresh(tokenizer, head):
    model = small_bert(len(tokenizer), **TINY, head=head, seed=1)
    cross = from_encoder(model, tokenizer, layers=2, seed=5)
    bare, copied = model.base_model, cross.model.bert
    inputs = tokenizer("a red house", "dog", return_tensors="pt")
    with torch.no_grad():
        theirs = bare.eval()(**inputs, output_hidden_states=True).hidden_states[2]
        assert torch.equal(copied(**inputs).last_hidden_state, theirs)
    assert len(copied.encoder.layer) == 2
    ours = {p.data_ptr() for p in cross.parameters()}
    assert not ours & {p.data_ptr() for p in model.parameters()}
    again, other = (from_encoder(model, tokenizer, layers=2, seed=seed).model.classifier.weight for seed in (5, 6))
    assert torch.equal(cross.model.classifier.weight, again)
    assert not torch.equal(again, other)
    if head == "pooler":
        assert not torch.equal(copied.pooler.dense.weight, bare.pooler.dense.weight)


def test_other_encoders_of_berts_kind(tokenizer):
    sizes = {"vocab_size": len(tokenizer), "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
    sizes |= {"type_vocab_size": 1, "num_hidden_layers": 3}
    roberta = RobertaModel(RobertaConfig(**sizes, max_position_embeddings=20, pad_token_id=0))
    bpe = train_bpe([LONG], vocabulary=300)
    assert from_encoder(roberta, tokenizer_without_types(tokenizer), seed=0).max_length == 19  # behind padding at 0
    with pytest.raises(ValueError, match="the tokenizer gives token type 1, the model has 1 of them"):
        from_encoder(roberta, tokenizer, seed=0)
    distil = DistilBertModel(DistilBertConfig(vocab_size=300, dim=16, n_heads=2, n_layers=3, hidden_dim=32))
    cross = from_encoder(distil, bpe, layers=2, max_length=16, seed=0)
    np.testing.assert_allclose(cross.score(PAIRS), one_by_one(cross, PAIRS), atol=1e-5)


def tokenizer_without_types(tokenizer):
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        pad_token="[PAD]",
        model_max_length=24,
        model_input_names=["input_ids", "attention_mask"],
    )


def test_decoders_score_at_their_last_token():
    tokenizer = train_bpe([LONG], vocabulary=300)
    model = small_decoder(len(tokenizer), layers=2, width=16, heads=2, head="classes", classes=1, seed=0)
    cross = CrossEncoder(model, tokenizer)
    np.testing.assert_allclose(cross.score(PAIRS), one_by_one(cross, PAIRS), atol=1e-5)


def test_models_and_lengths_that_do_not_fit_are_refused(tokenizer):
    words = len(tokenizer)
    one = small_bert(words, **TINY, head="classes", classes=1, seed=0)
    with pytest.raises(ValueError, match="one label, BertForSequenceClassification has 2"):
        CrossEncoder(small_bert(words, **TINY, head="classes", classes=2, seed=0), tokenizer)
    with pytest.raises(ValueError, match="one label, BertModel has no head of labels"):
        CrossEncoder(small_bert(words, **TINY, seed=0), tokenizer)
    with pytest.raises(ValueError, match="max_length must be between 5 and 24, the model's positions, got 25"):
        CrossEncoder(one, tokenizer, max_length=25)
    with pytest.raises(ValueError, match="max_length must be between 5 and 24"):
        CrossEncoder(one, tokenizer, max_length=4)
    tagger = small_bert(words, **TINY, head="tokens", classes=1, seed=0)
    with pytest.raises(ValueError, match=r"one logit per pair, got \(1, 5, 1\) for 1 pairs"):
        CrossEncoder(tagger, tokenizer).score([("dog", "cat")])
    bare = train_bpe([LONG], vocabulary=300)
    bare.pad_token = None
    with pytest.raises(ValueError, match="tokenizer must have a padding token"):
        CrossEncoder(one, bare)
    with pytest.raises(ValueError, match="layers must be at most 3, those of the model, got 4"):
        from_encoder(small_bert(words, **TINY, seed=0), tokenizer, layers=4, seed=0)
    with pytest.raises(ValueError, match="layers must be a whole number, at least 1"):
        from_encoder(small_bert(words, **TINY, seed=0), tokenizer, layers=0, seed=0)
    with pytest.raises(ValueError, match="T5"):
        from_encoder(small_t5(words, layers=2, width=16, heads=2, decoder=False, seed=0), tokenizer, seed=0)


def test_pairs_that_are_none_are_refused(cross):
    with pytest.raises(TypeError, match=r"pair 1 must be two str, \(query, document\), got 'ab'"):
        cross.score([("a", "b"), "ab"])
    with pytest.raises(TypeError, match="pair 0 must be two str"):
        cross([("a", None)])
    with pytest.raises(ValueError, match="pair 1 must be valid Unicode"):
        cross.score([("a", "b"), ("a", "\ud800")])
    with pytest.raises(ValueError, match="a batch holds one pair or more, got none"):
        cross([])
    with pytest.raises(ValueError, match="batch_tokens must be a whole number, at least 1, got 0"):
        cross.score(PAIRS, batch_tokens=0)
    with torch.no_grad():
        cross.model.bert.embeddings.word_embeddings.weight[cross.tokenizer.convert_tokens_to_ids("blue")] = torch.nan
    with pytest.raises(ValueError, match="the score of pair 2 is not a finite number"):
        cross.score(PAIRS)
