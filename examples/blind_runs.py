"""Small natural runs to judge the verdict by: data, nets and rates that its rules were not made on.

    python examples/blind_runs.py train runs/blind --runs 100 --first 1000
    python examples/blind_labels.py runs/blind
    python examples/blind_runs.py judge runs/blind

The first draws each run's data, net and settings from its number and trains it, some seconds each.
The second labels the runs from raw losses and activations; it imports nothing of the diagnosis.
The third asks the diagnosis (units and losses only, no trainings), which it refuses before labels
are there, and writes the table: how often it is right, undetermined or wrong.
docs/science/blind.md has what came of it.

Data, 1,000 samples each: Fashion-MNIST (`--fashion`, Debian's dataset-fashion-mnist), tiles of the
photographs of scikit-image (`--photographs`, its folder skimage/data), tables of scikit-learn, and
the text of the standard library's pydoc_data. What is missing is left out, and said. `--data
digits` is what the rules were tried on.
"""

import argparse
import csv
import gzip
import json
import pydoc_data.topics
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from landscape import sgd
from landscape.problem import Problem, builtin
from landscape.problem.samples import Pair
from landscape.store import read

SAMPLES, SIDE = 1000, 14
STEPS = 1200
"""At most: half of it for convolutions."""
FASHION = Path("/usr/share/datasets/fashion-mnist")
PHOTOGRAPHS = ("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel")
CONTEXT = 8
"""Characters that the next one is guessed from."""
DEFENSIBLE = {
    frozenset(pair)
    for pair in (
        *(("initial-plateau", "too-slow"), ("vanishing-signal", "initial-plateau")),
        *(("vanishing-signal", "dead-plateau"), ("stuck-jumping", "dead-plateau")),
        *(("learned", "noise-floor"), ("learned", "suboptimal-plateau"), ("learned", "too-slow")),
        ("bouncing", "escaped"),
    )
}
"""Pairs of names that two people may give the same run."""


@dataclass(frozen=True)
class Draw:
    """One run."""

    number: int
    data: str
    net: str
    depth: int
    width: int
    lr: float
    momentum: float
    batch_size: int
    epochs: int
    noise: float
    """Share of wrong labels."""


def draw(number: int, sources: list[str]) -> Draw:
    """Everything of a run from its number."""
    random = np.random.default_rng([20251129, number])
    data = sources[int(random.integers(len(sources)))]
    images = data in ("fashion", "photographs", "digits")
    nets = ("mlp", "mlp-tanh", "mlp-bn") + (("cnn", "cnn", "cnn-tanh", "cnn-bn") if images else ())
    net = nets[int(random.integers(len(nets)))]
    batch = int(random.choice([8, 32, 128]))
    most = STEPS // 2 if net.startswith("cnn") else STEPS
    longest = max(10, min(50, most * batch // SAMPLES))
    # Denser where things happen.
    is_fast = random.random() < 0.65
    return Draw(
        number,
        data,
        net,
        int(random.integers(1, 5)),
        int(random.choice([8, 16, 32, 64]) if net.startswith("mlp") else random.choice([4, 8])),
        float(10 ** random.uniform(-1 if is_fast else -4, 0)),
        0.9 if random.random() < (0.7 if is_fast else 0.4) else 0.0,
        batch,
        int(random.integers(max(10, longest // 2), longest + 1)),
        float(random.choice([0.0, 0.0, 0.2])),
    )


def fashion(folder: Path) -> Pair:
    """1,000 of the training images, halved in size."""
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as stream:
        pixels = np.frombuffer(stream.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as stream:
        classes = np.frombuffer(stream.read(), np.uint8, offset=8)
    chosen = np.random.default_rng(0).permutation(len(pixels))[:SAMPLES]
    small = pixels[chosen].reshape(-1, SIDE, 2, SIDE, 2).mean((2, 4))
    return _pair(small[:, None] / 255, classes[chosen])


def photographs(folder: Path) -> Pair:
    """Tiles of eight photographs; the class is which."""
    from matplotlib.image import imread

    random, tiles, classes = np.random.default_rng(0), [], []
    for number, name in enumerate(PHOTOGRAPHS):
        image = imread(folder / f"{name}.png").astype(float)
        image = image[..., :3].mean(-1) if image.ndim == 3 else image
        for _ in range(SAMPLES // len(PHOTOGRAPHS)):
            top, left = (int(random.integers(size - 2 * SIDE)) for size in image.shape)
            tile = image[top : top + 2 * SIDE, left : left + 2 * SIDE]
            tiles.append(tile.reshape(SIDE, 2, SIDE, 2).mean((1, 3)))
            classes.append(number)
    return _pair(np.stack(tiles)[:, None] / np.max(tiles), np.array(classes))


def table(name: str) -> Pair:
    """A table of scikit-learn, each column with mean 0 and deviation 1."""
    from sklearn import datasets

    made = getattr(datasets, f"load_{name}")()
    inputs = (made.data - made.data.mean(0)) / made.data.std(0)
    return _pair(inputs, made.target)


def text() -> Pair:
    """Eight characters of Python's own help, one of 32 each, and the next one."""
    letters = "".join(pydoc_data.topics.topics.values()).lower()
    common = [letter for letter, _ in Counter(letters).most_common(31)]
    codes = np.array([common.index(letter) if letter in common else 31 for letter in letters])
    starts = np.random.default_rng(0).integers(0, len(codes) - CONTEXT - 1, SAMPLES)
    inputs = np.eye(32)[codes[starts[:, None] + np.arange(CONTEXT)]].reshape(SAMPLES, -1)
    return _pair(inputs, codes[starts + CONTEXT])


def _pair(inputs: np.ndarray, classes: np.ndarray) -> Pair:
    return (
        torch.tensor(np.asarray(inputs), dtype=torch.float32),
        torch.tensor(np.asarray(classes), dtype=torch.int64),
    )


def _digits() -> Pair:
    inputs, classes = builtin("mlp", "digits", depth=1, width=4).train
    return inputs[:SAMPLES], classes[:SAMPLES]


def sources(given: argparse.Namespace) -> dict[str, Callable[[], Pair]]:
    """What there is, by name."""
    known: dict[str, Callable[[], Pair]] = {
        "breast_cancer": lambda: table("breast_cancer"),
        "wine": lambda: table("wine"),
        "text": text,
    }
    if (given.fashion / "train-images-idx3-ubyte.gz").is_file():
        known["fashion"] = lambda: fashion(given.fashion)
    if given.photographs and (given.photographs / "camera.png").is_file():
        known["photographs"] = lambda: photographs(given.photographs)
    return {"digits": _digits} if given.data == "digits" else known


def network(made: Draw, pair: Pair) -> nn.Module:
    """The net of a run, initialized as PyTorch does."""
    inputs, classes = pair[0], int(pair[1].max()) + 1
    act = nn.Tanh if made.net.endswith("tanh") else nn.ReLU
    layers: list[nn.Module] = []
    if made.net.startswith("mlp"):
        layers, size = [nn.Flatten()], inputs[0].numel()
        for _ in range(made.depth):
            norm = [nn.BatchNorm1d(made.width)] if made.net.endswith("bn") else []
            layers += [nn.Linear(size, made.width), *norm, act()]
            size = made.width
        return nn.Sequential(*layers, nn.Linear(size, classes))
    channels = inputs.shape[1]
    for number in range(made.depth):
        norm = [nn.BatchNorm2d(made.width)] if made.net.endswith("bn") else []
        layers += [nn.Conv2d(channels, made.width, 3, padding=1), *norm, act()]
        layers += [nn.MaxPool2d(2)] if number < 2 else []
        channels = made.width
    size = nn.Sequential(*layers).eval()(inputs[:2]).flatten(1).shape[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(size, 32), act(), nn.Linear(32, classes))


def problem(made: Draw, pair: Pair) -> Problem:
    """With the weights that the run's number draws."""
    torch.manual_seed(made.number)
    inputs, classes = pair
    wrong = torch.rand(len(classes)) < made.noise
    drawn = torch.randint(int(classes.max()) + 1, classes.shape)
    return Problem(network(made, pair), (inputs, torch.where(wrong, drawn, classes)))


def runs(folder: Path, given: argparse.Namespace) -> Iterator[tuple[Path, Draw, Problem]]:
    """What was trained, with its problem made again."""
    known = sources(given)
    pairs: dict[str, Pair] = {}
    for file in sorted(folder.glob("*/draw.json")):
        made = Draw(**json.loads(file.read_text()))
        if made.data not in pairs:
            pairs[made.data] = known[made.data]()
        yield file.parent, made, problem(made, pairs[made.data])


def train(given: argparse.Namespace) -> None:
    """Train those that aren't there yet."""
    known = sources(given)
    print("data:", ", ".join(sorted(known)), flush=True)
    pairs: dict[str, Pair] = {}
    for number in range(given.first, given.first + given.runs):
        made = draw(number, sorted(known))
        place = given.folder / f"{number:05d}"
        if (place / "draw.json").is_file():
            continue
        if made.data not in pairs:
            pairs[made.data] = known[made.data]()
        subject = problem(made, pairs[made.data])
        settings = sgd.Settings(
            lr=made.lr,
            momentum=made.momentum,
            # BatchNorm can't take a last batch of one.
            batch_size=made.batch_size + (len(subject.train[0]) % made.batch_size == 1),
            epochs=made.epochs,
            seed=made.number,
        )
        options = sgd.Options(flight=0, sketch=0)
        with sgd.Recorder(place, subject, settings, options=options, overwrite=True) as recorder:
            for step in sgd.steps(subject, settings):
                recorder.record(step)
        (place / "draw.json").write_text(json.dumps(asdict(made)))
        print(made, flush=True)


def judge(given: argparse.Namespace) -> None:
    """Ask the diagnosis about each labelled run, and count."""
    from landscape.diagnose import diagnose

    labels = {row["run"]: row for row in lines(given.folder / "labels.csv")}
    if not labels:
        raise SystemExit(f"label the runs first: python examples/blind_labels.py {given.folder}")
    rows = []
    for place, made, subject in runs(given.folder, given):
        if place.name not in labels:
            continue
        verdict = diagnose(read(place), subject, only=("units",), intervene=False)
        label = labels[place.name]
        found = {
            "run": place.name,
            "label": label["label"],
            "label_landing": label["landing"],
            "verdict": verdict.verdict,
            "landing": verdict.landing or "",
            "also": " ".join(verdict.also),
            "how": how(label["label"], verdict.verdict),
        }
        rows.append({**found, **asdict(made)})
        if found["how"] in ("wrong", "undetermined"):
            print(found, flush=True)
    with (given.folder / "judged.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(told(rows))


def how(label: str, name: str) -> str:
    """Whether a name is right, defensible, undetermined or wrong; or the label is ambiguous."""
    if label == "ambiguous":
        return "ambiguous"
    if name == "undetermined":
        return "undetermined"
    if name == label:
        return "right"
    return "defensible" if frozenset((label, name)) in DEFENSIBLE else "wrong"


def told(rows: list[dict[str, object]]) -> str:
    """The table: by label how many were called what, then the shares with their intervals."""
    from landscape.diagnose.binomial import interval

    counts = Counter((str(row["label"]), str(row["verdict"])) for row in rows)
    text = ["| label | called |", "| --- | --- |"]
    for label in sorted({label for label, _ in counts}):
        called = sorted(
            ((n, name) for (of, name), n in counts.items() if of == label), reverse=True
        )
        text.append(f"| {label} | {', '.join(f'{name} {n}' for n, name in called)} |")
    judged = [row for row in rows if row["how"] != "ambiguous"]
    for kind in ("right", "defensible", "undetermined", "wrong"):
        count = sum(row["how"] == kind for row in judged)
        low, high = interval(count, len(judged))
        text.append(f"{kind}: {count} of {len(judged)}, {low:.1%} to {high:.1%}")
    escapes = [row for row in judged if row["label"] == row["verdict"] == "escaped"]
    right = sum(row["landing"] == row["label_landing"] for row in escapes)
    text.append(f"landings of escapes right: {right} of {len(escapes)}")
    return "\n".join(text)


def lines(file: Path) -> list[dict[str, str]]:
    """A CSV file's rows; none without the file."""
    if not file.is_file():
        return []
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def arguments(description: str, *, tasks: bool) -> argparse.Namespace:
    """Of this script, and of the labelling one."""
    parser = argparse.ArgumentParser(description=description)
    if tasks:
        parser.add_argument("task", choices=("train", "judge"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (default: 0)")
    parser.add_argument("--data", help="digits: what the rules were tried on (default: all others)")
    parser.add_argument("--fashion", type=Path, default=FASHION)
    parser.add_argument("--photographs", type=Path, default=_photographs())
    return parser.parse_args()


def _photographs() -> Path | None:
    from importlib.util import find_spec

    found = find_spec("skimage")
    return None if found is None or found.origin is None else Path(found.origin).parent / "data"


if __name__ == "__main__":
    options = arguments("Natural runs to judge the verdict by.", tasks=True)
    torch.set_num_threads(1)
    {"train": train, "judge": judge}[options.task](options)
