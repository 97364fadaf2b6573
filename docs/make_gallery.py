"""Make docs/gallery.md and its pictures: ``python docs/make_gallery.py [FOLDER]``.

Trains and scans in FOLDER what isn't there yet: about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landscape import draw
from landscape.draw.look.style import length
from landscape.store.scans.records import Scan

DOCS = Path(__file__).parent
PICTURES = DOCS / "pictures"
LARGEST, ALL = 500_000, 3_100_000
"""Bytes of a picture and of the gallery's: they are kept in the repository."""
DPI = 122
PROBLEMS = "../../examples/problems"
"""From FOLDER, when it is runs/gallery."""
CHECKPOINT = "learned-best.pt"
VALLEY, EVENT, DRIFT, RANDOM, SHARPEST = (
    f"scans/{name}.h5"
    for name in (
        "valley-random-0",
        "event-best-0",
        "drift-final-0",
        "random-final-0",
        "sharpest-final-0",
    )
)


@dataclass(frozen=True)
class Picture:
    """One picture of the gallery."""

    name: str
    kind: str
    scans: tuple[str, ...]
    style: dict[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """What draws it."""
        options = [
            f"--{name}" + ("" if value is True else f" {shlex.quote(str(value))}")
            for name, value in self.style.items()
        ]
        return " ".join(["landscape render", *self.scans, "--kind", self.kind, *options])


@dataclass(frozen=True)
class Entry:
    """A run, or two, what is scanned of them, what is seen."""

    title: str
    says: str
    runs: dict[str, str]
    """By name the command that makes each."""
    scans: dict[str, str]
    """By file the command that makes each."""
    pictures: tuple[Picture, ...]


def entry(name: str, title: str, says: str, make: str, **sizes: str) -> Entry:
    """A run and its planes, by name the size of each: their default figures."""
    files = {"valley": VALLEY, "event": EVENT, "drift": DRIFT}
    files |= {"random": RANDOM, "sharpest": SHARPEST}
    return Entry(
        title,
        says,
        {name: make},
        {
            f"{name}/{files[plane]}": f"scan {name} --plane {plane} --size {size}"
            for plane, size in sizes.items()
        },
        tuple(
            Picture(
                f"{name}-{plane}",
                "valley" if plane == "valley" else "contour",
                (f"{name}/{files[plane]}",),
            )
            for plane in sizes
        ),
    )


GALLERY = (
    entry(
        "escaped",
        "Escaped",
        "It learns to 0.43 by step 124, is thrown back once, and leaves at step 169, among walls "
        "that close in and open again: at step 184 it lies on a needle (r₀.₁ of 0.02) at a loss of "
        "10. It ends at ln 10, on the plateau of a network that ignores its input: wide, with a "
        "critical sharpness far below both bounds. On the random plane the whole path is a dot.",
        "train --depth 4 --lr 0.1 --momentum 0.9 --epochs 40 --seed 0",
        valley="41",
        event="41",
        random="41",
    ),
    entry(
        "late-escape",
        "Escaped late",
        "It learns to 0.03 by step 529, then the loss rises, slowly at first, while the walls come "
        "nearer: it leaves at step 735, and from an r₀.₁ of 0.08 at step 1,035 it is thrown to the "
        "plateau at 2.31.",
        "train --depth 2 --lr 0.1 --momentum 0.9 --epochs 30 --seed 0",
        valley="25",
        event="31",
    ),
    entry(
        "jumping",
        "Lost early, jumping",
        "In batches of 8 it learns for 66 steps, to 0.76; "
        "from step 128 on every column is flat from end to end: a plateau without walls, on which "
        "the weights are only kicked "
        "about, at times back to where they had been (dots).",
        "train --depth 2 --batch-size 8 --lr 0.1 --momentum 0.9 --epochs 8 --seed 0",
        valley="25",
        event="31",
    ),
    entry(
        "learned",
        "Learned",
        "Down from the plateau into a bowl: to and fro along the sharpest direction, λ = 5.4, "
        "while the run slowly drifts to lower losses.",
        "train --depth 4 --lr 0.02 --momentum 0.9 --epochs 15",
        valley="31",
        drift="31",
    ),
    entry(
        "drifting",
        "Drifting",
        "The loss still falls when the training ends, at 0.0008: columns at equal movement are "
        "at ever more steps from each other, and none comes back to an earlier one.",
        "train --depth 2 --lr 0.1 --epochs 60",
        valley="21",
        drift="31",
    ),
    entry(
        "adam",
        "Adam",
        "Adam at 0.002 learns to 0.01 in 12 epochs; SGD's bounds don't hold for its steps, so "
        "none is drawn.",
        "train --optimizer adam --lr 0.002 --epochs 12",
        valley="31",
        drift="31",
    ),
    entry(
        "transformer",
        "A transformer",
        "A causal language model of one layer (examples/problems/causal_lm.py) learns to say "
        "its prompt backwards, to 0.0005; then it escapes, at step 392, among walls that stand "
        "nearer, and ends at 1.22.",
        f"train --problem {PROBLEMS}/causal_lm.py:causal_lm --lr 0.1 --momentum 0.9 --epochs 80",
        valley="25",
        event="31",
    ),
    entry(
        "pinn",
        "A physics-informed network",
        "Burgers' equation (examples/problems/pinn.py): after the first steps a narrow valley "
        "with walls at 0.08 all along, in which the loss falls slowly; critical sharpness "
        "stays between the two bounds.",
        f"train --problem {PROBLEMS}/pinn.py:burgers --lr 0.01 --momentum 0.9 --epochs 1500",
        valley="25",
        drift="31",
    ),
    entry(
        "batchnorm",
        "BatchNorm",
        "A narrow ResNet-20. The valley's columns have the statistics recorded with their weights; "
        "on the plane they are estimated anew at every point, where the last weights' loss is "
        "0.030 instead of 0.067.",
        "train --model resnet20 --width 4 --epochs 6 --lr 0.1 --momentum 0.9",
        valley="31",
        drift="31",
    ),
    entry(
        "checkpoint",
        "One checkpoint",
        "Weights without a training: a round bowl on the random plane, and beside a random "
        "direction, along which next to nothing rises, the sharpest one, λ = 1.6.",
        f"import --problem landscape.problem.presets:make {CHECKPOINT}",
        random="31",
        sharpest="31",
    ),
    Entry(
        "The same in 3D, and explained",
        "The plane of the escape as a surface, its path laid onto it, dashed where the plane has "
        "another loss; and with everything explained, for teaching.",
        {},
        {},
        (
            Picture("escaped-surface", "surface", (f"escaped/{EVENT}",)),
            Picture("explained", "contour", (f"escaped/{EVENT}",), {"explain": True}),
        ),
    ),
    Entry(
        "With and without shortcuts",
        "ResNet-20 with 8 channels on digits, random filter-normalized planes (Li et al., 2018).",
        {
            name: f"train --model resnet20{more} --width 8 --epochs 15 --momentum 0.9"
            for name, more in (("resnet", ""), ("resnet-plain", " --no-shortcut"))
        },
        {
            f"{name}/{RANDOM}": f"scan {name} --plane random --size 21"
            for name in ("resnet", "resnet-plain")
        },
        (Picture("shortcuts", "map", (f"resnet/{RANDOM}", f"resnet-plain/{RANDOM}")),),
    ),
)


def main(folder: Path) -> None:
    """Train and scan what is missing, draw, and write the page."""
    folder.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(exist_ok=True)
    for one in GALLERY:
        for run, command in one.runs.items():
            if CHECKPOINT in command:
                _checkpoint(folder)
            if not (folder / run / "trajectory.h5").is_file():
                _landscape(folder, f"{command} -o {run} --quiet")
        for scan, command in one.scans.items():
            if not (folder / scan).is_file():
                _landscape(folder, f"{command} --quiet")
            elif not _is_finished(folder / scan):
                _landscape(folder, f"{command} --resume --quiet")
        for picture in one.pictures:
            _draw(folder, picture)
    drawn = [PICTURES / f"{picture.name}.png" for one in GALLERY for picture in one.pictures]
    total = sum(file.stat().st_size for file in drawn)
    print(f"{total:,} bytes of pictures")
    if total > ALL:
        raise SystemExit(f"the gallery's pictures must have at most {ALL:,} bytes, got {total:,}")
    page = DOCS / "gallery.md"
    demo = DEMO + page.read_text(encoding="utf-8").partition(DEMO)[2]
    text = "\n".join([HEAD, *(_section(one) for one in GALLERY), demo])
    page.write_text(text, encoding="utf-8")


def _is_finished(scan: Path) -> bool:
    """Whether nothing of it is left to measure: a plane's path comes last."""
    subject = draw.open_work(scan).subject
    return subject.complete and (not isinstance(subject, Scan) or bool(subject.paths))


def _landscape(folder: Path, arguments: str) -> None:
    # By its name and with relative paths: the command stands in every caption.
    program = Path(sys.executable).parent / "landscape"
    print(f"landscape {arguments}", flush=True)
    subprocess.run([program, *shlex.split(arguments)], cwd=folder, check=True, stdout=sys.stderr)


def _checkpoint(folder: Path) -> None:
    """Save what a training of one's own would leave: the best weights of a run, as PyTorch does."""
    import torch

    from landscape.problem.weights import tied
    from landscape.sgd import problem_of
    from landscape.store import read

    if (folder / CHECKPOINT).is_file():
        return
    run = read(folder / "learned")
    problem, best = problem_of(run), run.trajectory.row("best")
    copy = tied(problem.model, layout=problem.layout)
    copy.move(run.trajectory.row_weights(best))
    torch.save(copy.model.state_dict(), folder / CHECKPOINT)


def _draw(folder: Path, picture: Picture) -> None:
    values = dict(picture.style)
    if "width" in values:
        values["width"] = length(values["width"])
    works = [draw.open_work(folder / source) for source in picture.scans]
    stem = PICTURES / picture.name
    file, *captions = draw.make(
        picture.kind, works, stem, formats=("png",), style=draw.Style(dpi=DPI, **values)
    )
    for caption in captions:
        caption.unlink()
    print(f"{file} {file.stat().st_size:,} bytes")
    if file.stat().st_size > LARGEST:
        raise SystemExit(f"{file} must have at most {LARGEST:,} bytes")


DEMO = "## What make demo shows\n"
"""The chapter that is kept as it is; docs/make_demo_seeds.py makes its table."""
HEAD = (
    "# Gallery\n\n"
    "Real runs, drawn by `docs/make_gallery.py`: what `landscape scan RUN` shows of them by "
    "itself, on fewer points.\nEach picture holds in its metadata what it was made from: "
    "`landscape render SOURCE --reproduce FIGURE` makes it again.\n"
)


def _section(one: Entry) -> str:
    commands = [
        *(f"landscape {command} -o {run}" for run, command in one.runs.items()),
        *(f"landscape {command}" for command in one.scans.values()),
    ] or [picture.command for picture in one.pictures]
    wide = [picture for picture in one.pictures if picture.kind in ("valley", "map")]
    narrow = [picture for picture in one.pictures if picture not in wide]
    pictures = [f"![{one.title}: {p.name}](pictures/{p.name}.png)" for p in wide]
    pictures += [
        f'<img src="pictures/{p.name}.png" width="48%" alt="{one.title}: {p.name}">' for p in narrow
    ]
    return "\n".join(
        [f"## {one.title}\n\n{one.says}\n\n```", *commands, "```\n", "\n".join(pictures), ""]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs/gallery"))
    main(parser.parse_args().folder)
