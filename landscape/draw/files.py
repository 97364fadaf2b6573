"""Figures into files: complete or not at all, the same scan to the same bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

import matplotlib
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_pdf import Op, PdfFile, PdfPages
from matplotlib.figure import Figure
from matplotlib.text import Text

from landscape.draw.look.style import PLAIN, Style
from landscape.draw.recipe import KEY
from landscape.draw.sheet.page import AS_MEASURED
from landscape.errors import LandscapeError, printable
from landscape.store.files import unfinished

METADATA: dict[str, Callable[[str, str, str], dict[str, Any]]] = {
    "png": lambda title, caption, recipe: {
        "Title": title,
        "Description": caption,
        "Software": None,
        **({KEY: recipe} if recipe else {}),
    },
    "pdf": lambda title, caption, recipe: {
        "Title": title,
        "Subject": caption,
        "Keywords": recipe or None,
        "CreationDate": None,
    },
    "svg": lambda title, caption, recipe: {
        "Title": title,
        "Description": caption,
        "Keywords": [recipe] if recipe else None,
        "Date": None,
    },
}
SETTINGS: dict[Any, Any] = {
    "pdf.fonttype": 42,
    "svg.hashsalt": "landscape",
    "svg.fonttype": "none",
    **AS_MEASURED,
}
"""Letters stay text, TrueType in PDF, as journals ask for; salted names in SVG, else random."""
LATEX = {
    "\\": r"\textbackslash{}",
    **{letter: f"\\{letter}" for letter in "%&$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "→": r"$\rightarrow$",
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "∞": r"$\infty$",
    "η": r"$\eta$",
    "β": r"$\beta$",
    "λ": r"$\lambda$",
    "Δ": r"$\Delta$",
    "Σ": r"$\Sigma$",
    "∇": r"$\nabla$",
    "‖": r"$\|$",
    "₀": "$_0$",
    "₁": "$_1$",
    "²": "$^2$",
}
"""What any LaTeX can set, also those that know only its own letters."""
_settings_are_global = Lock()


def save(
    figure: Figure,
    stem: Path,
    *,
    formats: Sequence[str] = ("png", "pdf"),
    caption: str,
    recipe: str = "",
    style: Style = PLAIN,
) -> list[Path]:
    """Write ``stem.png``, ``stem.pdf``, ``stem.caption.txt`` and ``.tex``; return their paths.

    The LaTeX one is the caption's first paragraph.

    Pictures carry the caption and the recipe in their metadata and no time. Each file is written
    under a temporary name beginning with a dot and renamed, so that none is ever half written.

    Raises:
        LandscapeError: an unknown format, or a folder that can't be written to.

    >>> figure = Figure()
    >>> _ = figure.subplots().plot([0, 1])
    >>> [file.name for file in save(figure, Path("mine"), formats=("png",), caption="A line.")]
    ['mine.png', 'mine.caption.txt', 'mine.caption.tex']
    """
    for name in formats:
        if name not in METADATA:
            raise LandscapeError(
                f"a figure's format must be one of {', '.join(METADATA)}, got {name!r}"
            )
    caption = printable(caption)
    _make_printable(figure)
    written = []
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        for name in formats:
            target = _beside(stem, f".{name}")
            metadata = METADATA[name](stem.name, caption, recipe)
            _atomically(target, partial(_picture, figure, name, metadata, style))
            written.append(target)
        texts = {".caption.txt": caption, ".caption.tex": latex(caption.split("\n\n")[0])}
        for ending, words in texts.items():
            target = _beside(stem, ending)
            _atomically(target, partial(_text, words))
            written.append(target)
    except OSError as error:
        raise LandscapeError(
            f"figures can't be written to {stem.parent}: {error.strerror or error}; "
            "choose another folder"
        ) from error
    return written


def png(figure: Figure, style: Style = PLAIN) -> bytes:
    """Return a figure as the bytes of a PNG that says nothing of itself, for pages that do."""
    _make_printable(figure)
    target = BytesIO()
    with _settings_are_global, matplotlib.rc_context(SETTINGS):
        more: dict[str, Any] = {"dpi": figure.dpi, "transparent": style.transparent}
        figure.savefig(target, format="png", metadata={"Software": None}, **more)
    return target.getvalue()


def _make_printable(figure: Figure) -> None:
    for text in figure.findobj(Text):  # names may come from anybody's files
        shown = printable(text.get_text())
        if shown != text.get_text():
            text.set_text(shown)


def latex(text: str) -> str:
    r"""Return a text as LaTeX's caption, its special characters as commands.

    >>> latex("54 % of w_0 → w_1")
    '\\caption{54~\\% of w\\_0 $\\rightarrow$ w\\_1}'
    """
    written = "".join(LATEX.get(letter, letter) for letter in text)
    written = written.replace(r" \%", r"~\%").replace("$_0$.$_1$", "$_{0.1}$")
    return rf"\caption{{{written}}}"


def _text(text: str, path: Path) -> None:
    path.write_text(text + "\n", "utf-8")


def _beside(stem: Path, ending: str) -> Path:
    # Not with_suffix: a stem such as "random-final-0.5" has a dot of its own.
    return stem.parent / (stem.name + ending)


@contextmanager
def _letters_as_text(figure: Figure) -> Iterator[None]:
    """Draw letters with a halo as text over it: Matplotlib makes outlines of both."""
    haloed = [
        text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_path_effects()
    ]
    for text in haloed:
        vars(text)["draw"] = partial(_over_its_halo, text)
    try:
        yield
    finally:
        for text in haloed:
            del vars(text)["draw"]


def _over_its_halo(text: Text, renderer: RendererBase) -> None:
    *halo, letters = text.get_path_effects()
    text.set_path_effects(halo)
    type(text).draw(text, renderer)
    text.set_path_effects([])
    Text.draw(text, renderer)
    text.set_path_effects([*halo, letters])


def _picture(figure: Figure, name: str, metadata: dict[str, Any], style: Style, path: Path) -> None:
    # The figure's own resolution counts pixels per inch of the layout, which may be enlarged.
    more: dict[str, Any] = {"dpi": figure.dpi, "transparent": style.transparent}
    if name == "png":
        more["pil_kwargs"] = {"dpi": (style.dpi, style.dpi)}
    # In memory first: on a full disk Matplotlib's writer of PDF fails with an error of its own.
    target = BytesIO()
    as_text = nullcontext() if name == "png" else _letters_as_text(figure)
    with _settings_are_global, matplotlib.rc_context(SETTINGS), as_text:
        if name == "pdf" and style.zoom != 1:
            with _Enlarged(target, metadata, style.zoom) as file:
                figure.savefig(file, format=name, **more)
        else:
            figure.savefig(target, format=name, metadata=metadata, **more)
    path.write_bytes(target.getvalue())
    if name == "svg" and style.zoom != 1:
        path.write_text(_enlarged(path.read_text("utf-8"), style.zoom), "utf-8")


def _enlarged(svg: str, zoom: float) -> str:
    """Return an SVG with a larger page and the same view box."""
    head, tag, rest = svg.partition("<svg ")
    tail = re.sub(
        r'((?:width|height)=")([0-9.]+)pt"',
        lambda match: f'{match[1]}{zoom * float(match[2]):.6g}pt"',
        rest,
        count=2,
    )
    return head + tag + tail


class _EnlargedPage(PdfFile):
    """A PDF whose pages are larger than what is drawn on them by a factor."""

    zoom = 1.0

    def newPage(self, width: float, height: float) -> None:  # noqa: N802
        super().newPage(self.zoom * width, self.zoom * height)  # type: ignore[no-untyped-call]
        self.output(self.zoom, 0, 0, self.zoom, 0, 0, Op.concat_matrix)  # type: ignore[no-untyped-call]


class _Enlarged(PdfPages):
    """What ``savefig`` writes a page into."""

    def __init__(self, target: BytesIO, metadata: dict[str, Any], zoom: float) -> None:
        super().__init__(target, metadata=metadata)
        self._zoom = zoom

    def _ensure_file(self) -> PdfFile:
        if self._file is None:
            page = _EnlargedPage(self._filename, metadata=self._metadata)  # type: ignore[no-untyped-call]
            page.zoom = self._zoom
            self._file = page
        return self._file


def _atomically(target: Path, write: Callable[[Path], object]) -> None:
    temporary = unfinished(target)
    try:
        write(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
