"""All that one training run holds, and how it is written to a checkpoint and read back."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workbench.training import checkpoints, processes
from workbench.training.config import FitConfig
from workbench.training.history import History
from workbench.training.identity import identity_of, refuse_other
from workbench.training.packing import pack, unpack
from workbench.training.parts import buffers_of, named_parts, optimiser, parameters_of, trainable
from workbench.training.randomness import generator_states, restore_generators
from workbench.training.stream import Stream

__all__ = ["Session"]

SHARE = 0.02  # of the time that checkpoints may take where no interval is given
DISK = 100e6  # bytes a second that a first checkpoint is expected to be written with


class Session:
    """One run of `fit`: parameters, optimiser, state, place in the batches, metrics.

    Attributes:
        step: updates made.
        reason: why it is over; None while it is not.
    """

    def __init__(self, modules: Any, batches: Iterable[Any], config: FitConfig, state: dict[str, Any]) -> None:  # noqa: ANN401
        self.modules, self.config, self.state = modules, config, state
        self.folder = None if config.folder is None else Path(config.folder)
        self.device, self.rank, self.processes = processes.place()
        self.stream = Stream(batches)
        self.parts = named_parts(modules)
        self.parameters, self.buffers = parameters_of(self.parts), buffers_of(self.parts)
        self.chosen = trainable(self.parameters, config)
        pack(
            {k: v for k, v in state.items() if k != "metrics"}, "state", {}
        )  # refused now, not at the first checkpoint
        for part in self.parts.values():
            part.to(self.device)
        processes.same_weights(self.parameters)
        self.optimiser = optimiser(self.chosen, config)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.precision == "fp16")
        self.history = History(self.folder / "metrics.jsonl" if self.folder and self.rank == 0 else None)
        self.step, self.reason = 0, None
        self.best: dict[str, Tensor] = {}
        self.best_score, self.since_best = -float("inf"), 0
        self._saved_at = time.monotonic()
        self._cost = 3 * sum(p.numel() * p.element_size() for p, _ in self.chosen.values()) / DISK

    def resume(self) -> None:
        """Go to the newest whole checkpoint, where there is one.

        Raises:
            CheckpointError: it is of another run.
        """
        self._identity = identity_of(self.config, self.parameters, self.buffers, self.processes) if self.folder else {}
        found = checkpoints.latest(self.folder) if self.folder else None
        if found is not None:
            refuse_other(found.plain["identity"], self._identity, found.folder)
            self._load(found)
        self.history.resume(self.step)
        self._saved_at = time.monotonic()

    def save_if_due(self) -> None:
        """Write a checkpoint where the settings, or the time since the last one, ask for it."""
        if self.folder is None:
            return
        every = self.config.save_every
        due = self.step % every == 0 if every else time.monotonic() - self._saved_at > self._cost / SHARE
        if self.processes > 1 and not every:
            due = processes.first_decides(due, self.device)
        if due:
            self.save()

    def save(self) -> None:
        """Write a checkpoint, without the optimiser once the run is over.

        Raises:
            CheckpointError: it cannot be written; those before it are intact.
        """
        if self.folder is None:
            return
        began = time.monotonic()
        own, plain_own = self._own()
        tensors = {"weights": self._weights(), f"own{self.rank}": own}
        if self.best:
            tensors["best"] = self.best
        if self.reason is None:
            tensors["optimiser"] = self._optimiser_tensors()
        plain = {
            "identity": self._identity,
            "reason": self.reason,
            "scaler": self.scaler.state_dict(),
            "best": [self.best_score, self.since_best] if self.best else None,
        }
        checkpoints.write(self.folder, self.step, tensors, plain, plain_own, rank=self.rank)
        self._saved_at, self._cost = time.monotonic(), time.monotonic() - began

    def remember_best(self, score: float) -> None:
        """Keep the weights where `score` is a new best, else count one evaluation without."""
        if score > self.best_score:
            self.best_score, self.since_best = score, 0
            self.best = {name: tensor.clone() for name, tensor in self._weights().items()}
        else:
            self.since_best += 1

    def go_back_to_best(self) -> None:
        """Put the best weights into the modules."""
        self._put(self.best)

    def _weights(self) -> dict[str, Tensor]:
        """All that training changes, on the CPU: chosen parameters, and buffers. On a CPU these are no copies."""
        parameters = {name: p for name, (p, _) in self.chosen.items()}
        return {name: t.detach().cpu().contiguous() for name, t in (parameters | self.buffers).items()}

    def _put(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in weights.items():
                (self.chosen[name][0] if name in self.chosen else self.buffers[name]).copy_(value)

    def _own(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What each process has for itself: state, generators, place in the batches."""
        tensors: dict[str, Tensor] = {}
        state = pack({k: v for k, v in self.state.items() if k != "metrics"}, "state", tensors)
        drawn, plain = generator_states()
        at, place = self.stream.where()
        tensors |= {f"now/{name}": t for name, t in drawn.items()} | {f"pass/{name}": t for name, t in at.items()}
        return tensors, {"state": state, "generators": plain, "stream": place}

    def _optimiser_tensors(self) -> dict[str, Tensor]:
        states = self.optimiser.state_dict()["state"]
        return {
            f"{i}/{name}": torch.as_tensor(t).cpu().contiguous() for i, one in states.items() for name, t in one.items()
        }

    def _load(self, found: checkpoints.Checkpoint) -> None:
        self.step, self.reason = found.plain["step"], found.plain["reason"]
        self._put(found.tensors["weights"])
        own, plain = found.tensors[f"own{self.rank}"], found.plain[f"own{self.rank}"]
        state = unpack(plain["state"], "state", own, self.state)
        self.state.clear()
        self.state.update(state)
        if self.reason is not None:
            return
        if found.plain["best"]:
            (self.best_score, self.since_best), self.best = found.plain["best"], found.tensors["best"]
        whole = self.optimiser.state_dict()
        whole["state"] = {}
        for path, tensor in found.tensors["optimiser"].items():
            i, name = path.split("/")
            whole["state"].setdefault(int(i), {})[name] = tensor
        self.optimiser.load_state_dict(whole)
        self.scaler.load_state_dict(found.plain["scaler"])
        self.stream.seek(_under("pass/", own), plain["stream"])
        restore_generators(_under("now/", own), plain["generators"])


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
