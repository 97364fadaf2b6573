"""Items of slow Datasets: read ahead by workers, decoded once, and never another number."""

from __future__ import annotations

import os
import pickle

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from landscape.errors import LandscapeError
from landscape.problem import Problem, reading
from landscape.problem.evaluate import Evaluator
from landscape.problem.examine import notes
from landscape.problem.samples import Samples, items, subset
from landscape.sgd import Settings, steps

COUNT = 40
X = torch.randn(COUNT, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(COUNT) % 2


class Pictures(Dataset):
    """Decodes anew whenever it is asked, and notes who did."""

    def __init__(self, log, broken=None):
        self.log, self.broken = log, broken

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        if index == self.broken:
            raise OSError("truncated")
        with self.log.open("a") as file:
            file.write(f"{index} {os.getpid()}\n")
        return X[index].clone(), Y[index]

    def forget(self):
        self.log.write_text("")

    @property
    def read(self):
        """(index, process) of each time."""
        return [tuple(map(int, line.split())) for line in self.log.read_text().splitlines()]


class Named(Pictures):
    def __getitem__(self, index):
        inputs, target = super().__getitem__(index)
        return {"inputs": inputs, "target": target}


def greedy(found):
    """As some of Hugging Face's: takes the items apart."""
    targets = torch.stack([item.pop("target") for item in found])
    return torch.stack([item.pop("inputs") for item in found]), targets


@pytest.fixture
def pictures(tmp_path):
    return Pictures(tmp_path / "log")


def linear():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def weights_of(problem, *, batch_size=7):
    last = list(steps(problem, Settings(lr=0.1, epochs=3, batch_size=batch_size)))[-1]
    return last.weights.clone()


def test_decoded_once_whatever_is_done(pictures):
    problem = Problem(linear(), pictures)
    pictures.forget()  # the one that it was looked at
    evaluator = Evaluator(problem)
    expected = float(nn.functional.cross_entropy(problem.model(X).detach().double(), Y))
    for _ in range(3):
        assert evaluator.on_train(problem.model).loss == pytest.approx(expected, rel=1e-12)
    assert weights_of(problem).equal(weights_of(Problem(linear(), (X, Y))))
    assert sorted(index for index, _ in pictures.read) == list(range(COUNT))


def test_more_than_memory_holds_is_read_anew(pictures, monkeypatch):
    monkeypatch.setattr(reading, "_memory", lambda: 4 * COUNT)
    problem = Problem(linear(), pictures)
    evaluator = Evaluator(problem)
    pictures.forget()  # the few that the problem was tried out on
    first = evaluator.on_train(problem.model)
    assert evaluator.on_train(problem.model) == first
    assert sorted(index for index, _ in pictures.read) == sorted([*range(COUNT), *range(COUNT)])


@pytest.mark.parametrize("kept", [True, False])
def test_workers_of_a_dataloader_read_ahead(pictures, monkeypatch, kept):
    if not kept:
        monkeypatch.setattr(reading, "_memory", lambda: 4 * COUNT)
    problem = Problem(linear(), DataLoader(pictures, batch_size=16, num_workers=2))
    Evaluator(problem)
    tried = {index for index, _ in pictures.read}
    pictures.forget()
    assert weights_of(problem).equal(weights_of(Problem(linear(), (X, Y))))
    before = torch.get_rng_state()
    found = Evaluator(problem).on_train(problem.model).loss
    expected = float(nn.functional.cross_entropy(problem.model(X).detach().double(), Y))
    assert found == pytest.approx(expected, rel=1e-12)
    assert torch.get_rng_state().equal(before)
    assert os.getpid() not in {process for _, process in pictures.read}
    read = sorted(index for index, _ in pictures.read)
    if kept:
        assert read == sorted({*range(COUNT)} - tried)
    else:
        assert read == sorted([*range(COUNT)] * 4)  # three epochs and what is measured


def test_an_item_that_a_worker_cant_read_is_named(tmp_path):
    broken = Pictures(tmp_path / "log", broken=23)
    problem = Problem(linear(), DataLoader(broken, batch_size=16, num_workers=1))
    with pytest.raises(LandscapeError) as caught:
        Evaluator(problem).on_train(problem.model)
    message = str(caught.value)
    assert message.startswith("a problem's item 23 must run on its data, got OSError: truncated")


@pytest.mark.slow
def test_a_collate_that_takes_items_apart_leaves_them_whole(tmp_path):
    named = Named(tmp_path / "log")
    problem = Problem(linear(), named, collate=greedy)
    samples = Samples(problem.train)
    first, second = (list(samples.batches(8)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one[0].equal(other[0])
    assert torch.cat([batch[0] for batch in second]).equal(X)
    assert len(named.read) == COUNT


@pytest.mark.slow
def test_a_subset_and_another_process_read_for_themselves(pictures):
    problem = Problem(linear(), DataLoader(pictures, num_workers=2))
    part = subset(problem.train, torch.tensor([3, 5]))
    assert (part.workers, len(part)) == (2, 2)
    assert items(part, [1])[0][0].equal(X[5])
    Evaluator(problem).on_train(problem.model)
    size = len(pickle.dumps(problem.train))
    assert size < 1000
    assert pickle.loads(pickle.dumps(problem.train)).workers == 0


def test_what_an_item_takes_is_its_own_part():
    class Views(Dataset):
        def __len__(self):
            return COUNT

        def __getitem__(self, index):
            return X[index], Y[index]

    held = Problem(linear(), Views()).train
    assert held.bytes < 2000 * COUNT
    assert held[1][0].untyped_storage().nbytes() == 12


def test_large_data_is_said(pictures, monkeypatch):
    class Large(Pictures):
        def __getitem__(self, index):
            return X[index].repeat(200_000).view(3, -1).mean(1), torch.zeros(500_000)

    def loss(outputs, targets):
        return outputs.square().sum(1) + targets.mean(1)

    problem = Problem(linear(), Large(pictures.log), loss=loss)
    problem = Problem(linear(), problem.train, loss=loss, measures={})
    assert notes(problem)[0] == (
        "The training data's items, about 80 MB, are decoded once and kept in memory."
    )
    monkeypatch.setattr(reading, "_memory", lambda: 2**26)
    assert notes(problem)[0] == (
        "The training data's items, about 80 MB, are decoded anew at every pass: they would take "
        "more than a quarter of this machine's memory."
    )


def test_a_loop_over_the_items_ends():
    decoded = reading.Decoded([10, 20, 30])
    assert list(decoded) == [10, 20, 30]
