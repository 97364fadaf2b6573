"""Losses and accuracies: a value for each sample, or for each of its positions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any, TypeAlias, overload

import torch
from torch import Tensor, nn
from torch.nn import functional

from landscape.errors import LandscapeError, meant
from landscape.problem import nests

Found: TypeAlias = Tensor | tuple[Tensor, Tensor]
"""Values of shape (B, ...), each of which counts one; or (values, weights); or a scalar with its
weight, of the whole batch."""
Loss: TypeAlias = Callable[[Any, Any], Found]
"""``loss(outputs, targets)``: the outputs as the model gives them, in float64."""
IGNORED = -100
"""The label that says that there is none, PyTorch's default."""
MEANS: Mapping[Callable[..., Tensor], type[nn.Module]] = {
    functional.mse_loss: nn.MSELoss,
    functional.l1_loss: nn.L1Loss,
    functional.smooth_l1_loss: nn.SmoothL1Loss,
    functional.huber_loss: nn.HuberLoss,
    functional.binary_cross_entropy: nn.BCELoss,
    functional.binary_cross_entropy_with_logits: nn.BCEWithLogitsLoss,
}
"""PyTorch's losses that give the mean of a value for each number, as functions and modules."""
USUAL = {"ignore_index": IGNORED, "weight": None, "label_smoothing": 0.0}
"""The options of PyTorch's cross-entropy as they usually are; its reduction aside."""
OF_LABELS: Mapping[Callable[..., Tensor], type[nn.Module]] = {
    functional.cross_entropy: nn.CrossEntropyLoss,
    functional.nll_loss: nn.NLLLoss,
}
"""Those that give a mean over labels, of which each counts its class's weight."""
UNEVEN = 0.01
"""Probabilities may add up to 1 to so much: they may have been rounded, or be in half precision."""
OTHER_LOSSES = (
    'give loss="half_square", half the squared error, for a regression, '
    "torch.nn.BCEWithLogitsLoss() for yes or no"
)
NO_CHOICE = (
    "cross-entropy, the default loss, must have two or more outputs to choose between (with one it "
    "is 0 whatever the model does), got outputs of shape {}; " + OTHER_LOSSES
)


@dataclass(frozen=True, eq=False)
class CrossEntropy:
    """Cross-entropy of logits (B, C, ...) in nats with what each label counts.

    Σ w l / Σ w is what ``torch.nn.CrossEntropyLoss`` gives as the mean: w is the class's weight,
    and 0 for ignored labels. Classes (B, ...), or probabilities (B, C, ...), of which each counts
    one.
    """

    ignore_index: int = IGNORED
    weight: Tensor | None = None
    """(C,) of the classes; None: each counts one."""
    label_smoothing: float = 0.0
    complete: bool = False
    """No label is ignored, which is known beforehand."""

    def __post_init__(self) -> None:
        if self.label_smoothing and self.weight is not None and bool((self.weight <= 0).any()):
            # torch adds to the mean what such a class's samples are smoothed by, with no weight.
            raise LandscapeError(
                "label_smoothing needs class weights above 0, got "
                f"{float(self.weight.min()):g}; leave a class out with ignore_index"
            )

    def __call__(self, outputs: Tensor, targets: Tensor) -> Found:
        """The losses with their weights; alone where each counts one whatever the labels are.

        Raises:
            LandscapeError: there is nothing to choose between, or the labels are no classes.
        """
        if isinstance(outputs, Tensor) and (outputs.ndim < 2 or outputs.shape[1] < 2):
            raise LandscapeError(NO_CHOICE.format(tuple(outputs.shape)))
        weight = None if self.weight is None else self.weight.to(outputs)
        try:
            losses = functional.cross_entropy(
                outputs,
                targets,
                weight if targets.is_floating_point() or self.label_smoothing else None,
                ignore_index=self.ignore_index,
                reduction="none",
                label_smoothing=self.label_smoothing,
            )
        except (RuntimeError, IndexError, ValueError) as error:
            if said := wrong_labels(outputs, targets, self.ignore_index):
                raise LandscapeError(said) from error
            raise
        if targets.is_floating_point() or (self.complete and weight is None):
            return losses
        counts = _counts(losses, targets, weight, self.ignore_index)
        if weight is not None and self.label_smoothing:  # torch has weighted them already
            losses = losses / counts.where(counts > 0, 1)
        return losses, counts


@dataclass(frozen=True, eq=False)
class NegativeLogLikelihood:
    """What ``torch.nn.NLLLoss`` gives the mean of: minus log-probabilities (B, C, ...) of classes.

    With what each label counts, as `CrossEntropy` has it.
    """

    ignore_index: int = IGNORED
    weight: Tensor | None = None

    def __call__(self, outputs: Tensor, targets: Tensor) -> Found:
        """The losses with their weights.

        Raises:
            LandscapeError: the labels are no classes.
        """
        try:
            losses = functional.nll_loss(
                outputs, targets, ignore_index=self.ignore_index, reduction="none"
            )
        except (RuntimeError, IndexError, ValueError) as error:
            if said := wrong_labels(outputs, targets, self.ignore_index):
                raise LandscapeError(said) from error
            raise
        weight = None if self.weight is None else self.weight.to(outputs)
        return losses, _counts(losses, targets, weight, self.ignore_index)


def _counts(losses: Tensor, labels: Tensor, weight: Tensor | None, ignore_index: int) -> Tensor:
    """What each label counts: its class's weight, or 1; 0 where it is ignored."""
    ignored = is_ignored(labels, ignore_index)
    if weight is None:
        return (~ignored).to(losses)
    return weight[labels.long().masked_fill(ignored, 0)].masked_fill(ignored, 0)


def wrong_labels(outputs: Tensor, targets: Tensor, ignored: int = IGNORED) -> str:
    """What is wrong with class labels (B, ...) of logits (B, C, ...), and the cure; or nothing.

    Of all that PyTorch refuses what happens to people: labels from 1 on, as numbers with a point,
    as a column or one-hot.

    >>> wrong_labels(torch.zeros(2, 3), torch.tensor([1, 3]))
    'class labels must be whole numbers 0 to 2 for a model of 3 outputs, got 1 to 3; subtract 1'
    """
    if outputs.ndim < 2 or targets.is_complex():
        return ""
    classes, shape = outputs.shape[1], (outputs.shape[0], *outputs.shape[2:])
    rule = f"class labels must be whole numbers 0 to {classes - 1}"
    shaped = f"{rule} of shape {shape} in a batch of {len(outputs)}"
    if targets.ndim == outputs.ndim and targets.shape[1] == 1 != classes:
        cure = "targets.squeeze(1)" + (".long()" if targets.is_floating_point() else "")
        return f"{shaped}, got a column {tuple(targets.shape)}; give {cure}"
    if targets.shape == outputs.shape and not targets.is_floating_point():
        got = f"{tuple(targets.shape)}, one-hot as it seems"
        return f"{shaped}, got {got}; give targets.argmax(1)"
    if targets.shape != shape:
        return ""
    if targets.dtype not in (torch.int64, torch.uint8):
        return f"{rule} of type int64 or uint8, got {nests.shapes(targets)}; give targets.long()"
    there = targets[~is_ignored(targets, ignored)]
    low, high = int(there.min()), int(there.max())
    if low >= 0 and high < classes:
        return ""
    cure = "give the model as many outputs as there are classes"
    if high == classes and low > 0:
        cure = "subtract 1" if low == 1 else f"subtract 1 if they begin at 1, else {cure}"
    elif low < 0:
        cure = f"what is to be left out is {ignored}, others begin at 0"
    return f"{rule} for a model of {classes} outputs, got {low} to {high}; {cure}"


def unlike_probabilities(outputs: Tensor, targets: Tensor) -> str:
    """What is wrong with targets of the outputs' shape (B, C, ...) for cross-entropy; or nothing.

    PyTorch takes any numbers there for probabilities of classes, those of a regression too.

    >>> unlike_probabilities(torch.zeros(2, 2), torch.tensor([[0.5, 0.5], [0.0, 1.0]]))
    ''
    """
    if targets.shape != outputs.shape or not targets.is_floating_point():
        return ""
    totals = targets.double().sum(1)
    low, far = float(targets.min()), totals.flatten()[(totals - 1).abs().argmax()]
    if not (low < 0 or abs(float(far) - 1) > UNEVEN):  # what is NaN is told elsewhere
        return ""
    got = f"{low:.4g} among them" if low < 0 else f"a sum of {float(far):.4g}"
    return (
        "cross-entropy, the default loss, takes targets of the outputs' shape for probabilities of "
        f"the {outputs.shape[1]} classes, which must be at least 0 and add up to 1, got {got}; "
        + OTHER_LOSSES
    )


def is_ignored(targets: Tensor, index: int) -> Tensor:
    """Which labels are this one, of any integer type: as uint8, -100 would be 156.

    >>> is_ignored(torch.tensor([156, 3], dtype=torch.uint8), -100).tolist()
    [False, False]
    """
    return targets.long() == index


@overload
def cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    *,
    ignore_index: int = ...,
    weight: Tensor | None = ...,
    label_smoothing: float = ...,
) -> Found: ...


@overload
def cross_entropy(
    *,
    ignore_index: int = ...,
    weight: Tensor | None = ...,
    label_smoothing: float = ...,
) -> CrossEntropy: ...


def cross_entropy(
    outputs: Tensor | None = None,
    targets: Tensor | None = None,
    *,
    ignore_index: int = IGNORED,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Found | CrossEntropy:
    """Cross-entropy of logits (B, C, ...) with classes (B, ...) in nats; -100 doesn't count.

    As it is, this is a problem's loss: (losses, weights) for each label, weight 0 where it is
    ignored; probabilities as targets count one each. Called with options alone it gives such a
    loss, the mean of which is that of ``torch.nn.CrossEntropyLoss`` with them::

        Problem(model, data, loss=cross_entropy(ignore_index=255, weight=torch.tensor([1.0, 5.0])))

    >>> import torch
    >>> losses, weights = cross_entropy(torch.zeros(2, 10), torch.tensor([3, -100]))
    >>> f"{losses[0]:.4f}", weights.tolist()  # ln 10; the second label doesn't count
    ('2.3026', [1.0, 0.0])
    """
    loss = CrossEntropy(ignore_index, weight, label_smoothing)
    return loss if outputs is None or targets is None else loss(outputs, targets)


@dataclass(frozen=True, eq=False)
class Elementwise:
    """A value for each number of the outputs by one of PyTorch's losses, which gives their mean."""

    loss: Callable[..., Tensor]
    """With ``reduction="none"``."""
    name: str
    summed: bool = False
    """One value a sample, the sum over its numbers: KLDivLoss's ``batchmean``."""

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Values of the outputs' shape (B, ...), or their sums (B,).

        Raises:
            LandscapeError: the targets have another shape.
        """
        _check_shapes(self.name, outputs, targets)
        values = self.loss(outputs, targets.to(outputs.dtype))
        return values.reshape(len(values), -1).sum(1) if self.summed else values


def known(loss: Loss) -> Loss:
    """A loss of PyTorch's as values where it gives their mean.

    Those in `OF_LABELS`, whatever their reduction, stand for the mean over labels, those in
    `MEANS` for the mean over numbers, KLDivLoss's ``batchmean`` for that of samples' sums.
    Options may be given with `functools.partial`. Others are left as they are.

    Raises:
        LandscapeError: its reduction is ``sum``, or KLDivLoss's isn't ``batchmean``.

    >>> known(nn.MSELoss())(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]])).tolist()
    [[1.0], [9.0]]
    """
    given: Any = loss
    function, options = given, {}
    if isinstance(given, partial) and not given.args:
        function, options = given.func, given.keywords
    is_function = isinstance(function, FunctionType)
    kind = function if is_function else type(given)
    if kind.__module__ not in (functional.__name__, nn.modules.loss.__name__):
        return loss
    reduction = options.get("reduction", getattr(given, "reduction", "mean"))
    divergence = kind in (functional.kl_div, nn.KLDivLoss)
    _check_reduction(kind.__name__, reduction, divergence=divergence)
    if kind in OF_LABELS or kind in OF_LABELS.values():
        found = options if is_function else {name: getattr(given, name, None) for name in USUAL}
        return _of_labels(kind, found) or loss
    if not divergence and kind not in MEANS and kind not in MEANS.values():
        return loss
    if is_function:
        each: Any = partial(given, reduction="none")
    else:
        each = copy.copy(given)
        each.reduction = "none"
    return Elementwise(each, kind.__name__, summed=divergence)


def _check_reduction(name: str, reduction: str, *, divergence: bool) -> None:
    if reduction == "sum":
        raise LandscapeError(
            f'a problem\'s loss must be a mean, got {name} with reduction="sum"; give '
            'reduction="mean": the learning rate times how many values a batch sums takes the '
            "same steps"
        )
    if divergence and reduction != "batchmean":
        raise LandscapeError(
            f"{name} must be the mean of samples' sums over classes, got "
            f'reduction="{reduction}"; give reduction="batchmean", or for the mean over all '
            'numbers lambda x, y: torch.nn.functional.kl_div(x, y, reduction="none")'
        )


def _of_labels(kind: Callable[..., Any], options: Mapping[str, Any]) -> Loss | None:
    """Cross-entropy, or log-likelihoods, with their options; None if there are others."""
    if not options.keys() <= {*USUAL, "reduction"}:
        return None
    kept: dict[str, Any] = {name: options.get(name, usual) for name, usual in USUAL.items()}
    if kind in (functional.nll_loss, nn.NLLLoss):
        return NegativeLogLikelihood(kept["ignore_index"], kept["weight"])
    # A tensor of weights compares one by one.
    is_plain = kept["weight"] is None and kept == USUAL
    return cross_entropy if is_plain else CrossEntropy(**kept)


def by_name(loss: Loss | str) -> Loss:
    """A loss, given as it is or by the name that it has here.

    Raises:
        LandscapeError: there is none of that name.

    >>> by_name("half_square") is half_square
    True
    """
    if not isinstance(loss, str):
        return loss
    if loss not in NAMED:
        raise LandscapeError(
            f"a loss by its name is one of {', '.join(NAMED)}, got {loss}{meant(loss, NAMED)}"
        )
    return NAMED[loss]


def half_square(outputs: Tensor, targets: Tensor) -> Tensor:
    """Half the squared error, averaged over all but the first dimension.

    The loss of a regression, one value a sample. Outputs and targets must have one shape: (B, 1)
    against (B,) would compare every pair of samples.

    Raises:
        LandscapeError: they haven't.

    >>> import torch
    >>> half_square(torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.zeros(2, 2)).tolist()
    [2.5, 0.0]
    """
    _check_shapes("half_square", outputs, targets)
    errors = (outputs - targets.to(outputs.dtype)).square() / 2
    return errors.flatten(1).mean(1) if errors.ndim > 1 else errors


def _check_shapes(name: str, outputs: Tensor, targets: Tensor) -> None:
    """Refuse what broadcasts: (B, 1) against (B,) would silently compare every pair of samples."""
    if outputs.shape != targets.shape:
        is_flat = (*targets.shape, 1) == tuple(outputs.shape)
        raise LandscapeError(
            f"{name} needs targets of the outputs' shape, got "
            f"{tuple(targets.shape)} for {tuple(outputs.shape)} in a batch of {len(outputs)}; give "
            + ("targets.unsqueeze(-1)" if is_flat else "a model and targets that agree")
        )


NAMED: Mapping[str, Loss] = {"cross_entropy": cross_entropy, "half_square": half_square}
"""Losses that may be given by their name."""


def exact(outputs: Any, targets: Any) -> tuple[Any, Any]:
    """Outputs in float64 with their targets, where a loss is computed.

    Float32 cross-entropy is off by 0.6 % at losses of 1e-7. Apple's GPUs have no float64: there
    both move to the processor.
    """
    return double(outputs), on_processor(targets)


def double(nest: Any) -> Any:
    """A nest with its floating-point tensors in float64; a lone tensor whatever it holds."""
    if isinstance(nest, Tensor):
        if nest.dtype == torch.float64:
            return nest
        moved = on_processor(nest)
        return moved.to(torch.complex128) if moved.is_complex() else moved.double()
    return doubled(nest)


def doubled(nest: Any) -> Any:
    """A nest with its floating-point tensors in float64, labels as they are."""
    return nests.mapped(nest, lambda leaf: double(leaf) if nests.is_floating(leaf) else leaf)


def on_processor(nest: Any) -> Any:
    """A nest on the processor if it is on a device without float64."""
    if isinstance(nest, Tensor):
        return nest.cpu() if nest.device.type == "mps" else nest
    return nests.mapped(nest, lambda leaf: on_processor(leaf) if isinstance(leaf, Tensor) else leaf)


def has_accuracy(outputs: Any, targets: Any) -> bool:
    """Whether outputs (B, C, ...) are logits for integer classes (B, ...)."""
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)):
        return False
    classes = not (targets.is_floating_point() or targets.is_complex())
    # A single output (C = 1) is no choice between classes: a logit for yes or no, a count.
    logits = outputs.ndim >= 2 and outputs.shape[1] > 1
    return classes and logits and outputs.shape[:1] + outputs.shape[2:] == targets.shape


def accuracy(outputs: Any, targets: Any) -> Found:
    """Right predictions, 1 or 0 for each label, and weights: labels of -100 don't count.

    As a problem's measure it leaves out the labels that the loss does, if that is `cross_entropy`.
    NaN for each sample where outputs and targets are no logits and classes.

    >>> import torch
    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    >>> right, weights = accuracy(logits, torch.tensor([0, 0, -100]))
    >>> right.tolist(), weights.tolist()
    ([1.0, 0.0, 0.0], [1.0, 1.0, 0.0])
    """
    return hits(outputs, targets)


def hits(
    outputs: Any, targets: Any, *, ignore_index: int = IGNORED, complete: bool = False
) -> Found:
    """`accuracy`, for a loss that ignores another label, or where none is."""
    if not has_accuracy(outputs, targets):
        first = next(nests.tensors(targets), None)
        if first is None:
            first = next(nests.tensors(outputs), torch.zeros(1))
        count = len(first) if first.ndim else 1
        return torch.full((count,), torch.nan, dtype=torch.float64, device=first.device)
    right: Tensor = (outputs.argmax(1) == targets).double()
    if complete:
        return right
    return right, (~is_ignored(targets, ignore_index)).double()
