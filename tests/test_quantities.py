from __future__ import annotations

import math

import pytest

from landscape import quantities
from landscape.errors import LandscapeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.01993, "0.0199"),
        (-2.5, "−2.5"),
        (4500.0, "4,500"),
        (12345.0, "12,345"),
        (1234567.0, "1.23e6"),
        (1.2e-7, "1.2e−7"),
        (-1e-5, "−1e−5"),
        (0.99999, "1"),
        (100.0, "100"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "unknown"),
        (None, "unknown"),
    ],
)
def test_numbers_are_written_as_by_hand(value, text):
    assert quantities.number(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(2.302585, 4, "2.303"), (1234567.0, 7, "1,234,567"), (0.00123, 1, "0.001"), (987.6, 2, "988")],
)
def test_numbers_have_the_digits_asked_for(value, digits, text):
    assert quantities.number(value, digits) == text


def test_zeros_at_the_end_are_kept_where_asked_for():
    written = [quantities.exact(value) for value in (2.302585, 10.0, 5000.0, 0.0)]
    assert written == ["2.30", "10.0", "5,000", "0"]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100 %"),
        (0.934, "93 %"),
        (0.0000412, "0.0041 %"),
        (0.01, "1 %"),
        (1.4, "140 %"),
        (math.nan, "unknown %"),
    ],
)
def test_percentages(share, text):
    assert quantities.percent(share) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("7", 7),
        ("10.0", 10),
        ("7B", 7),
        ("64k", 64_000),
        ("1.5kb", 1500),
        ("1.5 KB", 1500),
        ("500 MB", 500_000_000),
        (" 500mb ", 500_000_000),
        ("2GB", 2 * 10**9),
        (".5g", 5 * 10**8),
        ("3TB", 3 * 10**12),
        ("64Ki", 65_536),
        ("64 KiB", 65_536),
        ("3MiB", 3 * 2**20),
        ("1.5GiB", 3 * 2**29),
        ("1TiB", 2**40),
    ],
)
def test_sizes_are_read(text, count):
    assert quantities.parse_size(text) == count


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "2 G B", "2GiBs", "0", "0.4", "two", "1e9"])
def test_other_sizes_are_refused(text):
    with pytest.raises(LandscapeError) as refused:
        quantities.parse_size(text, "disk limit")
    assert str(refused.value) == (
        f"disk limit must be a size such as 500MB, 2GB or 1.5GiB, got {text}"
    )


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (12, "12 bytes"),
        (999, "999 bytes"),
        (1500, "1.5 kB"),
        (999_400, "999 kB"),
        (999_600, "1 MB"),
        (256 * 10**6, "256 MB"),
        (2 * 10**9, "2 GB"),
        (1.1 * 2**30, "1.18 GB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_sizes_are_written(count, text):
    assert quantities.size(count) == text


@pytest.mark.parametrize("count", [1, 1500, 64_000, 256 * 10**6, 2 * 10**9, 3 * 10**12])
def test_a_written_size_is_read_as_itself(count):
    assert quantities.parse_size(quantities.size(count).replace("bytes", "B")) == count


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (9000, "2.5 h"),
    ],
)
def test_durations(seconds, text):
    assert quantities.duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10min", 600), ("1.5 h", 5400), ("0", 0), (".5min", 30), (" 2H ", 7200)],
)
def test_durations_are_read(text, seconds):
    assert quantities.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "min", "-1s", "10m", "1e3", "2 days"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(LandscapeError) as caught:
        quantities.parse_duration(text, "--budget")
    assert str(caught.value) == f"--budget must be a time such as 90s, 10min or 2h, got {text}"
