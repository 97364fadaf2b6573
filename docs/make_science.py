"""Write the tables of docs/science.md and draw its pictures.

    python docs/make_science.py HIGH LONG

HIGH and LONG are the folders of examples/high_learning_rate.py and examples/long_training.py.
"""

import subprocess
import sys
from pathlib import Path

import science_pictures
import science_tables

PAGE = Path(__file__).parent / "science.md"
PICTURES = PAGE.parent / "pictures"
LARGEST = 300_000
"""Bytes of a picture: they are kept in the repository."""
TRIALS = ("escape", "late-escape", "jumping", "fine", "too-slow")
REGIMES = (
    *("small-rate", "large-batch", "momentum", "noise-decay", "small-batch", "large-rate"),
    *("longest", "momentum-same-rate", "decay", "noise", "plain"),
)
"""By what moves them: η/B, then what is left out."""
OTHERS = ("resnet", "fashion-cnn")
RENDERED = {
    "science-dying": ("late-escape/seed0", "units"),
    "science-again": ("late-escape/seed0", "replicas"),
}
LONG_RENDERED = {
    "science-distances": ("momentum-same-rate/seed0", "distances"),
    "science-msd": ("longest/seed0", "msd"),
    "science-barriers": ("momentum-same-rate/seed0", "barriers"),
}


def main(high: Path, long: Path) -> None:
    """Put all of the tables in their places, draw all of the pictures and check their size."""
    every = (*REGIMES, *OTHERS)
    tables = {
        "trials": science_tables.trials(high, TRIALS),
        "escapes": science_tables.escapes(high, TRIALS),
        "motion": science_tables.motion(long, every),
        "split": science_tables.split(long, every),
        "lags": science_tables.lags(long, every),
        "distances": science_tables.distances(long, every),
        "barriers": science_tables.barriers(long, every),
        "losses": science_tables.losses(long, every),
    }
    text = PAGE.read_text(encoding="utf-8")
    for name, table in tables.items():
        text = placed(text, name, table)
    PAGE.write_text(text, encoding="utf-8")
    science_pictures.trials(high, TRIALS, PICTURES / "science-trials.png")
    science_pictures.regimes(long, REGIMES, PICTURES / "science-regimes.png")
    for folder, pictures in ((high, RENDERED), (long, LONG_RENDERED)):
        for name, (run, kind) in pictures.items():
            _render(folder / run, kind, PICTURES / f"{name}.png")
    for file in PICTURES.glob("science-*.png"):
        if (size := file.stat().st_size) > LARGEST:
            raise SystemExit(f"{file} must be at most {LARGEST} bytes, got {size}")


def placed(text: str, name: str, table: str) -> str:
    """The text with a table after its mark, instead of the one that was there."""
    mark = f"<!-- table: {name} -->\n"
    before, found, after = text.partition(mark)
    if not found:
        raise SystemExit(f"{PAGE} must have a line {mark.strip()}")
    lines = after.splitlines(keepends=True)
    while lines and lines[0].startswith("|"):
        lines.pop(0)
    return f"{before}{mark}{table}\n{''.join(lines)}"


def _render(run: Path, kind: str, file: Path) -> None:
    call = ["landscape", "render", run, "--kind", kind, "-o", file, "--dpi", "110", "--quiet"]
    subprocess.run(list(map(str, call)), check=True)
    file.with_suffix(".caption.txt").unlink()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
