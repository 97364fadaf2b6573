"""Films: an orbit around the surface while the path grows, beside the curve of its loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.draw.look.style import PLAIN, Style
from landscape.draw.recipe import in_gif, in_mp4
from landscape.draw.solid import film_frames
from landscape.draw.solid.film_frames import Format
from landscape.errors import LandscapeError, printable
from landscape.store.files import unfinished, write_bytes
from landscape.store.scans.records import Scan

Report = Callable[[int, int], None]
"""``report(done, total)`` after each frame."""

FRAMES = 144
RATE = 24
"""Frames a second: six seconds."""
FORMATS = ("mp4", "gif")
QUALITY = {
    "mp4": ["-crf", "18", "-preset", "medium", "-movflags", "+faststart"],
    # A palette a frame: one for all of them would need all of them in memory.
    "gif": [
        "-filter_complex",
        "scale=iw*2/3:-2:flags=lanczos,split[a][b];"
        "[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=bayer:bayer_scale=4",
        "-loop",
        "0",
    ],
}


HOLDING = {"mp4": in_mp4, "gif": in_gif}
"""How a film's bytes hold a recipe."""


def write(
    scan: Scan,
    stem: Path,
    *,
    formats: Sequence[str] = ("mp4",),
    style: Style = PLAIN,
    caption: str = "",
    recipe: str = "",
    report: Report | None = None,
    frames: int = FRAMES,
) -> list[Path]:
    """Write ``stem.mp4`` or ``stem.gif`` and ``stem.caption.txt``; return their paths.

    960 × 720 pixels at 24 frames a second, or as many more as ``style.width`` is wider than 7.2
    inches; GIFs two thirds as large. They hold the recipe, from which `making.reproduce` makes
    them again. A frame is handed to the encoder before the next is drawn. It takes a core a
    quarter of a second without a GPU, and several times that without OpenGL.

    Raises:
        LandscapeError: the scan is no plane, an unknown format, imageio-ffmpeg is missing, the
            width is too small, or the film can't be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise LandscapeError(f"a film's format must be one of {', '.join(FORMATS)}, got {name}")
    if frames < 2:
        raise LandscapeError(f"a film needs at least 2 frames, got {frames}")
    encoder()
    stem.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for number, name in enumerate(formats):
        target = stem.parent / f"{stem.name}.{name}"
        pictures = film_frames.frames(scan, frames, style)
        counted = _counted(report, number * frames, len(formats) * frames)
        _encode(pictures, target, name, Format.of(style).size, recipe, counted)
        written.append(target)
    target = stem.parent / f"{stem.name}.caption.txt"
    write_bytes(target, f"{printable(caption)}\n".encode())
    return [*written, target]


def encoder() -> Any:
    """Return imageio-ffmpeg, which carries ffmpeg.

    Raises:
        LandscapeError: it isn't installed.
    """
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise LandscapeError(
            "a film needs the package imageio-ffmpeg, it is not installed: "
            "pip install 'sgd-landscape[film]'"
        ) from error
    return imageio_ffmpeg


def _encode(
    pictures: Iterator[NDArray[np.uint8]],
    target: Path,
    name: str,
    size: tuple[int, int],
    recipe: str,
    report: Callable[[], None],
) -> None:
    temporary = unfinished(target, f".{name}")  # ffmpeg goes by the ending
    more: dict[str, Any] = {"mp4": {"codec": "libx264", "quality": None}, "gif": {"codec": "gif"}}
    more = more[name] | ({"pix_fmt_out": "rgb8"} if name == "gif" else {})
    stream = encoder().write_frames(
        str(temporary),
        size,
        fps=RATE,
        macro_block_size=2,
        output_params=QUALITY[name],
        ffmpeg_log_level="error",
        **more,
    )
    try:
        stream.send(None)
        for picture in pictures:
            stream.send(np.ascontiguousarray(picture))
            report()
        stream.close()
        if not temporary.is_file() or not temporary.stat().st_size:
            raise LandscapeError(f"ffmpeg must write {target}, it wrote nothing; is the disk full?")
        if recipe:
            temporary.write_bytes(HOLDING[name](temporary.read_bytes(), recipe))
        temporary.replace(target)
    except OSError as error:
        raise LandscapeError(
            f"a film can't be written to {target.parent}: {error.strerror or error}; "
            "choose another folder"
        ) from error
    finally:
        pictures.close() if hasattr(pictures, "close") else None
        stream.close()
        temporary.unlink(missing_ok=True)


def _counted(report: Report | None, before: int, total: int) -> Callable[[], None]:
    done = before

    def one_more() -> None:
        nonlocal done
        done += 1
        if report is not None:
            report(done, total)

    return one_more
