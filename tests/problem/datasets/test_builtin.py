from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from landscape.errors import LandscapeError
from landscape.problem import datasets
from landscape.problem.datasets import builtin


def images_with_labels(pixels: np.ndarray, labels: np.ndarray) -> Counter[tuple[bytes, int]]:
    return Counter(
        (image.astype(np.float64).tobytes(), int(label))
        for image, label in zip(pixels, labels, strict=True)
    )


def test_digits_are_those_of_scikit_learn():
    oracle = pytest.importorskip("sklearn.datasets").load_digits()
    train, validation = datasets.load("digits")
    inputs = torch.cat([train[0], validation[0]])
    targets = torch.cat([train[1], validation[1]])
    pixels = inputs.double().numpy() * 16
    assert images_with_labels(pixels, targets.numpy()) == images_with_labels(
        oracle.images, oracle.target
    )


def test_digits_can_be_made_again():
    pytest.importorskip("sklearn")
    script = runpy.run_path(str(Path(__file__).with_name("make_digits.py")))
    with np.load(builtin.DIGITS) as stored:
        made = script["arrays"]()
        assert set(stored) == set(made)
        for name, array in made.items():
            assert stored[name].dtype == np.uint8
            np.testing.assert_array_equal(stored[name], array)


def test_digits_are_split_in_proportion():
    train, validation = datasets.load("digits")
    assert train[0].shape == (1437, 1, 8, 8)
    assert validation[0].shape == (360, 1, 8, 8)
    assert train[0].dtype == torch.float32
    assert train[1].dtype == torch.int64
    assert (train[0].min(), train[0].max()) == (0, 1)
    counts = train[1].bincount(), validation[1].bincount()
    assert len(counts[0]) == len(counts[1]) == 10
    shares = counts[1] / (counts[0] + counts[1])
    assert (shares - 360 / 1797).abs().max() < 1 / 174  # A whole image of the rarest class.
    # Shuffled: the classes of the first 200 are those of all, within four standard deviations.
    for targets, count in zip((train[1], validation[1]), counts, strict=True):
        share = count / len(targets)
        beginning = targets[:200].bincount(minlength=10) / 200
        assert ((beginning - share).abs() < 4 * (share * (1 - share) / 200).sqrt()).all()


def test_moons_lie_on_two_half_circles():
    train, validation = datasets.load("moons")
    assert train[0].shape == (1000, 2)
    assert validation[0].shape == (500, 2)
    assert train[1].bincount().tolist() == [500, 500]
    points = torch.cat([train[0], validation[0]]).double()
    labels = torch.cat([train[1], validation[1]])
    for label, centre, above in ((0, (0.0, 0.0), 1), (1, (1.0, 0.5), -1)):
        offset = points[labels == label] - torch.tensor(centre, dtype=torch.float64)
        radius = offset.norm(dim=1)
        assert radius.mean() == pytest.approx(1, abs=0.02)
        assert radius.std() == pytest.approx(0.1, rel=0.1)
        assert (offset[:, 1] * above > -0.5).all()
        assert (offset[:, 0] * above).mean() == pytest.approx(0, abs=0.1)
        assert (offset[:, 1] * above).mean() == pytest.approx(2 / np.pi, abs=0.05)


def test_moons_are_always_the_same():
    np.random.seed(1)
    torch.manual_seed(1)
    first = datasets.load("moons")
    np.random.seed(2)
    torch.manual_seed(2)
    again = datasets.load("moons")
    for part, other in zip(first, again, strict=True):
        assert torch.equal(part[0], other[0])
        assert torch.equal(part[1], other[1])


@pytest.mark.parametrize("name", ["imagenet", "npz", "npz:", "digits:x", ""])
def test_unknown_data_is_refused(name):
    with pytest.raises(LandscapeError) as caught:
        datasets.load(name)
    assert str(caught.value) == (
        f"data must be one of digits, moons, mnist, fashion-mnist, cifar10, npz:FILE, got {name}"
    )
