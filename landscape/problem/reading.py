"""A Dataset's items: read by a DataLoader's workers, and decoded once where all of them fit memory.

Items are the same each time they are read (`examine` refuses others), so none of this changes a
number; it saves opening files and decoding pictures at every pass.
"""

from __future__ import annotations

import copy
import math
import os
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from landscape import quantities
from landscape.problem import nests
from landscape.problem.blame import blamed

SHARE = 4
"""Items are kept where they take less than the machine's memory divided by this."""
NOTED = 2**26
"""Bytes of items from which on it is said whether they are kept."""


class Decoded(Dataset[Any]):
    """A map-style Dataset that keeps the items it has read, as long as all of them will fit."""

    def __init__(self, items: Any, workers: int = 0) -> None:
        """Read by so many processes where items are asked for in advance."""
        self.items, self.workers = items, workers
        self._kept: dict[int, Any] = {}
        self._bytes: float | None = None

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        """An item; changing it changes nothing here."""
        if index >= len(self):
            raise IndexError(index)  # which ends a loop over the items
        return own(self.item(index))

    def __getstate__(self) -> dict[str, Any]:
        """Without what was read: another process reads for itself, and alone."""
        return {"items": self.items, "workers": 0, "_kept": {}, "_bytes": self._bytes}

    def item(self, index: int) -> Any:
        """An item as it is kept: nobody may change it.

        Raises:
            LandscapeError: reading it fails; it is named.
        """
        if index not in self._kept:
            with blamed(f"item {index}"):
                found = self.items[index]
            self._keep(index, found)
            return found
        return self._kept[index]

    def ahead(self, batches: Sequence[Sequence[int]]) -> Iterator[list[Any]]:
        """The items of some batches, in turn, which workers read before they are asked for.

        Raises:
            LandscapeError: reading one fails; it is named.
        """
        missing = [[index for index in batch if index not in self._kept] for batch in batches]
        wanted = [batch for batch in missing if batch]
        # By the size of one it is known too whether an item can be sent at all.
        if not self.workers or not wanted or self.bytes == math.inf:
            yield from ([self.item(index) for index in batch] for batch in batches)
            return
        loader: DataLoader[Any] = DataLoader(
            self.items,
            batch_sampler=wanted,
            num_workers=self.workers,
            collate_fn=_packed,
            generator=torch.Generator(),  # else it would draw from the training's
        )
        reading = iter(loader)
        for batch, lacking in zip(batches, missing, strict=True):
            read = dict(zip(lacking, self._next(reading, lacking), strict=True)) if lacking else {}
            for index, found in read.items():
                self._keep(index, found)
            yield [read[index] if index in read else self._kept[index] for index in batch]

    def _next(self, reading: Iterator[bytes], lacking: Sequence[int]) -> list[Any]:
        try:
            found: list[Any] = pickle.loads(next(reading))
        except Exception:
            for index in lacking:  # which names the item, if it was one
                self.item(index)
            raise
        return found

    def _keep(self, index: int, found: Any) -> None:
        if self._bytes is None:
            self._bytes = _size(found) * len(self)
        if self.kept:
            self._kept[index] = found

    @property
    def kept(self) -> bool:
        """Whether items are kept: by the size of the first one that is read."""
        return self.bytes < _memory() // SHARE

    @property
    def bytes(self) -> float:
        """What all items take together, about; infinite where one can't be pickled."""
        if self._bytes is None:
            self.item(0)
        assert self._bytes is not None
        return self._bytes

    def note(self, title: str) -> str | None:
        """Whether items are kept, in a sentence; None where they take little."""
        if not NOTED <= self.bytes < math.inf:
            return None
        size = quantities.size(self.bytes)
        if self.kept:
            return f"The {title} data's items, about {size}, are decoded once and kept in memory."
        return (
            f"The {title} data's items, about {size}, are decoded anew at every pass: they would "
            f"take more than a quarter of this machine's memory."
        )


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _size(item: Any) -> float:
    try:
        return len(_packed([item]))
    except Exception:  # whatever somebody's items raise
        return math.inf


def _packed(found: list[Any]) -> bytes:
    """Items as bytes: on their way from a worker tensors would each take an open file."""
    return pickle.dumps([own(item) for item in found])


def own(item: Any) -> Any:
    """A copy of an item; of a view its part alone."""
    return nests.mapped(item, _own)


def _own(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return leaf.detach().clone()
    if isinstance(leaf, (np.ndarray, np.generic)):
        return leaf.copy()
    return copy.deepcopy(leaf)
