"""Figures as a page holds them."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from landscape.draw.files import png
from landscape.draw.look.style import Style
from landscape.report.pictures import embedded


def test_every_colour_is_the_figures():
    """Marks are few pixels among many: a palette of the commonest colours would repaint them."""
    figure = Figure(figsize=(2, 2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(np.random.default_rng(0).random((64, 64)), cmap="viridis", extent=(0, 1, 0, 1))
    axes.plot([0.5], [0.5], "s", color="#d62728", ms=4)
    style = Style()
    _, _, data = embedded(figure, style).partition("base64,")
    held = np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGB"))
    drawn = np.asarray(Image.open(BytesIO(png(figure, style))).convert("RGB"))
    np.testing.assert_array_equal(held, drawn)
