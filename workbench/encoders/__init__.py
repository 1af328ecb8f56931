"""Text or images in, vectors out: encoders, their token and layer states, attention interventions, the vector store.

Names are resolved on first use, so that `workbench.encoders.sources` answers without loading torch.
"""

from typing import TYPE_CHECKING

from workbench.lazy import resolved_on_use

if TYPE_CHECKING:
    from workbench.encoders.attention import attention_temperature
    from workbench.encoders.counted import hashed_encoder, tfidf_encoder
    from workbench.encoders.dual import DualEncoder
    from workbench.encoders.encoder import Encoder
    from workbench.encoders.families import cheap_encoders, untrained
    from workbench.encoders.file_encoding import encode_file
    from workbench.encoders.images import ImageEncoder
    from workbench.encoders.last_layers import LastLayers
    from workbench.encoders.loading import load_encoder
    from workbench.encoders.long_texts import extended_positions, window_vectors
    from workbench.encoders.prepending import token_prepending
    from workbench.encoders.readings import Readings
    from workbench.encoders.settings import Settings
    from workbench.encoders.sources import UnknownModel, find_model, model_fingerprint
    from workbench.encoders.states import TokenStates
    from workbench.encoders.states_below import StatesBelow
    from workbench.encoders.store import VectorStore
    from workbench.encoders.store_use import SpaceUse, clear_store, store_report
    from workbench.encoders.token_headed import load_with_token_head

__all__ = [
    "DualEncoder",
    "Encoder",
    "ImageEncoder",
    "LastLayers",
    "Readings",
    "Settings",
    "SpaceUse",
    "StatesBelow",
    "TokenStates",
    "UnknownModel",
    "VectorStore",
    "attention_temperature",
    "cheap_encoders",
    "clear_store",
    "encode_file",
    "extended_positions",
    "find_model",
    "hashed_encoder",
    "load_encoder",
    "load_with_token_head",
    "model_fingerprint",
    "store_report",
    "tfidf_encoder",
    "token_prepending",
    "untrained",
    "window_vectors",
]

_HOMES = {
    "DualEncoder": "dual",
    "Encoder": "encoder",
    "ImageEncoder": "images",
    "LastLayers": "last_layers",
    "Readings": "readings",
    "Settings": "settings",
    "SpaceUse": "store_use",
    "StatesBelow": "states_below",
    "TokenStates": "states",
    "UnknownModel": "sources",
    "VectorStore": "store",
    "attention_temperature": "attention",
    "cheap_encoders": "families",
    "clear_store": "store_use",
    "encode_file": "file_encoding",
    "extended_positions": "long_texts",
    "find_model": "sources",
    "hashed_encoder": "counted",
    "load_encoder": "loading",
    "load_with_token_head": "token_headed",
    "model_fingerprint": "sources",
    "store_report": "store_use",
    "tfidf_encoder": "counted",
    "token_prepending": "prepending",
    "untrained": "families",
    "window_vectors": "long_texts",
}

__getattr__, __dir__ = resolved_on_use(__name__, _HOMES)
