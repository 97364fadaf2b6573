"""Whether VTK can draw here, found out in a process that may die of it."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

PACKAGES = "libegl1 libgl1-mesa-dri"
REMEDY = f"on Debian or Ubuntu: apt-get install {PACKAGES}"
SECONDS = 60.0
CODE = """
import sys
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
window = vtkRenderWindow()
if "screen" in sys.argv:
    window.SetShowWindow(False)
else:
    window.SetOffScreenRendering(1)
window.SetSize(8, 8)
renderer = vtkRenderer()
renderer.SetBackground(1.0, 0.0, 0.0)
window.AddRenderer(renderer)
window.Render()
pixel = vtkUnsignedCharArray()
window.GetPixelData(4, 4, 4, 4, 1, pixel, 0)
for line in window.ReportCapabilities().splitlines():
    if line.startswith("OpenGL renderer string:"):
        print(line)
print("class", window.GetClassName())
print("pixel", *(pixel.GetValue(k) for k in range(3)))
"""
WINDOWS = {
    "window": "vtkXOpenGLRenderWindow",
    "egl": "vtkEGLRenderWindow",
    "osmesa": "vtkOSOpenGLRenderWindow",
}
"""VTK's classes: a window on a screen, and drawing without one by EGL or by OSMesa."""


@dataclass(frozen=True)
class Probe:
    """Whether OpenGL works and, where it does not, a sentence on why and what to install."""

    ok: bool
    reason: str
    renderer: str = field(default="", compare=False)
    """What draws, as OpenGL names it."""


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
    return _ask([])


@functools.cache
def screen() -> Probe:
    """Whether a window can be opened on a screen: the same, on the display there is.

    Takes half a second, once a process; nothing without a display.
    """
    if not os.environ.get("DISPLAY"):
        return Probe(False, "no screen: DISPLAY is not set")
    return _ask(["screen"], wanted=WINDOWS["window"] if sys.platform == "linux" else "")


def by(way: str) -> Probe:
    """Whether VTK draws in one of WINDOWS' ways, without regard to the others."""
    if way == "window":
        return screen()
    hidden = {name: text for name, text in os.environ.items() if name != "DISPLAY"}
    environment = {**hidden, "VTK_DEFAULT_OPENGL_WINDOW": WINDOWS[way]}
    return _ask([], environment, wanted=WINDOWS[way])


def _ask(
    arguments: list[str], environment: Mapping[str, str] | None = None, wanted: str = ""
) -> Probe:
    try:
        child = subprocess.run(
            [sys.executable, "-c", CODE, *arguments],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=environment,
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
    lines = child.stdout.splitlines()
    # VTK takes another way where the one that was asked for isn't there.
    used = next((line.split()[1] for line in lines if line.startswith("class ")), "")
    if wanted and used != wanted:
        return _missing(f"VTK took {used} instead")
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("OpenGL")]
    return Probe(True, "OpenGL works", named[0] if named else "")


def _missing(what: str) -> Probe:
    return Probe(False, f"no OpenGL ({what}): {REMEDY}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
