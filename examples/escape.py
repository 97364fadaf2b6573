"""What `landscape train` and `landscape scan` do, in Python.

A CNN on digits at a learning rate at which it escapes and is lost, scanned along its own movement.
"""

from argparse import ArgumentParser
from pathlib import Path

from landscape import draw, plane, problem, scan, sgd
from landscape.store.scans import scanfile


def main(folder: Path, *, epochs: int = 40, size: int = 51) -> None:
    digits = problem.builtin("cnn", "digits", depth=4, seed=0)
    settings = sgd.Settings(lr=0.1, momentum=0.9, epochs=epochs, seed=0)
    with sgd.Recorder(folder, digits, settings) as recorder:
        for step in sgd.steps(digits, settings):
            recorder.record(step)

    trajectory = recorder.run.trajectory
    constant = problem.constant_loss(digits)
    view = plane.along(trajectory, constant_loss=constant)
    result = scan.grid(
        digits,
        view,
        trajectory,
        size=size,
        extent="auto",
        constant_loss=constant,
        run_name=folder.name,
    )
    scanfile.save(recorder.run.scan("along"), result)
    for kind in draw.kinds(result):
        figure, stem = draw.KINDS[kind](result), recorder.run.figures / f"along-{kind}"
        for file in draw.save(figure, stem, caption=draw.caption(result)):
            print(file)


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default="runs/escape")
    main(parser.parse_args().folder)
