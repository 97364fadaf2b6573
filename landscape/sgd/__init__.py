"""How a trajectory comes to be: training by SGD, and recording it."""

from landscape.sgd.cadence import Cadence
from landscape.sgd.recorder import Recorder
from landscape.sgd.settings import Settings
from landscape.sgd.train import Step, steps

__all__ = ["Cadence", "Recorder", "Settings", "Step", "steps"]
