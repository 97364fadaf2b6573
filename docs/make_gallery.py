"""Make docs/gallery.md and all pictures of the docs: ``python docs/make_gallery.py [FOLDER]``.

Trains and scans in FOLDER what isn't there yet: about ten minutes on two cores.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landscape import draw
from landscape.draw.look.style import length

DOCS = Path(__file__).parent
PICTURES = DOCS / "pictures"
LARGEST = 500_000
"""Bytes of a picture: they are kept in the repository."""
DPI = 150

RUNS = {
    "slow": "train --lr 0.001",
    "fine": "train --lr 0.02",
    "restless": "train --lr 0.05 --momentum 0.9",
    "high-lr": "train --lr 0.1 --momentum 0.9",
    "resnet": "train --model resnet20 --width 8 --epochs 15 --momentum 0.9",
    "resnet-plain": "train --model resnet20 --no-shortcut --width 8 --epochs 15 --momentum 0.9",
}
SCANS = {
    "slow/scans/along-final-0.h5": "scan slow --plane along --size 31",
    "fine/scans/along-final-0.h5": "scan fine --plane along --size 31",
    "fine/scans/valley-random-0.h5": "scan fine --plane valley --size 41x41",
    "fine/scans/drift-final-0.h5": "scan fine --plane drift --size 41",
    "restless/scans/along-final-0.h5": "scan restless --plane along --size 31",
    "restless/scans/valley-random-0.h5": "scan restless --plane valley --size 41x41",
    "high-lr/scans/along-final-0.h5": "scan high-lr --plane along --size 41",
    "high-lr/scans/random-final-0.h5": "scan high-lr --plane random --size 41",
    "high-lr/scans/valley-random-0.h5": "scan high-lr --plane valley --size 51x51",
    "high-lr/scans/event-best-0.h5": "scan high-lr --plane event --size 51",
    "high-lr/scans/line-best-final-0.h5": "scan high-lr --plane line:best,final --size 61",
    "resnet/scans/random-final-0.h5": "scan resnet --plane random --size 21",
    "resnet-plain/scans/random-final-0.h5": "scan resnet-plain --plane random --size 21",
}


@dataclass(frozen=True)
class Picture:
    """One picture of the gallery."""

    name: str
    kind: str
    sources: tuple[str, ...]
    title: str
    text: str
    style: dict[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """What draws it."""
        options = [
            f"--{name}" + ("" if value is True else f" {shlex.quote(str(value))}")
            for name, value in self.style.items()
        ]
        return " ".join(["landscape render", *self.sources, "--kind", self.kind, *options])


ESCAPE = "high-lr/scans/event-best-0.h5"
GALLERY = (
    Picture(
        "escape-valley",
        "valley",
        ("high-lr/scans/valley-random-0.h5",),
        "The landscape along a training that was lost",
        "A CNN on digits at learning rate 0.1 with momentum 0.9, sliced across its path: each "
        "column goes through recorded weights, whose own loss is the white line. The plateau at "
        "the start, the basin, its walls closing in before each spike, and the plateau at ln 10, "
        "the loss of a network that ignores its input, on which it ends.",
    ),
    Picture(
        "escape-contour",
        "contour",
        (ESCAPE,),
        "Where it went",
        "The plane through its best weights, the peak of the escape and the end. The path is "
        "dashed where the plane's loss isn't that of the weights; the start lies far off it.",
    ),
    Picture(
        "escape-surface",
        "surface",
        (ESCAPE,),
        "The same in 3D",
        "The path at its true loss, pale where the plane has another one.",
    ),
    Picture(
        "escape-loss",
        "loss",
        ("high-lr",),
        "The training in time",
        "It leaves the plateau at the start, learns, is thrown back several times and recovers, "
        "escapes once more and stays on a plateau.",
    ),
    Picture(
        "escape-random",
        "contour",
        ("high-lr/scans/random-final-0.h5",),
        "Its surroundings",
        "A filter-normalized random plane through the last weights (Li et al., 2018): flat at "
        "ln 10. The whole path is a dot on it.",
    ),
    Picture(
        "escape-path",
        "path",
        ("high-lr/scans/along-final-0.h5",),
        "The path alone",
        "How far it is from the plane, and what its loss is beside the loss of its projection: "
        "where the two part, the plane says nothing about the path.",
    ),
    Picture(
        "escape-line",
        "curve",
        ("high-lr/scans/line-best-final-0.h5",),
        "The way back",
        "Loss and accuracy on the straight line from the best weights to the last.",
    ),
    Picture(
        "fine-valley",
        "valley",
        ("fine/scans/valley-random-0.h5",),
        "A training that goes well",
        "Learning rate 0.02 without momentum: down from the plateau into a valley that stays open.",
    ),
    Picture(
        "fine-drift",
        "contour",
        ("fine/scans/drift-final-0.h5",),
        "Where it still goes",
        "The slow drift of its last half against the sharpest direction at the end.",
    ),
    Picture(
        "restless-valley",
        "valley",
        ("restless/scans/valley-random-0.h5",),
        "A restless one",
        "Learning rate 0.05 with momentum 0.9.",
    ),
    Picture(
        "rates",
        "map",
        tuple(f"{run}/scans/along-final-0.h5" for run in ("slow", "fine", "restless", "high-lr")),
        "Four learning rates",
        "0.001 and 0.02 without momentum, 0.05 and 0.1 with momentum 0.9, on one scale. The axes "
        "are not: the slow run moved by less than a tenth.",
    ),
    Picture(
        "shortcuts",
        "map",
        ("resnet/scans/random-final-0.h5", "resnet-plain/scans/random-final-0.h5"),
        "With and without shortcuts",
        "ResNet-20 with 8 channels on digits, random filter-normalized planes (Li et al., 2018).",
    ),
    Picture(
        "explained",
        "contour",
        ("high-lr/scans/along-final-0.h5",),
        "With everything explained",
        "For teaching: a legend for all that is drawn, the steps in colours, what happened along "
        "the path.",
        {"explain": True},
    ),
    Picture(
        "dark",
        "surface",
        ("resnet/scans/random-final-0.h5",),
        "For a dark slide",
        "Letters and lines are as large on the page as on paper; talk makes them larger.",
        {"theme": "dark"},
    ),
)


def main(folder: Path) -> None:
    """Train and scan what is missing, draw, and write the page."""
    folder.mkdir(parents=True, exist_ok=True)
    for run, command in RUNS.items():
        if not (folder / run / "trajectory.h5").is_file():
            _landscape(folder, f"{command} -o {run} --quiet")
    for scan, command in SCANS.items():
        if not (folder / scan).is_file():
            _landscape(folder, f"{command} --quiet")
    PICTURES.mkdir(exist_ok=True)
    for picture in GALLERY:
        _draw(folder, picture)
    page = "\n".join([_head(), *(_section(picture) for picture in GALLERY)])
    (DOCS / "gallery.md").write_text(page, encoding="utf-8")


def _landscape(folder: Path, arguments: str) -> None:
    # By its name and with relative paths: the command stands in every caption.
    program = Path(sys.executable).parent / "landscape"
    print(f"landscape {arguments}", flush=True)
    subprocess.run([program, *shlex.split(arguments)], cwd=folder, check=True, stdout=sys.stderr)


def _draw(folder: Path, picture: Picture) -> None:
    values = dict(picture.style)
    if "width" in values:
        values["width"] = length(values["width"])
    works = [draw.open_work(folder / source) for source in picture.sources]
    stem = PICTURES / picture.name
    file, *captions = draw.make(
        picture.kind, works, stem, formats=("png",), style=draw.Style(dpi=DPI, **values)
    )
    for caption in captions:
        caption.unlink()
    print(f"{file} {file.stat().st_size:,} bytes")
    if file.stat().st_size > LARGEST:
        raise SystemExit(f"{file} must have at most {LARGEST:,} bytes")


def _head() -> str:
    return (
        "# Gallery\n\n"
        "Real runs, drawn by `docs/make_gallery.py`. Each picture holds in its metadata what it "
        "was made from:\n"
        "`landscape render SOURCE --reproduce FIGURE` makes it again.\n\n"
        "```\n"
        + "".join(f"landscape {command} -o {run}\n" for run, command in RUNS.items())
        + "".join(f"landscape {command}\n" for command in SCANS.values())
        + "```\n"
    )


def _section(picture: Picture) -> str:
    return (
        f"## {picture.title}\n\n{picture.text}\n\n```\n{picture.command}\n```\n\n"
        f"![{picture.title}](pictures/{picture.name}.png)\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/gallery"))
