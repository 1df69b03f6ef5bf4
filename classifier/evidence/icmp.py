"""What an ICMP error quotes: the packet that could not be delivered.

In: an ICMP or ICMPv6 error message from its type on. Out: `parse_quoted`. The error's own addresses tell who refused
(a router, a firewall, the host itself), the quoted ones which connection. Sources: RFC 792 (at least the header and
8 bytes are quoted), RFC 1191 (next-hop MTU), RFC 1812 4.3.2.3 (as much as fits), RFC 4443 (ICMPv6), RFC 8200 (extension
headers).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

ERRORS = {4: frozenset({3, 4, 5, 11, 12}), 6: frozenset({1, 2, 3, 4})}
"""ICMP types that quote a packet, by IP version: unreachable, source quench, redirect, time exceeded, parameter
problem; and of ICMPv6: unreachable, packet too big, time exceeded, parameter problem."""

_HEADER = 8
_TCP = 6
_WITH_PORTS = frozenset({_TCP, 17, 33, 132, 136})
_FRAGMENT, _AH = 44, 51
_EXTENSIONS = frozenset({0, 43, _FRAGMENT, _AH, 60})
_MAX_EXTENSIONS = 8


@dataclass(frozen=True, slots=True)
class Quoted:
    """The quoted packet. Ports are 0 and `seq` (of TCP) None where they are not there; `mtu`: 0 when none is told."""

    version: int
    proto: int
    src: str
    src_port: int
    dst: str
    dst_port: int
    seq: int | None
    mtu: int


def parse_quoted(message: bytes, version: int) -> Quoted | None:
    """The packet that an error of this IP version quotes; None when it is no error or the quoted header is cut."""
    if len(message) < _HEADER or message[0] not in ERRORS[version]:
        return None
    packet = message[_HEADER:]
    if len(packet) < (20 if version == 4 else 40) or packet[0] >> 4 != version:
        return None
    if version == 4:
        proto, at = packet[9], (packet[0] & 15) * 4
        first = _number(packet, 6, 2) & 0x1FFF == 0
        src, dst = packet[12:16], packet[16:20]
        mtu = _number(message, 6, 2) if message[:2] == b"\x03\x04" else 0
    else:
        proto, at, first = _after_extensions(packet)
        src, dst = packet[8:24], packet[24:40]
        mtu = _number(message, 4, 4) if message[0] == 2 else 0
    src_port = dst_port = 0
    seq = None
    if first and proto in _WITH_PORTS and at >= 20 and len(packet) >= at + 4:
        src_port, dst_port = _number(packet, at, 2), _number(packet, at + 2, 2)
        if proto == _TCP and len(packet) >= at + 8:
            seq = _number(packet, at + 4, 4)
    return Quoted(
        version, proto, str(ipaddress.ip_address(src)), src_port, str(ipaddress.ip_address(dst)), dst_port, seq, mtu
    )


def _after_extensions(packet: bytes) -> tuple[int, int, bool]:
    """Protocol behind the extension headers of an IPv6 packet, where it begins, and whether it is not a later fragment.

    A chain that is cut ends with the extension header's own number, which has no ports.
    """
    proto, at = packet[6], 40
    for _ in range(_MAX_EXTENSIONS):
        if proto not in _EXTENSIONS or len(packet) < at + 8:
            break
        following, size = packet[at], packet[at + 1]
        if proto == _FRAGMENT and _number(packet, at + 2, 2) & 0xFFF8:
            return following, at + 8, False
        at += 8 if proto == _FRAGMENT else (size + 2) * 4 if proto == _AH else (size + 1) * 8
        proto = following
    return proto, at, True


def _number(raw: bytes, at: int, size: int) -> int:
    return int.from_bytes(raw[at : at + size], "big")
