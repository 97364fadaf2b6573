"""One training from a record that says all of it: what `landscape train` and every sweep do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from landscape.errors import LandscapeError
from landscape.problem import datasets, models, presets
from landscape.problem.examine import check_batches, notes
from landscape.problem.load import builtin, load
from landscape.problem.problem import Problem, also_trained, vary
from landscape.problem.samples import length
from landscape.sgd.consent import problem_of
from landscape.sgd.recording.cadence import DEFAULT, Cadence
from landscape.sgd.recording.options import Options
from landscape.sgd.recording.recorder import Recorder
from landscape.sgd.resume import check_unfinished, resume
from landscape.sgd.training.settings import Settings
from landscape.sgd.training.train import Step, steps
from landscape.store.run import Run, check_free

OF_SETTINGS = {one.name for one in fields(Settings)}
OF_OPTIONS = {one.name for one in fields(Options)}
OF_THE_SETUP = {"train_samples", "label_noise", "record", "unfrozen"}
OF_BUILTIN = tuple(inspect.signature(presets.make).parameters)
BUILTIN_DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(presets.make).parameters.items()
}
FLAGS_AGAINST = {("shortcut", False): "no-shortcut", ("sketch", 0): "no-sketch"}
"""Options of `landscape train` that take away what is there by default."""
OTHER_NAMES = {"parameters": "record-parameters", "unfrozen": "parameters"}


@dataclass(frozen=True)
class TrainingSetup:
    """What is minimised, how, and what is recorded; plain values that go to other processes.

    ::

        setup = TrainingSetup(
            problem_settings={"model": "mlp", "data": "moons"}, settings=Settings(lr=0.1)
        )
        run = begin("runs/moons", setup).finish()

    >>> setup = TrainingSetup(problem_settings={"model": "mlp"}, settings=Settings(lr=0.1, seed=3))
    >>> setup.name
    'mlp-digits-lr0.1-seed3'
    >>> setup.varied({"lr": 0.2, "depth": 3}).arguments()
    ('--model=mlp', '--depth=3', '--lr=0.2', '--seed=3')
    """

    problem: str | None = None
    """``FILE.py:function`` or ``module:function``; None: a built-in model on built-in data."""
    problem_settings: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments for that function, plain JSON values; of a built-in problem ``model``,
    ``data``, ``depth``, ``width``, ``shortcut`` and ``data_root``."""
    train_samples: int | None = None
    """Only so many training samples, the same for every seed."""
    label_noise: float = 0.0
    """Share of training labels that are made wrong, the same for every seed."""
    unfrozen: tuple[str, ...] = ()
    """Names or patterns of frozen tensors that are weights too, so that planes move them."""
    settings: Settings = field(default_factory=Settings)
    record: str = DEFAULT
    """When weights are recorded, see `Cadence`."""
    options: Options = field(default_factory=Options)

    @property
    def name(self) -> str:
        """What a run's folder is called unless it is given another name."""
        momentum = f"-m{self.settings.momentum:g}" if self.settings.momentum else ""
        subject = list(self.subject().values())
        if self.settings.optimizer != "sgd":
            subject.append(self.settings.optimizer)
        words = "-".join(subject)
        return f"{words}-lr{self.settings.lr:g}{momentum}-seed{self.settings.seed}"

    def subject(self) -> dict[str, str]:
        """Short words for model and data, or for the file of an own problem, fit for folders."""
        if self.problem is not None:
            place = self.problem.rpartition(":")[0]
            return {"problem": place.rpartition("/")[2].removesuffix(".py")}
        chosen = {**BUILTIN_DEFAULTS, **self.problem_settings}
        return {
            name: str(chosen[name]).rpartition("/")[2].replace(":", "-")
            for name in ("model", "data")
        }

    def varied(self, values: Mapping[str, Any]) -> TrainingSetup:
        """The same with other values, by name.

        A name is a field of `Settings` or of `Options`, ``train_samples``, ``label_noise`` or
        ``record``; any other is a setting of the problem's function, as is ``set.NAME``.

        Raises:
            LandscapeError: a value is out of its range.
        """
        groups: dict[str, dict[str, Any]] = {"settings": {}, "options": {}, "own": {}, "set": {}}
        for name, value in values.items():
            places = {"settings": OF_SETTINGS, "options": OF_OPTIONS, "own": OF_THE_SETUP}
            group = next((key for key, names in places.items() if name in names), "set")
            groups[group][name.removeprefix("set.")] = value
        return replace(
            self,
            **groups["own"],
            settings=replace(self.settings, **groups["settings"]),
            options=replace(self.options, **groups["options"]),
            problem_settings={**self.problem_settings, **groups["set"]},
        )

    def check(self) -> None:
        """Refuse what can't be, as far as that can be told without data and without own code.

        Raises:
            LandscapeError: there is no such model, data, option of a model, or cadence.
        """
        Cadence.parse(self.record, steps_per_epoch=1, seed=0)
        if self.problem is not None:
            return
        for name in self.problem_settings:
            if name not in OF_BUILTIN:
                raise LandscapeError(
                    f"a built-in problem takes {', '.join(OF_BUILTIN)}, got {name}; "
                    "give a problem that takes it with --problem FILE.py:function"
                )
        chosen = {**BUILTIN_DEFAULTS, **self.problem_settings}
        datasets.check_name(chosen["data"])
        shape = {name: chosen[name] for name in ("depth", "width", "shortcut")}
        models.check_options(chosen["model"], **shape)

    def make_problem(self) -> Problem:
        """The problem, with the weights that the seed draws.

        Raises:
            LandscapeError: it can't be made.
        """
        seed = self.settings.seed
        if self.problem is not None:
            made = load(self.problem, self.problem_settings, seed=seed)
        else:
            made = builtin(**self.problem_settings, seed=seed)
        made = also_trained(made, self.unfrozen)
        return vary(made, train_samples=self.train_samples, label_noise=self.label_noise)

    def arguments(self) -> tuple[str, ...]:
        """What differs from the defaults, as options of ``landscape train``."""
        if self.problem is None:
            words = _differing(self.problem_settings, BUILTIN_DEFAULTS)
        else:
            words = [f"--problem={self.problem}"]
            words += [f"--set={name}={value}" for name, value in self.problem_settings.items()]
        plain = TrainingSetup()
        for mine, default, names in (
            (self, plain, ("train_samples", "label_noise", "unfrozen")),
            (self.settings, plain.settings, [one.name for one in fields(Settings)]),
            (self, plain, ("record",)),
            (self.options, plain.options, [one.name for one in fields(Options)]),
        ):
            words += _differing(
                {name: getattr(mine, name) for name in names},
                {name: getattr(default, name) for name in names},
            )
        return tuple(words)


def _differing(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    words = []
    for name, value in values.items():
        if value == defaults.get(name):
            continue
        option = OTHER_NAMES.get(name, name).replace("_", "-")
        if flag := FLAGS_AGAINST.get((name, value)) if isinstance(value, int) else None:
            words.append(f"--{flag}")
        elif value is True:
            words.append(f"--{option}")
        else:
            words += [
                f"--{option}={one}" for one in (value if isinstance(value, tuple) else [value])
            ]
    return words


@dataclass(frozen=True)
class Underway:
    """A training whose run is there, locked for this process, with the steps that it lacks."""

    recorder: Recorder
    rest: Iterator[Step]
    total: int
    """How many steps it takes in all."""

    @property
    def run(self) -> Run:
        """The run as it is by now."""
        return self.recorder.run

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how the loss is had, in sentences."""
        return notes(self.recorder.problem)

    def finish(self, told: Callable[[Step], Any] = lambda step: None) -> Run:
        """Train and record to the end; ``told`` is called after each step.

        What ends it early (KeyboardInterrupt from ``told`` too) leaves a run to `go_on` with.
        """
        with self.recorder:
            for step in self.rest:
                self.recorder.record(step)
                told(step)
        return self.run


def begin(
    folder: str | Path,
    setup: TrainingSetup,
    *,
    overwrite: bool = False,
    command: str | None = None,
) -> Underway:
    """Make the problem and the run's folder; `Underway.finish` trains.

    Args:
        folder: where; refused if something is there.
        setup: what to train.
        overwrite: replace a run that is there.
        command: the command line for run.json; None: this process's.

    Raises:
        LandscapeError: the folder isn't free, the problem can't be made, or a value can't be.

    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> run = begin("runs/moons", setup).finish()
    >>> run.record["status"], run.record["steps"]
    ('finished', 40)
    """
    check_free(Path(folder), overwrite=overwrite)
    return begin_with(
        setup.make_problem(),
        folder,
        setup.settings,
        record=setup.record,
        options=setup.options,
        overwrite=overwrite,
        command=command,
    )


def begin_with(
    problem: Problem, folder: str | Path, settings: Settings, **recorded: Any
) -> Underway:
    """Make a run's folder for a problem that is there, with the weights that it has.

    ``recorded`` are options of `Recorder`.

    Raises:
        LandscapeError: the folder isn't free, or the problem can't be trained.
    """
    check_free(Path(folder), overwrite=bool(recorded.get("overwrite")))
    settings = settings.on(problem)
    check_batches(problem, settings.batch_size)
    recorder = Recorder(folder, problem, settings, **recorded)
    total = settings.total_steps(length(problem.train))
    return Underway(recorder, steps(problem, settings), total)


CHANGED = "gone on with although its problem may have changed, at step "
"""How a run's note on that begins."""


def go_on(
    run: Run,
    problem: Problem | None = None,
    *,
    accept_changes: bool = False,
    trust: bool = False,
) -> Underway:
    """Take up a run that stopped, with the settings that it began with.

    Args:
        run: what to go on with.
        problem: the run's, where it was made in Python and can't be made again.
        accept_changes: whether code and data may have changed since; the run has a note on it.
        trust: run the code that its record names, though this user hasn't run it for this run.

    Raises:
        LandscapeError: the run can't go on, its problem isn't what it was, or another process is
            at work on it.

    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))

    >>> underway = begin("runs/moons", setup)
    >>> underway.recorder.close("interrupted")
    >>> run = go_on(underway.recorder.run).finish()
    >>> run.record["status"], run.record["steps"]
    ('finished', 40)
    """
    check_unfinished(run)
    made = problem_of(run, problem=problem, accept_changes=accept_changes, trust=trust)
    recorder, rest = resume(run, made)
    before = [note for note in run.record.get("notes", ()) if note.startswith(CHANGED)]
    recorder.remarks = before
    if accept_changes:
        recorder.remarks = [*before, f"{CHANGED}{recorder.run.record['resumed'][-1]:,}"]
    total = Settings(**run.record["settings"]).total_steps(run.record["samples"])
    return Underway(recorder, rest, total)
