"""The tables of docs/science.md and docs/science/, read from the folders of the experiments.

A cell holds one number a seed, or their range: least to largest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from science_cases import Case, cases, counted, markdown, number, spanned

from landscape.store import read

Column = Callable[[Case], Any]


def _columns(
    folder: Path, names: Iterable[str], columns: Mapping[str, Column], digits: int = 2
) -> str:
    """A row for each trial, a cell for what a function reads off its runs."""

    def cells(found: Sequence[Case]) -> Iterator[str]:
        for read_off in columns.values():
            values = [read_off(case) for case in found]
            words = any(isinstance(value, str) for value in values)
            yield counted(values) if words else spanned(values, digits)

    named = ((name, cases(folder, name)) for name in names)
    rows = ([name, str(len(found)), *cells(found)] for name, found in named if found)
    return markdown(["trial", "seeds", *columns], rows)


def _of(part: str, *path: str) -> Column:
    def read_off(case: Case) -> Any:
        found: Any = case.part(part)
        for name in path:
            found = (found or {}).get(name)
        return found

    return read_off


def _evidence(name: str) -> Column:
    return lambda case: case.value(name)


def trials(folder: Path, names: Iterable[str]) -> str:
    """What became of the runs at a high learning rate."""
    columns: dict[str, Column] = {
        "k, η, β, B": lambda case: f"{_depth(case)}, {_settings(case)}",
        "outcome": lambda case: case.verdict["verdict"],
        "best loss": _evidence("best_loss"),
        "end loss": _evidence("end_loss"),
        "‖∇L‖ at best": lambda case: case.gradient(case.best),
        "‖∇L‖ at the end": lambda case: case.gradient(int(case.part("units")["step"][-1])),
        "hidden units dead at the end, of 64": lambda case: _dead(case, math.inf),
        "batch sharpness at best": lambda case: case.at("sharpness", "value", case.best),
        "λ_max at best": lambda case: _top(case, case.best),
    }
    return _columns(folder, names, columns)


def beside(folder: Path, names: Iterable[str]) -> str:
    """Other networks at a high learning rate, in short."""
    columns: dict[str, Column] = {
        "η, β, B": _settings,
        "outcome": lambda case: case.verdict["verdict"],
        "best loss": _evidence("best_loss"),
        "end loss": _evidence("end_loss"),
        "dead or saturated at the end, %": _stuck,
        "left again, same η": _left_again,
        "η/10 instead: loss": _at_a_tenth,
        "came back from the end": _came_back,
    }
    return _columns(folder, names, columns)


def _stuck(case: Case) -> float:
    """Units of all layers that were dead or saturated at the end, in percent."""
    units = case.part("units")
    return float(100 * np.sum(units["stuck"][-1]) / np.sum(units["sizes"]))


def _left_again(case: Case) -> str:
    """Of other orders from the best weights, after an escape."""
    escape = case.part("interventions").get("escape")
    return f"{escape['again'][0]['away']} of {escape['again'][0]['count']}" if escape else "–"


def _at_a_tenth(case: Case) -> str:
    """Where a tenth of the rate leads from the best weights, after an escape."""
    branches = (case.part("interventions").get("escape") or {}).get("branches", ())
    found = [b["end_loss"] for b in branches if (b["kind"], b["start"]) == ("lower-rate", "best")]
    return spanned(found)


def _came_back(case: Case) -> str:
    """Of the trainings at other rates from the end, after an escape."""
    escape = case.part("interventions").get("escape")
    if not escape:
        return "–"
    kinds = ("rate", "lower-rate")
    ends = [b["end_loss"] for b in escape["branches"] if b["start"] == "end" and b["kind"] in kinds]
    return f"{sum(loss < escape['level'] for loss in ends)} of {len(ends)}"


def long_beside(folder: Path, names: Iterable[str]) -> str:
    """Other networks in a long training, in short."""
    columns: dict[str, Column] = {
        "η, β, B": _settings,
        "epochs": lambda case: str(case.setting["epochs"]),
        "motion": lambda case: case.verdict["motion"],
        "confined": _evidence("share_confined"),
        "walk": _evidence("share_walk"),
        "drift": _evidence("share_drift"),
        "replicas' ratio": _of("interventions", "motion", "replicas", "ratio"),
        "√MSD(T/2)": _moved,
        "typical copy": _of("permutations", "typical", "mean"),
        "straight line, points": _worst("line"),
    }
    return _columns(folder, names, columns)


def _depth(case: Case) -> int:
    """Convolutions of a CNN."""
    return sum(layer.startswith("conv") for layer in case.part("units")["layers"])


def _dead(case: Case, step: float) -> int:
    """Units of the last hidden layer that were dead on all data when last looked at by a step."""
    units = case.part("units")
    return int(units["stuck"][np.flatnonzero(units["step"] <= step)[-1], -1])


def _top(case: Case, step: int) -> float | None:
    values = case.at("curvature", "eigenvalues", step)
    return None if values is None else float(values[0])


def escapes(folder: Path, names: Iterable[str]) -> str:
    """What training again after an escape came to, a column for each escape."""
    found = {
        f"{name} {case.setting['seed']}": _escape(case, escape)
        for name in names
        for case in cases(folder, name)
        if (escape := case.part("interventions").get("escape"))
    }
    rows = dict.fromkeys(row for column in found.values() for row in column)
    cells = ([row, *(column[row] for column in found.values())] for row in rows)
    return markdown(["", *found], cells)


def _escape(case: Case, escape: Mapping[str, Any]) -> dict[str, str]:
    again, level = escape["again"], escape["level"]
    end = int(case.part("units")["step"][-1])
    places = {
        "the best weights": ("best", again[0]["step"]),
        "before the onset": ("before-onset", again[1]["step"]),
    }

    def losses(start: str, *kinds: str) -> list[float]:
        return [
            branch["end_loss"]
            for branch in escape["branches"]
            if branch["kind"] in kinds and branch["start"] == start
        ]

    other, plateau = losses("end", "rate", "lower-rate"), losses("plateau", "plateau")
    left = {
        f"same η from {words}: left": f"{one['away']} of {one['count']}"
        for words, one in zip(places, again, strict=True)
    }
    lower = {
        f"η/10 from {words}: loss": spanned(losses(start, "lower-rate"))
        for words, (start, _) in places.items()
    }
    steps = [step for _, step in places.values()] + [end]
    noise = [case.at("sharpness", "value", step) for step in steps]
    top = [_top(case, step) for step in steps]
    three = "at the best weights, before the onset, at the end"
    return {
        **left,
        **lower,
        "other η from the end: came back": f"{sum(x < level for x in other)} of {len(other)}",
        "any η from the plateau: stayed": f"{sum(x >= level for x in plateau)} of {len(plateau)}",
        f"hidden units dead, of 64, {three}": ", ".join(str(_dead(case, s)) for s in steps),
        f"batch sharpness {three}": ", ".join(map(number, noise)),
        f"λ_max {three}": ", ".join(map(number, top)),
        "‖∇L‖ at the best weights, at the end": ", ".join(
            number(case.gradient(step)) for step in (case.best, end)
        ),
    }


def settled(case: Case) -> float | None:
    """W: the window's length in relaxation times of the weight decay."""
    s, moved = case.setting, case.part("diffusion")
    if not s["weight_decay"]:
        return None
    steps = moved["last_step"] - moved["first_step"]
    return float(s["lr"] * s["weight_decay"] * steps / (1 - s["momentum"]))


def _moved(case: Case) -> float:
    """√MSD(T/2)."""
    return math.sqrt(case.part("diffusion")["msd"][-1])


def _settings(case: Case) -> str:
    s = case.setting
    return f"{s['lr']:g}, {s['momentum']:g}, {s['batch_size']}"


def _worst(kind: str) -> Column:
    """The worst barrier of all pairs, in points of error; along bent lines, where any is bent."""

    def read_off(case: Case) -> float | None:
        lines = case.part("connectivity")
        straight = float(np.nanmax(lines["line"]["error"]))
        if kind == "curve":
            bent = case.part("curves")
            found = float(np.nanmax(bent["error"])) if bent else straight
            return found if found < straight else None
        return float(np.nanmax(lines[kind]["error"])) if lines.get(kind) else None

    return read_off


def _matched(case: Case) -> float | None:
    found = case.part("connectivity").get("matched_distance")
    return None if found is None else float(np.max(found))


def motion(folder: Path, names: Iterable[str]) -> str:
    """How the weights moved once the loss had settled."""
    columns: dict[str, Column] = {
        "η, β, B": _settings,
        "epochs": lambda case: str(case.setting["epochs"]),
        "W": settled,
        "motion": lambda case: case.verdict["motion"],
        "c½": _evidence("half_cosine"),
        "R": _evidence("ratio"),
        "confined": _evidence("share_confined"),
        "walk": _evidence("share_walk"),
        "drift": _evidence("share_drift"),
        "replicas' ratio": _of("interventions", "motion", "replicas", "ratio"),
        "exponent": _of("diffusion", "exponent"),
    }
    return _columns(folder, names, columns)


def split(folder: Path, names: Iterable[str]) -> str:
    """The movement in the sharpest directions and in all others."""
    columns: dict[str, Column] = {
        f"{place}: {words}": _of("diffusion", "parts", name, key)
        for place, name in (("sharp", "subspace"), ("bulk", "bulk"))
        for words, key in (("share", "share"), ("exponent", "exponent"), ("R", "ratio"))
    }
    return _columns(folder, names, columns)


SHRUNK = 0.01
"""Norm of a unit's weights below which it is taken for none."""
LAGS = (10, 100, 1000, 10_000)


def lags(folder: Path, names: Iterable[str]) -> str:
    """Root mean square of ‖w_N − w_M‖ over the whole run, by M − N."""
    columns: dict[str, Column] = {f"{lag:,}".replace(",", " "): _lag(lag) for lag in LAGS}
    return _columns(folder, names, columns)


def _lag(lag: int) -> Column:
    def read_off(case: Case) -> float | None:
        curve = case.part("distances")["by_lag"]
        there, distance = np.asarray(curve["lag"]), np.asarray(curve["distance"])
        if not there[0] <= lag <= there[-1]:
            return None
        return float(np.exp(np.interp(np.log(lag), np.log(there), np.log(distance))))

    return read_off


def distances(folder: Path, names: Iterable[str]) -> str:
    """How far it moved, beside what to hold that against."""
    columns: dict[str, Column] = {
        "√MSD(T/2)": _moved,
        "nearest copy": _of("permutations", "nearest"),
        "typical copy": _of("permutations", "typical", "mean"),
        "twin": _of("permutations", "twin"),
        "twin, matched": _of("permutations", "twin_matched"),
        "predictions that differ, %": _differing,
        "first layer: units left": _left,
    }
    return _columns(folder, names, columns)


def _left(case: Case) -> int:
    """Units of the first layer whose weights haven't shrunk to nothing."""
    trajectory = read(case.folder).trajectory
    first = trajectory.parameters[0]
    weights = trajectory.row_weights(trajectory.row("final"))[: math.prod(first["shape"])]
    norms = np.linalg.norm(weights.reshape(first["shape"][0], -1), axis=1)
    return int((norms > SHRUNK).sum())


def _differing(case: Case) -> float | None:
    """Of the last network and the nearest earlier one to half a window before."""
    found = case.part("functions")
    moved = case.part("diffusion")
    if not found:
        return None
    half = (moved["last_step"] - moved["first_step"]) / 2
    at = int(np.argmin(np.abs(found["step"] - (found["step"][-1] - half))))
    return float(100 * found["disagreement"][at, -1])


def barriers(folder: Path, names: Iterable[str]) -> str:
    """The worst barrier of 45 pairs of floors, in points of error."""
    columns: dict[str, Column] = {
        "floors apart": lambda case: float(np.max(case.part("connectivity")["distance"])),
        "the same, matched": _matched,
        "straight line": _worst("line"),
        "from floor to floor": _worst("polyline"),
        "units matched": _worst("matched"),
        "bent line": _worst("curve"),
    }
    return _columns(folder, names, columns)


def losses(folder: Path, names: Iterable[str]) -> str:
    """What noise does to the loss."""
    floors = _of("interventions", "motion", "floor_losses")
    columns: dict[str, Column] = {
        "loss at the end": _evidence("end_loss"),
        "η/10 from there": _of("interventions", "motion", "lower", "end_loss"),
        "floors": lambda case: float(np.median(floors(case))),
        "after 100 steps: full batch": _of("interventions", "motion", "full_batch", "loss"),
        "the same with noise": _of("interventions", "motion", "full_batch", "noisy_loss"),
        "moved by then: full batch": _of("interventions", "motion", "full_batch", "displacement"),
        "moved with noise": _of("interventions", "motion", "full_batch", "noisy_displacement"),
        "batch sharpness": _evidence("batch_sharpness"),
        "λ_max": _evidence("sharpness"),
    }
    return _columns(folder, names, columns, digits=3)
