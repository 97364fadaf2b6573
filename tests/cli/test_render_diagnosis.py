from __future__ import annotations

import re
import shutil
from dataclasses import replace

import pytest

from landscape import draw
from landscape.draw import KINDS, Style
from landscape.errors import LandscapeError
from landscape.store import analysis
from landscape.store.diagnosed import Diagnosed
from landscape.store.history import History

SWEEP = ("--model", "mlp", "--data", "moons", "--depth", 1, "--width", 8, "--epochs", 2)
PARTS = "units,distances,permutations,diffusion,sharpness,interventions,connectivity"
FIGURES = ("distances", "msd", "barriers", "sharpness", "units", "trainings")

TRAINED = (
    "Training: model mlp, data moons, depth 1, width 8, learning rate 0.3, momentum 0.5, batch 32, "
    "seed 0."
)


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


@pytest.mark.slow
def test_a_diagnosed_run_is_drawn_with_its_diagnosis(landscape, diagnosed, tmp_path):
    result = landscape("render", diagnosed, "-o", tmp_path, "--format", "png", "-q")
    assert result.code == 0, result.err
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    assert drawn == {"loss", *FIGURES}
    for name in FIGURES:
        caption = (tmp_path / f"{name}.caption.txt").read_text()
        *parts, details = caption.split("\n\n")
        ready = " ".join(parts)
        assert " run run" in ready
        assert len(re.findall(r"[.] (?=[A-Z])", ready)) < 8
        assert not re.search(r"--[a-z]|landscape [a-z]", ready)
        assert TRAINED in details
        assert re.search(r"Command: |Made in Python[.]", details)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FIGURES)
def test_each_kind_is_made_again_to_the_byte(landscape, diagnosed, tmp_path, kind):
    figure = tmp_path / f"{kind}.png"
    made = landscape("render", diagnosed, "--kind", kind, "--width", "3.25in", "-o", figure, "-q")
    assert made.code == 0, made.err
    result = landscape("render", diagnosed, "--reproduce", figure)
    assert (result.code, result.err) == (0, "the same bytes as before\n")


CHANGED = (
    ("theme", "dark"),
    ("width", 6.1),
    ("dpi", 77),
    ("cmap", "magma"),
    ("log", False),
    ("log", True),
    ("cap", 0.2),
    ("levels", 5),
    ("camera", (20.0, 70.0)),
    ("transparent", True),
    ("path", False),
    ("title", "A title"),
    ("renderer", "matplotlib"),
    ("bare", True),
)
"""Values other than the default of each field of a style."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*FIGURES, "outcomes", "loss"])
def test_what_a_kind_says_it_takes_shows_and_nothing_else(diagnosed, swept, tmp_path, kind):
    subject = draw.open_work(swept if kind == "outcomes" else diagnosed, kind).subject
    # All losses are below the constant output's, which would stand on the axis whatever the cap.
    if isinstance(subject, Diagnosed):
        subject = replace(subject, history=replace(subject.history, constant_loss=float("nan")))
    if isinstance(subject, History):
        subject = replace(subject, constant_loss=float("nan"))

    def pixels(**chosen) -> bytes:
        style = Style(**chosen)
        try:
            figure = KINDS[kind](subject, style=style)
        except LandscapeError as refused:
            return str(refused).encode()
        files = draw.save(figure, tmp_path / "a", formats=("png",), caption="", style=style)
        return files[0].read_bytes()

    plain = pixels()
    shows = {name for name, value in CHANGED if pixels(**{name: value}) != plain}
    assert shows == set(KINDS[kind].takes)


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


@pytest.mark.slow
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
