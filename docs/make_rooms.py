"""Draw docs/pictures/rooms.png from the code itself: ``python docs/make_rooms.py [FILE.png]``.

A band is a stage, a box in it a room (folder), as large as its lines. Beside them stands who
imports from whom, read from the files with ast: nothing of the house is imported here.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.textpath import TextPath
from PIL import Image

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "pictures" / "rooms.png"

# From the top of the house to its ground; each imports from those below it.
STAGES = {
    "cli": "#64748b",
    "door": "#8a4fa3",
    "report": "#b8476e",
    "draw": "#c4553d",
    "diagnose": "#cf8428",
    "scan": "#a8962a",
    "plane": "#6a9a3a",
    "curvature": "#35946f",
    "sgd": "#2f87a8",
    "store": "#4166b0",
    "problem": "#6e55b3",
    "cluster": "#9b4f98",
    "quantities": "#8a8a8a",
    "errors": "#8a8a8a",
}
EVERYWHERE = ("quantities", "errors")
"""Single files that every stage may use; their arrows would say nothing."""
OWN = "own files"

# All in inches.
NAMES, ROOMS, LANE, DOT = 1.4, 7.6, 0.38, 0.14
TOP, BOTTOM, GAP, MARGIN, PAD = 1.25, 0.7, 0.08, 0.1, 0.065
LINES_AN_INCH = 620
"""Lines of code a square inch."""
LEAST = 0.46
"""Of a band's height: where its stage is smaller, the boxes don't fill the band's width."""
# In points.
HEAD, STAGE, TITLE, SMALL, SMALLER, TINY = 18, 13.5, 9.5, 7.8, 6.8, 5.5
QUIET, FAINT = "#3c4352", "#c9ced6"
DPI, COLOURS, LARGEST = 107, 255, 160_000
"""The picture's dots an inch, its colours, and the most bytes that it may have."""


@dataclass(frozen=True)
class Room:
    """A folder of a stage, or the files that the stage has beside its folders."""

    name: str
    about: str
    lines: int


@dataclass(frozen=True)
class Box:
    """Where something is drawn, from its lower left corner."""

    x: float
    y: float
    width: float
    height: float


def files_of(stage: str) -> list[Path]:
    """The stage's files; of one that is a single file, this."""
    folder = ROOT / "cli" if stage == "cli" else ROOT / "landscape" / stage
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


@cache
def rooms_of(stage: str) -> list[Room]:
    """The stage's rooms, the largest first."""
    by_folder: dict[Path, list[Path]] = {}
    for file in files_of(stage):
        by_folder.setdefault(file.parent, []).append(file)
    top, found = min(by_folder), []
    for folder, files in by_folder.items():
        lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
        if stage in EVERYWHERE:
            found.append(Room(OWN, first_line(files[0]), lines))
        elif folder == top:
            names = [file.stem for file in files if not file.stem.startswith("__")]
            found.append(Room(OWN, ", ".join(names), lines))
        else:
            name = folder.relative_to(top).as_posix()
            found.append(Room(name, first_line(folder / "__init__.py"), lines))
    return sorted(found, key=lambda room: -room.lines)


def first_line(file: Path) -> str:
    """Of a file's docstring."""
    about = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return about.split("\n")[0].replace("`", "")


def imported(file: Path) -> set[str]:
    """The other stages that a file imports from, anywhere in it and for types too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                paths = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                paths = [f"{module}.{alias.name}" for alias in names]
            case _:
                continue
        parts = [path.split(".") for path in paths]
        found |= {part[1] for part in parts if part[0] == "landscape" and len(part) > 1}
    return found & STAGES.keys()


@cache
def importers() -> dict[tuple[str, str], int]:
    """How many files of a stage import from another one, by (stage, the other)."""
    found: dict[tuple[str, str], int] = {}
    for stage in STAGES:
        for file in files_of(stage):
            for other in imported(file) - {stage}:
                found[stage, other] = found.get((stage, other), 0) + 1
    return found


def treemap(areas: Sequence[float], box: Box) -> Iterator[Box]:
    """Cut a box into ones of these areas, the largest first, each as square as it can be.

    Bruls, Huizing and van Wijk (2000). The areas must add up to the box's.
    """
    rest = list(areas)
    while rest:
        side = min(box.width, box.height)
        count = min(range(1, len(rest) + 1), key=lambda n: _longest(rest[:n], side))
        row, rest = rest[:count], rest[count:]
        depth = sum(row) / side
        at = 0.0
        for area in row:
            step = area / depth
            if box.width >= box.height:
                yield Box(box.x, box.y + box.height - at - step, depth, step)
            else:
                yield Box(box.x + at, box.y + box.height - depth, step, depth)
            at += step
        if box.width >= box.height:
            box = Box(box.x + depth, box.y, box.width - depth, box.height)
        else:
            box = Box(box.x, box.y, box.width, box.height - depth)


def _longest(row: Sequence[float], side: float) -> float:
    """The worst ratio of sides of areas that share a row along a side."""
    total = sum(row)
    return max(max(side**2 * area / total**2, total**2 / (side**2 * area)) for area in row)


def tint(colour: str, white: float) -> tuple[float, ...]:
    """A colour with a share of white."""
    return tuple(part + (1 - part) * white for part in to_rgb(colour))


@cache
def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text of some points is, in inches, with a little to spare for rounding to dots."""
    font = FontProperties(weight="bold" if bold else "normal")
    return float(TextPath((0, 0), text, size=size, prop=font).vertices[:, 0].max()) * 1.03 / 72


def wrapped(words: Sequence[str], width: float, size: float, *, bold: bool = False) -> list[str]:
    """Words in lines of at most a width; one word may be wider."""
    lines: list[str] = []
    for word in words:
        # A folder's name goes on without a blank.
        longer = f"{lines[-1]} {word}".replace("/ ", "/") if lines else word
        if lines and width_of(longer, size, bold=bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def draw_room(axes: Axes, room: Room, box: Box, colour: str) -> None:
    """Draw a box with as much of its text as it has room for."""
    own = room.name == OWN
    axes.add_patch(
        Rectangle(
            (box.x, box.y),
            box.width,
            box.height,
            facecolor=tint(colour, 0.86 if own else 0.68),
            edgecolor="white",
            linewidth=1.6,
        )
    )
    texts = [(name_of(room), True), (room.about, False)]
    # As much as fits: names of files say what they are by themselves.
    ways = [(texts, SMALL), (texts[1:], SMALL)] if own else [(texts, SMALL), (texts, SMALLER)]
    for chosen, small in (*ways, (texts[:1], SMALL)):
        if write(axes, chosen, box, colour if own else "#1f2430", small=small):
            return


def name_of(room: Room) -> str:
    """A room's name, which may be broken after a folder."""
    return room.name.replace("/", "/ ")


def write(
    axes: Axes, texts: Sequence[tuple[str, bool]], box: Box, ink: str, *, small: float
) -> bool:
    """Write titles (True) and small texts below each other into a box; False if they don't fit."""
    inside, y, found = box.width - 2 * PAD, box.y + box.height - PAD, []
    for text, title in texts:
        words = text.split()
        wanted, least = (TITLE, TINY) if title else (small, small)
        widest = max(width_of(word, wanted, bold=title) for word in words)
        size = wanted * min(1.0, inside / widest)
        if size < least:
            return False
        lines = wrapped(words, inside, size, bold=title)
        found.append((y, lines, size, title))
        y -= len(lines) * 1.3 * size / 72 + (0.02 if title else 0.0)
    if y < box.y:
        return False
    for top, lines, size, title in found:
        for number, line in enumerate(lines):
            axes.text(
                box.x + PAD,
                top - number * 1.3 * size / 72,
                line,
                size=size,
                weight="bold" if title else "normal",
                c=ink if title else QUIET,
                va="top",
            )
    return True


def draw_band(axes: Axes, stage: str, y: float, height: float) -> None:
    """Draw a stage: its name and its rooms."""
    colour, rooms = STAGES[stage], rooms_of(stage)
    lines = sum(room.lines for room in rooms)
    x = MARGIN + NAMES
    axes.add_patch(
        FancyBboxPatch(
            (MARGIN, y),
            NAMES + ROOMS,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=tint(colour, 0.93),
            edgecolor="none",
        )
    )
    middle = y + height / 2 - 0.015
    axes.text(MARGIN + 0.12, middle, stage, size=STAGE, weight="bold", va="baseline", c=colour)
    axes.text(MARGIN + 0.12, middle - 0.055, f"{lines:,} lines", size=SMALL, va="top", c=QUIET)
    filled = Box(x, y, lines / LINES_AN_INCH / height, height)
    areas = [room.lines / LINES_AN_INCH for room in rooms]
    for room, box in zip(rooms, treemap(areas, filled), strict=True):
        draw_room(axes, room, box, colour)
    if stage in EVERYWHERE:
        beside = Box(x + filled.width, y, ROOMS - filled.width, height)
        write(axes, [(rooms[0].about, False)], beside, colour, small=SMALL)


def draw_imports(axes: Axes, places: dict[str, tuple[float, float]]) -> None:
    """Draw a lane for each stage that is imported from: dots are importers, the arrow its stage."""
    counts = importers()
    right = MARGIN + NAMES + ROOMS
    lanes = [stage for stage in places if stage != "cli" and stage not in EVERYWHERE]
    at = {stage: right + LANE * (number + 0.9) for number, stage in enumerate(lanes)}

    def row(stage: str) -> float:
        y, height = places[stage]
        return y + height - min(0.2, height / 2.6)

    head = row("cli") + 0.22

    for stage in places:
        reached = [at[other] for other in lanes if (stage, other) in counts]
        if reached:
            axes.plot([right, max(reached)], [row(stage)] * 2, c=FAINT, lw=1.0, zorder=1)
    for other in lanes:
        users = [stage for stage in places if (stage, other) in counts]
        if not users:  # what people use and no stage does
            continue
        x, colour = at[other], STAGES[other]
        y = places[other][0] + min(0.13, places[other][1] / 4)
        top = max(row(stage) for stage in users)
        axes.plot([x, x], [y, top], c=colour, lw=2.2, zorder=2, solid_capstyle="round")
        axes.add_patch(
            FancyArrowPatch(
                (x, y),
                (right + 0.02, y),
                arrowstyle="-|>",
                mutation_scale=11,
                shrinkA=0,
                shrinkB=0,
                color=colour,
                linewidth=2.2,
                zorder=2,
            )
        )
        for stage in users:
            axes.add_patch(
                Circle((x, row(stage)), DOT, facecolor=colour, edgecolor="white", zorder=3)
            )
            number = str(counts[stage, other])
            axes.text(
                x,
                row(stage) - 0.004,
                number,
                size=SMALL,
                weight="bold",
                c="white",
                zorder=4,
                ha="center",
                va="center_baseline",
            )
        axes.plot([x, x], [top, head - 0.05], c=colour, lw=0.8, ls=":", zorder=1)
        axes.text(x - 0.06, head, other, size=TITLE, rotation=60, va="bottom", ha="left", c=colour)


def picture() -> Figure:
    """The house, drawn."""
    lines = {stage: sum(room.lines for room in rooms_of(stage)) for stage in STAGES}
    heights = {stage: max(LEAST, n / LINES_AN_INCH / ROOMS) for stage, n in lines.items()}
    total = sum(heights.values()) + GAP * (len(STAGES) - 1)
    width = MARGIN + NAMES + ROOMS + LANE * (len(STAGES) - 3 + 1.2)
    figure = Figure(figsize=(width, TOP + total + BOTTOM), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, TOP + total + BOTTOM))
    axes.axis("off")
    places, y = {}, total + BOTTOM
    for stage, height in heights.items():
        y -= height
        places[stage] = (y, height)
        draw_band(axes, stage, y, height)
        y -= GAP
    draw_imports(axes, places)
    head = total + BOTTOM + 0.22
    axes.text(
        MARGIN + 0.14, head + 0.26, "The rooms of the house", size=HEAD, weight="bold", va="bottom"
    )
    axes.text(
        MARGIN + 0.14,
        head,
        f"A band is a stage, a box a room in it, as large as its lines of code "
        f"({sum(lines.values()):,} in all).",
        size=TITLE,
        va="bottom",
        c=QUIET,
    )
    axes.text(
        MARGIN + 0.14,
        BOTTOM - 0.2,
        "A dot: so many files of the dot's stage import from the stage "
        "that its line's arrow points to; imports within functions and for types count. No arrow "
        "points up.\nEvery stage may import from quantities and errors, whose arrows are left out.",
        size=TITLE - 1,
        va="top",
        c=QUIET,
        linespacing=1.35,
    )
    return figure


def main(file: Path = PICTURE) -> None:
    """Draw the picture into a file."""
    drawn = BytesIO()
    picture().savefig(drawn, dpi=DPI)
    flat = (
        Image.open(drawn)
        .convert("RGB")
        .quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    )
    flat.save(file, optimize=True)
    if (size := file.stat().st_size) > LARGEST:
        raise SystemExit(f"a picture may have {LARGEST} bytes, {file} has {size}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=PICTURE)
    main(parser.parse_args().file)
