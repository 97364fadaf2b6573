"""Whether code that a run's record names is run: what this user ran for that run before is.

A folder may come from anybody. Its record may name any file and any module, with the hash that the
file has, so that only what this user's own registry says counts: see
`landscape.store.vetting.registry`.
"""

from __future__ import annotations

import warnings

from landscape.errors import LandscapeError
from landscape.problem.load import code_file
from landscape.problem.problem import Problem
from landscape.problem.rebuild import GIVE, OVERRIDE, NamedCode, from_record
from landscape.sgd import recorded_loss
from landscape.store.run import Run
from landscape.store.vetting import registry


def problem_of(
    run: Run,
    *,
    problem: Problem | None = None,
    accept_changes: bool = False,
    trust: bool = False,
) -> Problem:
    """The problem that a run was trained with, made again.

    Built-in problems always are. Code of a file or a module is only run where this user ran it for
    this run before: the run's id, everything that run.json says of the problem, where the code
    lies, and (unless ``accept_changes``) what it was are compared. A run's folder may be moved
    and copied, then; its code may not.

    Args:
        run: whose.
        problem: given instead, where one has it: nothing that the record names is run.
        accept_changes: whether code and data may have changed since.
        trust: run the code that the record names, and remember that.

    Raises:
        LandscapeError: this user hasn't run that code for this run, or the loss isn't what was
            recorded; or as for `from_record`.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=4))
    >>> problem_of(begin("runs/moons", setup).finish())
    Problem(Sequential, 42 parameters, 1,000 training samples, 500 validation samples, ...)
    """

    def allow(code: NamedCode) -> None:
        if trust:
            _remember(run, code.place, code.sha256)
        else:
            check(run, code, accept_changes=accept_changes)

    made = from_record(
        run.record["problem"],
        run.folder,
        problem=problem,
        accept_changes=accept_changes,
        allow=allow,
    )
    if not accept_changes:
        recorded_loss.check(run, made)
    return made


def check(run: Run, code: NamedCode, *, accept_changes: bool = False) -> None:
    """Refuse code that this user hasn't run for this run.

    Raises:
        LandscapeError: it says what would be run.
    """
    known = registry.code_hash(run.id, run.record["problem"], code.place)
    if known is None:
        raise LandscapeError(
            "code that a record names is only run for runs that you recorded here, and "
            f"{run.folder} isn't known as one with this problem: it would import {_shown(code)}; "
            f"{GIVE} or, if you trust this code, add --trust once{_changed(run, code)}"
        )
    if known != code.sha256 and not accept_changes:
        remedy = (
            f"put it back or, if you trust this code, add {OVERRIDE}"
            if _changed(run, code)
            else f"{GIVE} or, if you trust this code, add --trust once"
        )
        raise LandscapeError(
            f"the code of run {run.folder} must be what you ran for it before, got another "
            f"{_shown(code)}; {remedy}"
        )


def _changed(run: Run, code: NamedCode) -> str:
    """What it takes beside trust where the code isn't what the run was trained with."""
    is_same = code.sha256 == run.record["problem"]["sha256"]
    return "" if is_same else f" with {OVERRIDE}"


def remember(run: Run) -> None:
    """Let this user's later commands run the code of a run that is recorded just now.

    Where it can't be remembered a warning says so.
    """
    record = run.record["problem"]
    if record["kind"] == "file":
        _remember(run, record["path"], record["sha256"])
    elif record["kind"] == "module":
        place = code_file(record["function"])
        _remember(run, str(place) if place is not None else "", record["sha256"])


def _remember(run: Run, place: str, sha256: str) -> None:
    try:
        registry.add_code(run.id, run.record["problem"], place, sha256)
    except LandscapeError as error:
        warnings.warn(
            f"{error}: that the code of {run.folder} is yours can't be remembered, so that later "
            "commands ask for --problem or --trust",
            stacklevel=3,
        )


def _shown(code: NamedCode) -> str:
    place = code.place or "a module of the interpreter"
    hashed = f", sha256 {code.sha256[:12]}" if code.sha256 else ""
    return f"{code.spec} ({place}{hashed})"
