"""A sweep's page: what became of its runs by learning rate and seed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from landscape.diagnose.outcome_names import OUTCOMES
from landscape.diagnose.session.kept import VERDICT
from landscape.draw.making import Work
from landscape.errors import LandscapeError
from landscape.quantities import number, percent
from landscape.report.document import Chapter, document, missing
from landscape.report.markup import Content, Markup, joined, listed, table, tag
from landscape.report.pictures import picture
from landscape.report.run_material import diagnosed_by
from landscape.report.small_pictures import SmallAxes, axes_of, small
from landscape.store import analysis, history, provenance, sweep_folder, sweep_outcomes
from landscape.store.history import History
from landscape.store.scans import sentences
from landscape.store.sweep_folder import Sweep
from landscape.store.sweep_outcomes import Outcomes, OutcomeShare, SweptGroup, SweptRun

UNKNOWN = "#8a8a8a"
"""A run's line that has no outcome."""


@dataclass(frozen=True)
class SweptMember:
    """A run of the sweep: where it stands in the table, and what is known of it."""

    name: str
    values: Mapping[str, Any]
    history: History | None
    outcome: SweptRun | None
    problem: str
    """What went wrong, or is missing; empty where nothing is."""

    @property
    def shared(self) -> dict[str, Any]:
        """The settings that it shares with the runs that differ in their seed alone."""
        return {name: value for name, value in self.values.items() if name != "seed"}


def undiagnosed(folder: Path) -> list[str]:
    """The names of a sweep's ended runs that have no verdict, all where they aren't counted."""
    sweep = sweep_folder.read(folder)
    runs = [run for run in sweep.opened()[0] if run.is_done]
    if not (folder / sweep_outcomes.NAME).is_file():
        return [run.folder.name for run in runs]
    return [run.folder.name for run in runs if not (run.folder / VERDICT).is_file()]


def page(folder: Path) -> str:
    """Return a sweep's page as HTML, of what there is in its folder; nothing is measured.

    Raises:
        LandscapeError: it is no sweep, none of its runs has begun, or its outcomes are damaged.

    >>> from landscape.sgd import TrainingSetup, sweep
    >>> setup = TrainingSetup(problem_settings={"model": "mlp", "data": "moons", "width": 4})
    >>> found = sweep("runs/rates", setup, {"lr": [0.1, 0.3], "steps": [5]})
    >>> "lr0.3-steps5" in page(Path("runs/rates"))
    True
    """
    sweep = sweep_folder.read(folder)
    found = sweep_outcomes.of(folder) if (folder / sweep_outcomes.NAME).is_file() else None
    members = _members(sweep, found)
    if all(member.history is None for member in members):
        raise LandscapeError(f"a sweep's page needs runs that have begun, {folder} has none")
    name = folder.resolve().name
    chapters = [
        Chapter("runs", "Every run", joined(_grid(members))),
        Chapter("rates", "What changes with the rate", joined(_rates(folder, found))),
        Chapter("made", "How this was made", joined(_made(sweep))),
    ]
    return document(f"{name}: a sweep", _top(sweep, found, members), chapters)


def _members(sweep: Sweep, found: Outcomes | None) -> list[SweptMember]:
    outcomes = {one.name: one for one in found.runs} if found is not None else {}
    opened, damaged = sweep.opened()
    runs = {run.folder.name: run for run in opened}
    members = []
    for entry in sweep.runs:
        name, seen = str(entry["name"]), None
        problem = entry["error"] or damaged.get(name, "")
        if name in runs and not problem:
            try:
                seen = history.of(runs[name])
            except LandscapeError as error:
                problem = str(error)
        elif not problem:
            problem = "not trained yet"
        if not problem and name not in outcomes:
            problem = "not diagnosed"
        members.append(SweptMember(name, entry["values"], seen, outcomes.get(name), problem))
    return members


def _top(sweep: Sweep, found: Outcomes | None, members: Sequence[SweptMember]) -> Iterator[Markup]:
    varied = ", ".join(map(_called, sweep.record["varied"]))
    name = tag("b", sweep.folder.resolve().name)
    yield tag(
        "p", "Sweep ", name, f" · {len(members)} runs that differ in {varied}", class_="eyebrow"
    )
    if found is None or not found.groups:
        yield tag("h1", "What became of these runs was not diagnosed yet.")
        yield missing("Find out:", f"landscape diagnose {shlex.quote(str(sweep.folder))}")
        return
    yield tag("h1", _counted(found))
    if by_rate := _by_rate(found.groups):
        yield tag("p", by_rate, class_="why")
    yield tag("p", _sure(found), class_="rests")


def _counted(found: Outcomes) -> str:
    counts = {name: sum(run.verdict == name for run in found.runs) for name in OUTCOMES}
    parts = [f"{count} {name}" for name, count in counts.items() if count]
    return f"Of {len(found.runs)} runs: {', '.join(parts)}."


def _by_rate(groups: Sequence[SweptGroup]) -> str:
    """What most runs do at which rates, ties too, where nothing but rate and seed differs."""
    rates = {group.learning_rate for group in groups}
    if len(groups) < 2 or len(rates) < len(groups) or None in rates:
        return ""
    parts = []
    for outcomes, same in groupby(groups, key=_most_often):
        these = [group.learning_rate for group in same]
        low, high = number(these[0]), number(these[-1])
        parts.append(f"{outcomes} at {low if low == high else f'{low} to {high}'}")
    return f"Most often, by learning rate: {'; '.join(parts)}."


def _most_often(group: SweptGroup) -> str:
    """The outcome of most of its runs; several that are as frequent, which says so."""
    most = max(share.count for share in group.outcomes.values())
    names = [name for name, share in group.outcomes.items() if share.count == most]
    if len(names) == 1:
        return names[0]
    *first, last = names
    return f"{', '.join(first)} and {last} equally often"


def _sure(found: Outcomes) -> str:
    group = max(found.groups, key=lambda one: one.count)
    name, share = next(iter(group.outcomes.items()))
    return (
        f"Confidence: {group.count} {'seed' if group.count == 1 else 'seeds'} a setting; "
        f"{share.count} of {group.count} {name} means a share of {percent(share.low)} to "
        f"{percent(share.high)} (95 % interval)."
    )


def _share(name: str, share: OutcomeShare) -> str:
    return f"{share.count} {name} ({percent(share.low)} to {percent(share.high)})"


def _grid(members: Sequence[SweptMember]) -> Iterator[Markup]:
    histories = [member.history for member in members if member.history is not None]
    axes = axes_of(histories)
    rows: dict[str, list[SweptMember]] = {}
    for member in members:
        rows.setdefault(json.dumps(member.shared, default=str), []).append(member)
    ordered = sorted(rows.values(), key=lambda row: _rate(row[0]))
    seeds = sorted({_seed(member) for member in members}, key=str)
    by_seed = len(seeds) > 1 and all(len({_seed(m) for m in row}) == len(row) for row in ordered)
    about = f"Each picture: {axes.words}; dashed, the best loss {sentences.IGNORING}."
    yield tag("p", about, class_="about")
    if by_seed:
        head: list[Content] = ["", *(f"seed {seed}" for seed in seeds)]
        lines = [
            [_setting(row[0]), *(_cell_of(row, seed, axes) for seed in seeds)] for row in ordered
        ]
    else:
        head = ["", "run"]
        lines = [[_setting(member), _cell(member, axes)] for row in ordered for member in row]
    yield table(head, lines, label="Runs by setting and seed")
    wrong = [f"{m.name}: {m.problem}" for m in members if m.problem]
    if wrong:
        yield tag("h3", "Left out")
        yield listed(wrong)


def _cell_of(row: Sequence[SweptMember], seed: object, axes: SmallAxes) -> Content:
    return next((_cell(member, axes) for member in row if _seed(member) == seed), None)


def _cell(member: SweptMember, axes: SmallAxes) -> Markup:
    outcome = member.outcome
    term = OUTCOMES.get(outcome.verdict) if outcome is not None else None
    colour = term.colour if term is not None else UNKNOWN
    ink = "currentColor" if term is not None and term.is_dark else colour
    shown = small(member.history, axes, ink) if member.history is not None else None
    words = outcome.verdict if outcome is not None else "no outcome"
    if outcome is not None and outcome.landing:
        words += f", on {outcome.landing}"
    chip = tag("span", tag("i", style=f"background:{colour}"), words, class_="chip quiet")
    return joined([shown, chip])


def _setting(member: SweptMember) -> str:
    return _settings(member.shared) or member.name


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{_called(name)} {_said(value)}" for name, value in values.items())


def _called(name: str) -> str:
    return "learning rate" if name == "lr" else name.replace("_", " ")


def _said(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _seed(member: SweptMember) -> object:
    return member.values.get("seed")


def _rate(member: SweptMember) -> tuple[float, str]:
    rate = member.values.get("lr")
    return float(rate) if isinstance(rate, int | float) else 0.0, _setting(member)


def _rates(folder: Path, found: Outcomes | None) -> Iterator[Markup]:
    if found is None or not found.groups:
        yield missing("Not diagnosed yet.", f"landscape diagnose {shlex.quote(str(folder))}")
        return
    try:
        yield picture("outcomes", [Work(folder, found)])
    except LandscapeError as error:
        yield missing(f"No figure of kind outcomes: {error}.")
    head = ["setting", "runs", "training loss, median", "validation loss, median", "outcomes"]
    rows = [
        [
            _settings(group.values),
            str(group.count),
            *(number(s.median) if s else "–" for s in (group.train_loss, group.validation_loss)),
            ", ".join(_share(name, share) for name, share in group.outcomes.items()),
        ]
        for group in found.groups
    ]
    yield table(head, rows, label="Outcomes by setting", numbers=(1, 2, 3))


def _diagnosed_by(sweep: Sweep) -> list[str]:
    """The commands that diagnosed its runs, each once, as they were typed.

    Of an older version's, which kept none, the one that counts outcomes; nothing undiagnosed.
    """
    if not (sweep.folder / sweep_outcomes.NAME).is_file():
        return []
    runs, _ = sweep.opened()
    found = [typed for run in runs for typed in diagnosed_by(run, analysis.names(run.folder))]
    return list(dict.fromkeys(found)) or [f"landscape diagnose {shlex.quote(str(sweep.folder))}"]


def _made(sweep: Sweep) -> Iterator[Markup]:
    folder = shlex.quote(str(sweep.folder))
    typed = [provenance.runnable(sweep.record["command"]), *_diagnosed_by(sweep)]
    typed.append(f"landscape report {folder} --only-what-is-there")
    yield tag("pre", tag("code", "\n".join(typed)))
    versions = sweep.record.get("versions", {})
    facts: list[Sequence[Content]] = [
        ("sweep", f"{sweep.record['id']}, {sweep.record['created']}"),
        ("trained by", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("threads of each run", str(sweep.record["threads"])),
    ]
    yield table(("what", "value"), facts, label="Versions")
    one = shlex.quote(str(sweep.folder / str(sweep.runs[0]["name"])))
    yield tag("p", "A run's own page: ", tag("code", f"landscape report {one}"))
