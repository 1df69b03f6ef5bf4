"""The tally: everything one pass over packets keeps.

In: batches of PACKET rows in reading order (`update`). Out: `finish()`, the FLOW rows and the time bins. One tally sees
all captures of a reading, so neither batches nor files are borders. Memory grows with flows and time bins that exist,
never with packets; the flow table has a cap, and the bins coarsen (x10) when there are too many (`classifier.limits`).
Next: `flows.finish`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.columns import BATCH, BIN, FLOW, PACKET
from classifier.flows import framing_table as ft
from classifier.flows import state as st
from classifier.flows.rows import grown, zeros
from classifier.flows.stream_table import StreamTable
from classifier.jit import speed, view
from classifier.limits import Limits

Array = npt.NDArray[Any]

SECOND_NS = 1_000_000_000
BIN_WIDTH_NS = 100_000_000
"""A time bin, as long as there are not too many."""
WIDEST_NS = np.iinfo("i8").max
"""One bin for all times."""

SHARED_ROWS = 1024
"""Rows beyond the cap: one for each IP protocol and version, and for each protocol without IP."""

LOOK_AHEAD = 256
"""Packets whose flow rows are fetched together (compiled only): 256 rows fit the second-level cache."""


class Tally:
    """Flow rows and time bins of the packets counted so far.

    `bin_width_ns`: width of a time bin, ns. `max_flows`, `max_bins`, `max_payloads`, `follow`: as in `Limits`.
    `keep_log`: also note the flow of each record (`log`, LOGGED_RECORD rows). Start with small arrays: an empty tally
    costs nothing.
    """

    def __init__(
        self,
        *,
        compiled: bool,
        bin_width_ns: int = BIN_WIDTH_NS,
        max_flows: int = Limits.flows,
        max_bins: int = Limits.bins,
        max_payloads: int = Limits.payloads,
        follow: bool = True,
        keep_log: bool = False,
        room: int = BATCH,
    ) -> None:
        self.kernels = speed(compiled)
        self.max_bins = max_bins
        reserve = int(compiled)  # interpreted kernels are for small captures
        self.flows: Array = zeros(1024, FLOW, reserve * (max_flows + SHARED_ROWS))
        self.slots: Array = np.zeros(4096, "i8")
        self.bins: Array = zeros(2 * BATCH, BIN, reserve * (max_bins + max_flows + SHARED_ROWS))
        self.log: Array = np.zeros(room + st.HELD_POOL if keep_log else 1, st.LOGGED_RECORD)
        self.candidates: Array = np.zeros(max(room, 1), st.CANDIDATE)
        self.limiter: Array = np.zeros(65_536, "u1")
        self.probes: Array = zeros(256, st.PROBE, reserve * st.MAX_PROBES)
        self.streams = StreamTable(reserve=compiled)
        self.tcp: Array = zeros(64, st.TCP_SIDE, reserve * st.MAX_TCP_ROWS)
        self.followed: Array = np.zeros(room, ft.FOLLOWED)
        self.framing = ft.FramingTable()
        self.table: Array = np.zeros(st.FRAGMENT_SETS * st.FRAGMENT_WAYS, st.FRAGMENT)
        self.table["held"] = -1
        self.held: Array = np.zeros(256, PACKET)
        self.links: Array = np.zeros(256, "i4")
        self.ahead: Array = np.zeros(LOOK_AHEAD if compiled else 0, "i8")
        self.state: Array = np.zeros(st.STATE_SIZE, "i8")
        self.state[st.BIN_WIDTH] = bin_width_ns
        self.state[st.FLOWS_CAP] = max_flows
        self.state[st.CANDIDATES_LEFT] = max_payloads
        self.state[st.ORDINARY_LEFT] = min(st.ORDINARY_TOTAL, max_payloads)
        self.state[st.PROBES] = 2
        self.state[st.PROBES_CAP] = st.MAX_PROBES
        self.state[st.REPORTS_LEFT] = st.REPORTS_TOTAL
        self.state[st.TCP_ROWS] = 2
        self.state[st.TCP_CAP] = st.MAX_TCP_ROWS
        self.state[st.FOLLOW] = int(follow)
        self.state[st.LOG_ON] = int(keep_log)
        self.state[st.HELD_FREE] = -1

    @property
    def n_flows(self) -> int:
        """Rows in use."""
        return int(self.state[st.FLOWS])

    @property
    def bin_width_ns(self) -> int:
        """Width of a time bin now, ns."""
        return int(self.state[st.BIN_WIDTH])

    def update(self, packets: Array, n: int) -> Array:
        """Count `packets[0:n]` (PACKET rows); returns the evidence candidates of this batch (CANDIDATE rows)."""
        self._make_room(n)
        if len(self.candidates) < n:
            self.candidates = np.zeros(n, st.CANDIDATE)
        if len(self.followed) < n:
            self.followed = np.zeros(n, ft.FOLLOWED)
        self.kernels.tally_batch(
            packets,
            n,
            self.flows,
            self.slots,
            self.bins,
            self.log,
            self.candidates,
            self.limiter,
            self.probes,
            self.streams.media,
            self.tcp,
            self.followed,
            self.table,
            self.held,
            self.links,
            self.ahead,
            self.state,
        )
        return self.candidates[: self.state[st.CANDIDATES]]

    @property
    def following(self) -> Array:
        """Segments with data of RTSP connections in the last batch (FOLLOWED rows), for `follow`."""
        return self.followed[: self.state[st.FOLLOWING]]

    def follow(self, segments: Array, packets: Array, buffer: Any) -> Iterator[tuple[Array, Array]]:
        """Count the media in these `segments`, whose payloads lie in `buffer`.

        Gives the RTCP packets that they hold, each time some are found: FOUND_RTCP rows and the bytes they lie in.
        """
        framing = self.framing
        framing.make_room(len(segments))
        self._make_probe_room(len(segments))
        at, seen = 0, view(buffer, self.kernels.compiled)
        while at < len(segments):
            arrays = framing.arrays
            at = self.kernels.follow_interleaved(
                seen, packets, segments, at, len(segments), self.tcp, arrays, self.state
            )
            self._count_found()
            if framing.state[ft.REPORTS]:
                yield framing.reports[: framing.state[ft.REPORTS]], framing.report_bytes

    def _count_found(self) -> None:
        framing = self.framing
        count = int(framing.state[ft.FOUND])
        for start in range(0, count, BATCH):
            stop = min(start + BATCH, count)
            self.streams.make_room(stop - start, self.kernels)
            self.kernels.count_found(framing.arrays, start, stop, self.probes, self.streams.media)

    def _end_following(self) -> None:
        """Read what still waits for a segment that never came."""
        at = 1
        while at < int(self.framing.state[ft.FRAMINGS]):
            at = self.kernels.end_interleaved(self.framing.arrays, at)
            self._count_found()

    def take_log(self) -> Array:
        """The records logged since the last call, with the row of their flow (LOGGED_RECORD rows)."""
        part = self.log[: self.state[st.LOGGED]].copy()
        self.state[st.LOGGED] = 0
        return part

    def _make_room(self, n: int) -> None:
        """Room for n packets and everything that waits, before a kernel runs."""
        waiting = int(self.state[st.HELD_USED])
        if waiting + n > len(self.held) and len(self.held) < st.HELD_POOL:
            size = min(st.HELD_POOL, max(2 * len(self.held), waiting + n))
            self.held = grown(self.held, size)
            self.links = grown(self.links, size)
        need = n + min(waiting + n, len(self.held))
        self._make_probe_room(n)
        self.streams.make_room(n, self.kernels)
        self._make_tcp_room(n)
        most = int(self.state[st.FLOWS_CAP]) + SHARED_ROWS
        rows = min(self.n_flows + need, most)
        if rows > len(self.flows):
            self.flows = grown(self.flows, max(rows, min(2 * len(self.flows), most)))
        if 2 * rows > len(self.slots):
            size = len(self.slots)
            while 2 * rows > size:
                size *= 4
            self.slots = zeros(size, np.dtype("i8"))
            self.kernels.rehash(self.flows, self.slots, self.n_flows)
        bins = int(self.state[st.BINS]) + need
        if bins > len(self.bins):
            if bins > max(self.max_bins, 2 * self.n_flows):
                self._compact()
                bins = int(self.state[st.BINS]) + need
            if bins > len(self.bins):
                more = max(bins, min(len(self.bins) * 3 // 2, self.max_bins))
                self.bins = grown(self.bins, more, cleared=False)
        if self.state[st.LOG_ON] and int(self.state[st.LOGGED]) + need > len(self.log):
            self.log = grown(self.log, int(self.state[st.LOGGED]) + need, cleared=False)

    def _make_probe_room(self, n: int) -> None:
        most = int(self.state[st.PROBES_CAP])
        need = min(int(self.state[st.PROBES]) + 2 * n, most)
        if need > len(self.probes):
            self.probes = grown(self.probes, min(max(need, 2 * len(self.probes)), most))

    def _make_tcp_room(self, n: int) -> None:
        most = int(self.state[st.TCP_CAP])
        need = min(int(self.state[st.TCP_ROWS]) + 2 * n, most)
        if need > len(self.tcp):
            self.tcp = grown(self.tcp, min(max(need, 2 * len(self.tcp)), most))

    def _compact(self) -> None:
        """Join bins; while more remain than half of `max_bins`, make them ten times as wide (their sums stay exact).

        When this is called does not matter for the width in the end: what is too much for a part is too much for the
        whole. The other half is room to go on, so that joining is rare.
        """
        width = self.bin_width_ns
        enough = max(self.max_bins // 2, self.n_flows)
        kept, new = self._join_runs(int(self.state[st.BINS]), width)
        while kept > enough:
            if new <= enough:  # not all are bins of their own
                rows = join_bins(self.bins[:kept], width)
                kept = new = len(rows)
                self.bins[:kept] = rows
            elif width < WIDEST_NS:
                width = 10 * width if width <= WIDEST_NS // 10 else WIDEST_NS
                kept, new = self._join_runs(kept, width)
            else:
                break
        self.state[st.BIN_WIDTH] = width
        self.flows["bin_ns"] -= self.flows["bin_ns"] % width
        self.state[st.BINS] = kept

    def _join_runs(self, count: int, width: int) -> tuple[int, int]:
        last, newest = np.zeros(self.n_flows, "i8"), np.zeros(self.n_flows, "i8")
        kept, new = self.kernels.join_runs(self.bins, count, width, last, newest)
        return int(kept), int(new)

    def _close_bins(self) -> None:
        need = int(self.state[st.BINS]) + self.n_flows
        if need > len(self.bins):
            self.bins = grown(self.bins, need, cleared=False)
        rows = self.flows[: self.n_flows]
        which = np.flatnonzero(rows["bin_packets"])
        start = int(self.state[st.BINS])
        out = self.bins[start : start + len(which)]
        out["flow"] = which
        for name, source in (
            ("bin_ns", "bin_ns"),
            ("a_wire", "bin_a_wire"),
            ("b_wire", "bin_b_wire"),
            ("packets", "bin_packets"),
        ):
            out[name] = rows[source][which]
        for source in ("bin_a_wire", "bin_b_wire", "bin_packets"):
            rows[source] = 0
        self.state[st.BINS] = start + len(which)

    def finish(self) -> tuple[Array, Array]:
        """`(flows, bins)`: FLOW rows in order of creation; BIN rows in no order, where a (flow, bin) pair comes again
        when its time did (`join_bins` gives one row per pair; sums over bins do not need it).
        """
        waiting = np.flatnonzero(self.table["held"] >= 0)
        if len(waiting):
            self._make_room(0)
            self.kernels.flush_held(
                self.flows, self.slots, self.bins, self.log, self.table, self.held, self.links, self.state, waiting
            )
        self._end_following()
        self.kernels.finish_tcp(self.tcp, int(self.state[st.TCP_ROWS]))
        self._close_bins()
        if int(self.state[st.BINS]) > self.max_bins // 2:
            self._compact()
        return self.flows[: self.n_flows], self.bins[: self.state[st.BINS]]

    def forget_flows(self) -> None:
        """Give the memory of the FLOW rows back, after `finish`, when they have become columns."""
        self.flows = zeros(0, FLOW)
        self.slots = np.zeros(0, "i8")


def join_bins(bins: Array, width: int) -> Array:
    """BIN rows at a width of `width` ns: sorted by (flow, bin_ns), sums of equal pairs."""
    if not len(bins):
        return bins.copy()
    start = bins["bin_ns"] - bins["bin_ns"] % width
    flow = bins["flow"]
    order = np.lexsort((start, flow))
    start, flow = start[order], flow[order]
    first = np.concatenate(([True], (start[1:] != start[:-1]) | (flow[1:] != flow[:-1])))
    at = np.flatnonzero(first)
    out = np.zeros(len(at), BIN)
    out["bin_ns"], out["flow"] = start[at], flow[at]
    for name in ("a_wire", "b_wire", "packets"):
        out[name] = np.add.reduceat(bins[name][order], at)
    return out
