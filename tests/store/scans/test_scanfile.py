from __future__ import annotations

import json
from dataclasses import fields, replace

import h5py
import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.store.hdf5 import write
from landscape.store.scans import scanfile
from landscape.store.scans.attributes import MeasureInfo
from landscape.store.scans.records import Path, Plane, Point, Scan, Spread

from ...sealing import sealed

NAN, INF = float("nan"), float("inf")
OWN = {
    "train_loss_wall": MeasureInfo("loss", "train", "nat", "wall"),
    "train_top5": MeasureInfo("accuracy", "train", "share"),
    "train_word_error": MeasureInfo("other", "train"),
    "score": MeasureInfo("other", unit="points"),
}


def plane(*, line: bool = False) -> Plane:
    rng = np.random.default_rng(0)
    return Plane(
        kind="line" if line else "along",
        origin=rng.normal(size=7).astype(np.float32),
        directions=rng.normal(size=(1 if line else 2, 7)).astype(np.float32),
        labels=("best → end",) if line else ("best → end", "random direction"),
        unit="distance in weight space",
        buffers={
            "bn.running_mean": np.arange(3, dtype=np.float32),
            "bn.num_batches_tracked": np.array(12),
        },
        seed=5,
        normalization="filter",
        ignored="1-D",
        origin_step=40,
        origin_name="best",
        batchnorm="recompute",
    )


def path(name: str, dimensions: int = 2) -> Path:
    rng = np.random.default_rng(len(name))
    return Path(
        name=name,
        run_id="abc",
        step=np.array([0, 3, 9]),
        xy=rng.normal(size=(3, dimensions)),
        distance_from_plane=np.array([1.5, 0.0, 2.0]),
        true_loss=np.array([2.3, NAN, INF]),
        plane_loss=np.array([2.2, 1.0, NAN]),
        share_in_plane=0.25,
        chance=2 / 7,
    )


def scan(*, line: bool = False) -> Scan:
    """3 by 5 points (a line: 3): NaN and infinity measured, one point not measured."""
    shape = (3,) if line else (3, 5)
    loss = np.arange(np.prod(shape), dtype=float).reshape(shape) / 7
    measured = np.ones(shape, bool)
    loss.flat[0], loss.flat[1], loss.flat[2], measured.flat[2] = NAN, INF, NAN, False
    names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    return Scan(
        plane=plane(line=line),
        x=np.linspace(-1, 1, 3),
        y=np.empty(0) if line else np.linspace(-0.1, 2, 5),
        measures={name: loss + i for i, name in enumerate(names)},
        measured=measured,
        points=(
            Point("start", (0.25,) if line else (0.25, -1.0), 0),
            Point("end", (0.5,) if line else (0.5, 3.0), 40),
        ),
        paths=(path("run", 1 if line else 2),),
        constant_loss=2.302,
        run_id="abc",
        run_name="high-lr",
        samples={"train": 1437, "validation": 360},
        strategy={"name": "sequential", "batch_size": 125, "threads": 2},
        evaluation_seconds=12.5,
        choosing_seconds=0.5,
        samples_evaluated=1797 * 14,
        provenance={"command": "landscape scan", "versions": {"torch": "2"}},
    )


def assert_equal(found: object, expected: object) -> None:
    """Field by field, to the bit and the type."""
    assert type(found) is type(expected)
    if hasattr(expected, "__dataclass_fields__"):
        for field in fields(expected):
            assert_equal(getattr(found, field.name), getattr(expected, field.name))
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, dict):
        assert set(found) == set(expected)
        for name in expected:
            assert_equal(found[name], expected[name])
    elif isinstance(expected, tuple):
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected, strict=True):
            assert_equal(mine, theirs)
    elif expected != expected:  # NaN
        assert found != found
    else:
        assert found == expected


def saved(tmp_path, content: Scan):
    file = tmp_path / "scan.h5"
    scanfile.save(file, content)
    return file


@pytest.mark.parametrize("line", [False, True], ids=["plane", "line"])
def test_round_trip(tmp_path, line):
    assert_equal(scanfile.load(saved(tmp_path, scan(line=line))), scan(line=line))


@pytest.mark.parametrize("line", [False, True], ids=["plane", "line"])
def test_round_trip_of_several_planes(tmp_path, line):
    one = scan(line=line)
    spread = Spread(
        seeds=np.array([5, 6]),
        measures={name: np.stack([loss, loss + 1]) for name, loss in one.measures.items()},
        measured=np.stack([one.measured, ~one.measured]),
        lengths=np.array([[1.5], [2.5]] if line else [[1.5, 1.0], [2.5, 2.0]]),
    )
    several = replace(one, spread=spread)
    assert_equal(scanfile.load(saved(tmp_path, several)), several)


@pytest.fixture
def in_pieces(monkeypatch):
    """Files of as few weights as here are written as those of many."""
    monkeypatch.setattr(scanfile, "LARGE", 0)
    monkeypatch.setattr(scanfile, "write", lambda path, fill: pytest.fail("was made in memory"))


@pytest.mark.parametrize("line", [False, True], ids=["plane", "line"])
def test_round_trip_of_many_weights(tmp_path, in_pieces, line):
    assert_equal(scanfile.load(saved(tmp_path, scan(line=line))), scan(line=line))


def test_full_disk_leaves_the_scan_of_many_weights_before(tmp_path, in_pieces, full_disk):
    test_full_disk_leaves_the_scan_before(tmp_path, full_disk)


def test_what_measures_are_is_written_and_not_told_by_their_names(tmp_path):
    """A measure may end as errors do; old files say no more than the name."""
    rich = scan()
    values = {name: rich.measures["train_loss"] + i for i, name in enumerate(OWN)}
    rich = replace(
        rich,
        measures={**rich.measures, **values},
        attributes=OWN,
        errors={"train_loss": values["train_word_error"], "score": values["score"]},
    )
    file = saved(tmp_path, rich)
    found = scanfile.load(file)
    assert_equal(found, rich)
    assert found.of_kind("loss") == ["train_loss", "train_loss_wall", "validation_loss"]
    assert found.of_kind("accuracy") == ["train_accuracy", "train_top5", "validation_accuracy"]
    with h5py.File(file, "r+") as opened:
        grid = opened["grid"]
        assert dict(grid["train_loss_wall"].attrs) == {
            "kind": "loss",
            "role": "train",
            "unit": "nat",
            "term": "wall",
        }
        assert dict(grid["score_error"].attrs) == {"error_of": "score"}
        for name in grid:
            for attribute in list(grid[name].attrs):
                del grid[name].attrs[attribute]
    sealed(file)
    old = scanfile.load(file)
    assert old.attributes == {}
    assert set(old.errors) == {"train_loss", "score", "train_word"}
    assert old.measure("validation_accuracy") == MeasureInfo("accuracy", "validation")
    assert old.measure("train_loss") == MeasureInfo("loss", "train")
    assert old.measure("score") == MeasureInfo("other")


def test_round_trip_of_the_least(tmp_path):
    """No points, paths, buffers or validation data."""
    least = Scan(
        plane=replace(plane(), buffers={}),
        x=np.array([0.0]),
        y=np.array([0.0]),
        measures={"train_loss": np.array([[NAN]])},
        measured=np.array([[False]]),
    )
    found = scanfile.load(saved(tmp_path, least))
    assert np.isnan(found.constant_loss)
    assert_equal(replace(found, constant_loss=0.0), replace(least, constant_loss=0.0))


def test_more_than_ten_paths_keep_their_order(tmp_path):
    many = replace(scan(), paths=tuple(path(f"run {i}") for i in range(12)))
    found = scanfile.load(saved(tmp_path, many))
    assert [p.name for p in found.paths] == [f"run {i}" for i in range(12)]


def test_plain_h5py_reads_the_contract(tmp_path):
    expected = scan()
    with h5py.File(saved(tmp_path, expected), "r") as file:
        attributes = dict(file.attrs)
        u, v = expected.plane.directions.astype(float)
        assert attributes["cosine"] == pytest.approx(u @ v / np.sqrt(u @ u * (v @ v)))
        assert {
            name: attributes[name]
            for name in (
                *("format", "version", "kind", "normalization", "ignored", "seed"),
                *("origin_step", "evaluation_seconds", "choosing_seconds"),
                *("samples_evaluated", "tolerance", "batchnorm", "complete"),
            )
        } == {
            "format": "landscape-scan",
            "version": 1,
            "kind": "along",
            "normalization": "filter",
            "ignored": "1-D",
            "seed": 5,
            "origin_step": 40,
            "evaluation_seconds": 12.5,
            "choosing_seconds": 0.5,
            "samples_evaluated": 1797 * 14,
            "tolerance": 0.0,
            "batchnorm": "recompute",
            "complete": False,
        }
        assert json.loads(attributes["strategy"])["name"] == "sequential"
        np.testing.assert_array_equal(file["plane/origin"], expected.plane.origin)
        assert file["plane/directions"].shape == (2, 7)
        assert file["plane/buffers/bn.num_batches_tracked"][()] == 12
        assert file["grid/x"].shape == (3,)
        assert file["grid/y"].shape == (5,)
        assert file["grid/train_loss"].dtype == np.float64
        assert file["grid/train_loss"][2, 1] == 11 / 7  # [i, j]: x by the first index.
        assert file["grid/measured"].dtype == bool
        # To do is NaN and not measured; a loss that is NaN or infinite is measured.
        np.testing.assert_array_equal(file["grid/train_loss"][0, :3], [NAN, INF, NAN])
        assert file["grid/measured"][0, :3].tolist() == [True, True, False]
        assert file["points/name"].asstr()[:].tolist() == ["start", "end"]
        assert file["points/x"][:].tolist() == [0.25, 0.5]
        assert file["points/y"][:].tolist() == [-1.0, 3.0]
        assert file["points/step"][:].tolist() == [0, 40]
        assert file["path/0"].attrs["name"] == "run"
        assert file["path/0"].attrs["run_id"] == "abc"
        assert file["path/0/xy"].shape == (3, 2)
        assert set(file["path/0"]) == {
            *("step", "xy", "distance_from_plane", "true_loss", "plane_loss")
        }


def test_which_losses_of_a_path_are_interpolated_comes_back(tmp_path):
    guessed = np.array([False, True, False])
    content = replace(scan(), paths=(replace(path("run"), interpolated=guessed), path("twin")))
    there = saved(tmp_path, content)
    with h5py.File(there, "r") as file:
        assert file["path/0/interpolated"].dtype == bool
        assert "interpolated" not in file["path/1"]
    found = [one.interpolated.tolist() for one in scanfile.load(there).paths]
    assert found == [[False, True, False], [False] * 3]


def test_line_has_no_second_axis(tmp_path):
    with h5py.File(saved(tmp_path, scan(line=True)), "r") as file:
        assert file["plane/directions"].shape == (1, 7)
        assert file["grid/train_loss"].shape == (3,)
        assert file["points/x"][:].tolist() == [0.25, 0.5]
        assert "y" not in file["points"]
        assert file.attrs["cosine"] == 0.0


@pytest.mark.parametrize("complete", [False, True])
def test_complete_is_when_all_is_measured(tmp_path, complete):
    content = replace(scan(), measured=np.full((3, 5), True))
    content.measured[2, 4] = complete
    with h5py.File(saved(tmp_path, content), "r") as file:
        assert bool(file.attrs["complete"]) is complete
    assert scanfile.load(tmp_path / "scan.h5").complete is complete


def test_full_disk_leaves_the_scan_before(tmp_path, full_disk):
    file = saved(tmp_path, scan())
    with full_disk(), pytest.raises(LandscapeError) as caught:
        scanfile.save(file, replace(scan(), run_name="other"))
    assert str(caught.value) == (
        f"{file} must be writable, got: No space left on device; it is as it was before"
    )
    assert_equal(scanfile.load(file), scan())
    assert [entry.name for entry in tmp_path.iterdir()] == ["scan.h5"]


def test_missing_part(tmp_path):
    file = saved(tmp_path, scan())
    with h5py.File(file, "a") as opened:
        del opened["grid/measured"]
    sealed(file)
    with pytest.raises(LandscapeError) as caught:
        scanfile.load(file)
    assert str(caught.value) == (
        f"{file} must be whole, grid/measured must be in it, it isn't; put it back from a copy"
    )


def test_other_file(tmp_path):
    file = tmp_path / "scan.h5"
    with pytest.raises(LandscapeError) as caught:
        scanfile.load(file)
    assert str(caught.value) == f"file {file} must exist, found none"
    write(file, lambda opened: opened.attrs.update({"format": "landscape-trajectory"}))
    with pytest.raises(LandscapeError) as caught:
        scanfile.load(file)
    assert str(caught.value) == (
        f"{file} must be of format landscape-scan, got landscape-trajectory"
    )
