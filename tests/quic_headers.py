"""QUIC long headers: that a UDP flow is QUIC, and of which version. Nothing is decrypted.

In: UDP payloads. Out: `parse_quic`, a stricter reader than `decode.sniff`. Sources: RFC 8999 5 (what all versions
share), RFC 9000 17.2, RFC 9369 3.2 (version 2 renumbers the packet types), RFC 9000 14.1 (a client's Initial fills
1,200 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_ID = 20
MIN_CLIENT_INITIAL = 1200

_V1, _V2, _NEGOTIATION = 1, 0x6B3343CF, 0
_KINDS = ("initial", "0-rtt", "handshake", "retry")
_LEAST_PROTECTED = 4 + 16  # RFC 9001 5.4.2: four bytes of number and data, and the tag
_RETRY_TAG = 16


@dataclass(frozen=True, slots=True)
class Quic:
    """A long header. `version`: "1", "2", "draft-29", or "" in a negotiation, whose `versions` say what the server has.

    `destination`, `source`: connection IDs. `full`: an Initial that is as long as a client's has to be.
    """

    kind: str  # "initial", "0-rtt", "handshake", "retry", "negotiation"
    version: str
    destination: bytes
    source: bytes
    versions: tuple[str, ...]
    full: bool


def parse_quic(payload: bytes, size: int | None = None) -> Quic | None:
    """The long header that a datagram begins with, None when there is none of a known version.

    `size`: bytes of the payload on the wire, where fewer were captured.
    """
    wire = len(payload) if size is None else max(size, len(payload))
    if len(payload) < 7 or not payload[0] & 0x80:
        return None
    number = int.from_bytes(payload[1:5], "big")
    at = 6 + payload[5]
    if payload[5] > MAX_ID or at >= len(payload) or payload[at] > MAX_ID:
        return None
    destination = payload[6:at]
    source = payload[at + 1 : at + 1 + payload[at]]
    at += 1 + payload[at]
    if at > len(payload):
        return None
    if number == _NEGOTIATION:
        offered = payload[at:]
        if (wire - at) % 4 or len(offered) < 4:
            return None
        numbers = [int.from_bytes(offered[i : i + 4], "big") for i in range(0, min(len(offered) - 3, 64), 4)]
        known = tuple(name for name in map(_version, numbers) if name)
        return Quic("negotiation", "", destination, source, known, False) if known else None
    version = _version(number)
    if not version or not payload[0] & 0x40:
        return None
    kind = _KINDS[((payload[0] >> 4 & 3) - (number == _V2)) % 4]
    if kind == "retry":
        if wire - at < _RETRY_TAG:
            return None
    elif not _lengths_fit(payload, at, wire, kind == "initial"):
        return None
    full = kind == "initial" and wire >= MIN_CLIENT_INITIAL
    return Quic(kind, version, destination, source, (), full)


def _version(number: int) -> str:
    if number in (_V1, _V2):
        return "1" if number == _V1 else "2"
    return f"draft-{number & 0xFF}" if number >> 8 == 0xFF0000 and 1 <= number & 0xFF <= 34 else ""


def _lengths_fit(payload: bytes, at: int, wire: int, token: bool) -> bool:
    """Whether token and packet end inside the datagram; what was not captured fits."""
    if token:
        found = _varint(payload, at)
        if found is None:
            return wire > len(payload)
        at = found[1] + found[0]
        if at > wire:
            return False
    found = _varint(payload, at)
    if found is None:
        return wire > len(payload)
    return found[0] >= _LEAST_PROTECTED and found[1] + found[0] <= wire


def _varint(payload: bytes, at: int) -> tuple[int, int] | None:
    """(value, position behind it) of a variable-length integer (RFC 9000 16), None when it is cut off."""
    if at >= len(payload):
        return None
    end = at + (1 << (payload[at] >> 6))
    if end > len(payload):
        return None
    return int.from_bytes(payload[at:end], "big") & ((1 << (8 * (end - at) - 2)) - 1), end
