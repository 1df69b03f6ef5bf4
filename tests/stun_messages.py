"""STUN, and TURN which is made of the same messages.

In: UDP payloads, or the beginning of a TCP direction. Out: `parse_stun`, a stricter reader than `decode.sniff`.
Sources: RFC 8489 5 and 14, RFC 8656 (TURN methods). The classic form of RFC 3489, without the magic cookie, is not
accepted: nothing tells it from other bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER = 20
COOKIE = b"\x21\x12\xa4\x42"
MAX_ATTRIBUTES = 128

_CLASSES = ("request", "indication", "success", "error")
_METHODS = {
    1: "binding",
    3: "allocate",
    4: "refresh",
    6: "send",
    7: "data",
    8: "create_permission",
    9: "channel_bind",
    10: "connect",
    11: "connection_bind",
    12: "connection_attempt",
}


@dataclass(frozen=True, slots=True)
class Stun:
    """A message. `method`: its name, or its number in hexadecimal; `cut`: not all of it is there."""

    kind: str  # "request", "indication", "success", "error"
    method: str
    cut: bool


def parse_stun(payload: bytes, size: int | None = None) -> Stun | None:
    """The message that a payload begins with, None when there is none: cookie, length and attributes have to fit.

    `size`: bytes of the payload on the wire, where fewer were captured.
    """
    wire = len(payload) if size is None else max(size, len(payload))
    if len(payload) < HEADER or payload[0] & 0xC0 or payload[4:8] != COOKIE:
        return None
    end = HEADER + int.from_bytes(payload[2:4], "big")
    if end % 4 or end > wire:
        return None
    at = HEADER
    for _ in range(MAX_ATTRIBUTES):
        if at == end or at + 4 > len(payload):
            break
        at += 4 + (int.from_bytes(payload[at + 2 : at + 4], "big") + 3 & ~3)
        if at > end:
            return None
    first = int.from_bytes(payload[:2], "big")
    method = first & 0x0F | first >> 1 & 0x70 | first >> 2 & 0xF80
    kind = _CLASSES[first >> 7 & 2 | first >> 4 & 1]
    return Stun(kind, _METHODS.get(method, f"{method:#05x}"), len(payload) < end)
