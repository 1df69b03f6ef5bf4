"""Group membership: who joined, left or asked for which multicast group.

In: the bytes after the IP header of an IGMP message, or an MLD message. Out: (kind, group) pairs, with the protocol's
version, and the timers that a query names. Sources: RFC 1112 (IGMPv1), RFC 2236 (v2), RFC 9776 (v3, obsoletes 3376),
RFC 2710 (MLDv1), RFC 9777 (MLDv2).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

_JOINS = (2, 4)  # MODE_IS_EXCLUDE, CHANGE_TO_EXCLUDE_MODE
_INCLUDES = (1, 3, 5)  # MODE_IS_INCLUDE, CHANGE_TO_INCLUDE_MODE, ALLOW_NEW_SOURCES


@dataclass(frozen=True)
class Timers:
    """What a query says of its sender's timers. `interval_s` and `robustness`: 0 when it does not say, as before v3."""

    response_ms: int = 0  # members answer within it
    interval_s: int = 0  # between general queries (QQIC)
    robustness: int = 0  # how many messages in a row may get lost (QRV)


NO_TIMERS = Timers()


@dataclass(frozen=True)
class Report:
    """One statement of an IGMP or MLD message. `kind`: join, leave or query; `group`: "" in a general query."""

    kind: str
    group: str
    version: int
    timers: Timers = NO_TIMERS


def parse_igmp(payload: bytes) -> list[Report]:
    """What an IGMP message says; empty when it is cut or none of these."""
    if len(payload) < 8:
        return []
    kind = payload[0]
    group = _v4(payload[4:8])
    if kind == 0x11:
        version = 3 if len(payload) >= 12 else 2 if payload[1] else 1
        tenths = _code(payload[1], 3, 4) if version == 3 else payload[1]
        timers = _timers(tenths * 100, payload[8:10] if version == 3 else b"")
        return [Report("query", "" if group == "0.0.0.0" else group, version, timers)]
    if kind == 0x12:
        return [Report("join", group, 1)]
    if kind == 0x16:
        return [Report("join", group, 2)]
    if kind == 0x17:
        return [Report("leave", group, 2)]
    if kind == 0x22:
        return _records(payload, 4, 3)
    return []


def parse_mld(payload: bytes) -> list[Report]:
    """What an MLD message (an ICMPv6 message of type 130, 131, 132 or 143) says."""
    if len(payload) < 8:
        return []
    kind = payload[0]
    if kind == 143:
        return _records(payload, 16, 2)
    if len(payload) < 24 or kind not in (130, 131, 132):
        return []
    group = str(ipaddress.IPv6Address(payload[8:24]))
    if kind == 130:
        version = 2 if len(payload) >= 28 else 1
        code = payload[4] << 8 | payload[5]
        timers = _timers(_code(code, 3, 12) if version == 2 else code, payload[24:26] if version == 2 else b"")
        return [Report("query", "" if group == "::" else group, version, timers)]
    return [Report("join" if kind == 131 else "leave", group, 1)]


def _timers(response_ms: int, rest: bytes) -> Timers:
    """`rest`: the two bytes that hold QRV and QQIC, none before IGMPv3 and MLDv2."""
    return Timers(response_ms, _code(rest[1], 3, 4), rest[0] & 7) if rest else Timers(response_ms)


def _code(value: int, exponent_bits: int, mantissa_bits: int) -> int:
    """A number as these messages write it: a small floating-point one when its highest bit is set (RFC 9776 4.1.1)."""
    if not value >> (exponent_bits + mantissa_bits):
        return value
    mantissa = value & ((1 << mantissa_bits) - 1) | 1 << mantissa_bits
    return mantissa << ((value >> mantissa_bits & ((1 << exponent_bits) - 1)) + 3)


def _records(payload: bytes, size: int, version: int) -> list[Report]:
    """Group records of an IGMPv3 or MLDv2 report: type, aux length, source count, group, sources, aux data."""
    reports: list[Report] = []
    at = 8
    for _ in range(payload[6] << 8 | payload[7]):
        if at + 4 + size > len(payload):
            break
        kind, aux, sources = payload[at], payload[at + 1], payload[at + 2] << 8 | payload[at + 3]
        joins = kind in _JOINS or (kind in _INCLUDES and sources)
        if joins or kind in (1, 3):
            raw = payload[at + 4 : at + 4 + size]
            group = _v4(raw) if size == 4 else str(ipaddress.IPv6Address(raw))
            reports.append(Report("join" if joins else "leave", group, version))
        at += 4 + size + sources * size + aux * 4
    return reports


def _v4(raw: bytes) -> str:
    return ".".join(map(str, raw))
