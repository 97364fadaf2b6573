from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import LandscapeError
from landscape.problem import Problem
from landscape.scan.speed import choosing
from landscape.scan.speed.agreement import difference
from landscape.scan.speed.choosing import engine
from landscape.scan.speed.engine import Engine, TilePlan
from landscape.scan.speed.options import Evaluation

from . import networks

FOLDED = ("folded", "folded+blocked", "folded+fused")


def test_a_stored_choice_is_taken_up_and_nothing_tried(monkeypatch):
    made, xy = networks.problem("mlp"), networks.points()
    where = networks.plane(made)
    first = engine(made, where, xy, Evaluation(strategy="batched"))
    assert first.strategy.name == "batched"
    stored = asdict(first.strategy)
    monkeypatch.setattr(choosing, "StrategyChoice", None)
    again = engine(made, where, xy, stored=stored)
    assert asdict(again.strategy) == stored
    for name, values in first.at_many(xy).items():
        np.testing.assert_array_equal(again.at_many(xy)[name], values)


def test_threads_of_a_resumed_scan(monkeypatch):
    made, xy = networks.problem("mlp"), networks.points()
    stored = {"name": "sequential", "batch_size": 50, "points": 1, "threads": 1}
    found = engine(made, networks.plane(made), xy, stored=stored)
    before, used = torch.get_num_threads(), []
    found.model.register_forward_hook(lambda *_: used.append(torch.get_num_threads()))
    found.at_many(xy[:1])
    assert set(used) == {1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("seconds", "tried"), [(0.9, []), (1.1, ["any"])])
def test_a_scan_of_less_than_a_second_is_not_worth_choosing(monkeypatch, seconds, tried):
    made, xy = networks.problem("mlp"), networks.points(2)
    where = networks.plane(made)
    lanes = max(1, torch.get_num_threads())
    # By the plain loop, on all threads.
    monkeypatch.setattr(choosing.TileTrial, "seconds", lambda *_, **__: lanes * seconds / len(xy))
    seen: list[str] = []
    monkeypatch.setattr(choosing.StrategyChoice, "_try", lambda self, name: seen.append("any"))
    found = engine(made, where, xy)
    assert seen[:1] == tried
    assert (found.strategy.name, found.strategy.note) == ("sequential", "")


def test_a_scan_worth_choosing_for(monkeypatch):
    monkeypatch.setattr(choosing, "WORTH", 0.0)
    made, xy = networks.problem("cnn"), networks.points()
    found = engine(made, networks.plane(made), xy)
    assert found.strategy.name in choosing.strategies.STRATEGIES
    wanted = networks.expected(made, networks.plane(made), xy)
    np.testing.assert_allclose(found.at_many(xy)["train_loss"], wanted["train_loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("strategy", "names"),
    [
        ("sequential", {"sequential"}),
        ("batched", {"batched"}),
        ("shared", {"shared", "shared+batched"}),
        ("folded", set(FOLDED)),
    ],
)
def test_a_forced_strategy(strategy, names):
    made = networks.problem("cnn")
    found = engine(made, networks.plane(made), networks.points(), Evaluation(strategy=strategy))
    assert found.strategy.name in names
    assert found.choosing_seconds > 0


def test_a_candidate_that_disagrees_is_refused(monkeypatch):
    class Wrong(choosing.strategies.base.Sequential):
        def outputs(self, prepared):
            return super().outputs(prepared) * 1.001

    table = {**choosing.strategies.STRATEGIES, **dict.fromkeys(FOLDED, Wrong)}
    monkeypatch.setattr(choosing.strategies.table, "STRATEGIES", table)
    made = networks.problem("cnn")
    found = engine(made, networks.plane(made), networks.points(), Evaluation(strategy="folded"))
    assert found.strategy.name == "sequential"
    assert "not folded: it differs from the plain loop by " in found.strategy.note


def test_a_candidate_that_is_disturbed_two_times_out_of_three_is_still_chosen(monkeypatch):
    monkeypatch.setattr(choosing, "WORTH", 0.0)
    monkeypatch.setattr(choosing, "MOST_SHARE", 1e6)
    costs = {"sequential": 2.0, "folded": 1.0, "folded+fused": 1.2, "folded+blocked": 1.25}
    timed: dict[choosing.TilePlan, int] = {}

    def seconds(trial, tiles=3):
        timed[trial.plan] = count = timed.get(trial.plan, 0) + 1
        disturbed = trial.plan.name == "folded" and count % 3
        return costs.get(trial.plan.name, 5.0) * (2.5 if disturbed else 1.0)

    monkeypatch.setattr(choosing.TileTrial, "seconds", seconds)
    made = networks.problem("cnn")
    found = engine(made, networks.plane(made), networks.points())
    assert found.strategy.name == "folded"


def test_a_sleep_is_not_counted_in_the_time_of_one_thread(monkeypatch):
    made, xy = networks.problem("mlp"), networks.points(2)
    made_for = Engine(made, networks.plane(made))
    with torch.inference_mode():
        way = choosing.strategies.make("sequential", made_for)
        move = way.move
        monkeypatch.setattr(way, "move", lambda xy: (time.sleep(0.2), move(xy)))
        trial = choosing.TileTrial(made_for, TilePlan("sequential", 1, 50), way, xy[:1])
        with made_for.threaded(1):
            assert trial.seconds() < 0.1
        assert trial.seconds_in(way) > 0.2


def test_the_plain_loops_batch_grows_while_that_is_faster_and_others_begin_with_it(monkeypatch):
    made, xy = networks.problem("cnn"), networks.points()
    best, timed = 4 * choosing.SMALLEST, []

    def seconds(trial, *_):
        timed.append(trial.plan)
        return abs(np.log2(trial.plan.batch_size / best)) + 1.0

    monkeypatch.setattr(choosing, "PLAIN", choosing.SMALLEST)
    monkeypatch.setattr(choosing, "LEAST_SECONDS", 1e6)
    monkeypatch.setattr(choosing.TileTrial, "seconds", seconds)
    engine(made, networks.plane(made), xy)
    sizes = {name: [plan.batch_size for plan in timed if plan.name == name] for name in FOLDED}
    plain = [plan.batch_size for plan in timed if plan.name == "sequential"]
    assert list(dict.fromkeys(plain))[:2] == [choosing.SMALLEST, best]
    assert all(found[0] == best for found in sizes.values() if found)
    assert any(sizes.values())


def test_difference_in_tolerances():
    plain = np.array([1.0, np.nan, np.inf, 0.0])
    assert difference(plain, plain) == 0
    assert difference(np.array([1 + 1e-5]), np.array([1.0])) == pytest.approx(1, rel=1e-3)
    assert difference(np.array([2e-9]), np.array([0.0])) == pytest.approx(2)
    assert difference(np.array([1.0]), np.array([np.nan])) == np.inf
    assert difference(np.array([np.inf]), np.array([-np.inf])) == np.inf


class Hidden(nn.Module):
    """Uses its weights where tracing can't see them change."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(36, 3)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, inputs):
        scale = torch.tensor(float(self.scale.detach()))
        return self.layer(inputs.flatten(1)) * scale


def test_weights_hidden_from_tracing():
    made = networks.problem("mlp")
    made = Problem(Hidden(), made.train, made.validation)
    where, xy = networks.plane(made), networks.points()
    wanted = networks.expected(made, where, xy)
    for strategy in ("auto", "folded", "batched", "shared"):
        found = engine(made, where, xy, Evaluation(strategy=strategy)).at_many(xy)
        np.testing.assert_allclose(found["train_loss"], wanted["train_loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"strategy": "fast"},
            "strategy must be one of auto, sequential, batched, shared, folded, got fast",
        ),
        ({"precision": "half"}, "precision must be one of float32, float64, got half"),
        ({"memory": "much"}, "memory must be a size such as 500MB, 2GB or 1.5GiB, got much"),
        ({"memory": "0"}, "memory must be a size such as 500MB, 2GB or 1.5GiB, got 0"),
    ],
)
def test_what_cannot_be(options, message):
    made = networks.problem("mlp")
    with pytest.raises(LandscapeError) as caught:
        engine(made, networks.plane(made), networks.points(), Evaluation(**options))
    assert str(caught.value) == message


CAPPED = """
import resource, sys
import torch
from torch import nn
from landscape.problem import Problem
from landscape.scan.speed.choosing import engine
from landscape.scan.speed.engine import Engine, TilePlan
from landscape.scan.speed.options import Evaluation
sys.path.insert(0, {folder!r})
import networks

torch.manual_seed(0)
inputs = torch.randn(1500, 1, 28, 28)
model = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(25088, 3))
made = Problem(model, (inputs, torch.randint(3, (1500,))))
where, xy = networks.plane(made), networks.points()
stored = dict(name="sequential", batch_size=8, points=1, threads=1)
engine(made, where, xy, stored=stored).at_many(xy[:1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = engine(made, where, xy, Evaluation(strategy={strategy!r}, memory="60MB"))
found.at_many(xy[:4])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["sequential", "shared", "folded"])
def test_memory_is_capped(strategy):
    # At once, the one layer takes 150 MB.
    script = CAPPED.format(folder=str(Path(__file__).parent), strategy=strategy)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 90e6
