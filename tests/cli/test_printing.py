from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import landscape
from landscape_cli.printing import show_warnings

OWN = str(Path(landscape.__file__).parent / "store" / "lock.py")


@pytest.mark.parametrize(
    ("category", "file", "said"),
    [
        (UserWarning, OWN, "landscape: note: it is so\n"),
        (DeprecationWarning, OWN, None),
        (UserWarning, "/elsewhere/landscape.py", None),
    ],
)
def test_warnings_of_ours_are_notes_and_others_are_left(capsys, monkeypatch, category, file, said):
    others = []
    monkeypatch.setattr(warnings, "showwarning", lambda *given: others.append(given[:4]))
    show_warnings()
    warnings.showwarning("it is so", category, file, 7)
    assert capsys.readouterr().err == (said or "")
    assert others == ([] if said else [("it is so", category, file, 7)])
