"""The rows of media streams, and the arrays that hold them.

In: sizes. Out: `StreamTable`, the arrays that `flows.streams` and `flows.continuity` fill; `finish()` gives `Streams`,
those that are streams. Memory grows with streams and their time bins, both capped. Next: `tables.streams`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.flows.rows import grown, zeros
from classifier.flows.state import RTP_ENOUGH, RTP_RUN, RTP_SHARE, TS_DATAGRAMS
from classifier.jit import Kernels, view

Array = npt.NDArray[Any]

KIND_RTP = 1
KIND_TS = 2  # MPEG transport stream in datagrams, without RTP

# places in the table's own `state`
STREAMS = 0  # rows in use
STREAMS_CAP = 1
STREAMS_FULL = 2  # packets of streams beyond it
LOGGED_BINS = 3
BIN_WIDTH = 4  # ns
TS_ROWS = 5  # transport streams: blocks of TS_PIDS rows in use (the first is nobody's)
TS_WAITING = 6  # packets of this batch whose continuity counters are to be looked at
TS_CAP = 7
TS_FULL = 8  # PIDs that found no room
STATE_SIZE = 9

MAX_STREAMS = 131_072
MAX_STREAM_BINS = 4_194_304
MAX_TS = 4096
TS_PIDS = 32
"""Program identifiers per transport stream that are followed."""
TS_RECENT = 3
"""Datagrams among which a copy is looked for. With seven cells or fewer in one, counters do not come round in that."""
BIN_WIDTH_NS = 100_000_000
"""A stream's time bin, as long as there are not too many."""
MAX_DROPOUT, MAX_MISORDER = 3000, 100
"""As in RFC 3550 A.1."""

# how the clock is known while packets pass
CLOCK_STATIC = 1
CLOCK_ASSUMED = 2
CLOCK_MEASURED = 3
CLOCK_PAYLOAD = 4

STREAM = np.dtype(
    [
        # cache lines 0 and 1: what every packet needs
        ("last_ns", "i8"),
        ("bin_ns", "i8"),  # the bin being filled
        ("seen0", "i8"), ("seen1", "i8"),  # bit i: number max_seq - i has come (50 bits each)
        ("ssrc", "u4"),
        ("last_stamp", "u4"),  # of the last packet in order
        ("any_stamp", "u4"),  # of the last packet of any kind, for `hits`
        ("max_seq", "i4"),  # -1 before the first packet
        ("hits", "u4"),  # packets that continue the one before
        ("transit", "u4"),  # of the last packet
        ("any_seq", "u2"), ("any_pt", "u1"),
        ("in_transit", "u1"),  # bit 0: `transit` is set, bit 1: `frame_transit`
        ("kind", "u1"), ("pt", "u1"), ("clock_basis", "u1"),
        ("bin_wire", "i8"), ("payload", "i8"),
        ("received", "i8"),
        ("jitter", "f8"), ("jitter_sum", "f8"), ("bin_jitter", "f8"),  # ticks; highest of the bin
        ("bin_packets", "i4"), ("bin_jitters", "i4"),  # jitter values of the bin
        ("clock", "i4"),
        ("pt_votes", "i4"),
        # line 2: what most packets only read, and the first ones of pictures
        ("silence_ns", "i8"),
        ("check_ns", "i8"),  # span after which the clock is measured next; 0 = settled
        ("burst", "i8"),  # numbers in a row that never came
        ("frames", "i8"),
        ("frame_jitter", "f8"), ("frame_jitter_sum", "f8"),
        ("frame_jitters", "u4"),
        ("frame_transit", "u4"),  # of the last first packet of a picture
        ("avc", "u4"), ("hevc", "u4"),  # packets that look like H.264, like H.265
        # the rest: sums when a bin closes, and what is rare
        ("packets", "i8"), ("wire", "i8"),
        ("jitter_max", "f8"),
        ("jitters", "i8"),  # values in the sum
        ("bin_lost", "i4"), ("bin_jitter_us", "i4"),  # of the bin, with the clock it had before
        ("tenth_most", "i8"),  # the fullest 100 ms
        ("tenth_ns", "i8"), ("tenth_wire", "i8"),  # the open one, where bins are wider
        ("where", "i8"),  # row of the flow and side, as `row * 2 + side`
        ("base_seq", "i4"),  # the run's lowest number, below 0 where it lies before the wrap
        ("bad_seq", "i4"),
        ("cycles", "i8"),
        ("frame_jitter_max", "f8"),
        ("duplicates", "i8"), ("reordered", "i8"), ("refused", "i8"), ("restarts", "i8"),
        ("earlier_expected", "i8"), ("earlier_received", "i8"),
        ("longest_burst", "i8"),
        ("first_ns", "i8"),
        ("clock_ns", "i8"),  # where the measurement of the clock begins
        ("avc_keys", "i8"), ("hevc_keys", "i8"),
        ("avc_first_ns", "i8"), ("avc_last_ns", "i8"),  # of key frames
        ("hevc_first_ns", "i8"), ("hevc_last_ns", "i8"),
        ("clock_stamp", "u4"),
        ("avc_stamp", "u4"), ("hevc_stamp", "u4"),  # of the last key frame
        ("ts", "i4"),  # its block of TS_PID rows; 0 = none
        ("ts_errors", "u4"),
        ("ts_packets", "u4"),  # not in copies
        ("ts_recent", "u4", (TS_RECENT,)),  # hashes of its last datagrams, the latest first
    ],
    align=True,
)  # fmt: skip
assert STREAM.itemsize == 448, "a stream is seven cache lines"
"""One RTP source in one direction of a flow, or the transport stream of one."""

STREAM_BIN = np.dtype(
    [
        ("bin_ns", "i8"),  # start of the bin, a multiple of the bins' width
        ("wire", "i8"),
        ("packets", "i4"),
        ("lost", "i4"),  # numbers passed over, less those that came late: the sum over all bins is what is missing
        ("jitter_us", "i4"),  # highest
        ("stream", "i4"),  # row
    ],
    align=True,
)
"""One stream in one time bin; only bins that hold packets exist."""

TS_PID = np.dtype([("errors", "u4"), ("pid", "u2"), ("counter", "u1"), ("used", "u1"), ("twice", "u1")], align=True)
"""A program identifier: its last continuity counter, and breaks so far."""


@dataclass(slots=True, eq=False)
class Streams:
    """The streams of a pass: STREAM rows in order of their creation, and what each did over time."""

    rows: Array  # STREAM
    bins: Array  # STREAM_BIN by stream (index into `rows`) and time
    bin_width_ns: int
    pids: list[list[int]]  # per stream: MPEG-TS program identifiers

    def __len__(self) -> int:
        return len(self.rows)


NO_STREAMS = Streams(np.zeros(0, STREAM), np.zeros(0, STREAM_BIN), BIN_WIDTH_NS, [])


class StreamTable:
    """Streams of one pass. `media` is what kernels get: all arrays in one tuple."""

    def __init__(
        self, *, max_streams: int = MAX_STREAMS, max_bins: int = MAX_STREAM_BINS, reserve: bool = False
    ) -> None:
        self.max_bins = max_bins
        self.rows: Array = zeros(16, STREAM, reserve * max_streams)
        self.places: Array = np.zeros(64, "i8")
        self.bins: Array = zeros(64, STREAM_BIN, reserve * max_bins)
        self.pids: Array = np.zeros(TS_PIDS, TS_PID)
        self.state: Array = np.zeros(STATE_SIZE, "i8")
        self.state[STREAMS_CAP] = max_streams
        self.state[BIN_WIDTH] = BIN_WIDTH_NS
        self.state[TS_ROWS] = 1
        self.state[TS_CAP] = MAX_TS

    @property
    def media(self) -> tuple[Array, ...]:
        """(rows, places, bins, state)."""
        return self.rows, self.places, self.bins, self.state

    @property
    def bin_width_ns(self) -> int:
        """Width of a time bin now, ns."""
        return int(self.state[BIN_WIDTH])

    def make_room(self, n: int, kernels: Kernels) -> None:
        """Room for what n more packets can need."""
        used, cap = int(self.state[STREAMS]), int(self.state[STREAMS_CAP])
        need = min(used + n, cap)
        if need > len(self.rows):
            self.rows = grown(self.rows, min(max(need, 2 * len(self.rows)), cap))
        if 2 * need > len(self.places):
            size = len(self.places)
            while 2 * need > size:
                size *= 4
            self.places = np.zeros(size, "i8")
            kernels.replace_streams(self.rows, self.places, used)
        bins = int(self.state[LOGGED_BINS]) + 2 * n
        if bins > len(self.bins):
            if bins > self.max_bins:
                self.compact()
                bins = int(self.state[LOGGED_BINS]) + 2 * n
            if bins > len(self.bins):
                more = max(bins, min(2 * len(self.bins), self.max_bins))
                self.bins = grown(self.bins, more)

    def make_ts_room(self, n: int) -> None:
        """Room for n more transport streams."""
        need = min(int(self.state[TS_ROWS]) + n, int(self.state[TS_CAP])) * TS_PIDS
        if need > len(self.pids):
            self.pids = grown(self.pids, min(max(need, 2 * len(self.pids)), int(self.state[TS_CAP]) * TS_PIDS))

    def compact(self) -> None:
        """Join bins; while more remain than half of what may be, make them ten times as wide."""
        width = self.bin_width_ns
        enough = max(self.max_bins // 2, int(self.state[STREAMS]))
        kept = join_stream_bins(self.bins[: self.state[LOGGED_BINS]], width)
        while len(kept) > enough and width < 1 << 60:
            width *= 10
            kept = join_stream_bins(kept, width)
        if self.bin_width_ns == BIN_WIDTH_NS < width:  # from now on tenths of a second are no bins
            self.rows["tenth_ns"], self.rows["tenth_wire"] = self.rows["bin_ns"], self.rows["bin_wire"]
            self.rows["tenth_most"] = np.maximum(self.rows["tenth_most"], self.rows["bin_wire"])
        self.state[BIN_WIDTH] = width
        self.rows["bin_ns"] -= self.rows["bin_ns"] % width
        self.bins[: len(kept)] = kept
        self.state[LOGGED_BINS] = len(kept)

    def look_at_continuity(self, packets: Array, buffers: Sequence[tuple[Any, Array]], kernels: Kernels) -> None:
        """Follow the continuity counters of a batch, packet by packet in reading order.

        `buffers`: per part of the batch its buffer and the rows that lie in it.
        """
        waiting = int(self.state[TS_WAITING])
        if not waiting:
            return
        self.state[TS_WAITING] = 0
        self.make_ts_room(waiting)
        if len(buffers) == 1:
            seen = view(buffers[0][0], kernels.compiled)
            kernels.continuity_batch(seen, packets, 0, len(packets), self.media, self.pids)
            return
        part_of = np.zeros(len(packets), "i8")
        for number, (_, rows) in enumerate(buffers):
            part_of[rows] = number
        edges = [0, *(np.flatnonzero(part_of[1:] != part_of[:-1]) + 1).tolist(), len(packets)]
        for first, last in itertools.pairwise(edges):
            buffer = view(buffers[part_of[first]][0], kernels.compiled)
            kernels.continuity_batch(buffer, packets, first, last, self.media, self.pids)

    def pids_of(self, row: Any) -> list[int]:
        """Program identifiers of a STREAM row, ascending."""
        if not row["ts"]:
            return []
        block = self.pids[int(row["ts"]) * TS_PIDS : (int(row["ts"]) + 1) * TS_PIDS]
        return sorted(block["pid"][block["used"] == 1].tolist())

    def finish(self, kernels: Kernels) -> Streams:
        """What is a stream, after the last packet."""
        used = int(self.state[STREAMS])
        self.make_room(used, kernels)
        kernels.close_streams(self.media)
        self.bins = join_stream_bins(self.bins[: self.state[LOGGED_BINS]], self.bin_width_ns)
        self.state[LOGGED_BINS] = len(self.bins)
        if len(self.bins) > self.max_bins // 2:
            self.compact()
        rows, bins = self.rows[:used], self.bins[: self.state[LOGGED_BINS]]
        valid = is_stream(rows)
        number = np.cumsum(valid) - 1
        kept = bins.take(np.flatnonzero(valid[bins["stream"]]))
        kept["stream"] = number[kept["stream"]]
        pids = [self.pids_of(row) for row in rows[valid]]
        return Streams(rows[valid], kept, self.bin_width_ns, pids)


def is_stream(rows: Array) -> Array:
    """Which STREAM rows are streams: five RTP packets in a row, three datagrams of transport stream.

    A direction that shows RTP_ENOUGH packets in a row is RTP whatever else it shows; for fewer they must be a
    good part of all (`evidence.proofs`).
    """
    hits = rows["hits"].astype("i8")
    rtp = (hits >= RTP_ENOUGH) | ((hits >= RTP_RUN) & (rows["packets"] <= RTP_SHARE * hits))
    valid: Array = np.where(rows["kind"] == KIND_RTP, rtp, rows["packets"] >= TS_DATAGRAMS)
    return valid


def join_stream_bins(bins: Array, width: int) -> Array:
    """STREAM_BIN rows at a width of `width` ns, by (stream, bin_ns): sums, the highest jitter."""
    if not len(bins):
        return bins.copy()
    start, stream = bins["bin_ns"] - bins["bin_ns"] % width, bins["stream"]
    order = np.argsort(stream.astype("u2") if stream.max() <= 0xFFFF else stream, kind="stable")  # u2: counted, fast
    start, stream = start[order], stream[order]
    if np.any((start[1:] < start[:-1]) & (stream[1:] == stream[:-1])):  # time ran backwards
        again = np.lexsort((start, stream))
        order, start, stream = order[again], start[again], stream[again]
    first = np.concatenate(([True], (start[1:] != start[:-1]) | (stream[1:] != stream[:-1])))
    if first.all():
        whole: Array = bins.take(order)  # many times as fast as an index, for rows
        whole["bin_ns"] = start
        return whole
    at = np.flatnonzero(first)
    out = np.zeros(len(at), STREAM_BIN)
    out["bin_ns"], out["stream"] = start[at], stream[at]
    for name in ("wire", "packets", "lost"):
        out[name] = np.add.reduceat(bins[name][order], at)
    out["jitter_us"] = np.maximum.reduceat(bins["jitter_us"][order], at)
    return out
