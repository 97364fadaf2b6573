"""Runs beside each other: what is known of each, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landscape.door import notebook, tables
from landscape.door.python_words import speaking_python
from landscape.door.runs import HeldRun, held
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store import diagnosed, summary, verdicts
from landscape.store.run import Run
from landscape.store.scans.widths import Width
from landscape.store.typed import rebuilt

Row = Mapping[str, Any]
# The words of `landscape.report.comparison.ROWS`, which loads what draws.
WIDTH, EIGENVALUE, TRACE = "width r₀.₁, median", "largest Hessian eigenvalue", "Hessian trace"
OF_WIDTH = (
    *("width, lower end", "width, upper end"),
    *("width's rise", "width's unit", "width's step"),
)


@dataclass(frozen=True)
class Comparison:
    """What is known of some runs, a row each; what nobody measured of a run is None.

    >>> names = ("run", "steps", "Hessian trace", "motion")
    >>> values = (("a", 50, 0.5, None), ("b", 1000, None, None))
    >>> Comparison(tuple(dict(zip(names, row, strict=True)) for row in values))
                   a    b
    steps          50   1,000
    Hessian trace  0.5  -
    """

    rows: tuple[Row, ...]
    """By the names of the columns, plain values."""
    differs: str = ""
    """Of runs of different problems, or with widths at different rises, what doesn't compare."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names that at least one run has something of."""
        return tuple(
            name for name in self.rows[0] if any(row[name] is not None for row in self.rows)
        )

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``, a row a run.

        Raises:
            LandscapeError: pandas isn't installed.

        >>> Comparison(({"run": "a", "steps": 50}, {"run": "b", "steps": 40})).to_pandas()
             steps
        run
        a       50
        b       40
        """
        names = self.columns
        return tables.frame({name: [row[name] for row in self.rows] for name in names}, index="run")

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        """A row a measure and a column a run, as `landscape compare` prints it."""
        head = ["", *(row["run"] for row in self.rows)]
        lines = []
        for name in self.columns:
            if name == WIDTH:
                lines.append([f"{WIDTH} (spread)", *map(_width_cell, self.rows)])
            elif name not in ("run", *OF_WIDTH):
                lines.append([name, *(_cell(row[name]) for row in self.rows)])
        return head, lines

    def __repr__(self) -> str:
        """The table in lines of text."""
        return "\n".join(filter(None, (self.differs, notebook.columns(*self._cells()))))

    def _repr_html_(self) -> str:
        return (notebook.paragraph(self.differs) if self.differs else "") + notebook.table(
            *self._cells()
        )


@speaking_python
def compare(*runs: HeldRun | str | Path) -> Comparison:
    """Put runs beside each other: losses, widths, curvature and verdicts, as far as measured.

    Nothing is measured here: ``run.scan("line", planes=10)`` gives the width of the surroundings,
    ``run.diagnose()`` curvature and verdict. Widths are the radius at which the training loss has
    risen by 0.1 nat, of another loss than cross-entropy by 0.1 of the way from the lowest to the
    best constant output's, in the unit of the scan's directions; they aren't invariant under
    rescaling the weights, so compare those of networks of one architecture. Beside their median
    stand their quartiles; of fewer than five rays the lowest and the highest.

    Args:
        runs: opened ones, or their folders.

    Raises:
        LandscapeError: no runs, or one that can't be read.

    >>> import landscape as ls
    >>> problem = ls.Problem.builtin("mlp", "moons", width=8)
    >>> runs = [ls.train(problem, lr=lr, steps=32, to=f"runs/lr{lr}") for lr in (0.1, 0.3)]
    >>> ls.compare(*runs).to_pandas()["learning rate"].tolist()
    [0.1, 0.3]
    """
    if not runs:
        raise LandscapeError("compare needs runs, got none; give them or their folders")
    found = [held(run).stored for run in runs]
    apart = summary.widths_apart([summary.width_of(run) for run in found])
    said = " ".join(filter(None, (summary.difference(found), apart)))
    return Comparison(tuple(map(_row, found)), said)


def _row(run: Run) -> Row:
    about = summary.of_run(run)
    losses: Mapping[str, Mapping[str, Any]] = about["losses"] or {}
    lowest, end = losses.get("lowest_logged", {}), losses.get("end", {})
    # Of a loop of somebody's own what its optimizer says.
    settings: Mapping[str, Any] = about["settings"] or about["optimizer"] or {}
    return {
        "run": run.name,
        "status": about["status"],
        "steps": about["steps"],
        "learning rate": settings.get("lr"),
        "momentum": settings.get("momentum"),
        "seed": settings.get("seed"),
        "lowest logged training loss": lowest.get("train_loss"),
        "last logged training loss": end.get("train_loss"),
        "last logged validation loss": end.get("validation_loss"),
        **_width(run),
        **_curvature(run),
        **_verdict(run),
    }


def _width(run: Run) -> Row:
    names = (WIDTH, *OF_WIDTH)
    found = summary.width_of(run)
    if found is None:
        return dict.fromkeys(names)
    width = rebuilt(Width, found)
    radii = (width.median, *width.ends)
    # Beyond the scan's reach there is no number.
    values = [float("inf") if radius is None else radius for radius in radii]
    about = (width.level.short, width.unit, found["step"])
    return dict(zip(names, (*values, *about), strict=True))


def _curvature(run: Run) -> Row:
    measured = diagnosed.of(run, (), also=("curvature",)).measured.curvature
    if measured is None:
        return dict.fromkeys((EIGENVALUE, TRACE))
    return {
        EIGENVALUE: float(measured.eigenvalues[-1, 0]),
        TRACE: float(measured.trace[-1]),
    }


def _verdict(run: Run) -> Row:
    found = verdicts.read(run.folder)
    if found is None:
        return {"verdict": None, "motion": None}
    return {"verdict": found["verdict"], "motion": found["motion"]}


def _width_cell(row: Row) -> str:
    if row[WIDTH] is None:
        return "-"
    lower, upper, rise, unit, step = (_cell(row[name]) for name in OF_WIDTH)
    return f"{_cell(row[WIDTH])} ({lower} to {upper}; a rise of {rise}, {unit}, step {step})"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    shown: Callable[[Any], str] = number if isinstance(value, float) else str
    return f"{value:,}" if isinstance(value, int) else shown(value)
