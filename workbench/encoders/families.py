"""Twenty cheap encoders of unlike kinds, for studies that compare many."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from workbench.encoders.counted import hashed_encoder, tfidf_encoder
from workbench.encoders.encoder import Encoder
from workbench.encoders.readings import Readings

__all__ = ["cheap_encoders", "untrained"]


def cheap_encoders(encoder: Encoder, texts: Sequence[str], *, seed: int) -> dict[str, Any]:
    """Eleven readings of one encoder of 6 layers, and nine others: name -> encoder.

    "trained ...": layers 0, 2, 4, 6 of `encoder`, pooled by mean, first token or maximum, its first 96 or 24
    dimensions, and its bare word embeddings; all of them variants of one model. "untrained ...": two layers of the same
    network with random weights. "TF-IDF ...": fitted to `texts`. "characters ...", "words ...": hashed, nothing fitted.
    The first eight are of every kind, so a shorter list is a head of this one. Each text is run once for all readings.

    Raises:
        ValueError: a model of other than 6 layers, or too few texts for 256 dimensions.
    """
    if encoder.n_layers != 6:
        raise ValueError(f"the list is made for an encoder of 6 layers, got {encoder.n_layers}")
    full = Readings(encoder, (0, 2, 4, 6), ("mean", "cls", "max"))
    bare = Readings(untrained(encoder, layers=2, seed=seed), (0, 2), ("mean", "max"))
    lsa = {d: tfidf_encoder(texts, dimensions=d, seed=seed) for d in (16, 64, 256)}
    return {
        "trained 6 mean": full.reading(6),
        "untrained 2 mean": bare.reading(2),
        "TF-IDF 64": lsa[64],
        "characters 384": hashed_encoder("characters", dimensions=384),
        "trained 2 mean": full.reading(2),
        "trained 6 cls": full.reading(6, "cls"),
        "TF-IDF 16": lsa[16],
        "words 384": hashed_encoder("words", dimensions=384),
        "trained 6 max": full.reading(6, "max"),
        "trained 4 mean": full.reading(4),
        "TF-IDF 256": lsa[256],
        "untrained 2 max": bare.reading(2, "max"),
        "trained 6 mean 96": full.reading(6, dimensions=96),
        "characters 64": hashed_encoder("characters", dimensions=64),
        "trained 4 cls": full.reading(4, "cls"),
        "trained 0 mean": full.reading(0),
        "trained words": SimpleNamespace(encode=encoder.mean_word_embedding, name=f"{encoder.name}, word embeddings"),
        "untrained 0 mean": bare.reading(0),
        "trained 6 mean 24": full.reading(6, dimensions=24),
        "trained 2 max": full.reading(2, "max"),
    }


def untrained(encoder: Encoder, *, layers: int, seed: int) -> Encoder:
    """The same network and tokenizer with random weights drawn by `seed`, cut to `layers` layers.

    Raises:
        ValueError: `layers` below 1.
    """
    import torch
    from transformers import AutoModel

    if layers < 1:
        raise ValueError(f"a network has at least 1 layer, got {layers}")
    config: Any = encoder.model.config
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModel.from_config(type(config).from_dict({**config.to_dict(), "num_hidden_layers": layers}))
    options = {"max_length": encoder.settings.max_length}
    return Encoder(model, encoder.tokenizer, name=f"{encoder.name}, untrained", options=options)
