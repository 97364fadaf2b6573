"""``landscape scan``: the loss on planes through a run's weights, with figures."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperOption

from landscape.errors import LandscapeError
from landscape.quantities import duration, number

from .command import Command, examples, listed, note_idle, refuse_names
from .drawing import Draw, drawing
from .interrupts import saying
from .printing import echo
from .problems import PROBLEM, SetOption, SpecOption, TrustOption, given, opened
from .progress import progress

if TYPE_CHECKING:
    from landscape.cluster import Workers
    from landscape.problem import Problem
    from landscape.scan.job import Job
    from landscape.scan.request import Request
    from landscape.scan.speed.evaluator import StrategyRecord
    from landscape.scan.valley_job import ValleyJob
    from landscape.store import Run, Scan
    from landscape.store.scans.valleys import Valley


EXAMPLES = examples(
    "landscape scan runs/a --plane valley",
    "landscape scan runs/a --plane random,hessian --at best --size 25",
)
PLANE = "The plane"
GRID = "The grid"
SPEED = "Evaluation"
FILES = "Files"
DRAWN = ("--width", "--theme", "--kind", "--format", "--camera")
"""Options of figures, which a scan draws as they are by default."""

ToleranceOption = Annotated[
    float,
    typer.Option(
        help="Measure only as many points as interpolating the others to this relative error "
        "takes, tested at 32 held-out random points. Several --planes are measured throughout, and "
        "so are grids of too few points to be tested.",
        rich_help_panel=SPEED,
    ),
]
ExactOption = Annotated[
    bool,
    typer.Option("--exact", help="Measure every point."),
]
CapOption = Annotated[
    str,
    typer.Option(
        metavar="LOSS",
        help="The tolerance holds for losses up to here; above, it is only known that they are, "
        "and within a factor 1.5. auto: twice the loss of ignoring the input, where figures end "
        "too; none: it holds for all.",
        rich_help_panel=SPEED,
    ),
]
SamplesOption = Annotated[
    int | None,
    typer.Option(
        help="Measure all points on so many random samples, and from there interpolate what is "
        "missing to the losses over all samples; with --exact these aren't measured, and the "
        "subset's standard errors are given.",
        show_default="all",
        rich_help_panel=SPEED,
    ),
]
StrategyOption = Annotated[
    str,
    typer.Option(
        help="How points are evaluated: auto tries and takes the fastest; sequential (one at a "
        "time), batched (several at once), shared (the first layer once for all points) or "
        "folded (BatchNorm folded, less memory touched).",
        rich_help_panel=SPEED,
    ),
]
PrecisionOption = Annotated[
    str, typer.Option(help="Of the model's numbers: float32 or float64.", rich_help_panel=SPEED)
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        help="Most that evaluating may take beside model, data and plane: 500MB, 2GB.",
        show_default="1GiB",
        rich_help_panel=SPEED,
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        help="Evaluate in so many processes of this machine; they share its threads.",
        rich_help_panel=SPEED,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Evaluate on the workers of this Dask scheduler: tcp://HOST:8786.",
        show_default=False,
        rich_help_panel=SPEED,
    ),
]
PreviewOption = Annotated[
    bool,
    typer.Option(
        "--preview",
        help="Draw the contours while the scan fills, from a few per cent of the points on.",
        rich_help_panel=FILES,
    ),
]
NoFiguresOption = Annotated[
    bool,
    typer.Option(
        "--no-figures",
        help="Only measure; landscape render draws it later.",
        rich_help_panel=FILES,
    ),
]
SaveOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="Save about as often, but at most a twentieth of the time; 0: after every point.",
        rich_help_panel=FILES,
    ),
]


class ScanCommand(Command):
    """The command, whose help of planes and normalizations is that of their tables.

    These are read when that help is asked for: other commands needn't import the tables.
    """

    def describe(self) -> None:
        """Take the tables' help."""
        from landscape.plane import kinds

        told = {
            "plane": f"One or several: {kinds.help_text()}",
            "normalize": kinds.normalize_help(),
        }
        for parameter in self.params:
            if isinstance(parameter, TyperOption) and parameter.name in told:
                parameter.help = told[parameter.name]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was typed; what is an option of figures belongs to another command."""
        for place, word in enumerate(args):
            said, equals, value = word.partition("=")
            if said in DRAWN:
                value = value if equals else next(iter(args[place + 1 :]), "")
                meant = said == "--kind" and value.partition(":")[0] in _planes()
                plane = f"; a scan's plane is chosen with --plane {value}" if meant else ""
                raise LandscapeError(
                    f"landscape scan has no option {said}: it is one of landscape render RUN, "
                    f"which draws again what was scanned{plane}"
                )
        rest: list[str] = super().parse_args(ctx, args)
        return rest


def scan(
    ctx: typer.Context,
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="The run's folder. Of several, each is scanned, and drawn on one scale.",
            show_default=False,
        ),
    ],
    plane: Annotated[
        list[str] | None,
        typer.Option(
            help="See ScanCommand.",
            show_default="random, valley and one that holds the path: event or drift",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="The weights it goes through: final, best (lowest training loss) or a step.",
            show_default="final",
        ),
    ] = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="STEP", help="First step of pca's rows.", rich_help_panel=PLANE
        ),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="STEP", help="Last step of pca's rows.", rich_help_panel=PLANE
        ),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            help="Another run, trained on the same data: planes show its path beside the first "
            "run's, and a valley has its valley beside it. Once for each run.",
        ),
    ] = None,
    planes: Annotated[
        int,
        typer.Option(
            help="So many sets of random directions, of consecutive seeds, for the median and "
            "quartiles of losses and widths; with --plane line or random.",
            rich_help_panel=PLANE,
        ),
    ] = 1,
    seed: Annotated[int, typer.Option(help="Of the random directions.", rich_help_panel=PLANE)] = 0,
    across: Annotated[
        str,
        typer.Option(
            help="Of a valley: across the path in a random direction (the same draw in each "
            "column, scaled to its weights) or in the sharpest one, tracked from column to column.",
            rich_help_panel=PLANE,
        ),
    ] = "random",
    spacing: Annotated[
        str,
        typer.Option(
            help="Of a valley: what is equal between two of its columns: movement (Σ‖Δw‖), steps "
            "or rows (every k-th recorded one).",
            rich_help_panel=PLANE,
        ),
    ] = "movement",
    directions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.h5",
            help="Along the directions of a direction file of Li et al.'s scripts instead.",
            show_default=False,
            rich_help_panel=PLANE,
        ),
    ] = None,
    normalize: Annotated[
        str,
        typer.Option(
            help="See ScanCommand.",
            rich_help_panel=PLANE,
        ),
    ] = "filter",
    include_1d: Annotated[
        bool,
        typer.Option(
            "--include-1d",
            help="Let random directions move biases and normalization parameters too.",
            rich_help_panel=PLANE,
        ),
    ] = False,
    parameters: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN,...",
            help="Move only the tensors with such names, as in *lora*, on any plane.",
            show_default="all that are trained",
            rich_help_panel=PLANE,
        ),
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            help="Grid points an axis, 2 to 501, or NXxNY: 51x31; of a valley columns and points "
            "across.",
        ),
    ] = "51",
    extent: Annotated[
        str | None,
        typer.Option(
            help="How far it reaches: a number, xmin:xmax:ymin:ymax, or auto (all of the path, or "
            "to where the loss has risen).",
            show_default="random, line and valley 1.0, others auto",
        ),
    ] = None,
    rise: Annotated[
        float,
        typer.Option(
            help="Extent auto without a path: to where the loss is so many times the origin's.",
            rich_help_panel=GRID,
        ),
    ] = 10.0,
    unit: Annotated[
        str,
        typer.Option(
            help="What 1 on an axis is: own (as the directions are made), distance (in weight "
            "space) or equal (own, but equal in distance on both axes).",
            rich_help_panel=GRID,
        ),
    ] = "own",
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="What to measure beside loss and accuracy, one or several: gradient-norm, "
            "sharpness (top Hessian eigenvalue), convexity (|smallest / largest|).",
            show_default="loss,accuracy",
            rich_help_panel=GRID,
        ),
    ] = None,
    with_weight_decay: Annotated[
        bool,
        typer.Option(
            "--with-weight-decay",
            help="Add the run's weight decay to training losses, as its steps do.",
            rich_help_panel=GRID,
        ),
    ] = False,
    batchnorm: Annotated[
        str | None,
        typer.Option(
            help="BatchNorm statistics: saved (the origin's; in a valley each column's own), "
            "recompute (at every point) or interpolate (between the weights of through, event, "
            "line:A,B).",
            show_default="random, line, hessian, gradient, valley saved, others recompute",
            rich_help_panel=GRID,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=GRID)
    ] = "auto",
    tolerance: ToleranceOption = 0.01,
    exact: ExactOption = False,
    cap: CapOption = "auto",
    samples: SamplesOption = None,
    strategy: StrategyOption = "auto",
    precision: PrecisionOption = "float32",
    memory: MemoryOption = None,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    problem: SpecOption = None,
    set_: SetOption = None,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Scan although the problem's code, data or loss changed since the training; where "
            "its loss is another one, what was recorded along the path is measured anew.",
            rich_help_panel=PROBLEM,
        ),
    ] = False,
    trust: TrustOption = False,
    name: Annotated[
        str | None,
        typer.Option(help="The scan's name.", show_default="PLANE-AT-SEED", rich_help_panel=FILES),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with a scan; draw a complete one anew."),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace a scan that is there.", rich_help_panel=FILES),
    ] = False,
    preview: PreviewOption = False,
    no_figures: NoFiguresOption = False,
    save_every: SaveOption = 10.0,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=FILES)
    ] = False,
) -> None:
    """Measure the loss on planes or lines through a run's weights and draw them.

    Training and validation loss and accuracy at each grid point go into RUN/scans/NAME.h5, the
    run's path projected onto the plane with them; contours and surfaces into RUN/figures.
    """
    started = time.monotonic()
    _check_at_once(ctx.params)
    others, mine = opened(also or (), ""), opened(runs, problem)
    with drawing(wanted=not no_figures, quiet=quiet) as draw:
        from landscape import cluster
        from landscape.plane import choice, kinds
        from landscape.scan.request import GridChoice, Request
        from landscape.scan.speed.options import Evaluation

        request = Request(
            choice.PlaneChoice(
                kinds=kinds.listed(plane or ()),
                at=at,
                first=first,
                last=last,
                planes=planes,
                seed=seed,
                directions=directions,
                normalize=normalize,
                include_1d=include_1d,
                parameters=parameters,
                unit=unit,
                across=across,
                spacing=spacing,
                batchnorm=batchnorm,
            ),
            GridChoice(size, extent, rise, _measures(measure), with_weight_decay),
            Evaluation(device, strategy, precision, memory, (not exact) * tolerance, samples, cap),
            save_seconds=save_every,
        )
        _check(ctx, request)
        jobs: list[list[Job | ValleyJob]] = []
        with saying(lambda: _what_is_kept(jobs, overwrite=overwrite)):
            jobs.extend(  # one by one, for what is said of an interruption
                prepared_jobs(
                    *(run, request, others, lambda seed: given(problem, set_, seed=seed)),
                    accept_changes=accept_changes,
                    trust=trust,
                    name=name,
                    resume=resume,
                    overwrite=overwrite,
                )
                for run in mine
            )
            _note_no_statistics(ctx, jobs)
            ready = time.monotonic()
            with cluster.workers(workers, scheduler) as pool:
                carry_out(jobs, mine if preview else None, pool, draw, quiet=quiet)
        measured = time.monotonic()
    _tell_more([job.path for one in jobs for job in one], started, ready, measured)


def _what_is_kept(jobs: Sequence[Sequence[Job | ValleyJob]], *, overwrite: bool) -> str:
    """What is saved of scans that were interrupted, and the command that goes on with them."""
    from landscape.store import provenance

    every = [job for one in jobs for job in one]
    # What is to be replaced is there until the first saving.
    kept = [job for job in every if job.path.exists() and (job.written or not overwrite)]
    if not kept:
        return "nothing was measured yet, the same command begins again"
    files = ", ".join(str(job.path) for job in kept)
    again = provenance.resuming(provenance.command())
    return f"what was measured is saved in {files}, go on with: {again}"


def _measures(asked: Sequence[str] | None) -> Sequence[str]:
    from landscape.scan.request import GridChoice

    return listed(asked) or GridChoice.measures


def _check(ctx: typer.Context, request: Request) -> None:
    """Refuse what was typed and excludes each other; say what changes nothing."""
    _check_pairs(ctx.params)
    _check_different(ctx.params["runs"], ctx.params["also"] or ())
    _note_idle(ctx, request)


def _check_at_once(given: Mapping[str, Any]) -> None:
    """Refuse what needs no run to be looked at."""
    _check_places(given["runs"], given["directions"])
    if given["resume"] and given["overwrite"]:
        raise LandscapeError(
            "--resume goes on with a scan, --overwrite replaces it; drop one of them"
        )


def _check_places(runs: Sequence[Path], directions: Path | None) -> None:
    """Refuse a plane's name in place of a run or of a file of directions, and a file that isn't."""
    refuse_names(
        runs, _planes, rule="a run must be a folder", are="a plane's name", option="--plane"
    )
    if directions is not None and not directions.exists():
        rule = "--directions must be a file"
        refuse_names([directions], _planes, rule=rule, are="a plane's name", option="--plane")
        raise LandscapeError(f"{rule}, got {directions}, which doesn't exist; give one that does")


def _planes() -> set[str]:
    """The names of planes, without the weights that some go through."""
    from landscape.plane import kinds

    return {form.partition(":")[0] for form in kinds.forms()}


def _check_pairs(given: Mapping[str, Any]) -> None:
    from landscape.scan.speed.options import Evaluation

    plane, tolerance = given["plane"], given["tolerance"]
    if plane and given["directions"] is not None:
        raise LandscapeError(
            f"--directions makes the plane, got --plane {plane[0]} too; drop one of them"
        )
    if given["exact"] and tolerance not in (0.0, Evaluation.tolerance):
        raise LandscapeError(
            f"--exact measures every point, got --tolerance {tolerance:g} too; drop one of them"
        )
    if given["preview"] and given["no_figures"]:
        raise LandscapeError("--preview draws, got --no-figures too; drop one of them")


def _check_different(runs: Sequence[Path], also: Sequence[Path]) -> None:
    """Refuse a run that is named twice: its scans would get into each other's way."""
    seen = set()
    for option, path in [("", run) for run in runs] + [("--also ", run) for run in also]:
        if (place := path.resolve()) in seen:
            raise LandscapeError(f"runs must differ, got {option}{path} again; name each once")
        seen.add(place)


def _note_idle(ctx: typer.Context, request: Request) -> None:
    from landscape.plane import kinds

    kinds.check(request.plane)
    chosen = kinds.specs(request.plane)
    note_idle(ctx, kinds.unused(request.plane, chosen), f"on plane {', '.join(chosen)}")
    if request.grid.extent not in (None, "auto"):
        note_idle(ctx, ["rise"], f"where the extent is given, {request.grid.extent}")
    if not request.evaluation.tolerance:
        note_idle(ctx, ["cap"], "where every point is measured")
    elif request.plane.planes > 1:
        note_idle(ctx, ["tolerance", "cap"], "for several planes, which are measured throughout")


def _note_no_statistics(ctx: typer.Context, jobs: Sequence[Sequence[Job | ValleyJob]]) -> None:
    from landscape.problem.batchnorm import has_statistics

    if not any(has_statistics(job.problem.model) for one in jobs for job in one):
        note_idle(ctx, ["batchnorm"], "for a model without BatchNorm or spectral_norm")


PREVIEW_SECONDS, PREVIEW_TIMES = 10.0, 20.0
"""A preview is drawn again after so many seconds, and so many times as long as drawing took."""
FARTHER = 3.0
"""So many times as far a grid is offered that holds none of its widths."""
MOMENT = 5.0
"""Seconds below which what something takes isn't worth a line."""
SOON = 15.0
"""Within so many seconds measuring every point is worth naming."""
MAKING = 30.0
"""The same of a plane's directions, which are found before a mistake in other options is."""
PASSES = 6
"""Evaluations of all data that a Hessian-vector product takes as long as, about."""


def prepared_jobs(
    run: Run,
    request: Request,
    also: Sequence[Run],
    problem: Callable[[int], Problem | None],
    *,
    accept_changes: bool,
    trust: bool,
    name: str | None,
    resume: bool,
    overwrite: bool,
) -> list[Job | ValleyJob]:
    """Make a run's problem again and its scans ready.

    ``problem`` gives the one that was named on the command line, if any, made with a run's seed.
    """
    from landscape.scan.prepare import prepare
    from landscape.sgd import problem_of

    record = run.record["problem"]
    rebuilt = problem_of(
        run,
        problem=problem(record.get("seed", 0)),
        accept_changes=accept_changes,
        trust=trust,
    )
    for other in also:
        _check_data(run, other, accept_changes=accept_changes)
    if not resume:
        announce_making(run, rebuilt, request)
    return prepare(
        run,
        rebuilt,
        request,
        also=also,
        name=name,
        resume=resume,
        overwrite=overwrite,
        accept_changes=accept_changes,
    )


def announce_making(run: Run, problem: Problem, request: Request) -> None:
    """Say what making planes of curvature will take, before their points."""
    from landscape.plane import kinds
    from landscape.problem.baseline import constant_loss
    from landscape.problem.evaluate import loss_seconds

    specs = kinds.specs(request.plane, run.trajectory, constant_loss(problem))
    products = {spec: kinds.KINDS[kinds.parse_spec(spec)[0]].products for spec in specs}
    curved = [spec for spec, count in products.items() if count]
    if not curved:
        return
    seconds = sum(products.values()) * PASSES * loss_seconds(problem)
    if seconds > MAKING:
        echo(
            f"{', '.join(curved)}: directions by some {sum(products.values())} Hessian-vector "
            f"products, about {duration(seconds)} before the first point",
            err=True,
        )


def _check_data(run: Run, other: Run, *, accept_changes: bool) -> None:
    mine, theirs = run.record["problem"]["data"], other.record["problem"]["data"]
    if mine != theirs and not accept_changes:
        raise LandscapeError(
            f"--also needs runs trained on the same data, {other.folder} wasn't "
            f"(fingerprint {theirs[:12]} instead of {mine[:12]}); accept that with --accept-changes"
        )


def carry_out(
    jobs: Sequence[Sequence[Job | ValleyJob]],
    previewed: Sequence[Run] | None,
    pool: Workers,
    draw: Draw,
    *,
    quiet: bool,
) -> None:
    """Do the jobs of each run, plane by plane: scans of several runs share extent and colours."""
    pool.start("landscape.scan.speed.workers")
    for together in _compared(jobs):
        for job in together:
            announce_job(job)
        runs: Sequence[Run | None] = previewed or [None] * len(together)
        scans = [
            evaluate(job, pool, preview=run, quiet=quiet)
            for run, job in zip(runs, together, strict=False)
        ]
        for job, scan in zip(together, scans, strict=True):
            summarize(job.path, scan)
            draw(job.path, [other.path for other in together])


def _compared(jobs: Sequence[Sequence[Job | ValleyJob]]) -> Iterator[list[Job | ValleyJob]]:
    """The jobs in the order in which they are done, those together that share a scale.

    Those of the same kind of several runs; a valley and those of the runs that are shown too.
    """
    from landscape.scan.job import Job
    from landscape.scan.prepare import alike

    kinds = [tuple(_kind(job) for job in one) for one in jobs]
    if len(set(kinds)) > 1:  # what each run's planes are by default depends on what it did
        for one in jobs:
            yield from ([job] for job in one)
        return
    for kind in dict.fromkeys(kinds[0]):
        same = [job for one in jobs for job in one if _kind(job) == kind]
        planes = [job for job in same if isinstance(job, Job)]
        yield list(alike(planes)) if len(planes) > 1 else same


def _kind(job: Job | ValleyJob) -> str:
    from landscape.scan.job import Job

    return job.scan.plane.kind if isinstance(job, Job) else "valley"


def announce_job(job: Job | ValleyJob) -> None:
    """Say what further measures will take, before they are begun."""
    if not job.further or job.finished:
        return
    seconds = job.seconds()
    if seconds > MOMENT:
        echo(
            f"{', '.join(job.further)}: about {duration(seconds)} for {job.path.stem}; "
            "Ctrl-C saves, --resume goes on",
            err=True,
        )


def evaluate(
    job: Job | ValleyJob, pool: Workers, *, preview: Run | None, quiet: bool
) -> Scan | Valley:
    """Evaluate a job with progress; a complete one is left as it is.

    With a run as ``preview`` its figure is drawn while the grid fills.
    """
    scan: Scan | Valley = job.scan
    name = job.path.stem
    fewer = scan.tolerance > 0  # points that it takes no loss of
    if job.finished:
        echo(f"{job.path} is complete: only drawn again", err=True)
        return scan

    def chosen(_: StrategyRecord, seconds: float) -> None:
        said, takes = list[str](), f"about {duration(seconds)}"
        if seconds > MOMENT:
            said = [f"up to {takes}, going by a first trial", "Ctrl-C saves, --resume goes on"]
        if fewer and seconds < SOON:
            said.append(f"measuring every point takes {takes} (`landscape scan --exact`)")
        if said and not quiet:
            echo(f"{name}: {'; '.join(said)}", err=True)

    drawn, counted = Preview(preview, name) if preview is not None else None, job.counted
    with progress(
        f"scanning {name}", job.total, unit="evaluations", at_most=fewer, quiet=quiet
    ) as report:
        filling: Iterator[Scan | Valley] = job.run(pool, chosen=chosen)
        for done, current in enumerate(filling, start=1):
            scan = current
            report(done, counted)  # and findings, which no evaluation stands for
            if drawn is not None:
                drawn.offer(scan)
        report(job.total, "")
    return scan


class Preview:
    """The first figure of a scan, drawn again now and then while the scan fills."""

    def __init__(self, run: Run, name: str) -> None:
        self._run, self._name = run, name
        self._due = 0.0

    def offer(self, scan: Scan | Valley) -> None:
        """Draw it if it is time to, and if there are points enough."""
        from landscape import draw
        from landscape.draw import making

        started = time.monotonic()
        if started < self._due or (guessed := _guessed(scan)) is None:
            return
        kind = draw.kinds(guessed)[0]
        stem = self._run.figures / f"{self._name}-{kind}"
        draw.save(
            draw.KINDS[kind](guessed), stem, formats=("png",), caption=making.caption(guessed)
        )
        ended = time.monotonic()
        self._due = ended + max(PREVIEW_SECONDS, PREVIEW_TIMES * (ended - started))


def _guessed(scan: Scan | Valley) -> Scan | Valley | None:
    """What there is to be seen of an unfinished scan; None: nothing yet."""
    from landscape.scan.refine.preview import preview
    from landscape.store.scans.valleys import Valley

    if isinstance(scan, Valley):
        return scan if scan.finished_rows else None
    return preview(scan)


def _tell_more(files: Sequence[Path], started: float, ready: float, measured: float) -> None:
    """Say where the rest is that is known of scans, and how long all of it took, since when.

    What was drawn meanwhile took no time of its own.
    """
    which = shlex.quote(str(files[0])) if len(files) == 1 else "SCAN.h5"
    if (ended := time.monotonic()) - started > MOMENT:
        echo(
            f"the command took {duration(ended - started)} in all: {duration(ready - started)} to "
            f"get ready, {duration(measured - ready)} to measure, "
            f"{duration(ended - measured)} to draw"
        )
    echo(f"how it was measured and how far to trust it: landscape info {which}")


def summarize(path: Path, scan: Scan | Valley) -> None:
    """Print where a scan is and what it found, in a few lines; `landscape info` has the rest."""
    from landscape.store.scans import sentences, valley_sentences
    from landscape.store.scans.valleys import Valley

    if isinstance(scan, Valley):
        columns, points = scan.measured.shape
        about, said = f"{columns} columns of {points} points", valley_sentences.brief(scan)
    else:
        losses = scan.measures["train_loss"][scan.measured]
        shape = " x ".join(map(str, scan.measured.shape))
        about = f"{shape} points, training loss {sentences.span(losses, scan.certificate)}"
        said = sentences.brief(scan)
        if scan.plane.kind == "imported" and scan.plane.ignored != "none":
            left = scan.plane.ignored
            said.insert(
                0, f"{left} of the direction file ignored: directions move parameters only."
            )
    echo(f"{path}: {about}")
    for sentence in said:
        echo(f"  {sentence}")
    if (reach := _all_beyond(scan)) is not None:
        echo(
            f"  Every width lies beyond the grid; --extent {number(FARTHER * reach)} looks farther."
        )


def _all_beyond(scan: Scan | Valley) -> float | None:
    """How far a grid reaches that holds none of its widths; None where that isn't so."""
    import numpy as np

    from landscape.store.scans.valleys import Valley

    if isinstance(scan, Valley):
        median = scan.width(0.5)
        known = median[~np.isnan(median)]
        return float(np.abs(scan.y).max()) if len(known) and np.isinf(known).all() else None
    width = scan.findings.get("width")
    if width is None or width["beyond"] < width["rays"]:
        return None
    return max(float(np.abs(axis).max()) for axis in (scan.x, scan.y) if len(axis))
