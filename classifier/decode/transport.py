"""TCP, UDP, ICMP, ICMPv6, IGMP, SCTP headers (RFC 9293, 768, 792, 4443, 3376, 9260).

In: the place of the header in a whole or first-fragment IP packet. Out: ports, flags and payload place in the
PACKET row, and a stop reason (0: the header was whole). Ports are kept from the first four bytes on.
An ICMP error's quoted packet is payload: its addresses are never the packet's own.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.fields import be16, be32
from classifier.decode.network import set_payload
from classifier.decode.protocols import STOP_CUT, STOP_LENGTH, STOP_NONE
from classifier.jit import i64, kernel

_SCTP = 132
_DCCP = 33
_UDP_LITE = 136


@kernel
def tcp_header(buffer: Any, at: int, end: int, limit: int, row: Any) -> int:
    """TCP: ports from 4 bytes on, the rest from 20; a data offset that cannot be true leaves no payload."""
    if end - at < 4:
        return STOP_CUT
    row["src_port"] = be16(buffer, at)
    row["dst_port"] = be16(buffer, at + 2)
    if end - at < 20:
        set_payload(row, end, end, end)
        row["payload"] = max(limit - at - 20, 0)
        return STOP_CUT
    row["seq"] = be32(buffer, at + 4)
    row["ack"] = be32(buffer, at + 8)
    row["tcp_flags"] = buffer[at + 13]
    row["window"] = be16(buffer, at + 14)
    header = (i64(buffer[at + 12]) >> 4) * 4
    if header < 20 or header > limit - at:
        set_payload(row, at + 20, at + 20, at + 20)
        return STOP_LENGTH
    set_payload(row, at + header, end, limit)
    if header > end - at:
        return STOP_CUT
    return STOP_NONE


@kernel
def ports_header(buffer: Any, at: int, end: int, limit: int, row: Any, header: int) -> int:
    """A header of `header` bytes that begins with two ports: UDP, UDP-Lite, SCTP, DCCP."""
    if end - at < 4:
        return STOP_CUT
    row["src_port"] = be16(buffer, at)
    row["dst_port"] = be16(buffer, at + 2)
    if end - at < header:
        set_payload(row, end, end, end)
        row["payload"] = max(limit - at - header, 0)
        return STOP_CUT
    set_payload(row, at + header, end, limit)
    return STOP_NONE


@kernel
def ported_header_size(protocol: int) -> int:
    """Header bytes of the protocols with ports other than TCP and UDP; 0 for the rest."""
    if protocol in (_SCTP, _DCCP):
        return 12
    if protocol == _UDP_LITE:
        return 8
    return 0


@kernel
def icmp_header(buffer: Any, at: int, end: int, limit: int, row: Any) -> int:
    """ICMP, ICMPv6, IGMP: type and code; the payload begins after 8 bytes (the quoted packet of an error)."""
    if end - at < 2:
        return STOP_CUT
    row["icmp_type"] = buffer[at]
    row["icmp_code"] = buffer[at + 1]
    if end - at < 8:
        set_payload(row, end, end, end)
        row["payload"] = max(limit - at - 8, 0)
        return STOP_CUT
    set_payload(row, at + 8, end, limit)
    return STOP_NONE
