"""A window's buttons and its slider: how they look, not what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.font_manager import findfont

from landscape.draw.look import theme

FONT = findfont("DejaVu Sans")
"""VTK's own fonts have no arrows."""
BUTTON = 26
"""Pixels."""
TOP = 150
"""Of the first button, in pixels from the window's upper edge."""
ON, OFF = "#0072b2", "#c3c8cf"


def add_button(
    plotter: Any, text: str, press: Callable[[bool], None], *, row: int, tall: int, stays: bool
) -> None:
    """Add the button of a row, from the top, to a window that is ``tall`` pixels high.

    It turns something on and off where it ``stays``; otherwise it looks the same after each press.
    """
    height = tall - TOP - row * (BUTTON + 10)
    plotter.add_checkbox_button_widget(
        press,
        value=True,
        position=(12, height),
        size=BUTTON,
        border_size=2,
        color_on=ON,
        color_off=OFF if stays else ON,
    )
    plotter.add_text(
        text,
        position=(48, height + 3),
        font_size=8,
        color=theme.now().ink,
        name=f"button {text}",
        font_file=FONT,
    )


def add_slider(plotter: Any, slid: Callable[[float], None]) -> Any:
    """Add a slider from 0 to 1, which calls ``slid``; return its VTK representation."""
    widget = plotter.add_slider_widget(
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
