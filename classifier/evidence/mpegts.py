"""MPEG transport stream in datagrams, bare or in RTP.

In: UDP payloads. Out: `parse_ts`: the stream's packets with PID and continuity counter. Sources: ISO/IEC 13818-1 2.4.3
(packet header), RFC 2250 2 (whole packets in RTP, payload type 33). One datagram is weak evidence, three are good.
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.evidence.rtp import parse_rtp

PACKET = 188
NULL_PID = 0x1FFF

_SYNC = 0x47
_MP2T = 33


@dataclass(frozen=True, slots=True)
class TsPacket:
    """A packet's header. `continuity`: 0 to 15, counts up per PID with each packet that has a payload (`carries`)."""

    pid: int
    continuity: int
    carries: bool
    error: bool  # the sender marks it as damaged


@dataclass(frozen=True, slots=True)
class Ts:
    """The transport packets of one datagram whose header was captured. `start`: where they begin, 0 without RTP."""

    start: int
    packets: tuple[TsPacket, ...]

    @property
    def pids(self) -> tuple[int, ...]:
        """The PIDs in it, without stuffing, ascending."""
        return tuple(sorted({packet.pid for packet in self.packets} - {NULL_PID}))


def parse_ts(payload: bytes, size: int | None = None) -> Ts | None:
    """The transport packets of a datagram, None when it is not made of whole ones.

    `size`: bytes of the payload on the wire, where fewer were captured.
    """
    wire = len(payload) if size is None else max(size, len(payload))
    start = 0
    if payload[:1] != b"\x47":
        rtp = parse_rtp(payload, wire)
        if rtp is None or rtp.payload_type != _MP2T:
            return None
        start = rtp.payload_at
        wire -= max(rtp.padding, 0)
    if wire - start < PACKET or (wire - start) % PACKET:
        return None
    packets = []
    for at in range(start, min(wire, len(payload)), PACKET):
        if payload[at] != _SYNC:
            return None
        if at + 5 > len(payload):
            break
        control = payload[at + 3] >> 4 & 3  # of the adaptation field: 0 reserved, 1 none, 2 alone, 3 and payload
        field = payload[at + 4]  # its length, which fills the packet when it is alone
        if control == 0 or (control == 2 and field != 183) or (control == 3 and field > 182):
            return None
        pid = (payload[at + 1] & 0x1F) << 8 | payload[at + 2]
        packets.append(TsPacket(pid, payload[at + 3] & 0x0F, bool(control & 1), payload[at + 1] >= 0x80))
    return Ts(start, tuple(packets)) if packets else None
