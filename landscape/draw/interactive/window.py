"""A window on the screen: a surface or slats to turn, with the path up to a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from landscape.draw.interactive import buttons, turning
from landscape.draw.interactive.explorer_data import Entry
from landscape.draw.interactive.turning import Turned
from landscape.draw.look import theme
from landscape.draw.solid import by_vtk, opengl, perspective, stage
from landscape.draw.solid.perspective import Camera
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.store.scans import sentences
from landscape.store.scans.records import Floats

SIZE = (1280, 860)
MARGINS = (0.17, 0.05, 0.13, 0.09)
"""Left, right, bottom, top: room for letters and controls."""
REACH = 14.0
"""Pixels within which the mouse points at a place of the path."""
NOWHERE = Camera(np.array([0.0, -5.0, 0.0]), np.zeros(3), *SIZE)


@dataclass(frozen=True)
class Chosen:
    """What is chosen: indices into the entries, the measures and the recorded steps."""

    entry: int = 0
    measure: int = 0
    step: int = -1
    """The last one where it is −1."""
    log: bool = True
    path: bool = True


def turnable(entries: Sequence[Entry]) -> list[Entry]:
    """Return those that a window can show."""
    return [one for one in entries if turning.can_be_turned(one.scan)]


class SurfaceWindow:
    """A plotter with its scene; ``show`` blocks until it is closed, ``update`` doesn't.

    Raises:
        LandscapeError: no plane and no valley among the scans.
    """

    def __init__(self, entries: Sequence[Entry], *, size: tuple[int, int] = SIZE) -> None:
        self.entries = turnable(entries)
        if not self.entries:
            raise LandscapeError(
                "a window shows planes and valleys, got none that is measured; see lines with "
                "--html"
            )
        opengl.prepare()
        import pyvista

        self.choice = Chosen()
        self.size = size
        # Its widgets' and keys' methods are not typed as they are called.
        self.plotter: Any = pyvista.Plotter(
            window_size=list(size), lighting="none", title=f"landscape: {self.entries[0].run}"
        )
        self.plotter.enable_anti_aliasing("msaa", multi_samples=8)
        self.still: list[Any] = []
        self.moving: list[Any] = []
        self.slider: Any = None
        # Of which entry, and what it was first seen by.
        self.seen: tuple[int, Camera] = (-1, NOWHERE)
        self.shown: Turned
        self.hovered = ""
        self._furnish(anew=True)
        self._add_controls()

    def show(self) -> None:
        """Show it until it is closed."""
        try:
            self.plotter.show()
        finally:
            self.plotter.close()

    def choose(self, **changes: Any) -> None:
        """Show another entry, measure or step, or turn log heights and the path on or off."""
        before, self.choice = self.choice, replace(self.choice, **changes)
        if replace(before, step=0, path=True) == replace(self.choice, step=0, path=True):
            self._walk()
        else:
            if self.choice.entry != before.entry:
                self.choice = replace(self.choice, measure=0, step=-1)
            self._furnish(anew=self.choice.entry != before.entry)
        self.plotter.render()

    @property
    def entry(self) -> Entry:
        """The scan that is shown."""
        return self.entries[self.choice.entry]

    @property
    def step(self) -> int:
        """The step that is shown."""
        recorded = turning.steps(self.entry.scan)
        return recorded[self.choice.step] if recorded else 0

    @property
    def last(self) -> int:
        """The index of the last recorded step, −1 without a path."""
        return len(turning.steps(self.entry.scan)) - 1

    def go(self, by: int) -> None:
        """Go on by so many recorded steps, within what there is."""
        at = self.choice.step if self.choice.step >= 0 else self.last
        if self.last > 0:
            self.choose(step=min(max(at + by, 0), self.last))

    def next_measure(self) -> None:
        """Show the next measure of this scan."""
        count = len(turning.measures(self.entry.scan))
        self.choose(measure=(self.choice.measure + 1) % count)

    def next_scan(self) -> None:
        """Show the next scan, of the next run after a run's last."""
        self.choose(entry=(self.choice.entry + 1) % len(self.entries))

    def next_run(self) -> None:
        """Show the same plane of the next run, or its first."""
        runs = list(dict.fromkeys(one.run for one in self.entries))
        run = runs[(runs.index(self.entry.run) + 1) % len(runs)]
        mine = [k for k, one in enumerate(self.entries) if one.run == run]
        same = [k for k in mine if self.entries[k].name == self.entry.name]
        self.choose(entry=(same or mine)[0])

    def reset(self) -> None:
        """Look from where the scan was first seen."""
        self._aim()
        self.plotter.render()

    def hover(self, x: float, y: float) -> None:
        """Say beside the mouse, at a pixel from the lower left corner, what it points at.

        The nearest recorded place of a path: its step, loss and coordinates; nothing beyond 14
        pixels.
        """
        said = self._nearest(np.array([x, y]))
        if said == self.hovered:
            return
        self.hovered = said
        self.plotter.add_text(
            said,
            position=(x + 16, y - 10),
            font_size=9,
            color=theme.now().ink,
            name="hovered",
            font_file=buttons.FONT,
            render=False,
        )
        self.plotter.render()

    def _moved(self, interactor: Any, _: str) -> None:
        self.hover(*interactor.GetEventPosition())

    def _nearest(self, at: Floats) -> str:
        if not self.choice.path:
            return ""
        best, said = REACH, ""
        for places, says in self.shown.spots(self.step):
            away = np.linalg.norm(self.pixels(places) - at, axis=1)
            if len(away) and np.nanmin(away, initial=np.inf) < best:
                row = int(np.nanargmin(away))
                best, said = float(away[row]), says(row)
        return said

    def pixels(self, points: Floats) -> Floats:
        """Return where points (N, 3) are seen, in pixels (N, 2) from the lower left corner."""
        wide, tall = self.plotter.window_size
        matrix = self.plotter.camera.GetCompositeProjectionTransformMatrix(wide / tall, -1, 1)
        rows = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
        seen = np.column_stack([points, np.ones(len(points))]) @ rows.T
        return np.asarray((seen[:, :2] / seen[:, 3:] + 1) / 2 * [wide, tall])

    def _furnish(self, *, anew: bool) -> None:
        chosen = self.choice
        self.shown = turning.turned(self.entry.scan, chosen.measure, log=chosen.log)
        with _quiet(self.plotter):
            for actor in (*self.still, *self.moving):
                self.plotter.remove_actor(actor, render=False)
            self.plotter.remove_all_lights()
            self.moving = []
            before = set(self.plotter.renderer.actors)
            shown = self.shown
            by_vtk.ground(self.plotter, shown.mesh, shown.scale, shown.box, self._seen())
            self._letters()
            self.still = self._since(before)
        if anew:
            self._aim()
        self._walk()

    def _walk(self) -> None:
        with _quiet(self.plotter):
            for actor in self.moving:
                self.plotter.remove_actor(actor, render=False)
            before = set(self.plotter.renderer.actors)
            if self.choice.path:
                shadows, found = self.shown.walked(self.step)
                by_vtk.walk(self.plotter, shadows, self.shown.box, self._seen(), found)
                for point, place in found.places:
                    look = theme.mark(point.name)
                    by_vtk.ball(self.plotter, place, 1.6 * by_vtk.BALL, look.colour)
                    self._say(place[None] + [0, 0, 0.03], [point.name], 13)
            self.moving = self._since(before)
            self._title()
        if self.slider is not None:
            at = self.choice.step if self.choice.step >= 0 else self.last
            self.slider.SetValue(at / max(1, self.last))

    def _add_controls(self) -> None:
        for key, (_, act) in KEYS.items():
            self.plotter.add_key_event(key, partial(act, self))
        for row, (text, (press, stays)) in enumerate(BUTTONS.items()):
            buttons.add_button(
                self.plotter, text, partial(press, self), row=row, tall=self.size[1], stays=stays
            )
        self.plotter.iren.add_observer("MouseMoveEvent", self._moved)
        if self.last > 0:
            self.slider = buttons.add_slider(self.plotter, self._slid)

    def _slid(self, share: float) -> None:
        # Among the recorded steps of whatever scan is shown.
        self.choose(step=round(share * max(0, self.last)))

    def _since(self, before: set[str]) -> list[Any]:
        actors = self.plotter.renderer.actors
        return [actors[name] for name in actors if name not in before]

    def _seen(self) -> Camera:
        if self.seen[0] != self.choice.entry:
            x, y, z = self.shown.eye()
            azimuth, elevation = np.degrees([np.arctan2(y, x), np.arcsin(z)])
            corners = stage.corners(self.shown.box)
            seen = perspective.fitted(corners, float(azimuth), float(elevation), self.size, MARGINS)
            self.seen = (self.choice.entry, seen)
        return self.seen[1]

    def _aim(self) -> None:
        by_vtk.aim(self.plotter, self._seen())
        self.plotter.renderer.reset_camera_clipping_range()

    def _letters(self) -> None:
        x, y, z = stage.edges(self.shown.box, self._seen(), self.shown.scale)
        first, second = self.shown.names()
        for edge, name in ((x, first), (y, second), (z, self.shown.measure)):
            places = np.array([tick.place for tick in edge.ticks]).reshape(-1, 3)
            if len(places):
                self._say(places, [number(tick.value) for tick in edge.ticks], 11)
            text = sentences.MEASURES.get(name, name).split(",")[0]
            end = edge.end + (0.06 if edge is z else 0.0) * by_vtk.UP
            middle = end if edge is z else (edge.start + edge.end) / 2 - 0.07 * by_vtk.UP
            self._say(middle[None], [text], 13)

    def _say(self, places: Floats, texts: list[str], size: int) -> None:
        self.plotter.add_point_labels(
            places,
            texts,
            font_size=size,
            text_color=theme.now().ink,
            shape=None,
            show_points=False,
            always_visible=True,
            font_file=buttons.FONT,
            render=False,
        )

    def _title(self) -> None:
        entry, scale = self.entry, self.shown.scale
        lines = [
            f"{entry.run}, {entry.name}: {self.shown.head()}"
            f"{' (log)' if scale.log else ' (linear)'}",
            *self.shown.facts(self.step),
        ]
        ink = theme.now().ink
        self.plotter.add_text(
            "\n".join(lines),
            position=(12, self.size[1] - 22 * len(lines)),
            font_size=9,
            color=ink,
            name="title",
            font_file=buttons.FONT,
        )
        self.plotter.add_text(
            HINT,
            position=(12, 10),
            font_size=8,
            color=ink,
            name="hint",
            font_file=buttons.FONT,
        )


KEYS: dict[str, tuple[str, Callable[[SurfaceWindow], None]]] = {
    "Right": ("on", lambda window: window.go(1)),
    "Left": ("back", lambda window: window.go(-1)),
    "l": ("log height", lambda window: window.choose(log=not window.choice.log)),
    "m": ("measure", SurfaceWindow.next_measure),
    "n": ("next scan", SurfaceWindow.next_scan),
    "g": ("next run", SurfaceWindow.next_run),
    "h": ("path", lambda window: window.choose(path=not window.choice.path)),
    "0": ("first view", SurfaceWindow.reset),
}
"""What a key does, in words and in deed."""
HINT = "drag: turn   scroll: zoom   " + "   ".join(f"{key}: {KEYS[key][0]}" for key in KEYS)
BUTTONS: dict[str, tuple[Callable[[SurfaceWindow, bool], None], bool]] = {
    "log height": (lambda window, on: window.choose(log=bool(on)), True),
    "path": (lambda window, on: window.choose(path=bool(on)), True),
    "measure": (lambda window, on: window.next_measure(), False),
    "scan": (lambda window, on: window.next_scan(), False),
    "run": (lambda window, on: window.next_run(), False),
}
"""What a button does and whether it stays pressed; the others go on to the next one."""


@contextmanager
def _quiet(plotter: Any) -> Iterator[None]:
    """Change the scene without a rendering for each part, the camera left where it was turned to.

    Lines for a screen: the figures' are for twice its resolution.
    """
    view, before = plotter.camera.copy(), plotter.suppress_rendering
    plotter.suppress_rendering = True
    try:
        with theme.wearing(replace(theme.now(), dpi=theme.DPI / by_vtk.SUPERSAMPLED)):
            yield
    finally:
        plotter.suppress_rendering = before
        plotter.camera = view
