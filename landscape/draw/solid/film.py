"""Films: an orbit around the surface while the path grows, beside the curve of its loss."""

from __future__ import annotations

import subprocess
import tempfile
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
CODECS = {"mp4": ("libx264", "yuv420p"), "gif": ("gif", "rgb8")}
"""What ffmpeg calls them, and their pixels."""
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
    try:
        if fault := _by_ffmpeg(pictures, temporary, name, size, report):
            raise LandscapeError(
                f"a film can't be written to {target.parent}, ffmpeg said: {fault}; "
                "choose another folder"
            )
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
        temporary.unlink(missing_ok=True)


def _by_ffmpeg(
    pictures: Iterator[NDArray[np.uint8]],
    film: Path,
    name: str,
    size: tuple[int, int],
    report: Callable[[], None],
) -> str:
    """Have ffmpeg make a film; why it couldn't, empty where it could."""
    codec, pixels = CODECS[name]
    given = ["-f", "rawvideo", "-vcodec", "rawvideo", "-s", f"{size[0]}x{size[1]}"]
    given += ["-pix_fmt", "rgb24", "-r", str(RATE), "-i", "-", "-an"]
    made = ["-vcodec", codec, "-pix_fmt", pixels, "-v", "error", *QUALITY[name], str(film)]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [encoder().get_ffmpeg_exe(), "-y", *given, *made],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            process_group=0,  # Ctrl-C is for us, who put away what is half done
        )
        try:
            for picture in pictures:
                if not _taken(process, np.ascontiguousarray(picture)):
                    break
                report()
            process.communicate()
        finally:
            process.kill()  # nothing where it has ended
            process.communicate()
        if not process.returncode:
            return ""
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
        return printable(lines[-1]) if lines else f"nothing, with exit code {process.returncode}"


def _taken(process: subprocess.Popen[bytes], picture: NDArray[np.uint8]) -> bool:
    """Whether ffmpeg took a picture: it doesn't where it has ended, and then says why."""
    assert process.stdin is not None
    try:
        process.stdin.write(picture.data)
    except BrokenPipeError:
        return False
    return True


def _counted(report: Report | None, before: int, total: int) -> Callable[[], None]:
    done = before

    def one_more() -> None:
        nonlocal done
        done += 1
        if report is not None:
            report(done, total)

    return one_more
