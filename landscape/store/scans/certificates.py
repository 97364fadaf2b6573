"""A certificate in a scan's file: the held-out points, what was guessed and measured there."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from landscape.store.scans.records import Certificate

PREDICTED, MEASURED = "_predicted", "_measured"


def fill(group: Any, certificate: Certificate) -> None:
    """Write a certificate into an empty HDF5 group."""
    group.attrs["tolerance"] = certificate.tolerance
    group.attrs["attempts"] = certificate.attempts
    group.attrs["passed"] = certificate.passed
    summary = {name: certificate.summary(name) for name in certificate.predicted}
    group.attrs["errors"] = json.dumps(summary)
    for axis, letter in enumerate("xy"[: certificate.xy.shape[1]]):
        group[letter] = certificate.xy[:, axis]
    for name, values in certificate.predicted.items():
        group[name + PREDICTED] = values
    for name, values in certificate.measured.items():
        group[name + MEASURED] = values


def read(group: Any) -> Certificate:
    """Read a certificate from its HDF5 group."""

    def values(ending: str) -> dict[str, Any]:
        return {
            name.removesuffix(ending): group[name][:] for name in group if name.endswith(ending)
        }

    return Certificate(
        float(group.attrs["tolerance"]),
        int(group.attrs["attempts"]),
        np.stack([group[letter][:] for letter in "xy" if letter in group], 1),
        values(PREDICTED),
        values(MEASURED),
    )
