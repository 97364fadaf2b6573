from __future__ import annotations

import shutil

import pytest

from landscape.draw import recipe
from landscape.draw.solid import film
from landscape.store.scans import scanfile


@pytest.fixture(scope="module")
def scanned(trained, planted, tmp_path_factory):
    run = shutil.copytree(trained, tmp_path_factory.mktemp("filmed") / "run")
    scanfile.save(run / "scans" / "random-final-0.h5", planted.random(5, 5))
    return run


@pytest.mark.slow
def test_a_film_of_a_run(landscape, scanned, monkeypatch):
    monkeypatch.setitem(film.write.__kwdefaults__, "frames", 3)
    result = landscape("render", scanned, "--kind", "film")
    assert result.code == 0, result.err
    figures = scanned / "figures"
    made = [figures / f"random-final-0-film.{ending}" for ending in ("mp4", "caption.txt")]
    assert result.out.split() == [str(file) for file in made]
    assert made[0].read_bytes()[4:8] == b"ftyp"
    assert made[1].read_text().startswith("Training loss on the plane through ")


def test_a_gif_by_its_name(landscape, scanned, tmp_path, monkeypatch):
    monkeypatch.setitem(film.write.__kwdefaults__, "frames", 2)
    target = tmp_path / "orbit.gif"
    result = landscape("render", scanned, "--kind", "film", "-o", target)
    assert result.code == 0, result.err
    assert target.read_bytes()[:6] == b"GIF89a"


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_film_is_made_again_from_its_recipe(landscape, scanned, monkeypatch, ending):
    monkeypatch.setitem(film.write.__kwdefaults__, "frames", 2)
    options = ("--camera", "-60,40", "--theme", "dark", "--width", "6in")
    result = landscape("render", scanned, "--kind", "film", "--format", ending, *options)
    assert result.code == 0, result.err
    made = scanned / "figures" / f"random-final-0-film.{ending}"
    before, style = made.read_bytes(), recipe.read(made).style
    assert style == {"camera": [-60.0, 40.0], "theme": "dark", "width": 6.0}
    made.with_suffix(".caption.txt").unlink()
    again = landscape("render", "--reproduce", made, "-q")
    assert (again.code, again.err) == (0, "the same bytes as before\n")
    assert made.read_bytes() == before
    assert made.with_suffix(".caption.txt").is_file()


@pytest.mark.slow
def test_a_film_of_a_scan_that_has_changed(landscape, scanned, planted, monkeypatch, tmp_path):
    monkeypatch.setitem(film.write.__kwdefaults__, "frames", 2)
    run = shutil.copytree(scanned, tmp_path / "run")
    result = landscape("render", run, "--kind", "film", "--format", "gif")
    assert result.code == 0, result.err
    scanfile.save(run / "scans" / "random-final-0.h5", planted.random(5, 6))
    again = landscape("render", "--reproduce", run / "figures" / "random-final-0-film.gif")
    assert again.code == 1
    assert again.err == (
        "landscape: error: random-final-0-film.gif needs scans/random-final-0.h5 of run high-lr as "
        f"it was, {run / 'scans' / 'random-final-0.h5'} has changed since; "
        "draw it anew without --reproduce\n"
    )
