"""Gradients and weights of a tiny training, in one process or, under torchrun, in several: written to a file."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from workbench.encoders import load_encoder
from workbench.losses import cosent, info_nce
from workbench.training import FitConfig, embed_step, fit, gathered
from workbench.training.parts import named_parts, parameters_of
from workbench.training.processes import place, same_weights, share_of, whole_gradient

TEXTS = [f"text number {i} rows are {i % 5}" for i in range(96)]
BATCHES = [
    {
        "anchor": TEXTS[i : i + 16],
        "positive": [f"{text} dimensions {j % 3}" for j, text in enumerate(TEXTS[i : i + 16])],
        "score": torch.linspace(0, 1, 16),
    }
    for i in range(0, 96, 16)
]


def contrast(a, b, score):
    """Every row's loss depends on the rows of all processes."""
    cosines = torch.nn.functional.cosine_similarity(a, b)
    return info_nce(a, b, symmetric=True, same_side=True, weights=score + 0.5) + cosent(cosines, score)


def own_rows(modules, batch, _state):
    """A step by hand: own rows against the candidates of all processes."""
    from workbench.training import embed

    a, b = embed(modules, batch["anchor"]), embed(modules, batch["positive"])
    whole, first = gathered(b), place()[1] * len(b)
    logits = torch.nn.functional.normalize(a, dim=1) @ torch.nn.functional.normalize(whole, dim=1).T / 0.1
    return torch.nn.functional.cross_entropy(logits, torch.arange(first, first + len(a)))


def main(model_folder, out):
    """Write gradients of one batch (three kinds of step) and weights after ten updates, from the first process."""
    torch.set_num_threads(1)
    device, rank, processes = place()
    found = {}
    for name, step in {
        "whole": embed_step(contrast, given=("score",)),
        "chunked": embed_step(contrast, given=("score",), chunk=3),
        "own rows": own_rows,
    }.items():
        encoder = load_encoder(model_folder, device=str(device))
        parameters = parameters_of(named_parts(encoder))
        same_weights(parameters)
        step(encoder, share_of(BATCHES[0], rank, processes), {}).backward()
        whole_gradient(list(parameters.values()))
        found |= {f"{name}: {n}": p.grad for n, p in parameters.items() if p.grad is not None}
    encoder = load_encoder(model_folder, device=str(device))
    config = FitConfig(steps=10, lr=1e-3, accumulate=2, folder=f"{out}-run", save_every=4)
    for module in encoder.parts.modules():  # each process draws its own dropout
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    result = fit(encoder, BATCHES, step=embed_step(contrast, given=("score",)), config=config)
    found |= {f"trained: {n}": p.detach() for n, p in parameters_of(named_parts(encoder)).items()}
    found["losses"] = torch.tensor(result.column("loss"))
    if rank == 0:
        save_file({name: tensor.clone() for name, tensor in found.items()}, Path(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
