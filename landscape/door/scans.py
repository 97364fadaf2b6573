"""A scan as people hold it: drawn, turned, and taken along as a table or labelled arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from landscape.door import notebook, tables
from landscape.door.given import check_options, takes_of
from landscape.door.options import StyleOptions
from landscape.door.python_words import speaking_python
from landscape.errors import LandscapeError
from landscape.quantities import size
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats, Scan
from landscape.store.scans.valleys import Valley

if TYPE_CHECKING:
    import pyvista
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from landscape.draw.sheet.page import PrintedFigure
    from landscape.scan.request import Request

SCAN_OPTIONS: Mapping[str, Any] = {
    "size": int | str,
    "extent": float | str | None,
    "cap": float | str,
    "measures": str | Sequence[str],
    "directions": str | Path | None,
    "exact": bool,
}
"""Types of those options that are text in the records, more than they say, or not there."""


class HeldScan:
    """Losses on a plane, along a line, or across a run's path (a valley).

    At a prompt it is one line, in a notebook its picture. Every measure is an array over the grid:
    of a plane ``scan.loss[i, j]`` lies at ``x[i]``, ``y[j]`` (the *first* index is x, so that
    ``matplotlib.pyplot.pcolormesh(x, y, loss.T)`` wants the transpose); of a line ``loss[i]`` at
    ``x[i]``; of a valley ``loss[i, j]`` at the i-th recorded step, ``y[j]`` across the path.
    `to_xarray` labels the axes, so that nobody has to remember.

    >>> import torch, landscape as ls
    >>> _ = torch.manual_seed(0)
    >>> x = torch.linspace(-1, 1, 40)[:, None]
    >>> scan = ls.look(torch.nn.Linear(1, 1), (x, 2 * x), loss="half_square", size=9)
    >>> scan
    <scan random: plane random, 9 x 9, training loss 0.8... to 0.8...>
    >>> scan.loss.shape, {name: len(values) for name, values in scan.axes.items()}
    ((9, 9), {'x': 9, 'y': 9})
    """

    def __init__(
        self, name: str, *, path: Path | None = None, stored: Scan | Valley | None = None
    ) -> None:
        """Hold what ``stored`` is, or what ``path`` holds, which is read when it is asked for."""
        self.name, self.path = name, path
        if stored is not None:
            self.stored = stored

    @cached_property
    def stored(self) -> Scan | Valley:
        """The record itself, as `landscape.scan` makes it and `landscape.draw` draws it.

        Raises:
            LandscapeError: the file is damaged or gone.
        """
        from landscape.store.sources import load_scanned

        assert self.path is not None
        return load_scanned(self.path)

    @property
    def axes(self) -> Mapping[str, Any]:
        """The coordinates by name, in the order of the arrays' axes: x and y, or step and y."""
        scan = self.stored
        if isinstance(scan, Valley):
            return {"step": scan.slices.step, "y": scan.y}
        return {"x": scan.x} if scan.is_line else {"x": scan.x, "y": scan.y}

    @property
    def measures(self) -> Mapping[str, Floats]:
        """Every measure by name: ``train_loss``, ``validation_loss``, ``train_accuracy``, ..."""
        return self.stored.measures

    @property
    def loss(self) -> Floats:
        """The training loss over the grid, in the loss's unit (nats for cross-entropy)."""
        return self.measures["train_loss"]

    @property
    def caption(self) -> str:
        """What a paper says of what was measured, then all that it may be asked for."""
        from landscape.draw import making

        return making.caption(self.stored)

    @speaking_python
    def contour(self, *, ax: Axes | None = None, **style: Unpack[StyleOptions]) -> Figure:
        """Draw the losses from above; of a valley its slices, column by column.

        Args:
            ax: draw into these axes instead of a figure with colour bar and loss strip; of
                planes. Give axes of two inches or more.
            style: fields of `landscape.draw.Style`: ``width`` in inches (3.25 is a journal's
                column), ``theme="dark"``, ``cap`` (losses above it are grey), ``cmap``, ...

        Returns:
            An ordinary matplotlib figure: ``scan.contour().axes[0].set_title("mine")``.

        Raises:
            LandscapeError: the scan is a line, whose picture is `curve`, or a style that can't be.

        >>> import landscape as ls
        >>> scan = ls.Problem.builtin("mlp", "moons", width=4).scan("random", size=5)
        >>> figure = scan.contour(width=3.25)
        >>> figure.savefig("contour.png")
        """
        if ax is not None:
            from landscape.draw.figures.contour import draw_contour
            from landscape.draw.sheet import page

            scan = self._plane(
                "a contour in axes of one's own",
                "whose figure has several axes, one above the other; leave out ax",
            )
            draw_contour(ax, scan, style=style_of(style))
            return page.figure_of(ax)
        return self.figure("valley" if isinstance(self.stored, Valley) else "contour", **style)

    @speaking_python
    def surface(self, **style: Unpack[StyleOptions]) -> Figure:
        """Draw the losses in 3D, the path at its own true losses; of a valley its slices as slats.

        Takes about a second. VTK draws it where OpenGL works, else matplotlib, more plainly.

        Args:
            style: as for `contour`; ``camera=(azimuth, elevation)`` in degrees.

        Raises:
            LandscapeError: the scan is a line.

        >>> import landscape as ls
        >>> scan = ls.Problem.builtin("mlp", "moons", width=4).scan("random", size=5)
        >>> figure = scan.surface(camera=(-60, 35))
        """
        return self.figure("slats" if isinstance(self.stored, Valley) else "surface", **style)

    @speaking_python
    def curve(self, *, ax: Axes | None = None, **style: Unpack[StyleOptions]) -> Figure:
        """Draw the losses along a line; ``ax`` and ``style`` as for `contour`.

        Raises:
            LandscapeError: the scan isn't a line.

        >>> import landscape as ls
        >>> scan = ls.Problem.builtin("mlp", "moons", width=4).scan("line", size=5)
        >>> figure = scan.curve(theme="dark")
        """
        if ax is not None:
            from landscape.draw.figures.curve import draw_curve
            from landscape.draw.sheet import page

            scan = self._plane("a curve", "which contour() and surface() draw")
            draw_curve(ax, scan, style=style_of(style))
            return page.figure_of(ax)
        return self.figure("curve", **style)

    @speaking_python
    def figure(self, kind: str | None = None, **style: Unpack[StyleOptions]) -> PrintedFigure:
        """Draw a kind of figure, of those that `landscape.draw.KINDS` has; None: what fits best.

        Raises:
            LandscapeError: no such kind, or the scan isn't what it needs.

        >>> import landscape as ls
        >>> scan = ls.Problem.builtin("mlp", "moons", width=4).scan("random", size=5)
        >>> scan.figure("contour", width=4).savefig("contour.png")
        """
        from landscape import draw
        from landscape.draw import making

        chosen = draw.kinds(self.stored)[0] if kind is None else kind
        work = making.Work(self.path or Path(self.name), self.stored)
        return making.figure(chosen, [work], style_of(style))

    @speaking_python
    def save(
        self, stem: str | Path, kind: str | None = None, **style: Unpack[StyleOptions]
    ) -> list[Path]:
        """Write a figure as ``stem.png`` and ``.pdf`` with its caption; return the files.

        A name that ends in png, pdf or svg is written in that format alone. ``savefig`` is the
        same; figures that `contour` and others return have matplotlib's own.

        Raises:
            LandscapeError: as `figure`, or the folder can't be written to.

        >>> import landscape as ls
        >>> scan = ls.Problem.builtin("mlp", "moons", width=4).scan("random", size=5)
        >>> [file.name for file in scan.save("mine.png")]
        ['mine.png', 'mine.caption.txt', 'mine.caption.tex']
        """
        from landscape import draw
        from landscape.draw.files import METADATA

        look, target, formats = style_of(style), Path(stem), ["png", "pdf"]
        if (own := target.suffix[1:]) in METADATA:
            target, formats = target.with_suffix(""), [own]
        figure = self.figure(kind, **style)
        return draw.save(figure, target, formats=formats, caption=self.caption, style=look)

    savefig = save

    @speaking_python
    def view(self) -> TurningPage:
        """The page on which the surface is turned, step by step; a notebook shows it in place.

        A valley is gone through slice by slice there. One file of about 5 MB that asks nothing of
        anywhere; ``scan.view().save("surface.html")`` writes it.

        >>> import landscape as ls
        >>> scan = ls.Problem.builtin("mlp", "moons", width=4).scan("random", size=5)
        >>> scan.view().save("surface.html").name
        'surface.html'
        """
        from landscape.draw.interactive.explorer_data import Entry

        scan = self.stored
        return TurningPage([Entry(scan.run_name or "model", self.name, scan)])

    @speaking_python
    def plotter(
        self, *, off_screen: bool | None = None, **style: Unpack[StyleOptions]
    ) -> pyvista.Plotter:
        """The surface as a plotter of pyvista's, to add to: ``show()`` opens its window.

        Raises:
            LandscapeError: the scan is no plane, or OpenGL doesn't work here.

        >>> import landscape as ls
        >>> scan = ls.Problem.builtin("mlp", "moons", width=4).scan("random", size=5)
        >>> from landscape.draw.solid import opengl
        >>> if opengl.probe().ok:
        ...     plotter = scan.plotter(off_screen=True)
        ...     plotter.close()
        """
        from landscape.draw.solid.plotter import plotter

        scan = self._plane("a plotter", "which surface() draws")
        return plotter(scan, off_screen=off_screen, style=style_of(style))

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset`` of every measure over named axes, ``measured`` with them.

        ``scan.to_xarray().train_loss.sel(x=0, method="nearest")`` needs no thought about which
        index is which. Attributes of the axes say in words what they are, in which unit.

        Raises:
            LandscapeError: xarray isn't installed.

        >>> import landscape as ls
        >>> scan = ls.Problem.builtin("mlp", "moons", width=4).scan("random", size=5)
        >>> near = scan.to_xarray().train_loss.sel(x=0, y=0, method="nearest")
        >>> float(near) == float(scan.loss[2, 2])
        True
        """
        xarray = tables.library("xarray")
        scan, axes = self.stored, self.axes
        grids = {**scan.measures, **self._errors, "measured": scan.measured}
        made = xarray.Dataset(
            {name: (tuple(axes), values) for name, values in grids.items()},
            coords={name: (name, values, self._meaning(name)) for name, values in axes.items()},
            attrs={"name": self.name, "run": scan.run_name, "caption": self.caption},
        )
        if isinstance(scan, Valley):
            made = made.assign_coords(travelled=("step", scan.slices.travelled))
        return made

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` with a row for each grid point, its coordinates as the index.

        Raises:
            LandscapeError: pandas isn't installed.

        >>> import landscape as ls
        >>> scan = ls.Problem.builtin("mlp", "moons", width=4).scan("random", size=5)
        >>> scan.to_pandas().train_loss.shape
        (25,)
        """
        import numpy as np

        scan = self.stored
        grids = np.meshgrid(*self.axes.values(), indexing="ij")
        columns = {name: grid.ravel() for name, grid in zip(self.axes, grids, strict=True)}
        columns |= {name: values.ravel() for name, values in scan.measures.items()}
        columns["measured"] = scan.measured.ravel()
        return tables.frame(columns).set_index(list(self.axes))

    @property
    def _errors(self) -> Mapping[str, Floats]:
        return {f"{name}_error": values for name, values in self.stored.errors.items()}

    def _meaning(self, axis: str) -> dict[str, str]:
        scan = self.stored
        if isinstance(scan, Scan):
            return {"long_name": scan.plane.labels["xy".index(axis)], "units": scan.plane.unit}
        if axis == "step":
            return {"long_name": "training step", "units": "steps"}
        return {"long_name": f"{scan.across} direction", "units": scan.unit}

    def _plane(self, what: str, instead: str) -> Scan:
        """The scan, if it is one of a plane or a line; what a valley has instead.

        Raises:
            LandscapeError: it is a valley.
        """
        scan = self.stored
        if isinstance(scan, Valley):
            raise LandscapeError(
                f"{what} needs a plane or a line, {self.name} is a valley, {instead}"
            )
        return scan

    def __repr__(self) -> str:
        """What it is and which losses it holds, in one line."""
        import numpy as np

        scan = self.stored
        kind = "valley" if isinstance(scan, Valley) else scan.plane.kind
        plane = kind if kind in ("valley", "line") else f"plane {kind}"
        losses = self.loss[np.isfinite(self.loss)]
        held = (
            f"training loss {sentences.span(losses, scan.certificate)}"
            if len(losses)
            else "no finite losses"
        )
        lacks = isinstance(scan, Scan) and sentences.missing(scan)
        unfinished = "" if scan.complete and not lacks else ", not complete"
        grid = " x ".join(map(str, self.loss.shape))
        return f"<scan {self.name}: {plane}, {grid}, {held}{unfinished}>"

    def _repr_html_(self) -> str:
        text = self.caption.partition("\n\n")[0]
        return f"{notebook.picture(self.figure(), text)}<br>{notebook.paragraph(text)}"


class TurningPage:
    """Scans on a page to be turned: a notebook shows it in place, elsewhere `save` writes it.

    >>> import landscape as ls
    >>> scan = ls.Problem.builtin("mlp", "moons", width=4).scan("random", size=5)
    >>> scan.view()
    <page of random, ... MB; .save("FILE.html") writes it>
    """

    def __init__(self, entries: Sequence[Any]) -> None:
        self._entries = entries

    @cached_property
    def html(self) -> str:
        """The whole page, about 5 MB."""
        from landscape.draw.interactive import explorer_page

        return explorer_page.page(self._entries)

    @speaking_python
    def save(self, path: str | Path) -> Path:
        """Write the page; any browser opens it, offline.

        Raises:
            LandscapeError: it can't be written.
        """
        from landscape.draw.interactive import explorer_page

        return explorer_page.save(self._entries, Path(path))

    def __repr__(self) -> str:
        """How large it is and what to do with it."""
        names = ", ".join(one.name for one in self._entries)
        return f'<page of {names}, {size(len(self.html))}; .save("FILE.html") writes it>'

    def _repr_html_(self) -> str:
        return notebook.frame(self.html, "Loss surface to be turned")


def request_of(plane: str, options: Mapping[str, Any]) -> Request:
    """What is to be scanned, from options by the names of their records' fields.

    Raises:
        LandscapeError: there is no such option; the message lists them.
    """
    from landscape.plane.choice import PlaneChoice
    from landscape.scan.request import GridChoice, Request
    from landscape.scan.speed.options import Evaluation

    records = (PlaneChoice, GridChoice, Evaluation)
    places = {one.name: kind for kind in records for one in fields(kind) if one.name != "kinds"}
    given: dict[type, dict[str, Any]] = {kind: {} for kind in records}
    takes = {name: takes_of(kind)[name] for name, kind in sorted(places.items())}
    check_options("a scan's options are", options, {**takes, **SCAN_OPTIONS})
    for name, value in _without_exact(options).items():
        given[places[name]][name] = _as_kept(name, value)
    return Request(
        PlaneChoice(kinds=(plane,), **given[PlaneChoice]),
        GridChoice(**given[GridChoice]),
        Evaluation(**given[Evaluation]),
    )


def _without_exact(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options with ``exact=True`` as the tolerance that it stands for."""
    rest = {name: value for name, value in options.items() if name != "exact"}
    if not options.get("exact"):
        return rest
    if rest.setdefault("tolerance", 0.0):
        raise LandscapeError(
            f"exact=True measures every point, got tolerance={rest['tolerance']:g} too; drop one "
            "of them"
        )
    return rest


def _as_kept(name: str, value: Any) -> Any:
    """A value as its record has it: sizes and extents are text there, as on the command line."""
    if name in ("size", "extent", "cap") and value is not None:
        return str(value)
    if name == "measures":
        return tuple(value.split(",")) if isinstance(value, str) else tuple(value)
    return Path(value) if name == "directions" and value is not None else value


def style_of(chosen: Mapping[str, Any]) -> Any:
    """The style that differs from the default in what was chosen.

    Raises:
        LandscapeError: a field that no style has, or a value that can't be.
    """
    from landscape.draw.look.style import Style

    check_options("a figure's style has", chosen, takes_of(Style))
    return Style(**chosen)
