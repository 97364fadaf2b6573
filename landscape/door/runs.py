"""A run as people hold it: opened, scanned, diagnosed, drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from landscape.door import notebook, tables
from landscape.door.given import check_options, takes_of
from landscape.door.options import ScanOptions, StyleOptions
from landscape.door.progress import GOES_ON, Progress, announce, followed
from landscape.door.python_words import speaking_python
from landscape.door.scans import HeldScan, TurningPage, request_of, style_of
from landscape.errors import LandscapeError
from landscape.quantities import counted, duration, number
from landscape.store import history, provenance, summary, sweep_folder
from landscape.store import run as run_folder
from landscape.store.scans import sentences

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from landscape.door.verdicts import HeldVerdict
    from landscape.draw.sheet.page import PrintedFigure
    from landscape.problem.problem import Problem
    from landscape.store.run import Run
    from landscape.store.trajectories.trajectory import Trajectory


class HeldRun:
    """One training, by its folder: everything that was recorded, scanned and diagnosed.

    What it says is always what the folder holds now, be the run still training.

    >>> import landscape as ls
    >>> problem = ls.Problem.builtin("mlp", "moons", width=8)
    >>> run = ls.train(problem, lr=0.3, epochs=2, to="runs/moons")
    >>> run
    <run moons: finished, 64 steps, 114 parameters; training loss 0.698 at first, ...>
    >>> run.losses["end"]["step"], run.status
    (64, 'finished')
    """

    @speaking_python
    def __init__(
        self,
        folder: str | Path,
        problem: Problem | None = None,
        *,
        trust: bool = False,
        accept_changes: bool = False,
    ) -> None:
        """Open a run's folder; `open` says what the arguments are."""
        self.folder = Path(folder)
        self._given, self._trust, self._accept_changes = problem, trust, accept_changes
        if sweep_folder.is_sweep(self.folder):
            names = [str(one["name"]) for one in sweep_folder.read(self.folder).runs]
            raise LandscapeError(
                f"a run is opened by its folder, {self.folder} is a sweep's; "
                f"open one of its runs, as in {self.folder / names[0]}"
            )
        run_folder.read(self.folder)

    @property
    def stored(self) -> Run:
        """The record itself, read anew: `landscape.store` has what reads and writes it."""
        return run_folder.read(self.folder)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.stored.name

    @property
    def status(self) -> str:
        """``finished``, ``non-finite``, ``running``, ``interrupted`` or ``failed``."""
        return str(self.stored.record["status"])

    @property
    def is_done(self) -> bool:
        """Whether the training is at its end."""
        return self.stored.is_done

    @property
    @speaking_python
    def trajectory(self) -> Trajectory:
        """The recorded steps, opened anew: losses in ``measures``; ``weights()`` reads (T, P).

        Raises:
            LandscapeError: nothing was recorded yet, or it is damaged.
        """
        return self.stored.trajectory

    @property
    def losses(self) -> Mapping[str, Mapping[str, Any]]:
        """Step, losses and accuracies over all data at ``start``, ``lowest_logged`` and ``end``.

        Those that training logged, empty until it did. Accuracies are shares. `best` is of all
        recorded weights.
        """
        return summary.of_run(self.stored)["losses"] or {}

    @property
    def best(self) -> Mapping[str, Any] | None:
        """Step and training loss of the best recorded weights, and the scan that measured it.

        Scans measure the losses along their path, of weights too that training didn't log (no
        ``scan`` where it did). None until one has.
        """
        best: Mapping[str, Any] | None = summary.of_run(self.stored)["best"]
        return best and {name: value for name, value in best.items() if value != ""}

    @property
    def scans(self) -> Mapping[str, HeldScan]:
        """Every scan that there is by its name; a file is read when it is asked for."""
        return {path.stem: HeldScan(path.stem, path=path) for path in self.stored.scans}

    @cached_property
    @speaking_python
    def problem(self) -> Problem:
        """What it was trained on: given, or made again and compared with the run's record.

        Raises:
            LandscapeError: it was made in Python and isn't given, or isn't what it was.
        """
        from landscape.sgd import problem_of

        return problem_of(
            self.stored,
            problem=self._given,
            accept_changes=self._accept_changes,
            trust=self._trust,
        )

    @speaking_python
    def scan(
        self,
        plane: str = "valley",
        *,
        name: str | None = None,
        overwrite: bool = False,
        workers: int = 1,
        **options: Unpack[ScanOptions],
    ) -> HeldScan:
        """Measure the loss on a plane through the run's weights, or across its path.

        What ``landscape scan RUN --plane PLANE`` does, into RUN/scans: the same call again goes on
        where it was interrupted, or gives what is there.

        Args:
            plane: valley (slices across the path, row by row), random, event (best, peak and end
                of an escape), drift, along, pca, ``through:best,450,final``, hessian, gradient,
                sharpest, line, ``line:best,final``. docs/planes.md says what each shows.
            name: the scan's; PLANE-ORIGIN-SEED unless given.
            overwrite: replace a scan of that name, instead of going on with it.
            workers: processes that share the points.
            options: ``size=51`` or ``"101x61"``, ``at="best"``, ``extent``, ``seed``, ``across``,
                ``exact=True`` (every point measured), ``tolerance``, ``samples``, ``measures``,
                ``planes`` and the rest of ``landscape scan --help``.

        Cost: a plane of 51 × 51 points some hundred to a few hundred passes through the data, a
        valley a few thousand losses at most.

        Raises:
            LandscapeError: no such plane or option, a scan that was begun with others, or the
                problem isn't there.

        >>> import landscape as ls
        >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
        >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")

        >>> line = run.scan("line", size=5, extent=0.5)
        >>> line.loss.shape, list(run.scans)
        ((5,), ['line-final-0'])
        """
        from landscape import cluster
        from landscape.scan.prepare import prepare

        request = request_of(plane, options)
        own = {"name": name} if name is not None else {}
        with provenance.called(self._call("scan", plane, {**own, **options})):
            [job] = prepare(
                self.stored,
                self.problem,
                request,
                name=name,
                resume=not overwrite,
                overwrite=overwrite,
                accept_changes=self._accept_changes,
            )
        with cluster.workers(workers) as pool:
            pool.start("landscape.scan.speed.workers")
            for _ in followed(job, job.path.stem, pool, GOES_ON):
                pass
        return HeldScan(job.path.stem, path=job.path)

    def _call(self, name: str, first: str, options: Mapping[str, Any]) -> str:
        """The call of a method as it is written in Python, for files."""
        made = ", problem" if self.stored.record["problem"]["kind"] == "python" else ""
        given = "".join(f", {key}={value!r}" for key, value in options.items())
        return f"ls.open({str(self.folder)!r}{made}).{name}({first!r}{given})"

    @speaking_python
    def diagnose(self, *, workers: int = 1, **options: Any) -> HeldVerdict:
        """Say what SGD did: what became of the loss, how the weights move, on what evidence.

        What ``landscape diagnose RUN`` does: parts that were measured before are kept, trainings
        from the run's snapshots are runs in RUN/interventions. What takes longer than a moment is
        announced, and said again once a minute, by the logger ``landscape``.

        Args:
            workers: trainings at a time, in processes of their own.
            options: ``intervene=False`` (only measure), ``only=["units", "curvature"]``,
                ``epochs`` (how long a training lasts at most), ``budget`` (seconds that replicas
                may take), ``after``, ``curve``, ``twin`` (a run of another seed), ``thresholds``
                of `landscape.diagnose.Thresholds`.

        Raises:
            LandscapeError: fewer than two losses were recorded, another process diagnoses the
                run, or the problem isn't there.

        >>> import landscape as ls
        >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
        >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")

        >>> verdict = run.diagnose(intervene=False, only=["units"])
        >>> verdict.outcome, verdict.confidence
        ('learned', 'observation')
        """
        from landscape import cluster
        from landscape.diagnose import Diagnosis, alone, conclude, cost, measure, seconds
        from landscape.door.verdicts import HeldVerdict

        check_options("a diagnosis's options are", options, _diagnosis_takes())
        if isinstance(twin := options.get("twin"), str | Path | HeldRun):
            options["twin"] = held(twin).stored
        stored = self.stored
        with cluster.workers(workers) as pool, alone(stored):
            diagnosis = Diagnosis(stored, self.problem, **options)
            training = cost(diagnosis).seconds / pool.count if diagnosis.plan.missing else 0.0
            parts = {**seconds(diagnosis), **({"interventions": training} if training else {})}
            what = f"diagnosing {self.name}"
            announce(
                f"{what}: about",
                sum(parts.values()),
                f"{duration(training)} of it for trainings from its snapshots (intervene=False "
                f"leaves them out); {GOES_ON}"
                if training
                else GOES_ON,
            )
            for _ in measure(diagnosis, pool, _followed(what, parts)):
                pass
            return HeldVerdict(self.name, conclude(diagnosis))

    @speaking_python
    def resume(self) -> HeldRun:
        """Go on with a training that was interrupted; it ends with the same weights, to the bit.

        Raises:
            LandscapeError: it is at its end, or was recorded from somebody's own loop.

        >>> import landscape as ls
        >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
        >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")

        >>> run.resume()
        Traceback (most recent call last):
        landscape.errors.LandscapeError: ...
        """
        from landscape.sgd import go_on

        underway = go_on(
            self.stored, self._given, accept_changes=self._accept_changes, trust=self._trust
        )
        progress = Progress(f"training {self.folder}")
        underway.finish(lambda step: progress.reached(step.step / underway.total))
        return self

    @speaking_python
    def curves(self, *, ax: Axes | None = None, **style: Unpack[StyleOptions]) -> Figure:
        """Draw the losses by training step, with what happened; also of a run that trains still.

        ``ax`` and ``style`` as for `HeldScan.contour`.

        Raises:
            LandscapeError: fewer than two losses over all data were recorded so far.

        >>> import landscape as ls
        >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
        >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")

        >>> run.curves(width=3.25).savefig("curves.png")
        """
        if ax is None:
            return self.figure("loss", **style)
        from landscape.draw.figures.loss_curves import draw_loss
        from landscape.draw.sheet import page

        draw_loss(ax, history.of(self.stored), style=style_of(style))
        return page.figure_of(ax)

    @speaking_python
    def figure(self, kind: str, **style: Unpack[StyleOptions]) -> PrintedFigure:
        """Draw loss, or what a diagnosis measured: distances, msd, sharpness, units, trainings, ...

        Raises:
            LandscapeError: no such kind, or what it shows wasn't measured.

        >>> import landscape as ls
        >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
        >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")

        >>> verdict = run.diagnose(intervene=False, only=["units"])
        >>> run.figure("units").savefig("units.png")
        """
        from landscape.draw import making

        work = making.open_work(self.folder, kind)
        return making.figure(kind, [work], style_of(style))

    @speaking_python
    def view(self) -> TurningPage:
        """The page on which all of the run's planes are turned; a notebook shows it in place.

        Raises:
            LandscapeError: the run wasn't scanned yet.

        >>> import landscape as ls
        >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
        >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")

        >>> line = run.scan("line", size=5)
        >>> run.view()
        <page of line-final-0, ... MB; .save("FILE.html") writes it>
        """
        from landscape.draw.interactive import explorer_sources

        return TurningPage(explorer_sources.gather([self.folder]))

    @speaking_python
    def report(self, to: str | Path | None = None) -> Path:
        """Write the page that says what happened and why, of what was measured; give its file.

        One file of about 3 MB that asks nothing of anywhere; it names what is missing, which
        `scan` and `diagnose` measure. ``to`` is report.html in the run's folder unless given.

        Raises:
            LandscapeError: what the folder holds is damaged, or the file can't be written.

        >>> import landscape as ls
        >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
        >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")

        >>> run.report("why.html").name
        'why.html'
        """
        from landscape.report import document, run_page

        target = self.folder / document.NAME if to is None else Path(to)
        document.check_name(target)  # a page takes seconds to make
        return document.save(run_page.page(self.folder), target)

    @speaking_python
    def to_pandas(self, *, steps: bool = False) -> Any:
        """A ``pandas.DataFrame`` of the recorded steps, or with ``steps`` of every SGD step.

        Losses and accuracies over all data, NaN where not evaluated; of every step the batch loss,
        learning rate, norms and cosines of gradient and update (docs/formats.md).

        Raises:
            LandscapeError: pandas isn't installed, or nothing was recorded yet.

        >>> import landscape as ls
        >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
        >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")

        >>> run.to_pandas(steps=True).batch_loss.shape, list(run.to_pandas())[:2]
        ((40,), ['train_loss', 'validation_loss'])
        """
        trajectory = self.trajectory
        if not steps:
            columns = {"step": trajectory.step, **trajectory.measures}
            return tables.frame(columns, index="step")
        scalars = trajectory.scalars()
        return tables.frame(
            {"step": range(len(next(iter(scalars.values())))), **scalars}, index="step"
        )

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset``: losses over ``recorded`` steps, scalars over every ``step``.

        Raises:
            LandscapeError: xarray isn't installed, or nothing was recorded yet.

        >>> import landscape as ls
        >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
        >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")

        >>> dict(run.to_xarray().batch_loss.sizes)
        {'step': 40}
        """
        xarray = tables.library("xarray")
        trajectory = self.trajectory
        scalars = trajectory.scalars()
        return xarray.Dataset(
            {
                **{name: ("recorded", values) for name, values in trajectory.measures.items()},
                **{name: ("step", values) for name, values in scalars.items()},
            },
            coords={
                "recorded": trajectory.step,
                "step": range(len(next(iter(scalars.values())))),
            },
            attrs={"run": self.name},
        )

    def _facts(self) -> Iterator[tuple[str, str]]:
        about = summary.of_run(self.stored)
        steps = about["steps"]
        yield (
            "status",
            about["status"] + (f", {counted(steps, 'step')}" if steps is not None else ""),
        )
        yield "parameters", f"{about['parameters']:,}"
        if about["settings"] is not None:
            chosen = {"learning rate": "lr", "momentum": "momentum", "batch size": "batch_size"}
            yield (
                "trained by",
                ", ".join(
                    [about["settings"].get("optimizer", "sgd")]
                    + [f"{said} {about['settings'][name]:g}" for said, name in chosen.items()]
                ),
            )
        elif about["optimizer"] is not None:
            yield "trained by", sentences.watched(about["optimizer"])
        for place, found in (about["losses"] or {}).items():
            yield (
                f"training loss, {place.replace('_', ' ')}",
                f"{_loss(found['train_loss'])} at step {found['step']:,}",
            )
        if (best := about["best"]) is not None:
            yield "training loss, best", f"{_loss(best['train_loss'])} at step {best['step']:,}"
        for told in _what_happened(about):
            yield "what happened", told
        yield "scans", ", ".join(one["name"] for one in about["scans"]) or "none"

    def __repr__(self) -> str:
        """Status, size, losses and scans, in one line."""
        about = summary.of_run(self.stored)
        steps = "" if about["steps"] is None else f", {counted(about['steps'], 'step')}"
        parts = [f"{about['status']}{steps}, {about['parameters']:,} parameters"]
        losses = about["losses"] or {}
        if best := about["best"] or losses.get("lowest_logged"):
            first, lowest, last = (
                _loss(place["train_loss"]) for place in (losses["start"], best, losses["end"])
            )
            parts.append(f"training loss {first} at first, lowest {lowest}, last {last}")
        elif losses:
            parts.append("no finite training loss")
        parts += _what_happened(about)
        scans = [one["name"] for one in about["scans"]]
        parts.append(f"scans {', '.join(scans)}" if scans else "no scans")
        return f"<run {about['name']}: {'; '.join(parts)}>"

    def _repr_html_(self) -> str:
        return notebook.pairs(f"run {self.name}", dict(self._facts()))


def _followed(what: str, seconds: Mapping[str, float]) -> Callable[[str, float], None]:
    """Says how far a diagnosis is, whose parts take these seconds, when one has got to a share."""
    from landscape.diagnose import NAMES

    progress, whole = Progress(what), sum(seconds.values()) or 1.0
    takes = [seconds.get(name, 0.0) / whole for name in NAMES]
    before = dict(zip(NAMES, accumulate((0.0, *takes)), strict=False))

    def told(name: str, share: float) -> None:
        progress.reached(before[name] + share * takes[NAMES.index(name)])

    return told


def _what_happened(about: Mapping[str, Any]) -> Iterator[str]:
    """The outcome that a diagnosis found; else the events that were noticed in training, if any."""
    verdict = about["verdict"]
    if verdict is not None and verdict.get("fits"):  # one that can't be read has an error
        yield verdict["verdict"]
    elif about["events"]:
        yield ", ".join(dict.fromkeys(event["name"] for event in about["events"]))


def _loss(value: float | None) -> str:
    return "not measured" if value is None else number(value)


def _diagnosis_takes() -> Mapping[str, Any]:
    from landscape.diagnose import Diagnosis
    from landscape.store.run import Run

    takes = {**takes_of(Diagnosis.__init__), "twin": HeldRun | Run | str | Path | None}
    return {name: hint for name, hint in sorted(takes.items()) if name not in ("run", "problem")}


def held(run: HeldRun | str | Path) -> HeldRun:
    """The run, opened if it is given by its folder."""
    return run if isinstance(run, HeldRun) else HeldRun(run)


@speaking_python
def open(
    folder: str | Path,
    problem: Problem | None = None,
    *,
    trust: bool = False,
    accept_changes: bool = False,
) -> HeldRun:
    """Open a run's folder, be it finished, interrupted or still training.

    Nothing but run.json is read, and no code of the run's problem is run, before it is needed.

    Args:
        folder: such as ``runs/high-lr``; whatever recorded it.
        problem: that it was trained on, where the run can't make it again: it was made in Python
            and recorded from a loop of one's own.
        trust: run the code that the run's record names (``FILE.py:function``), though it wasn't
            run here before; asked for once.
        accept_changes: go on although the problem's file or data changed since.

    Raises:
        LandscapeError: there is no run; each message says what to do.

    >>> import landscape as ls
    >>> problem = ls.Problem.builtin("mlp", "moons", width=8)
    >>> _ = ls.train(problem, lr=0.3, steps=40, to="runs/moons")
    >>> run = ls.open("runs/moons")
    >>> run.problem  # a built-in one is made again
    Problem(Sequential, 114 parameters, 1,000 training samples, 500 validation samples, ...)
    >>> run.scan("line", size=5)
    <scan line-final-0: line, 5, training loss ... to ...>
    """
    return HeldRun(folder, problem, trust=trust, accept_changes=accept_changes)
