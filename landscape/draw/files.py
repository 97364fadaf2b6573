"""Figures into files: complete or not at all, the same scan to the same bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from landscape.draw import theme
from landscape.errors import LandscapeError

METADATA: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "png": lambda title, caption: {"Title": title, "Description": caption, "Software": None},
    "pdf": lambda title, caption: {"Title": title, "Subject": caption, "CreationDate": None},
    "svg": lambda title, caption: {"Title": title, "Description": caption, "Date": None},
}
SETTINGS: dict[Any, Any] = {"pdf.fonttype": 42, "svg.hashsalt": "landscape", "svg.fonttype": "path"}
"""TrueType, as journals ask for; salted names in SVG, which are random otherwise."""
_settings_are_global = Lock()


def save(
    figure: Figure, stem: Path, *, formats: Sequence[str] = ("png", "pdf"), caption: str
) -> list[Path]:
    """Write ``stem.png``, ``stem.pdf`` and ``stem.caption.txt``; return their paths.

    PNG at 300 dpi. Pictures carry the caption in their metadata and no time. Each file is written
    under a temporary name beginning with a dot and renamed, so that none is ever half written.

    Raises:
        LandscapeError: an unknown format, or a folder that can't be written to.
    """
    for name in formats:
        if name not in METADATA:
            raise LandscapeError(
                f"a figure's format must be one of {', '.join(METADATA)}, got {name!r}"
            )
    written = []
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        for name in formats:
            target = _beside(stem, f".{name}")
            metadata = METADATA[name](stem.name, caption)
            _atomically(target, partial(_picture, figure, name, metadata))
            written.append(target)
        target = _beside(stem, ".caption.txt")
        _atomically(target, lambda path: path.write_text(caption + "\n", "utf-8"))
    except OSError as error:
        raise LandscapeError(
            f"figures can't be written to {stem.parent}: {error.strerror or error}; "
            "choose another folder"
        ) from error
    return [*written, target]


def _beside(stem: Path, ending: str) -> Path:
    # Not with_suffix: a stem such as "random-final-0.5" has a dot of its own.
    return stem.parent / (stem.name + ending)


def _picture(figure: Figure, name: str, metadata: dict[str, Any], path: Path) -> None:
    with _settings_are_global, matplotlib.rc_context(SETTINGS):
        figure.savefig(path, format=name, dpi=theme.DPI, metadata=metadata)


def _atomically(target: Path, write: Callable[[Path], object]) -> None:
    temporary = target.parent / f".{target.name}.{os.getpid()}.part"
    try:
        write(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
