"""A new kind of plane and a new normalization are scanned by their rows alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from landscape.errors import LandscapeError
from landscape.plane.kinds import KINDS, PlaneKind
from landscape.plane.normalization import NORMALIZATIONS, Normalization
from landscape.plane.random import random
from landscape.scan.prepare import prepare
from landscape.store.scans.sentences import describe

from .requests import asked, but

EXTENT = "extent is -0.5:0.5:-0.5:0.5, got -1:1:-1:1; leave --extent out"


@pytest.fixture
def _ours(monkeypatch):
    """A kind of its own: random planes, half as far."""

    def make(given):
        choice = given.choice
        options = {"seed": choice.seed, "normalize": choice.normalize}
        return replace(random(given.trajectory, at=given.at, **options), kind="ours")

    row = PlaneKind(make, takes=frozenset({"at", "seed", "normalize", "planes"}), extent="0.5")
    monkeypatch.setitem(KINDS, "ours", row)


@pytest.mark.usefixtures("_ours")
def test_a_kind_of_plane(problem, trained, finish):
    made = problem()
    run = trained(made)
    request = asked(kinds=("ours",), size="3", at="best", planes=2)
    [job] = prepare(run, made, request)
    assert job.path.name == "ours-best-0.h5"
    next(job.run())
    [job] = prepare(run, made, request, resume=True)
    scan = finish(job)
    assert scan.x.tolist() == [-0.5, 0, 0.5]
    assert scan.spread.measured.all()
    assert scan.findings["width"]["rays"] == 8
    assert describe(scan)[0].startswith("A plane of kind ours through the best weights")
    for change, said in (
        ({"seed": 1}, "seed is 0, got 1; give --seed 0"),
        ({"extent": "1"}, EXTENT),
    ):
        with pytest.raises(LandscapeError) as caught:
            prepare(run, made, but(request, **change), name="ours-best-0", resume=True)
        assert str(caught.value) == (
            f"resume needs the settings that {job.path} was started with, its {said}, "
            "or drop --resume and give another --name"
        )


@pytest.mark.parametrize("compares", [True, False])
def test_a_normalization(problem, trained, finish, monkeypatch, compares):
    row = Normalization(lambda d, w: 2 * d, "half standard deviations", "doubled", compares)
    monkeypatch.setitem(NORMALIZATIONS, "double", row)
    made = problem()
    [job] = prepare(trained(made), made, asked(kinds=("line",), size="5", normalize="double"))
    scan = finish(job)
    assert scan.plane.unit == "half standard deviations"
    assert ("width" in scan.findings) == compares
    if compares:
        assert scan.findings["width"]["unit"] == "half standard deviations"
