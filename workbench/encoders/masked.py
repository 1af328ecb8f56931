"""A masked language model with its head, read from a model's folder."""

from typing import Any

from workbench.encoders.sources import find_model
from workbench.models.texts import no_bar

__all__ = ["load_masked_lm"]


def load_masked_lm(name: str) -> tuple[Any, Any]:
    """The BertForMaskedLM `name` and its tokenizer: `load_encoder` leaves away the head over the vocabulary.

    On the CPU in float32, in eval mode; found as `find_model` finds it, from safetensors alone.

    Raises:
        UnknownModel: no such model, here or on the hub.
        ValueError: no safetensors, or a model of another kind than BERT with a masked-LM head.
    """
    from transformers import AutoConfig, AutoTokenizer, BertForMaskedLM

    folder = find_model(name)
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    kinds = getattr(AutoConfig.from_pretrained(folder, **local), "architectures", None) or []
    if "BertForMaskedLM" not in kinds:
        raise ValueError(f"{name!r} must be a BertForMaskedLM, its config names {kinds}")
    with no_bar():
        model = BertForMaskedLM.from_pretrained(folder, use_safetensors=True, **local)
    return model.float().eval(), AutoTokenizer.from_pretrained(folder, **local)
