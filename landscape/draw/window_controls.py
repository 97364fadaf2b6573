"""A window's keys, buttons and slider."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from matplotlib.font_manager import findfont

from landscape.draw import theme

if TYPE_CHECKING:
    from landscape.draw.window import Window

KEYS = {
    "Right": "on",
    "Left": "back",
    "l": "log height",
    "m": "measure",
    "n": "next scan",
    "g": "next run",
    "h": "path",
    "0": "first view",
}
HINT = "drag: turn   scroll: zoom   " + "   ".join(f"{key}: {what}" for key, what in KEYS.items())
FONT = findfont("DejaVu Sans")
"""VTK's own fonts have no arrows."""
BUTTON = 26
"""Pixels."""
TOP = 150
"""Of the first button, in pixels from the window's upper edge."""
BUTTONS = {
    "log": "log height",
    "path": "path",
    "measure": "measure",
    "scan": "scan",
    "run": "run",
}
"""Check boxes: two that stay, three that go on to the next one."""
ON, OFF = "#0072b2", "#c3c8cf"


def add(window: Window) -> Any:
    """Add keys, buttons and the slider; return the slider's VTK representation.

    None where nothing moves along a path.
    """
    _keys(window)
    _buttons(window)
    return _slider(window) if window.last > 0 else None


def _keys(window: Window) -> None:
    actions: dict[str, Callable[[], None]] = {
        "Right": lambda: window.go(1),
        "Left": lambda: window.go(-1),
        "l": lambda: window.choose(log=not window.choice.log),
        "m": window.next_measure,
        "n": window.next_scan,
        "g": window.next_run,
        "h": lambda: window.choose(path=not window.choice.path),
        "0": window.reset,
    }
    for key in KEYS:
        window.plotter.add_key_event(key, actions[key])


def _buttons(window: Window) -> None:
    presses: dict[str, Callable[[bool], None]] = {
        "log": lambda on: window.choose(log=bool(on)),
        "path": lambda on: window.choose(path=bool(on)),
        "measure": lambda on: window.next_measure(),
        "scan": lambda on: window.next_scan(),
        "run": lambda on: window.next_run(),
    }
    for row, (name, text) in enumerate(BUTTONS.items()):
        height = window.size[1] - TOP - row * (BUTTON + 10)
        window.plotter.add_checkbox_button_widget(
            presses[name],
            value=True,
            position=(12, height),
            size=BUTTON,
            border_size=2,
            color_on=ON,
            color_off=OFF if name in ("log", "path") else ON,
        )
        window.plotter.add_text(
            text,
            position=(48, height + 3),
            font_size=8,
            color=theme.now().ink,
            name=f"button {name}",
            font_file=FONT,
        )


def _slider(window: Window) -> Any:
    def slid(share: float) -> None:
        # Among the recorded steps of whatever scan is shown.
        window.choose(step=round(share * max(0, window.last)))

    widget = window.plotter.add_slider_widget(
        slid,
        (0.0, 1.0),
        value=1.0,
        pointa=(0.3, 0.075),
        pointb=(0.97, 0.075),
        color=theme.now().ink,
        fmt="",
        slider_width=0.02,
        tube_width=0.004,
    )
    shown = widget.GetRepresentation()
    shown.SetEndCapWidth(0.012)
    shown.SetEndCapLength(0.003)
    shown.SetSliderLength(0.012)
    return shown
