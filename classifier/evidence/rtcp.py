"""RTCP compound packets: what receivers say about the streams they get.

In: UDP payloads (or the PDU of an interleaved RTSP frame). Out: `parse_rtcp`. Sources: RFC 3550 6.1, 6.4, A.2; RFC 5761
4 (range of types). Reduced-size packets (RFC 5506) and SRTCP are not accepted: without the lengths adding up there is
nothing to hold on to. SDES items are personal data (names of hosts and users) and are not read.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_PACKETS = 64  # in one compound packet; a mixer with a full set of sources sends fewer
_SR, _RR, _SDES, _BYE = 200, 201, 202, 203
_BLOCK = 24


@dataclass(frozen=True, slots=True)
class Block:
    """A report block. `fraction`: lost since the last report, in 1/256; `lost`: since the beginning, signed 24 bits.

    `jitter`: in ticks of the media clock; `lsr`, `dlsr`: 1/65536 s.
    """

    ssrc: int
    fraction: int
    lost: int
    highest_seq: int
    jitter: int
    lsr: int
    dlsr: int


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender information of an SR. `ntp`: 32.32 fixed point, seconds since 1900."""

    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Rtcp:
    """A compound packet. `ssrc`: who sends it; `kinds`: packet types in order; `blocks`: of all its SRs and RRs.

    `cut`: not all of it was captured, so its lengths could not be added up.
    """

    ssrc: int
    sender: Sender | None
    blocks: tuple[Block, ...]
    kinds: tuple[int, ...]
    cut: bool

    @property
    def has_sdes(self) -> bool:
        return _SDES in self.kinds

    @property
    def has_bye(self) -> bool:
        return _BYE in self.kinds


def parse_rtcp(payload: bytes, size: int | None = None) -> Rtcp | None:
    """The compound packet that a payload is, None when it is none: first an SR or RR, lengths adding up exactly (A.2).

    `size`: bytes of the payload on the wire, where fewer were captured; the first packet has to be there whole.
    """
    wire = len(payload) if size is None else max(size, len(payload))
    if len(payload) < 8 or wire % 4 or payload[0] & 0xE0 != 0x80 or payload[1] not in (_SR, _RR):
        return None
    sender: Sender | None = None
    blocks: list[Block] = []
    kinds: list[int] = []
    at = 0
    while at < wire:
        if at + 4 > len(payload):
            break
        first, kind = payload[at], payload[at + 1]
        end = at + 4 + 4 * int.from_bytes(payload[at + 2 : at + 4], "big")
        if first >> 6 != 2 or not 192 <= kind <= 223 or end > wire or len(kinds) == MAX_PACKETS:
            return None
        if first & 0x20 and end != wire:  # only the last one may be padded
            return None
        if kind in (_SR, _RR):
            begin = at + (28 if kind == _SR else 8)
            if begin + _BLOCK * (first & 0x1F) > end:
                return None
            if kind == _SR and sender is None and begin <= len(payload):
                sender = _sender(payload[at + 8 : begin])
            for number in range(first & 0x1F):
                block = payload[begin + _BLOCK * number : begin + _BLOCK * (number + 1)]
                if len(block) == _BLOCK:
                    blocks.append(_block(block))
        kinds.append(kind)
        if len(kinds) == 1 and end > len(payload):
            return None
        at = end
    return Rtcp(int.from_bytes(payload[4:8], "big"), sender, tuple(blocks), tuple(kinds), len(payload) < wire)


def _sender(raw: bytes) -> Sender:
    return Sender(
        int.from_bytes(raw[:8], "big"),
        int.from_bytes(raw[8:12], "big"),
        int.from_bytes(raw[12:16], "big"),
        int.from_bytes(raw[16:20], "big"),
    )


def _block(raw: bytes) -> Block:
    return Block(
        int.from_bytes(raw[:4], "big"),
        raw[4],
        int.from_bytes(raw[5:8], "big", signed=True),
        *(int.from_bytes(raw[at : at + 4], "big") for at in (8, 12, 16, 20)),
    )
