"""The axes of tensors as products and sums of atoms, each of which may be permuted.

An axis of size 6 that was flattened from 2 channels of 3 positions is the product of an atom of
size 2 and one of size 3, the first one outermost; an axis that two tensors were concatenated along
is a sum. `unify` says that two axes are permuted alike, `fix` that one isn't permuted at all. Where
axes don't match, atoms are cut into smaller ones, which leaves fewer permutations, or fixed:
whatever is free in the end is free indeed, though there may be more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias


class Atom:
    """Something of so many units; fixed, the same as another, or made of smaller ones."""

    __slots__ = ("_same", "fixed", "parts", "size")

    def __init__(self, size: int, *, fixed: bool = False) -> None:
        self.size = size
        self.fixed = fixed
        self.parts: Axis | None = None
        self._same: Atom | None = None

    @property
    def root(self) -> Atom:
        """The one that stands for all atoms which are permuted alike."""
        atom = self
        while atom._same is not None:
            atom = atom._same
        return atom

    def join(self, other: Atom) -> None:
        """From now on be permuted like another atom of the same size; neither is in parts."""
        mine, theirs = self.root, other.root
        if mine is not theirs:
            mine._same = theirs
            theirs.fixed |= mine.fixed

    def cut(self, parts: Axis) -> None:
        """From now on consist of parts, whose sizes make up this one's."""
        self.parts = parts
        if self.fixed:
            fix(parts)


Segment: TypeAlias = tuple[Atom, ...]
"""A product of atoms, the outermost first; without any it is of size 1."""
Axis: TypeAlias = tuple[Segment, ...]
"""A sum of segments, one after the other."""


def free(size: int) -> Axis:
    """A new axis that may be permuted any way."""
    return ((Atom(size),),)


def still(size: int) -> Axis:
    """A new axis that isn't permuted."""
    return ((Atom(size, fixed=True),),)


def length(segment: Segment) -> int:
    """How many units a product has."""
    return math.prod(atom.size for atom in segment)


def size(axis: Axis) -> int:
    """How many units an axis has."""
    return sum(length(segment) for segment in axis)


def expand(axis: Axis) -> Axis:
    """The axis in atoms that aren't cut, each the one that stands for all like it."""
    return tuple(found for segment in axis for found in _expand(segment) if length(found))


def _expand(segment: Segment) -> Axis:
    for k, atom in enumerate(segment):
        root = atom.root
        if root.parts is None:
            continue
        rest = segment[k + 1 :]
        if k == 0:
            return expand(tuple((*part, *rest) for part in root.parts))
        parts = expand(root.parts)
        if len(parts) > 1:
            # Interleaved with what is outside of it, a sum is no longer one.
            fix(parts)
            parts = still(root.size)
        return _expand((*segment[:k], *parts[0], *rest))
    return (tuple(atom.root for atom in segment if atom.size != 1),)


def fix(axis: Axis) -> None:
    """Let nothing in an axis be permuted."""
    for segment in axis:
        for atom in segment:
            root = atom.root
            root.fixed = True
            if root.parts is not None:
                fix(root.parts)


def unify(one: Axis, other: Axis) -> None:
    """Let two axes of the same size be permuted alike, unit by unit; of others, neither."""
    left, right = expand(one), expand(other)
    if size(left) != size(right):
        fix(left)
        fix(right)
        return
    while left and right:
        a, b = length(left[0]), length(right[0])
        if a == b:
            _align(left[0], right[0])
            left, right = left[1:], right[1:]
        elif not (_divide(left[0], b) if a > b else _divide(right[0], a)):
            fix(left)
            fix(right)
            return
        left, right = expand(left), expand(right)


def _divide(segment: Segment, first: int) -> bool:
    """Cut a segment into the sum of its first units and the others, if it comes apart there."""
    outermost, inner = segment[0], length(segment[1:])
    if first % inner:
        return False
    units = first // inner
    outermost.cut((*free(units), *free(outermost.size - units)))
    return True


def _align(left: Segment, right: Segment) -> None:
    """Let two products of the same size be permuted alike."""
    while left and right:
        a, b = left[0], right[0]
        if a is b or a.size == b.size:
            a.join(b)
            left, right = left[1:], right[1:]
        elif a.size % b.size == 0:
            a.cut(((Atom(b.size), Atom(a.size // b.size)),))
        elif b.size % a.size == 0:
            b.cut(((Atom(a.size), Atom(b.size // a.size)),))
        else:
            fix((left, right))
            return
        # Atoms further on may be the ones that were cut or joined: these are only products.
        [left], [right] = _expand(left), _expand(right)


def product(axes: Sequence[Axis]) -> Axis:
    """What axes become when they are flattened into one."""
    wide = [axis for axis in axes if size(axis) != 1]
    if not wide:
        return ((),)
    inner: Segment = ()
    for axis in wide[1:]:
        inner += _single(axis)
    return tuple((*segment, *inner) for segment in expand(wide[0]))


def _single(axis: Axis) -> Segment:
    segments = expand(axis)
    if len(segments) == 1:
        return segments[0]
    fix(segments)
    return still(size(axis))[0]


def factors(axis: Axis, sizes: Sequence[int]) -> list[Axis]:
    """What an axis becomes when it is unflattened into several of these sizes."""
    atoms = tuple(Atom(count) for count in sizes)
    unify(axis, (atoms,))
    return [((atom,),) for atom in atoms]


def summands(axis: Axis, sizes: Sequence[int]) -> list[Axis]:
    """What an axis becomes when it is split into several of these sizes."""
    parts = [free(count) for count in sizes]
    unify(axis, concatenated(parts))
    return parts


def concatenated(axes: Iterable[Axis]) -> Axis:
    """What axes become when they are put one after the other."""
    return tuple(segment for axis in axes for segment in axis)
