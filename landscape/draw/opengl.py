"""Whether VTK can draw here, found out in a process that may die of it."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from dataclasses import dataclass

PACKAGES = "libegl1 libgl1-mesa-dri"
REMEDY = f"on Debian or Ubuntu: apt-get install {PACKAGES}"
SECONDS = 60.0
CODE = """
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(8, 8)
renderer = vtkRenderer()
renderer.SetBackground(1.0, 0.0, 0.0)
window.AddRenderer(renderer)
window.Render()
pixel = vtkUnsignedCharArray()
window.GetPixelData(4, 4, 4, 4, 1, pixel, 0)
print("pixel", *(pixel.GetValue(k) for k in range(3)))
"""


@dataclass(frozen=True)
class Probe:
    """Whether OpenGL works and, where it does not, a sentence on why and what to install."""

    ok: bool
    reason: str


def prepare() -> None:
    """Make VTK draw without a screen where there is none; call before the first VTK import."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")


@functools.cache
def probe() -> Probe:
    """Draw a small red frame in a process of its own: without OpenGL, VTK dies of SIGSEGV.

    Takes half a second, once a process.
    """
    prepare()
    try:
        child = subprocess.run(
            [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        what = "did not answer" if isinstance(error, subprocess.TimeoutExpired) else "did not start"
        return _missing(f"VTK {what}")
    if child.returncode < 0:
        return _missing(f"VTK died of {_signal(-child.returncode)}")
    if "No module named" in child.stderr:
        return Probe(False, "no 3D rendering: VTK is not installed: pip install pyvista")
    if child.returncode or "pixel 255 0 0" not in child.stdout:
        return _missing("VTK could not draw")
    return Probe(True, "OpenGL works")


def _missing(what: str) -> Probe:
    return Probe(False, f"no OpenGL ({what}): {REMEDY}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
