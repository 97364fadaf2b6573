"""Draw the pictures of docs/science.md: ``python docs/make_science.py HIGH LONG``.

HIGH and LONG are the folders of examples/high_learning_rate.py and examples/long_training.py.
"""

import subprocess
import sys
from pathlib import Path

PICTURES = Path(__file__).parent / "pictures"
LARGEST = 300_000
"""Bytes of a picture: they are kept in the repository."""
HIGH = {"science-dying": ("late-escape/seed0", "units")}
LONG = {
    "science-distances": ("momentum-same-rate/seed0", "distances"),
    "science-msd": ("large-rate/seed0", "msd"),
    "science-barriers": ("momentum-same-rate/seed0", "barriers"),
}


def main(high: Path, long: Path) -> None:
    """Draw all of them and check their size."""
    for folder, pictures in ((high, HIGH), (long, LONG)):
        for name, (run, kind) in pictures.items():
            file = PICTURES / f"{name}.png"
            call = ["landscape", "render", folder / run, "--kind", kind, "-o", file, "--dpi", "110"]
            subprocess.run([*map(str, call), "--quiet"], check=True)
            file.with_suffix(".caption.txt").unlink()
            if (size := file.stat().st_size) > LARGEST:
                raise SystemExit(f"{file} must be at most {LARGEST} bytes, got {size}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
