"""Maps of many rows that take their time: with an estimate before, progress on the way, and an end when asked.

UMAP and t-SNE run in a process of their own, `python -m workbench.widgets.projecting FOLDER`, so that they can be ended
and the kernel stays free meanwhile.
"""

import contextlib
import difflib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from torch import Tensor

from workbench.projections import pca, umap_map
from workbench.tensors import unit

__all__ = ["Cancelled", "Job", "checked_options", "computed", "flat", "seconds_of", "spoken"]

Told = Callable[[float, str], object]

MOST_TSNE = 20_000  # rows: the search for its neighbours compares all pairs
STEPS_TSNE = 1000
LEAST = 4  # rows of UMAP and t-SNE
OPTIONS = {"pca": (), "umap": ("n_neighbors", "min_dist", "seed"), "tsne": ("perplexity", "seed")}
# seconds to start (imports; UMAP compiles itself) and seconds a row, on one core of a server
PACE = {"umap": (28.0, 0.004), "tsne": (5.0, 0.008)}
SOON = {"pca": 2e-8}  # seconds for a number and a column


class Cancelled(RuntimeError):
    """What was computed has been ended before it was ready."""


class Job:
    """One map in the making, in a thread of its own.

    Attributes:
        name: of the projection.
        points: what was made, float64 (n, 2); None until then.
        error: why nothing was made; None where something was.
    """

    def __init__(self, name: str, make: Callable[["Job"], np.ndarray], *, ended: Callable[["Job"], object]) -> None:
        """`make` gets the job, to tell how far it is; `ended` is called when it is over, before `wait` returns."""
        self.name, self._make, self._ended = name, make, ended
        self.points: np.ndarray | None = None
        self.error: BaseException | None = None
        self._over, self._lock, self._closed = threading.Event(), threading.Lock(), False
        self._child: subprocess.Popen | None = None

    def start(self) -> None:
        """Begins; returns at once."""
        threading.Thread(target=self._run, name=f"projection {self.name}", daemon=True).start()

    def wait(self) -> np.ndarray:
        """The points, when they are ready; an interrupt ends the job.

        Raises:
            Cancelled: it was ended before.
            Exception: what the projection itself has raised.
        """
        try:
            self._over.wait()
        finally:
            self.cancel()
        if self.error is not None or self.points is None:
            raise self.error or Cancelled(f"{self.name} was cancelled")
        return self.points

    def cancel(self) -> None:
        """Ends it: a process is killed, a function goes on unseen and its result is dropped."""
        if self._close(None, Cancelled(f"{self.name} was cancelled")) and self._child is not None:
            self._child.kill()

    @property
    def over(self) -> bool:
        """Whether it is ready, has failed or was ended."""
        return self._over.is_set()

    def adopt(self, child: subprocess.Popen) -> None:
        """The process that the end of the job ends as well."""
        with self._lock:
            self._child = child
            if self._closed:
                child.kill()

    def _run(self) -> None:
        try:
            points = self._make(self)
        except BaseException as error:  # it is raised again where the result is waited for
            self._close(None, error)
        else:
            self._close(points, None)

    def _close(self, points: np.ndarray | None, error: BaseException | None) -> bool:
        """Whether this was the end: there is one only."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
        self.points, self.error = points, error
        try:
            self._ended(self)
        except BaseException as failed:
            self.error = failed
        finally:
            self._over.set()
        return True


def checked_options(how: str, options: Mapping[str, Any], n: int) -> dict[str, Any]:
    """The options of "pca", "umap" or "tsne" for n rows, those of the neighbourhood made to fit few rows.

    Raises:
        ValueError: an unknown projection or option, with the nearest name; a value out of its range; too few rows, or
            too many for t-SNE.
    """
    if how not in OPTIONS:
        raise ValueError(f"no projection {how!r}{nearest(how, OPTIONS)}; there are {', '.join(OPTIONS)}, or a function")
    for name in options:
        if name not in OPTIONS[how]:
            raise ValueError(f"{how} has no option {name!r}{nearest(name, OPTIONS[how])}")
    if how == "pca":
        return {}
    if n < LEAST:
        raise ValueError(f"{how} needs {LEAST} rows or more, got {n}")
    if how == "umap":
        near = options.get("n_neighbors", min(15, n - 1))
        if not 2 <= near < n:
            raise ValueError(f"n_neighbors must be at least 2 and below n={n}, got {near}")
        return {"n_neighbors": int(near), "min_dist": float(options.get("min_dist", 0.1))} | _seed(options)
    if n > MOST_TSNE:
        raise ValueError(f"t-SNE compares all pairs of rows: at most {MOST_TSNE:,} rows, got {n:,}; UMAP takes more")
    perplexity = options.get("perplexity", min(30.0, (n - 1) / 3))
    if not 0 < perplexity < n:
        raise ValueError(f"perplexity must lie between 0 and n={n}, got {perplexity}")
    return {"perplexity": float(perplexity)} | _seed(options)


def _seed(options: Mapping[str, Any]) -> dict[str, int]:
    return {"seed": int(options.get("seed", 0))}


def nearest(name: str, known: Iterable[str]) -> str:
    """Words that name what was perhaps meant."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.4)
    return f", did you mean {close[0]!r}?" if close else ""


def flat(points: object, n: int) -> np.ndarray:
    """What a projection gave, as float64 (n, 2).

    Raises:
        ValueError: another shape, no numbers, or one that is not finite.
    """
    made = points.detach().cpu().numpy() if isinstance(points, Tensor) else np.asarray(points)
    if made.shape != (n, 2) or made.dtype.kind not in "iuf":
        raise ValueError(f"a projection must give numbers of shape ({n}, 2), got {made.dtype} of shape {made.shape}")
    if not np.isfinite(made).all():
        row = int(np.isfinite(made).all(axis=1).argmin())
        raise ValueError(f"a projection must give finite numbers, got {made[row].tolist()} in row {row}")
    return made.astype(np.float64)


def plane(rows: Tensor) -> np.ndarray:
    """Coordinates on the first two principal axes; where there are fewer, the others are 0."""
    n, d = rows.shape
    points = np.zeros((n, 2))
    axes = min(2, n - 1, d)
    if axes:
        points[:, :axes] = pca(rows, dimensions=axes)
    return points


def computed(rows: Tensor, how: str, options: Mapping[str, Any], *, metric: str, job: Job, told: Told) -> np.ndarray:
    """A map by "pca" here, or by "umap" or "tsne" in a process of its own that `job` can end."""
    if how == "pca":
        return plane(rows)
    with tempfile.TemporaryDirectory(prefix="workbench-map-") as name:
        folder = Path(name)
        np.save(folder / "x.npy", rows.float().cpu().numpy())
        (folder / "asked.json").write_text(json.dumps({"how": how, "metric": metric, "options": dict(options)}))
        with (folder / "said.txt").open("w") as said:
            _follow(folder, said, job, told)
        if not (folder / "points.npy").exists():
            lines = (folder / "said.txt").read_text(errors="replace").strip().splitlines()
            raise RuntimeError(f"{how} has failed: {lines[-1] if lines else 'its process was ended'}")
        return np.load(folder / "points.npy", allow_pickle=False)


def _follow(folder: Path, said: IO[str], job: Job, told: Told) -> None:
    home = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))}
    command = [sys.executable, "-P", "-m", "workbench.widgets.projecting", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=environment) as child:
        job.adopt(child)
        for line in child.stdout or ():
            if step := re.fullmatch(r"(\d\.\d+)\t(.+)\n", line):
                told(float(step[1]), step[2])


def seconds_of(how: str, n: int, d: int) -> float:
    """Roughly how long a projection of n rows of d numbers takes, in seconds: right to a factor of about 3."""
    if how == "pca":
        return SOON["pca"] * n * d * min(d, 400)
    start, each = PACE[how]
    return start + each * n


def spoken(seconds: float) -> str:
    """The estimate as a range in words, from half to twice as long."""
    if not np.isfinite(seconds):
        return "time unknown"
    if seconds < 1:
        return "at once"
    return f"about {_rounded(seconds / 2)} to {_rounded(2 * seconds)}"


def _rounded(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds)) if seconds < 10 else round(seconds / 5) * 5} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"


def main(folder: Path) -> None:
    """Makes the map that `folder` asks for; says on stdout how far it is, a line each time."""
    asked = json.loads((folder / "asked.json").read_text())
    rows = np.load(folder / "x.npy", allow_pickle=False)
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        make = _umap if asked["how"] == "umap" else _tsne
        points = make(rows, asked["metric"], asked["options"], lambda share, words: _say(out, share, words))
        np.save(folder / "making.npy", points)
        (folder / "making.npy").replace(folder / "points.npy")


def _say(out: Any, share: float, words: str) -> None:  # noqa: ANN401 - the stream that was stdout
    out.write(f"{share:.4f}\t{words}\n")
    out.flush()


def _umap(rows: np.ndarray, metric: str, options: Mapping[str, Any], told: Told) -> np.ndarray:
    told(0.0, "UMAP: loading")
    from umap import layouts

    def steps(range_: range, **_: object) -> Iterator[int]:
        for k in range_:
            told(0.3 + 0.7 * k / len(range_), f"UMAP: step {k} of {len(range_)}")
            yield k

    layouts.tqdm = steps  # its bar is all that says how far it is
    told(0.05, "UMAP: looking for neighbours")
    return umap_map(rows, metric="euclidean" if metric == "euclidean" else "cosine", **options)


class _Heard(io.StringIO):
    """Takes what scikit-learn prints and tells the steps in it."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    def write(self, text: str) -> int:
        step = re.search(r"Iteration (\d+)", text)
        if step:
            share = min(1.0, int(step[1]) / STEPS_TSNE)
            self._told(0.2 + 0.8 * share, f"t-SNE: step {step[1]} of {STEPS_TSNE}")
        return len(text)


def _tsne(rows: np.ndarray, metric: str, options: Mapping[str, Any], told: Told) -> np.ndarray:
    told(0.0, "t-SNE: looking for neighbours")
    from sklearn.manifold import TSNE

    # squared distances of unit rows are 2 - 2 cosines
    given = rows if metric == "euclidean" else unit(rows).numpy()
    mapper = TSNE(
        perplexity=options["perplexity"], random_state=options["seed"], max_iter=STEPS_TSNE, init="pca", verbose=2
    )
    with contextlib.redirect_stdout(_Heard(told)):
        return mapper.fit_transform(given)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
