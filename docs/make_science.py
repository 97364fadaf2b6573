"""Write the tables of docs/science.md and docs/science/, and draw their pictures.

    python docs/make_science.py HIGH LONG

HIGH and LONG are the folders of examples/high_learning_rate.py and examples/long_training.py. A
table or picture none of whose runs are there is left as it is.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import science_pictures
import science_tables

DOCS = Path(__file__).parent
PICTURES = DOCS / "pictures"
LARGEST = 300_000
"""Bytes of a picture: they are kept in the repository."""
TRIALS = ("escape", "late-escape", "jumping", "fine", "too-slow")
BESIDE = ("no-momentum", "tanh", "batchnorm", "transformer", "more-data")
REGIMES = (
    *("small-rate", "large-batch", "momentum", "noise-decay", "small-batch", "large-rate"),
    *("longest", "momentum-same-rate", "decay", "noise", "plain"),
)
"""By what moves them: η/B, then what is left out."""
EVERY = (*REGIMES, "resnet", "fashion-cnn")
LONG_BESIDE = ("tanh",)
RENDERED = {
    "science-dying": ("late-escape/seed0", "units"),
    "science-again": ("late-escape/seed0", "trainings"),
}
LONG_RENDERED = {
    "science-distances": ("momentum-same-rate/seed0", "distances"),
    "science-msd": ("longest/seed0", "msd"),
    "science-barriers": ("momentum-same-rate/seed0", "barriers"),
}


@dataclass(frozen=True)
class Table:
    """Where a table stands, and what it is of."""

    page: str
    """Below docs/."""
    made: Callable[[Path, Sequence[str]], str]
    trials: Sequence[str]
    long: bool = False
    """Of the long trainings."""


TABLES = {
    "trials": Table("science/high_rate.md", science_tables.trials, TRIALS),
    "escapes": Table("science/interventions.md", science_tables.escapes, TRIALS),
    "beside": Table("science.md", science_tables.beside, BESIDE),
    "motion": Table("science/regimes.md", science_tables.motion, EVERY, long=True),
    "split": Table("science/regimes.md", science_tables.split, EVERY, long=True),
    "lags": Table("science/regimes.md", science_tables.lags, EVERY, long=True),
    "distances": Table("science/regimes.md", science_tables.distances, EVERY, long=True),
    "barriers": Table("science/regimes.md", science_tables.barriers, EVERY, long=True),
    "losses": Table("science/regimes.md", science_tables.losses, EVERY, long=True),
    "long-beside": Table("science/regimes.md", science_tables.long_beside, LONG_BESIDE, long=True),
}


def main(high: Path, long: Path) -> None:
    """Put all of the tables in their places, draw all of the pictures and check their size."""
    for name, table in TABLES.items():
        folder = long if table.long else high
        if there(folder, table.trials, name):
            page = DOCS / table.page
            text = page.read_text(encoding="utf-8")
            made = table.made(folder, table.trials)
            page.write_text(placed(text, name, made, page), encoding="utf-8")
    if there(high, TRIALS, "science-trials"):
        science_pictures.trials(high, TRIALS, PICTURES / "science-trials.png")
    if there(long, REGIMES, "science-regimes"):
        science_pictures.regimes(long, REGIMES, PICTURES / "science-regimes.png")
    for folder, pictures in ((high, RENDERED), (long, LONG_RENDERED)):
        for name, (run, kind) in pictures.items():
            if (folder / run).exists():
                _render(folder / run, kind, PICTURES / f"{name}.png")
    for file in PICTURES.glob("science-*.png"):
        if (size := file.stat().st_size) > LARGEST:
            raise SystemExit(f"{file} must be at most {LARGEST} bytes, got {size}")


def there(folder: Path, trials: Sequence[str], name: str) -> bool:
    """Whether there are runs of all trials; some without others would make half a table."""
    lacking = [trial for trial in trials if not list((folder / trial).glob("seed*/verdict.json"))]
    if lacking and len(lacking) < len(trials):
        raise SystemExit(f"{name} needs runs of all its trials, {folder} lacks {lacking}")
    return not lacking


def placed(text: str, name: str, table: str, page: Path) -> str:
    """The text with a table after its mark, instead of the one that was there."""
    mark = f"<!-- table: {name} -->\n"
    before, found, after = text.partition(mark)
    if not found:
        raise SystemExit(f"{page} must have a line {mark.strip()}")
    lines = after.splitlines(keepends=True)
    while lines and lines[0].startswith("|"):
        lines.pop(0)
    return f"{before}{mark}{table}\n{''.join(lines)}"


def _render(run: Path, kind: str, file: Path) -> None:
    call = ["landscape", "render", run, "--kind", kind, "-o", file, "--dpi", "110", "--quiet"]
    subprocess.run(list(map(str, call)), check=True)
    for ending in (".caption.txt", ".caption.tex"):
        file.with_suffix(ending).unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for place in ("high", "long"):
        parser.add_argument(place, metavar=place.upper(), type=Path)
    given = parser.parse_args()
    main(given.high, given.long)
