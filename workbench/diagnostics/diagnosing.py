"""Every diagnostic of one space in one call."""

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch import Tensor

from workbench.diagnostics.contrast import uniformity
from workbench.diagnostics.cosine import mean_cosine
from workbench.diagnostics.dimension import two_nn
from workbench.diagnostics.hubness import hubness
from workbench.diagnostics.isotropy import isoscore, participation_ratio
from workbench.diagnostics.lengths import length_profile
from workbench.diagnostics.moments import Moments, moments
from workbench.diagnostics.outliers import outlier_dimensions
from workbench.diagnostics.partition import partition_isotropy
from workbench.diagnostics.report import Report, Row
from workbench.diagnostics.spectrum import effective_rank, spectrum
from workbench.intervals import Estimate, mean_interval
from workbench.tensors import as_rows

__all__ = ["diagnose", "expected_seconds"]

UNIT = 1e-3  # lengths this near to 1 count as unit length
TRY = 2_000  # rows of a try
TRY_PASS = 8_192  # and of that of the moments
SOLVED = 21 + 3 * 21 * 0.4  # eigenvectors of every partition function, and eigenvalues at 0.4 of their time
SAMPLE = 5_000  # rows for what is quadratic in n
Judge = Callable[[float], str]


def diagnose(
    x: np.ndarray | Tensor,
    *,
    lengths: Sequence | np.ndarray | None = None,
    labels: Sequence | np.ndarray | None = None,
    blocks: np.ndarray | None = None,
    sample: int | None = SAMPLE,
    seed: int = 0,
) -> Report:
    """The geometry of the rows of `x` (n, d): values, intervals, definitions, and what is unusual in plain words.

    One pass for the moments, one for the partition function, and neighbours of `sample` rows drawn by `seed` (None:
    all). A number that cannot be had for these rows is a dash with its reason. "Unusual" compares with an isotropic
    cloud or names a known pathology; it is a hint where to look and no test.

    Args:
        x: array, memory map or tensor, any float type.
        lengths: tokens of each row (n,), for the slope of the mean cosine on length.
        labels: class of each row (n,), for the mean cosine within classes beside that between them.
        blocks: jackknife block of each row, as in `mean_cosine`.
        sample: rows for uniformity, hubness and dimension.
        seed: which rows these are.

    Raises:
        TypeError: `x` is no array or tensor.
        ValueError: fewer than 2 rows, a row that is not finite or zero, or lengths or labels of another number.
    """
    rows = as_rows(x, least=2)
    for name, values in (("lengths", lengths), ("labels", labels)):
        if values is not None and len(values) != len(rows):
            raise ValueError(f"{name} must hold one value for each of the {len(rows)} rows, got {len(values)}")
    record = moments(rows, blocks=blocks)
    found = [
        *_of_moments(record),
        _row("partition_isotropy", lambda: partition_isotropy(rows, blocks=blocks, sample=sample, seed=seed)),
        _row("uniformity", lambda: uniformity(rows, blocks=blocks, sample=sample, seed=seed)),
        *_of_neighbours(rows, blocks, sample, seed),
    ]
    if lengths is not None:
        slope = _row("length_slope", lambda: length_profile(rows, lengths, blocks=blocks).slope, _length_words)
        found.append(slope)
    if labels is not None:
        found += _of_labels(rows, np.asarray(labels))
    return Report(found, record.n, record.d, _notes(record))


def expected_seconds(x: np.ndarray | Tensor, *, sample: int | None = SAMPLE) -> float:
    """Roughly how long `diagnose` takes on `x` here, in seconds: its parts on a few thousand rows, scaled by growth.

    Right to a factor of about two on a machine with nothing else to do. The tries take a second or so at d = 384.

    Raises:
        TypeError, ValueError: rows that `as_rows` refuses, or a zero row among those tried.
    """
    rows = as_rows(x, least=2)
    few = rows[:TRY]
    more = min(len(rows), sample or len(rows)) / len(few)
    passing = _seconds(lambda: moments(rows[:TRY_PASS]))
    covariance = np.cov(few.double().cpu().numpy().T).reshape(rows.shape[1], rows.shape[1])
    solving = _seconds(lambda: np.linalg.eigh(covariance))
    summing = _seconds(lambda: partition_isotropy(few, blocks=np.zeros(len(few), int)))
    near = _seconds(lambda: hubness(few, k=_nearest(len(few)), sample=None))
    return (
        passing * len(rows) / min(TRY_PASS, len(rows))
        + SOLVED * solving  # eigenvalues without a block, each in turn, in three numbers; eigenvectors in one
        + 21 * max(0.0, summing - solving) * more
        + 2.4 * near * (more + more**2) / 2  # hubness is 1 / 2.4 of what looks at pairs: lists linear, search quadratic
    )


def _seconds(part: Callable[[], object]) -> float:
    began = time.perf_counter()
    part()
    return time.perf_counter() - began


def _nearest(n: int) -> int:
    return min(10, max(1, n // 4))


def _of_moments(record: Moments) -> list[Row]:
    shares = f"share of variance in the first direction of {record.d}"
    return [
        _row("mean_cosine", lambda: mean_cosine(record), _cosine_words),
        _row("isoscore", lambda: isoscore(record), lambda v: "variance lies in few directions" if v < 0.1 else ""),
        _row("participation_ratio", lambda: participation_ratio(record)),
        _row("effective_rank", lambda: effective_rank(record)),
        _row("spectrum_decay", lambda: spectrum(record).decay),
        _row("first_share", lambda: _whole(spectrum(record).shares[0], record.n, shares), _first_words),
        _row("largest_outlier_dimension", lambda: outlier_dimensions(record).largest, _outlier_words),
    ]


def _of_neighbours(rows: Tensor, blocks: np.ndarray | None, sample: int | None, seed: int) -> Iterator[Row]:
    k = _nearest(len(rows))
    said: list = []

    def hubs() -> Estimate:
        said.append(hubness(rows, k=k, sample=sample, seed=seed, blocks=blocks))
        return said[0].skewness

    yield _row("hubness_skewness", hubs, lambda v: "a few rows are neighbours of very many" if v > 2 else "")
    if said:
        yield Row("anti_hubs", said[0].anti_hubs)
    yield _row("two_nn", lambda: two_nn(rows, sample=sample, seed=seed, blocks=blocks).value)


def _of_labels(rows: Tensor, labels: np.ndarray) -> list[Row]:
    """Mean cosine within classes: the mean over the classes of two rows or more, with t over the classes."""
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    own = [float(mean_cosine(rows[members])) for members in classes if len(members) > 1]
    if len(own) < 2:
        return [Row("cosine_within_labels", None, note="fewer than 2 classes with 2 rows or more")]
    words = f"mean cosine between rows of one class, mean over {len(own)} classes"
    gap = "rows of one class are no closer than any two rows" if np.mean(own) <= mean_cosine(rows).value else ""
    return [Row("cosine_within_labels", mean_interval(np.array(own), definition=words), gap)]


def _row(name: str, measure: Callable[[], Estimate], judge: Judge = lambda _: "") -> Row:
    """The row of a number; one that these rows cannot give is left out with the reason."""
    try:
        estimate = measure()
    except ValueError as error:
        return Row(name, None, note=f"not measured: {error}")
    return Row(name, estimate, judge(estimate.value))


def _whole(value: float, n: int, definition: str) -> Estimate:
    return Estimate(float(value), -np.inf, np.inf, n, "item", "no interval", definition)


def _notes(record: Moments) -> list[str]:
    total, squares, least, most = (record.norms[:, i] for i in range(4))
    mean = total.sum() / record.n
    if least.min() > 1 - UNIT and most.max() < 1 + UNIT:
        return [
            "rows have unit length: isoscore, participation ratio, spectrum and partition function are those of the "
            "sphere; for the model's own geometry encode with normalize=False"
        ]
    spread = np.sqrt(max(0.0, squares.sum() / record.n - mean**2))
    return [
        f"lengths of the rows: mean {mean:.4g}, standard deviation {spread:.3g}, {least.min():.4g} to {most.max():.4g}"
    ]


def _cosine_words(value: float) -> str:
    if value > 0.5:
        return "rows point much the same way: differences between cosines are small against their level"
    return "all rows share a direction: remove the mean before comparing cosines" if value > 0.2 else ""


def _first_words(value: float) -> str:
    return "one direction holds more than a quarter of the variance" if value > 0.25 else ""


def _outlier_words(value: float) -> str:
    return "a single dimension makes more than a fifth of the expected cosine" if value > 0.2 else ""


def _length_words(value: float) -> str:
    return "longer texts lie closer together: match lengths before comparing groups" if value > 0.01 else ""
