"""The timeline: widths, sums, the busiest seconds, bursts, how full a link was."""

from __future__ import annotations

import io
import itertools
from typing import Any

import pytest
from capture_files import T0, pcap_header, pcap_record
from hypothesis import given, settings
from hypothesis import strategies as st
from passes import CLIENT, OTHER, SERVER, START, Flow, S, a_report, site

from classifier import engine
from classifier.limits import Limits
from classifier.quantities import bin_ns, rate_bps, span_ns
from classifier.report import Report
from classifier.tables.timeline import LINES, Burst

MS = 10**6
FRAME = bytes.fromhex("0200000000010200000000020806") + bytes(46)


def http(packets: list[tuple[float, int, bool]], port: int = 80) -> Flow:
    return Flow(CLIENT, SERVER, f"other.p{port}", packets, resp_port=port)


def sums(report: Report) -> dict[str, tuple[int, int]]:
    out: dict[str, tuple[int, int]] = {}
    for row in report.rows("timeline"):
        packets, wire = out.get(row["component"], (0, 0))
        out[row["component"]] = packets + row["packets"], wire + row["wire_bytes"]
    return out


def own(report: Report) -> dict[str, tuple[int, int]]:
    return {row["id"]: (row["packets"], row["wire_bytes"]) for row in report.rows("components")}


# -- spans and rates


@pytest.mark.parametrize(
    ("text", "ns"),
    [("100ms", 100 * MS), ("1s", S), ("90s", 90 * S), ("1min", 60 * S), ("2h", 7200 * S), ("1d", 86_400 * S)],
)
def test_spans(text: str, ns: int) -> None:
    assert span_ns(text) == bin_ns(text) == ns


@pytest.mark.parametrize("text", ["", "1", "s", "-1s", "1.5s", "1x", "0s", "1 s 1", "99999999999d", "١s", "1S", "1m"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="no span of time"):
        span_ns(text)


def test_a_bin_is_a_multiple_of_100_ms() -> None:
    with pytest.raises(ValueError, match="no multiple of 100ms"):
        bin_ns("150ms")


@pytest.mark.parametrize(
    ("text", "bps"),
    [("1G", 10**9), ("100M", 10**8), ("2.5G", 25 * 10**8), ("10g", 10**10), ("64k", 64_000), ("9600", 9600),
     ("1Gbit/s", 10**9), ("1Gbps", 10**9)],
)  # fmt: skip
def test_rates_of_links(text: str, bps: int) -> None:
    assert rate_bps(text) == bps


@pytest.mark.parametrize("text", ["", "G", "0", "0G", "-1G", "1e9", "1GB", "1 G 2", "1,5G", "nan", "999999999999999T"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="no rate of a link"):
        rate_bps(text)


# -- widths and sums


@pytest.mark.parametrize("bin", [None, "100ms", "300ms", "1s", "7s", "1min", "1h", "1d"])
def test_rows_of_any_width_sum_to_the_components(bin: str | None) -> None:
    report = site().with_timeline(bin=bin)
    assert sums(report) == own(report)
    width = report.time["timeline_bin_ns"]
    assert width == (S if bin is None else span_ns(bin))
    places = [(row["time_ns"], row["component"]) for row in report.rows("timeline")]
    assert all(time % width == 0 for time, _ in places)
    assert len(set(places)) == len(places)
    assert [time for time, _ in places] == sorted(time for time, _ in places)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.one_of(st.floats(-3, 60), st.floats(0, 4e8)), st.integers(0, 2**32)),
        min_size=1, max_size=30,
    ),
    st.sampled_from([None, "100ms", "1s", "1min", "1d"]),
)  # fmt: skip
def test_sums_are_exact_whatever_the_times(values: list[tuple[int, float, int]], bin: str | None) -> None:
    flows = [
        http([(at, wire, True) for p, at, wire in values if p == port], port) for port in {p for p, _, _ in values}
    ]
    report = a_report(flows).with_timeline(bin=bin)
    assert sums(report) == own(report)
    assert bin is not None or len({row["time_ns"] for row in report.rows("timeline")}) <= LINES


def spread(span: float) -> Report:
    return a_report([http([(0.0, 100, True), (span, 100, True)])])


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        (0.0, 1),
        (10, 1),
        (118, 1),
        (121, 2),
        (1000, 10),
        (3600, 60),
        (86_400, 900),
        (29 * 86_400, 6 * 3600),
        (7e9, 728 * 86_400),
    ],
)
def test_without_a_wish_bins_are_so_wide_that_the_table_stays_readable(span: float, seconds: int) -> None:
    report = spread(span)
    assert report.time == {"bin_width_ns": S // 10, "timeline_bin_ns": seconds * S, "link": None}


def test_a_width_finer_than_what_was_kept_is_rounded_up_to_it() -> None:
    data = pcap_header() + b"".join(pcap_record(FRAME, T0 + 3 * i) for i in range(4000))
    report = engine.classify(io.BytesIO(data), limits=Limits(flows=10, bins=2000))
    assert report.time["bin_width_ns"] == 100 * S
    for bin, seconds in ((None, 100), ("100ms", 100), ("1s", 100), ("150s", 200), ("1000s", 1000)):
        other = report.with_timeline(bin=bin)
        assert other.time["timeline_bin_ns"] == seconds * S, bin
        assert sums(other) == own(other)
    (problem,) = report.problems
    assert problem.code == "bin_cap"
    assert "100 seconds wide" in problem.message and "bursts are not known" in problem.message
    assert not report.over_time().bursts


def test_another_view_changes_nothing_else() -> None:
    report = site()
    before = report.to_dict(["timeline", "flows"])
    other = report.with_timeline(bin="1min", link="1G")
    after = other.to_dict(["timeline", "flows"])
    assert {key for key in before if before[key] != after[key]} == {"time", "timeline"}
    assert report.to_dict(["timeline", "flows"]) == before
    assert report.time["link"] is None and other.with_timeline().time == report.time


@pytest.mark.parametrize("wrong", [{"bin": "1x"}, {"bin": "150ms"}, {"link": "fast"}])
def test_a_wrong_view_is_a_value_error(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="is no "):
        site().with_timeline(**wrong)


def test_an_empty_capture_has_a_timeline_of_nothing() -> None:
    report = a_report([]).with_timeline(link="1G")
    assert report.rows("timeline") == []
    assert report.time["timeline_bin_ns"] == S
    assert report.time["link"]["bins"] == 0
    assert report.over_time().slots(10)[2] == 0


# -- the link


def test_a_link_is_used_by_what_no_capture_holds_too() -> None:
    """125 bytes and 24 more for each frame: 1,192 bits."""
    busy = [(0.0, 125, True)] * 10 + [(2.0, 125, True)] * 5
    link = a_report([http(busy)]).with_timeline(link="20k").time["link"]
    first = START // S * S
    assert link == {
        "bps": 20_000, "width_ns": S, "mean": 15 * 1192 / 2 / 20_000, "highest": 11_920 / 20_000,
        "highest_ns": first, "bins": 3, "bins_above": 0, "first_above_ns": None,
    }  # fmt: skip
    link = a_report([http(busy)]).with_timeline(link="19k").time["link"]
    assert (link["bins_above"], link["first_above_ns"], link["highest_ns"]) == (1, first, first)


def test_a_link_counts_all_components_together() -> None:
    flows = [http([(1.0, 976, True)], 80), http([(1.0, 976, False)], 81)]
    assert a_report(flows).with_timeline(link="32k").time["link"]["highest"] == 0.5


# -- the summary


def test_the_busiest_seconds_say_what_most_of_them_is() -> None:
    flows = [http([(0.0, 300, True), (2.0, 100, True)], 80), http([(0.1, 100, True), (2.1, 900, True)], 81)]
    busiest = a_report(flows).over_time().busiest()
    assert [(b.start_ns // S - START // S, b.bps, b.packets, b.component, b.component_bps) for b in busiest] == [
        (2, 8000.0, 2, "other.p81", 7200.0),
        (0, 3200.0, 2, "other.p80", 2400.0),
    ]


def test_the_busiest_seconds_are_ten_and_sorted() -> None:
    report = a_report([http([(float(i), 100 + i % 7, True) for i in range(40)])])
    busiest = report.over_time().busiest()
    assert [b.bps / 8 for b in busiest] == [106] * 5 + [105] * 5
    assert [b.start_ns for b in busiest[:5]] == sorted(b.start_ns for b in busiest[:5])


def test_a_burst_is_measured_against_its_own_second() -> None:
    even = a_report([http([(0.75 + k / 10, 100, True) for k in range(30)])])
    assert even.over_time().burst().factor == pytest.approx(1)
    assert a_report([http([(0.75, 100, True)])]).over_time().burst() == Burst(8000.0, START + 750 * MS, 800.0)
    assert a_report([http([(0.75, 100, True)])]).over_time().burst("other.p80").factor == 10


def test_a_curve_keeps_every_peak() -> None:
    packets = [(float(i), 100, True) for i in range(100)] + [(50.0, 5000, True)]
    summary = a_report([http(packets)]).with_timeline(bin="1s").over_time()
    begin, slot, count = summary.slots(30)
    assert (begin, slot, count) == (START // S * S, 4 * S, 25)
    curve = summary.curve(None, 30)
    assert curve == [800.0] * 12 + [40_800.0] + [800.0] * 12
    assert summary.curve("other.p80", 30) == curve
    assert summary.slots(1000)[1:] == (S, 100)


def test_totals_per_bin_are_those_of_the_rows() -> None:
    report = site().with_timeline(bin="100ms")
    by_time = {
        time: (sum(r["packets"] for r in rows), sum(r["wire_bytes"] for r in rows))
        for time, rows in (
            (time, list(rows)) for time, rows in itertools.groupby(report.rows("timeline"), lambda row: row["time_ns"])
        )
    }
    assert {start: (packets, wire) for start, packets, wire in report.over_time().totals()} == by_time


def test_the_same_capture_in_tenths_has_the_peaks_of_its_seconds() -> None:
    flows = [
        http([(i * 0.37, 60 + i, bool(i % 2)) for i in range(90)]),
        Flow(OTHER, SERVER, "other.dns", [(3.0, 90, True)]),
    ]
    report = a_report(flows)
    for row in report.rows("components"):
        seconds: dict[int, int] = {}
        for cell in report.with_timeline(bin="1s").rows("timeline"):
            if cell["component"] == row["id"]:
                seconds[cell["time_ns"]] = cell["wire_bytes"]
        top: Any = max(seconds.values())
        assert (row["peak_bps"], row["peak_ns"]) == (top * 8, min(t for t, w in seconds.items() if w == top))
