"""Tabular Data Stream over TCP: SQL Server on whatever port.

In: the payload of one TCP segment. Out: `parse_prelogin` (proves SQL Server, both directions), `is_tls_wrapped` and
`is_tds` (weaker). Source: Microsoft [MS-TDS] 2.2.3.1 (packet header), 2.2.6.5 (PRELOGIN). With TDS 8.0 TLS comes first
and nothing of this is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.evidence.text import text_of

HEADER = 8
MAX_LENGTH = 4096  # packet size before a login has negotiated another one
MIN_LENGTH = 512  # smallest packet size that can be negotiated
MAX_OPTIONS = 16

_PRELOGIN = 0x12
_TABULAR = 0x04
_TERMINATOR = 0xFF
_VERSION, _ENCRYPTION, _INSTANCE = 0, 1, 2
_TYPES = frozenset((1, 2, 3, 4, 6, 7, 8, 0x0E, 0x10, 0x11, 0x12))
_STATUSES = frozenset((0, 1, 2, 4, 8, 9, 0x10))
_LAST = 1  # status: last packet of its message


@dataclass(frozen=True, slots=True)
class Prelogin:
    """A PRELOGIN request, or the answer to one.

    `version`: major.minor.build of the server, or of the client's library; "" when not said or cut off. `encryption`: 0
    off, 1 on, 2 not supported, 3 required; -1 when not said or cut off. `instance`: the name that the client asks for.
    `cut`: not all of it is there.
    """

    by: str  # "client", "server"
    version: str
    encryption: int
    instance: str
    cut: bool


def parse_prelogin(payload: bytes, size: int | None = None) -> Prelogin | None:
    """The PRELOGIN that a segment begins with, None when it does not.

    `size`: bytes of the segment on the wire; a packet that does not end in it is none. Without it a longer packet
    counts as cut. The option list has to be there to its terminator: the first few bytes look like much else.
    """
    if len(payload) < HEADER + 6 or payload[0] not in (_PRELOGIN, _TABULAR):
        return None
    length = int.from_bytes(payload[2:4], "big")
    if not payload[1] & _LAST or payload[7] or not HEADER + 12 <= length <= MAX_LENGTH:
        return None
    if size is not None and length > size:
        return None
    body = payload[HEADER:length]
    options = _options(body, length - HEADER)
    if options is None:
        return None
    client = payload[0] == _PRELOGIN
    version = _value(body, options, _VERSION)
    encryption = _value(body, options, _ENCRYPTION)
    instance = _value(body, options, _INSTANCE) if client else b""
    return Prelogin(
        "client" if client else "server",
        _version(version),
        encryption[0] if encryption else -1,
        text_of(instance.partition(b"\0")[0]),
        len(payload) < length,
    )


def is_tls_wrapped(payload: bytes) -> bool:
    """Whether a segment begins with a TLS record inside a packet of type 12, as the handshake of TDS 7.x is sent."""
    if len(payload) < HEADER + 5 or payload[0] != _PRELOGIN or payload[1] not in (0, 1) or payload[7]:
        return False
    length = int.from_bytes(payload[2:4], "big")
    kind, major, minor = payload[HEADER : HEADER + 3]
    record = int.from_bytes(payload[HEADER + 3 : HEADER + 5], "big")
    # a flight may be longer than one packet, so the record may end in the next one
    return HEADER + 5 < length <= 0x7FFF and 20 <= kind <= 23 and major == 3 and minor <= 4 and 0 < record <= 0x4800


def is_tds(payload: bytes, size: int | None = None) -> bool:
    """Whether a segment has a TDS header and nothing after that packet. Weak: other binary protocols pass now and then.

    `size`: bytes of the segment on the wire, where fewer were captured.
    """
    if len(payload) < HEADER:
        return False
    length = int.from_bytes(payload[2:4], "big")
    # only the last packet of a message may be short; TPKT (RFC 1006) has its length field in the same place
    return (
        payload[0] in _TYPES
        and payload[1] in _STATUSES
        and length == (len(payload) if size is None else size)
        and (bool(payload[1] & _LAST) or length >= MIN_LENGTH)
        and payload[7] == 0
    )


def _options(body: bytes, size: int) -> dict[int, tuple[int, int]] | None:
    """Token -> (offset, length) of the option list, None when it is none or its terminator is cut off."""
    options: dict[int, tuple[int, int]] = {}
    least = size
    for number in range(MAX_OPTIONS):
        at = number * 5
        if at >= len(body):
            return None
        token = body[at]
        if token == _TERMINATOR:
            # values lie behind the list
            return options if options and least > at else None
        if at + 5 > len(body) or token in options:
            return None
        offset = int.from_bytes(body[at + 1 : at + 3], "big")
        length = int.from_bytes(body[at + 3 : at + 5], "big")
        if offset + length > size or (number == 0) != (token == _VERSION) or (number == 0 and length != 6):
            return None
        if length:
            least = min(least, offset)
        options[token] = (offset, length)
    return None


def _value(body: bytes, options: dict[int, tuple[int, int]], token: int) -> bytes:
    """The bytes of an option, b"" when it is missing or not all there."""
    offset, length = options.get(token, (0, 0))
    value = body[offset : offset + length]
    return value if len(value) == length else b""


def _version(value: bytes) -> str:
    if not any(value[:4]):
        return ""
    return f"{value[0]}.{value[1]}.{int.from_bytes(value[2:4], 'big')}"
