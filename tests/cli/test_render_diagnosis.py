from __future__ import annotations

import shutil

import pytest

from landscape.store import analysis

SWEEP = ("--model", "mlp", "--data", "moons", "--depth", 1, "--width", 8, "--epochs", 2)
PARTS = "units,distances,permutations,diffusion,sharpness,interventions,connectivity"
FIGURES = ("distances", "msd", "barriers", "sharpness", "units", "replicas")


@pytest.fixture(scope="module")
def diagnosed(landscape, tmp_path_factory):
    """A run whose parts are there; tests must not change it."""
    folder = tmp_path_factory.mktemp("diagnosed") / "run"
    options = ("--depth", 1, "--width", 8, "--epochs", 6, "--lr", 0.3, "--momentum", 0.5)
    assert landscape("train", *SWEEP[:4], *options, "-o", folder, "-q").code == 0
    result = landscape("diagnose", folder, "--only", PARTS, "--epochs", 2, "-q")
    assert result.code == 0, result.err
    assert {"units", "connectivity", "interventions"} <= set(analysis.names(folder))
    return folder


@pytest.fixture(scope="module")
def swept(landscape, tmp_path_factory):
    folder = tmp_path_factory.mktemp("swept") / "sweep"
    assert landscape("train", *SWEEP, "--lr", "0.01,0.3", "-o", folder, "-q").code == 0
    assert landscape("diagnose", folder, "--only", "units", "-q").code == 0
    return folder


def test_a_diagnosed_run_is_drawn_with_its_diagnosis(landscape, diagnosed, tmp_path):
    result = landscape("render", diagnosed, "-o", tmp_path, "--format", "png", "-q")
    assert result.code == 0, result.err
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    assert drawn == {"loss", *FIGURES}
    for name in FIGURES:
        caption = (tmp_path / f"{name}.caption.txt").read_text()
        assert "run run (" in caption
        assert "Training: learning rate 0.3, momentum 0.5, batch 32, seed 0." in caption
        assert "Command: " in caption


@pytest.mark.parametrize("kind", FIGURES)
def test_each_kind_is_made_again_to_the_byte(landscape, diagnosed, tmp_path, kind):
    figure = tmp_path / f"{kind}.png"
    made = landscape("render", diagnosed, "--kind", kind, "--width", "3.25in", "-o", figure, "-q")
    assert made.code == 0, made.err
    result = landscape("render", diagnosed, "--reproduce", figure)
    assert (result.code, result.err) == (0, "the same bytes as before\n")


def test_what_changed_since_is_refused(landscape, diagnosed, tmp_path):
    run, figure = shutil.copytree(diagnosed, tmp_path / "run"), tmp_path / "units.png"
    assert landscape("render", run, "--kind", "units", "-o", figure, "-q").code == 0
    part = analysis.load(run, "units")
    values = {**part.values, "sizes": part.values["sizes"] * 2}
    analysis.save(run, analysis.StoredPart("units", "another", 1.0, values))
    result = landscape("render", run, "--reproduce", figure)
    assert result.code == 1
    assert "units.png needs run.json of run run as it was" in result.err


def test_a_part_that_was_not_measured(landscape, trained, tmp_path):
    result = landscape("render", trained, "--kind", "msd", "-o", tmp_path)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: {trained} must have diffusion measured, its analysis has nothing; "
        f"measure it with `landscape diagnose {trained} --only diffusion`\n"
    )


def test_a_sweep_is_drawn_with_its_outcomes(landscape, swept, tmp_path):
    result = landscape("render", swept, "--kind", "outcomes", "-q")
    assert result.code == 0, result.err
    figure = swept / "figures" / "outcomes.png"
    assert figure.is_file()
    assert landscape("render", "--reproduce", figure).err == "the same bytes as before\n"
    every = landscape("render", swept, "-q")
    assert every.code == 0, every.err
    assert (swept / "lr0.3" / "figures" / "units.png").is_file()


def test_outcomes_are_a_sweeps(landscape, trained, tmp_path):
    result = landscape("render", trained, "--kind", "outcomes", "-o", tmp_path)
    assert result.code == 1
    assert result.err == (
        f"landscape: error: outcomes are drawn of a sweep, got {trained}; make one with several "
        "values, `landscape train --lr 0.01,0.1`\n"
    )
