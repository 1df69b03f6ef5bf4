"""DNS messages, and what shares their layout: mDNS, LLMNR, NetBIOS names.

In: UDP payloads. Out: `parse_dns`: a header that can be one, and the first name in it. Sources: RFC 1035 4.1, RFC 6762
18 (mDNS: top bit of the class), RFC 1002 4.2 (NetBIOS types and opcodes).
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER = 12
MAX_NAME = 255
MAX_LABEL = 63

_OPCODES = frozenset((0, 1, 2, 4, 5, 6, 7, 8, 9))  # NetBIOS uses 5 to 9; 3 is nobody's
_CLASSES = frozenset((1, 3, 4, 254, 255))
_LEAST_QUESTION = 1 + 4
_LEAST_RECORD = 1 + 10


@dataclass(frozen=True, slots=True)
class Dns:
    """A message. `name`, `kind`: of the first question, or of the first record where nothing is asked.

    `name`: as text without the last dot ("." for the root), "" when cut off; `kind`: TYPE number, -1 when cut off.
    """

    response: bool
    opcode: int
    code: int  # response code
    questions: int
    answers: int
    name: str
    kind: int
    cut: bool


def parse_dns(payload: bytes, size: int | None = None) -> Dns | None:
    """The message that a payload is, None when it cannot be one.

    The records that the header counts have to fit into `size`: bytes of the payload on the wire, where fewer were
    captured. A name that is cut off without that is no name, so the message is none.
    """
    wire = len(payload) if size is None else max(size, len(payload))
    if len(payload) < HEADER:
        return None
    response, opcode, code = payload[2] >= 0x80, payload[2] >> 3 & 0x0F, payload[3] & 0x0F
    questions, answers, authority, additional = (int.from_bytes(payload[at : at + 2], "big") for at in (4, 6, 8, 10))
    if opcode not in _OPCODES or payload[3] & 0x40 or (code and not response):
        return None
    least = _LEAST_QUESTION * questions + _LEAST_RECORD * (answers + authority + additional)
    if HEADER + least > wire or (not questions and not (response and answers)):
        return None
    found = _name(payload)
    if found is None:
        return None
    name, at = found
    if at < 0 or at + 4 > len(payload):
        if wire == len(payload):  # nothing was cut, so it is not what it seems
            return None
        return Dns(response, opcode, code, questions, answers, name if at >= 0 else "", -1, True)
    if int.from_bytes(payload[at + 2 : at + 4], "big") & 0x7FFF not in _CLASSES:
        return None
    kind = int.from_bytes(payload[at : at + 2], "big")
    return Dns(response, opcode, code, questions, answers, name, kind, len(payload) < wire)


def _name(payload: bytes) -> tuple[str, int] | None:
    """(name, position behind it) of the name after the header, position -1 when it is cut off, None when it is none.

    The first name has nothing before it to point to, so a compression pointer is an error and cannot loop.
    """
    labels: list[str] = []
    at = HEADER
    while at < len(payload):
        length = payload[at]
        if length > MAX_LABEL or at + 1 + length - HEADER > MAX_NAME:
            return None
        if length == 0:
            return ".".join(labels) or ".", at + 1
        labels.append("".join(map(_shown, payload[at + 1 : at + 1 + length])))
        at += 1 + length
    return "", -1


def _shown(byte: int) -> str:
    """RFC 4343 2.1: what is not printable, and the dot inside a label, as an escape."""
    if 0x21 <= byte <= 0x7E and byte not in b".\\":
        return chr(byte)
    return f"\\{chr(byte)}" if byte in b".\\" else f"\\{byte:03d}"
