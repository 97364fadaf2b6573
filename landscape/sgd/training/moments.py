"""What an optimizer keeps of each tensor, as vectors like the weights, without a copy of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.problem.weights import reals
from landscape.sgd.training.state import to_array
from landscape.store.stream import PIECE, InPieces
from landscape.store.trajectories.trajectory import OPTIMIZER

OTHERS = f"{OPTIMIZER}/"
"""In files the state of any optimizer but SGD is named so, then as torch's class names it."""


@dataclass(frozen=True)
class PiecedVector:
    """A vector (P,) that lies in pieces, one a tensor, live; zero in between.

    A slice of it is a tensor of its own, as things are then.
    """

    values: Sequence[Tensor | None]
    """Of a tensor that no step has moved yet, None."""
    places: Sequence[slice]
    size: int
    like: Tensor
    """Of what type and where the vector is."""
    ndim = 1

    def __getitem__(self, place: slice) -> Tensor:
        """These entries, without a copy of the others."""
        start, stop, _ = place.indices(self.size)
        found = self.like.new_zeros(stop - start)
        for value, own in zip(self.values, self.places, strict=True):
            first, last = max(start, own.start), min(stop, own.stop)
            if value is not None and first < last:
                part = reals(value)[first - own.start : last - own.start]
                found[first - start : last - start] = part.to(found)
        return found


class FlatMoments(Mapping[str, Tensor]):
    """Vectors by name that are put together one at a time, when they are asked for."""

    def __init__(self, live: Mapping[str, PiecedVector | Tensor]) -> None:
        self.live = live
        """The vectors in their pieces, and numbers."""

    def __getitem__(self, name: str) -> Tensor:
        """A copy, as things are now."""
        found = self.live[name]
        return found.clone() if isinstance(found, Tensor) else found[:]

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self.live)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.live)

    def as_velocity(self) -> FlatMoments:
        """Of SGD in torch: its momentum alone, as files name it."""
        found = self.live.get(f"{OTHERS}momentum_buffer")
        return FlatMoments({} if found is None else {"velocity": found})


def live(moments: Mapping[str, Tensor], name: str) -> PiecedVector | Tensor:
    """What can be sliced without a copy of all of it; or a number, of no dimension."""
    return moments.live[name] if isinstance(moments, FlatMoments) else moments[name]


class LiveArray(InPieces):
    """A vector as `to_array` would make it, read while it is written somewhere."""

    def __init__(self, vector: PiecedVector) -> None:
        self._vector = vector
        one = to_array(vector[:1])  # of a type that NumPy hasn't, its bytes
        super().__init__(vector.size * len(one), one.dtype)

    def pieces(self) -> Iterator[NDArray[Any]]:
        """Its numbers in order, some at a time, as they are now."""
        for start in range(0, self._vector.size, PIECE):
            yield to_array(self._vector[start : start + PIECE], copy=False)


def live_array(moments: Mapping[str, Tensor], name: str) -> NDArray[Any]:
    """As an array, not copied: it holds until the optimizer's next step."""
    found = live(moments, name)
    if isinstance(found, PiecedVector):
        return cast(NDArray[Any], LiveArray(found))
    return to_array(found, copy=False)


def flat_moments(
    states: Sequence[Mapping[str, Any]], places: Sequence[slice], size: int, like: Tensor
) -> FlatMoments:
    """The states of an optimizer's tensors as vectors (P,), P = ``size``, zero in between.

    Their type and device are those of ``like``. A tensor that no step has moved yet counts as
    zero. What isn't as long as its tensor is kept where it is a number that is the same for all
    (``step``), and left out otherwise.
    """
    found: dict[str, PiecedVector | Tensor] = {}
    for name in dict.fromkeys(name for state in states for name in state):
        values = [_tensor(state.get(name)) for state in states]
        there = [value for value in values if isinstance(value, Tensor)]
        if not there:
            continue
        sizes = [place.stop - place.start for place in places]
        if all(v is None or _fits(v, n) for v, n in zip(values, sizes, strict=True)):
            found[f"{OTHERS}{name}"] = PiecedVector(values, places, size, like)
        elif all(value.numel() == 1 for value in there):
            first = there[0].detach().reshape(())
            if all(torch.equal(value.detach().reshape(()), first) for value in there):
                found[f"{OTHERS}{name}"] = first
    return FlatMoments(found)


def _tensor(value: Any) -> Any:
    # Some count their steps in a plain number.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return torch.tensor(float(value)) if is_number else value


def _fits(value: Any, size: int) -> bool:
    # A counter of one tensor with a single number would look like a moment of it.
    return isinstance(value, Tensor) and value.ndim > 0 and reals(value).numel() == size
