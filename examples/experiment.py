"""What the experiments share: train unless it is done, diagnose, and write one table."""

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from landscape import problem, sgd
from landscape.diagnose import Verdict, diagnose
from landscape.errors import LandscapeError
from landscape.problem import Problem
from landscape.store import Run, analysis, read

ENDED = ("finished", "non-finite")


@dataclass(frozen=True)
class Trial:
    """A problem and how to train on it."""

    settings: sgd.Settings
    model: str = "cnn"
    """A built-in one, or a problem of one's own, FILE.py:function."""
    data: str = "digits"
    """Of a built-in model."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the model, or of the function."""
    samples: int | None = None
    label_noise: float = 0.0
    again: int = 15
    """Epochs that an intervention lasts at most."""

    def problem(self, seed: int) -> Problem:
        """With the weights that the seed draws."""
        if ":" in self.model:
            made = problem.load(self.model, self.options, seed=seed)
        else:
            made = problem.builtin(self.model, self.data, seed=seed, **self.options)
        return problem.vary(made, train_samples=self.samples, label_noise=self.label_noise)


def carry_out(
    folder: Path, trials: Mapping[str, Trial], *, seeds: int, curve: bool = False
) -> None:
    """Train and diagnose every trial with every seed, seeds outermost, and write results.csv.

    What is there already isn't done again, and other trials' lines of the table stay. With
    ``curve`` floors that no line connects are tried with a bent path.
    """
    table = folder / "results.csv"
    rows = {(row["trial"], int(row["seed"])): row for row in lines(table)}
    for seed in range(seeds):
        for name, trial in trials.items():
            place, subject = folder / name / f"seed{seed}", trial.problem(seed)
            done = trained(place, subject, replace(trial.settings, seed=seed))
            other = folder / name / f"seed{seed - 1}"
            twin = read(other) if seed else None
            verdict = diagnose(done, subject, twin=twin, epochs=trial.again, curve=curve)
            told = f"{name}, seed {seed}: {verdict.verdict}, {verdict.motion}"
            print(told, *(answer.text for answer in verdict.answers), flush=True)
            rows[name, seed] = {"trial": name, "seed": seed, **row(place, verdict)}
            write(table, list(rows.values()))


def trained(folder: Path, subject: Problem, settings: sgd.Settings) -> Run:
    """The run in a folder, trained to its end: begun, gone on with, or only read.

    Raises:
        LandscapeError: the folder holds a run with other settings.
    """
    settings = settings.on(subject)
    if not (folder / "run.json").is_file():
        recorder, steps = sgd.Recorder(folder, subject, settings), sgd.steps(subject, settings)
    else:
        there = read(folder)
        if (found := sgd.Settings(**there.record["settings"])) != settings:
            raise LandscapeError(
                f"{folder} must hold a run with {settings}, got {found}; give another folder"
            )
        if there.record["status"] in ENDED:
            return there
        recorder, steps = sgd.resume(there, subject)
    with recorder:
        for step in steps:
            recorder.record(step)
    return read(folder)


def row(folder: Path, verdict: Verdict) -> dict[str, Any]:
    """One run's line of the table: the verdict, its evidence, distances, and what was tried."""
    named = {"outcome": verdict.verdict, "landing": verdict.landing, "motion": verdict.motion}
    named |= {"layers": " ".join(verdict.layers), "also": " ".join(verdict.also)}
    evidence = {name: item.value for name, item in verdict.evidence.items()}
    return {**named, **evidence, **distances(folder), **tried(folder)}


def distances(folder: Path) -> dict[str, Any]:
    """d(w_N, w_M) at the shortest, a middle and the longest lag, beside what to hold it against."""
    found: dict[str, Any] = {}
    if spread := analysis.load(folder, "distances"):
        curve = spread.values["by_lag"]
        for place in (0, len(curve["lag"]) // 2, -1):
            found[f"distance_at_lag_{curve['lag'][place]:.0f}"] = curve["distance"][place]
    if copies := analysis.load(folder, "permutations"):
        found |= {f"copy_{name}": copies.values[name] for name in ("nearest", "hidden_norm")}
        found |= {name: copies.values[name] for name in ("twin", "twin_matched")}
    return found


def tried(folder: Path) -> dict[str, Any]:
    """What the interventions came to; empty where there were none."""
    part = analysis.load(folder, "interventions")
    values: Mapping[str, Any] = part.values if part else {}
    found: dict[str, Any] = {}
    if escape := values.get("escape"):
        for one in escape["again"]:
            found[f"left_from_{one['start']}"] = f"{one['away']} of {one['count']}"
        for branch in escape["branches"]:
            if branch["kind"] != "other-order":
                where = f"{branch['kind']}_from_{branch['start']}"
                found[f"{where}_at_{branch['learning_rate']:g}"] = branch["end_loss"]
    if (motion := values.get("motion")) and (full := motion["full_batch"]):
        found |= {f"full_batch_{name}": value for name, value in full.items()}
    return found


def lines(file: Path) -> list[dict[str, Any]]:
    """A CSV file's rows; none without the file."""
    if not file.is_file():
        return []
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def write(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV file with every column that any row has."""
    columns = dict.fromkeys(name for each in rows for name in each)
    with file.open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(columns))
        table.writeheader()
        table.writerows(rows)


def arguments(description: str, folder: str) -> argparse.Namespace:
    """The options of an experiment's script."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(folder))
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (default: 1)")
    parser.add_argument("--only", help="these trials, with commas between them (default: all)")
    parser.add_argument("--quick", action="store_true", help="a few epochs, to see that it works")
    given = parser.parse_args()
    given.only = given.only.split(",") if given.only else None
    return given


def chosen(
    trials: Mapping[str, Trial], only: Sequence[str] | None, quick: bool
) -> dict[str, Trial]:
    """Those that are wanted; few epochs and samples and narrow models if it must be quick."""
    if unknown := set(only or ()) - set(trials):
        raise SystemExit(f"--only must name trials, {', '.join(trials)}; got {', '.join(unknown)}")
    found = {name: trials[name] for name in only or trials}
    if not quick:
        return found
    return {
        name: replace(
            trial,
            settings=replace(trial.settings, epochs=3),
            options={**trial.options, "width": 4},
            samples=200,
            again=1,
        )
        for name, trial in found.items()
    }
