"""Rates over time: what the time bins of a pass say about components, flows and hosts.

In: BIN rows and which component owns each tally row. Out: `Rates`: peaks and when they were, 95th percentile, trends.
Next: the report's tables, `tables.timeline` and `Report.timeseries`.

Bins are sparse and anchored to the epoch. Peak and p95 are over 1-second bins from the second of the first packet to
the second of the last, empty seconds counting as 0; when the pass had to use wider bins, over those. Bursts are over
100-ms bins, or the pass's own.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SECOND_NS = 1_000_000_000
BURST_NS = 100_000_000
"""Width of the bins that bursts are taken over: what the buffer of a switch port may bridge."""
_PIECE = 1 << 15
_DENSE = 1 << 22  # cells of a table indexed directly; above it (and above the number of bins), bins are sorted instead


class Peak(NamedTuple):
    """The highest bin of a kind, the earliest of equal ones: its rate and its start."""

    bps: float
    start_ns: int


class Rates:
    """Bytes per component and time bin.

    `component`, `start_ns`, `wire`, `packets`: one entry per (component, bin) that holds packets, ordered by
    component, then time.
    """

    def __init__(self, bins: Array, width_ns: int, owner: Array, first_ns: int | None, last_ns: int | None) -> None:
        """`owner`: component index per tally row (-1: none)."""
        self.width_ns = width_ns
        self.first_ns = first_ns or 0
        self.last_ns = last_ns or 0
        self.component, self.start_ns, self.wire, self.packets = grouped_bins(bins, width_ns, owner)

    def of(self, component: int) -> slice:
        """Where the entries of a component are."""
        first, last = np.searchsorted(self.component, [component, component + 1])
        return slice(int(first), int(last))

    @property
    def rate_width_ns(self) -> int:
        """Width of the bins that peak and p95 are taken over: one second, or the pass's own when that is wider."""
        return max(self.width_ns, SECOND_NS)

    @property
    def burst_width_ns(self) -> int:
        """Width of the bins that bursts are taken over: 100 ms, or the pass's own when that is wider."""
        return max(self.width_ns, BURST_NS)

    def peak(self, component: int, width_ns: int) -> Peak:
        """The highest bin of `width_ns` (a multiple of the pass's) of a component."""
        where = self.of(component)
        return highest_bin(self.start_ns[where], self.wire[where], width_ns)

    def peak_and_p95(self, component: int) -> tuple[float, float]:
        """`(peak_bps, p95_bps)` of a component."""
        where = self.of(component)
        return self.peak_and_p95_of(self.start_ns[where], self.wire[where])

    def peak_and_p95_of(self, start_ns: Array, wire: Array) -> tuple[float, float]:
        """`(peak_bps, p95_bps)` of bins in order of time."""
        width = self.rate_width_ns
        if not len(start_ns):
            return 0.0, 0.0
        values = np.sort(_at_width(start_ns, wire, width)[1])
        count = self.last_ns // width - self.first_ns // width + 1
        to_bps = 8 * SECOND_NS / width
        return float(values[-1]) * to_bps, percentile(values, max(count, len(values)), 0.95) * to_bps

    def all_together(self, width_ns: int) -> tuple[Array, Array, Array]:
        """`(start_ns, wire, packets)` of everything owned, per bin of `width_ns` that holds packets, in time order."""
        nobody = np.zeros(len(self.component), "i8")
        return grouped(nobody, self.start_ns, width_ns, self.wire, self.packets)[1:]

    def trend(self, component: int, points: int) -> list[float]:
        """Mean bits per second in `points` equal slices between the first and the last packet of the capture.

        A bin's bytes are spread evenly over the part of the bin that lies inside the capture.
        """
        where = self.of(component)
        start = np.clip(self.start_ns[where], self.first_ns, self.last_ns)
        room = np.iinfo("i8").max - self.width_ns  # the last bin of all time ends beyond 64 bits
        end = np.clip(np.minimum(self.start_ns[where], room) + self.width_ns, self.first_ns, self.last_ns)
        span = (self.last_ns - self.first_ns) or SECOND_NS
        if not len(start):
            return [0.0] * points
        total = np.cumsum(self.wire[where], dtype="f8")
        x = np.stack([start - self.first_ns, end - self.first_ns], axis=1).ravel().astype("f8")
        y = np.stack([total - self.wire[where], total], axis=1).ravel()
        edges = np.linspace(0, span, points + 1)
        at = np.interp(edges, x, y)
        at[0], at[-1] = 0.0, total[-1]
        return [float(v) for v in np.diff(at) * 8 * SECOND_NS * points / span]


def highest_bin(start_ns: Array, wire: Array, width_ns: int) -> Peak:
    """The highest bin of `width_ns` among bins in order of time (of a width that divides it)."""
    if not len(start_ns):
        return Peak(0.0, 0)
    number, sums = _at_width(start_ns, wire, width_ns)
    at = int(sums.argmax())
    return Peak(float(sums[at]) * (8 * SECOND_NS / width_ns), int(number[at]) * width_ns)


def flow_peaks(bins: Array, width_ns: int, flow_of_row: Array, flows: int) -> tuple[Array, Array]:
    """`(peak_bps, peak_ns)` of each flow: its highest 1-second bin (or the pass's own, when wider) and its start.

    `flow_of_row`: flow per tally row, -1 for none.
    """
    width = max(width_ns, SECOND_NS)
    flow, start, wire, _ = grouped_bins(bins, width, flow_of_row)
    peak, when = np.zeros(flows, "i8"), np.zeros(flows, "i8")
    if len(flow):
        at = np.flatnonzero(np.concatenate(([True], flow[1:] != flow[:-1])))
        highest = np.maximum.reduceat(wire, at)
        counts = np.diff(np.append(at, len(flow)))
        tops = np.flatnonzero(wire == np.repeat(highest, counts))[::-1]  # the earliest is written last
        peak[flow[at]] = highest
        when[flow[tops]] = start[tops]
    return np.round(peak * (8 * SECOND_NS / width), 3), when


def _at_width(start_ns: Array, wire: Array, width_ns: int) -> tuple[Array, Array]:
    """`(number, wire)` of the bins of `width_ns` that these bins, one or more and in order of time, are parts of."""
    number = start_ns // width_ns
    at = np.flatnonzero(np.concatenate(([True], number[1:] != number[:-1])))
    return number[at], np.add.reduceat(wire, at)


def percentile(values: Array, count: int, q: float) -> float:
    """The `q` quantile of `count` numbers, of which `values` (sorted) are given and the rest are 0.

    Interpolated linearly between neighbours, as pandas and numpy do, so that a notebook gets the same figure.
    """
    zeros = count - len(values)
    place = q * (count - 1)
    low = math.floor(place)
    high = min(low + 1, count - 1)

    def value(i: int) -> float:
        return float(values[i - zeros]) if i >= zeros else 0.0

    return value(low) + (value(high) - value(low)) * (place - low)


def grouped_bins(bins: Array, width_ns: int, key_of_row: Array) -> tuple[Array, Array, Array, Array]:
    """`grouped` for BIN rows, whose key is that of their tally row.

    Where a table of all cells is small enough, piece by piece: a column of millions of rows is ten times as slow as
    one that stays in the processor's cache.
    """

    def columns(part: Array) -> tuple[Array, Array, Array, Array]:
        key = key_of_row[part["flow"]].astype("i8")
        return key, part["bin_ns"] // width_ns, part["a_wire"] + part["b_wire"], part["packets"].astype("i8")

    lowest = int(bins["bin_ns"].min()) // width_ns if len(bins) else 0
    span = int(bins["bin_ns"].max()) // width_ns - lowest + 1 if len(bins) else 0
    keys = int(key_of_row.max()) + 1 if len(key_of_row) else 0
    if not 0 < keys * span <= _most_cells(len(bins)):
        key, number, wire, packets = columns(bins)
        return grouped(key, number * width_ns, width_ns, wire, packets)
    sums, counts = np.zeros(keys * span, "i8"), np.zeros(keys * span, "i8")
    for start in range(0, len(bins), _PIECE):
        key, number, wire, packets = columns(bins[start : start + _PIECE])
        cell = key * span + (number - lowest)
        if (key < 0).any():
            cell, wire, packets = cell[key >= 0], wire[key >= 0], packets[key >= 0]
        np.add.at(sums, cell, wire)
        np.add.at(counts, cell, packets)
    held = np.flatnonzero(counts)
    return held // span, (held % span + lowest) * width_ns, sums[held], counts[held]


def _most_cells(rows: int) -> int:
    return max(_DENSE, rows) if _DENSE else 0


def grouped(
    key: Array, start_ns: Array, width_ns: int, wire: Array, packets: Array
) -> tuple[Array, Array, Array, Array]:
    """Sums per (key, time bin of `width_ns`): `(key, start_ns, wire, packets)`, ordered by key, then time.

    Entries with a negative key are left out.
    """
    keep = key >= 0
    if not keep.all():
        key, start_ns, wire, packets = key[keep], start_ns[keep], wire[keep], packets[keep]
    if not len(key):
        empty = np.zeros(0, "i8")
        return empty, empty, empty, empty
    number = start_ns // width_ns
    lowest = int(number.min())
    span = int(number.max()) - lowest + 1
    keys = int(key.max()) + 1
    if keys * span <= _most_cells(len(key)):
        cell = key * span + (number - lowest)
        sums, counts = np.zeros(keys * span, "i8"), np.zeros(keys * span, "i8")
        np.add.at(sums, cell, wire)
        np.add.at(counts, cell, packets)
        held = np.flatnonzero(counts)
        return held // span, (held % span + lowest) * width_ns, sums[held], counts[held]
    if keys * span < 1 << 62:
        order = np.argsort(key * span + (number - lowest), kind="stable")  # of one number: twice as fast
    else:
        order = np.lexsort((number, key))
    key, number = key[order], number[order]
    at = np.flatnonzero(np.concatenate(([True], (key[1:] != key[:-1]) | (number[1:] != number[:-1]))))
    return key[at], number[at] * width_ns, np.add.reduceat(wire[order], at), np.add.reduceat(packets[order], at)
