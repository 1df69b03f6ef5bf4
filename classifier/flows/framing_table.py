"""The rows of interleaved media, and the arrays that hold them.

In: sizes. Out: `FramingTable`, the arrays that `flows.interleaved` fills. Memory is bounded: a row of 96 bytes per
direction of an RTSP connection, and one pool for segments that came before an earlier one. Next: `flows.tally`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# places in the table's own `state`
FRAMINGS = 0  # rows in use (the first is nobody's)
FRAMINGS_CAP = 1
FRAMINGS_FULL = 2  # segments of directions beyond it
FOUND = 3  # RTP headers found by this call
REPORTS = 4  # RTCP packets found by this call
REPORT_BYTES = 5  # of the bytes of those
REPORTS_LEFT = 6  # how many more may be handed over
REPORTS_UNSEEN = 7  # RTCP packets beyond that, or cut between two segments
FRAMING_STATE = 8

MAX_FRAMINGS = 65_536
HOLDS = 32
"""Directions that may wait for a missing segment at a time."""
HOLD_BYTES = 131_072
"""How far a segment may be ahead of the one that is missing."""
HOLD_PARTS = 32
MOST_FOUND = (65_536 + HOLD_BYTES) // 16 + 4
"""RTP headers that one segment can bring to light: of its own bytes, and of those that waited for it."""
MAX_REPORTS = 1024
REPORT_ROOM = 65_536
HEAD = 16
"""The interleaved frame's four bytes and an RTP header."""

FRAMING = np.dtype(
    [
        ("where", "i8"),  # row of the flow and side, as `row * 2 + side`
        ("frames", "i8"),  # with an RTP header
        ("lost_bytes", "i8"),  # never captured
        ("candidate_ns", "i8"),
        ("next", "u4"),  # sequence number of the next byte
        ("ssrc", "u4"),  # of the last frame
        ("skip", "i4"),  # bytes of a frame's body that are still to come
        ("probe", "i4"),  # PROBE row for the streams of this direction
        ("hold", "i4"),  # its place in the pool plus one; 0 = none
        ("lost_way", "u4"),  # how often
        ("known", "u1"),  # bits of flows.interleaved
        ("have", "u1"),  # bytes in `head`
        ("picture", "u1"),  # of the candidate
        ("head", "u1", (HEAD,)),
        ("candidate", "u1", (HEAD,)),  # a first frame, believed when the next one follows it
    ],
    align=True,
)
"""One direction of an RTSP connection: where its frames begin."""

HOLD = np.dtype(
    [
        ("base", "u4"),  # sequence number of its first byte
        ("parts", "i4"),
        ("starts", "i4", (HOLD_PARTS,)), ("ends", "i4", (HOLD_PARTS,)),  # of what is there, in order, apart
        ("times", "i8", (HOLD_PARTS,)),
        ("used", "u1"),
    ],
    align=True,
)  # fmt: skip
"""What waits for a missing segment of one direction."""

FOLLOWED = np.dtype([("acked", "i8"), ("packet", "i4"), ("flow", "i4"), ("side", "i4"), ("tcp", "i4")], align=True)
"""A segment with data of an RTSP connection: its row in the batch, flow, side and that side's TCP_SIDE row; `acked`:
the highest number that the other side had acknowledged by then, -1 = none."""

FOUND_RTP = np.dtype(
    [
        ("where", "i8"),
        ("ns", "i8"),
        ("ssrc", "u4"), ("stamp", "u4"),
        ("wire", "i4"), ("payload", "i4"),  # bytes of the frame, of what it carries
        ("probe", "i4"),
        ("seq", "u2"),
        ("kind", "u1"),  # payload type
        ("picture", "u1"),  # decode.payload_types
    ],
    align=True,
)  # fmt: skip
"""An RTP header in an interleaved frame."""

FOUND_RTCP = np.dtype(
    [("where", "i8"), ("ns", "i8"), ("start", "i4"), ("length", "i4"), ("packet", "i4"), ("channel", "i4")], align=True
)
"""An RTCP packet in an interleaved frame: its bytes are `report_bytes[start : start + length]`."""


class FramingTable:
    """Interleaved media of one pass. `arrays` is what kernels get: all arrays in one tuple."""

    def __init__(self, *, max_framings: int = MAX_FRAMINGS, max_reports: int = 20_000, holds: int = HOLDS) -> None:
        self.rows: Array = np.zeros(2, FRAMING)
        self.holds: Array = np.zeros(holds, HOLD)
        self.held: Array = np.zeros((0, HOLD_BYTES), "u1")
        self.found: Array = np.zeros(0, FOUND_RTP)
        self.reports: Array = np.zeros(0, FOUND_RTCP)
        self.report_bytes: Array = np.zeros(0, "u1")
        self.state: Array = np.zeros(FRAMING_STATE, "i8")
        self.state[FRAMINGS] = 1
        self.state[FRAMINGS_CAP] = max_framings
        self.state[REPORTS_LEFT] = max_reports

    @property
    def arrays(self) -> tuple[Array, ...]:
        """(rows, holds, held, found, reports, report_bytes, state)."""
        return self.rows, self.holds, self.held, self.found, self.reports, self.report_bytes, self.state

    def make_room(self, n: int) -> None:
        """Room for n segments. The pool takes memory when it is written to, not before."""
        if not len(self.found):
            self.held = np.zeros((len(self.holds), HOLD_BYTES), "u1")
            self.found = np.zeros(2 * MOST_FOUND, FOUND_RTP)
            self.reports = np.zeros(MAX_REPORTS, FOUND_RTCP)
            self.report_bytes = np.zeros(REPORT_ROOM, "u1")
        need = min(int(self.state[FRAMINGS]) + n, int(self.state[FRAMINGS_CAP]))
        if need > len(self.rows):
            bigger = np.zeros(min(max(need, 2 * len(self.rows)), int(self.state[FRAMINGS_CAP])), FRAMING)
            bigger[: len(self.rows)] = self.rows
            self.rows = bigger
