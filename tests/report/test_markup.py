from __future__ import annotations

from html.parser import HTMLParser

import pytest

from landscape.report.markup import Markup, joined, listed, table, tag, text

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></script>",
    "&lt;b&gt;",
    "a & b",
)


class Read(HTMLParser):
    """What a reader of HTML makes of it: elements with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.said += data


@pytest.mark.parametrize("name", HOSTILE)
def test_text_and_attributes_stay_text(name):
    read = Read(tag("p", name, title=name))
    assert read.elements == [("p", {"title": name})]
    assert read.said == name


@pytest.mark.parametrize("name", HOSTILE)
def test_everything_that_is_made_of_text_escapes_it(name):
    made = joined([name, listed([name]), table([name], [[name, name]], label=name)])
    names = {element for element, _ in Read(made).elements}
    assert names == {"ul", "li", "div", "table", "thead", "tbody", "tr", "th", "td"}
    assert Read(made).said.count(name) == 5


def test_what_would_move_a_terminals_cursor_is_shown():
    assert text("a\x1b[2Jb") == "a\\x1b[2Jb"


def test_attributes_that_are_none_are_left_out():
    made = tag("img", alt="", class_="wide", aria_label="a", hidden=True, title=None, id=False)
    assert made == '<img alt="" class="wide" aria-label="a" hidden>'


def test_markup_is_escaped_once():
    assert tag("p", tag("b", "<")) == "<p><b>&lt;</b></p>"
    assert text(Markup("<b>")) == "<b>"


def test_a_table_names_its_rows_and_columns():
    made = Read(table(["run", "loss"], [["a", "0.1"]], label="Losses", numbers=[1]))
    assert made.elements == [
        ("div", {"class": "wide", "role": "region", "aria-label": "Losses", "tabindex": "0"}),
        ("table", {}),
        ("thead", {}),
        ("tr", {}),
        ("th", {"scope": "col"}),
        ("th", {"scope": "col", "class": "number"}),
        ("tbody", {}),
        ("tr", {}),
        ("th", {"scope": "row"}),
        ("td", {"class": "number"}),
    ]


def test_nothing_of_nothing():
    assert (listed([]), text(None)) == ("", "")
    assert joined([None, "", "a", None, "b"], " ") == "a b"
