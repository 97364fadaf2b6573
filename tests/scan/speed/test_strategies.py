from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from landscape.problem import Problem, reading
from landscape.scan.speed import engine as engine_module
from landscape.scan.speed import strategies
from landscape.scan.speed.choosing import engine
from landscape.scan.speed.engine import Engine, TilePlan
from landscape.scan.speed.options import Evaluation
from landscape.scan.speed.strategies import STRATEGIES, UnsuitableError

from . import networks

MODELS = ("mlp", "cnn", "residual", "transformer")
# What a strategy has nothing to do for.
IMAGES = ("folded+blocked", "folded+fused")
WITHOUT = {(model, name) for model in ("mlp", "transformer") for name in IMAGES}


def adopted(made: Problem, name: str, points: int = 4, batch_size: int = 16, **options) -> Engine:
    found = Engine(made, networks.plane(made), Evaluation(**options))
    with torch.inference_mode():
        way = strategies.make(name, found)
    found.adopt(TilePlan(name, points if way.at_once else 1, batch_size), way)
    return found


def assert_close(found, wanted, *, relative, absolute=1e-9):
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=relative, atol=absolute, err_msg=name)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("model", MODELS)
def test_against_a_plain_loop(model, name):
    made, xy = networks.problem(model), networks.points()
    if (model, name) in WITHOUT:
        with pytest.raises(UnsuitableError):
            adopted(made, name)
        return
    before = {key: value.clone() for key, value in made.model.state_dict().items()}
    evaluator = adopted(made, name)
    wanted = networks.expected(made, networks.plane(made), xy)
    assert_close(evaluator.at_many(xy), wanted, relative=1e-5)
    np.testing.assert_allclose(evaluator.train_losses_at(xy), wanted["train_loss"], rtol=1e-5)
    for key, value in made.model.state_dict().items():
        assert torch.equal(value, before[key]), key


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("model", MODELS)
def test_precision_is_that_of_the_oracle(model, name):
    made, xy = networks.problem(model), networks.points(3)
    if (model, name) in WITHOUT or name in IMAGES:
        return
    evaluator = adopted(made, name, precision="float64")
    assert evaluator.strategy.dtype == "float64"
    wanted = networks.expected(made, networks.plane(made), xy)
    assert_close(evaluator.at_many(xy), wanted, relative=1e-12, absolute=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sequential", "folded", "shared", "shared+batched", "batched"])
@pytest.mark.parametrize("model", ["mlp", "residual"])
def test_results_do_not_depend_on_the_tiles(model, name):
    made, xy = networks.problem(model), networks.points()
    first = adopted(made, name, 4, 16).at_many(xy)
    for points, batch_size in ((1, 50), (7, 3), (25, 64)):
        found = adopted(made, name, points, batch_size).at_many(xy)
        assert_close(found, first, relative=1e-6)
    # What doesn't fit is prepared again for each block of points.
    scarce = adopted(made, name, 4, 16, memory="1B")
    assert scarce.block in (1, 4, 64)
    assert_close(scarce.at_many(xy), first, relative=1e-6)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("model", MODELS)
def test_nothing_of_a_large_model_is_left(model, name, monkeypatch):
    """Tracing a model that unpacks, as the transformer does, leaves frames in circles."""
    if (model, name) in WITHOUT:
        return
    monkeypatch.setattr(engine_module, "LARGE", 0)
    made = networks.problem(model)
    gc.disable()  # it comes by when there are many objects, however large they are
    try:
        evaluator = adopted(made, name)
        evaluator.at_many(networks.points(2))
        weights = weakref.ref(next(evaluator.model.parameters()))
        evaluator.release()
        assert weights() is None
    finally:
        gc.enable()


class Read(Dataset):
    """Counts how often a sample is read."""

    def __init__(self, pair) -> None:
        self.pair, self.reads = pair, 0

    def __len__(self) -> int:
        return len(self.pair[0])

    def __getitem__(self, index: int):
        self.reads += 1
        return self.pair[0][index], self.pair[1][index]


@pytest.mark.parametrize("name", ["sequential", "folded", "shared", "shared+batched"])
def test_data_that_does_not_fit_memory_is_read_once_a_block(name, monkeypatch):
    monkeypatch.setattr(reading, "_memory", lambda: 1)
    made, xy = networks.problem("mlp"), networks.points()
    data = Read(made.train)
    streamed = adopted(Problem(made.model, data, made.validation), name)
    before = data.reads
    found = streamed.at_many(xy)
    assert data.reads - before == 50
    assert streamed.block == 128
    assert_close(found, adopted(made, name).at_many(xy), relative=1e-6)


def test_statistics_recomputed_at_every_point():
    made, xy = networks.problem("residual"), networks.points(3)
    where = networks.plane(made, batchnorm="recompute")
    plain, folded = Engine(made, where), Engine(made, where)
    with torch.inference_mode():
        folded.adopt(TilePlan("folded", 1, 16), strategies.make("folded", folded))
        for name in ("batched", "shared+batched"):
            with pytest.raises(UnsuitableError) as caught:
                strategies.make(name, folded)
            assert str(caught.value) == (
                "BatchNorm's statistics or spectral norms are another point by point"
            )
    assert_close(folded.at_many(xy), plain.at_many(xy), relative=1e-5)


@pytest.mark.parametrize("model", ["recurrent", "branching"])
def test_any_model_works(model):
    made, xy = networks.problem(model), networks.points()
    wanted = networks.expected(made, networks.plane(made), xy)
    for strategy in ("auto", "batched", "shared", "folded"):
        found = engine(made, networks.plane(made), xy, Evaluation(strategy=strategy))
        assert_close(found.at_many(xy), wanted, relative=1e-5)
        assert found.strategy.name in STRATEGIES
        if strategy not in ("auto", found.strategy.name):
            assert f"not {strategy}: " in found.strategy.note
            assert "\n" not in found.strategy.note
