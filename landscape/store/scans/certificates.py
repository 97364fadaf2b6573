"""What is promised of interpolated values, seen at held-out points; its group in a scan's file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.attributes import ACCURACIES, LOSSES

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FACTOR = 1.5
"""Above the cap a loss is known up to this factor."""
FLOOR = 1e-6
"""Errors of a loss without a cap are relative to it, or to this where it is smaller."""
LOWEST = 1e-3
"""With a cap: to this share of the range from the lowest loss to the cap."""
ACCURACY = 0.01
"""An accuracy that is further off counts as missed; nothing is measured for it."""
CONFIDENCE = 0.95

PREDICTED, MEASURED = "_predicted", "_measured"
EXPECTED_BELOW = "expected_below"


@dataclass(frozen=True)
class Promise:
    """How near a loss that wasn't measured must be, by region: below a cap and above it.

    The measured value says which region a point is in.
    """

    tolerance: float
    cap: float = math.inf
    """Infinite: one promise for all losses."""
    floor: float = FLOOR
    """Errors below the cap are relative to max(abs(loss), floor)."""

    @classmethod
    def of(cls, tolerance: float, cap: float, lowest: float) -> Promise:
        """With the floor that belongs to a cap and the lowest loss."""
        if not math.isfinite(cap):
            return cls(tolerance)
        return cls(tolerance, cap, max(FLOOR, LOWEST * (cap - lowest)))

    def below(self, losses: Floats) -> Mask:
        """Where losses lie below the cap; without one all do but NaN, infinite ones too."""
        return np.asarray(losses <= self.cap)

    def relative(self, found: Floats, exact: Floats) -> Floats:
        """Errors relative to max(abs(exact), floor); infinite where not both are finite."""
        both = np.isfinite(found) & np.isfinite(exact)
        size = np.maximum(np.abs(np.where(both, exact, 1.0)), self.floor)
        difference = np.where(both, found, 0.0) - np.where(both, exact, 0.0)
        off = np.where(both, np.abs(difference) / size, np.inf)
        return np.where(_same_infinity(found, exact), 0.0, off)

    def factor(self, found: Floats, exact: Floats) -> Floats:
        """By which factor losses are off, 1 or more; infinite where one isn't above zero."""
        both = np.isfinite(found) & np.isfinite(exact) & (found > 0) & (exact > 0)
        ratio = np.where(both, found, 1.0) / np.where(both, exact, 1.0)
        off = np.where(both, np.maximum(ratio, 1 / ratio), np.inf)
        return np.where(_same_infinity(found, exact), 1.0, off)

    def wrong_side(self, found: Floats, exact: Floats) -> Mask:
        """Where a loss was taken to lie on the other side of the cap.

        Except where the measured one is within the tolerance of the cap.
        """
        if not math.isfinite(self.cap):
            return np.zeros(exact.shape, bool)
        at = np.abs(exact - self.cap) <= self.tolerance * self.cap
        return np.asarray((self.below(found) != self.below(exact)) & ~at)

    def kept(self, found: Floats, exact: Floats, times: float = 1.0) -> Mask:
        """Where it is kept, within so many times the tolerance; above the cap, the factor's log."""
        near = self.relative(found, exact) <= times * self.tolerance
        far = self.factor(found, exact) <= FACTOR**times
        far &= ~self.below(exact) & ~np.isnan(exact)
        return np.asarray((near | far) & ~self.wrong_side(found, exact))

    def allowed(self, losses: Floats) -> Floats:
        """How far off, absolute, guessed losses may be so that it is kept.

        Above the cap by no more than half the way to it, in logarithms: the side is right then,
        and where the cap is crossed between two grid points is right to half a cell.
        """
        near = self.tolerance * np.maximum(np.abs(losses), self.floor)
        if not math.isfinite(self.cap):
            return near
        over = np.log(np.maximum(losses, self.cap) / self.cap)
        share = np.minimum(self.tolerance + over / 2, 1 - 1 / FACTOR)
        return np.where(losses > self.cap, np.abs(losses) * share, near)


@dataclass(frozen=True)
class Certificate:
    """How near interpolated values are, seen at random points that have no say in them.

    They were drawn before anything was refined, some where losses were expected below the cap,
    some where above. It passes if at these points every loss is on its side of the cap, 95 % of
    those below it are within the tolerance, 95 % of all within that or the factor 1.5 above the
    cap, and all within twice the tolerance or the factor's square. Without points everything was
    measured.
    """

    tolerance: float
    attempts: int
    """The last of so many: after one that failed, more points were measured."""
    xy: Floats
    """(n, D) coordinates."""
    predicted: Mapping[str, Floats]
    """By measure (n,), as interpolated before."""
    measured: Mapping[str, Floats]
    caps: Mapping[str, float] = field(default_factory=dict)
    """By loss; one promise for all of a loss that isn't here, as in older versions."""
    floors: Mapping[str, float] = field(default_factory=dict)
    """By loss: what errors are relative to where losses are smaller."""
    expected_below: Mask | None = None
    """(n,) drawn where a loss was expected below its cap; None: all of them."""

    def promise(self, name: str) -> Promise:
        """What is promised of a loss."""
        cap = self.caps.get(name, math.inf)
        return Promise(self.tolerance, cap, self.floors.get(name, FLOOR))

    def errors(self, name: str) -> Floats:
        """(n,) of a measure: relative to max(|value|, floor), of an accuracy absolute."""
        found, exact = self.predicted[name], self.measured[name]
        if name in ACCURACIES:
            return np.abs(found - exact)
        return self.promise(name).relative(found, exact)

    def below(self, name: str) -> Mask:
        """(n,) whether a loss was measured below its cap."""
        return self.promise(name).below(self.measured[name])

    def hidden(self, name: str) -> int:
        """At how many points a loss below the cap was taken to lie above it."""
        wrong = self.promise(name).wrong_side(self.predicted[name], self.measured[name])
        return int((wrong & self.below(name)).sum())

    def missed(self, name: str) -> Mask:
        """(n,) where a measure isn't as near as was promised; an accuracy: within 0.01."""
        if name in ACCURACIES:
            return self.errors(name) > ACCURACY
        return ~self.promise(name).kept(self.predicted[name], self.measured[name])

    def strata(self) -> list[tuple[str, Mask]]:
        """Where the points were drawn from: ``below`` and ``above``, those that have any."""
        below = self.expected_below
        if below is None:
            return [("all", np.ones(len(self.xy), bool))]
        return [(name, part) for name, part in (("below", below), ("above", ~below)) if part.any()]

    def at_most(self, part: Mask) -> float:
        """Of what share of the points that some were drawn from a loss is missed, at most.

        A binomial bound: right for 95 % of all certificates.
        """
        return upper_bound(int((self._astray & part).sum()), int(part.sum()))

    @property
    def within(self) -> int:
        """At how many of the held-out points every loss was as near as is promised."""
        return int((~self._astray).sum())

    @property
    def _astray(self) -> Mask:
        """(M,) where a loss is missed."""
        missed = np.zeros(len(self.xy), bool)
        for name in self._losses:
            missed |= self.missed(name)
        return missed

    def summary(self, name: str) -> dict[str, float]:
        """Numbers of a measure; of a loss the errors are those below its cap.

        ``hidden`` comes first: points below the cap that were taken to lie above it.
        """
        off = self.errors(name)
        found: dict[str, float] = {"missed": int(self.missed(name).sum())}
        if name in self.caps:
            below = self.below(name)
            exact, guess = self.measured[name][~below], self.predicted[name][~below]
            wrong = self.promise(name).wrong_side(guess, exact)
            factors = self.promise(name).factor(guess, exact)
            found = {"hidden": self.hidden(name), "below": int(below.sum()), **found}
            found |= {"above": len(exact), "exposed": int(wrong.sum())}
            found |= {"factor": float(factors.max(initial=1.0))}
            off = off[below]
        if len(off):
            high = float(np.quantile(off, 0.95, method="higher"))
            found |= {"mean": float(off.mean()), "quantile95": high, "largest": float(off.max())}
        return found

    @property
    def passed(self) -> bool:
        """Whether every loss is as near as was asked for."""
        return all(self._passed(name) for name in self._losses)

    def _passed(self, name: str) -> bool:
        found, exact = self.predicted[name], self.measured[name]
        promise, below = self.promise(name), self.below(name)
        all_near = bool(promise.kept(found, exact, 2.0).all())
        # What is said of the region below the cap must hold there, however few of them lie in it.
        near = np.quantile(self.errors(name)[below], 0.95, method="higher") if below.any() else 0.0
        few = int(self.missed(name).sum()) <= (1 - CONFIDENCE) * len(exact)
        return all_near and few and float(near) <= self.tolerance

    @property
    def _losses(self) -> list[str]:
        return [name for name in self.predicted if name in LOSSES]


def upper_bound(failures: int, trials: int) -> float:
    """The share that ``failures`` of ``trials`` are still compatible with, at 95 %.

    Clopper and Pearson's, one-sided: about 3 / trials without a failure; 1 without a trial.
    """
    if failures >= trials:
        return 1.0
    low, high = failures / trials, 1.0
    for _ in range(50):
        share = (low + high) / 2
        chance = sum(
            math.comb(trials, k) * share**k * (1 - share) ** (trials - k)
            for k in range(failures + 1)
        )
        low, high = (share, high) if chance > 1 - CONFIDENCE else (low, share)
    return (low + high) / 2


def _same_infinity(found: Floats, exact: Floats) -> Mask:
    return np.asarray(np.isinf(exact) & (found == exact))


def fill(group: Any, certificate: Certificate) -> None:
    """Write a certificate into an empty HDF5 group."""
    group.attrs["tolerance"] = certificate.tolerance
    group.attrs["attempts"] = certificate.attempts
    group.attrs["passed"] = certificate.passed
    summary = {name: certificate.summary(name) for name in certificate.predicted}
    group.attrs["errors"] = json.dumps(summary)
    group.attrs["caps"] = json.dumps(dict(certificate.caps))
    group.attrs["floors"] = json.dumps(dict(certificate.floors))
    if certificate.expected_below is not None:
        group[EXPECTED_BELOW] = certificate.expected_below.astype(np.uint8)
    for axis, letter in enumerate("xy"[: certificate.xy.shape[1]]):
        group[letter] = certificate.xy[:, axis]
    for name, values in certificate.predicted.items():
        group[name + PREDICTED] = values
    for name, values in certificate.measured.items():
        group[name + MEASURED] = values


def read(group: Any) -> Certificate:
    """Read a certificate from its HDF5 group.

    Raises:
        ValueError: what was predicted and what was measured are of different measures.
    """

    def values(ending: str) -> dict[str, Any]:
        return {
            name.removesuffix(ending): group[name][:] for name in group if name.endswith(ending)
        }

    predicted, measured = values(PREDICTED), values(MEASURED)
    if odd := sorted(set(predicted) ^ set(measured)):
        raise ValueError(f"certificate has {odd[0]} without what it is compared with")
    return Certificate(
        float(group.attrs["tolerance"]),
        int(group.attrs["attempts"]),
        np.stack([group[letter][:] for letter in "xy" if letter in group], 1),
        predicted,
        measured,
        # Absent from files of versions with one promise for all.
        json.loads(group.attrs.get("caps", "{}")),
        json.loads(group.attrs.get("floors", "{}")),
        group[EXPECTED_BELOW][:].astype(bool) if EXPECTED_BELOW in group else None,
    )
