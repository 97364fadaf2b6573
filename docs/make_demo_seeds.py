"""Train what ``make demo`` trains with other seeds: ``python docs/make_demo_seeds.py FOLDER``.

Puts the table of how they ended into docs/gallery.md. Each number of threads is a sweep in FOLDER,
which goes on where it stopped: on one thread a seed takes 8 seconds, on two cores that do other
work as well two threads take half a minute. How a run ended is what `landscape diagnose` names it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from make_science import placed

from landscape.quantities import number
from landscape.store import sweep_folder
from landscape.store.run import Run

DOCS = Path(__file__).parent
SEEDS = {1: 20, 2: 20}
"""By the number of threads, so many seeds from 0 on."""


def setting() -> list[str]:
    """The words of the demo's training, without its seed: the Makefile's."""
    makefile = (DOCS.parent / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(r"landscape (train .*?) --seed 0 -o runs/demo", makefile)
    assert found is not None
    return found[1].split()


def trained(folder: Path, threads: int, seeds: int) -> list[Run]:
    """The runs of a number of threads, trained where they aren't there yet."""
    place = folder / f"threads-{threads}"
    # Threads that wait asleep leave the processor to others; the sums are the same.
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    command = [Path(sys.executable).parent / "landscape", *setting()]
    words = ["--seeds", str(seeds), "-o", str(place)]
    subprocess.run([*command, *words], env=environment, check=True, stdout=sys.stderr)
    words = ["diagnose", str(place), "--no-intervene", "--only", "units"]
    subprocess.run([command[0], *words], check=True, stdout=sys.stderr)
    runs, damaged = sweep_folder.read(place).opened()
    assert not damaged, damaged
    return runs


def table(runs: Sequence[tuple[int, Sequence[Run]]]) -> str:
    """A row for each number of threads: how its runs ended, how far they had learned before."""
    names = "threads | seeds | escaped | to a dead plateau | lowest logged loss | loss at the end"
    rows = [f"| {names} | escaped in epoch |", "|" + "---|" * 7]
    for threads, some in runs:
        losses = [run.trajectory.measures["train_loss"] for run in some]
        verdicts = [json.loads((run.folder / "verdict.json").read_text("utf-8")) for run in some]
        escaped = [verdict for verdict in verdicts if verdict["verdict"] == "escaped"]
        dead = [verdict for verdict in escaped if verdict["landing"] == "dead-plateau"]
        steps = [
            event["first"]
            for verdict in escaped
            for event in verdict["events"]
            if event["name"] == "escape"
        ]
        epochs = [1 + step // some[0].record["steps_per_epoch"] for step in steps]
        when = f"{min(epochs)} to {max(epochs)}, median {np.median(epochs):g}" if epochs else "–"
        cells = [
            *(str(threads), f"0 to {len(some) - 1}"),
            *(str(len(escaped)), str(len(dead))),
            span([float(np.nanmin(one)) for one in losses]),
            span([float(one[np.isfinite(one)][-1]) for one in losses]),
            when,
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def span(values: Sequence[float]) -> str:
    """From the lowest to the highest."""
    return f"{number(min(values), 3)} to {number(max(values), 3)}"


def main(folder: Path) -> None:
    """Train what is missing and write the table."""
    page = DOCS / "gallery.md"
    made = table([(threads, trained(folder, threads, seeds)) for threads, seeds in SEEDS.items()])
    text = placed(page.read_text(encoding="utf-8"), "demo-seeds", made, page)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    main(parser.parse_args().folder)
