"""Pictures into files: one caption whatever the number of subjects."""

from __future__ import annotations

import math
from dataclasses import replace

from landscape.draw import making
from landscape.quantities import percent
from landscape.store.scans import scanfile


def test_a_figure_of_several_planes_has_one_caption(planted, tmp_path):
    works = []
    for name, scan in (("a", planted.escape(5, 5)), ("b", planted.bowl(5, 5))):
        scanfile.save(tmp_path / f"{name}.h5", replace(scan, run_name=name))
        works.append(making.open_work(tmp_path / f"{name}.h5"))
    making.make("map", works, tmp_path / "map", formats=("svg",))
    ready, reading, details = (tmp_path / "map.caption.txt").read_text().split("\n\n")
    paths = [path for scan in (planted.escape(5, 5), planted.bowl(5, 5)) for path in scan.paths]
    both = [pair for path in paths for pair in zip(path.true_loss, path.plane_loss, strict=True)]
    known = [(true, plane) for true, plane in both if math.isfinite(true + plane)]
    far = sum(abs(plane - true) > 0.1 * true for true, plane in known)
    assert ready == (
        "Training losses on one scale, on the plane through the final weights (step 4,500) of run "
        "a (x: best → end; y: random direction, orthogonal to it); on the plane through the final "
        "weights (step 4,500) of run b (x: random direction 1; y: random direction 2). The "
        "trainings' paths are projected: the planes hold 62 % to 93 % of their variance; "
        "the paths are dashed, their marks hollow, where a plane's loss is over 10 % off that of "
        f"the weights themselves (at {percent(far / len(known))} of {len(known)} points)."
    )
    assert reading == (
        "Colours: the loss, on one scale for all and grey beyond its end, behind a bold line; "
        "thin lines: equal loss, at the bar's ticks; faint ones: halfway between two ticks; "
        "lines: the paths."
    )
    assert [line.split(" on a plane")[0] for line in details.strip().split("\n")] == [
        "Mean loss over 1,437 training and 360 validation samples"
    ] * 2
    assert (tmp_path / "map.caption.tex").read_text().startswith(r"\caption{Training losses on one")
