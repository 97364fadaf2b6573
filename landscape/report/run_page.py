"""A run's page: the answer on top, then what it rests on, picture by picture."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from landscape.diagnose.items import label
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trainings.after_escape import OTHER
from landscape.diagnose.verdict.questions import PARTS, TITLES
from landscape.diagnose.verdict.verdict import Answer, Verdict, decided
from landscape.diagnose.verdict.wording import Statement, headline, still
from landscape.draw.interactive.explorer_data import Entry
from landscape.draw.kinds import KINDS
from landscape.draw.making import Work, caption, open_work
from landscape.errors import LandscapeError
from landscape.quantities import number
from landscape.report.document import Chapter, document, missing, quoted
from landscape.report.markup import Content, Markup, joined, listed, table, tag
from landscape.report.pictures import picture
from landscape.report.run_material import RunMaterial, gather, in_order, left_out, with_threads
from landscape.report.run_material import missing as missing_parts
from landscape.report.turning import turned
from landscape.store import diagnosed, provenance
from landscape.store.measured.whole import spelled
from landscape.store.scans import sentences
from landscape.store.scans.records import Scan, clearly_below
from landscape.store.scans.valleys import Valley
from landscape.store.verdicts import CONFIDENCE, RESTS, typed

LOGGED_AND_BEST = (
    "Logged losses are those that training itself measured, at some of its steps: a diagnosis "
    "reads them alone. Scans measure those of recorded weights between them too; the best of all "
    "is what figures mark as best."
)


VALLEY = (
    "It shows where the loss was steep and sharp, step by step; why a run left is for trainings to "
    "test. Lines and dots in the upper panel are the scan's, none is a logged loss."
)
PLANE = (
    "It shows where the run went, past its best (star) to its end (square). Dots beneath are the "
    "scan's, none is a logged loss."
)
"""What each of the two pictures answers, and whose losses it marks."""


@dataclass(frozen=True)
class RunSection:
    """A chapter of a run's page."""

    title: str
    about: str
    """What it shows and how to read it, in a sentence or two."""
    content: Callable[[RunMaterial], Iterator[Markup]]


def page(folder: Path, refused: Mapping[str, str] | None = None) -> str:
    """Return a run's page as HTML, of what there is in its folder; nothing is measured.

    About 4 MB. What is missing is named, with the command that measures it, or with the reason
    why it was ``refused``, by the key of a `MissingPart`.

    Raises:
        LandscapeError: it is no run, or what it holds is damaged.

    >>> import landscape as ls
    >>> problem = ls.Problem.builtin("mlp", "moons", width=4)
    >>> run = ls.train(problem, lr=0.3, steps=40, to="runs/moons")
    >>> page(run.folder)[:15]
    '<!doctype html>'
    """
    found = gather(folder, refused)
    chapters = [
        Chapter(key, row.title, joined([tag("p", row.about, class_="about"), *content]))
        for key, row in SECTIONS.items()
        if (content := list(row.content(found)))
    ]
    return document(f"{found.name}: {_title(found)}", _top(found), chapters)


def _title(found: RunMaterial) -> str:
    return "not diagnosed" if found.verdict is None else found.verdict.verdict


def _top(found: RunMaterial) -> Iterator[Markup]:
    settings = _trained(found)
    about = joined(["Run ", tag("b", found.name), f" · {settings}" if settings else None], "")
    yield tag("p", about, class_="eyebrow")
    if found.verdict is None:
        yield tag("h1", "What happened here was not diagnosed yet.")
        yield _lacking(found, "verdict", "Find out:")
    else:
        yield from answered(found.verdict)
        yield _facts(found, found.verdict)
        if found.best is not None:
            yield tag("p", LOGGED_AND_BEST, *_but_for_the_plane(found), class_="about")
    if gaps := missing_parts(found):
        what = ", ".join(part.what for part in gaps)
        yield missing(
            f"This page lacks what was not measured: {what}. Bring all of it; how "
            "long that takes is said first:",
            found.run.command("report"),
        )
    if (parts := left_out(found)) is not None:
        yield missing(f"Not in this diagnosis: {parts.what}. Bring them:", parts.command)


def _but_for_the_plane(found: RunMaterial) -> Iterator[str]:
    """That a plane whose BatchNorm statistics are its own has a best of its own, where it shows."""
    scan = None if found.plane is None else found.plane.subject
    if not isinstance(scan, Scan) or found.best is None or not sentences.own_best(scan):
        return
    [step] = [point.step for point in scan.points if point.name == "best"]
    if step != found.best.step:
        yield (
            f" Only the plane marks step {step:,}: its BatchNorm statistics are estimated anew, "
            "which gives other losses."
        )


def _trained(found: RunMaterial) -> str:
    """By which settings, or by which optimizers of a loop of somebody's own."""
    if own := found.run.record.get("optimizer"):
        return sentences.watched(own)
    return sentences.training(found.history.settings)


def answered(verdict: Verdict) -> Iterator[Markup]:
    """Yield what happened, why, and what both rest on."""
    what, *why = headline(verdict)
    yield tag("h1", what.text)
    for confidence, alike in groupby((what, *why), key=lambda one: one.confidence):
        stated = list(alike)
        yield from (
            tag("p", one.text, *_remedy(one), class_="why") for one in stated if one is not what
        )
        whose = "that"
        if stated[0] is what:
            whose = "the outcome" if len(stated) == 1 else "all this"
        yield _rests(confidence, f"Confidence of {whose}")


def _rests(confidence: str, word: str) -> Markup:
    parts = [f"{word}: ", tag("b", confidence), f", {CONFIDENCE[confidence]}."]
    return tag("p", *parts, class_="rests")


def _facts(found: RunMaterial, verdict: Verdict) -> Markup:
    values: dict[str, Content] = {"outcome": verdict.verdict}
    if verdict.landing:
        values["landed on"] = verdict.landing
    values["motion"] = verdict.motion
    if verdict.also:
        values["also"] = ", ".join(verdict.also)
    for name, more in (("best_loss", ""), ("end_loss", still(verdict))):
        item = verdict.evidence.get(name)
        if item is not None and isinstance(item.value, int | float):
            values[label(name)] = ", ".join(filter(None, (number(item.value), more)))
    if (best := found.best) is not None:
        by = f"; scan {best.scan}" if best.scan else ""
        values["best of all recorded"] = f"{number(best.train_loss)} (step {best.step:,}{by})"
    values["steps"] = f"{int(found.history.step[-1]):,}"
    if verdict.caveats:
        values["caveats"] = tag("a", str(len(verdict.caveats)), href="#caveats")
    pairs = [tag("div", tag("dt", name), tag("dd", value)) for name, value in values.items()]
    return tag("dl", *pairs, class_="facts")


# The chapters.


def _found(found: RunMaterial) -> Iterator[Markup]:
    verdict = found.verdict
    if verdict is None:
        yield _lacking(found, "verdict", "Not diagnosed yet.")
        return
    yield listed(verdict.mistakes)
    for question, title in TITLES.items():
        yield tag("h3", title)
        said = [one for one in verdict.answers if one.question[0] == question]
        rests = [tag("span", RESTS[one.confidence]) for one in said]
        pairs = [
            tag(
                "div",
                tag("dt", one.about, title=PARTS[one.question].asks),
                tag("dd", one.text, *_remedy(one), " ", word),
            )
            for one, word in zip(said, rests, strict=True)
        ]
        yield tag("dl", *pairs, class_="answers")
    words = "; ".join(f"{word}: {CONFIDENCE[name]}" for name, word in RESTS.items())
    yield tag("p", f"{words}.", class_="about")
    yield from _evidence(verdict)


def _evidence(verdict: Verdict) -> Iterator[Markup]:
    """What decided, then the rest, folded away."""
    names = [name for name in verdict.evidence if not name.endswith("_because")]
    first = [name for name in decided(verdict) if name in names]
    parts: list[Markup] = []
    for title, chosen in (
        ("What decided outcome and motion", first),
        ("Told beside them", [name for name in names if name not in first]),
    ):
        items = [(name, verdict.evidence[name]) for name in chosen]
        rows: list[Sequence[Content]] = [
            (label(name), _value(item.value), _value(item.threshold, "–"), item.text)
            for name, item in items
        ]
        if rows:
            head = ("evidence", "value", "line", "what it is")
            shown = table(head, rows, label=title, numbers=(1, 2))
            folded = chosen is not first and first
            parts += (
                [tag("details", tag("summary", f"{title} ({len(rows)})"), shown)]
                if folded
                else [tag("h4", title), shown]
            )
    if parts:
        count = f"{len(names)} number{'' if len(names) == 1 else 's'}"
        summary = f"The evidence: {count}, first what decided ({len(first)})"
        yield tag("details", tag("summary", summary), *parts)


def _remedy(answer: Answer | Statement) -> Iterator[Content]:
    """The options that would answer more, as they are typed behind the command."""
    if options := typed(answer.remedy):
        yield from (" ", tag("code", options))


def _value(value: object, absent: str = "unknown") -> str:
    if value is None:
        return absent
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)


def _losses(found: RunMaterial) -> Iterator[Markup]:
    if happened := sentences.happened(found.history.events):
        yield tag("p", happened)
    yield from (tag("p", higher) for higher in _higher_between(found))
    yield from _figures(found, "loss")


def _higher_between(found: RunMaterial) -> Iterator[str]:
    """That the valley has a loss of the run's clearly above all logged ones, if so."""
    valley = None if found.valley is None else found.valley.subject
    step, logged = found.history.evaluated("train_loss")
    if not isinstance(valley, Valley) or not len(logged):
        return
    walked = valley.walked()
    between = np.isfinite(walked.loss) & ~np.isin(walked.step, step)
    if not between.any():
        return
    top = int(np.argmax(np.where(between, walked.loss, -np.inf)))
    if clearly_below(float(logged.max()), float(walked.loss[top])):
        yield (
            "Between logged steps it may be higher: the valley below measures "
            f"{number(float(walked.loss[top]))} at step {walked.step[top]:,}."
        )


def _landscape(found: RunMaterial) -> Iterator[Markup]:
    yield tag("h3", "Slices across the path, step by step")
    if found.valley is None:
        yield _lacking(found, "valley", "No valley was scanned.")
    else:
        yield _scan_named(found, found.valley, VALLEY)
        yield picture("valley", [found.valley])
    yield tag("h3", "A plane that holds the path")
    if found.plane is None:
        yield _lacking(found, "plane", "No plane that shows the path was scanned.")
    else:
        yield from _plane(found)
    yield from (missing(f"A scan can't be read: {why}.") for why in found.damaged)


def _plane(found: RunMaterial) -> Iterator[Markup]:
    assert found.plane is not None
    assert isinstance(found.plane.subject, Scan)
    scan = found.plane.subject
    yield _scan_named(found, found.plane, PLANE)
    entry = Entry(found.name, found.plane.path.stem, scan)
    said = caption(scan).partition("\n\n")[0]
    yield turned([entry], f"The plane to turn, in three dimensions. {said}")
    yield picture("contour", [found.plane], folded="The plane from above, as it is printed")


def _scan_named(found: RunMaterial, shown: Work, lead: str) -> Markup:
    """Which of the run's scans the pictures beneath are of, and what these answer."""
    on_page = [name for name, _ in _scans(found)]
    others = [name for name in found.scans if name not in on_page]
    more = f"; not on this page: {', '.join(others)}" if others else ""
    return tag("p", f"{lead} Scan ", tag("code", shown.path.stem), f"{more}.", class_="about")


def _figures(found: RunMaterial, *kinds: str) -> Iterator[Markup]:
    """Yield these figures; of one that nobody measured, what brings it."""
    applied = False
    for kind in kinds:
        lacking = [part for part in KINDS[kind].parts if part not in found.parts]
        if not lacking:
            yield _figure(found, kind)
        elif set(lacking) & set(found.left_out):
            yield _lacking(found, "verdict", f"Not measured: {KINDS[kind].about}.")
        applied |= not lacking or bool(set(lacking) & set(found.left_out))
    if not applied:
        yield missing("Nothing of this applies to this run, or it could not be measured.")


def _distances(found: RunMaterial) -> Iterator[Markup]:
    """Yield the figures, and what compares with a twin where none was given."""
    yield from _figures(found, "distances", "msd")
    copies = diagnosed.of(found.run, (), also=("permutations",)).measured.permutations
    if "distances" in found.parts and copies is not None and copies.twin is None:
        yield missing(
            "Not compared with a twin, trained apart with another seed. This does:",
            found.run.command("diagnose", "--twin OTHER"),
        )


def _figure(found: RunMaterial, kind: str) -> Markup:
    try:
        return picture(kind, [open_work(found.run.folder, kind)])
    except LandscapeError as error:
        return missing(f"Not drawn: {error}.")


def _caveats(found: RunMaterial) -> Iterator[Markup]:
    verdict = found.verdict
    if verdict is None:
        yield _lacking(found, "verdict", "Not diagnosed yet.")
    elif verdict.caveats:
        yield listed(quoted(caveat) for caveat in verdict.caveats)


def _made(found: RunMaterial) -> Iterator[Markup]:
    yield tag("pre", tag("code", "\n".join(commands(found))))
    record = found.run.record
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    facts: list[Sequence[Content]] = [
        ("run", f"{found.run.id}, {record['created']}"),
        *([("optimizers", sentences.watched(own))] if (own := record.get("optimizer")) else []),
        ("trained by", versions),
        ("threads", str(record.get("threads", "unknown"))),
        ("device", str(record.get("device", "unknown"))),
        ("scans on", ", ".join(_devices(found)) or "none yet"),
        ("seeds", "; ".join(_seeds(found))),
        ("data", f"fingerprint {record['problem'].get('data') or 'unknown'}"),
        (
            "page by",
            ", ".join(f"{name} {version}" for name, version in provenance.versions().items()),
        ),
    ]
    if moved := _moved_lines(found.verdict):
        facts.append(("lines drawn elsewhere", moved))
    yield table(("what", "value"), facts, label="Versions and seeds")
    yield tag(
        "p",
        "Trainings repeat to the bit on one machine with one number of threads; with other "
        "versions, processors or threads they may take another course.",
        class_="about",
    )


def commands(found: RunMaterial) -> list[str]:
    """Return the commands that reproduce what the page shows, as they were typed."""
    record = found.run.record
    typed = in_order(
        with_threads(str(record["command"]), record),
        (str(scan.provenance.get("command", "")) for _, scan in _scans(found)),
        () if found.verdict is None else found.diagnosed_by or [_diagnosis(found)],
    )
    last = f"landscape report {shlex.quote(str(found.run.folder))} --only-what-is-there"
    return [*(one for one in typed if one != last), last]


def _diagnosis(found: RunMaterial) -> str:
    """What a diagnosis that doesn't say by which command it was made would be asked for by."""
    skipped = {"interventions"} & set(found.left_out)
    options = ["--no-intervene"] if skipped else []
    if set(found.left_out) - skipped:
        options.insert(0, f"--only {','.join(map(spelled, found.parts))}")
    return found.run.command("diagnose", " ".join(options))


def _seeds(found: RunMaterial) -> Iterator[str]:
    seed = found.history.settings.get("seed")
    if seed is not None:
        yield f"training {seed} (initialization and batch order)"
        yield f"other batch orders {seed + OTHER + 1} and on"
    for name, scan in _scans(found):
        yield f"{name} {scan.seed if isinstance(scan, Valley) else scan.plane.seed}"


def _scans(found: RunMaterial) -> Iterator[tuple[str, Scan | Valley]]:
    """The scans that the page shows, with their names."""
    for work in (found.valley, found.plane):
        if work is not None and isinstance(work.subject, Scan | Valley):
            yield work.path.stem, work.subject


def _devices(found: RunMaterial) -> list[str]:
    """What the page's scans were measured on, each once."""
    there = [sentences.device_of(scan.provenance, scan.strategy) for _, scan in _scans(found)]
    return list(dict.fromkeys(filter(None, there)))


def _moved_lines(verdict: Verdict | None) -> str:
    """Thresholds that aren't the defaults."""
    if verdict is None or verdict.rests_on is None:
        return ""
    mine, plain = asdict(verdict.rests_on.thresholds), asdict(Thresholds())
    return ", ".join(f"{name}={mine[name]:g}" for name in mine if mine[name] != plain[name])


def _lacking(found: RunMaterial, key: str, what: str) -> Markup:
    """What stands where something is missing: a command, or why there is none."""
    parts = left_out(found)
    for part in (*missing_parts(found), *(() if parts is None else (parts,))):
        if part.key == key:
            return missing(what, part.command)
    why = found.refused.get(key, "the weights didn't move, there is no path to show")
    return missing(f"{what} It can't be: {why}.")


SECTIONS: dict[str, RunSection] = {
    "found": RunSection(
        "The two questions, part by part",
        "Every sentence rests on numbers held against a line.",
        _found,
    ),
    "losses": RunSection(
        "The training in time",
        "Losses over all data as training logged them, dots where these are sparse; in grey the "
        "range of the batches' losses. Coloured stretches are what happened.",
        _losses,
    ),
    "landscape": RunSection(
        "The landscape it went through",
        "Both are slices through a space of many more dimensions: what isn't in them is not seen.",
        _landscape,
    ),
    "trainings": RunSection(
        "What trainings from its snapshots did",
        "Each begins at weights that the run recorded and changes one thing.",
        lambda found: _figures(found, "trainings", "barriers"),
    ),
    "distances": RunSection(
        "How far it went",
        "Distances between its own weights, against permuted copies of the same function and "
        "against a twin trained apart.",
        _distances,
    ),
    "curvature": RunSection(
        "Curvature and units",
        "Sharpness against what the learning rate is stable up to, and units that have died.",
        lambda found: _figures(found, "sharpness", "units"),
    ),
    "caveats": RunSection("Mind that", "What may mislead about this run.", _caveats),
    "made": RunSection("How this was made", "Commands that make it again.", _made),
}
"""By place on the page, from top to bottom."""
