"""How a trajectory comes to be: training by SGD, and recording it."""

from landscape.sgd.consent import problem_of
from landscape.sgd.recording.cadence import Cadence
from landscape.sgd.recording.options import Options
from landscape.sgd.recording.recorder import Recorder
from landscape.sgd.recording.sketch import distance
from landscape.sgd.resume import resume
from landscape.sgd.setup import TrainingSetup, begin, go_on
from landscape.sgd.sweeps import sweep
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.train import Step, steps
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
    "problem_of",
    "resume",
    "steps",
    "sweep",
    "watch",
]
