"""Small models from transformers' configs, tokenizers, pooling heads, weight surgery, merging, base models by seed.

Names are resolved on first use, so that one part does not load what another needs.
"""

from typing import TYPE_CHECKING

from workbench.lazy import resolved_on_use

if TYPE_CHECKING:
    from workbench.models.artefacts import base_model
    from workbench.models.autoencoder import ExitAutoencoder
    from workbench.models.cross_encoder import CrossEncoder, from_encoder
    from workbench.models.experts import ExpertLinear, mlp_experts
    from workbench.models.generation import Generated, Sampling, generate
    from workbench.models.heads import LatentAttention, LatentQueries, LayerMix, TokenPooling
    from workbench.models.likelihood import log_likelihoods, pseudo_log_likelihood, token_log_likelihoods
    from workbench.models.merging import Soup, add_task_vectors, average, greedy_soup, slerp, task_vector, ties
    from workbench.models.on_states import OnStates
    from workbench.models.paragraph_vectors import ParagraphVectors, straight_through
    from workbench.models.positions import FoundPosition, position, search_position
    from workbench.models.quantiser import ProductQuantiser
    from workbench.models.reduced import reduced_bert
    from workbench.models.small import small_bert, small_decoder, small_t5
    from workbench.models.small_vision import dual_encoder, small_cnn, small_vit
    from workbench.models.static import train_word_vectors
    from workbench.models.surgery import copy_layers, freeze, reinitialise, scale_depth
    from workbench.models.tables import CompositionalTable, HashedTable, LowRankTable
    from workbench.models.token_encoder import TokenEncoder
    from workbench.models.token_mlp import TokenMLP
    from workbench.models.tokenizers import train_bpe, train_wordpiece
    from workbench.models.top_layers import TopLayersMean
    from workbench.models.word_vectors import WordVectors

__all__ = [
    "WordVectors",
    "train_word_vectors",
    "Sampling",
    "Generated",
    "generate",
    "pseudo_log_likelihood",
    "log_likelihoods",
    "token_log_likelihoods",
    "CompositionalTable",
    "CrossEncoder",
    "ExitAutoencoder",
    "ExpertLinear",
    "FoundPosition",
    "HashedTable",
    "LatentAttention",
    "LatentQueries",
    "LayerMix",
    "ParagraphVectors",
    "LowRankTable",
    "ProductQuantiser",
    "OnStates",
    "Soup",
    "TokenEncoder",
    "TokenMLP",
    "TokenPooling",
    "TopLayersMean",
    "add_task_vectors",
    "average",
    "base_model",
    "copy_layers",
    "dual_encoder",
    "freeze",
    "from_encoder",
    "greedy_soup",
    "mlp_experts",
    "position",
    "reduced_bert",
    "reinitialise",
    "scale_depth",
    "search_position",
    "slerp",
    "straight_through",
    "small_bert",
    "small_cnn",
    "small_decoder",
    "small_t5",
    "small_vit",
    "task_vector",
    "ties",
    "train_bpe",
    "train_wordpiece",
]

_HOMES = {
    "CompositionalTable": "tables",
    "CrossEncoder": "cross_encoder",
    "ExitAutoencoder": "autoencoder",
    "ExpertLinear": "experts",
    "FoundPosition": "positions",
    "Generated": "generation",
    "HashedTable": "tables",
    "LatentAttention": "heads",
    "LatentQueries": "heads",
    "LayerMix": "heads",
    "ParagraphVectors": "paragraph_vectors",
    "LowRankTable": "tables",
    "ProductQuantiser": "quantiser",
    "OnStates": "on_states",
    "Sampling": "generation",
    "Soup": "merging",
    "TokenEncoder": "token_encoder",
    "TokenMLP": "token_mlp",
    "TokenPooling": "heads",
    "TopLayersMean": "top_layers",
    "WordVectors": "word_vectors",
    "add_task_vectors": "merging",
    "average": "merging",
    "base_model": "artefacts",
    "copy_layers": "surgery",
    "dual_encoder": "small_vision",
    "freeze": "surgery",
    "from_encoder": "cross_encoder",
    "generate": "generation",
    "greedy_soup": "merging",
    "log_likelihoods": "likelihood",
    "mlp_experts": "experts",
    "position": "positions",
    "pseudo_log_likelihood": "likelihood",
    "reduced_bert": "reduced",
    "reinitialise": "surgery",
    "scale_depth": "surgery",
    "search_position": "positions",
    "slerp": "merging",
    "straight_through": "paragraph_vectors",
    "small_bert": "small",
    "small_cnn": "small_vision",
    "small_decoder": "small",
    "small_t5": "small",
    "small_vit": "small_vision",
    "task_vector": "merging",
    "ties": "merging",
    "token_log_likelihoods": "likelihood",
    "train_bpe": "tokenizers",
    "train_word_vectors": "static",
    "train_wordpiece": "tokenizers",
}

__getattr__, __dir__ = resolved_on_use(__name__, _HOMES)
