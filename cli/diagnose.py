"""``landscape diagnose``: what SGD did in a run or in a sweep's runs, with the evidence."""

from __future__ import annotations

import contextlib
import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landscape import cluster
from landscape.errors import LandscapeError
from landscape.quantities import Reached, counted, duration, parse_duration, parse_size, percent

from . import strict_json
from .command import examples, listed, note_idle
from .interrupts import saying
from .printing import echo
from .problems import PROBLEM, SetOption, SpecOption, TrustOption, given, opened
from .progress import progress
from .sweep_table import cell, table

if TYPE_CHECKING:
    from landscape.diagnose import Diagnosis, Thresholds, Verdict
    from landscape.store import Run
    from landscape.store.sweep_folder import Sweep
    from landscape.store.sweep_outcomes import LossSpan, Outcomes, OutcomeShare


EXAMPLES = examples(
    "landscape diagnose runs/a",
    "landscape diagnose runs/a --only units,curvature --no-intervene",
)
WHAT = "What is measured"
TRAIN = "Interventions"
BUDGET = "10min"
LINES = "Where lines are drawn"
PRINTED = "What is printed"


def diagnose(
    ctx: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|SWEEP",
            help="A run's folder, or a sweep's: then each of its runs, and a table.",
            show_default=False,
        ),
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="Measure these parts: units (dead ones), functions (how outputs differ), "
            "distances, permutations (copies and twin), curvature, sharpness (of batches), "
            "preconditioned (Adam's sharpness), density (of the Hessian's spectrum), jump, "
            "diffusion, interventions, connectivity, curves; and those that take longer, "
            "curvature-by-layer, learning-coefficient, instability (trainings that part). "
            "Of others, what was measured before is used.",
            show_default="all but those that take longer",
        ),
    ] = None,
    twin: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="A run of the same model trained independently, to compare distances with.",
            show_default="that of the time before, else a run of the sweep with another seed",
        ),
    ] = None,
    no_intervene: Annotated[
        bool,
        typer.Option(
            "--no-intervene",
            help="Don't train from the run's snapshots: what that would tell is left open.",
        ),
    ] = False,
    intervene: Annotated[
        bool,
        typer.Option(
            "--intervene",
            help="Train from the snapshots of a sweep's runs too; of a run it is done anyway.",
            rich_help_panel=TRAIN,
        ),
    ] = False,
    again: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:function",
            help="Of a run recorded from your own loop: a function that takes the model and gives "
            "its optimizer and the batch size, so that it can be trained again.",
            rich_help_panel=TRAIN,
        ),
    ] = None,
    after: Annotated[
        int | None,
        typer.Option(
            metavar="STEP",
            help="The step by which it had settled: motion and distances are read from there on.",
            show_default="the last half, after any escape",
            rich_help_panel=WHAT,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="How long each training from the run's snapshots lasts at most.",
            show_default="15; replicas as --budget allows",
        ),
    ] = None,
    budget: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Where a run stayed, train replicas for as long as its window, as many as decide "
            "how it moves, if they take no longer than this together (90s, 10min, 2h; 0: never). "
            "Where it is given, parts of a run that would take longer aren't measured either.",
        ),
    ] = BUDGET,
    orders: Annotated[
        int,
        typer.Option(
            help="After an escape, the most other batch orders tried from each place: as many as "
            "decide whether it is unstable, usually 7 to 16.",
        ),
    ] = 40,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve",
            help="Where no straight line connects two floors, train a Bézier curve between them: "
            "600 steps for each such pair, 45 pairs at most.",
        ),
    ] = False,
    workers: Annotated[
        int,
        typer.Option(
            help="Train so many at a time, in processes that share the threads.",
            rich_help_panel=TRAIN,
        ),
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Train on the workers of this Dask scheduler.",
            rich_help_panel=TRAIN,
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Most that curvature may take beside model, data and some vectors of weights: "
            "500MB, 2GB.",
            show_default="1GiB",
            rich_help_panel=WHAT,
        ),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Draw a line of the verdict elsewhere, as in learned=0.2; the names are those of "
            "landscape.diagnose.Thresholds. Give it several times for several.",
            rich_help_panel=LINES,
        ),
    ] = None,
    problem: SpecOption = None,
    set_: SetOption = None,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Diagnose although the problem's code, data or loss changed since the training.",
            rich_help_panel=PROBLEM,
        ),
    ] = False,
    trust: TrustOption = False,
    evidence: Annotated[
        bool,
        typer.Option(
            "--evidence", help="Print every number too, beside the line that it is held against."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print verdict.json instead.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=PRINTED)
    ] = False,
) -> None:
    """Say what SGD did: what became of the loss, how the weights move, and on what evidence.

    Measures dead units, curvature, distances, diffusion and permutation symmetry; after an escape
    it trains again from before it, where nothing was learned at other rates, otherwise from the
    last weights, to see what would have been.
    What takes long is announced. Ctrl-C keeps what is done; the same command goes on.

    Writes RUN/analysis.h5, RUN/verdict.json and RUN/interventions/NAME, runs of their own.
    """
    from landscape.store import sweep_folder

    if intervene and no_intervene:
        raise LandscapeError("--intervene and --no-intervene exclude each other; drop one of them")
    sweep = sweep_folder.is_sweep(path)
    if not sweep:
        opened([path], problem)
    _note_idle(ctx, sweep=sweep)
    choice = DiagnosisChoice(
        only=listed(only) if only else None,
        intervene=not no_intervene,
        twin=twin,
        again=again,
        after=after,
        epochs=epochs,
        budget=parse_duration(budget, "--budget"),
        orders=orders,
        curve=curve,
        workers=workers,
        scheduler=scheduler,
        measuring=_typed(ctx, "budget", parse_duration(budget, "--budget")),
        memory=None if memory is None else parse_size(memory, "memory"),
        thresholds=thresholds(threshold or ()),
        problem=problem,
        settings=set_,
        accept_changes=accept_changes,
        trust=trust,
        quiet=quiet,
    )
    if sweep:
        diagnose_sweep(path, choice, intervene=intervene, json=json)
    else:
        diagnose_run(path, choice, evidence=evidence, json=json)


def _typed(ctx: typer.Context, name: str, value: float) -> float | None:
    """The value of an option that was typed, and isn't zero; else None."""
    source = ctx.get_parameter_source(name)
    return value if value and source is not None and source.name == "COMMANDLINE" else None


def _note_idle(ctx: typer.Context, *, sweep: bool) -> None:
    """Say which options change nothing beside others."""
    options = ctx.params
    only = listed(options["only"])
    intervenes = not options["no_intervene"] and (options["intervene"] or not sweep)
    if only and "interventions" not in only:
        intervenes = False
    if not intervenes and "instability" not in only:
        idle = ["epochs", "orders", "again", *(["budget"] if sweep else [])]
        note_idle(ctx, idle, "where nothing is trained")
    elif sweep and options["epochs"] is not None:
        note_idle(ctx, ["budget"], "beside --epochs")
    if options["json"]:
        note_idle(ctx, ["evidence"], "beside --json, which has all of it")
    elif sweep:
        note_idle(ctx, ["evidence"], "for a sweep, of which a table is printed")


ANNOUNCED_SECONDS = 5.0
"""Measuring that takes longer is announced."""


@dataclass(frozen=True)
class DiagnosisChoice:
    """What the command line asks for."""

    only: tuple[str, ...] | None
    intervene: bool
    twin: Path | None
    after: int | None
    epochs: int | None
    budget: float
    orders: int
    curve: bool
    workers: int
    scheduler: str | None
    thresholds: Thresholds
    problem: str | None
    settings: Sequence[str] | None
    accept_changes: bool
    trust: bool
    quiet: bool
    again: str | None = None
    memory: int | None = None
    measuring: float | None = None
    """Seconds that a run's parts may take together."""


def thresholds(pairs: Sequence[str]) -> Thresholds:
    """The verdict's lines, with those that were given drawn elsewhere."""
    from landscape.diagnose import Thresholds

    known = asdict(Thresholds())
    chosen: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in known:
            raise LandscapeError(
                f"--threshold must be NAME=VALUE with one of {', '.join(known)}, got {pair}"
            )
        kind = type(known[name])
        try:
            chosen[name] = kind(text)
        except ValueError:
            number = "a whole number" if kind is int else "a number"
            raise LandscapeError(f"threshold {name} must be {number}, got {text}") from None
    return Thresholds(**chosen)


def diagnose_run(folder: Path, choice: DiagnosisChoice, *, evidence: bool, json: bool) -> None:
    """Diagnose a run and print the page, or verdict.json."""
    from landscape.diagnose import alone
    from landscape.store import read

    from .diagnosis_page import show

    run = read(folder)
    with cluster.workers(choice.workers, choice.scheduler) as pool, alone(run):
        diagnosis = prepared(run, choice)
        if choice.measuring is not None:
            keep_to_budget(diagnosis, choice.measuring)
        expected = announce_trainings(diagnosis, pool)
        verdict = carried_out(diagnosis, pool, expected, quiet=choice.quiet)
    if lacking := unwritten(folder, verdict):
        echo(
            f"{folder}/verdict.json stays as it is: it rests on {', '.join(lacking)} too; to "
            f"replace it {remedy(lacking, choice)}, or delete it",
            err=True,
        )
    if json:
        strict_json.echo(verdict.record())
    else:
        show(diagnosis, verdict, evidence=evidence)


def unwritten(folder: Path, verdict: Verdict) -> tuple[str, ...]:
    """What a fuller verdict rests on that was not overwritten."""
    from landscape.diagnose.session.kept import lacking

    return lacking(folder, verdict)


def remedy(
    lacking: Collection[str], choice: DiagnosisChoice, *, trains: str = "leave out --no-intervene"
) -> str:
    """What to ask for, for nothing of this to be left out; ``trains``: for interventions."""
    wanted = []
    if not set(lacking) <= set(choice.only if choice.only is not None else lacking):
        wanted.append("leave out --only")
    if "interventions" in lacking and not choice.intervene:
        wanted.append(trains)
    return " and ".join(wanted)


def prepared(run: Run, choice: DiagnosisChoice) -> Diagnosis:
    """A run's diagnosis, nothing of it measured yet."""
    from landscape.curvature import MEMORY
    from landscape.diagnose import Diagnosis
    from landscape.sgd import problem_of
    from landscape.store import read

    record = run.record["problem"]
    problem = problem_of(
        run,
        problem=given(choice.problem, choice.settings, seed=record.get("seed") or 0),
        accept_changes=choice.accept_changes,
        trust=choice.trust,
    )
    return Diagnosis(
        run,
        problem,
        only=choice.only,
        intervene=choice.intervene,
        twin=read(choice.twin) if choice.twin is not None else None,
        again=choice.again,
        after=choice.after,
        epochs=choice.epochs,
        budget=choice.budget,
        orders=choice.orders,
        curve=choice.curve,
        memory=MEMORY if choice.memory is None else choice.memory,
        thresholds=choice.thresholds,
    )


def keep_to_budget(diagnosis: Diagnosis, budget: float) -> None:
    """Leave out the parts that a budget (seconds) has no time for, the dearest, and say which."""
    from landscape.diagnose import seconds
    from landscape.store.measured.whole import spelled

    parts, spent = seconds(diagnosis), 0.0
    left: list[str] = []
    for name in sorted(parts, key=lambda name: parts[name]):
        if spent + parts[name] > budget:
            left.append(name)
        else:
            spent += parts[name]
    if not left:
        return
    diagnosis.leave_out(left)
    named = ", ".join(f"{spelled(name)} {duration(parts[name])}" for name in left)
    echo(
        f"--budget {duration(budget)} leaves out {named}; give more, or name one with --only",
        err=True,
    )


def announce_trainings(
    diagnosis: Diagnosis,
    pool: cluster.Workers,
    *,
    before: str = "",
) -> Mapping[str, float]:
    """Say what measuring takes if that is long, and what interventions do; give seconds by part.

    ``before``: what a command that lacks the options named here says before them.
    """
    from landscape.diagnose import cost, seconds

    plan, parts = diagnosis.plan, seconds(diagnosis)
    announce_measuring(parts, before=before)
    if not plan.missing:
        return parts
    found = cost(diagnosis)
    begun = len(plan.trials) - len(plan.missing)
    training = duration(found.seconds / pool.count)
    total = duration(found.seconds / pool.count + sum(parts.values()))
    whole = f", {total} with what is measured beside them" if total != training else ""
    more = (
        f" (more batch orders where these don't decide, up to {diagnosis.orders} a place)"
        if plan.kind == "escape"
        else f" (up to {duration(diagnosis.budget)} of more replicas where these don't decide)"
        if plan.kind == "motion" and diagnosis.budget
        else ""
    )
    echo(
        f"interventions ({plan.kind}): {counted(found.runs, 'training')}{' at first' * bool(more)}"
        f"{f' beside {begun} that are done' if begun else ''}, {found.epochs:.0f} epochs in all, "
        f"about {training}{whole}{more}; "
        f"{before}--epochs shortens, --no-intervene skips them; Ctrl-C keeps what is done",
        err=True,
    )
    _say_what_is_trained_anew(diagnosis, before)
    _say_too_few_orders(diagnosis)
    return {**parts, "interventions": found.seconds / pool.count}


def _say_what_is_trained_anew(diagnosis: Diagnosis, before: str) -> None:
    from landscape.diagnose.trainings import interventions

    count, epochs = interventions.of_other_lengths(diagnosis.subject, diagnosis.plan)
    if count:
        echo(
            f"{count} of them take the place of trainings of another length, which tell something "
            f"else; {before}--epochs {epochs} goes on with those",
            err=True,
        )


def _say_too_few_orders(diagnosis: Diagnosis) -> None:
    from landscape.diagnose.left_again import sequential_test

    fewest = sequential_test(diagnosis.limits).in_a_row
    if diagnosis.plan.kind == "escape" and diagnosis.orders < fewest:
        echo(
            f"note: {counted(diagnosis.orders, 'other batch order')} can't show that the learning "
            f"rate is too high, even if all of them leave: that takes {fewest}",
            err=True,
        )


def _again(diagnosis: Diagnosis) -> str:
    """What is typed to go on: what was to be measured, and whether it trains."""
    from landscape.diagnose import NAMES
    from landscape.diagnose.session.parts import BY_DEFAULT
    from landscape.store.measured.whole import spelled

    options = [] if diagnosis.intervene else ["--no-intervene"]
    if diagnosis.only != set(BY_DEFAULT):
        only = ",".join(spelled(name) for name in NAMES if name in diagnosis.only)
        options.insert(0, f"--only {only}")
    return diagnosis.subject.run.command("diagnose", " ".join(options))


def announce_measuring(
    parts: Mapping[str, float], *, runs: int = 1, at_once: int = 1, before: str = ""
) -> None:
    """Say what measuring parts, of these seconds each, takes of so many runs; if it is long."""
    times = runs / at_once
    total = sum(parts.values()) * times
    if total < ANNOUNCED_SECONDS:
        return
    dearest = sorted(parts, key=lambda name: -parts[name])[:2]
    most = ", ".join(f"{name} {duration(parts[name] * times)}" for name in dearest)
    echo(
        f"measuring{f' {runs} runs' if runs > 1 else ''}: about {duration(total)} at this "
        f"machine's present pace (most of it "
        f"{most}); {before}--only measures some parts; Ctrl-C keeps what is done",
        err=True,
    )


def carried_out(
    diagnosis: Diagnosis,
    pool: cluster.Workers,
    expected: Mapping[str, float],
    *,
    quiet: bool,
) -> Verdict:
    """Measure with progress, and judge; ``expected`` are seconds by part, others take none."""
    from landscape.diagnose import NAMES, conclude, measure

    folder = diagnosis.subject.run.folder
    whole = sum(expected.values()) or 1.0
    shares = [100 * expected.get(name, 0.0) / whole for name in NAMES]
    before = dict(zip(NAMES, accumulate((0.0, *shares)), strict=False))
    reached = {name: Reached() for name in NAMES}
    try:
        with progress(f"diagnosing {folder.name}", 100, quiet=quiet) as report:

            def told(name: str, share: float) -> None:
                share = reached[name](share)  # of trainings more may turn up
                done = before[name] + share * shares[NAMES.index(name)]
                report(round(done, 1), f"{name} {percent(share)}" if 0 < share < 1 else name)

            for _ in measure(diagnosis, pool, told):
                pass
        return conclude(diagnosis)
    except KeyboardInterrupt as error:
        error.add_note(f"what was measured is saved, go on with: {_again(diagnosis)}")
        raise
    except (OSError, LandscapeError):
        if not cluster.reporting():
            echo(f"go on with: {_again(diagnosis)}", err=True)
        raise


@dataclass(frozen=True)
class RunTask:
    """One run to be diagnosed, in this process or another."""

    folder: str
    choice: DiagnosisChoice
    threads: int
    here: str
    """The folder that relative paths are from."""


def diagnose_sweep(
    folder: Path, choice: DiagnosisChoice, *, intervene: bool, json: bool, before: str = ""
) -> None:
    """Diagnose a sweep's runs, several at a time, and print the table, or its JSON.

    Without ``intervene`` no trainings are done from the runs' snapshots: of every run they take
    as long as the run itself, or longer. ``before``: see `announce_trainings`.

    Raises:
        LandscapeError: no run has ended, or one couldn't be diagnosed; the others were.
    """
    from landscape.diagnose import alone
    from landscape.diagnose.session import sweep_outcomes
    from landscape.store import sweep_folder as sweeps

    sweep = sweeps.read(folder)
    opened, damaged = sweep.opened()
    runs = [run for run in opened if run.is_done]
    unreadable = [f"{name}: {why}" for name, why in damaged.items()]
    if not runs:
        if unreadable:
            raise LandscapeError(f"a sweep needs runs that can be read, {unreadable[0]}")
        raise LandscapeError(
            f"a sweep needs runs that have ended, {folder} has none; train them first"
        )
    _say_what_is_left_out(sweep, [*damaged, *(run.folder.name for run in runs)])
    asked = replace(choice, intervene=intervene)
    if not intervene and choice.intervene:
        command = f"landscape diagnose {shlex.quote(str(folder))} --intervene"
        echo(f"interventions are left out; `{command}` does them for each run", err=True)
    with (
        saying(lambda: "what was measured is saved, the same command goes on"),
        cluster.workers(choice.workers, choice.scheduler) as pool,
        alone(sweep),
    ):
        failed = [*unreadable, *_diagnosed(folder, runs, asked, pool, before)]
        found = sweep_outcomes.write(sweep)
    if json:
        strict_json.echo(found.record())
    else:
        for line in outcome_lines(found):
            echo(line)
        if found.runs:
            one, swept = (shlex.quote(str(at)) for at in (folder / found.runs[0].name, folder))
            echo(f"next: landscape diagnose {one}, or landscape render {swept}")
    if failed:
        raise LandscapeError(
            f"{len(failed)} of {len(runs) + len(damaged)} runs could not be diagnosed, {failed[0]}"
        )


def _say_what_is_left_out(sweep: Sweep, known: Sequence[str]) -> None:
    """Say which runs aren't ``known`` to be diagnosed, or to be damaged."""
    left = [str(entry["name"]) for entry in sweep.runs if entry["name"] not in known]
    if left:
        echo(
            f"{len(left)} of {len(sweep.runs)} runs are left out, they failed or have not ended: "
            f"{', '.join(left[:3])}{', ...' if len(left) > 3 else ''}; "
            "the sweep's own command trains them",
            err=True,
        )


def _diagnosed(
    folder: Path, runs: Sequence[Run], choice: DiagnosisChoice, pool: cluster.Workers, before: str
) -> list[str]:
    """Diagnose the runs; give those that could not be, with their errors."""
    import torch

    _announce(runs, choice, pool, before)
    threads, here = pool.threads(torch.get_num_threads()), str(Path.cwd())
    tasks = [RunTask(str(run.folder.resolve()), choice, threads, here) for run in runs]
    failed, stays = [], []
    lacking: set[str] = set()
    for outcome in _outcomes(folder, tasks, pool, quiet=choice.quiet):
        name = runs[outcome.index].folder.name
        if outcome.result is None:
            failed.append(f"{name}: {outcome.error}")
        elif outcome.result.lacking:
            stays.append(name)
            lacking.update(outcome.result.lacking)
    if stays:
        echo(
            f"{len(stays)} of {len(runs)} verdicts stay as they are, they rest on more: "
            f"{', '.join(stays[:3])}{', ...' if len(stays) > 3 else ''}; to replace them "
            f"{remedy(lacking, choice, trains='give --intervene')}, or delete them",
            err=True,
        )
    return failed


@dataclass(frozen=True)
class Said:
    """What came of one run."""

    outcome: str
    lacking: tuple[str, ...]
    """What a fuller verdict rests on that was not overwritten."""


def diagnose_one(task: RunTask) -> Said:
    """Diagnose a run as the same command alone would."""
    from landscape.cluster.local import Here
    from landscape.diagnose import alone, seconds
    from landscape.problem import tuning
    from landscape.store import read

    with tuning.threads(task.threads), contextlib.chdir(task.here):
        run = read(Path(task.folder))
        with alone(run):
            diagnosis = prepared(run, task.choice)
            verdict = carried_out(diagnosis, Here(), seconds(diagnosis), quiet=True)
        return Said(verdict.verdict, unwritten(run.folder, verdict))


def _outcomes(
    folder: Path, tasks: Sequence[RunTask], pool: cluster.Workers, *, quiet: bool
) -> Iterator[cluster.Outcome[Said]]:
    """Do the tasks with one line of progress."""
    shares: dict[int, float] = {}
    counts: Counter[str] = Counter()
    with progress(f"diagnosing {folder.name}", len(tasks), unit="runs", quiet=quiet) as report:

        def show(index: int, share: float) -> None:
            shares[index] = share
            said = ", ".join(f"{count} {what}" for what, count in counts.items())
            report(round(sum(shares.values()), 2), said)

        for outcome in pool.run(diagnose_one, tasks, show):
            counts["failed" if outcome.result is None else outcome.result.outcome] += 1
            show(outcome.index, 1.0)
            yield outcome


def _announce(
    runs: Sequence[Run], choice: DiagnosisChoice, pool: cluster.Workers, before: str
) -> None:
    from landscape.diagnose import cost, seconds
    from landscape.diagnose.session.kept import VERDICT

    new = [run for run in runs if not (run.folder / VERDICT).is_file()]
    for first in _prepared(new[:1], choice):
        at_once = min(pool.count, len(new))
        announce_measuring(seconds(first), runs=len(new), at_once=at_once, before=before)
    if not choice.intervene:
        return
    costs = [cost(diagnosis) for diagnosis in _prepared(runs, choice)]
    count, epochs = sum(one.runs for one in costs), sum(one.epochs for one in costs)
    if count:
        echo(
            f"interventions: {count} trainings from {len(runs)} runs, {epochs:.0f} epochs in all, "
            f"about {duration(sum(one.seconds for one in costs) / pool.count)}; "
            "Ctrl-C keeps what is done",
            err=True,
        )


def _prepared(runs: Sequence[Run], choice: DiagnosisChoice) -> Iterator[Diagnosis]:
    for run in runs:
        # One that can't be diagnosed says so when its turn comes.
        with contextlib.suppress(LandscapeError):
            yield prepared(run, choice)


def outcome_lines(found: Outcomes) -> Iterator[str]:
    """A table with a line for each combination of settings, then one with a line a run."""
    names = list(found.groups[0].values) if found.groups else []
    head = [*names, "runs", "train (median)", "valid. (median)", "outcomes (95 % interval)"]
    yield from table(
        head,
        [
            [
                *(cell(group.values[name]) for name in names),
                str(group.count),
                *(_median(span) for span in (group.train_loss, group.validation_loss)),
                ", ".join(_share(name, share) for name, share in group.outcomes.items()),
            ]
            for group in found.groups
        ],
    )
    yield ""
    head = ["run", "train", "valid.", "outcome", "motion"]
    yield from table(
        head,
        [
            [
                run.name,
                *(_loss(loss) for loss in (run.train_loss, run.validation_loss)),
                run.verdict + (f" ({run.landing})" if run.landing else ""),
                run.motion,
            ]
            for run in found.runs
        ],
    )


def _share(name: str, share: OutcomeShare) -> str:
    return f"{share.count} {name} ({percent(share.low)} to {percent(share.high)})"


def _median(span: LossSpan | None) -> str:
    return "-" if span is None else _loss(span.median)


def _loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
