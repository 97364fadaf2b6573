"""``landscape bench``: what things cost on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command import CommandGroup, listed, note_idle
from .printing import echo
from .progress import progress

if TYPE_CHECKING:
    from landscape.sgd.bench import RecordingCosts


ROW = "{:<22}{:>9}{:>9}{:>7}  {}"
TOLERANCE_ROW = "{:<26}{:>10}{:>11}{:>12}{:>9}{:>14}"


bench = typer.Typer(
    name="bench",
    help="Measure what things cost on this machine.",
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@bench.callback()
def _bench() -> None:
    """Measure what things cost on this machine."""


@bench.command("scan")
def bench_scan(
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="These: mlp, cnn, resnet, or other MLPs: mlp-one-hidden, mlp-gelu, mlp-colour, "
            "mlp-wide, mlp-narrow, mlp-digits, mlp-tanh, mlp-table.",
            show_default="mlp,cnn,resnet",
        ),
    ] = None,
) -> None:
    """Time scans of networks on synthetic data beside a plain loop over their points.

    Both in turn within one run, on some of the points of a 51 x 51 grid; the scan's time holds
    choosing, shared out among the whole grid's points. Takes about a minute for each. With
    OMP_NUM_THREADS=1 processor time is measured, else time on the clock.
    """
    import torch

    from landscape.scan import bench

    echo(
        f"milliseconds a point, {torch.get_num_threads()} threads, torch {torch.__version__}; "
        f"extrapolated from some points of a {bench.SIZE} x {bench.SIZE} grid"
    )
    echo(ROW.format("", "plain", "scan", "ratio", ""))
    for found in bench.run(listed(only) or bench.MAIN):
        how = f"{found.scan_how}; choosing {found.choosing:.1f} s; plain: {found.plain_how}"
        numbers = (f"{found.plain:.2f}", f"{found.scan:.2f}", f"{found.ratio:.2f}")
        echo(ROW.format(f"{found.case.title}, {found.case.samples}", *numbers, how))


@bench.command()
def recorder(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Option(
            help="mlp, cnn, resnet20, resnet56, or transformer: 10.7 million parameters on "
            "random sequences of 64 tokens."
        ),
    ] = "cnn",
    data: Annotated[str, typer.Option(help="As for train; a transformer has its own.")] = "digits",
    batch_size: Annotated[int, typer.Option(help="Samples a step.")] = 32,
    block: Annotated[
        int | None,
        typer.Option(
            help="Steps of one way at a time.", min=1, show_default="3, of a transformer 1"
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            help="Blocks of each way, one after the other.",
            min=2,
            show_default="300, of a transformer 6",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Time a training with and without recording, in turn, within one run.

    The built-in CNN takes about ten seconds, the transformer about two minutes.
    """
    from landscape.problem import builtin, language
    from landscape.sgd import Settings
    from landscape.sgd import bench as library

    large = model == "transformer"
    if large:
        note_idle(ctx, ["data"], "for a transformer, which has its own")
    problem = language.random_tokens("1e7", tokens=64) if large else builtin(model, data)
    rounds, block = rounds or (6 if large else 300), block or (1 if large else 3)
    # Small steps: nothing happens that the flight recorder would write.
    settings = Settings(lr=0.01, momentum=0.9, batch_size=batch_size, epochs=10**6)
    with progress("timing", rounds, unit="rounds", quiet=quiet) as report:
        for found in library.recorder(problem, settings, block=block, rounds=rounds):
            if isinstance(found, int):
                report(found, "")
            else:
                _print(found)


@bench.command()
def size(
    ctx: typer.Context,
    sizes: Annotated[
        str, typer.Option(help="Parameters: some of 1e4, 1e5, 1e6, 1e7 and 2.5e7.")
    ] = "1e4,1e5,1e6",
    points: Annotated[
        int, typer.Option(help="Grid points an axis of the random plane and the valley.", min=5)
    ] = 25,
    samples: Annotated[
        int, typer.Option(help="Sequences of 32 tokens: what losses cost grows with them.", min=16)
    ] = 64,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COMMAND,...",
            help="Beside training and import only these, as the table names them: 'scan random'.",
            show_default="all",
        ),
    ] = None,
) -> None:
    """Measure time and memory of the commands on transformers of several sizes.

    Each in a process of its own, on random sequences of 32 tokens. Peak memory stands beside
    what is allowed: Python and PyTorch, the model, 4 vectors of weights and 256 MiB for evaluating.
    Up to a million parameters it takes minutes, from 1e7 on much longer.
    """
    from .bench_size import chosen, print_sizes

    commands = chosen(listed(only), points, samples)
    if not any(name.startswith("scan") for name in commands):
        note_idle(ctx, ["points"], "where nothing is scanned")
    print_sizes(listed([sizes]), points, samples, commands)


@bench.command()
def tolerance(
    scans: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCAN.h5...",
            help="Scans made with --exact, valleys too.",
            show_default=False,
        ),
    ],
    tolerance: Annotated[float, typer.Option(help="As for scan.")] = 0.01,
    cap: Annotated[str, typer.Option(help="As for scan.")] = "auto",
    draws: Annotated[int, typer.Option(help="So many draws of the held-out points.", min=1)] = 3,
) -> None:
    """Compare scans to a tolerance with exact ones of the same planes.

    The losses are looked up in the exact scans, nothing is evaluated: a second or two a draw. Of
    several draws the median; errors are those of training or validation loss, whichever is worse.
    """
    from statistics import median

    from landscape.scan.refine.bench import replayed
    from landscape.store.sources import load_scanned

    echo(TOLERANCE_ROW.format("", "below cap", "evaluated", "95 % below", "largest", "wrong side"))
    evaluated = []
    for file in scans:
        exact = load_scanned(file)
        found = [replayed(exact, tolerance=tolerance, cap=cap, draw=draw) for draw in range(draws)]
        evaluated.append(median(one.evaluated for one in found))
        shares = (
            found[0].below,
            evaluated[-1],
            *(median(getattr(one, name) for one in found) for name in ("quantile95", "largest")),
        )
        texts = (f"{shares[0]:.0%}", *(f"{share:.1%}" for share in shares[1:]))
        wrong = f"{median(one.wrong_side for one in found):g} of {exact.measured.size:,}"
        name = f"{exact.run_name} {file.stem}".strip()
        echo(TOLERANCE_ROW.format(name, *texts, wrong))
    echo(
        f"evaluated: median {median(evaluated):.1%}, most {max(evaluated):.1%}, "
        f"of {len(scans)} scans"
    )


def _print(report: RecordingCosts) -> None:
    from landscape.sgd.bench import BASE

    echo(
        f"{report.parameters:,} parameters, {report.threads} threads, "
        f"{report.steps_per_epoch} steps an epoch"
    )
    echo(f"{'':34}{'ms a step':>12}{'more':>10}")
    for cost in report.costs:
        more = "" if cost.name == BASE else f"{cost.overhead:.1%}"
        echo(f"{cost.name:34}{cost.milliseconds:>12.3f}{more:>10}")
    echo(
        f"apart from that: a full-data evaluation {report.evaluation:.0f} ms "
        f"({report.evaluation_share:.0%} of the time, one an epoch), a flush {report.flush:.0f} ms"
    )
