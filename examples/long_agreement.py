"""How often a diagnosis as it comes names what a long run does, and whether a longer one agrees.

    python examples/long_agreement.py runs/long-agreement
    python examples/long_agreement.py runs/long-agreement --times 4

Ten regimes of one small network on digits, 6,400 steps each, diagnosed with every default; with
``--times 4`` four times as many. Writes FOLDER/results.csv: the motion's name, over how many of its
window's steps, and the seconds of one processor that training and diagnosis took.
docs/science/long_runs.md has what came of it.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from experiment import Trial, chosen, lines, trained, write

from landscape.diagnose import Verdict, diagnose
from landscape.sgd import Settings

EPOCHS = 400
SAMPLES, WIDTH = 512, 16


def regime(*, noise: float = 0.2, **changes: Any) -> Trial:
    """Noisy labels keep the gradients noisy, weight decay lets the norm settle."""
    standard: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.02, "batch_size": 32, "epochs": EPOCHS}
    return Trial(
        Settings(**standard | changes),
        model="mlp",
        options={"width": WIDTH},
        samples=SAMPLES,
        label_noise=noise,
    )


REGIMES: Mapping[str, Trial] = {
    "noise-decay": regime(),
    "plain": regime(weight_decay=0.0, noise=0.0),
    "decay": regime(noise=0.0),
    "noise": regime(weight_decay=0.0),
    "momentum": regime(lr=0.01, momentum=0.9),
    "small-rate": regime(lr=0.03),
    "large-rate": regime(lr=0.3),
    "small-batch": regime(batch_size=8, epochs=EPOCHS // 4),
    "large-batch": regime(batch_size=128, epochs=EPOCHS * 4),
    "less-decay": regime(lr=0.2, weight_decay=0.01),
}


TOLD = {
    "motion_steps": "over",
    "window_steps": "window",
    "half_cosine": "c_half",
    "ratio": "R",
    "replicas_ratio": "replicas",
    "dimension": "dimension",
    "motion_undetermined_because": "because",
}
"""By name in the evidence, the table's column."""


def told(verdict: Verdict) -> dict[str, object]:
    """What is said to whether it stays, and what that rests on."""
    value = {name: item.value for name, item in verdict.evidence.items()}
    found = {column: value.get(name, "") for name, column in TOLD.items()}
    return {"outcome": verdict.verdict, "motion": verdict.motion, **found}


def main(folder: Path, *, times: int = 1, only: Sequence[str] | None = None) -> None:
    """Train and diagnose those regimes that the table hasn't got yet, ``times`` as long."""
    table = folder / "results.csv"
    rows = {(row["regime"], row["times"]): row for row in lines(table)}
    for name, trial in chosen(REGIMES, only, quick=False).items():
        if (name, str(times)) in rows:
            continue
        settings = replace(trial.settings, epochs=times * trial.settings.epochs)
        subject, begun = trial.problem(0), time.process_time()
        run = trained(folder / f"{name}-{times}", subject, settings)
        done = time.process_time()
        verdict = diagnose(run, subject)
        took = {"trained": done - begun, "diagnosed": time.process_time() - done}
        rows[name, str(times)] = {"regime": name, "times": times, **told(verdict), **took}
        write(table, list(rows.values()))
        print(rows[name, str(times)], flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Long runs, and longer ones.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs/long-agreement"))
    parser.add_argument("--times", type=int, default=1, help="so many times as long (default: 1)")
    parser.add_argument("--only", help="these regimes, with commas between them (default: all)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    main(given.folder, times=given.times, only=given.only.split(",") if given.only else None)
