"""How a trajectory comes to be: training by SGD, and recording it."""

from landscape.sgd.cadence import Cadence
from landscape.sgd.options import Options
from landscape.sgd.recorder import Recorder
from landscape.sgd.resume import resume
from landscape.sgd.settings import Settings
from landscape.sgd.setup import TrainingSetup, begin, go_on
from landscape.sgd.sketch import distance
from landscape.sgd.sweep import sweep
from landscape.sgd.train import Step, steps
from landscape.sgd.watching import Watch, watch

__all__ = [
    "Cadence",
    "Options",
    "Recorder",
    "Settings",
    "Step",
    "TrainingSetup",
    "Watch",
    "begin",
    "distance",
    "go_on",
    "resume",
    "steps",
    "sweep",
    "watch",
]
