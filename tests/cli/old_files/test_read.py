"""Files of an earlier version are read as they were written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landscape.store import analysis, read
from landscape.store.check import verify
from landscape.store.scans import scanfile
from landscape.store.scans.records import Scan
from landscape.store.trajectories.trajectory import Event, Trajectory

SAID = json.loads((Path(__file__).parents[2] / "fixtures" / "0.1.0.json").read_text())
"""Of each HDF5 file a summary of each data set, as h5py alone reads it."""
SCANS = [name for name in SAID if "/scans/" in name]
RUNS = [str(Path(name).parent) for name in SAID if name.endswith("/trajectory.h5")]
ANALYSES = [str(Path(name).parent) for name in SAID if name.endswith("analysis.h5")]
Same = Callable[..., None]


def assert_holds(found: Mapping[str, Any], said: Mapping[str, Any], same: Same) -> None:
    """All data sets were read, and as they are."""
    assert found.keys() == {name for name in said if not name.startswith("@")}
    now = named_now(said)
    for name, values in found.items():
        same(values, now[name])


def named_now(said: Mapping[str, Any]) -> dict[str, Any]:
    """With spikes of batches, which no loss over all data shows, by the name they have since."""
    found = dict(said)
    for place in (name for name in said if name.endswith("events/name")):
        triggers = said[place.replace("events/name", "events/trigger")]["text"]
        names = [
            "batch spike" if name == "spike" and "train_loss" not in trigger else name
            for name, trigger in zip(said[place]["text"], triggers, strict=True)
        ]
        found[place] = {**said[place], "text": names}
    return found


def of_events(events: tuple[Event, ...]) -> dict[str, Any]:
    if not events:
        return {}
    fields = ("name", "trigger", "first", "last")
    return {f"events/{field}": [getattr(event, field) for event in events] for field in fields}


def of_trajectory(trajectory: Trajectory) -> dict[str, Any]:
    """What is read of a trajectory, by the names in its file."""
    found = {"step": trajectory.step, "kind": trajectory.kind, **trajectory.measures}
    found |= {"weights": trajectory.part(slice(None)), **of_events(trajectory.events)}
    rows = [trajectory.buffers(row) for row in range(len(trajectory.step))]
    found |= {f"buffers/{name}": np.stack([row[name] for row in rows]) for name in rows[0]}
    found |= {f"steps/{name}": values for name, values in trajectory.scalars().items()}
    if len(sketches := trajectory.sketches()):
        found["steps/sketch"] = sketches
    if len(steps := trajectory.velocity_step):
        found["velocity_step"] = steps
        found["velocity"] = np.stack([trajectory.velocity(step) for step in steps])
    return found


def without_nothing(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without events, where there were none: they are read as none."""
    empty = {name for name in said if name.startswith("events/") and said[name]["shape"] == [0]}
    return {name: value for name, value in said.items() if name not in empty}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_trajectory(old: Path, name: str, same: Same) -> None:
    said = without_nothing(SAID[f"{name}/trajectory.h5"])
    run = read(old / name)
    assert_holds(of_trajectory(run.trajectory), said, same)
    for parameter in run.trajectory.parameters:
        assert set(parameter) == {"name", "shape", "offset"}
    assert run.record == json.loads((old / name / "run.json").read_text())
    assert verify(old / name) == []


def of_scan(scan: Scan) -> dict[str, Any]:
    """What is read of a scan, by the names in its file."""
    plane, axes = scan.plane, "xy"[: len(scan.plane.directions)]
    found: dict[str, Any] = {"plane/origin": plane.origin, "plane/directions": plane.directions}
    found |= {f"plane/buffers/{name}": value for name, value in plane.buffers.items()}
    for number, anchor in enumerate(plane.anchors):
        found[f"plane/anchors/{number}/xy"] = anchor.xy
        for name, value in anchor.buffers.items():
            found[f"plane/anchors/{number}/buffers/{name}"] = value
    found |= {"grid/x": scan.x, "grid/y": scan.y, "grid/measured": scan.measured}
    found |= {f"grid/{name}": values for name, values in scan.measures.items()}
    found |= {f"grid/{name}_error": values for name, values in scan.errors.items()}
    found |= {f"subset/{name}": values for name, values in scan.subset.items()}
    found["points/name"] = [point.name for point in scan.points]
    found["points/step"] = [point.step for point in scan.points]
    for axis, letter in enumerate(axes):
        found[f"points/{letter}"] = [point.xy[axis] for point in scan.points]
    for number, path in enumerate(scan.paths):
        for name in ("step", "xy", "distance_from_plane", "true_loss", "plane_loss"):
            found[f"path/{number}/{name}"] = getattr(path, name)
        for name, values in of_events(path.events).items():
            found[f"path/{number}/{name}"] = values
    if scan.spread is not None:
        spread = scan.spread
        found |= {"spread/seeds": spread.seeds, "spread/measured": spread.measured}
        found |= {"spread/lengths": spread.lengths}
        found |= {f"spread/{name}": values for name, values in spread.measures.items()}
    if scan.certificate is not None:
        seen = scan.certificate
        found |= {f"certificate/{letter}": seen.xy[:, axis] for axis, letter in enumerate(axes)}
        found |= {f"certificate/{name}_predicted": one for name, one in seen.predicted.items()}
        found |= {f"certificate/{name}_measured": one for name, one in seen.measured.items()}
    return found


@pytest.mark.parametrize("name", SCANS)
def test_a_scan(old: Path, name: str, same: Same) -> None:
    said, scan = SAID[name], scanfile.load(old / name)
    assert_holds(of_scan(scan), said, same)
    for attribute in ("kind", "unit", "seed", "normalization", "ignored", "batchnorm"):
        same(getattr(scan.plane, attribute), said[f"@{attribute}"])
    for attribute in ("complete", "constant_loss", "run_id", "run_name", "tolerance"):
        same(getattr(scan, attribute), said[f"@{attribute}"])
    for attribute in ("samples", "strategy", "settings", "findings", "provenance"):
        assert getattr(scan, attribute) == json.loads(said[f"@{attribute}"])
    same(scan.remarks, said["@remarks"])


def flat(values: Any, said: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    """A part's values by the names of their data sets."""
    if place in said or not isinstance(values, dict | list):
        yield place, values
        return
    items = values.items() if isinstance(values, dict) else enumerate(values)
    for name, value in items:
        yield from flat(value, said, f"{place}/{str(name).replace('%', '%25').replace('/', '%2F')}")


@pytest.mark.parametrize("name", ANALYSES)
def test_an_analysis(old: Path, name: str, same: Same) -> None:
    folder, said = old / name, SAID[f"{name}/analysis.h5"]
    found: dict[str, Any] = {}
    for part in analysis.names(folder):
        loaded = analysis.load(folder, part)
        found |= dict(flat(loaded.values, said, part))
    assert_holds(found, said, same)
