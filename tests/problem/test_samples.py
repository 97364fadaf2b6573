from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from landscape.errors import LandscapeError
from landscape.problem import Problem
from landscape.problem.samples import Samples, fingerprint, length, subset


class Stream(IterableDataset):
    def __iter__(self):
        yield torch.zeros(2), 0


@pytest.fixture(params=["tensors", "dataset"])
def data(request, images, as_dataset):
    return images if request.param == "tensors" else as_dataset(images)


def test_take(data, images):
    indices = torch.tensor([22, 0, 5])
    inputs, targets = Samples(data).take(indices)
    assert torch.equal(inputs, images[0][indices])
    assert torch.equal(targets, images[1][indices])


@pytest.mark.parametrize("size", [1, 5, 23, 100])
def test_batches_hold_every_sample_once_in_order(data, images, size):
    batches = list(Samples(data).batches(size))
    assert [len(targets) for _, targets in batches[:-1]] == [size] * (len(batches) - 1)
    assert torch.equal(torch.cat([inputs for inputs, _ in batches]), images[0])
    assert torch.equal(torch.cat([targets for _, targets in batches]), images[1])


def test_first_few(data, images):
    batches = list(Samples(data).batches(3, 7))
    assert [len(targets) for _, targets in batches] == [3, 3, 1]
    assert torch.equal(torch.cat([targets for _, targets in batches]), images[1][:7])


def test_channels_last_changes_the_layout_only(data, images):
    samples = Samples(data, channels_last=True)
    for inputs, _ in (samples.take(torch.tensor([4, 2])), next(samples.batches(2))):
        assert inputs.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(torch.cat([inputs for inputs, _ in samples.batches(4)]), images[0])


def test_plain_numbers_as_targets():
    items = [(torch.tensor([1.0]), 2), (torch.tensor([3.0]), 0)]
    inputs, targets = Samples(items).take(torch.tensor([1, 0]))
    assert inputs.tolist() == [[3.0], [1.0]]
    assert targets.tolist() == [0, 2]


def test_subset(data, images):
    indices = torch.tensor([3, 17])
    chosen = subset(data, indices)
    assert length(chosen) == 2
    assert torch.equal(Samples(chosen).take(torch.arange(2))[0], images[0][indices])


def test_fingerprint_depends_on_values_only(images):
    copy = (images[0].to(memory_format=torch.channels_last), images[1].clone())
    assert fingerprint(copy) == fingerprint(images)
    # A column vector made by transposing counts as contiguous, with an odd stride.
    row = torch.arange(4.0)[None]
    assert fingerprint((row.T, row.T)) == fingerprint((row.T.clone(), row.reshape(4, 1)))


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: (x.index_fill(0, torch.tensor([11]), 0.0), y),
        lambda x, y: (x + torch.eye(4) * 1e-6, y),
        lambda x, y: (x, torch.where(torch.arange(23) == 22, (y + 1) % 3, y)),
        lambda x, y: (x.double(), y),
        lambda x, y: (x.view(torch.int32), y),
        lambda x, y: (x, y.int()),
        lambda x, y: (x.flatten(2), y),
        lambda x, y: (x[:22], y[:22]),
        lambda x, y: (x.flip(0), y.flip(0)),
    ],
    ids=[
        "one input",
        "a little",
        "one target",
        "dtype",
        "same bytes",
        "class dtype",
        "shape",
        "fewer",
        "order",
    ],
)
def test_fingerprint_tells_changes(data, images, change):
    changed = change(*images)
    again = changed if data is images else TensorDataset(*changed)
    assert fingerprint(again) != fingerprint(data)


def test_fingerprint_of_a_dataset_reads_64_items_from_first_to_last():
    seen = []

    class Counted(TensorDataset):
        def __getitem__(self, index):
            seen.append(index)
            return super().__getitem__(index)

    fingerprint(Counted(torch.arange(1000.0), torch.arange(1000)))
    assert len(seen) == 64
    assert (seen[0], seen[-1]) == (0, 999)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            (torch.ones(3, 2), torch.ones(2)),
            "training data must be tensors of equal length, got 3 in inputs, 2 in targets",
        ),
        ((torch.ones(0, 2), torch.ones(0)), "training data must hold at least one sample, got 0"),
        (
            (torch.ones(3, 2), torch.tensor(1.0)),
            "training data must have a first dimension of samples",
        ),
        (
            (torch.ones(3, 2), [0, 1, 2]),
            "training data must be tensors or a Dataset (a list of items is one), "
            "got int at targets.0",
        ),
        (
            (torch.ones(3, 2), np.array(["a", "b", "c"])),
            "training data must be tensors or a Dataset (a list of items is one), "
            "got an array of <U1 at targets",
        ),
        (
            (torch.ones(3, 2),),
            "training data must be a pair (inputs, targets), got a tuple of 1; "
            "make it one, or give Problem objective= instead of a loss",
        ),
        *(
            (
                data,
                "training data must be tensors or a Dataset with a length and items by index, "
                "got Stream; a stream can't be measured twice: take list(...) of it",
            )
            for data in (Stream(), DataLoader(Stream()))
        ),
        # A length and items have these too.
        (
            [torch.ones(3), torch.ones(3)],
            "training data must hold pairs (input, target), got a list of Tensor; "
            "inputs and targets are a tuple, (inputs, targets)",
        ),
        (
            [torch.ones(3), torch.ones(3), torch.ones(3)],
            "training data must hold pairs (input, target), got a list of Tensor; "
            "make pairs with collate=, or give Problem objective= instead of a loss",
        ),
        (
            ((torch.ones(3, 2), torch.zeros(2, 7, dtype=torch.int64)), torch.ones(3)),
            "training data must be tensors of equal length, got 3 in inputs.0, 2 in inputs.1, 3 in "
            "targets; a graph with its edges is one sample: data of length 1 and objective=",
        ),
        (
            torch.ones(3, 2),
            "training data must be a pair (inputs, targets), got a Tensor; "
            "make it one, or give Problem objective= instead of a loss",
        ),
        (
            TensorDataset(torch.ones(3, 2), torch.ones(3), torch.ones(3)),
            "training data must hold pairs (input, target), got a TensorDataset of tuple of 3; "
            "make pairs with collate=, or give Problem objective= instead of a loss",
        ),
        ([], "training data must hold at least one sample, got 0"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_unfit_data_are_refused(data, message):
    with pytest.raises(LandscapeError) as caught:
        Problem(torch.nn.Linear(2, 2), data)
    assert str(caught.value) == message


@pytest.mark.parametrize("own", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (np.float64, None),
        (np.float32, None),
        (np.float16, None),
        (">f8", None),
        (np.int32, torch.int64),
        (np.uint16, torch.int64),
        (np.uint8, torch.uint8),
        (bool, torch.bool),
    ],
)
def test_arrays_are_taken_as_tensors(own, given, taken):
    values = np.arange(6).reshape(3, 2) % 2
    array = values.astype(given)[::-1]  # whose strides no tensor has
    array.flags.writeable = False
    model = torch.nn.Linear(2, 2, dtype=own)
    problem = Problem(model, ({"x": array}, array), objective=lambda model, batch: batch)
    for tensor in (problem.train[0]["x"], problem.train[1]):
        assert tensor.dtype == (own if taken is None else taken)
        assert tensor.tolist() == values[::-1].tolist()


def test_an_array_that_changes_doesnt_change_the_data():
    array = np.ones((3, 2), np.float32)
    problem = Problem(torch.nn.Linear(2, 2), (array, np.array([0, 1, 0])))
    array[:] = 7
    assert problem.train[0].unique().tolist() == [1]


def test_validation_data_are_looked_at_too(images):
    with pytest.raises(LandscapeError) as caught:
        Problem(torch.nn.Linear(2, 2), images, (images[0][:0], images[1][:0]))
    assert str(caught.value) == "validation data must hold at least one sample, got 0"


def test_one_sample_of_a_larger_tensor_has_its_own_fingerprint():
    whole = torch.arange(12.0).reshape(4, 3)
    one = whole[:1, 0]
    assert one.stride() == (3,)
    assert fingerprint((one, one)) == fingerprint((one.clone(), one.clone()))
