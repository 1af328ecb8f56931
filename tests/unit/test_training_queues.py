import copy

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.mutants import killed
from workbench.training import queues
from workbench.training.queues import VectorQueue, update_average


def check_queue(make):
    rng, queue, kept = np.random.default_rng(0), make(5, 2), []
    for many in (2, 1, 4, 5, 0, 3, 1, 5, 2):
        pushed = torch.tensor(rng.normal(size=(many, 2)), dtype=torch.float32, requires_grad=True)
        queue.push(pushed * 1.0)
        kept = (kept + pushed.detach().tolist())[-5:]
        assert len(queue) == len(kept)
        assert queue.rows().tolist() == kept
        assert not queue.rows().requires_grad


def test_the_queue_is_the_last_rows_in_order():
    check_queue(VectorQueue)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.pushed += len(vectors)", "self.pushed += 1"),
        ("self.kept.roll(-(end % size), dims=0)", "self.kept.clone()"),
        ("places = (self.pushed + torch.arange", "places = (0 * self.pushed + torch.arange"),
        ("return min(int(self.pushed), len(self.kept))", "return len(self.kept)"),
    ],
)
def test_every_mutant_of_the_queue_is_killed(old, new):
    assert killed(queues, "VectorQueue", old, new, check_queue)


def test_rows_are_left_alone_by_later_pushes_and_backward_goes_through():
    queue, weight = VectorQueue(3, 2), torch.ones(2, requires_grad=True)
    queue.push(torch.tensor([[1.0, 2.0]]))
    before = queue.rows()
    loss = (before @ weight).sum()
    queue.push(torch.tensor([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]))
    full = queue.rows()
    queue.push(torch.zeros(1, 2))
    (loss + (full * weight**2).sum()).backward()
    assert before.tolist() == [[1, 2]]
    assert full.tolist() == [[3, 4], [5, 6], [7, 8]]
    assert weight.grad.tolist() == [1 + 2 * 15, 2 + 2 * 18]


def test_a_queue_resumes_from_its_state():
    one, other = VectorQueue(4, 1), VectorQueue(4, 1)
    one.push(torch.arange(3.0)[:, None])
    other.load_state_dict(one.state_dict())
    for queue in (one, other):
        queue.push(torch.tensor([[3.0], [4.0], [5.0]]))
    assert one.rows().flatten().tolist() == other.rows().flatten().tolist() == [2, 3, 4, 5]
    assert not list(one.parameters())


def test_a_queue_of_labels_and_one_of_bfloat16():
    labels, half = VectorQueue(2, 1, dtype=torch.int64), VectorQueue(2, 3).to(torch.bfloat16)
    labels.push(torch.tensor([[5], [2**40]]))
    assert labels.rows().tolist() == [[5], [2**40]]
    half.push(torch.ones(1, 3))
    assert half.rows().dtype == torch.bfloat16
    with pytest.raises(ValueError, match=r"takes integers, got torch\.float32"):
        labels.push(torch.ones(1, 1))


@pytest.mark.parametrize(
    ("pushed", "error", "message"),
    [
        (torch.zeros(2, 3), ValueError, r"\(at most 4, 2\), got shape \(2, 3\)"),
        (torch.zeros(5, 2), ValueError, r"got shape \(5, 2\)"),
        (torch.zeros(2), ValueError, r"got shape \(2,\)"),
        (torch.tensor([[0, 0], [0, torch.inf]]), ValueError, "row 1 is not finite"),
        ([[1.0, 2.0]], TypeError, None),
    ],
)
def test_what_the_queue_does_not_take_changes_nothing(pushed, error, message):
    queue = VectorQueue(4, 2)
    queue.push(torch.ones(1, 2))
    with pytest.raises(error, match=message):
        queue.push(pushed)
    assert queue.rows().tolist() == [[1, 1]]


@pytest.mark.parametrize(("size", "width"), [(0, 2), (2, 0)])
def test_a_queue_of_nothing_is_refused(size, width):
    with pytest.raises(ValueError, match=f"got size={size}, width={width}"):
        VectorQueue(size, width)


class Tied(nn.Module):
    """A norm with running means and a count, and a matrix that stands there twice."""

    def __init__(self, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.norm = nn.BatchNorm1d(3)
        self.one = nn.Linear(3, 3)
        self.other = nn.Linear(3, 3)
        self.norm.num_batches_tracked.fill_(seed)
        with torch.no_grad():
            for value in (*self.parameters(), self.norm.running_mean, self.norm.running_var):
                value.copy_(torch.rand(value.shape, generator=generator))
        self.other.weight = self.one.weight


def check_average(function):
    teacher, student = Tied(1), Tied(2)
    values = {name: value.clone() for name, value in teacher.state_dict().items()}
    fixed = {name: value.clone() for name, value in student.state_dict().items()}
    for _ in range(3):
        function(teacher, student, decay=0.75)
        values = {name: 0.75 * value + 0.25 * fixed[name] for name, value in values.items()}
    for name, value in teacher.state_dict().items():
        expected = torch.tensor(2) if name == "norm.num_batches_tracked" else values[name]
        torch.testing.assert_close(value, expected, msg=name)
        assert torch.equal(student.state_dict()[name], fixed[name])
    assert teacher.other.weight is teacher.one.weight


def test_the_average_is_that_of_a_loop_with_buffers_and_shared_weights_once():
    check_average(update_average)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("new[name].to(value), 1 - decay)", "new[name].to(value), decay)"),
        ("{**parameters_of(parts), **buffers_of(parts)}", "parameters_of(parts)"),
        ("value.copy_(new[name])", "pass"),
    ],
)
def test_every_mutant_of_the_average_is_killed(old, new):
    assert killed(queues, "update_average", old, new, check_average)


def test_the_ends_of_decay_and_an_encoder(loaded):
    teacher, student = Tied(1), Tied(2)
    before = copy.deepcopy(teacher.state_dict())
    update_average(teacher, student, decay=1.0)
    assert torch.equal(teacher.one.weight, before["one.weight"])
    update_average(teacher, student, decay=0.0)
    assert torch.equal(teacher.one.weight, student.one.weight)
    copied = copy.deepcopy(loaded.whole_model)
    with torch.no_grad():
        for value in copied.parameters():
            value.add_(1.0)
    moved = {name: value - 0.5 for name, value in copied.named_parameters()}
    update_average(copied, loaded, decay=0.5)
    for name, value in copied.named_parameters():
        torch.testing.assert_close(value, moved[name], atol=1e-5, rtol=0, msg=name)


def test_what_cannot_be_averaged_is_refused():
    with pytest.raises(ValueError, match=r"decay must be in 0\.\.1, got 1.5"):
        update_average(nn.Linear(2, 2), nn.Linear(2, 2), decay=1.5)
    with pytest.raises(TypeError, match=r"student must be an nn\.Module or an encoder, got int"):
        update_average(nn.Linear(2, 2), 3, decay=0.5)
    with pytest.raises(ValueError, match="'bias' is in one"):
        update_average(nn.Linear(2, 2), nn.Linear(2, 2, bias=False), decay=0.5)
    with pytest.raises(ValueError, match=r"weight must have one shape, got \(2, 2\) in the teacher and \(2, 3\)"):
        update_average(nn.Linear(2, 2, bias=False), nn.Linear(3, 2, bias=False), decay=0.5)
    same = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="teacher and student share weight"):
        update_average(same, same, decay=0.5)
