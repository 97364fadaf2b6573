from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.problem.losses import (
    MEANS,
    CrossEntropy,
    accuracy,
    cross_entropy,
    exact,
    half_square,
    has_accuracy,
    known,
)


def test_cross_entropy_by_hand():
    logits = torch.tensor([[0.0, math.log(3)], [5.0, 5.0]], dtype=torch.float64)
    losses, weights = cross_entropy(logits, torch.tensor([0, 1]))
    np.testing.assert_allclose(losses, [math.log(4), math.log(2)], rtol=1e-15)
    assert weights.tolist() == [1, 1]


def test_cross_entropy_of_sequences_by_position():
    logits = torch.randn(4, 5, 3, dtype=torch.float64)
    classes = torch.randint(0, 5, (4, 3))
    odds = logits.softmax(1).numpy()
    expected = [[-np.log(odds[b, classes[b, t], t]) for t in range(3)] for b in range(4)]
    losses, weights = cross_entropy(logits, classes)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    assert weights.tolist() == [[1] * 3] * 4


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (torch.tensor([1, 2, 3, 3]), " for a model of 3 outputs, got 1 to 3; subtract 1"),
        (
            torch.tensor([2, 2, 3, 3]),
            " for a model of 3 outputs, got 2 to 3; subtract 1 if they begin at 1, else give the "
            "model as many outputs as there are classes",
        ),
        (
            torch.tensor([0, 7, 1, -100]),
            " for a model of 3 outputs, got 0 to 7; give the model as many outputs as there are "
            "classes",
        ),
        (
            torch.tensor([0, -1, 1, 2]),
            " for a model of 3 outputs, got -1 to 2; what is to be left out is -100, others begin "
            "at 0",
        ),
        (torch.zeros(4), " of type int64 or uint8, got float32 (4,); give targets.long()"),
        (
            torch.zeros(4, 1).long(),
            " of shape (4,) in a batch of 4, got a column (4, 1); give targets.squeeze(1)",
        ),
        (
            torch.zeros(4, 1),
            " of shape (4,) in a batch of 4, got a column (4, 1); give targets.squeeze(1).long()",
        ),
        (
            functional.one_hot(torch.tensor([0, 1, 2, 1])),
            " of shape (4,) in a batch of 4, got (4, 3), one-hot as it seems; give "
            "targets.argmax(1)",
        ),
    ],
)
def test_labels_that_cant_be_say_the_cure(targets, said):
    with pytest.raises(LandscapeError) as caught:
        cross_entropy(torch.zeros(4, 3), targets)
    assert str(caught.value) == f"class labels must be whole numbers 0 to 2{said}"


def test_what_else_pytorch_refuses_stays_its_own():
    with pytest.raises(RuntimeError, match="multi-target"):
        cross_entropy(torch.zeros(4, 3), torch.zeros(4, 5))


def mean(found) -> float:
    """What is measured of (losses, weights): the weighted mean."""
    losses, weights = found
    return float((losses * weights).sum() / weights.sum())


@pytest.mark.parametrize("shape", [(40,), (8, 5), (4, 5, 2)])
@pytest.mark.parametrize("ignored", [-100, 255])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_weighted_mean_is_torchs(shape, ignored, smoothing, weighted):
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(shape[0], 3, *shape[1:], generator=generator, dtype=torch.float64)
    classes = torch.randint(0, 3, shape, generator=generator)
    classes.view(-1)[::3] = ignored
    options = {
        "ignore_index": ignored,
        "weight": torch.tensor([1.0, 5.0, 0.5]) if weighted else None,  # in float32
        "label_smoothing": smoothing,
    }
    weight = None if options["weight"] is None else options["weight"].double()
    truth = functional.cross_entropy(logits, classes, **{**options, "weight": weight})
    assert mean(cross_entropy(**options)(logits, classes)) == pytest.approx(float(truth), rel=1e-12)
    # torch's own module stands for the same, whichever reduction it was given.
    for reduction in ("none", "mean"):
        module = known(torch.nn.CrossEntropyLoss(**options, reduction=reduction))
        assert mean(module(logits, classes)) == pytest.approx(float(truth), rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("function", MEANS, ids=lambda function: function.__name__)
def test_torch_means_of_numbers_against_torch(function, reduction):
    generator = torch.Generator().manual_seed(5)
    outputs = torch.rand((6, 3), generator=generator, dtype=torch.float64)
    targets = torch.rand((6, 3), generator=generator).round()
    truth = float(function(outputs, targets.double()))
    module = MEANS[function](reduction=reduction)
    for loss in (module, partial(function, reduction=reduction), function):
        values = known(loss)(outputs, targets)
        assert values.shape == outputs.shape
        assert float(values.mean()) == pytest.approx(truth, rel=1e-12)
    assert module.reduction == reduction  # it is somebody else's


def test_options_of_torch_losses_count():
    outputs, targets = torch.tensor([[0.5], [3.0]]).double(), torch.zeros(2, 1)
    weight = torch.tensor([4.0])
    for loss, truth in (
        (torch.nn.HuberLoss(delta=2.0), functional.huber_loss(outputs, targets, delta=2.0)),
        (
            partial(functional.huber_loss, delta=2.0),
            functional.huber_loss(outputs, targets, delta=2),
        ),
        (
            torch.nn.BCEWithLogitsLoss(pos_weight=weight),
            functional.binary_cross_entropy_with_logits(outputs, targets.double()),
        ),
    ):
        assert float(known(loss)(outputs, targets).mean()) == pytest.approx(float(truth), rel=1e-12)
    positive = known(torch.nn.BCEWithLogitsLoss(pos_weight=weight))(outputs, targets + 1)
    by_hand = [4 * math.log1p(math.exp(-x)) for x in (0.5, 3.0)]
    assert positive.flatten().tolist() == pytest.approx(by_hand)


def test_torch_cross_entropy_is_the_default_one():
    smoothed = known(partial(functional.cross_entropy, label_smoothing=0.1, reduction="mean"))
    assert isinstance(smoothed, CrossEntropy)
    assert smoothed.label_smoothing == 0.1
    weights = torch.ones(3)
    assert known(torch.nn.CrossEntropyLoss(weight=weights)).weight is weights
    for plain in (
        functional.cross_entropy,
        partial(functional.cross_entropy, reduction="none"),
        torch.nn.CrossEntropyLoss(),
    ):
        assert known(plain) is cross_entropy


def test_what_broadcasts_is_refused_of_torch_losses_too():
    with pytest.raises(LandscapeError, match=r"MSELoss needs .* got \(4,\) for \(4, 1\)"):
        known(torch.nn.MSELoss())(torch.zeros(4, 1), torch.zeros(4))


@pytest.mark.parametrize(
    "kind", ["MSELoss", "CrossEntropyLoss", "NLLLoss", "KLDivLoss", "SoftMarginLoss"]
)
def test_sums_are_no_means(kind):
    with pytest.raises(LandscapeError) as caught:
        known(getattr(torch.nn, kind)(reduction="sum"))
    assert str(caught.value) == (
        f'a problem\'s loss must be a mean, got {kind} with reduction="sum"; give '
        'reduction="mean": the learning rate times how many values a batch sums takes the same '
        "steps"
    )


@pytest.mark.parametrize(
    "function", [functional.cross_entropy, functional.mse_loss, functional.nll_loss]
)
def test_sums_by_a_function_are_refused_too(function):
    with pytest.raises(LandscapeError, match=f"got {function.__name__} with"):
        known(partial(function, reduction="sum"))


def test_what_a_sum_is_told_takes_the_same_steps():
    """SGD on the sum at a rate, and on the mean at the rate times the labels in a batch."""
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    labels = torch.tensor([0, 1, 2, 2, 1, 0])
    steps = [
        rate
        * torch.autograd.grad(functional.cross_entropy(logits, labels, reduction=how), logits)[0]
        for rate, how in ((0.1, "sum"), (0.1 * 6, "mean"))
    ]
    torch.testing.assert_close(*steps)


@pytest.mark.parametrize("shape", [(40,), (8, 5)])
@pytest.mark.parametrize("ignored", [-100, 1])
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 5.0, 0.5])])
def test_log_likelihoods_against_torch(shape, ignored, weight):
    generator = torch.Generator().manual_seed(3)
    # No log-softmax before: torch doesn't normalize them either.
    outputs = torch.randn(shape[0], 3, *shape[1:], generator=generator, dtype=torch.float64)
    classes = torch.randint(0, 3, shape, generator=generator)
    classes.view(-1)[::3] = ignored
    doubled = None if weight is None else weight.double()
    truth = functional.nll_loss(outputs, classes, doubled, ignore_index=ignored)
    options = {"weight": weight, "ignore_index": ignored}
    for loss in (
        torch.nn.NLLLoss(**options),
        torch.nn.NLLLoss(**options, reduction="none"),
        partial(functional.nll_loss, **options),
    ):
        assert mean(known(loss)(outputs, classes)) == pytest.approx(float(truth), rel=1e-12)


def test_log_likelihoods_of_labels_that_cant_be():
    with pytest.raises(LandscapeError, match="got 1 to 3; subtract 1"):
        known(torch.nn.NLLLoss())(torch.zeros(2, 3), torch.tensor([1, 3]))


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 3)])
@pytest.mark.parametrize("logs", [False, True])
def test_divergences_against_torch(shape, logs):
    generator = torch.Generator().manual_seed(4)
    outputs, targets = torch.randn(2, *shape, generator=generator).double().log_softmax(2)
    targets = targets if logs else targets.exp()
    options = {"reduction": "batchmean", "log_target": logs}
    truth = functional.kl_div(outputs, targets, **options)
    for loss in (torch.nn.KLDivLoss(**options), partial(functional.kl_div, **options)):
        values = known(loss)(outputs, targets)
        assert values.shape == (6,)
        assert float(values.mean()) == pytest.approx(float(truth), rel=1e-12)


@pytest.mark.parametrize("loss", [torch.nn.KLDivLoss(), functional.kl_div])
def test_a_divergence_says_what_it_is_the_mean_of(loss):
    with pytest.raises(LandscapeError) as caught:
        known(loss)
    name = getattr(loss, "__name__", "KLDivLoss")
    assert str(caught.value) == (
        f'{name} must be the mean of samples\' sums over classes, got reduction="mean"; give '
        'reduction="batchmean", or for the mean over all numbers lambda x, y: '
        'torch.nn.functional.kl_div(x, y, reduction="none")'
    )


def test_options_count_with_outputs_too():
    logits, labels = torch.randn(4, 3).double(), torch.tensor([0, 1, 2, 0])
    truth = functional.cross_entropy(logits, labels, ignore_index=0)
    assert mean(cross_entropy(logits, labels, ignore_index=0)) == pytest.approx(float(truth))


def test_class_weights_by_hand():
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]], dtype=torch.float64)
    found = cross_entropy(weight=torch.tensor([1.0, 5.0]))(logits, torch.tensor([0, 1]))
    assert mean(found) == pytest.approx((math.log(4) + 5 * math.log(2)) / 6, rel=1e-12)


@pytest.mark.parametrize("margin", [16.0, 20.0])
def test_tiny_losses_are_right(margin):
    """Logits (m, 0) of the right and the wrong class: the loss is ln(1 + exp(-m))."""
    outputs, classes = torch.tensor([[margin, 0.0]]), torch.tensor([0])
    truth = math.log1p(math.exp(-margin))
    assert truth < 2e-7
    assert cross_entropy(*exact(outputs, classes))[0].item() == pytest.approx(truth, rel=1e-7)
    in_float32 = functional.cross_entropy(outputs, classes).item()
    assert abs(in_float32 - truth) > 0.005 * truth  # What the float64 is there for.


def test_soft_labels():
    """Probabilities as targets, in float32 as data come: -sum p ln q."""
    logits = torch.tensor([[0.0, math.log(3)]])
    losses = cross_entropy(logits.double(), torch.tensor([[0.25, 0.75]]).double())
    expected = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert losses.tolist() == pytest.approx([expected], rel=1e-7)


OTHERS = (
    'give loss="half_square", half the squared error, for a regression, '
    "torch.nn.BCEWithLogitsLoss() for yes or no"
)


@pytest.mark.parametrize(
    ("shape", "targets"),
    [
        ((3, 1), torch.tensor([[0.5], [-1.0], [2.0]])),
        ((3, 1), torch.tensor([0.5, -1.0, 2.0])),
        ((3,), torch.tensor([0.5, -1.0, 2.0])),
        ((3, 1), torch.zeros(3, dtype=torch.int64)),
        ((3, 1), torch.tensor([0, 1, 1])),
        ((3, 1, 4), torch.zeros(3, 4, dtype=torch.int64)),
    ],
)
@pytest.mark.parametrize("loss", [cross_entropy, cross_entropy(label_smoothing=0.1)])
def test_one_output_is_no_choice_between_classes(shape, targets, loss):
    with pytest.raises(LandscapeError) as caught:
        loss(torch.zeros(shape, dtype=torch.float64), targets)
    assert str(caught.value) == (
        "cross-entropy, the default loss, must have two or more outputs to choose between (with "
        f"one it is 0 whatever the model does), got outputs of shape {shape}; {OTHERS}"
    )


def test_half_square_by_hand():
    outputs = torch.tensor([[1.0, 3.0], [0.0, 0.0]], dtype=torch.float64)
    targets = torch.tensor([[0.0, 1.0], [0.0, -4.0]])
    assert half_square(outputs, targets).tolist() == [(1 + 4) / 4, 16 / 4]
    assert half_square(outputs[:, 0], targets[:, 0]).tolist() == [0.5, 0.0]


@pytest.mark.parametrize(
    ("targets", "cure"),
    [((3,), "targets.unsqueeze(-1)"), ((3, 2), "a model and targets that agree")],
)
def test_half_square_does_not_broadcast(targets, cure):
    with pytest.raises(LandscapeError) as caught:
        half_square(torch.zeros(3, 1), torch.zeros(targets))
    assert str(caught.value) == (
        f"half_square needs targets of the outputs' shape, got {targets} for (3, 1) in a batch of "
        f"3; give {cure}"
    )


def test_outputs_come_in_float64():
    outputs, targets = exact(torch.zeros(2, 3), torch.zeros(2))
    assert outputs.dtype == torch.float64
    assert targets.dtype == torch.float32


CLASSES = torch.tensor([2, 0])


def test_accuracy_counts_the_largest_output():
    outputs = torch.tensor([[0.0, 1.0, 3.0], [0.0, 0.1, -1.0]])
    hits, weights = accuracy(outputs, CLASSES)
    assert hits.tolist() == [1.0, 0.0]
    assert weights.tolist() == [1.0, 1.0]


def test_accuracy_leaves_out_ignored_labels():
    outputs = torch.eye(4)[None, :, :3]  # At place t the class t.
    hits, weights = accuracy(outputs, torch.tensor([[0, 2, -100]]))
    assert (hits * weights).sum() == 1
    assert weights.tolist() == [[1.0, 1.0, 0.0]]


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
    hits = accuracy(outputs, targets)
    assert hits.shape == (2,)
    assert hits.isnan().all()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_label_of_either_type_counts(dtype, weighted):
    """As uint8, -100 would be 156."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 200, generator=generator).double()
    labels = torch.randint(0, 200, (40,), generator=generator)
    labels[::2] = 156
    weight = torch.linspace(0.5, 2.0, 200).double() if weighted else None
    losses, counts = cross_entropy(weight=weight)(logits, labels.to(dtype))
    expected = functional.cross_entropy(logits, labels, weight)
    assert float((losses * counts).sum() / counts.sum()) == pytest.approx(float(expected))
    right, counted = accuracy(logits, labels.to(dtype))
    assert (counted == 1).all()
    assert right.sum() == (logits.argmax(1) == labels).sum()


def test_a_smoothed_loss_has_no_class_without_weight():
    with pytest.raises(LandscapeError) as caught:
        cross_entropy(weight=torch.tensor([0.0, 1.0]), label_smoothing=0.2)
    assert str(caught.value) == (
        "label_smoothing needs class weights above 0, got 0; leave a class out with ignore_index"
    )
