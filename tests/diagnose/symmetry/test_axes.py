from __future__ import annotations

import itertools

import numpy as np
import pytest

from landscape.diagnose.symmetry.axes import (
    Atom,
    Axis,
    concatenated,
    expand,
    factors,
    fix,
    free,
    product,
    size,
    still,
    summands,
    unify,
)


def sizes(axis: Axis) -> list[list[int]]:
    """Atoms by segment, those that are fixed negative."""
    return [[-a.size if a.fixed else a.size for a in segment] for segment in expand(axis)]


def test_axes_that_are_unified_share_an_atom():
    a, b, c = free(4), free(4), free(4)
    unify(a, b)
    unify(c, b)
    assert expand(a) == expand(b) == expand(c)
    fix(c)
    assert sizes(a) == [[-4]]


def test_a_flattened_axis_cuts_the_atom_that_it_meets():
    channels, columns = free(3), free(12)
    unify(product([channels, still(4)]), columns)
    assert sizes(columns) == [[3, -4]]
    assert expand(columns)[0][0] is expand(channels)[0][0]


def test_a_concatenated_axis_cuts_it_into_a_sum():
    first, second, columns = free(2), free(3), free(10)
    unify(columns, product([concatenated([first, second]), still(2)]))
    assert sizes(columns) == [[2, -2], [3, -2]]
    assert sizes(product([first, still(2)])) == [[2, -2]]


def test_factors_and_summands_undo_products_and_sums():
    whole = free(12)
    heads, dims = factors(whole, [3, 4])
    assert expand(product([heads, dims])) == expand(whole)
    parts = summands(free(7), [0, 3, 4])
    assert [size(part) for part in parts] == [0, 3, 4]
    assert sizes(concatenated(parts)) == [[3], [4]]


@pytest.mark.parametrize(("left", "right"), [([2, 3], [3, 2]), ([4, 5], [10, 2])])
def test_products_that_do_not_match_are_fixed(left, right):
    a, b = ((tuple(Atom(n) for n in ns),) for ns in (left, right))
    unify(a, b)
    assert all(n < 0 for axis in (a, b) for segment in sizes(axis) for n in segment)


def test_axes_of_other_sizes_are_fixed():
    a, b = free(3), free(4)
    unify(a, b)
    assert sizes(a) + sizes(b) == [[-3], [-4]]


def test_a_sum_that_does_not_match_a_product_is_fixed():
    whole = free(6)
    factors(whole, [3, 2])
    parts = summands(whole, [3, 3])
    assert sizes(whole) == [[-3, -2]]
    assert [sizes(part) for part in parts] == [[[-3]], [[-3]]]


def test_a_sum_inside_a_product_is_fixed():
    inner = free(5)
    axis = product([free(2), inner])
    summands(inner, [2, 3])
    assert sizes(axis) == [[2, -5]]
    assert sizes(inner) == [[-2], [-3]]


def test_sizes_of_one_do_not_count():
    channels = free(3)
    assert expand(product([free(1), channels, free(1)])) == expand(channels)
    assert sizes(product([free(1), free(1)])) == [[]]


def orders(axis: Axis, chosen: dict[Atom, tuple[int, ...]]) -> np.ndarray:
    """The permutation of an axis's positions, given each atom's."""
    found, start = [], 0
    for segment in expand(axis):
        shape = [atom.size for atom in segment]
        units = np.arange(start, start + int(np.prod(shape))).reshape(shape)
        for k, atom in enumerate(segment):
            units = np.take(units, chosen[atom] if not atom.fixed else range(atom.size), k)
        found.append(units.reshape(-1))
        start += units.size
    return np.concatenate(found)


def test_whatever_is_unified_is_permuted_alike():
    generator = np.random.default_rng(0)
    moved = 0
    for _ in range(300):
        atoms = [Atom(int(n)) for n in generator.choice([2, 2, 3, 4], 4)]
        drawn = [tuple(generator.choice(4, generator.integers(1, 3))) for _ in range(6)]
        axes = [((tuple(atoms[k] for k in ks)),) for ks in drawn]
        axes += [concatenated([a, b]) for a, b in itertools.pairwise(axes)]
        pairs = [(a, b) for a, b in itertools.combinations(axes, 2) if size(a) == size(b)]
        for a, b in pairs:
            unify(a, b)
        for _ in range(2):
            leaves = {atom for axis in axes for segment in expand(axis) for atom in segment}
        chosen = {atom: tuple(generator.permutation(atom.size)) for atom in leaves}
        for a, b in pairs:
            np.testing.assert_array_equal(orders(a, chosen), orders(b, chosen))
            moved += bool((orders(a, chosen) != np.arange(size(a))).any())
    assert moved > 100
