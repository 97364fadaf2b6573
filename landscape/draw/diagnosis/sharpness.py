"""Curvature in time against what SGD's steps can bear: batch sharpness, top eigenvalue, bounds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from landscape.curvature.bounds import bounds
from landscape.draw.diagnosis import panels
from landscape.draw.figures import loss_curves
from landscape.draw.look import theme
from landscape.draw.look.style import PLAIN, Style, styled
from landscape.draw.sheet import page
from landscape.errors import LandscapeError
from landscape.quantities import number, percent
from landscape.store.diagnosed import Diagnosed
from landscape.store.measured.curvature import Curvature, Sharpness
from landscape.store.scans.records import Floats

HIGH = 2.1
NOISY, FULL = (0, (4, 1.6)), (0, (1.2, 1.2))
"""Dashes of the bounds for small batches and for the full one."""


@styled
def sharpness(found: Diagnosed, *, style: Style = PLAIN) -> Figure:
    """Draw batch sharpness and λ_max over the steps between the bounds of small and full batches.

    Bars are two standard errors. Below it the training loss. Between the bounds stability is
    undetermined; runs whose step isn't SGD's plain one have none.

    Raises:
        LandscapeError: no curvature is a number above 0.
    """
    batch, top = _measured_parts(found)
    history = found.history
    limits = _bounds(found)
    figure, [upper, lower] = panels.stack(
        [HIGH, panels.LOSS],
        handles=[*_entries(found, limits), *panels.entries(history)],
        texts=_small_print(found),
        style=style,
    )
    panels.in_time(upper, history)
    values = [batch.value]
    values += [top.eigenvalues[:, 0]] if top is not None else []
    values += [line for _, line in limits.values()]
    every = np.concatenate(values)
    shown = every[np.isfinite(every)]
    if not (shown > 0).any():
        raise LandscapeError(
            f"a sharpness figure needs a curvature above 0, run {found.name} has none"
        )
    log = bool((shown > 0).all()) if style.log is None else style.log
    panels.upright(upper, shown, "curvature", log=log, count=6)
    _limits(upper, limits)
    _measured(upper, batch, top)
    panels.loss(lower, history)
    panels.bottom(lower, loss_curves.step_name(history))
    return figure


def _measured_parts(found: Diagnosed) -> tuple[Sharpness, Curvature | None]:
    batch = panels.needed(found.measured.sharpness, "sharpness", found.name)
    return batch, found.measured.curvature


def caption(found: Diagnosed) -> str:
    """Say what is shown, with the highest values, those at the last step, and the bounds there."""
    batch, top = _measured_parts(found)
    sentences = [
        f"Curvature of run {found.name}. Batch sharpness "
        f"E[gᵀHg]/E|g|² over {batch.batches} batches of {batch.batch_size:,}, ± two standard "
        f"errors: {_highest_and_last(batch.step, batch.value, batch.error)}."
    ]
    if top is not None:
        largest = top.eigenvalues[:, 0]
        values = _highest_and_last(top.step, largest, np.zeros(len(largest)))
        sentences.append(f"Top eigenvalue of the training loss's Hessian: {values}.")
    for text, line in _bounds(found).values():
        sentences.append(f"Stability bound {text}: {number(float(line[-1]))}.")
    return " ".join(sentences)


def _highest_and_last(step: NDArray[np.int64], values: Floats, errors: Floats) -> str:
    """The highest value and the last, with two standard errors where there are any."""
    said = [
        f"{number(value)}{f' ± {number(2 * error, 2)}' if error > 0 else ''} at step {at:,}"
        if np.isfinite(value)
        else f"undefined at step {at:,}, where a gradient is 0 or not finite"
        for at, value, error in zip(step, values, errors, strict=True)
    ]
    if not np.isfinite(values).any():
        return said[-1]
    highest = said[int(np.argmax(np.where(np.isfinite(values), values, -np.inf)))]
    return highest if highest == said[-1] else f"at most {highest}, {said[-1]}"


def _bounds(found: Diagnosed) -> dict[str, tuple[str, Floats]]:
    """Return both bounds, in words and at each step (S,); none where SGD's don't hold."""
    settings, rates = found.history.settings, found.learning_rate
    is_plain = settings.get("optimizer", "sgd") == "sgd" and settings.get("clip") is None
    if not is_plain or "momentum" not in settings:
        return {}
    if not len(rates) or not (rates > 0).all():
        return {}
    known, inverse = np.unique(rates, return_inverse=True)
    nesterov = bool(settings.get("nesterov", False))
    made = [
        bounds(
            float(rate),
            momentum=float(settings["momentum"]),
            nesterov=nesterov,
            weight_decay=float(settings.get("weight_decay") or 0.0),
        )
        for rate in known
    ]
    full = "(2+2β)/((1+2β)η)" if nesterov else "(2+2β)/η"
    return {
        "noisy": (
            "of small batches, 2(1−β)/η",
            np.array([one.noisy for one in made])[inverse],
        ),
        "full": (f"of the full batch, {full}", np.array([one.full_batch for one in made])[inverse]),
    }


def _limits(axes: Axes, limits: Mapping[str, tuple[str, Floats]]) -> None:
    if not limits:
        return
    ink = theme.now().ink
    low, high = limits["noisy"][1], limits["full"][1]
    step = np.arange(len(low))
    axes.fill_between(step, low, high, color=theme.PALE, alpha=0.22, lw=0, zorder=1.2)
    for line, dashes in ((low, NOISY), (high, FULL)):
        axes.plot(step, line, color=ink, ls=dashes, lw=1.1, zorder=2)
    page.drew(axes, "bounds", *(("undecided",) if (low < high).any() else ()))


def _measured(axes: Axes, batch: Sharpness, top: Curvature | None) -> None:
    value, mark = batch.value, theme.curvature("batch")
    error = 2 * np.nan_to_num(batch.error)
    # Of one that reaches 0 or below, as far down as a logarithmic axis goes.
    lower = np.minimum(error, (1 - 1e-12) * np.abs(value)) if axes.get_yscale() == "log" else error
    axes.errorbar(
        batch.step,
        value,
        [lower, error],
        fmt=mark.marker,
        color=mark.colour,
        ms=mark.size,
        lw=0.8,
        elinewidth=0.9,
        capsize=2,
        zorder=5,
    )
    axes.plot(*panels.joined(batch.step, value), color=mark.colour, lw=0.8, zorder=4.5)
    if top is not None:
        lambdas, mark = top.eigenvalues[:, 0], theme.curvature("eigenvalue")
        axes.plot(top.step, lambdas, mark.marker, color=mark.colour, ms=mark.size, zorder=4)
        axes.plot(*panels.joined(top.step, lambdas), color=mark.colour, lw=0.8, zorder=4)
        page.drew(axes, "eigenvalue")


def _entries(found: Diagnosed, limits: Mapping[str, tuple[str, Floats]]) -> list[Artist]:
    look, (batch, top) = theme.now(), _measured_parts(found)
    said = {"batch": f"batch sharpness ± 2 errors (batches of {batch.batch_size:,})"}
    if top is not None:
        said["eigenvalue"] = "λ_max, full data"
    marks = {name: theme.curvature(name) for name in said}
    entries: list[Artist] = [
        Line2D(
            *([], []), color=one.colour, marker=one.marker, ms=one.size, lw=0.8, label=said[name]
        )
        for name, one in marks.items()
    ]
    for (text, _), dashes in zip(limits.values(), (NOISY, FULL), strict=False):
        entries.append(
            Line2D([], [], color=look.ink, ls=dashes, lw=1.1, label=f"stability bound {text}")
        )
    if found.history.settings.get("momentum"):
        entries.append(Patch(facecolor=theme.PALE, alpha=0.3, lw=0, label="undetermined"))
    return entries


def _small_print(found: Diagnosed) -> list[str]:
    texts = [loss_curves.trained(found.history)]
    batch, top = _measured_parts(found)
    facts = [
        f"batch sharpness E[gᵀHg]/E|g|² over {batch.batches} batches",
        "bound on batch sharpness where noise dominates, on λ_max with the full batch",
    ]
    noise = batch.noise
    if np.isfinite(noise).any():
        low, high = (percent(float(f(noise))) for f in (np.nanmin, np.nanmax))
        facts.append(
            f"{low} to {high} of a gradient's square is noise"
            if low != high
            else f"{low} of a gradient's square is noise"
        )
    if top is not None and top.samples < top.total:
        facts.append(f"λ_max of {top.samples:,} samples")
    if top is None:
        facts.append("λ_max: not measured")
    if not _bounds(found):
        facts.append("no bounds: not plain SGD")
    return [*texts, "; ".join(facts)]
