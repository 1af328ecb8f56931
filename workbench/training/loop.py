"""One training loop for all experiments: what is trained is decided by the step that it is given."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from workbench.training import processes
from workbench.training.config import FitConfig, FitResult, Monitor
from workbench.training.history import refuse_divergence
from workbench.training.parts import evaluating_mode, training_mode
from workbench.training.progress import watching
from workbench.training.randomness import own_randomness, sums_in_order
from workbench.training.session import Session

__all__ = ["fit"]

Step = Callable[[Any, Any, dict[str, Any]], Tensor]
Evaluate = Callable[[Any], float]
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def fit(
    modules: Any,  # noqa: ANN401 - an encoder, a module, or a mapping of names to those
    batches: Iterable[Any],
    *,
    step: Step,
    config: FitConfig,
    state: dict[str, Any] | None = None,
    evaluate: Evaluate | None = None,
    monitor: Monitor | None = None,
) -> FitResult:
    """Trains the weights of `modules` in place: `config.steps` updates of AdamW on the losses that `step` gives.

    The same call again goes on from the last checkpoint in `config.folder`, to the same weights bit for bit on a CPU
    with as many threads, or gives the weights at once where the run was over. Under torchrun each process trains on
    its share of every batch, and the update is that of one process with the whole batch. Modules go to the device that
    accelerate gives the process (ACCELERATE_USE_CPU=true: the CPU).

    Args:
        modules: what is trained, and what helps: an encoder, an nn.Module, or a mapping of names to those. Parameters
            that do not require gradients stay as they are.
        batches: gives the batches of one pass each time it is iterated, and is iterated anew until the updates are
            made; set_epoch(pass) is called before, where there is one. Mappings of columns of equal length, unless
            `step` takes others.
        step: `step(modules, batch, state)` gives the loss of a batch, a scalar.
        config: the settings.
        state: what else steps read and change: queues, averaged models, generators, counts. It is kept in checkpoints.
            What a step puts into state["metrics"] (names to numbers) stands beside the loss in the metrics.
        evaluate: `evaluate(modules)` gives a score, higher is better; called without gradients and dropout.
        monitor: told of every update, and asked whether to stop; None: a bar where there is a terminal.

    Raises:
        TypeError: `batches` can be iterated only once, or modules or state of a kind that cannot be trained or kept.
        ValueError: no batches, an empty one, nothing to train, patience without `evaluate`, or a loss that is no
            scalar or has no gradient.
        Diverged: the loss or its gradient is not finite, or the loss runs away; names the step and where its batch is.
        CheckpointError: a checkpoint cannot be written, or `config.folder` holds those of another run.
    """
    if evaluate is None and config.evaluate_every is not None:
        raise ValueError(f"evaluate_every={config.evaluate_every} needs evaluate, a function of the modules")
    began = time.monotonic()
    with own_randomness(config.seed + processes.place()[1]):
        session = Session(modules, batches, config, {} if state is None else state)
        session.resume()
        ordered, mode = sums_in_order(session.device), training_mode(session.parts, session.chosen)
        with ordered, watching(monitor, session) as watcher, mode:
            while session.reason is None:
                row = _update(session, step)
                _evaluate(session, evaluate, row)
                session.history.add(row)
                watcher.update(row)
                _close(session, watcher)
    return FitResult(session.step, session.reason or "", time.monotonic() - began, session.history.rows)


def _update(session: Session, step: Step) -> dict[str, float]:
    """One update of the weights; its row of metrics."""
    began, config = time.monotonic(), session.config
    for group in session.optimiser.param_groups:
        group["lr"] = group["peak"] * config.rate(session.step)
    session.optimiser.zero_grad(set_to_none=True)
    losses, batch = [], None
    for _ in range(config.accumulate):
        batch = session.stream.next()
        loss = _loss(session, step, batch)
        session.scaler.scale(loss / config.accumulate).backward()
        losses.append(loss.detach())
    mean = processes.mean(torch.stack(losses).mean())
    row = {"step": session.step + 1, "loss": float(mean), "lr": session.optimiser.param_groups[0]["lr"]}
    row["grad_norm"] = _gradient(session)
    skipped = config.precision == "fp16" and not torch.isfinite(torch.tensor(row["grad_norm"]))
    if not skipped:  # of fp16 the scaler leaves out the update and scales less
        refuse_divergence(session.history.rows, row, batch, session.folder)
    session.scaler.step(session.optimiser)
    session.scaler.update()
    session.step += 1
    row |= {name: float(value) for name, value in session.state.pop("metrics", {}).items()}
    return row | {"seconds": time.monotonic() - began}


def _loss(session: Session, step: Step, batch: Any) -> Tensor:  # noqa: ANN401 - whatever the step takes
    if isinstance(batch, Mapping):
        lengths = {name: len(rows) for name, rows in batch.items() if hasattr(rows, "__len__")}
        if not lengths or 0 in lengths.values():
            raise ValueError(f"a batch must hold at least one row in each column, got {lengths}")
    dtype = _DTYPES.get(session.config.precision)
    with torch.autocast(session.device.type, dtype=dtype) if dtype else nullcontext():
        loss = step(session.modules, processes.share_of(batch, session.rank, session.processes), session.state)
    if not isinstance(loss, Tensor) or loss.ndim != 0:
        got = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(f"a step must give a scalar tensor, without axes, got {got}")
    if not loss.requires_grad:
        raise ValueError("the loss has no gradient: the step used no trained parameter, or ran under no_grad")
    return loss


def _gradient(session: Session) -> float:
    """Length of the gradient of the whole batch, which is clipped in place."""
    parameters = [parameter for parameter, _ in session.chosen.values()]
    processes.whole_gradient(parameters)
    session.scaler.unscale_(session.optimiser)
    longest = session.config.clip if session.config.clip is not None else float("inf")
    return float(torch.nn.utils.clip_grad_norm_(parameters, longest))


def _evaluate(session: Session, evaluate: Evaluate | None, row: dict[str, float]) -> None:
    """Put the score into `row` where one is due, and remember the best."""
    every, last = session.config.evaluate_every, session.step == session.config.steps
    if evaluate is None or not (last or (every and session.step % every == 0)):
        return
    # what an evaluation draws must not change what training draws
    with own_randomness(session.config.seed), evaluating_mode(session.parts), torch.no_grad():
        row["evaluation"] = float(evaluate(session.modules))
    if session.config.patience is not None:
        session.remember_best(row["evaluation"])


def _close(session: Session, watcher: Monitor) -> None:
    """Decide whether the run is over, and write a checkpoint where one is due."""
    patience = session.config.patience
    early = patience is not None and session.since_best >= patience
    if session.processes == 1 and watcher.stopping:
        session.save()  # with the optimiser: the same call again goes on
        session.reason = "stopped"
        return
    if early or session.step == session.config.steps:
        if session.best:
            session.go_back_to_best()
        session.reason = "early" if early else "finished"
        session.save()
        return
    session.save_if_due()
