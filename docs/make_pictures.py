"""Make the README's pictures from a real run: ``python docs/make_pictures.py [FOLDER]``.

Trains and scans as in the README unless FOLDER holds that run and its scan already.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from landscape import draw
from landscape.store import scanfile

PICTURES = Path(__file__).parent / "pictures"
DPI = 120


def main(folder: Path) -> None:
    """Train and scan if needed, then draw."""
    landscape = [sys.executable, "-m", "landscape_cli"]
    file = folder / "scans" / "along-final-0.h5"
    if not file.exists():
        train = ["train", "--lr", "0.1", "--momentum", "0.9", "-o", str(folder)]
        subprocess.run([*landscape, *train], check=True)
        subprocess.run([*landscape, "scan", str(folder), "--plane", "along"], check=True)
    scan = scanfile.load(file)
    PICTURES.mkdir(exist_ok=True)
    for kind in ("contour", "surface"):
        picture = PICTURES / f"escape-{kind}.png"
        draw.KINDS[kind](scan).savefig(picture, dpi=DPI, metadata={"Software": None})
        print(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/high-lr"))
