from __future__ import annotations

import shutil
import time
from dataclasses import replace

import pytest

from landscape.diagnose import NAMES, Diagnosis, measure, seconds
from landscape.diagnose.session import costs, gather, snapshots
from landscape.diagnose.session.context import PartRow
from landscape.diagnose.session.parts import PARTS
from landscape.errors import LandscapeError
from landscape.store import analysis, read
from landscape.store.measured.curvature import Jump


@pytest.fixture
def clock(monkeypatch):
    """Every product takes 0.6 s: a forward pass of one of 100 samples 1 ms."""
    monkeypatch.setattr(costs, "product", lambda context: 0.006)


def test_parts_cost_their_passes(learned, clock):
    run, problem = learned
    diagnosis = Diagnosis(run, problem, intervene=False)
    total, batch = diagnosis.subject.samples, 32
    found = costs.seconds(diagnosis.context, PARTS)
    passes = {name: (value - costs.OTHERS) / 0.001 for name, value in found.items()}
    assert passes["units"] == pytest.approx(12 * 4 * total)
    assert passes["functions"] == pytest.approx(10 * total)
    assert passes["curvature"] == pytest.approx(4 * total * (37 * 6 + 3 + 32))
    assert passes["sharpness"] == pytest.approx(6 * 32 * batch * 9)
    assert passes["density"] == pytest.approx(2 * 30 * total * 6)
    # Ten floors, 45 pairs, 9 points inside of the line between two, also with units matched.
    assert passes["connectivity"] == pytest.approx((10 + 45 * 9 * 2) * total)
    assert passes["distances"] == passes["permutations"] == passes["jump"] == 0


def test_the_rows_before_an_escape_cost_as_well(escaped, clock):
    run, problem = escaped
    diagnosis = Diagnosis(run, problem, intervene=False)
    total = diagnosis.subject.samples
    found = costs.seconds(diagnosis.context, {n: PARTS[n] for n in ("curvature", "diffusion")})
    assert found["curvature"] - costs.OTHERS == pytest.approx(0.001 * 5 * total * (37 * 6 + 35))
    assert found["diffusion"] == costs.OTHERS


def test_products_are_as_many_as_were_spent(trained, tmp_path):
    wide, problem = trained(depth=2, width=32, lr=0.3, epochs=2)
    run = read(shutil.copytree(wide.folder, tmp_path / "run"))
    list(measure(Diagnosis(run, problem, only=("curvature",))))
    spent = analysis.load(run.folder, "curvature").values["products"]
    assert len(spent) == snapshots.LANDMARKS
    assert snapshots.ROW_PRODUCTS * 0.9 <= spent.mean() <= snapshots.ROW_PRODUCTS


def test_only_what_is_to_be_measured_counts(learned, clock):
    run, problem = learned
    asked = Diagnosis(run, problem, only=("units", "distances", "connectivity"))
    # Without interventions there are no floors to connect.
    assert set(seconds(asked)) == {"units", "distances"}
    list(measure(asked))
    assert seconds(Diagnosis(run, problem, only=("units", "distances"))) == {}
    assert set(seconds(Diagnosis(run, problem, only=("units", "functions")))) == {"functions"}
    assert analysis.names(run.folder) == ("distances", "units")


def test_where_there_are_to_be_floors_what_lies_between_counts(learned, clock):
    run, problem = learned
    chosen = ("interventions", "connectivity", "curves")
    assert set(seconds(Diagnosis(run, problem, only=chosen))) == {"connectivity"}
    assert set(seconds(Diagnosis(run, problem, only=chosen, curve=True))) == set(chosen[1:])


def test_a_model_without_second_derivatives_stops_nothing(learned):
    run, problem = learned
    problem = replace(problem, loss=lambda outputs, targets: outputs.detach().square().sum(1))
    diagnosis = Diagnosis(run, problem, only=("distances", "curvature"))
    assert seconds(diagnosis) == dict.fromkeys(("distances", "curvature"), costs.OTHERS)


def test_a_product_is_timed_for_each_sample(learned, monkeypatch):
    run, problem = learned
    diagnosis = Diagnosis(run, problem, intervene=False)
    ticks = iter(range(0, 1000, 5))
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    samples = min(costs.TIMED, diagnosis.subject.samples)
    assert costs.product(diagnosis.context) == 5 / samples


def test_the_table_has_every_part_in_its_order():
    assert tuple(PARTS) == tuple(name for name in NAMES if name != "interventions")


def test_a_part_is_a_row_of_the_table(learned, clock, monkeypatch):
    """What it costs, what it gives and whether it is missed are the row's."""
    run, problem = learned
    found = Jump(0, 1, 2, 5.0, 3.0, 0.9, 0.95, 5, 0.1)
    row = PartRow(lambda context, told: found, cost=lambda context: 700.0, version=9)
    monkeypatch.setitem(PARTS, "jump", row)
    diagnosis = Diagnosis(run, problem, only=("jump",), intervene=False)
    assert seconds(diagnosis) == {"jump": pytest.approx(0.7 + costs.OTHERS)}
    list(measure(diagnosis))
    assert diagnosis.context.measured.jump == found
    assert seconds(Diagnosis(run, problem, only=("jump",), intervene=False)) == {}

    def fails(context, told):
        raise LandscapeError("it can't be had")

    for is_wanted, said in ((True, ["Not measured: jump: it can't be had."]), (False, [])):
        monkeypatch.setitem(
            PARTS, "jump", replace(row, measure=fails, version=10, wanted=lambda _, w=is_wanted: w)
        )
        again = Diagnosis(run, problem, only=("jump",), intervene=False)
        list(measure(again))
        assert [each for each in gather.evidence(again.context).absent if "jump" in each] == said
