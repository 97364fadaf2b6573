"""``python -m landscape_cli`` is the ``landscape`` command."""

from .main import app

app(prog_name="landscape")
