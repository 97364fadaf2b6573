from landscape.door.comparison import compare as compare
from landscape.door.problems import HeldProblem as Problem
from landscape.door.problems import look as look
from landscape.door.runs import open as open
from landscape.door.training import train as train
from landscape.door.training import watch as watch

__all__ = ["Problem", "compare", "look", "open", "train", "watch"]

__version__: str
