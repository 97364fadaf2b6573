"""Samples by index, whether they lie in tensors or in a Dataset that doesn't fit memory."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, Subset, default_collate

from landscape.errors import LandscapeError
from landscape.problem import nests
from landscape.problem.blame import blamed
from landscape.problem.reading import Decoded, own

Pair: TypeAlias = tuple[Any, Any]
"""(inputs, targets) of a batch, each a tensor or a nest of them."""
Data: TypeAlias = Any
"""A nest of tensors with equal first dimension, such as (inputs, targets), or a map-style Dataset
of any items."""
Collate: TypeAlias = Callable[[list[Any]], Any]
"""Items to a batch, as a DataLoader's."""

FINGERPRINT_ITEMS = 64


@dataclass(frozen=True)
class Collated:
    """A Dataset with what makes batches of its items."""

    items: Any
    collate: Collate

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


@dataclass(frozen=True)
class Several:
    """Data of several terms by name; as long as the longest, the others begin again."""

    parts: Mapping[str, Any]
    sizes: Mapping[str, int | None]
    """Samples that a batch takes of a part, whatever it takes of others; None: as many as asked."""

    def __len__(self) -> int:
        return max(length(part) for part in self.parts.values())


class Batch(NamedTuple):
    """Some samples together."""

    content: Any
    """(inputs, targets), or whatever nest the data is. Of `Several`: a batch of each part by name,
    or of one of them."""
    size: int
    """B, the samples."""
    number: int = 0
    """Its place among the data's batches."""


class Samples:
    """Uniform access to a problem's data, on one device.

    Tensors are moved to the device once; a Dataset is read item by item and moved batch by batch.
    With ``channels_last``, batches of images (B, C, H, W) come in that memory format, in which
    convolutions run two to three times as fast on a processor. With ``dtype``, inputs that are
    floating-point come in it.
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
        self._nest: Any = self._placed(data) if is_nest(data) else None
        self._data, self._length = data, length(data)
        self._foreseen: Iterator[tuple[list[int], list[Any]]] = iter(())
        self._parts = {
            name: Samples(part, device, channels_last=channels_last, dtype=dtype)
            for name, part in (data.parts.items() if isinstance(data, Several) else ())
        }

    def __len__(self) -> int:
        return self._length

    @property
    def total(self) -> int:
        """How many there are; of `Several` in all parts together."""
        return sum(len(part) for part in self._parts.values()) or len(self)

    @property
    def in_memory(self) -> bool:
        """Whether all samples lie in tensors."""
        return self._nest is not None

    def foresee(self, batches: Sequence[Tensor]) -> None:
        """Say which batches will be taken, in this order, so that workers may read ahead."""
        decoded = decoding(self._data)
        if decoded is not None and decoded.workers:
            asked = [indices.tolist() for indices in batches]
            self._foreseen = zip(asked, decoded.ahead(asked), strict=True)

    def take(self, indices: Tensor) -> Any:
        """The batch of ``indices``, an int64 tensor on the CPU."""
        if self._parts:
            return {
                name: part.batch(self._own(name, indices)) for name, part in self._parts.items()
            }
        if self._nest is None:
            asked = indices.tolist()
            foreseen, found = next(self._foreseen, ([], []))
            if foreseen == asked:
                return self._made(found)
            self._foreseen = iter(())
            return self._made(items(self._data, asked))
        chosen = indices.to(self.device)
        return self._typed(self._formatted(rows(self._nest, chosen)))

    def batch(self, indices: Tensor, number: int = 0) -> Batch:
        """The same with its size."""
        return Batch(self.take(indices), len(indices), number)

    def batches(self, size: int, count: int | None = None) -> Iterator[Any]:
        """All samples, or the first ``count``, in their order, ``size`` at a time."""
        return (batch.content for batch in self.numbered(size, count))

    def numbered(self, size: int, count: int | None = None) -> Iterator[Batch]:
        """The same with their sizes and numbers; of `Several` all of one part, then of the next."""
        for name, part in self._parts.items():
            size_of = self._data.sizes[name]
            most = len(part) if count is None else min(count, len(part))
            for batch in part.numbered(size_of or size, most):
                yield Batch({name: batch}, batch.size, batch.number)
        if self._parts:
            return
        end = len(self) if count is None else count
        places = [range(start, min(start + size, end)) for start in range(0, end, size)]
        if self._nest is None:
            for number, found in enumerate(_ahead(self._data, places)):
                yield Batch(self._made(found), len(found), number)
            return
        for number, place in enumerate(places):
            content = self._typed(rows(self._nest, slice(place.start, place.stop)))
            yield Batch(content, len(place), number)

    def _own(self, name: str, indices: Tensor) -> Tensor:
        """Which of a part's samples go with some of the longest part's."""
        count, size = len(self._parts[name]), self._data.sizes[name]
        if size is None:
            return indices % count
        if size >= count:
            return torch.arange(count)
        # Drawn by the batch, so that whoever takes the same batch again gets the same samples.
        seed = int(indices[0]) * 2**20 + len(indices)
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        return order[:size]

    def _made(self, found: list[Any]) -> Any:
        return self._typed(self._placed(together(self._data, found)))

    def _placed(self, content: Any) -> Any:
        return self._formatted(nests.moved(content, self.device))

    def _formatted(self, content: Any) -> Any:
        if self.channels_last and type(content) is tuple and isinstance(content[0], Tensor):
            return (self._image(content[0]), *content[1:])
        return content

    def _image(self, inputs: Tensor) -> Tensor:
        if self.channels_last and inputs.ndim == 4:
            return inputs.to(memory_format=torch.channels_last)
        return inputs

    def _typed(self, content: Any) -> Any:
        # Batch by batch: all the data in float64 would take twice the memory.
        if (dtype := self.dtype) is None:
            return content
        return with_inputs(content, lambda inputs: nests.cast(inputs, dtype))


def is_nest(data: Data) -> bool:
    """Whether the samples lie in tensors: rows of their first dimension."""
    if isinstance(data, (Dataset, Collated, Several)):
        return False
    whole = isinstance(data, (Tensor, tuple, Mapping)) or dataclasses.is_dataclass(data)
    return whole and not isinstance(data, type)


def of_arrays(data: Data, dtype: torch.dtype) -> Data:
    """Data with NumPy's arrays in a nest as tensors; other data as it is.

    Floats are taken in ``dtype``, the model's, whole numbers as int64, which classes are; bytes,
    which pictures are made of, and yes and no stay.
    """
    if not is_nest(data) or not any(isinstance(leaf, np.ndarray) for _, leaf in nests.leaves(data)):
        return data

    def made(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray) or leaf.dtype.kind not in "biuf":
            return leaf
        kinds = {"b": np.bool_, "i": np.int64, "u": np.uint8 if leaf.itemsize == 1 else np.int64}
        double = np.float64 if dtype == torch.float64 else np.float32
        # A copy: the array may change, or be one that can't be written.
        tensor = torch.from_numpy(leaf.astype(kinds.get(leaf.dtype.kind, double), order="C"))
        return tensor.to(dtype) if leaf.dtype.kind == "f" else tensor

    return nests.mapped(data, made)


def length(data: Data) -> int:
    """How many samples there are."""
    return len(next(nests.tensors(data))) if is_nest(data) else len(data)


def rows(nest: Any, chosen: Tensor | slice) -> Any:
    """The samples of a nest of tensors that are chosen by their places."""
    if isinstance(chosen, slice):
        return nests.mapped(nest, lambda leaf: leaf[chosen])
    return nests.mapped(nest, lambda leaf: leaf.index_select(0, chosen))


def decoding(data: Data) -> Decoded | None:
    """What reads a Dataset's items, where that isn't a list."""
    inner = data.items if isinstance(data, Collated) else data
    return inner if isinstance(inner, Decoded) else None


def decoded(data: Data, workers: int = 0) -> Data:
    """The data with a Dataset's items kept once they were read; lists have theirs already."""
    inner = data.items if isinstance(data, Collated) else data
    if is_nest(data) or isinstance(data, Several) or isinstance(inner, (Decoded, list, tuple)):
        return data
    made = Decoded(inner, workers)
    return Collated(made, data.collate) if isinstance(data, Collated) else made


def unread(data: Data) -> Data:
    """The data with items that are read anew each time."""
    made = decoding(data)
    if made is None:
        return data
    return Collated(made.items, data.collate) if isinstance(data, Collated) else made.items


def _ahead(data: Data, places: Sequence[range]) -> Iterator[list[Any]]:
    made = decoding(data)
    if made is not None:
        return made.ahead(places)
    return (items(data, list(place)) for place in places)


def items(data: Data, indices: list[int]) -> list[Any]:
    """A Dataset's items.

    Raises:
        LandscapeError: reading one fails; it is named.
    """
    inner = data.items if isinstance(data, Collated) else data
    if isinstance(inner, Decoded):
        return [inner.item(index) for index in indices]
    found = []
    for index in indices:
        with blamed(f"item {index}"):
            found.append(inner[index])
    return found


def together(data: Data, found: list[Any]) -> Any:
    """A batch of a Dataset's items: as it is told to, else as PyTorch does.

    Raises:
        LandscapeError: they can't be put together.
    """
    if isinstance(data, Collated):
        if isinstance(data.items, Decoded):  # what is kept there mustn't be changed
            found = [own(item) for item in found]
        with blamed("collate"):
            return data.collate(found)
    with blamed(
        "items, put together by torch's default_collate as there is no collate=,", found[0]
    ):
        if all(_is_simple(item) for item in found):
            parts = zip(*found, strict=True)
            # Numbers become float32 where PyTorch's default would make them float64.
            return tuple(torch.stack([torch.as_tensor(one) for one in part]) for part in parts)
        return default_collate(found)


def _is_simple(item: Any) -> bool:
    kinds = (Tensor, np.ndarray, np.generic, bool, int, float)
    return nests.is_pair(item) and all(isinstance(part, kinds) for part in item)


def with_inputs(content: Any, change: Callable[[Any], Any]) -> Any:
    """A batch with its inputs changed, what the model gets: of a pair the first part, else all."""
    if type(content) in (tuple, list) and len(content) == 2:
        return change(content[0]), content[1]
    return change(content)


def drawn(
    available: int, count: int, generator: torch.Generator, fixed: int | None = None
) -> Tensor:
    """Places (n,) of samples drawn without replacement, in order.

    With ``fixed``, of batches of so many in the data's order: whole ones, at least one, that hold
    about as many samples.
    """
    if fixed is None:
        return torch.randperm(available, generator=generator)[:count].sort().values
    batches = torch.split(torch.arange(available), fixed)
    wanted = max(1, round(count / fixed))
    chosen = torch.randperm(len(batches), generator=generator)[:wanted].sort().values
    return torch.cat([batches[number] for number in chosen.tolist()])


def few(data: Data, chosen: Tensor, device: torch.device | str = "cpu") -> Batch:
    """Some samples on a device, the others left where they are."""
    if decoding(data) is None:
        data, places = subset(data, chosen), torch.arange(len(chosen))
    else:
        places = chosen
    return Batch(Samples(data, device).take(places), len(chosen))


def augmented(
    augment: Callable[[Any, torch.Generator], Any],
    batch: Batch,
    generator: torch.Generator,
    *,
    whole: bool = False,
) -> Batch:
    """The batch as training sees it: the inputs of a pair are changed, or all of it as a whole.

    Raises:
        LandscapeError: the augmentation fails.
    """

    def change(inputs: Any) -> Any:
        with blamed("augment", inputs):
            return augment(inputs, generator)

    content = batch.content
    return batch._replace(content=change(content) if whole else with_inputs(content, change))


def spread(data: Data, count: int = FINGERPRINT_ITEMS) -> list[int]:
    """Places of a few samples, spread over all of them."""
    total = length(data)
    return torch.linspace(0, total - 1, min(count, total)).long().tolist()


def check(data: Data, name: str, *, pairs: bool = True) -> None:
    """Refuse data that no training could use: empty, of unequal length, of another kind.

    With ``pairs``, for a loss: what isn't (inputs, targets).
    """
    if is_nest(data):
        _check_nest(data, name, pairs)
    elif isinstance(data, IterableDataset) or not (
        hasattr(data, "__getitem__") and hasattr(data, "__len__")
    ):
        raise LandscapeError(
            f"{name} data must be tensors or a Dataset with a length and items by index, "
            f"got {type(data).__name__}; a stream can't be measured twice: take list(...) of it"
        )
    if length(data) == 0:
        raise LandscapeError(f"{name} data must hold at least one sample, got 0")
    # Lists have a length and items too, but not these. What collate makes is seen when it is run.
    asked = pairs and not is_nest(data) and not isinstance(data, Collated)
    if asked and not nests.is_pair(item := items(data, [0])[0]):
        remedy = "make pairs with collate=, or give Problem objective= instead of a loss"
        if isinstance(data, list) and len(data) == 2 and len({_count(one) for one in data}) == 1:
            remedy = "inputs and targets are a tuple, (inputs, targets)"
        raise LandscapeError(
            f"{name} data must hold pairs (input, target), got a {type(data).__name__} of "
            f"{_kind(item)}; {remedy}"
        )


def _odd(leaf: Tensor) -> tuple[str, str] | None:
    """Of a tensor whose rows can't be taken: what it is, and what to do."""
    if leaf.is_nested:
        return "a nested one", "give a list of items and collate=, which pads them"
    if leaf.layout != torch.strided:
        return f"a {str(leaf.layout).removeprefix('torch.')} one", "take its .to_dense()"
    if leaf.is_quantized:
        return "a quantized one", "take its .dequantize()"
    if leaf.is_meta:
        return "one on the device meta, without any", "make it on a device that has memory"
    return None


def _check_nest(data: Any, name: str, pairs: bool) -> None:
    named = {"inputs": data[0], "targets": data[1]} if nests.is_pair(data) else data
    leaves = list(nests.leaves(named))
    if pairs and not nests.is_pair(data):
        raise LandscapeError(
            f"{name} data must be a pair (inputs, targets), got a {_kind(data)}; "
            "make it one, or give Problem objective= instead of a loss"
        )
    others = [(path, leaf) for path, leaf in leaves if not isinstance(leaf, Tensor)]
    if others or not leaves:
        got = f"{_named(others[0][1])} at {others[0][0]}" if others else "none"
        raise LandscapeError(
            f"{name} data must be tensors or a Dataset (a list of items is one), got {got}"
        )
    for path, leaf in leaves:
        if odd := _odd(leaf):
            raise LandscapeError(
                f"{name} data must be dense tensors that hold values, got {odd[0]} at {path}; "
                f"{odd[1]}"
            )
    if any(leaf.ndim == 0 for _, leaf in leaves):
        raise LandscapeError(f"{name} data must have a first dimension of samples")
    counts = {path: len(leaf) for path, leaf in leaves}
    if len(set(counts.values())) > 1:
        got = ", ".join(f"{count} in {path}" for path, count in counts.items())
        hint = ""
        if any(
            leaf.dtype == torch.int64 and leaf.ndim == 2 and 2 in leaf.shape for _, leaf in leaves
        ):
            hint = "; a graph with its edges is one sample: data of length 1 and objective="
        raise LandscapeError(f"{name} data must be tensors of equal length, got {got}{hint}")


def _count(item: object) -> int | None:
    return len(item) if isinstance(item, (Tensor, np.ndarray)) and item.ndim else None


def _named(leaf: Any) -> str:
    is_array = isinstance(leaf, np.ndarray)
    return f"an array of {leaf.dtype}" if is_array else type(leaf).__name__


def _kind(item: object) -> str:
    many = isinstance(item, (tuple, list))
    return f"{type(item).__name__} of {len(item)}" if many else type(item).__name__  # type: ignore[arg-type]


def subset(data: Data, indices: Tensor) -> Data:
    """The samples at ``indices``, in their order.

    Raises:
        LandscapeError: the data is that of several terms.
    """
    if isinstance(data, Several):
        raise LandscapeError(
            "the terms of a sum are measured on all of their samples, a part was asked for; "
            "give the terms less data"
        )
    if is_nest(data):
        return rows(data, indices)
    made = decoding(data)
    plain = unread(data)
    if isinstance(plain, Collated):
        plain = Collated(Subset(plain.items, indices.tolist()), plain.collate)
    else:
        plain = Subset(plain, indices.tolist())
    return plain if made is None else decoded(plain, made.workers)


def fingerprint(data: Data) -> str:
    """SHA-256 of all tensors; of a Dataset's length and 64 items spread over it.

    Raises:
        LandscapeError: an item holds something that isn't told apart by its text.
    """
    if isinstance(data, Several):
        parts = sorted((name, fingerprint(part)) for name, part in data.parts.items())
        return hashlib.sha256(repr(parts).encode()).hexdigest()
    digest = hashlib.sha256(str(length(data)).encode())
    parts = [data] if is_nest(data) else items(data, spread(data))
    for part in parts:
        if nests.is_pair(part) and all(_is_simple((one, 0)) for one in part):
            for one in part:  # as ever
                _add(digest, torch.as_tensor(one))
            continue
        for path, leaf in sorted(nests.leaves(part), key=lambda found: found[0]):
            digest.update(path.encode())
            _add(digest, leaf)
    return digest.hexdigest()


def _add(digest: Any, leaf: Any) -> None:
    if hasattr(leaf, "__array_interface__") and not isinstance(leaf, np.ndarray):
        leaf = np.asarray(leaf)  # a picture
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "biufc":
        leaf = torch.as_tensor(leaf)
    if not isinstance(leaf, Tensor):
        text = repr(leaf)
        if " at 0x" in text:
            raise LandscapeError(
                "data must be told apart by tensors, arrays, numbers or text, "
                f"got {type(leaf).__name__}; give items that hold these, and make the rest in "
                "collate="
            )
        digest.update(text.encode())
        return
    plain = leaf.detach().cpu()
    if plain.layout != torch.strided:
        plain = plain.to_dense()
    # A copy: of a single element contiguous() leaves the stride as it is.
    plain = torch.empty(plain.shape, dtype=plain.dtype).copy_(plain)
    digest.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
    digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
