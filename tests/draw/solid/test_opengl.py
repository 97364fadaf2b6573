from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from landscape.draw.solid import opengl

REMEDY = "on Debian or Ubuntu: apt-get install libegl1 libgl1-mesa-dri"


@pytest.fixture(autouse=True)
def forgetful():
    """Each test probes anew, and leaves nothing behind."""
    opengl.probe.cache_clear()
    yield
    opengl.probe.cache_clear()


def answers(monkeypatch, *, code=0, out="", err=""):
    child = SimpleNamespace(returncode=code, stdout=out, stderr=err)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: child)


def test_a_child_that_dies_of_a_segmentation_fault(monkeypatch):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr(opengl, "CODE", code)
    assert opengl.probe() == opengl.Probe(False, f"no OpenGL (VTK died of SIGSEGV): {REMEDY}")


def test_the_answer_is_remembered(monkeypatch):
    answers(monkeypatch, out="pixel 255 0 0\n")
    assert opengl.probe() == opengl.Probe(True, "OpenGL works")
    monkeypatch.setattr(subprocess, "run", None)
    assert opengl.probe().ok


def test_another_colour_than_the_one_drawn(monkeypatch):
    answers(monkeypatch, out="pixel 0 0 0\n")
    assert opengl.probe() == opengl.Probe(False, f"no OpenGL (VTK could not draw): {REMEDY}")


def test_no_vtk_at_all(monkeypatch):
    answers(monkeypatch, code=1, err="ModuleNotFoundError: No module named 'vtkmodules'")
    reason = "no 3D rendering: VTK is not installed: pip install pyvista"
    assert opengl.probe() == opengl.Probe(False, reason)


def test_a_child_that_hangs(monkeypatch):
    monkeypatch.setattr(opengl, "CODE", "import time; time.sleep(60)")
    monkeypatch.setattr(opengl, "SECONDS", 0.2)
    assert opengl.probe() == opengl.Probe(False, f"no OpenGL (VTK did not answer): {REMEDY}")


def test_the_probe_draws_where_opengl_is(gl):
    assert opengl.probe() == opengl.Probe(True, "OpenGL works")


@pytest.mark.slow
def test_importing_draw_imports_neither_vtk_nor_torch():
    code = (
        "import sys, landscape.draw; "
        "print(*sorted({'vtk', 'vtkmodules', 'pyvista', 'torch', 'matplotlib.pyplot'}"
        " & set(sys.modules)))"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == ""


def test_without_a_display_there_is_no_screen(monkeypatch):
    opengl.screen.cache_clear()
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(subprocess, "run", None)
    assert opengl.screen() == opengl.Probe(False, "no screen: DISPLAY is not set")
    assert opengl.by("window") == opengl.screen()
    opengl.screen.cache_clear()


def test_a_display_that_nobody_serves(monkeypatch):
    opengl.screen.cache_clear()
    monkeypatch.setenv("DISPLAY", ":987")
    assert not opengl.screen().ok
    opengl.screen.cache_clear()


def test_another_way_than_the_one_asked_for_does_not_count(monkeypatch):
    answers(monkeypatch, out="class vtkOSOpenGLRenderWindow\npixel 255 0 0\n")
    taken = f"no OpenGL (VTK took vtkOSOpenGLRenderWindow instead): {REMEDY}"
    assert opengl.by("egl") == opengl.Probe(False, taken)
    assert opengl.by("osmesa").ok


def test_the_renderer_is_named(gl):
    assert opengl.probe().renderer
