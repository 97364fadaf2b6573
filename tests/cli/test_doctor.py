from __future__ import annotations

import json
import sys
from importlib.metadata import version

import pytest

from landscape.draw import doctor
from landscape.draw.solid import opengl

DEAD = opengl.Probe(False, f"no OpenGL (VTK died of SIGSEGV): {opengl.REMEDY}")
WORKS = opengl.Probe(True, "OpenGL works", "llvmpipe")


@pytest.fixture
def ways(monkeypatch):
    """What the three ways of OpenGL answer."""
    found = {"window": opengl.Probe(False, "no screen"), "egl": WORKS, "osmesa": DEAD}
    monkeypatch.setattr(opengl, "by", lambda way: found[way])
    return found


def test_what_this_machine_really_can(landscape):
    result = landscape("doctor", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert set(found["abilities"]) == {"window", "egl", "osmesa", "film", "browser"}
    # What figures are drawn with is what the probe finds.
    assert (found["surfaces"] == "vtk") == opengl.probe().ok
    assert found["libraries"]["numpy"] == version("numpy")
    assert found["torch"]["threads"] >= 1


def test_one_way_is_enough(landscape, ways):
    result = landscape("doctor")
    assert result.code == 0
    assert "no   surfaces without a screen, by OSMesa: no OpenGL (VTK died of SIGSEGV)\n" in (
        result.out
    )
    assert "yes  surfaces without a screen, by EGL: llvmpipe\n" in result.out
    assert "Surfaces are drawn by VTK." in result.out
    assert "libosmesa6" not in result.out
    assert "libegl1" not in result.out


def test_what_to_install(landscape, ways):
    ways["egl"] = DEAD
    ways["window"] = DEAD
    result = landscape("doctor")
    assert "Surfaces are drawn by matplotlib, plainer." in result.out
    for command in (
        "apt-get install libegl1 libgl1-mesa-dri",
        "dnf install mesa-libEGL mesa-dri-drivers",
        "conda install -c conda-forge 'mesalib<25.1'",
        "apt-get install libgl1 libgl1-mesa-dri libxrender1",
    ):
        assert f"{command}\n" in result.out
    found = json.loads(landscape("doctor", "--json").out)
    assert found["surfaces"] == "matplotlib"
    assert found["abilities"]["egl"]["install"]["Fedora"] == (
        "dnf install mesa-libEGL mesa-dri-drivers"
    )


def test_without_an_encoder_or_a_browser(landscape, ways, monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    found = json.loads(landscape("doctor", "--json").out)["abilities"]
    assert found["film"] == {
        "ok": False,
        "about": "imageio-ffmpeg is not installed",
        "install": doctor.PACKAGES["film"],
    }
    assert found["browser"]["ok"] is False


def test_an_encoder_that_does_not_run(landscape, ways, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", sys.executable)
    about = json.loads(landscape("doctor", "--json").out)["abilities"]["film"]["about"]
    assert about.startswith("ffmpeg doesn't run: ")
