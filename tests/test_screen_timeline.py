"""The section timeline as text: curves, axis, marks, sentences; without colour, also in ASCII."""

from __future__ import annotations

import pytest
from passes import CLIENT, OTHER, SERVER, START, Flow, S, a_report, site

from classifier.render import text
from classifier.report import Report

WIDTHS = pytest.mark.parametrize("width", [60, 80, 100, 132, 200])


def shown(report: Report, **options: object) -> list[str]:
    return text.render(report, ("timeline",), **options).splitlines()  # type: ignore[arg-type]


def curves(lines: list[str], edge: str = "│") -> dict[str, str]:
    return {line.split()[0]: line.split(edge)[1] for line in lines if line.count(edge) == 2 and line[0] != " "}


def long_one() -> Report:
    web = [(float(i), 200, True) for i in range(100)] + [(63.0, 9000, False)]
    return a_report([Flow(CLIENT, SERVER, "other.http", web), Flow(CLIENT, OTHER, "other.dns", [(7.0, 90, True)])])


def test_a_curve_for_everything_and_each_component_with_the_peak_marked() -> None:
    lines = shown(long_one(), width=170)
    found = curves(lines)
    assert list(found) == ["everything", "other.http", "other.dns"]
    assert len(set(map(len, found.values()))) == 1 and len(found["everything"]) == 100
    assert found["everything"].index("█") == found["other.http"].index("█") == 63
    assert all(curve.count("█") == 1 for curve in found.values())
    assert found["other.dns"].strip() == "█" and found["other.dns"].index("█") == 7
    (line,) = (line for line in lines if line.startswith("other.http"))
    assert "08:14:23" in line and "73.6 kbit/s" in line  # the peak and when: 9,200 bytes at 08:13:20 and 63 s


@WIDTHS
def test_curves_fit_the_screen(width: int) -> None:
    lines = shown(site(), width=width)
    found = [line for line in lines if line.count("│") == 2]
    assert len(found) == 2 + len(site().rows("components"))
    assert len({line.index("│") for line in found}) == 1
    if width >= 80:
        assert max(map(len, found)) <= width
        assert all(len(line) <= width for line in lines if line.startswith(("Bursts", "Link")))


def test_the_axis_says_when_in_utc() -> None:
    lines = shown(long_one(), width=170)
    (axis,) = (line for line in lines if line.strip().startswith("08:13:20"))
    marks = next(line for line in lines if "burst" in line and "│" in line)
    for time in axis.split():
        at = axis.index(time)
        seconds = sum(int(part) * unit for part, unit in zip(time.split(":"), (3600, 60, 1), strict=True))
        assert marks[at] == "'"
        assert at - marks.index("│") - 1 == seconds - (8 * 3600 + 13 * 60 + 20)


def test_days_have_dates() -> None:
    report = a_report([Flow(CLIENT, SERVER, "other.http", [(0.0, 60, True), (90 * 86_400.0, 60, True)])])
    lines = shown(report, width=120)
    assert any(line.strip().startswith("2024-05-03 ") and "2024-06" in line for line in lines)
    assert "2024-05-03 08:13:20" in next(line for line in lines if line.startswith("everything"))


def test_sentences_name_burst_and_link() -> None:
    words = " ".join(shown(site().with_timeline(link="10k"), width=100))
    assert "Bursts: the highest 100 ms (2024-05-03 08:13:" in words
    assert "times the mean of their second" in words
    assert "Link of 10.0 kbit/s: " in words
    assert "WARNING: above 60 % of the link in 4 of 5 seconds, first at 2024-05-03 08:13:20." in words
    assert "24 bytes more for each frame" in words
    words = " ".join(shown(site().with_timeline(link="1G"), width=100))
    assert "Above 60 % of the link in none of 5 seconds." in words and "WARNING" not in words
    assert "Link" not in " ".join(shown(site()))


def test_tables_below_the_curves() -> None:
    lines = shown(site().with_timeline(bin="1min"))
    assert lines[0] == f"TIMELINE: {len(site().components)} rows"
    assert lines[1] == "Bins of 1 min, UTC, counted from the epoch."
    at = lines.index("BUSIEST SECONDS")
    assert lines[at + 1].split() == ["time", "(UTC)", "rate", "packets", "most", "of", "it"]
    at = lines.index("ALL COMPONENTS TOGETHER, bins of 1 min")
    assert lines[at + 2].startswith(f"2024-05-03 08:13:00 {site().totals['packets']:>8}")
    assert len(lines) == at + 3


def test_tenths_are_shown_with_their_fraction() -> None:
    lines = shown(site().with_timeline(bin="100ms"))
    assert any(line.startswith("2024-05-03 08:13:20.2 ") for line in lines)


@WIDTHS
def test_in_ascii_there_is_nothing_else(width: int) -> None:
    lines = shown(long_one().with_timeline(link="10k"), width=width, encoding="ascii")
    assert all(line.isascii() for line in lines)
    found = curves(lines, "|")
    assert found["other.http"].count("@") == 1 and "." in found["other.http"]


def test_a_single_packet_and_nothing_at_all() -> None:
    assert curves(shown(a_report([Flow(CLIENT, SERVER, "other.http", [(0.0, 60, True)])])))["everything"] == "█"
    assert shown(a_report([])) == ["TIMELINE: none"]


def test_wide_bins_are_said() -> None:
    report = long_one()
    bins = report.facts.read.bins
    bins["bin_ns"] -= bins["bin_ns"] % (10 * S)
    report.facts.read.bin_width_ns = 10 * S
    lines = shown(report.with_timeline(bin="1s"))
    assert lines[1].endswith("Asked for: 1 s, but the capture is kept in wider ones.")
    assert "Bursts are not known: the capture is kept in bins of 10 s." in lines
    assert "BUSIEST BINS OF 10 s" in lines
    assert START % (10 * S)


def test_one_bin_for_all_times_is_shown_too() -> None:
    """The widest that bins can get."""
    report = long_one()
    report.facts.read.bins["bin_ns"] = 0
    report.facts.read.bin_width_ns = 2**63 - 1
    for bin in (None, "1s"):
        other = report.with_timeline(bin=bin, link="1G")
        assert other.time["timeline_bin_ns"] == 2**63 - 1
        assert sum(row["packets"] for row in other.rows("timeline")) == report.totals["packets"]
        assert curves(shown(other))["everything"] == "█"
