"""Surfaces and paths as VTK's XML files, for ParaView: every number as it is, in binary."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from landscape.store.scans.records import Floats, Path, Scan

TYPES = {"f8": "Float64", "i8": "Int64", "u1": "UInt8"}


def surface(scan: Scan) -> bytes:
    """A scan as a structured grid (``.vts``), a line as one of a single row.

    Points are (x, y, height), ``height`` as of `heights`; all measures, their errors and
    ``measured`` are point data, NaN and infinity among them.
    """
    shape = (len(scan.x), max(1, len(scan.y)))
    x, y = np.meshgrid(scan.x, scan.y if len(scan.y) else [0.0], indexing="ij")
    heights, meaning = _heights(scan)
    points = [part.reshape(shape).T.ravel() for part in (x, y, heights)]
    # VTK's points run along x first.
    values: dict[str, NDArray[Any]] = {**scan.measures, **scan.estimates}
    values["measured"] = scan.measured.astype(np.uint8)
    fields = {name: grid.reshape(shape).T.ravel() for name, grid in values.items()}
    extent = f'"0 {shape[0] - 1} 0 {shape[1] - 1} 0 0"'
    return _file(
        "StructuredGrid",
        f"<StructuredGrid WholeExtent={extent}>",
        _note("height", meaning),
        f"<Piece Extent={extent}>",
        *_data("PointData", fields, active="train_loss"),
        *_points(np.stack(points, axis=1)),
        "</Piece>",
        "</StructuredGrid>",
    )


def paths(scan: Scan) -> bytes:
    """A scan's paths as polylines (``.vtp``) at the height of their true loss, a cell a path.

    Between rows whose true loss is known the height is interpolated; ``true_loss`` isn't. Rows
    whose weights aren't finite are left out.
    """
    kept = [np.asarray(np.isfinite(path.xy).all(1)) for path in scan.paths]
    heights, meaning = _heights(scan)
    floor = float(heights.min()) if heights.size else 0.0
    points, lengths = [], []
    for path, rows in zip(scan.paths, kept, strict=True):
        xyz = np.zeros((int(rows.sum()), 3))
        xyz[:, : path.xy.shape[1]] = path.xy[rows]
        xyz[:, 2] = _between(_height(path.true_loss[rows], log=_is_log(scan)), floor)
        points.append(xyz)
        lengths.append(len(xyz))
    names = ("step", "true_loss", "plane_loss", "distance_from_plane")
    fields = {name: _joined(scan.paths, name, kept) for name in names}
    fields["interpolated"] = _joined(scan.paths, "interpolated", kept).astype(np.uint8)
    total = sum(lengths)
    lines = {"connectivity": np.arange(total), "offsets": np.cumsum(lengths, dtype=np.int64)}
    count = f'NumberOfPoints="{total}" NumberOfLines="{len(lengths)}"'
    return _file(
        "PolyData",
        "<PolyData>",
        _note("height", meaning),
        f'<Piece {count} NumberOfVerts="0" NumberOfStrips="0" NumberOfPolys="0">',
        *_data("PointData", fields, active="step"),
        *_data("CellData", {"path": np.arange(len(lengths))}, active="path"),
        *_points(np.concatenate([*points, np.empty((0, 3))])),
        *_data("Lines", lines),
        "</Piece>",
        "</PolyData>",
    )


def _joined(paths: Sequence[Path], name: str, kept: Sequence[NDArray[np.bool_]]) -> NDArray[Any]:
    parts = [getattr(path, name)[rows] for path, rows in zip(paths, kept, strict=True)]
    return np.concatenate(parts) if parts else np.empty(0)


def _heights(scan: Scan) -> tuple[Floats, str]:
    """The surface's height at each point and what it means.

    The training loss's decimal logarithm, or the loss where one of scan or path isn't positive.
    What isn't finite stands at the top, minus infinity at the bottom.
    """
    log = _is_log(scan)
    height = _height(scan.measures["train_loss"], log=log)
    finite = height[np.isfinite(height)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    meaning = "log10 of train_loss" if log else "train_loss"
    return np.nan_to_num(height, nan=high, posinf=high, neginf=low), meaning


def _is_log(scan: Scan) -> bool:
    losses = [scan.measures["train_loss"], *(path.true_loss for path in scan.paths)]
    return not any(bool((values <= 0).any()) for values in losses)


def _height(losses: Floats, *, log: bool) -> Floats:
    return np.log10(losses) if log else losses


def _between(heights: Floats, otherwise: float) -> Floats:
    rows = np.arange(len(heights))
    known = np.isfinite(heights)
    if not known.any():
        return np.full(len(heights), otherwise)
    return np.interp(rows, rows[known], heights[known])


def _file(kind: str, *lines: str) -> bytes:
    head = f'<VTKFile type="{kind}" version="1.0" byte_order="LittleEndian" header_type="UInt64">'
    return "\n".join(['<?xml version="1.0"?>', head, *lines, "</VTKFile>", ""]).encode()


def _data(part: str, fields: Mapping[str, NDArray[Any]], active: str = "") -> Iterable[str]:
    yield f"<{part} Scalars={quoteattr(active)}>" if active else f"<{part}>"
    for name, values in fields.items():
        yield _array(name, values)
    yield f"</{part}>"


def _points(xyz: Floats) -> Iterable[str]:
    return "<Points>", _array("Points", xyz, components=3), "</Points>"


def _array(name: str, values: NDArray[Any], *, components: int = 1) -> str:
    # Little-endian whatever the machine is; the header counts the bytes that follow.
    if values.dtype.str[1:] not in TYPES:  # of a file from elsewhere
        values = values.astype(np.float64)
    plain = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"))
    content = np.uint64(plain.nbytes).astype("<u8").tobytes() + plain.tobytes()
    kind = TYPES[plain.dtype.str[1:]]
    return (
        f'<DataArray type="{kind}" Name={quoteattr(name)} NumberOfComponents="{components}" '
        f'format="binary">{base64.b64encode(content).decode()}</DataArray>'
    )


def _note(name: str, text: str) -> str:
    codes = " ".join(str(code) for code in [*text.encode(), 0])
    return (
        f'<FieldData><DataArray type="String" Name="{name}" NumberOfTuples="1" format="ascii">'
        f"{codes}</DataArray></FieldData>"
    )
