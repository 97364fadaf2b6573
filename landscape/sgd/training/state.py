"""The state of a training: everything that its next step depends on."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.errors import LandscapeError


@dataclass(frozen=True)
class TrainingState:
    """Arrays and JSON; what resume.h5 holds."""

    step: int
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays whose names begin with ``prefix/``, without it."""
        start = f"{prefix}/"
        return {
            name.removeprefix(start): value
            for name, value in self.arrays.items()
            if name.startswith(start)
        }


def to_array(tensor: Tensor, *, copy: bool = True) -> NDArray[Any]:
    """A copy as a NumPy array; of a type that NumPy hasn't (bfloat16), its bytes.

    ``copy=False`` gives the tensor's own memory where it can be had.
    """
    plain = tensor.detach().cpu().contiguous()
    try:
        found: NDArray[Any] = plain.numpy()
    except TypeError:
        found = plain.reshape(-1).view(torch.uint8).numpy()
    return np.array(found) if copy else found


def to_tensor(array: NDArray[Any], dtype: torch.dtype) -> Tensor:
    """What `to_array` made it of, but for the shape where only its bytes were kept."""
    found = torch.from_numpy(np.array(array))
    if found.dtype == torch.uint8 and dtype != torch.uint8:
        found = found.view(dtype)
    return found


def from_array(into: Tensor, array: NDArray[Any]) -> None:
    """Write back what `to_array` made, in place.

    Raises:
        LandscapeError: it has another shape.
    """
    found = to_tensor(array, into.dtype)
    if array.dtype == np.uint8 and found.dtype != torch.uint8:
        found = found.reshape(into.shape)
    if found.shape != into.shape or found.dtype != into.dtype:
        raise LandscapeError(
            f"resume.h5 must fit the model, got {found.dtype} {tuple(found.shape)} "
            f"instead of {into.dtype} {tuple(into.shape)}"
        )
    with torch.no_grad():
        into.copy_(found)


def random_state() -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The global generators of torch, NumPy and Python, as arrays and JSON."""
    arrays: dict[str, NDArray[Any]] = {"torch": to_array(torch.get_rng_state())}
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        for device, state in enumerate(torch.cuda.get_rng_state_all()):
            arrays[f"cuda{device}"] = to_array(state)
    if torch.backends.mps.is_available():
        arrays["mps"] = to_array(torch.mps.get_rng_state())
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    arrays["numpy"] = np.array(keys)
    version, words, following = random.getstate()
    arrays["python"] = np.array(words, np.uint64)
    numpy_info = [str(kind), int(position), int(has_gauss), float(gauss)]
    return arrays, {"numpy": numpy_info, "python": [version, following]}


def set_random_state(arrays: Mapping[str, NDArray[Any]], info: Mapping[str, Any]) -> None:
    """Put the generators where `random_state` found them."""
    torch.set_rng_state(torch.from_numpy(np.array(arrays["torch"])))
    for name, value in arrays.items():
        if name.startswith("cuda"):
            device = int(name.removeprefix("cuda"))
            torch.cuda.set_rng_state(torch.from_numpy(np.array(value)), device)
    if "mps" in arrays:
        torch.mps.set_rng_state(torch.from_numpy(np.array(arrays["mps"])))
    kind, position, has_gauss, gauss = info["numpy"]
    np.random.set_state((kind, arrays["numpy"], position, has_gauss, gauss))
    version, following = info["python"]
    random.setstate((version, tuple(map(int, arrays["python"])), following))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Leave the global generators as they were: what is recorded doesn't change the training."""
    arrays, info = random_state()
    try:
        yield
    finally:
        set_random_state(arrays, info)
