"""What tells the weights in memory apart, so that a model trained in place never meets its old vectors."""

import hashlib
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["has_hooks", "hash_weights", "weights_state"]

_SAMPLES = 16  # values read of each tensor


def weights_state(model: nn.Module) -> bytes:
    """A quick mark, not a proof, of the weights in memory: it changes with any training step or surgery.

    Taken of every tensor: where it lies, how often it was written in place, and 16 of its values
    (a write through `.data` is counted nowhere else).
    """
    digest = hashlib.sha256()
    for name, tensor in _tensors(model):
        digest.update(f"{name} {tensor.data_ptr()} {_version(tensor)} {tuple(tensor.shape)} ".encode())
    flat = [t.reshape(-1)[:: max(1, t.numel() // _SAMPLES)][:_SAMPLES].double() for _, t in _tensors(model)]
    if flat:
        digest.update(torch.cat(flat).cpu().numpy().tobytes())
    return digest.digest()


def hash_weights(model: nn.Module, tokenizer: Any) -> str:  # noqa: ANN401 - any tokenizer of transformers
    """SHA-256, in hex, over every tensor of the model in memory, its configuration and its tokenizer."""
    digest = hashlib.sha256()
    for name, tensor in _tensors(model):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().cpu().reshape(-1).view(torch.uint8).numpy().data)
    config = getattr(model, "config", None)
    digest.update(str(sorted(config.to_diff_dict().items()) if config is not None else "").encode())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = backend.to_str() if backend is not None else str(sorted(tokenizer.get_vocab().items()))
    digest.update(vocabulary.encode())
    return digest.hexdigest()


def has_hooks(model: nn.Module) -> bool:
    """Whether someone hooked into the forward pass: vectors then are not the weights' alone."""
    for module in model.modules():
        hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
        # transformers leaves its own hooks behind; they only listen
        if any(not getattr(hook, "__module__", "").startswith("transformers.") for hook in hooks):
            return True
    return False


def _tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, t.detach()) for name, t in [*model.named_parameters(), *model.named_buffers()]]


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version
