"""Time bins of the flow table: 100 ms, true per packet, joined and widened without losing a byte."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_flows import START, packet, rows_of, tallied

from classifier.columns import BIN
from classifier.flows.bins import join_runs
from classifier.flows.tally import BIN_WIDTH_NS, join_bins
from classifier.jit import speed

SPEEDS = pytest.mark.parametrize("compiled", [False, True], ids=["interpreted", "compiled"])
MS = 1_000_000


def cells(bins: np.ndarray, width: int) -> dict[tuple[int, int], list[int]]:
    """Sums per (flow, bin), one Python row at a time."""
    out: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in bins.tolist():
        start, a_wire, b_wire, packets, flow = row
        cell = out[flow, start // width * width]
        cell[0] += a_wire
        cell[1] += b_wire
        cell[2] += packets
    return dict(out)


def test_bins_are_100_ms_of_each_packet_and_anchored_to_the_epoch() -> None:
    times = [0, 99, 100, 101, 350, 999, 1000, 2050]
    rows = rows_of([packet(ms=ms, payload=ms) for ms in times])
    tally = tallied(rows)
    bins = join_bins(tally.finish()[1], tally.bin_width_ns)
    assert tally.bin_width_ns == BIN_WIDTH_NS == 100 * MS
    assert ((bins["bin_ns"] - START) // MS).tolist() == [0, 100, 300, 900, 1000, 2000]
    assert bins["packets"].tolist() == [2, 2, 1, 1, 1, 1]
    assert bins["a_wire"].tolist() == [60 + 60 + 99, 160 + 161, 410, 1059, 1060, 2110]


BINS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 2**33), st.integers(0, 2**33), st.integers(1, 9)),
    max_size=40,
)


@SPEEDS
@settings(max_examples=80)
@given(BINS, st.sampled_from([1, 3, 10, 2**63 - 1]))
def test_joined_runs_are_those_of_the_slow_twin(
    compiled: bool, values: list[tuple[int, int, int, int, int]], width: int
) -> None:
    bins = np.zeros(len(values), BIN)
    for i, (flow, start, a_wire, b_wire, packets) in enumerate(values):
        bins[i] = (start, a_wire, b_wire, packets, flow)
    expected: list[list[int]] = []
    last: dict[int, list[int]] = {}
    newest: dict[int, int] = {}
    fresh = 0
    for flow, start, a_wire, b_wire, packets in values:
        start -= start % width
        run = last.get(flow)
        if run is not None and run[0] == start:
            run[1], run[2], run[3] = run[1] + a_wire, run[2] + b_wire, run[3] + packets
            continue
        fresh += flow not in newest or start > newest[flow]
        newest[flow] = max(start, newest.get(flow, start))
        last[flow] = [start, a_wire, b_wire, packets, flow]
        expected.append(last[flow])
    before = cells(bins, width)
    join = speed(True).join_runs if compiled else join_runs
    kept, new = join(bins, len(bins), width, np.zeros(4, "i8"), np.zeros(4, "i8"))
    assert (kept, new) == (len(expected), fresh)
    assert [list(row) for row in bins[:kept].tolist()] == expected
    assert cells(bins[:kept], width) == before
    assert new <= len(before) <= kept


@SPEEDS
@settings(max_examples=30)
@given(
    times=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3_000_000)), min_size=1, max_size=300),
    step=st.sampled_from([1, 7, 300]),
    most=st.integers(4, 400),
)
def test_widened_bins_hold_every_byte_whatever_the_order_of_time(
    compiled: bool, times: list[tuple[int, int]], step: int, most: int
) -> None:
    """The width is the narrowest at which at most half of `max_bins` are left; neither order nor batches change it."""
    rows = rows_of([packet(src=10 + flow, ms=ms, payload=ms % 1400) for flow, ms in times])
    tally = tallied(rows, compiled=compiled, step=step, max_bins=most, max_flows=100)
    flows, bins = tally.finish()
    width = tally.bin_width_ns
    pairs = {flow for flow, _ in times}
    enough = max(most // 2, len(pairs))

    def count(width: int) -> int:
        return len({(flow, (START + ms * MS) // width) for flow, ms in times})

    assert width == BIN_WIDTH_NS or count(width // 10) > enough
    assert count(width) <= enough or len(bins) <= enough
    sums: dict[tuple[int, int], int] = defaultdict(int)
    for flow, ms in times:
        sums[10 + flow, (START + ms * MS) // width * width] += 60 + ms % 1400
    joined = join_bins(bins, width)
    found = {
        (int(flows["a3"][row["flow"]]), int(row["bin_ns"])): int(row["a_wire"]) + int(row["b_wire"]) for row in joined
    }
    assert found == sums


def test_times_that_jump_to_and_fro_do_not_make_bins_wider_than_needed() -> None:
    """A log of two alternating bins is long, but there are only two bins."""
    rows = rows_of([packet(ms=i % 2 * 5000) for i in range(3000)])
    tally = tallied(rows, step=100, max_bins=200, max_flows=10)
    bins = join_bins(tally.finish()[1], tally.bin_width_ns)
    assert tally.bin_width_ns == BIN_WIDTH_NS
    assert bins["packets"].tolist() == [1500, 1500]
