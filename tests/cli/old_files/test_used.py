"""Commands go on with files of an earlier version, on copies."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landscape.store import analysis, read
from landscape.store.scans import scanfile
from landscape.store.trajectories.trajectory import MEASURES

SAID = json.loads((Path(__file__).parents[2] / "fixtures" / "0.1.0.json").read_text())
SCANS = [name for name in SAID if "/scans/" in name]
ROOTS = [
    str(Path(name).parent)
    for name in SAID
    if name.endswith("/trajectory.h5") and "interventions" not in name
]
AGAIN = 1e-4
"""How near a number is that is computed anew, elsewhere."""
Command = Callable[..., Any]
Copy = Callable[[str], Path]
Same = Callable[..., None]


def ends(run: str, name: str) -> list[float]:
    first, last = SAID[f"{run}/trajectory.h5"][name]["ends"]
    return [first, last]


def done(result: Any) -> str:
    assert result.code == 0, result.err
    return str(result.out)


@pytest.mark.slow
@pytest.mark.parametrize("name", ROOTS)
def test_info_of_a_run(landscape: Command, old: Path, name: str) -> None:
    found = json.loads(done(landscape("info", old / name, "--json")))
    assert found["snapshots"]["count"] == SAID[f"{name}/trajectory.h5"]["step"]["shape"][0]
    assert found["losses"]["start"]["train_loss"] == ends(name, "train_loss")[0]
    assert [scan["name"] for scan in found["scans"]] == sorted(
        Path(scan).stem for scan in SCANS if scan.startswith(f"{name}/")
    )
    out = done(landscape("info", old / name, "--check"))
    status = json.loads((old / name / "run.json").read_text())["status"]
    assert out.splitlines()[0] == f"{old / name}: a run, {status}"
    assert f"{ends(name, 'train_loss')[0]:.4g}" in out


def test_info_of_scans(landscape: Command, old: Path) -> None:
    for name in SCANS:
        found, said = json.loads(done(landscape("info", old / name, "--json"))), SAID[name]
        assert found["size"] == said["grid/measured"]["shape"]
        assert found["measured"] == said["grid/measured"]["sum"]
        assert found["plane"] == said["@kind"]
        axes = [said[f"grid/{axis}"]["ends"] for axis in "xy"]
        assert found["extent"] == [axis for axis in axes if axis]


def test_info_of_a_sweep(landscape: Command, old: Path) -> None:
    runs = json.loads(done(landscape("info", old / "sweep", "--json")))["runs"]
    assert [(run["name"], run["values"]) for run in runs] == [
        ("lr0.1", {"lr": 0.1}),
        ("lr1", {"lr": 1.0}),
    ]
    for run in runs:
        for measure in MEASURES[:2]:
            assert run[f"last_{measure}"] == ends(f"sweep/{run['name']}", measure)[1]


def test_an_interrupted_training_goes_on(landscape: Command, copy: Copy, same: Same) -> None:
    run = copy("interrupted")
    done(landscape("train", "--resume", run, "-q"))
    trajectory, said = read(run).trajectory, SAID["unbroken"]
    assert read(run).record["status"] == "finished"
    assert not (run / "resume.h5").exists()
    same(trajectory.step, said["step"])
    same(trajectory.kind, said["kind"])
    same(trajectory.weights(slice(None)), said["weights"], rel=AGAIN)
    same(trajectory.measures["train_loss"], said["train_loss"], rel=AGAIN)
    same(trajectory.scalars()["batch_loss"], said["steps/batch_loss"], rel=AGAIN)
    same(trajectory.sketches(), said["steps/sketch"], rel=AGAIN)


@pytest.mark.slow
def test_an_unfinished_scan_goes_on(landscape: Command, copy: Copy, same: Same) -> None:
    file = copy("learned") / "scans" / "unfinished.h5"
    before = scanfile.load(file)
    assert before.measured.sum() == 4
    options = ("--plane", "line", "--size", 9, "--seed", 5, "--strategy", "sequential")
    done(landscape("scan", file.parents[1], *options, "--name", "unfinished", "--resume", "-q"))
    after, said = scanfile.load(file), SAID["unfinished-whole"]
    assert after.complete
    for name, values in before.measures.items():
        np.testing.assert_array_equal(
            after.measures[name][before.measured], values[before.measured]
        )
        same(after.measures[name], said[f"grid/{name}"], rel=AGAIN)
    same(after.paths[0].xy, said["path/0/xy"], rel=AGAIN)
    same(after.samples_evaluated, said["@samples_evaluated"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "stored", "options"),
    [
        ("learned", "line-0-final-0", ("line:0,final", "--size", 9, "--unit", "distance")),
        ("learned", "three", ("line", "--size", 7, "--planes", 3)),
        ("watched", "line-0-final-0", ("line:0,final", "--size", 5, "--batchnorm", "interpolate")),
    ],
)
def test_a_scan_made_again_is_the_same(
    landscape: Command, copy: Copy, same: Same, run: str, stored: str, options: tuple[object, ...]
) -> None:
    folder = copy(run)
    own = ("--problem", f"{folder.parent / 'own.py'}:net") if run == "watched" else ()
    done(landscape("scan", folder, *own, "--plane", *options, "--name", "again", "-q"))
    said, again = SAID[f"{run}/scans/{stored}.h5"], scanfile.load(folder / "scans" / "again.h5")
    same(again.x, said["grid/x"], rel=AGAIN)
    same(again.plane.directions, said["plane/directions"], rel=AGAIN)
    for name, values in again.measures.items():
        same(values, said[f"grid/{name}"], rel=AGAIN)
    if again.spread is not None:
        same(again.spread.measures["train_loss"], said["spread/train_loss"], rel=AGAIN)


@pytest.mark.slow
def test_the_problem_of_an_imported_run_is_found_beside_it(landscape: Command, copy: Copy) -> None:
    run = copy("imported")
    assert not Path(read(run).record["problem"]["path"]).exists()
    asked = landscape("scan", run, "--plane", "line", "--size", 3, "-q")
    assert asked.code == 1
    assert f"it would import {run.parent / 'own.py'}:net (" in asked.err
    assert asked.err.endswith("or, if you trust this code, add --trust once\n")
    done(landscape("scan", run, "--plane", "line", "--size", 3, "-q", "--trust"))
    done(landscape("scan", run, "--plane", "line", "--size", 3, "-q", "--name", "again"))
    scan = scanfile.load(run / "scans" / "line-final-0.h5")
    recorded = ends("imported", "train_loss")[1]
    assert scan.measures["train_loss"][1] == pytest.approx(recorded, rel=AGAIN)


@pytest.mark.slow
def test_directions_of_li_et_al(landscape: Command, copy: Copy, same: Same) -> None:
    run = copy("learned")
    file = run / "exports" / "random-final-0-directions.h5"
    options = ("--size", 2, "--extent", 1, "--name", "again")
    done(landscape("scan", run, "--directions", file, *options, "-q"))
    plane = scanfile.load(run / "scans" / "again.h5").plane
    said = SAID["learned/scans/directions.h5"]
    same(plane.directions, said["plane/directions"])
    same(plane.origin, said["plane/origin"])


def kept(folder: Path) -> dict[str, Any]:
    """What shows that nothing was measured or trained again."""
    found: dict[str, Any] = {}
    for name in analysis.names(folder):
        part = analysis.load(folder, name)
        assert part is not None
        # The trainings are read again each time, which takes its own seconds.
        found[name] = part.fingerprint, name == "interventions" or part.seconds
    for file in (folder / "interventions").rglob("*.h5"):
        found[str(file)] = file.stat().st_mtime_ns
    return found


def as_it_was(marks: dict[str, Any], run: str) -> dict[str, Any]:
    """Without what today's rules ask for anew.

    Distances are read from a window now; of the run that escaped also what hangs on the row that it
    left at, which they find elsewhere.
    """
    anew = {"interventions", "distances"}
    if run == "escaped":
        anew |= {"curvature", "sharpness", "diffusion"}
    return {n: mark for n, mark in marks.items() if n not in anew and "before-onset" not in n}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "epochs", "outcome"), [("learned", 1, "learned"), ("escaped", 2, "escaped")]
)
def test_a_diagnosis_stands_on_what_was_measured(
    landscape: Command, copy: Copy, run: str, epochs: int, outcome: str
) -> None:
    folder = copy(run)
    before, written = kept(folder), (folder / "verdict.json").read_bytes()
    result = landscape("diagnose", folder, "--epochs", epochs, "--json", "-q")
    found = json.loads(done(result))
    assert found["verdict"] == outcome
    # The rules are others since then, what they rest on is what was measured.
    assert found["rests_on"]["parts"] == json.loads(written)["rests_on"]["parts"]
    now, mine = kept(folder), as_it_was(before, run)
    assert {name: now[name] for name in mine} == mine
    done(landscape("diagnose", folder, "--no-intervene", "-q"))
    again = json.loads((folder / "verdict.json").read_text())
    for verdict in (found, again):
        del verdict["rests_on"]["command"], verdict["rests_on"]["asked"]
    assert again == found


def test_a_sweep_is_diagnosed_again(landscape: Command, copy: Copy) -> None:
    folder = copy("sweep")
    before = json.loads((folder / "outcomes.json").read_text())
    assert [run["verdict"] for run in before["runs"]] == ["learned", "bouncing"]
    done(landscape("diagnose", folder, "--no-intervene", "-q"))
    found = json.loads((folder / "outcomes.json").read_text())
    # Half of its last rows are away, and it seldom comes back: neither a level that holds nor none.
    assert [run["verdict"] for run in found["runs"]] == ["learned", "undetermined"]
    losses = [run["train_loss"] for run in before["runs"]]
    assert [run["train_loss"] for run in found["runs"]] == pytest.approx(losses)


def test_figures(landscape: Command, old: Path, tmp_path: Path) -> None:
    for kind, place, said in (
        (
            "contour",
            "learned/scans/random-final-0.h5",
            "Path learned: 8.1 % of its variance lies in this plane (chance 9.1 %)",
        ),
        (
            "curve",
            "learned/scans/three.h5",
            "Loss at the origin: training 0.178, validation 0.309.",
        ),
        ("distances", "learned", "45 % at step 0, 0 % at step 46, 1.6 % at step 55."),
        ("loss", "escaped", "0.708 at step 0, lowest logged 0.244 at step 36, 0.731 at"),
        ("outcomes", "sweep", "lr 0.1: 1 learned (3 % to 100 %), median training loss 0.195."),
    ):
        figure = tmp_path / f"{kind}.png"
        done(landscape("render", old / place, "--kind", kind, "-o", figure, "-q"))
        assert figure.read_bytes().startswith(b"\x89PNG")
        caption = (tmp_path / f"{kind}.caption.txt").read_text()
        assert said in caption


def columns(file: Path) -> dict[str, list[float]]:
    with file.open() as opened:
        rows = list(csv.DictReader(opened))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def test_exports(landscape: Command, old: Path, tmp_path: Path) -> None:
    name = "learned/scans/tolerance.h5"
    done(landscape("export", old / name, "--to", "csv", "-o", tmp_path / "csv"))
    found = columns(tmp_path / "csv" / "tolerance-grid.csv")
    scan = scanfile.load(old / name)
    for measure, values in scan.measures.items():
        assert found[measure] == values.ravel().tolist()
    done(landscape("export", old / "escaped", "--to", "npz", "-o", tmp_path / "npz"))
    with np.load(tmp_path / "npz" / "trajectory.npz") as arrays:
        trajectory = read(old / "escaped").trajectory
        np.testing.assert_array_equal(arrays["train_loss"], trajectory.measures["train_loss"])
    # A surface file of Li et al.'s scripts, as it was exported.
    surface = old / "learned" / "exports" / "random-final-0-surface.h5"
    done(landscape("export", surface, "--to", "csv", "-o", tmp_path / "li"))
    found = columns(tmp_path / "li" / "random-final-0-surface-grid.csv")
    stored = scanfile.load(old / "learned" / "scans" / "random-final-0.h5")
    assert found["train_loss"] == stored.measures["train_loss"].ravel().tolist()


def test_the_page(landscape: Command, old: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done(landscape("view", old / "learned", "--no-open", "-o", page))
    html = page.read_text()
    for scan in SCANS:
        if scan.startswith("learned/") and "unfinished" not in scan:
            assert f'"name":"{Path(scan).stem}"' in html
