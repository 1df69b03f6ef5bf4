"""Digifort's own frames on TCP: who is a Digifort server, an analytics or an LPR server, and of which version.

In: the first payload of a direction. Out: `parse_frame`, `component_of`. Next: the collector, which also knows which
side spoke: only the server sends these first, so the same bytes from a client prove nothing.

The layout is rebuilt from the byte patterns that nmap publishes (nmap-service-probes, Digifort 6.5 on 8600, 8610 and
8611) and holds for all of them; whether other versions keep it is not known. Big endian unless said otherwise:

    D1 51 F0 27 | body length u32 | 01 | name length u8 | name | parameters' length u32 | parameters

The body is everything after its length. Parameters: 01 | 01 00 00 00 | key length u8 | key | 08 (text) | value length
u32 little endian | value. The key NONCE comes with a challenge; nothing but the value of `Version` is ever taken out.
"""

from __future__ import annotations

from dataclasses import dataclass

MAGIC = b"\xd1\x51\xf0\x27"
MAX_BODY = 1 << 26  # a picture fits many times
MAX_NAME = 64
MAX_VERSION = 64

_NAMED = 1
_HEAD = 8
_PARAMETERS = b"\x01\x01\0\0\0\x07Version\x08"


@dataclass(frozen=True, slots=True)
class Frame:
    """The first frame of a payload.

    `name`: "" where it is not there yet or the frame is of a kind without one; `version`: "" where none is told;
    `body_bytes`: as the length field has it, 0 where that is cut off (a body has 6 bytes or more); `cut`: the payload
    ends before the frame does.
    """

    name: str
    version: str
    body_bytes: int
    cut: bool


def parse_frame(payload: bytes) -> Frame | None:
    """The frame that begins with the payload; None where none begins there or its lengths contradict each other."""
    if not payload.startswith(MAGIC):
        return None
    if len(payload) < _HEAD:
        return Frame("", "", 0, True)
    body_bytes = int.from_bytes(payload[4:_HEAD], "big")
    if not 6 <= body_bytes <= MAX_BODY:
        return None
    end = _HEAD + body_bytes
    cut = len(payload) < end
    if len(payload) <= _HEAD or payload[_HEAD] != _NAMED:
        return Frame("", "", body_bytes, cut)
    if len(payload) == _HEAD + 1:
        return Frame("", "", body_bytes, True)
    size = payload[_HEAD + 1]
    parameters_at = _HEAD + 2 + size + 4
    if not 1 <= size <= MAX_NAME or parameters_at > end:
        return None
    raw = payload[_HEAD + 2 : _HEAD + 2 + size]
    if not _is_printable(raw):
        return None
    if len(payload) < parameters_at:
        return Frame(raw.decode("ascii") if len(raw) == size else "", "", body_bytes, True)
    if int.from_bytes(payload[parameters_at - 4 : parameters_at], "big") != end - parameters_at:
        return None
    return Frame(raw.decode("ascii"), _version(payload[parameters_at:end]), body_bytes, cut)


def component_of(name: str) -> str | None:
    """The component whose server side sends a frame of this name first."""
    if name == "LOGIN":
        return "digifort.server"
    if name.startswith("CMD_ANALYTICS_"):
        return "digifort.analytics"
    if name.startswith("CMD_LPR_"):
        return "digifort.lpr"
    return None


def _version(parameters: bytes) -> str:
    if not parameters.startswith(_PARAMETERS):
        return ""
    at = len(_PARAMETERS) + 4
    size = int.from_bytes(parameters[at - 4 : at], "little")
    value = parameters[at : at + min(size, MAX_VERSION)]
    if size > MAX_VERSION or len(value) < size or not _is_printable(value):
        return ""
    return value.decode("ascii").strip()


def _is_printable(raw: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in raw)
