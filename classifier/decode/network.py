"""IPv4 and IPv6 headers, extension headers, fragments (RFC 791, 8200, 2675, 4302).

In: the place of a header. Out: PACKET fields of the IP layer, and what follows (see `layers`). Next: `transport`.
A header that is not there whole changes no field, so that the layers around it keep the packet.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.fields import be16, be32
from classifier.decode.layers import DONE, E_AH, HALTED, IPV4, IPV6, LAYER_BITS, STOPPED, TRANSPORT
from classifier.decode.protocols import STOP_CUT, STOP_LENGTH, STOP_VERSION
from classifier.jit import MASK32, i64, kernel

_HOP_BY_HOP = 0
_ROUTING = 43
_FRAGMENT = 44
_AH = 51
_OPTIONS = 60
_SHIM6 = 140
_NO_NEXT = 59
_JUMBO_OPTION = 0xC2


@kernel
def clear_transport(row: Any) -> None:
    """Forget what an outer packet left in the fields above IP."""
    row["seq"] = 0
    row["ack"] = 0
    row["frag_id"] = 0
    row["frag_offset"] = 0
    row["src_port"] = 0
    row["dst_port"] = 0
    row["window"] = 0
    row["frag_more"] = 0
    row["tcp_flags"] = 0
    row["icmp_type"] = 0
    row["icmp_code"] = 0
    row["hint"] = 0
    row["opaque"] = 0


@kernel
def datagram_key(row: Any) -> int:
    """Hash of 61 bits that all fragments of one datagram share, of the IP header that owns `row` now; never 0.

    IPv4: source, destination, protocol, identification (RFC 791 section 3.2). IPv6: without the protocol, because the
    fragments do not all name the same next header (RFC 8200 section 4.5).
    """
    version = i64(row["version"])
    head = version
    if version == 4:
        protocol = i64(row["proto"])
        if i64(row["encap"]) & ((1 << LAYER_BITS) - 1) == E_AH:  # the header's own number; `proto` is what it signs
            protocol = _AH
        head = protocol << 8 | version
    low = 0x9E3779B1
    high = 0x85EBCA6B
    for word in (
        head,
        i64(row["frag_id"]),
        i64(row["src3"]),
        i64(row["dst3"]),
        i64(row["src2"]),
        i64(row["dst2"]),
        i64(row["src1"]),
        i64(row["dst1"]),
        i64(row["src0"]),
        i64(row["dst0"]),
    ):
        low = ((low ^ word) * 0x2C1B3C6D) & MASK32
        low ^= low >> 15
        high = ((high ^ word) * 0x297A2D39) & MASK32
        high ^= high >> 13
    return (high & 0x7FFFFFFF) << 31 | (low & 0x7FFFFFFF) | 1


@kernel
def set_payload(row: Any, at: int, end: int, limit: int) -> None:
    """Payload from `at` to `limit`, of which the bytes up to `end` were captured."""
    row["payload"] = max(limit - at, 0)
    row["payload_at"] = at
    row["payload_captured"] = max(min(end, limit) - at, 0)


@kernel
def ip_version(buffer: Any, at: int, end: int) -> int:
    """Kind of IP header by its first four bits; IPV4, which then stops, when it is neither."""
    if at < end and i64(buffer[at]) >> 4 == 6:
        return IPV6
    return IPV4


@kernel
def ipv4_header(buffer: Any, at: int, end: int, limit: int, row: Any) -> tuple[int, int, int, int, int]:
    """IPv4: needs its 20 fixed bytes. A total length of 0 is segmentation offload: the frame's length counts."""
    if end - at < 20:
        return STOPPED, STOP_CUT, at, limit, 0
    first = i64(buffer[at])
    if first >> 4 != 4:
        return STOPPED, STOP_VERSION, at, limit, 0
    header = (first & 15) * 4
    if header < 20:
        return STOPPED, STOP_LENGTH, at, limit, 0
    total = be16(buffer, at + 2)
    if total == 0:
        total = limit - at
    elif total < header:
        return STOPPED, STOP_LENGTH, at, limit, 0
    protocol = i64(buffer[at + 9])
    fragment = be16(buffer, at + 6)
    clear_transport(row)
    row["version"] = 4
    row["ip"] = total
    row["proto"] = protocol
    row["ttl"] = buffer[at + 8]
    row["src0"] = 0
    row["src1"] = 0
    row["src2"] = 0
    row["src3"] = be32(buffer, at + 12)
    row["dst0"] = 0
    row["dst1"] = 0
    row["dst2"] = 0
    row["dst3"] = be32(buffer, at + 16)
    row["frag_id"] = be16(buffer, at + 4)
    row["frag_offset"] = (fragment & 0x1FFF) * 8
    row["frag_more"] = fragment >> 13 & 1
    limit = at + total
    set_payload(row, at + header, end, limit)
    if end - at < header:
        return HALTED, STOP_CUT, at, limit, 0
    if fragment & 0x1FFF:
        return DONE, 0, at + header, limit, 0
    return TRANSPORT, protocol, at + header, limit, 0


@kernel
def jumbo_length(buffer: Any, at: int, end: int) -> int:
    """Payload length that a hop-by-hop header's jumbo option states (RFC 2675); 0 without one."""
    if end - at < 8:
        return 0
    stop = min(at + (i64(buffer[at + 1]) + 1) * 8, end)
    at += 2
    while at < stop:
        option = i64(buffer[at])
        if option == 0:
            at += 1
            continue
        if at + 2 > stop:
            return 0
        if option == _JUMBO_OPTION and i64(buffer[at + 1]) == 4 and at + 6 <= stop:
            return be32(buffer, at + 2)
        at += 2 + i64(buffer[at + 1])
    return 0


@kernel
def ipv6_header(buffer: Any, at: int, end: int, limit: int, row: Any) -> tuple[int, int, int, int, int]:
    """IPv6: needs its 40 bytes. Payload length 0: jumbo option, or offload (the frame's length counts)."""
    if end - at < 40:
        return STOPPED, STOP_CUT, at, limit, 0
    if i64(buffer[at]) >> 4 != 6:
        return STOPPED, STOP_VERSION, at, limit, 0
    following = i64(buffer[at + 6])
    length = be16(buffer, at + 4)
    if length == 0 and following != _NO_NEXT:
        length = limit - at - 40
        if following == _HOP_BY_HOP:
            jumbo = jumbo_length(buffer, at + 40, end)
            if jumbo > 0:
                length = jumbo
    clear_transport(row)
    row["version"] = 6
    row["ip"] = 40 + length
    row["proto"] = following
    row["ttl"] = buffer[at + 7]
    row["src0"] = be32(buffer, at + 8)
    row["src1"] = be32(buffer, at + 12)
    row["src2"] = be32(buffer, at + 16)
    row["src3"] = be32(buffer, at + 20)
    row["dst0"] = be32(buffer, at + 24)
    row["dst1"] = be32(buffer, at + 28)
    row["dst2"] = be32(buffer, at + 32)
    row["dst3"] = be32(buffer, at + 36)
    limit = at + 40 + length
    set_payload(row, at + 40, end, limit)
    return TRANSPORT, following, at + 40, limit, 0


@kernel
def is_extension(protocol: int) -> bool:
    """Whether an IPv6 next header value is an extension header that leads to another header."""
    return protocol in (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _OPTIONS, _SHIM6)


@kernel
def ipv6_extension(
    buffer: Any, protocol: int, at: int, end: int, limit: int, row: Any
) -> tuple[int, int, int, int, int]:
    """One IPv6 extension header; a later fragment ends here, with the protocol its fragment header names."""
    if end - at < 8:
        return HALTED, STOP_CUT, at, limit, 0
    following = i64(buffer[at])
    if protocol == _FRAGMENT:
        offset = be16(buffer, at + 2)
        row["frag_id"] = be32(buffer, at + 4)
        row["frag_offset"] = offset & 0xFFF8
        row["frag_more"] = offset & 1
        if offset & 0xFFF8:
            row["proto"] = following
            set_payload(row, at + 8, end, limit)
            return DONE, 0, at + 8, limit, 0
        return TRANSPORT, following, at + 8, limit, 0
    size = (i64(buffer[at + 1]) + 1) * 8
    if end - at < size:
        return HALTED, STOP_CUT, at, limit, 0
    return TRANSPORT, following, at + size, limit, 0


@kernel
def authentication_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """IP authentication header (RFC 4302): signed, not encrypted, so what follows is decoded."""
    if end - at < 12:
        return HALTED, STOP_CUT, at, limit, 0
    size = (i64(buffer[at + 1]) + 2) * 4
    if size < 12:
        return HALTED, STOP_LENGTH, at, limit, 0
    if end - at < size:
        return HALTED, STOP_CUT, at, limit, 0
    return TRANSPORT, i64(buffer[at]), at + size, limit, E_AH
