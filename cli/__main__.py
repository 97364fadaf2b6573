"""The ``landscape`` command, also as ``python -m landscape_cli``."""

from .interrupts import end_at_once


def run() -> None:
    """Import the command and run it."""
    end_at_once()
    from .main import app
    from .printing import show_warnings

    show_warnings()

    app(prog_name="landscape")


if __name__ == "__main__":
    run()
