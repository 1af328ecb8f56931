"""Losses of a student against a teacher: its scores over candidates, or its rows. Gradients reach both sides."""

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.losses.checks import checked_rows, checked_temperature
from workbench.losses.scores import candidate_lists
from workbench.tensors import unit

__all__ = ["distil_scores", "embedding_cosine", "embedding_mse"]


def distil_scores(student: Tensor, teacher: Tensor, *, temperature: float = 1.0, mask: Tensor | None = None) -> Tensor:
    """Kullback-Leibler divergence KL(teacher || student), in nats, of their softmax over each list, times T^2.

    In [0, inf), averaged over the lists. 0 when the student's scores are the teacher's, up to a constant for each
    list; a student that gives one score to all k candidates, as a collapsed encoder does, has T^2 (ln k - H), H the
    entropy of the teacher's softmax. Factor T^2 keeps the size of the gradients from falling with T. The softmax runs
    over the k columns that are given: candidates of a query, or the d features of two layers' rows. The teacher is
    not detached: hand over `teacher.detach()` where it must not move.

    Args:
        student: scores (n, k), one list per row.
        teacher: scores (n, k) of the same candidates, of any real dtype.
        temperature: T, which divides both.
        mask: (n, k), True for a candidate; the rest of a list, be it NaN, is left out.

    Raises:
        ValueError: `temperature` not above 0 and finite, shapes that differ or are not 2-D, no list, a mask of another
            shape or dtype, a list of fewer than 2 candidates, a score of a candidate that is not finite.

    Reference: Hinton, Vinyals and Dean 2015, section 2; over candidate lists as in Lin, Yang and Lin 2020.
    """
    checked_temperature(temperature, student)
    ours, theirs, kept = candidate_lists(student, teacher, mask, names=("student", "teacher"))
    log_q, log_p = (
        (x / temperature).masked_fill(~kept, -torch.inf).log_softmax(dim=1).masked_fill(~kept, 0)
        for x in (ours, theirs)
    )
    divergences = (log_p.exp() * (log_p - log_q)).sum(dim=1)  # where both are 0 the difference is 0
    return divergences.mean() * temperature**2


def embedding_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference between the numbers of the student's and the teacher's rows.

    In [0, inf), the mean over n rows and d columns. No candidates: row i is compared with row i alone. 0 when the
    rows are the teacher's; a collapsed student has at least the mean variance of the teacher's columns, which it
    reaches where its one row is the teacher's mean. Neither scaled nor centred. The teacher is not detached.

    Args:
        student: rows (n, d).
        teacher: rows (n, d).

    Raises:
        ValueError: no row, a row that is not finite, not 2-D, not of a floating dtype, or shapes that differ.

    Reference: Reimers and Gurevych 2020, section 2 (one of its two terms).
    """
    ours, theirs = checked_rows(student, teacher, names="student teacher", scaled=False)
    return F.mse_loss(ours, theirs)


def embedding_cosine(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of 1 - cosine between each row of the student and the same row of the teacher.

    In [0, 2]. No candidates: row i is compared with row i alone. 0 when the rows point where the teacher's do, 1 when
    they are at right angles; a collapsed student has at least 1 - |mean of the teacher's unit rows|. Lengths do not
    matter. The teacher is not detached.

    Args:
        student: rows (n, d).
        teacher: rows (n, d).

    Raises:
        ValueError: no row, a row that is zero or not finite, not 2-D, not of a floating dtype, or shapes that differ.

    Reference: Sanh et al. 2019 (DistilBERT), its loss L_cos.
    """
    ours, theirs = checked_rows(student, teacher, names="student teacher")
    return (1 - (unit(ours) * unit(theirs)).sum(dim=1)).mean()
