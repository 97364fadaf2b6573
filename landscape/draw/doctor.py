"""What this machine can draw with, and which packages would give it more."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from landscape.draw.solid import opengl

BROWSERS = (
    "chromium",
    "google-chrome",
    "google-chrome-stable",
    "chromium-browser",
    "firefox",
    "firefox-esr",
    "microsoft-edge",
    "epiphany",
    "konqueror",
)
PACKAGES = {
    "egl": {
        "Debian, Ubuntu": "apt-get install libegl1 libgl1-mesa-dri",
        "Fedora": "dnf install mesa-libEGL mesa-dri-drivers",
        # EGL's drivers are the system's: inside an environment there is OSMesa.
        "conda": "conda install -c conda-forge 'mesalib<25.1'",
    },
    "window": {
        "Debian, Ubuntu": "apt-get install libgl1 libgl1-mesa-dri libxrender1",
        "Fedora": "dnf install mesa-libGL mesa-dri-drivers libXrender",
        "conda": "conda install -c conda-forge libgl xorg-libxrender",
    },
    # Mesa has no OSMesa from 25.1 on.
    "osmesa": {
        "Debian 12, Ubuntu 24.04": "apt-get install libosmesa6",
        "conda": "conda install -c conda-forge 'mesalib<25.1'",
    },
    "film": {
        "pip": "pip install 'sgd-landscape[film]'",
        "conda": "conda install -c conda-forge imageio imageio-ffmpeg",
    },
    "browser": {
        "Debian, Ubuntu": "apt-get install chromium",
        "Fedora": "dnf install chromium",
        "conda": "conda install -c conda-forge firefox",
    },
}
"""By what is missing: the commands that install it, by system."""
LIBRARIES = (
    "sgd-landscape",
    "torch",
    "numpy",
    "scipy",
    "h5py",
    "matplotlib",
    "pyvista",
    "vtk",
    "plotly",
    "imageio-ffmpeg",
    "dask",
    "distributed",
    "torchvision",
)


@dataclass(frozen=True)
class Ability:
    """One thing this machine can do or not."""

    name: str
    ok: bool
    about: str
    """What does it, or why it can't be done."""
    install: Mapping[str, str]
    """What to do about it, by system; empty where it works."""


def abilities() -> list[Ability]:
    """Return what this machine can draw with: window, EGL, OSMesa, films, browser.

    Each way of OpenGL is tried in a process of its own, two seconds altogether.
    """
    with ThreadPoolExecutor(len(opengl.WINDOWS)) as pool:
        found = dict(zip(opengl.WINDOWS, pool.map(opengl.by, opengl.WINDOWS), strict=True))
    drawn = [_ability(way, probe.ok, _about(probe), way) for way, probe in found.items()]
    return [*drawn, _film(), _browser()]


def libraries() -> dict[str, str | None]:
    """Return the libraries' versions, None for those that aren't installed."""
    return {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _ability(name: str, ok: bool, about: str, wanted: str) -> Ability:
    return Ability(name, ok, about, {} if ok else PACKAGES[wanted])


def _about(probe: opengl.Probe) -> str:
    if probe.ok:
        return probe.renderer or probe.reason
    # The packages are listed beneath, for more systems than one.
    return probe.reason.removesuffix(f": {opengl.REMEDY}")


def _film() -> Ability:
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return _ability("film", False, "imageio-ffmpeg is not installed", "film")
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        first = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=60, check=True
        ).stdout.splitlines()[0]
    except (RuntimeError, OSError, subprocess.SubprocessError, IndexError) as error:
        return _ability("film", False, f"ffmpeg doesn't run: {error}", "film")
    return _ability("film", True, " ".join(first.split()[:3]), "film")


def _browser() -> Ability:
    asked = os.environ.get("BROWSER", "").split(os.pathsep)
    found = [name for name in (*asked, *BROWSERS) if name and shutil.which(name.split()[0])]
    if not found:
        return _ability("browser", False, "none found; pages can be opened elsewhere", "browser")
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return _ability("browser", True, found[0] if screen else f"{found[0]}, no screen", "browser")
