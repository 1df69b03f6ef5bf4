"""Peaks, bursts and when they were: against sums made one packet at a time."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passes import CLIENT, OTHER, SERVER, START, Flow, S, a_report, site

from classifier.tables import rates
from classifier.tables.rates import Peak, grouped, highest_bin

MS = 10**6


def one(packets: list[tuple[float, int, bool]], **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = a_report([Flow(CLIENT, SERVER, "other.http", packets)], **changes).rows("components")[0]
    return row


def test_the_peak_is_of_a_second_the_burst_of_a_tenth() -> None:
    # START is a quarter after a second: 0.7 is 0.95 of the first second, 0.8 is 0.05 of the next
    row = one([(0.0, 1000, True), (0.7, 1000, True), (0.8, 2500, True), (5.0, 100, False)])
    assert (row["peak_bps"], row["peak_ns"]) == (2500 * 8, START // S * S + S)
    assert row["peak_100ms_bps"] == 2500 * 8 * 10


def test_of_equal_peaks_the_earliest_counts() -> None:
    row = one([(0.0, 100, True), (1.0, 500, True), (3.0, 500, True)])
    assert row["peak_ns"] == START // S * S + S


def test_a_burst_may_be_in_another_second_than_the_peak() -> None:
    even = [(1 + k / 10, 300, True) for k in range(8)]
    row = one([(0.0, 1000, True), *even])
    assert (row["peak_bps"], row["peak_ns"]) == (2400 * 8, START // S * S + S)
    assert row["peak_100ms_bps"] == 1000 * 8 * 10


@pytest.mark.parametrize("width_ns", [S, 10 * S, 1000 * S])
def test_with_wider_bins_peak_and_burst_are_over_these(width_ns: int) -> None:
    report = site()
    bins = report.facts.read.bins.copy()
    bins["bin_ns"] -= bins["bin_ns"] % width_ns
    report.facts.read.bins, report.facts.read.bin_width_ns = bins, width_ns
    for row in report.rows("components"):
        assert row["peak_100ms_bps"] == row["peak_bps"]
        assert row["peak_ns"] % width_ns == 0
    if width_ns == S:
        for name in ("peak_bps", "p95_bps", "peak_ns"):
            assert report.components[name].tolist() == site().components[name].tolist()


TIMES = st.lists(
    st.tuples(st.sampled_from([0, 1, 2]), st.floats(0, 12), st.integers(1, 2**32), st.booleans()),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60)
@given(TIMES)
def test_every_peak_is_the_naive_one(values: list[tuple[int, float, int, bool]]) -> None:
    ports: dict[int, list[tuple[float, int, bool]]] = defaultdict(list)
    for port, *rest in values:
        ports[port].append(tuple(rest))  # type: ignore[arg-type]
    report = a_report([Flow(CLIENT, OTHER, f"other.p{p}", made, resp_port=p) for p, made in ports.items()])
    for name, width in (("peak_bps", S), ("peak_100ms_bps", S // 10)):
        for row in report.rows("components"):
            sums: dict[int, int] = defaultdict(int)
            for at, wire, _ in ports[int(row["id"][-1])]:
                sums[(START + round(at * S)) // width * width] += wire
            top = max(sums.values())
            assert row[name] == pytest.approx(top * 8 * (S // width), rel=1e-12)
            if width == S:
                assert row["peak_ns"] == min(start for start, wire in sums.items() if wire == top)
    by_port = {row["id"]: row for row in report.rows("components")}
    for flow in report.rows("flows"):
        owner = by_port[f"other.p{flow['resp_port']}"]  # a flow each
        assert (flow["peak_bps"], flow["peak_ns"]) == (owner["peak_bps"], owner["peak_ns"])


@pytest.mark.parametrize("dense", [0, 1 << 22])
@given(
    values=st.lists(
        st.tuples(st.integers(-1, 3), st.one_of(st.integers(0, 50), st.integers(0, 2**62)), st.integers(0, 2**33)),
        max_size=30,
    )
)
def test_sums_by_key_and_time_are_exact_spread_or_sorted(dense: int, values: list[tuple[int, int, int]]) -> None:
    key, start, wire = (np.array([v[k] for v in values], "i8") for k in range(3))
    sums: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for k, at, size in values:
        if k >= 0:
            sums[k, at // 10 * 10][0] += size
            sums[k, at // 10 * 10][1] += 1
    known, rates._DENSE = rates._DENSE, dense
    try:
        found = grouped(key, start, 10, wire, np.ones(len(key), "i8"))
    finally:
        rates._DENSE = known
    rows = list(zip(*(column.tolist() for column in found), strict=True))
    assert rows == [(k, at, *sums[k, at]) for k, at in sorted(sums)]


def test_nothing_has_no_peak() -> None:
    nothing = np.zeros(0, "i8")
    assert highest_bin(nothing, nothing, S) == Peak(0.0, 0)
    assert a_report([]).rows("components") == []
    assert len(a_report([]).flows) == 0
