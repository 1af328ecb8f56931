"""What tells the weights in memory apart, so that a model trained in place never meets its old vectors."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from workbench.encoders.sources import model_fingerprint

__all__ = ["Identity", "has_hooks", "hash_weights", "weights_state"]

_SAMPLES = 16  # values read of each tensor


class Identity:
    """Which weights a model has: those of the folder it was read from, or others since.

    Args:
        parts: everything whose weights decide a vector.
        reader: the tokenizer or image processor before it.
        folder: where the weights were read from, if they were.
    """

    def __init__(self, parts: nn.Module, reader: Any, *, folder: Path | None) -> None:  # noqa: ANN401 - as in hash_weights
        self._parts, self._reader = parts, reader
        # taken now: the folder may hold other files by the time of the first vector
        self._marks = (self._state(), model_fingerprint(folder)) if folder is not None else ("", "")

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the folder's files, or of the weights where they changed since or came from no folder."""
        state = self._state()
        if self._marks[0] != state:
            self._marks = (state, hash_weights(self._parts, self._reader))
        return self._marks[1]

    def _state(self) -> str:
        return f"{weights_state(self._parts).hex()} {_reader_state(self._reader)}"


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


def hash_weights(model: nn.Module, reader: Any) -> str:  # noqa: ANN401 - a tokenizer or image processor of transformers
    """SHA-256, in hex, over every tensor of the model in memory, its configuration and what reads its input."""
    digest = hashlib.sha256()
    for name, tensor in _tensors(model):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().cpu().reshape(-1).view(torch.uint8).numpy().data)
    for module in model if isinstance(model, nn.ModuleList) else [model]:
        config: Any = getattr(module, "config", None)
        # what a head is made of: two may differ in no tensor, only in their activation or number of heads
        digest.update(str(sorted(config.to_diff_dict().items()) if config is not None else module).encode())
    digest.update(_written(reader).encode())
    return digest.hexdigest()


def has_hooks(model: nn.Module) -> bool:
    """Whether someone hooked into the forward pass: vectors then are not the weights' alone."""
    for module in model.modules():
        hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
        # transformers leaves its own hooks behind; they only listen
        if any(not getattr(hook, "__module__", "").startswith("transformers.") for hook in hooks):
            return True
    return False


def _written(reader: Any) -> str:  # noqa: ANN401 - as in hash_weights
    if hasattr(reader, "to_json_string"):  # an image processor
        return f"{type(reader).__name__} {reader.to_json_string()}"
    backend = getattr(reader, "backend_tokenizer", None)
    if backend is None:
        return str(sorted(reader.get_vocab().items()))
    # how far texts were cut and padded last is state of the call, and the settings hold it
    said = {name: part for name, part in json.loads(backend.to_str()).items() if name not in ("truncation", "padding")}
    return json.dumps(said, sort_keys=True)


def _reader_state(reader: Any) -> str:  # noqa: ANN401 - as in hash_weights
    """A quick mark of what reads the input: of a tokenizer every part but the vocabulary, of which the size."""
    backend = getattr(reader, "backend_tokenizer", None)
    if backend is None:
        return _written(reader)
    parts = (backend.normalizer, backend.pre_tokenizer, backend.post_processor)
    states = [part.__getstate__().decode() if part is not None else "" for part in parts]
    return " ".join([*states, str(backend.get_vocab_size())])


def _tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, t.detach()) for name, t in [*model.named_parameters(), *model.named_buffers()]]


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version
