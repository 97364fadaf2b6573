from __future__ import annotations

import pytest

from landscape.store.scans import scanfile

from .conftest import MEASURE

SMALL = ("--model", "mlp", "--data", "moons", "--width", 8, "--epochs", 2, "--quiet")


@pytest.mark.slow
def test_the_table_shows_the_width_of_runs_that_were_scanned(landscape, tmp_path):
    sweep = tmp_path / "sweep"
    assert landscape("train", *SMALL, "--lr", "0.1,0.3", "-o", sweep).code == 0
    assert "r0.1" not in landscape("info", sweep).out
    run = sweep / "lr0.3"
    options = ("--plane", "line", "--planes", 3, "--size", 9, "--quiet")
    assert landscape(*MEASURE, run, *options).code == 0
    [file] = (run / "scans").glob("*.h5")
    found = scanfile.load(file).findings["width"]
    head, without, with_width = landscape("info", sweep).out.splitlines()[-3:]
    assert "r0.1 (quartiles)" in head
    cells = [
        f">{found['reach']:.3g}" if found[name] is None else f"{found[name]:.3g}"
        for name in ("median", "lower", "upper")
    ]
    assert "{} ({}-{})".format(*cells) in with_width
    assert "  -  " in without
    # Of other weights than the last ones only where there is none of those, and then it is said.
    other = sweep / "lr0.1"
    for folder in (run, other):
        early = ("--plane", "line", "--planes", 4, "--size", 9, "--at", 0, "--quiet")
        assert landscape(*MEASURE, folder, *early).code == 0
    _, early, late = landscape("info", sweep).out.splitlines()[-3:]
    assert " of step 0  " in early
    assert late.split() == with_width.split()
    assert " of step " not in late
    # At a reach of 1e7 the finest radius is 305: the loss has risen there already.
    wide = ("--plane", "line", "--planes", 4, "--size", 3, "--extent", "1e7", "--name", "wide")
    assert landscape(*MEASURE, run, *wide, "--quiet").code == 0
    assert "<305 (<305-<305)" in landscape("info", sweep).out.splitlines()[-1]
