"""What views and joints do to permuted inputs: ATen's operations that only move numbers about."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from landscape.diagnose.symmetry.axes import (
    Axis,
    concatenated,
    factors,
    fix,
    free,
    product,
    size,
    still,
    summands,
)
from landscape.diagnose.symmetry.calls import Axes, Call, Unknown, Value, broadcast
from landscape.diagnose.symmetry.rules import Rule


def view(call: Call) -> Value:
    """Any change of shape that keeps the numbers in their order."""
    old = math.prod(size(axis) for axis in call.first)
    if not old or old != math.prod(call.shape):  # empty, or other bits to a number
        raise Unknown
    return reshaped(call.first, call.shape)


def reshaped(axes: Axes, shape: Sequence[int]) -> Axes:
    """The axes of a tensor in another shape, by the smallest groups of axes that correspond."""
    found: list[Axis] = []
    for inner, outer in _groups([size(axis) for axis in axes], shape):
        taken = [axis for axis in axes[inner] if size(axis) > 1]
        wide = [n for n in shape[outer] if n > 1]
        if not wide:
            parts: list[Axis] = []
        elif len(wide) == 1:
            parts = [product(taken)]
        else:
            parts = factors(product(taken), wide)
        rest = iter(parts)
        found += [next(rest) if n > 1 else free(1) for n in shape[outer]]
    return tuple(found)


def _groups(old: Sequence[int], new: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Runs of axes with as many units before as after."""
    i = j = 0
    while i < len(old) or j < len(new):
        first, start = i, j
        before = after = 1
        # At least one of each, as long as there are any.
        if i < len(old):
            before, i = old[i], i + 1
        if j < len(new):
            after, j = new[j], j + 1
        while before != after:
            if before < after:
                before, i = before * old[i], i + 1
            else:
                after, j = after * new[j], j + 1
        yield slice(first, i), slice(start, j)


def permuted(call: Call) -> Value:
    """Dimensions in another order."""
    return tuple(call.first[d] for d in call["dims"])


def transposed(call: Call) -> Value:
    """Two dimensions exchanged."""
    axes = list(call.first)
    if len(axes) > 1:
        one, other = call.given.get("dim0", 0), call.given.get("dim1", 1)
        axes[one], axes[other] = axes[other], axes[one]
    return tuple(axes)


def flipped(call: Call) -> Value:
    """The last two dimensions exchanged."""
    *batch, rows, columns = call.first
    return (*batch, columns, rows)


def moved(call: Call) -> Value:
    """One dimension, or several, put elsewhere."""
    given = (call["source"], call["destination"])
    old, new = ([d] if isinstance(d, int) else list(d) for d in given)
    axes = call.first
    placed = {target % len(axes): axes[source] for source, target in zip(old, new, strict=True)}
    taken = {source % len(axes) for source in old}
    others = (axis for k, axis in enumerate(axes) if k not in taken)
    return tuple(placed[k] if k in placed else next(others) for k in range(len(axes)))


def joined(call: Call) -> Value:
    """Tensors put one after the other along a dimension."""
    tensors = [axes for axes in call.listed("tensors") if len(axes) == len(call.shape)]
    d = call["dim"] % len(call.shape)
    along = concatenated(axes[d] for axes in tensors)
    others = broadcast(
        [(*axes[:d], free(1), *axes[d + 1 :]) for axes in tensors],
        [1 if k == d else n for k, n in enumerate(call.shape)],
    )
    return (*others[:d], along, *others[d + 1 :])


def stacked(call: Call) -> Value:
    """Tensors put side by side along a new dimension."""
    d = call["dim"] % len(call.shape)
    shape = [n for k, n in enumerate(call.shape) if k != d]
    others = broadcast(call.listed("tensors"), shape)
    return (*others[:d], still(call.shape[d]), *others[d:])


def split(call: Call) -> Value:
    """The reverse of joining."""
    axes = call.first
    d = call.given.get("dim", 0) % len(axes)
    parts = summands(axes[d], [shape[d] for shape in call.shapes])
    return [(*axes[:d], part, *axes[d + 1 :]) for part in parts]


def unbound(call: Call) -> Value:
    """Every position along a dimension by itself."""
    axes = call.first
    d = call["dim"] % len(axes)
    fix(axes[d])
    return [(*axes[:d], *axes[d + 1 :]) for _ in range(size(axes[d]))]


def selected(call: Call) -> Value:
    """One position along a dimension."""
    axes = call.first
    d = call["dim"] % len(axes)
    fix(axes[d])
    return (*axes[:d], *axes[d + 1 :])


def sliced(call: Call) -> Value:
    """A stretch of positions along a dimension; every so many of them fixes it."""
    axes = call.first
    d = call["dim"] % len(axes)
    total, kept = size(axes[d]), call.shape[d]
    if kept == total:
        return axes
    if call["step"] != 1:
        fix(axes[d])
        part = still(kept)
    else:
        start = call["start"] or 0
        start = min(max(start + total if start < 0 else start, 0), total)
        part = summands(axes[d], [start, kept, total - start - kept])[1]
    return (*axes[:d], part, *axes[d + 1 :])


def padded(call: Call) -> Value:
    """Numbers put before and after; beside an axis they stay, whatever becomes of it."""
    axes, pads = list(call.first), call["pad"]
    for k in range(len(pads) // 2):
        before, after = pads[2 * k : 2 * k + 2]
        if before == after == 0:
            continue
        if call.given.get("mode", "constant") != "constant" or min(before, after) < 0:
            fix(axes[-1 - k])
            axes[-1 - k] = still(call.shape[-1 - k])
        else:
            axes[-1 - k] = concatenated([still(before), axes[-1 - k], still(after)])
    return tuple(axes)


def repeated(call: Call) -> Value:
    """Whole copies along dimensions; between copies, any order will do."""
    counts = call["repeats"]
    axes = (*(free(1) for _ in range(len(counts) - len(call.first))), *call.first)
    return tuple(product([free(n), axis]) for n, axis in zip(counts, axes, strict=True))


def interleaved(call: Call) -> Value:
    """Every unit so many times in a row."""
    if not isinstance(call["repeats"], int) or call["dim"] is None:
        raise Unknown
    axes = list(call.first)
    axes[call["dim"]] = product([axes[call["dim"]], free(call["repeats"])])
    return tuple(axes)


def mixed(call: Call) -> Value:
    """Channels shuffled between groups: an unflattening, a transposition, a flattening."""
    axes = list(call.first)
    outer, inner = factors(axes[1], [call["groups"], size(axes[1]) // call["groups"]])
    axes[1] = product([inner, outer])
    return tuple(axes)


def unshuffled_pixels(call: Call) -> Value:
    """Channels made into positions, which must stay."""
    axes = call.first
    factor = call["upscale_factor"]
    for axis in axes[-2:]:
        fix(axis)
    kept, *cells = factors(axes[-3], [size(axes[-3]) // factor**2, factor, factor])
    for cell in cells:
        fix(cell)
    return (*axes[:-3], kept, *(still(n) for n in call.shape[-2:]))


VIEWS = "flatten reshape squeeze unflatten unsqueeze view _unsafe_view"
MOVES: Mapping[str, Rule] = {
    **dict.fromkeys(VIEWS.split(), view),
    **dict.fromkeys(("transpose", "swapaxes", "t"), transposed),
    **dict.fromkeys(("cat", "concat"), joined),
    **dict.fromkeys(("split", "split_with_sizes", "chunk"), split),
    **dict.fromkeys(("pad", "constant_pad_nd"), padded),
    **dict.fromkeys(("mT", "adjoint"), flipped),
    "channel_shuffle": mixed,
    "movedim": moved,
    "permute": permuted,
    "pixel_shuffle": unshuffled_pixels,
    "repeat": repeated,
    "repeat_interleave": interleaved,
    "select": selected,
    "slice": sliced,
    "stack": stacked,
    "unbind": unbound,
}
"""By ATen's name, like `rules.RULES`."""
