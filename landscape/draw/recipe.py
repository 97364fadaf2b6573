"""What a figure was made from, kept in its metadata: enough to make it again."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image

import landscape
from landscape.errors import LandscapeError, one_line
from landscape.store.analysis import fingerprint
from landscape.store.diagnosed import Diagnosed
from landscape.store.history import History
from landscape.store.names import check_regular
from landscape.store.scans.records import Scan
from landscape.store.scans.valleys import Valley
from landscape.store.sweep_outcomes import Outcomes
from landscape.store.vetting.shapes import COUNT, OneOf, Shape, check_version, misfit, parsed

FORMAT = "landscape-figure"
VERSION = 1
KEY = "landscape"
"""Of a PNG's text; PDF and SVG have it among their keywords."""
BOX = hashlib.sha256(FORMAT.encode()).digest()[:16]
"""The name of an MP4's box with the recipe: programs leave out boxes that they don't know."""
LIBRARIES = ("matplotlib", "numpy", "pillow", "pyvista")
SOURCE = dict.fromkeys(("file", "run", "run_id", "fingerprint"), str)
NUMBERS = (float, None)
STYLE: Shape = {
    **dict.fromkeys(("theme?", "title?", "renderer?", "unit?"), str),
    **dict.fromkeys(("log?", "transparent?", "path?", "explain?", "bare?"), (bool, None)),
    "width?": NUMBERS,
    "cap?": (*NUMBERS, OneOf("inf")),
    "floor?": NUMBERS,
    "cmap?": (str, None),
    "dpi?": COUNT,
    "levels?": (COUNT, None),
    "camera?": ([float], None),
    "panels?": [str],
}
RECIPE: Shape = {
    "kind": str,
    "sources": [SOURCE],
    "like": [SOURCE],
    "style": STYLE,
    "versions": {str: (str, None)},
}
"""What the JSON text in a figure holds; a figure may come from anybody."""
COMMENT = b"!\xfe"
"""What a GIF's comment begins with."""
UNSEEN = {"evaluation_seconds", "choosing_seconds", "samples_evaluated", "strategy", "settings"}
"""What a scan's figure doesn't show: two scans that differ in it give the same one."""


@dataclass(frozen=True)
class FigureSource:
    """A scan or a run that a figure shows."""

    file: str
    """From its run's folder: ``scans/along-final-0.h5``; ``run.json`` for the run itself."""
    run: str
    """The run's name."""
    run_id: str
    fingerprint: str
    """SHA-256 of what the figure shows of it."""


@dataclass(frozen=True)
class Recipe:
    """What a figure was made from."""

    kind: str
    sources: tuple[FigureSource, ...]
    like: tuple[FigureSource, ...]
    """Scans that share its scale without being shown."""
    style: Mapping[str, Any]
    """What differs from the defaults."""
    versions: Mapping[str, str]

    def json(self) -> str:
        """Return the recipe as one line of ASCII."""
        return json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, allow_nan=False)


def versions(more: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions that a picture's pixels depend on, of ``more`` those that are there."""
    found = {"landscape": landscape.__version__}
    found |= {name: metadata.version(name) for name in LIBRARIES}
    there = {one.name for one in metadata.distributions()} if more else set()
    return found | {name: metadata.version(name) for name in more if name in there}


def identity(subject: Scan | Valley | History | Diagnosed | Outcomes) -> str:
    """Return the fingerprint of everything that a figure may show of a scan or a run."""
    every = subject.shown() if isinstance(subject, Diagnosed | Outcomes) else vars(subject)
    shown = {name: value for name, value in every.items() if name not in UNSEEN}
    return fingerprint(*_flat(shown))


def _flat(value: Any) -> list[Any]:
    """Return a nested record as a list of JSON values and arrays."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, Mapping):
        return [part for name in sorted(value) for part in (name, *_flat(value[name]))]
    if isinstance(value, list | tuple):
        return [len(value), *(part for item in value for part in _flat(item))]
    if hasattr(value, "__dataclass_fields__"):
        return _flat(vars(value))
    return [value.item() if isinstance(value, np.generic) else value]


def read(figure: Path) -> Recipe:
    """Return the recipe of a figure or a film.

    Raises:
        LandscapeError: no such file, or one without a recipe of this version.
    """
    values = _recipe(figure)
    check_version(figure, values.get("version"), VERSION)
    if wrong := misfit(values, RECIPE, "its recipe"):
        raise LandscapeError(f"{figure} must be whole, {wrong}; draw it anew without --reproduce")
    return Recipe(
        kind=values["kind"],
        sources=_sources(values["sources"]),
        like=_sources(values["like"]),
        style=values["style"],
        versions=values["versions"],
    )


def _sources(found: Sequence[Mapping[str, str]]) -> tuple[FigureSource, ...]:
    return tuple(FigureSource(**{name: one[name] for name in SOURCE}) for one in found)


def _recipe(figure: Path) -> dict[str, Any]:
    """The JSON values in a figure."""
    try:
        reader = READERS[figure.suffix.lower()]
    except KeyError:
        raise LandscapeError(
            f"a figure must be one of {', '.join(READERS)}, got {figure.name}"
        ) from None
    try:
        check_regular(figure)
        text = reader(figure)
    except FileNotFoundError:
        raise LandscapeError(f"figure {figure} must exist, found none") from None
    except (*BROKEN, ElementTree.ParseError) as error:
        raise LandscapeError(f"{figure} must be a picture, got: {one_line(error)}") from error
    try:
        values = parsed(text or "")
    except ValueError:
        values = None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise LandscapeError(
            f"{figure} must be a figure of landscape's with its metadata, found none in it; "
            "some programs drop it on saving"
        )
    return values


BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises, and how text is decoded."""


def _png(path: Path) -> str | None:
    with Image.open(path) as picture:
        found = picture.info.get(KEY)
    return None if found is None else str(found)


def _pdf(path: Path) -> str | None:
    # The dictionary with the document's information is never compressed.
    match = re.search(rb"/Keywords \(((?:\\.|[^\\)])*)\)", path.read_bytes(), re.DOTALL)
    if match is None:
        return None
    return re.sub(rb"\\(.)", rb"\1", match[1], flags=re.DOTALL).decode("latin-1")


def _svg(path: Path) -> str | None:
    space = "{http://purl.org/dc/elements/1.1/}"
    subject = ElementTree.parse(path).getroot().find(f".//{space}subject")
    return None if subject is None else "".join(subject.itertext()).strip()


def in_mp4(film: bytes, recipe: str) -> bytes:
    """Return an MP4 with a recipe in a box of its own at the end."""
    content = BOX + recipe.encode()
    return film + struct.pack(">I4s", 8 + len(content), b"uuid") + content


def in_gif(film: bytes, recipe: str) -> bytes:
    """Return a GIF with a recipe as a comment before its trailer."""
    text = f"{KEY} {recipe}".encode()
    parts = [text[k : k + 255] for k in range(0, len(text), 255)]
    blocks = b"".join(bytes([len(part)]) + part for part in parts)
    if not film.endswith(b";"):
        raise AssertionError("a GIF ends with its trailer")
    return film[:-1] + COMMENT + blocks + b"\0;"


def _mp4(path: Path) -> str | None:
    film, at = path.read_bytes(), 0
    if film[4:8] != b"ftyp":
        raise OSError("no MP4")
    while at + 8 <= len(film):
        size, kind = struct.unpack_from(">I4s", film, at)
        if kind == b"uuid" and film[at + 8 : at + 24] == BOX:
            return film[at + 24 : at + size].decode()
        # 1: the size follows in eight bytes; 0: up to the end.
        size = struct.unpack_from(">Q", film, at + 8)[0] if size == 1 else size
        if size < 8:
            return None
        at += size
    return None


def _gif(path: Path) -> str | None:
    film = path.read_bytes()
    if film[:3] != b"GIF":
        raise OSError("no GIF")
    at, text = film.rfind(COMMENT) + len(COMMENT), b""
    while at >= len(COMMENT) and at < len(film) and film[at]:
        text += film[at + 1 : at + 1 + film[at]]
        at += 1 + film[at]
    known = text.startswith(f"{KEY} ".encode())
    return text[len(KEY) + 1 :].decode("utf-8", "replace") if known else None


READERS = {".png": _png, ".pdf": _pdf, ".svg": _svg, ".mp4": _mp4, ".gif": _gif}
