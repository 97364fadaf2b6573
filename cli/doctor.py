"""``landscape doctor``: what this machine can do, and what to install for more."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import strict_json
from .printing import echo

if TYPE_CHECKING:
    from landscape.draw.doctor import Ability

MEANINGS = {
    "window": "a window to turn surfaces in",
    "egl": "surfaces without a screen, by EGL",
    "osmesa": "surfaces without a screen, by OSMesa",
    "film": "films",
    "browser": "a browser for explorer.html",
}


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Say what this machine can do: windows, surfaces, films, GPU; and what to install for more.

    Nothing of it is needed: without OpenGL surfaces are drawn by matplotlib, without a screen
    `landscape view` writes a page.
    """
    from landscape.draw import doctor as examined

    found, libraries = examined.abilities(), examined.libraries()
    processor = _torch()
    if json:
        strict_json.echo(
            {
                "python": platform.python_version(),
                "system": platform.platform(),
                "cores": os.cpu_count(),
                "surfaces": _surfaces(found),
                "abilities": {
                    one.name: {"ok": one.ok, "about": one.about, "install": dict(one.install)}
                    for one in found
                },
                "torch": processor,
                "libraries": libraries,
            }
        )
        return
    _say(found, libraries, processor)


def _say(found: list[Ability], libraries: dict[str, str | None], processor: dict[str, Any]) -> None:
    for one in found:
        echo(f"{'yes' if one.ok else 'no':4} {MEANINGS[one.name]}: {one.about}")
    gpu = processor["gpu"] or "none"
    echo(f"{'yes' if processor['gpu'] else 'no':4} GPU: {gpu}")
    drawn = {"vtk": "by VTK", "matplotlib": "by matplotlib, plainer"}[_surfaces(found)]
    echo(f"\nSurfaces are drawn {drawn}.")
    threads = processor["threads"]
    echo(f"torch computes with {threads} threads on {os.cpu_count()} cores.")
    # One way of drawing without a screen is enough.
    working = {one.name for one in found if one.ok}
    enough = {"osmesa"} if "egl" in working else {"egl"} if "osmesa" in working else set()
    lacking = [one for one in found if not one.ok and one.name not in enough and _helps(one)]
    for one in lacking:
        echo(f"\nFor {MEANINGS[one.name]}:")
        for system, command in one.install.items():
            echo(f"  {system:15} {command}")
    echo("")
    listed = [f"{name} {number}" for name, number in libraries.items() if number]
    echo(f"Python {platform.python_version()}, {', '.join(listed)}")
    if missing := [name for name, number in libraries.items() if not number]:
        echo(f"not installed: {', '.join(missing)}")


def _helps(one: Ability) -> bool:
    """Whether packages would: no package gives a machine a screen."""
    return not (one.name == "window" and one.about.startswith("no screen"))


def _surfaces(found: list[Ability]) -> str:
    ways = {"window", "egl", "osmesa"}
    return "vtk" if any(one.ok and one.name in ways for one in found) else "matplotlib"


def _torch() -> dict[str, Any]:
    import torch

    cuda = torch.cuda.is_available()
    gpu = torch.cuda.get_device_name(0) if cuda else None
    if gpu is None and torch.backends.mps.is_available():
        gpu = "Apple (mps)"
    return {"gpu": gpu, "cuda": torch.version.cuda, "threads": torch.get_num_threads()}
