"""What a paper must say about a run; of a scan see `landscape.store.scans.sentences.caption`."""

from __future__ import annotations

from landscape.quantities import number
from landscape.store.history import History
from landscape.store.scans.sentences import (
    constant_output,
    course,
    happened,
    made_by,
    trained_as,
)


def caption_of_run(history: History) -> str:
    """Return a training's caption, and in a paragraph of its own all there is to know."""
    accuracies = history.known(("train_accuracy", "validation_accuracy"))
    what = "Losses and accuracies" if accuracies else "Losses"
    return f"{what} of run {history.name} by training step.\n\n{_details(history)}"


def seen(history: History) -> str:
    """What its figure shows, for whoever doesn't see it: how the loss went, and what happened."""
    what = caption_of_run(history).partition("\n\n")[0]
    return " ".join(filter(None, (what, _course(history), happened(history.events))))


def _course(history: History) -> str:
    """A sentence on its first, its lowest and its last training loss; empty without any."""
    said = course(history.step, history.measures["train_loss"], "lowest logged")
    return f"Training loss: {said}." if said else ""


def _details(history: History) -> str:
    identity = f" ({history.run_id})" if history.run_id else ""
    said = [f"Losses of run {history.name}{identity} over the full data, {_logged(history)}."]
    said += [_trained(history)]
    said.append(_course(history))
    if (best := history.best) is not None and best.scan:
        said.append(
            f"The best of all recorded weights, {number(best.train_loss)} at step {best.step:,}, "
            f"isn't among them: scan {best.scan} measured it."
        )
    said += [constant_output(history.constant_loss), happened(history.events)]
    return " ".join(text for text in (*said, *made_by(history.provenance)) if text)


def _logged(history: History) -> str:
    """At how many of the recorded steps training measured each loss."""
    every, last = len(history.step), f"0 to {history.step[-1]:,}"
    counts = {
        name.split("_", maxsplit=1)[0]: len(history.evaluated(name)[0])
        for name in history.known(("train_loss", "validation_loss"))
    }
    if set(counts.values()) == {every}:
        return f"logged at each of {every:,} recorded steps, {last}"
    of = f"of {every:,} recorded steps, {last}"
    if len(set(counts.values())) == 1:
        return f"logged at {next(iter(counts.values())):,} {of}"
    each = " and ".join(
        f"that of {'training' if name == 'train' else name} at {count:,}"
        for name, count in counts.items()
    )
    return f"logged {each} {of}" if each else f"logged at none {of}"


def made_from(history: History) -> str:
    """Return what any figure of a run says at the end: how it was trained, and with what."""
    return " ".join(text for text in (_trained(history), *made_by(history.provenance)) if text)


def _trained(history: History) -> str:
    how = {"settings": history.settings, "optimizer": history.optimizer}
    return trained_as({"problem": history.problem, **how})
