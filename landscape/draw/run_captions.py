"""What a paper must say about a run; of a scan see `landscape.store.scans.sentences.caption`."""

from __future__ import annotations

import numpy as np

from landscape.quantities import number
from landscape.store.history import History
from landscape.store.scans.sentences import constant_output, happened, made_by, training


def caption_of_run(history: History) -> str:
    """Return a training's caption, and in a paragraph of its own all there is to know."""
    accuracies = history.known(("train_accuracy", "validation_accuracy"))
    what = "Losses and accuracies" if accuracies else "Losses"
    return f"{what} of run {history.name} by training step.\n\n{_details(history)}"


def _details(history: History) -> str:
    identity = f" ({history.run_id})" if history.run_id else ""
    steps = f"{len(history.step):,} recorded steps, 0 to {history.step[-1]:,}"
    said = [f"Losses of run {history.name}{identity} over the full data at {steps}."]
    said += [_trained(history)]
    known = np.flatnonzero(np.isfinite(history.measures["train_loss"]))
    if len(known):
        losses = history.measures["train_loss"]
        lowest = known[np.argmin(losses[known])]
        said.append(
            f"Training loss: {number(losses[known[0]])} at step "
            f"{history.step[known[0]]:,}, lowest logged {number(losses[lowest])} at step "
            f"{history.step[lowest]:,}, {number(losses[known[-1]])} at step "
            f"{history.step[known[-1]]:,}."
        )
    said += [constant_output(history.constant_loss), happened(history.events)]
    return " ".join(text for text in (*said, *made_by(history.provenance)) if text)


def made_from(history: History) -> str:
    """Return what any figure of a run says at the end: how it was trained, and with what."""
    return " ".join(text for text in (_trained(history), *made_by(history.provenance)) if text)


def _trained(history: History) -> str:
    settings = training(history.settings)
    return f"Training: {settings}." if settings else ""
