from __future__ import annotations

import shutil

import pytest

from landscape.draw.solid import film
from landscape.store.scans import scanfile


@pytest.fixture(scope="module")
def scanned(trained, planted, tmp_path_factory):
    run = shutil.copytree(trained, tmp_path_factory.mktemp("filmed") / "run")
    scanfile.save(run / "scans" / "random-final-0.h5", planted.random(5, 5))
    return run


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
