"""The ``landscape`` command, also as ``python -m landscape_cli``."""

import os
import sys

from .interrupts import end_at_once

SPINS = "10000"
"""So often a waiting thread of torch looks whether there is work, a few tenths of a millisecond."""


def run() -> None:
    """Import the command and run it."""
    sys.argv[0] = "landscape"  # also as a module and in workers: what files record
    end_at_once()
    wait_briefly()
    from .main import app
    from .printing import show_warnings

    show_warnings()

    app(prog_name="landscape")


def wait_briefly() -> None:
    """Have torch's threads wait asleep where they wait for long: to be called before torch comes.

    By default GNU's OpenMP has them spin for milliseconds. On a machine with other work a thread
    that spins keeps the one that it waits for off its core: on two cores, one of them busy, a
    training took 15 to 65 s instead of 4. What the environment says of it stays.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPINS


if __name__ == "__main__":
    run()
