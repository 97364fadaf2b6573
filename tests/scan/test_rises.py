"""How far the loss rises within r_0.1: planted bowls of several losses against closed forms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.problem import Problem, half_square
from landscape.scan import grid
from landscape.scan.prepare import prepare
from landscape.store.scans import scanfile, valley_sentences
from landscape.store.scans.records import Plane
from landscape.store.scans.rises import KEY, Rise, apart, of
from landscape.store.scans.widths import Width
from landscape.store.typed import rebuilt

from .planted import surface
from .requests import asked

# Their second moments are 1, their means and the mixed moment 0: a squared loss is a round bowl.
INPUTS = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
BEST = np.array([3.0, -4.0])


def squares(scale: float = 1.0) -> Problem:
    """L(w) = |w - scale BEST|²/2, and L0 = |scale BEST|²/2: a constant's best is 0."""
    targets = INPUTS @ torch.tensor(scale * BEST, dtype=torch.float32)[:, None]
    return Problem(nn.Linear(2, 1, bias=False), (INPUTS, targets), loss=half_square)


class Coin(nn.Module):
    """Logits 0 and w of two classes, whatever the input."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, inputs):
        return torch.stack([0 * self.weight, self.weight], dim=1).expand(len(inputs), 2)


def line(origin: np.ndarray) -> Plane:
    direction = np.eye(len(origin), dtype=np.float32)[:1]
    where, unit = origin.astype(np.float32), "filter-normalized units"
    return Plane("line", where, direction, ("random direction",), unit)


def width_of(scan) -> Width:
    return rebuilt(Width, scan.findings["width"])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 40.0])
def test_of_squares_it_is_a_tenth_of_the_way_to_the_best_constant(scale):
    extent = 5 * scale
    width = width_of(grid(squares(scale), line(scale * BEST), size=5, extent=extent))
    constant = scale**2 * (3**2 + 4**2) / 2
    assert width.level.rule == "constant"
    assert width.rise == pytest.approx(0.1 * constant, rel=1e-5)
    # r²/2 = 0.1 L0: the same share of the weights' length whatever the targets' unit.
    assert width.median == pytest.approx(math.sqrt(0.1) * 5 * scale, rel=0.02)


@pytest.mark.parametrize("loss", ["cross_entropy", nn.CrossEntropyLoss()], ids=str)
def test_of_cross_entropy_it_is_a_tenth_of_a_nat(loss):
    # Half heads, half tails: L(w) = ln(2 cosh(w/2)), at its lowest that of the best constant.
    coin = Problem(Coin(), (torch.zeros(2, 1), torch.tensor([0, 1])), loss=loss)
    scan = grid(coin, line(np.zeros(1)), size=5, extent=3)
    width = width_of(scan)
    assert width.level == Rise(0.1, "nat")
    assert width.median == pytest.approx(2 * math.acosh(math.exp(0.1)), rel=0.02)
    [said] = [one for one in scan.remarks if one.startswith("Width")]
    assert said.startswith("Width r₀.₁, where the training loss has risen by 0.1 nat: median 0.9")


def test_without_a_constants_loss_it_is_a_tenth_of_the_way_to_the_starts(planted):
    bowl = surface(lambda r: 2.5 * r**2)
    run = planted(bowl, np.array([[3.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.5, 0.0]]))
    options = {"normalize": "none", "include_1d": True, "size": "3x3", "seed": 1, "extent": "2"}
    [job] = prepare(run, bowl, asked(kinds=("valley",), **options))
    [*_, found] = job.run()
    # It falls from 22.5 to 0 above the floor: 2.25 above the floor is at r² = 0.9.
    assert found.rise.rule == "start"
    assert found.rise.by == pytest.approx(2.25, rel=1e-5)
    length = np.linalg.norm(np.random.Generator(np.random.PCG64(1)).standard_normal(2))
    row = int(np.flatnonzero(found.slices.step == 2)[0])
    np.testing.assert_allclose(found.walls[row, 0], np.sqrt(0.9) / length, rtol=0.05)
    [said] = [one for one in valley_sentences.remarks(found) if one.startswith("Width")]
    assert said.startswith(
        "Width r₀.₁ (loss 2.25 above the run's, 0.1 of the way from the lowest loss to the "
        "start's, to 5 %, median over 6 rays)"
    )


def test_the_lowest_is_the_runs_not_the_scanned_weights(planted):
    made = squares()
    run = planted(made, np.array([[0.0, 0.0], BEST, BEST + np.eye(2)[0]]))
    [job] = prepare(run, made, asked(kinds=("line",), size="5", extent="2", include_1d=True))
    [*_, scan] = job.run()
    assert width_of(scan).rise == pytest.approx(0.1 * 12.5, rel=1e-5)


def test_where_nothing_lies_above_the_lowest_it_is_absolute():
    # At zero the network is the best constant itself.
    scan = grid(squares(), line(np.zeros(2)), size=5, extent=2)
    assert width_of(scan).level == Rise(0.1, "unknown")


def test_a_scan_goes_on_with_its_own_rise(planted):
    made = squares()
    run = planted(made, np.array([[0.0, 0.0], BEST]))
    request = asked(kinds=("line",), size="5", extent="2", planes=2)
    [job] = prepare(run, made, request)
    going = job.run()
    while "crossings" not in next(going).findings:
        pass
    going.close()
    begun = scanfile.load(job.path)
    assert of(begun.settings).rule == "constant"
    # The file of a version that had none.
    older = {name: value for name, value in begun.settings.items() if name != KEY}
    scanfile.save(job.path, replace(begun, settings=older))
    [resumed] = prepare(run, made, request, resume=True)
    [*_, scan] = resumed.run()
    assert width_of(scan).level == Rise(0.1, "")
    assert "has risen by 0.1: median" in " ".join(scan.remarks)


def test_widths_at_different_rises_say_so():
    assert apart([Rise(0.1, "nat"), Rise(0.1), Rise(0.10001, "nat")]) == ""
    assert apart([Rise(0.1, "nat"), Rise(0.034, "constant")]) == (
        "These widths are at different rises of the loss (0.034, 0.1 nat): a larger one gives a "
        "larger width."
    )
