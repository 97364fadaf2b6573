from __future__ import annotations

import shutil

import pytest
from IPython.core.formatters import DisplayFormatter
from rich.console import Console

import landscape as ls
from landscape.diagnose import Verdict
from landscape.diagnose.verdict.questions import PARTS
from landscape.door.python_words import as_arguments
from landscape.door.verdicts import HeldVerdict
from landscape.store.verdicts import typed
from landscape_cli.diagnosis_page import question_answered


@pytest.fixture(scope="module")
def verdict(moons, tmp_path_factory):
    folder = tmp_path_factory.mktemp("diagnosed") / "<mine>"
    shutil.copytree(moons.folder, folder)
    return ls.open(folder).diagnose(intervene=False, only=["units"])


def test_it_speaks_as_the_command_does(verdict):
    terminal = Console(width=10_000)
    with terminal.capture() as captured:
        for title in ("1", "2"):
            said = [one for one in verdict.stored.answers if one.question[0] == title]
            terminal.print(question_answered(title, said))
    printed = [" ".join(line.split()) for line in captured.get().splitlines()]
    for sentence, answer in zip(verdict.sentences, verdict.stored.answers, strict=True):
        assert sentence.startswith(f"{answer.about}: ")
        said = sentence.removeprefix(f"{answer.about}: ")
        assert said.startswith(answer.text)
        # Options of the command are arguments here.
        options, arguments = typed(answer.remedy), as_arguments(answer.remedy)
        line = next(line for line in printed if answer.text in line and answer.about in line)
        assert (f"({options})" in line) == bool(options)
        assert (f"({arguments})" in said) == bool(arguments)
    assert any("(intervene=True)" in sentence for sentence in verdict.sentences)
    assert any('(only=["curvature"])' in sentence for sentence in verdict.sentences)
    assert not any("--" in text for text in (*verdict.sentences, *verdict.caveats))
    assert len(verdict.sentences) == len(PARTS)
    head, *lines = str(verdict).splitlines()
    assert head == f"<mine>: {verdict.outcome} [seen]; motion {verdict.motion}"
    assert lines == [f"  {text}" for text in verdict.sentences]
    assert (verdict.outcome, verdict.confidence) == ("learned", "observation")


def test_the_first_line_says_what_is_undetermined():
    def head(outcome: str, confidence: str) -> str:
        motion, landing = "undetermined", "dead-plateau" if outcome == "escaped" else None
        return str(HeldVerdict("a", Verdict(outcome, motion, landing, (), (), confidence)))

    assert head("undetermined", "undetermined") == ("a: outcome undetermined; motion undetermined")
    assert head("escaped", "intervention") == (
        "a: escaped, landed on dead-plateau [tested]; motion undetermined"
    )


def test_at_a_prompt_it_is_a_line(verdict):
    said = f"<mine>: learned [seen]; motion {verdict.motion}"
    assert repr(verdict) == f"<verdict {said}; print it for its {len(PARTS)} sentences>"
    shown, _ = DisplayFormatter().format(verdict)
    assert shown["text/plain"] == repr(verdict)
    assert shown["text/html"].count("<li>") >= len(PARTS)


def test_what_it_holds_is_shown_without_its_sentences(verdict):
    assert repr(verdict.stored) == (
        f"Verdict(learned, motion {verdict.motion}, observation; {len(PARTS)} answers, "
        f"{len(verdict.evidence)} items of evidence)"
    )
    for item in verdict.evidence.values():
        assert repr(item) == f"Item(value={item.value!r}, threshold={item.threshold!r})"


def test_a_notebook_shows_it_with_its_caveats(verdict):
    html = verdict._repr_html_()
    assert html.startswith("<b>&lt;mine&gt;: learned [seen]; motion ")
    assert html.count("<li>") == len(verdict.sentences) + len(verdict.caveats)
    assert ("Mind that" in html) == bool(verdict.caveats)


def test_its_evidence_is_a_table(verdict):
    table = verdict.to_pandas()
    assert table.index.tolist() == list(verdict.evidence)
    item = verdict.evidence["best_loss"]
    assert table.loc["best_loss", "value"] == item.value
    assert table.loc["best_loss", "meaning"] == item.meaning
