"""An evaluation in one JSON file, everything but its functions, read again only where it is whole."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from workbench.evaluation.base import Evaluation
from workbench.home import replacing
from workbench.intervals import Estimate

__all__ = ["is_evaluation", "load_evaluation", "save_evaluation"]

FORMAT = "workbench evaluation"
VERSION = 1


def save_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Writes the evaluation as one JSON file in the place of `path`, whole or not at all.

    Floats keep every bit; numbers that are not finite are written as the strings "nan", "inf" and "-inf".

    Raises:
        ValueError: the recipe or a column holds what JSON has no form for; names it.
        FileNotFoundError: the folder of `path` does not exist.
    """
    body = {
        "task": evaluation.task,
        "main": evaluation.main,
        "scores": {name: vars(estimate) for name, estimate in evaluation.scores.items()},
        "arrays": {name: _array(values) for name, values in evaluation.arrays.items()},
        "ids": evaluation.ids,
        "blocks": _array(evaluation.blocks),
        "replicates": {name: _array(values) for name, values in evaluation.replicates.items()},
        "columns": evaluation.columns,
        "source": evaluation.source,
        "recipe": evaluation.recipe,
    }
    text = _text({part: _plain(value, part) for part, value in body.items()})
    head = {"format": FORMAT, "version": VERSION, "sha256": _digest(text)}
    with replacing(Path(path)) as file:
        file.write(f'{json.dumps(head)[:-1]}, "evaluation": {text}}}\n'.encode())


def load_evaluation(path: Path) -> Evaluation:
    """The evaluation that `save_evaluation` wrote to `path`, without the functions of its statistics.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is torn or was changed, is not an evaluation, or is one of another version.
    """
    try:
        held = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is torn, or no JSON file: {error}") from error
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        raise ValueError(f"{path} is not an evaluation: its format must be {FORMAT!r}")
    if held.get("version") != VERSION:
        raise ValueError(f"{path} is an evaluation of version {held.get('version')!r}, this reads version {VERSION}")
    body: Any = held.get("evaluation")
    if held.get("sha256") != _digest(_text(body)):
        raise ValueError(f"{path} is torn or was changed: its SHA-256 is not the one it names")
    return Evaluation(
        body["task"],
        body["main"],
        {name: Estimate(**{k: _number(v, k) for k, v in parts.items()}) for name, parts in body["scores"].items()},
        {name: _restored(array) for name, array in body["arrays"].items()},
        tuple(body["ids"]),
        _restored(body["blocks"]),
        {name: _restored(array) for name, array in body["replicates"].items()},
        {name: tuple(values) for name, values in body["columns"].items()},
        body["source"],
        body["recipe"],
    )


def is_evaluation(path: Path) -> bool:
    """Whether the file begins as those of `save_evaluation` do; whether it is whole is for `load_evaluation` to say."""
    begins = json.dumps({"format": FORMAT})[:-1].encode()
    with Path(path).open("rb") as file:
        return file.read(len(begins)) == begins


def _text(body: object) -> str:
    return json.dumps(body, allow_nan=False, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _array(values: np.ndarray) -> dict[str, object]:
    return {"dtype": values.dtype.str, "shape": values.shape, "values": values.ravel().tolist()}


def _restored(held: dict) -> np.ndarray:
    kind = np.dtype(held["dtype"])
    values = [float(value) for value in held["values"]] if kind.kind == "f" else held["values"]
    return np.array(values, dtype=kind).reshape(held["shape"])


def _number(value: Any, name: str) -> Any:  # noqa: ANN401 - a field of Estimate
    return float(value) if isinstance(value, str) and name not in ("unit", "method", "definition") else value


def _plain(value: object, where: str) -> object:
    """`value` in the types of JSON.

    Raises:
        ValueError: there is none for it; `where` says whose it is.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(inner, f"{where}: {key}") for key, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(inner, where) for inner in value]
    raise ValueError(f"{where} must hold what JSON can, got {type(value).__name__} {value!r}")
