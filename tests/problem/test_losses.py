from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.problem.losses import (
    correct,
    cross_entropy,
    exact,
    half_square,
    has_accuracy,
    per_sample,
)


def test_cross_entropy_by_hand():
    logits = torch.tensor([[0.0, math.log(3)], [5.0, 5.0]], dtype=torch.float64)
    losses = cross_entropy(logits, torch.tensor([0, 1]))
    np.testing.assert_allclose(losses, [math.log(4), math.log(2)], rtol=1e-15)


def test_cross_entropy_of_sequences_is_their_mean():
    logits = torch.randn(4, 5, 3, dtype=torch.float64)
    classes = torch.randint(0, 5, (4, 3))
    odds = logits.softmax(1).numpy()
    expected = [-np.mean([np.log(odds[b, classes[b, t], t]) for t in range(3)]) for b in range(4)]
    np.testing.assert_allclose(cross_entropy(logits, classes), expected, rtol=1e-12)


@pytest.mark.parametrize("margin", [16.0, 20.0])
def test_tiny_losses_are_right(margin):
    """Logits (m, 0) of the right and the wrong class: the loss is ln(1 + exp(-m))."""
    outputs, classes = torch.tensor([[margin, 0.0]]), torch.tensor([0])
    truth = math.log1p(math.exp(-margin))
    assert truth < 2e-7
    assert per_sample(cross_entropy, outputs, classes).item() == pytest.approx(truth, rel=1e-7)
    in_float32 = functional.cross_entropy(outputs, classes).item()
    assert abs(in_float32 - truth) > 0.005 * truth  # What the float64 is there for.


def test_soft_labels():
    """Probabilities as targets, in float32 as data come: -sum p ln q."""
    logits = torch.tensor([[0.0, math.log(3)]])
    losses = per_sample(cross_entropy, logits, torch.tensor([[0.25, 0.75]]))
    expected = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert losses.tolist() == pytest.approx([expected], rel=1e-7)


def test_half_square_by_hand():
    outputs = torch.tensor([[1.0, 3.0], [0.0, 0.0]], dtype=torch.float64)
    targets = torch.tensor([[0.0, 1.0], [0.0, -4.0]])
    assert half_square(outputs, targets).tolist() == [(1 + 4) / 4, 16 / 4]
    assert half_square(outputs[:, 0], targets[:, 0]).tolist() == [0.5, 0.0]


def test_half_square_does_not_broadcast():
    with pytest.raises(ValueError, match="half_square") as caught:
        half_square(torch.zeros(3, 1), torch.zeros(3))
    assert str(caught.value) == (
        "half_square wants outputs and targets of one shape, got (3, 1) and (3,)"
    )


def test_outputs_come_in_float64():
    outputs, targets = exact(torch.zeros(2, 3), torch.zeros(2))
    assert outputs.dtype == torch.float64
    assert targets.dtype == torch.float32


@pytest.mark.parametrize(
    ("loss", "got"),
    [
        (lambda o, t: functional.cross_entropy(o, t), "()"),
        (lambda o, t: functional.cross_entropy(o, t, reduction="none")[:, None], "(4, 1)"),
        (lambda o, t: o, "(4, 3)"),
        (lambda o, t: 0.5, "float"),
    ],
)
def test_other_than_one_value_a_sample_is_refused(loss, got):
    with pytest.raises(LandscapeError) as caught:
        per_sample(loss, torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64))
    assert str(caught.value) == (
        f"a loss must return one value a sample, shape (4,) for 4 samples, got {got}; "
        'use reduction="none"'
    )


CLASSES = torch.tensor([2, 0])


def test_correct_counts_the_largest_output():
    outputs = torch.tensor([[0.0, 1.0, 3.0], [0.0, 0.1, -1.0]])
    assert correct(outputs, CLASSES).tolist() == [1.0, 0.0]


def test_correct_share_of_a_sequence():
    outputs = torch.eye(4)[None, :, :3]  # At place t the class t.
    assert correct(outputs, torch.tensor([[0, 1, 0]])).tolist() == [pytest.approx(2 / 3)]


@pytest.mark.parametrize(
    ("outputs", "targets"),
    [
        (torch.zeros(2, 1), torch.zeros(2, 1)),
        (torch.zeros(2), torch.zeros(2)),
        (torch.zeros(2, 3), torch.zeros(2, 3)),
        (torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.int64)),
        # One output is a logit for yes or no, or a count: its argmax is always 0.
        (torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.int64)),
    ],
)
def test_no_accuracy_without_classes(outputs, targets):
    assert not has_accuracy(outputs, targets)
    losses = correct(outputs, targets)
    assert losses.shape == (2,)
    assert losses.isnan().all()
