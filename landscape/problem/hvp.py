"""Gradients and Hessian-vector products of the training loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape.errors import LandscapeError
from landscape.problem.batchnorm import has_statistics, recompute
from landscape.problem.device import resolve
from landscape.problem.evaluate import evaluating
from landscape.problem.losses import per_sample
from landscape.problem.problem import Problem
from landscape.problem.samples import Samples
from landscape.problem.weights import Buffers, load_buffers, tied

Floats = NDArray[np.float64]
BATCH = 512


class Hessian:
    """The Hessian of the mean training loss at weights that can be moved, never built.

    Eval mode, without augmentation or weight decay. BatchNorm's statistics are constants. A
    product is a double backward pass over all samples, batch by batch: about five forward passes,
    and the memory of one batch's graph. Parameters with ``requires_grad=False`` have zeros.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        samples: int | None = None,
        device: str = "auto",
        dtype: torch.dtype | None = None,
        batch_size: int = BATCH,
    ) -> None:
        """Copy the model; ``samples`` takes that many from the front instead of all of them.

        ``dtype`` None is the model's own. Products in float32 are good to about 1e-6 of the top
        eigenvalue; in float64 they are exact for all purposes and, with convolutions on a
        processor, fifty times slower.
        """
        place = resolve(device)
        self.model, self._vector = tied(problem.model, place, dtype)
        self.dtype = self._vector.dtype
        self._parameters = list(self.model.parameters())
        self._trained = [parameter for parameter in self._parameters if parameter.requires_grad]
        self._samples = Samples(problem.train, place)
        self._loss = problem.loss
        self._batch_size = batch_size
        self.samples = min(samples or len(self._samples), len(self._samples))
        self.products = 0
        """How many products were taken so far."""

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        return len(self._vector)

    def move(self, weights: NDArray[np.floating], buffers: Buffers | None = None) -> None:
        """Go to some weights (P,), with their buffers if given."""
        with torch.no_grad():
            self._vector.copy_(torch.from_numpy(np.asarray(weights)))
        load_buffers(self.model, buffers or {})

    def recompute(self) -> None:
        """Estimate BatchNorm's statistics anew at the present weights, where there are any."""
        if has_statistics(self.model):
            recompute(self.model, _Cast(self._samples, self.dtype))  # type: ignore[arg-type]

    def gradient(self) -> tuple[float, Floats]:
        """The mean loss and its gradient (P,)."""
        loss, total = 0.0, torch.zeros_like(self._vector)
        for share in self._shares():
            total += self._flat(torch.autograd.grad(share, self._trained, materialize_grads=True))
            loss += float(share.detach())
        return loss, _floats(total)

    def __matmul__(self, vector: NDArray[np.floating]) -> Floats:
        """The product with a vector (P,).

        Raises:
            LandscapeError: an operation of the model has no second derivative in PyTorch.
        """
        direction = torch.from_numpy(np.asarray(vector, np.float64)).to(self._vector)
        pieces = torch.split(direction, [p.numel() for p in self._parameters])
        parts = [
            piece.view_as(parameter)
            for piece, parameter in zip(pieces, self._parameters, strict=True)
            if parameter.requires_grad
        ]
        total = torch.zeros_like(self._vector)
        for share in self._shares():
            check = self.products == 0
            total += self._flat(_second(share, self._trained, parts, check=check))
        self.products += 1
        return _floats(total)

    def _shares(self) -> Iterator[Tensor]:
        """Each batch's contribution to the mean loss, with its graph."""
        with evaluating(self.model), torch.enable_grad(), _differentiable():
            for inputs, targets in self._samples.batches(self._batch_size, self.samples):
                outputs = self.model(_cast(inputs, self.dtype))
                yield per_sample(self._loss, outputs, targets).sum() / self.samples

    def _flat(self, parts: Sequence[Tensor]) -> Tensor:
        found = iter(parts)
        return torch.cat(
            [
                (next(found) if p.requires_grad else torch.zeros_like(p)).detach().reshape(-1)
                for p in self._parameters
            ]
        )


def _check_graph(slope: Tensor) -> None:
    """Refuse functions marked ``once_differentiable``, whose part PyTorch would leave out."""
    seen, waiting = set(), [slope.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name().endswith("::Error"):
            raise RuntimeError("a function marked once_differentiable has no second derivative")
        waiting += [following for following, _ in node.next_functions]


def _second(
    share: Tensor, trained: Sequence[Tensor], parts: Sequence[Tensor], *, check: bool
) -> Sequence[Tensor]:
    try:
        gradients = torch.autograd.grad(
            share, list(trained), create_graph=True, materialize_grads=True
        )
        products = [(g * part).sum() for g, part in zip(gradients, parts, strict=True)]
        slope = torch.stack(products).sum()
        if not slope.requires_grad:  # the loss is linear in all of the weights
            return [torch.zeros_like(parameter) for parameter in trained]
        if check:
            _check_graph(slope)
        return torch.autograd.grad(slope, list(trained), materialize_grads=True)
    except (RuntimeError, NotImplementedError) as error:
        # PyTorch: "derivative for aten::x is not implemented", "not differentiable twice".
        text = str(error).split("\n")[0]
        if "deriv" not in text and "different" not in text:
            raise
        raise LandscapeError(
            f"curvature needs a model and a loss that can be differentiated twice, got: {text}; "
            "replace that operation, or leave out what needs curvature"
        ) from error


@contextmanager
def _differentiable() -> Iterator[None]:
    # Of the kernels for attention only the plain one has second derivatives.
    with sdpa_kernel(SDPBackend.MATH):
        yield


class _Cast:
    """Samples whose inputs come in a model's dtype."""

    def __init__(self, samples: Samples, dtype: torch.dtype) -> None:
        self._samples, self._dtype = samples, dtype

    def __len__(self) -> int:
        return len(self._samples)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        inputs, targets = self._samples.take(indices)
        return _cast(inputs, self._dtype), targets


def _cast(inputs: Tensor, dtype: torch.dtype) -> Tensor:
    """Inputs in the model's dtype; indices, such as tokens, as they are."""
    return inputs.to(dtype) if inputs.is_floating_point() else inputs


def _floats(vector: Tensor) -> Floats:
    return np.asarray(vector.detach().cpu().numpy(), np.float64)
