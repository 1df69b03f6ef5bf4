"""RTP: one packet's header, whether two packets follow each other, a whole stream's loss and jitter.

In: UDP payloads (or the PDU of an interleaved RTSP frame). Out: `parse_rtp` and `continues` (one packet proves little,
five in a row prove a stream), `codec_of`, `guess_h264`, `guess_h265`; `Sequence` and `Jitter` are the plain models that
the stream kernel is checked against. Sources: RFC 3550 5.1, A.1, A.3, A.8; RFC 3551 6; RFC 6184 5.2; RFC 7798 4.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.decode.payload_types import PAYLOAD_TYPES

HEADER = 12
SEQ_MOD = 1 << 16
MAX_DROPOUT = 3000
MAX_MISORDER = 100

_MASK32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Rtp:
    """An RTP header. `padding`: octets of padding; -1 when the packet says so and its last octet cannot be the count.

    That happens with SRTP and with several packets in one datagram, so it vetoes nothing. `payload_at`: where the
    payload begins, behind the contributing sources and the header extension; that may not have been captured.
    """

    payload_type: int
    marker: bool
    seq: int
    timestamp: int
    ssrc: int
    payload_at: int
    padding: int


def parse_rtp(payload: bytes, size: int | None = None) -> Rtp | None:
    """The RTP header that a payload begins with, None when there is none (RFC 3550 A.1, single-packet checks).

    `size`: bytes of the payload on the wire, where fewer were captured. Weak on its own: see `continues`.
    """
    wire = len(payload) if size is None else max(size, len(payload))
    if len(payload) < HEADER or payload[0] >> 6 != 2:
        return None
    kind = payload[1] & 0x7F
    if not (kind <= 34 or kind >= 96):  # 72 to 76 would be RTCP with the marker bit
        return None
    at = HEADER + 4 * (payload[0] & 0x0F)
    if payload[0] & 0x10:
        if at + 4 > len(payload):
            return None
        at += 4 + 4 * int.from_bytes(payload[at + 2 : at + 4], "big")
    if at > wire:
        return None
    padding = 0
    if payload[0] & 0x20:
        padding = payload[-1] if wire == len(payload) and 0 < payload[-1] <= wire - at else -1
    return Rtp(
        kind,
        payload[1] >= 0x80,
        int.from_bytes(payload[2:4], "big"),
        int.from_bytes(payload[4:8], "big"),
        int.from_bytes(payload[8:12], "big"),
        at,
        padding,
    )


def continues(previous: Rtp, current: Rtp) -> bool:
    """Whether `current` is the next packet of the stream of `previous`: source, type, number + 1, time not earlier.

    Video with pictures sent out of display order (B pictures) has steps back in time and does not always continue.
    """
    return (
        current.ssrc == previous.ssrc
        and current.payload_type == previous.payload_type
        and current.seq == (previous.seq + 1) % SEQ_MOD
        and (current.timestamp - previous.timestamp) & _MASK32 < 1 << 31
    )


def codec_of(payload_type: int) -> tuple[str, int] | None:
    """(encoding name, clock rate in Hz) of a static payload type, None for a dynamic or unassigned one."""
    return PAYLOAD_TYPES.get(payload_type)


def guess_h264(body: bytes) -> bool:
    """Whether an RTP payload begins as H.264 does: slice, IDR slice, SPS, PPS, STAP-A or FU-A. A guess."""
    if len(body) < 2 or body[0] & 0x80:
        return False
    kind, reference = body[0] & 0x1F, body[0] >> 5
    if kind == 28:
        return not body[1] & 0x20 and body[1] >> 6 != 3 and body[1] & 0x1F in (1, 5, 6, 7, 8)
    if kind == 24:
        return len(body) > 3 and body[1] << 8 | body[2] > 0 and body[3] & 0x1F in (1, 5, 6, 7, 8, 9)
    return kind == 1 or (kind in (5, 7, 8) and reference > 0)


def guess_h265(body: bytes) -> bool:
    """Whether an RTP payload begins as H.265 does: base layer, a slice, parameter set, AP or FU. A guess."""
    if len(body) < 3 or body[0] & 0x81 or body[1] & 0xF8 or not body[1] & 7:
        return False
    kind = body[0] >> 1
    if kind == 49:
        return body[2] >> 6 != 3 and _is_h265_unit(body[2] & 0x3F)
    return kind == 48 or _is_h265_unit(kind)


def _is_h265_unit(kind: int) -> bool:
    return kind <= 9 or 16 <= kind <= 21 or 32 <= kind <= 35 or kind in (39, 40)


class Sequence:
    """The sequence numbers of one source, RFC 3550 A.1 and A.3.

    A jump of 3,000 or more is believed when its next packet comes as well: a restart with both of them, and the
    counters begin anew (`earlier_expected` and `earlier_received` sum up what they were). Unlike A.1 there is no
    probation: the first packet begins the run, and a late one before the run's lowest number extends it backwards
    (`base_seq` may be below 0).
    """

    def __init__(self) -> None:
        self.max_seq = -1
        self.base_seq = 0
        self.bad_seq = SEQ_MOD + 1
        self.cycles = 0
        self.received = 0
        self.duplicates = 0  # inside the run; the number has come before
        self.reordered = 0  # inside the run; the number was missing until now
        self.refused = 0  # packets that A.1 does not accept, over all runs
        self.restarts = 0
        self.earlier_expected = 0
        self.earlier_received = 0
        self._seen = 0  # bit i: number max_seq - i has come

    @property
    def expected(self) -> int:
        """Packets between the lowest and the highest number of this run."""
        return self.cycles + self.max_seq - self.base_seq + 1 if self.received else 0

    @property
    def lost(self) -> int:
        """`expected` less `received` of this run; negative when duplicates outweigh losses."""
        return self.expected - self.received

    def add(self, seq: int) -> bool:
        """Take the next packet's number; whether A.1 accepts the packet."""
        accepted = self._add(seq)
        self.refused += not accepted
        return accepted

    def _add(self, seq: int) -> bool:
        if self.max_seq < 0:
            self._begin([seq])
            return True
        delta = (seq - self.max_seq) % SEQ_MOD
        if delta < MAX_DROPOUT:
            self.duplicates += delta == 0
            if seq < self.max_seq:
                self.cycles += SEQ_MOD
            self.max_seq = seq
            self._seen = (self._seen << delta | 1) & ((1 << MAX_MISORDER) - 1)
        elif delta <= SEQ_MOD - MAX_MISORDER:
            if seq != self.bad_seq:
                self.bad_seq = (seq + 1) % SEQ_MOD
                return False
            self.restarts += 1
            self.earlier_expected += self.expected
            self.earlier_received += self.received
            self.refused -= 1
            self._begin([seq - 1, seq])
            return True
        else:
            self.base_seq = min(self.base_seq, self.cycles + self.max_seq - (SEQ_MOD - delta))
            bit = 1 << (SEQ_MOD - delta)
            if self._seen & bit:
                self.duplicates += 1
            else:
                self.reordered += 1
            self._seen |= bit
        self.received += 1
        return True

    def _begin(self, came: list[int]) -> None:
        """init_seq of A.1 and the packets that caused it."""
        self.base_seq, self.max_seq = came[0], came[-1]
        self.bad_seq = SEQ_MOD + 1
        self.cycles = self.duplicates = self.reordered = 0
        self.received = len(came)
        self._seen = (1 << len(came)) - 1


class Jitter:
    """Interarrival jitter of one source, RFC 3550 A.8, from capture times. `clock`: ticks per second.

    All packets of a picture carry one timestamp, so for video take the first packet of each timestamp only. After a
    restart take a new object.
    """

    def __init__(self, clock: int) -> None:
        self.clock = clock
        self.ticks = 0.0
        self._transit: int | None = None

    @property
    def ms(self) -> float:
        """The jitter in milliseconds."""
        return 1000 * self.ticks / self.clock

    def add(self, arrival_ns: int, timestamp: int) -> None:
        """Take a packet that arrived at `arrival_ns` (nanoseconds) with RTP time `timestamp` (ticks)."""
        transit = arrival_ns * self.clock // 1_000_000_000 - timestamp & _MASK32
        if self._transit is not None:
            apart = transit - self._transit & _MASK32
            self.ticks += (min(apart, (1 << 32) - apart) - self.ticks) / 16
        self._transit = transit
