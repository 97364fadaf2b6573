"""Samples by index, whether they lie in two tensors or in a Dataset that doesn't fit memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils.data import Dataset

from landscape.errors import LandscapeError

Pair: TypeAlias = tuple[Tensor, Tensor]
Data: TypeAlias = Pair | Dataset[Any]
"""Inputs and targets of equal first dimension, or a Dataset of (input, target) pairs."""

FINGERPRINT_ITEMS = 64


class Samples:
    """Uniform access to a problem's data, on one device.

    Two tensors are moved to the device once; a Dataset is read item by item and moved batch by
    batch. With ``channels_last``, batches of images (B, C, H, W) come in that memory format, in
    which convolutions run two to three times as fast on a processor. With ``dtype``, inputs that
    are floating-point come in it.
    """

    def __init__(
        self,
        data: Data,
        device: torch.device | str = "cpu",
        *,
        channels_last: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype
        self.channels_last = channels_last
        if isinstance(data, tuple):
            self._tensors: Pair | None = (self._placed(data[0]), data[1].to(self.device))
        else:
            self._tensors = None
        self._data = data

    def __len__(self) -> int:
        return length(self._data)

    @property
    def in_memory(self) -> bool:
        """Whether all samples lie in two tensors."""
        return self._tensors is not None

    def take(self, indices: Tensor) -> Pair:
        """Inputs and targets at ``indices``, an int64 tensor on the CPU."""
        if self._tensors is not None:
            chosen = indices.to(self.device)
            inputs, targets = self._tensors
            return self._typed(self._placed(inputs[chosen])), targets[chosen]
        return self._read(indices.tolist())

    def batches(self, size: int, count: int | None = None) -> Iterator[Pair]:
        """All samples, or the first ``count``, in their order, ``size`` at a time."""
        end = len(self) if count is None else count
        for start in range(0, end, size):
            stop = min(start + size, end)
            if self._tensors is not None:
                inputs, targets = self._tensors
                yield self._typed(inputs[start:stop]), targets[start:stop]
            else:
                yield self._read(list(range(start, stop)))

    def _read(self, indices: list[int]) -> Pair:
        assert not isinstance(self._data, tuple)
        items = [self._data[index] for index in indices]
        inputs = torch.stack([torch.as_tensor(item[0]) for item in items])
        targets = torch.stack([torch.as_tensor(item[1]) for item in items])
        return self._typed(self._placed(inputs)), targets.to(self.device)

    def _placed(self, inputs: Tensor) -> Tensor:
        if self.channels_last and inputs.ndim == 4:
            return inputs.to(self.device, memory_format=torch.channels_last)
        return inputs.to(self.device)

    def _typed(self, inputs: Tensor) -> Tensor:
        # Batch by batch: all the data in float64 would take twice the memory.
        if self.dtype is not None and inputs.is_floating_point():
            return inputs.to(self.dtype)
        return inputs


def length(data: Data) -> int:
    """How many samples there are."""
    if isinstance(data, tuple):
        return len(data[0])
    return len(data)  # type: ignore[arg-type]  # Dataset declares no __len__; `check` asked for one


def check(data: Data, name: str) -> None:
    """Refuse data that no training could use: empty, of unequal length, of another kind."""
    if isinstance(data, tuple):
        if len(data) != 2 or not all(isinstance(part, Tensor) for part in data):
            raise LandscapeError(
                f"{name} data must be a pair of tensors (inputs, targets) or a Dataset"
            )
        inputs, targets = data
        if inputs.ndim == 0 or targets.ndim == 0:
            raise LandscapeError(
                f"{name} inputs and targets must have a first dimension of samples"
            )
        if len(inputs) != len(targets):
            raise LandscapeError(
                f"{name} inputs and targets must be of equal length, "
                f"got {len(inputs)} inputs and {len(targets)} targets"
            )
    elif not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        raise LandscapeError(
            f"{name} data must be a pair of tensors or a Dataset with a length and items by index, "
            f"got {type(data).__name__}"
        )
    if length(data) == 0:
        raise LandscapeError(f"{name} data must hold at least one sample, got 0")
    # Lists and tensors have a length and items too, but not these.
    if not isinstance(data, tuple) and not _is_pair(item := data[0]):
        raise LandscapeError(
            f"{name} data must hold pairs (input, target), "
            f"got a {type(data).__name__} of {type(item).__name__}"
        )


def _is_pair(item: object) -> bool:
    return isinstance(item, (tuple, list)) and len(item) == 2


def subset(data: Data, indices: Tensor) -> Data:
    """The samples at ``indices``, in their order."""
    if isinstance(data, tuple):
        return data[0][indices], data[1][indices]
    return torch.utils.data.Subset(data, indices.tolist())


def fingerprint(data: Data) -> str:
    """SHA-256 of all of two tensors; of a Dataset's length and 64 items spread over it."""
    digest = hashlib.sha256(str(length(data)).encode())
    if isinstance(data, tuple):
        parts = list(data)
    else:
        spread = torch.linspace(0, length(data) - 1, min(FINGERPRINT_ITEMS, length(data))).long()
        parts = [torch.as_tensor(part) for index in spread.tolist() for part in data[index]]
    for part in parts:
        plain = part.detach().cpu().contiguous()
        digest.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
