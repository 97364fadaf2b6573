"""A sweep as a table: a run a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape.store.scans.widths import Width
    from landscape.store.sweep_folder import Sweep

LOSSES = {
    "lowest_train_loss": "lowest train",
    "last_train_loss": "last train",
    "lowest_validation_loss": "lowest valid.",
    "last_validation_loss": "last valid.",
}
SIGNS = {"beyond": ">", "below": "<", "": ""}


def table_lines(sweep: Sweep) -> Iterator[str]:
    """The table; below it what went wrong in the runs that failed."""
    from landscape.store.summary import of_sweep, widths_apart

    found = of_sweep(sweep)
    # The radius at which the loss has risen: a column where a scan has measured it.
    measured = [_read(run["width"]) for run in found["runs"] if run["width"]]
    called = dict.fromkeys(width.ends_called for width in measured)
    widths = [f"r0.1 ({', or '.join(called)})"] if measured else []
    head = [*found["varied"], *LOSSES.values(), *widths, "steps", "status"]
    rows = [
        [
            *(cell(run["values"].get(name)) for name in found["varied"]),
            *(cell(run[name]) for name in LOSSES),
            *(_width(run["width"]) for _ in widths),
            *(cell(run[name]) for name in ("steps", "status")),
        ]
        for run in found["runs"]
    ]
    yield from table(head, rows)
    if apart := widths_apart([run["width"] for run in found["runs"]]):
        yield apart
    for run in found["runs"]:
        if run["error"] is not None:
            yield f"{run['name']} failed: {run['error']}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of columns aligned to the right, the last one to the left."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        *cells, last = row
        aligned = (f"{text:>{width}}" for text, width in zip(cells, widths, strict=False))
        yield "  ".join([*aligned, last])


def _width(found: Mapping[str, Any] | None) -> str:
    from landscape.store.summary import of_step

    if found is None:
        return "-"
    width = _read(found)
    bounds = map(width.bound, (width.median, *width.ends))
    median, lower, upper = (f"{SIGNS[word]}{known:.3g}" for word, known in bounds)
    return " ".join(filter(None, (f"{median} ({lower}-{upper})", of_step(found))))


def _read(found: Mapping[str, Any]) -> Width:
    from landscape.store.scans.widths import Width
    from landscape.store.typed import rebuilt

    return rebuilt(Width, found)


def cell(value: Any) -> str:
    """A value of a sweep, as every table writes it."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
