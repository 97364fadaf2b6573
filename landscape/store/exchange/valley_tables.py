"""A valley as CSV and npz; the npz can be read back."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import LandscapeError
from landscape.store.exchange.tables import csv_of, held_out, strict
from landscape.store.scans.certificates import EXPECTED_BELOW, MEASURED, PREDICTED, Certificate
from landscape.store.scans.valleyfile import ATTRIBUTES, JSON_ATTRIBUTES, PATH, ROWS, SLICES
from landscape.store.scans.valleys import Slices, Valley, WalkedPath
from landscape.store.trajectories.trajectory import event

FORMAT = "landscape-valley"
CERTIFICATE = ("tolerance", "attempts", "caps", "floors")
"""What a certificate has beside arrays."""
UNREADABLE = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, EOFError),
    *(MemoryError, zipfile.BadZipFile, zlib.error),
)
"""What is raised of a file that is none of these."""


def grid(valley: Valley) -> bytes:
    """A long table: row, step, y, the distance that this is, measured (1 or 0), measures."""
    row, y = np.meshgrid(np.arange(len(valley.slices.step)), valley.y, indexing="ij")
    columns: dict[str, NDArray[Any]] = {
        "row": row.ravel(),
        "step": valley.slices.step[row].ravel(),
        "y": y.ravel(),
        "distance": (y * valley.slices.length[:, None]).ravel(),
        "measured": valley.measured.astype(int).ravel(),
    }
    columns |= {name: values.ravel() for name, values in valley.measures.items()}
    columns |= {f"{name}_error": values.ravel() for name, values in valley.errors.items()}
    return csv_of(list(columns), zip(*(one.tolist() for one in columns.values()), strict=True))


def rows(valley: Valley) -> bytes:
    """A line for each row: what is known of its weights, its direction, its width."""
    last = [np.nan]
    columns: dict[str, Any] = {
        "step": valley.slices.step,
        "travelled": valley.slices.travelled,
        "moved_to_next": np.append(valley.slices.moved, last),
        "turned_to_next": np.append(valley.slices.turned, last),
        "length": valley.slices.length,
        "cosine": valley.slices.cosine,
        "overlap": valley.slices.overlap,
        "train_loss": valley.loss,
        **{f"width_{share}": valley.width(share) for share in (0.25, 0.5, 0.75)},
        "critical_step": valley.critical_step,
    }
    return csv_of(list(columns), zip(*(one.tolist() for one in columns.values()), strict=True))


def arrays(valley: Valley) -> bytes:
    """A whole valley as npz; ``about`` is JSON, as text."""
    found: dict[str, Any] = {"y": valley.y, "measured": valley.measured, "tracked": valley.tracked}
    found |= {f"measure_{name}": values for name, values in valley.measures.items()}
    found |= {f"error_{name}": values for name, values in valley.errors.items()}
    found |= {f"valley_{name}": getattr(valley.slices, name) for name in SLICES}
    found |= {f"valley_{name}": getattr(valley, name) for name in ROWS}
    found |= {f"path_{name}": getattr(valley.path, name) for name in PATH}
    found |= {f"subset_{name}": values for name, values in valley.subset.items()}
    about: dict[str, Any] = {"format": FORMAT, "version": 1, "hash": list(valley.slices.hashes)}
    if (tested := valley.certificate) is not None:
        found |= {f"certificate_{name}": values for name, values in held_out(tested).items()}
        found[f"certificate_{EXPECTED_BELOW}"] = tested.expected_below
        about["certificate"] = {name: getattr(tested, name) for name in CERTIFICATE}
    about |= {name: getattr(valley, name) for name in ATTRIBUTES}
    about |= {name: dict(getattr(valley, name)) for name in JSON_ATTRIBUTES}
    about["events"] = [[e.name, e.first, e.last, e.trigger] for e in valley.events]
    stream = io.BytesIO()
    np.savez_compressed(stream, about=np.array(json.dumps(strict(about))), **found)
    return stream.getvalue()


def read_arrays(path: Path) -> Valley:
    """Read a valley back that was written as npz.

    Raises:
        LandscapeError: no such file, or no valley.
    """
    if not path.is_file():
        raise LandscapeError(f"file {path} must exist, found none")
    try:
        with np.load(path, allow_pickle=False) as file:
            known = {name: file[name] for name in file.files}
        about = json.loads(str(known["about"]))
        if about.get("format") != FORMAT:
            raise KeyError("about")
        return _valley(known, about)
    except UNREADABLE as error:
        raise LandscapeError(
            f"{path} must be a valley as `landscape export --to npz` writes it, got one that "
            f"can't be read as such: {error}"
        ) from error


def _valley(known: Mapping[str, Any], about: Mapping[str, Any]) -> Valley:
    def named(start: str) -> dict[str, Any]:
        return {key.removeprefix(start): known[key] for key in known if key.startswith(start)}

    def plain(name: str) -> Any:
        return float("nan") if about[name] is None else about[name]

    return Valley(
        slices=Slices(
            hashes=tuple(about["hash"]), **{name: known[f"valley_{name}"] for name in SLICES}
        ),
        y=known["y"],
        measures=named("measure_"),
        errors=named("error_"),
        measured=known["measured"],
        tracked=known["tracked"],
        subset=named("subset_"),
        certificate=_certificate(named("certificate_"), about.get("certificate")),
        path=WalkedPath(**{name: known[f"path_{name}"] for name in PATH}),
        events=tuple(event(*one) for one in about["events"]),
        **{name: known[f"valley_{name}"] for name in ROWS},
        **{name: plain(name) for name in ATTRIBUTES},
        **{name: about[name] for name in JSON_ATTRIBUTES},
    )


def _certificate(known: Mapping[str, Any], about: Mapping[str, Any] | None) -> Certificate | None:
    if about is None:  # of no tolerance, or written before there was one of all columns
        return None

    def ending(end: str) -> dict[str, Any]:
        return {name.removesuffix(end): known[name] for name in known if name.endswith(end)}

    return Certificate(
        xy=np.stack([known["x"], known["y"]], 1),
        predicted=ending(PREDICTED),
        measured=ending(MEASURED),
        expected_below=known.get(EXPECTED_BELOW),
        **{name: about[name] for name in CERTIFICATE},
    )
