"""Gradients and Hessian-vector products of the training loss, over all of its samples or some."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from landscape.curvature import MEMORY
from landscape.curvature.krylov import Products
from landscape.curvature.weight_norm import make_twice_differentiable
from landscape.errors import LandscapeError
from landscape.problem import tuning
from landscape.problem.batchnorm import has_statistics, normalize_by_batch, recompute
from landscape.problem.device import resolve
from landscape.problem.examine import objective
from landscape.problem.modes import evaluating
from landscape.problem.objective import LOSS
from landscape.problem.problem import Problem
from landscape.problem.samples import Batch, Samples, drawn, length
from landscape.problem.weights import Buffers, Layout, Parameter, load_buffers, reals, tied
from landscape.store.scans.records import Floats

BATCH = 512
OF_VECTORS = 4
"""A share of one over so many of it is for an iteration's vectors."""
SAMPLES = 2048
"""Training samples behind `sampled`, unless told otherwise: what curvature costs is its samples."""
BLOCK = 2**18
"""So many numbers are made float64 at a time."""
LARGE = 2**22
"""Weights from which on vectors of them count: what a gradient leaves in pieces goes back."""
Slopes = Sequence[GradientEdge | None]
"""The gradient by each tensor as a place in its graph, which doesn't keep the numbers there; None
where it depends on no weight."""


class Hessian:
    """The Hessian of the mean training loss at weights that can be moved, never built.

    Eval mode, without augmentation or weight decay. BatchNorm's statistics are constants. A
    product is a double backward pass over all samples, batch by batch: about five forward passes,
    and the memory of one batch's graph; a batch is made smaller where ``memory`` has less.
    From the second product at the same weights on it is three, where the graphs of all samples
    take no more: they are kept until the next move.
    Tensors that directions don't move (``Layout.moving``) have zeros.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        samples: int | None = None,
        device: str = "auto",
        dtype: torch.dtype | None = None,
        batch_size: int = BATCH,
        batch_statistics: bool = False,
        memory: int = MEMORY,
    ) -> None:
        """Copy the model; ``samples`` takes that many from the front instead of all of them.

        ``memory`` is what graphs and, a quarter of it, an iteration's vectors may take, in bytes,
        as far as that is known before.

        With ``batch_statistics`` BatchNorm normalizes by the batch, as in training, and the
        derivatives go through its mean and variance.

        ``dtype`` None is the model's own. Products in float32 are good to about 1e-6 of the top
        eigenvalue; in float64 they are exact for all purposes and, with convolutions on a
        processor, fifty times slower.
        """
        tuning.tune()
        place = resolve(device)
        self._tied = tied(problem.model, place, dtype, layout=problem.layout)
        self.model, self._vector = self._tied.model, self._tied.vector
        make_twice_differentiable(self.model)
        # Of a model of several types the inputs' is the user's choice.
        inputs = None if dtype is None and self._tied.apart else self._vector.dtype
        moving = zip(self._tied.layout.parameters, self._tied.parameters, strict=True)
        # Those that are trained later too; their copies are this object's own.
        self._trained = [tensor.requires_grad_() for place, tensor in moving if place.moves]
        self._moves = _moves(self._tied.layout)
        self._samples = Samples(problem.train, place, dtype=inputs)
        self._objective = objective(problem)
        self._batch_size = self._objective.size(batch_size)
        self._by_batch = batch_statistics
        self.memory = memory
        self._selected: Tensor | None = None
        self._kept: list[Slopes] = []
        self._here = 0
        self._counts: Mapping[str, float] | None = None
        self.samples = min(samples or len(self._samples), len(self._samples))
        self.products = 0
        """How many products were taken so far."""

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        return len(self._vector)

    @property
    def of_vectors(self) -> int:
        """Bytes that an iteration's vectors may take in memory."""
        return self.memory // OF_VECTORS

    @property
    def _of_graphs(self) -> int:
        """What a batch's graph may take, and those that are kept together: the other bytes.

        A batch's gradient leaves room in pieces between them, as much as it takes itself.
        """
        rest = self.memory - self.of_vectors
        return max(rest - self._vector.nbytes, rest // 3)

    @property
    def block(self) -> Products:
        """The Hessian of the entries that move, (M, M): itself where all do."""
        return self if self._moves is None else HessianBlock(self, self._moves)

    @property
    def tensors(self) -> tuple[TensorBlock, ...]:
        """The diagonal block of each tensor that moves, in the layout's order."""
        moving = (place for place in self._tied.layout.parameters if place.moves)
        return tuple(TensorBlock(self, number, place) for number, place in enumerate(moving))

    def embedded(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """Vectors (..., M) of the `block`'s as (..., P), zero where nothing moves."""
        if self._moves is None:
            return vectors
        found = np.zeros((*vectors.shape[:-1], self.size), vectors.dtype)
        found[..., self._moves] = vectors
        return found

    def move(self, weights: NDArray[np.floating], buffers: Buffers | None = None) -> None:
        """Go to some weights (P,), with their buffers if given."""
        self._tied.move(weights)
        load_buffers(self.model, buffers or {})
        self._forget()

    def select(self, indices: Tensor) -> None:
        """From now on take the mean over these training samples, by their indices (n,).

        A loss of whole batches is taken over batches of these, in their order.
        """
        self._selected = indices
        self.samples = len(indices)
        self._counts = None
        self._forget()

    def recompute(self) -> None:
        """Estimate BatchNorm's statistics anew at the present weights, where there are any."""
        if has_statistics(self.model):
            recompute(self.model, self._samples, self._objective)
            self._forget()

    def loss(self) -> float:
        """The mean loss."""
        return sum(float(share.detach()) for share in self._shares())

    def gradient(self) -> tuple[float, Floats]:
        """The mean loss and its gradient (P,)."""
        loss, total = 0.0, _Total(self._vector)
        for share in self._shares():
            slope = torch.autograd.grad(share, self._trained, materialize_grads=True)
            self._add(total.sum, slope)
            loss += float(share.detach())
            del slope
        return loss, self._finished(total)

    def __matmul__(self, vector: NDArray[np.floating]) -> Floats:
        """The product with a vector (P,).

        Raises:
            LandscapeError: an operation of the model has no second derivative in PyTorch.
        """
        return self._product(vector, slice(None))

    def _product(self, vector: NDArray[np.floating], chosen: slice) -> Floats:
        """The product of the chosen moving tensors' block with a vector (P,), zero elsewhere."""
        direction = torch.from_numpy(np.asarray(vector)).to(self._vector)
        pieces = zip(self._tied.layout.parameters, self._tied.split(direction), strict=True)
        parts = [piece for place, piece in pieces if place.moves][chosen]
        total = _Total(self._vector)
        for slopes in self._slopes():
            check, again = self.products == 0, bool(self._kept)
            within = self._trained[chosen]
            self._add(
                total.sum, _second(slopes[chosen], within, parts, check=check, again=again), chosen
            )
        self.products += 1
        self._here += 1
        return self._finished(total)

    def _finished(self, total: _Total) -> Floats:
        """A sum, which takes twice the memory from now on: what else is free is given back."""
        if len(self._vector) >= LARGE:
            tuning.hand_back()
        return total.floats()

    def _add(self, total: Tensor, parts: Sequence[Tensor], chosen: slice = slice(None)) -> None:
        """Add tensors of the chosen moving ones to their places in a vector (P,)."""
        for place, part in zip(self._tied.layout.moving[chosen], parts, strict=True):
            total[place.slice] += reals(part).to(total.dtype)

    def _forget(self) -> None:
        self._kept, self._here = [], 0

    def _slopes(self) -> Iterator[Slopes]:
        """Each batch's gradient, in its graph."""
        size = self._size
        if self._here == 1 and self._graph_bytes(size) <= self._of_graphs:
            self._kept = [_first(share, self._trained) for share in self._shares(size)]
        if self._kept:
            yield from self._kept
        else:
            yield from (_first(share, self._trained) for share in self._shares(size))

    @property
    def _size(self) -> int:
        """Samples in a batch: no more than there is memory for the graph of."""
        if self._by_batch or self._objective.fixed is not None:
            return self._batch_size  # its samples belong together
        size = min(self._batch_size, self.samples)
        while size > 1 and self._graph_bytes(size, size) > self._of_graphs:
            size = (size + 1) // 2
        return self._batch_size if size == self.samples else size

    def _graph_bytes(self, size: int, samples: int | None = None) -> float:
        """About what the graphs of samples in batches take, from those of two and of four."""
        if self.samples < 4:
            return 0.0
        two, four = self._few
        # What doesn't grow with the samples is there once a batch.
        count = samples or self.samples
        return count * (four - two) / 2 + math.ceil(count / size) * two

    @cached_property
    def _few(self) -> tuple[int, int]:
        """Bytes that two samples' graph takes while it is made, and four samples'.

        With half as much again for going back through it, as measured on transformers. The gradient
        is none of it: it isn't kept.
        """
        self._all_counts()  # which look at all samples, once
        gradient = sum(tensor.nbytes for tensor in self._trained)
        sizes: list[int] = []
        for count in (2, 4):
            with _Allocations() as spent:
                shares = self._shares(min(count, self._batch_size))
                _first(next(shares), self._trained)
                shares.close()
            sizes.append(max(0, 3 * (spent.bytes - gradient) // 2))
        return sizes[0], sizes[1]

    def _shares(self, size: int | None = None) -> Generator[Tensor]:
        """Each batch's contribution to the mean loss, with its graph."""
        counts = self._all_counts()
        with evaluating(self.model), torch.enable_grad(), _differentiable():
            if self._by_batch:
                normalize_by_batch(self.model)
            for batch in self._batches(size or self._batch_size):
                yield self._objective.share(self.model, batch, counts)

    def _all_counts(self) -> Mapping[str, float]:
        """What all samples count together: the mean loss is a sum of losses over it."""
        if self._counts is None:
            how = self._objective
            if how.counts_all:
                return {LOSS: self.samples}
            with how.measuring(self.model):
                self._counts = how.counted(self.model, self._batches(self._batch_size))
        return self._counts

    def _batches(self, size: int) -> Iterator[Batch]:
        if self._selected is None:
            yield from self._samples.numbered(size, self.samples)
        else:
            for number, indices in enumerate(torch.split(self._selected, size)):
                yield self._samples.batch(indices, number)


class HessianBlock:
    """The rows and columns of a Hessian that belong to the entries that move."""

    def __init__(self, hessian: Hessian, moves: NDArray[np.bool_]) -> None:
        self._hessian, self._moves = hessian, moves
        self.size = int(moves.sum())
        """M, how many they are."""

    def __matmul__(self, vector: NDArray[np.floating]) -> Floats:
        """The product with a vector (M,)."""
        return (self._hessian @ self._hessian.embedded(np.asarray(vector)))[self._moves]


class TensorBlock:
    """The rows and columns of a Hessian that belong to one tensor.

    A product costs less than one with the whole: only this tensor's gradient is differentiated.
    """

    def __init__(self, hessian: Hessian, number: int, place: Parameter) -> None:
        self._hessian, self._number = hessian, number
        self.name, self.slice, self.size = place.name, place.slice, place.size

    def __matmul__(self, vector: NDArray[np.floating]) -> Floats:
        """The product with a vector of the tensor's numbers."""
        whole = np.zeros(self._hessian.size)
        whole[self.slice] = vector
        only = slice(self._number, self._number + 1)
        return self._hessian._product(whole, only)[self.slice]


def _moves(layout: Layout) -> NDArray[np.bool_] | None:
    if len(layout.moving) == len(layout.parameters):
        return None
    return np.concatenate([np.full(place.size, place.moves) for place in layout.parameters])


def sampled(
    problem: Problem,
    samples: int | None = SAMPLES,
    *,
    seed: int = 0,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    memory: int = MEMORY,
) -> Hessian:
    """The Hessian over some training samples, drawn by ``seed``; None: over all of them.

    ``memory`` is as for `Hessian`.

    Raises:
        LandscapeError: fewer than one sample.
    """
    total = length(problem.train)
    if samples is not None and samples < 1:
        raise LandscapeError(f"samples must be at least 1, got {samples}")
    hessian = Hessian(problem, device=device, dtype=dtype, memory=memory)
    if samples is not None and samples < total:
        generator = torch.Generator().manual_seed(seed)
        fixed = objective(problem).fixed
        hessian.select(drawn(total, samples, generator, fixed))
    return hessian


class _Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of everything that is computed: more than a graph of it keeps."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # the only use of torch._dynamo, whose import takes two seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        outputs = func(*args, **(kwargs or {}))
        if any(one.alias_info is not None for one in func._schema.returns):
            return outputs  # views, and what is computed in place
        for output in outputs if isinstance(outputs, (tuple, list)) else (outputs,):
            if isinstance(output, Tensor):
                self.bytes += _bytes(output)
        return outputs


def _bytes(tensor: Tensor) -> int:
    if tensor.layout is torch.strided:
        return tensor.nbytes
    return tensor._nnz() * (tensor.element_size() + 8 * tensor.dim())  # sparse: values, places


def _first(share: Tensor, trained: Sequence[Tensor]) -> Slopes:
    with _explained():
        found = torch.autograd.grad(share, list(trained), create_graph=True, materialize_grads=True)
    return [get_gradient_edge(slope) if slope.grad_fn else None for slope in found]


def _second(
    slopes: Slopes,
    trained: Sequence[Tensor],
    parts: Sequence[Tensor],
    *,
    check: bool,
    again: bool,
) -> Sequence[Tensor]:
    curved = [(slope, part) for slope, part in zip(slopes, parts, strict=True) if slope]
    if not curved:
        return [torch.zeros_like(parameter) for parameter in trained]
    with _explained():
        if check:
            _check_graph([slope for slope, _ in curved])
        return torch.autograd.grad(
            [slope for slope, _ in curved],
            list(trained),
            [part for _, part in curved],
            retain_graph=again,
            materialize_grads=True,
        )


def _check_graph(slopes: Sequence[GradientEdge]) -> None:
    """Refuse functions marked ``once_differentiable``, whose part PyTorch would leave out."""
    seen: set[Any] = set()
    waiting: list[Any] = [slope.node for slope in slopes]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name().endswith("::Error"):
            raise RuntimeError("a function marked once_differentiable has no second derivative")
        waiting += [following for following, _ in node.next_functions]


@contextmanager
def _explained() -> Iterator[None]:
    """Tell a user that the model or its loss has no second derivative."""
    try:
        yield
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


class _Total:
    """A sum (P,) in the model's own type, which is float64 in the end, in the same memory."""

    def __init__(self, like: Tensor) -> None:
        self.sum: Tensor
        self._room: Floats | None = None
        if like.device.type == "cpu" and like.dtype == torch.float32:
            self._room = np.empty(len(like))
            # Its later half: the earlier one is touched by `floats` alone.
            self.sum = torch.from_numpy(self._room.view(np.float32)[len(like) :]).zero_()
        else:
            self.sum = torch.zeros_like(like)

    def floats(self) -> Floats:
        """The sum in float64, when nothing is added any more."""
        if self._room is None:
            return self.sum.detach().cpu().double().numpy()  # NumPy has no bfloat16
        narrow = self._room.view(np.float32)[len(self._room) :]
        for start in range(0, len(narrow), BLOCK):
            # What is overwritten begins before what is still to be read.
            self._room[start : start + BLOCK] = narrow[start : start + BLOCK].copy()
        return self._room
