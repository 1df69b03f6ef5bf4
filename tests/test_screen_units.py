"""Numbers and texts of the screen: rounding at the edges, escaping of hostile text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import units
from classifier.render.escape import middle, printable

S = 1_000_000_000


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (9994, "9.99 kB"), (9996, "10.0 kB"), (99_960, "100 kB"),
        (999_499, "999 kB"), (999_501, "1.00 MB"), (1_200_000_000, "1.20 GB"), (3 * 10**15, "3.00 PB"),
    ],
)  # fmt: skip
def test_sizes_keep_three_digits_and_never_show_a_thousand(count: int, text: str) -> None:
    assert units.size(count) == text


@given(st.integers(0, 10**20))
def test_a_size_is_within_half_a_percent_of_the_count(count: int) -> None:
    amount, unit = units.size(count).split()
    factor = 1000 ** ["B", "kB", "MB", "GB", "TB", "PB", "EB"].index(unit)
    assert abs(float(amount) * factor - count) <= 0.0051 * max(count, 1)
    assert len(amount) <= 4 or unit == "EB"


def test_rates_are_bits_per_second() -> None:
    assert units.rate(2_412_345.0) == "2.41 Mbit/s"
    assert units.rate(0) == "0 bit/s"
    assert units.rate(0.2) == "< 1 bit/s"


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0, "0 s"), (-5, "0 s"), (1500, "1.5 µs"), (350_000_000, "350 ms"), (999_999_999, "999 ms"), (9 * S, "9.00 s"),
        (59_970_000_000, "1 min"), (603 * S, "10 min 3 s"), (3600 * S, "1 h"), (7500 * S, "2 h 5 min"),
        (90_000 * S, "1 d 1 h"),
    ],
)  # fmt: skip
def test_spans_use_two_units(duration: int, text: str) -> None:
    assert units.span(duration) == text


@given(st.integers(0, 2**63))
def test_every_span_and_moment_has_a_text(value: int) -> None:
    assert units.span(value)
    assert units.moment(value)


def test_times_are_utc_and_the_day_is_said_once() -> None:
    first = 1_714_724_000 * S
    assert units.period(first, first + 600 * S) == "2024-05-03 08:13:20 to 08:23:20 UTC"
    assert units.period(first, first + 86_400 * S) == "2024-05-03 08:13:20 to 2024-05-04 08:13:20 UTC"
    assert units.period(first, first + 5) == "2024-05-03 08:13:20 UTC"
    assert units.moment(first + 7_654_321, digits=3) == "2024-05-03 08:13:20.007"


def test_times_outside_the_calendar_do_not_raise() -> None:
    assert "after 1970" in units.moment(2**63 - 1 + 2**70)
    assert units.moment(-1) == "1969-12-31 23:59:59"


def test_what_is_tiny_is_not_shown_as_nothing() -> None:
    assert units.percent(0.00001) == "< 0.1 %"
    assert units.percent(0) == "0.0 %"
    assert units.percent(1) == "100.0 %"


def test_a_sparkline_has_one_character_per_value_and_blanks_for_nothing() -> None:
    assert units.sparkline([0, 1, 8]) == " ▂█"
    assert units.sparkline([0, 0]) == "  "
    assert units.sparkline([]) == ""
    assert units.sparkline([1, 2], blocks=units.ASCII_BLOCKS).isascii()


@given(st.text())
def test_nothing_a_terminal_obeys_survives(text: str) -> None:
    shown = printable(text)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


@pytest.mark.parametrize(
    "bad", ["\x1b[31m", "\r", "\n", "\x00", "\x9b2J", "\u202e", "\u2028", "\ufeff", "\u200b", "\udc80"]
)
def test_controls_are_shown_as_escapes(bad: str) -> None:
    shown = printable(f"a{bad}b")
    assert "\\" in shown
    assert bad not in shown


def test_ordinary_text_of_any_language_is_untouched() -> None:
    for text in ("Câmera 3 – portão", "東京カメラ", "C:\\captures\\a.pcap"):
        assert printable(text) == text


def test_cuts_are_marked() -> None:
    assert printable("abcdef", 4) == "abc…"
    assert middle("/very/long/path/to/site.pcap", 13) == "/very/…e.pcap"
    assert len(middle("x" * 300, 50)) == 50
