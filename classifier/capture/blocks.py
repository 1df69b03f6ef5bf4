"""The pcapng blocks that describe: section header, interface, statistics, names; and their options.

In: the body of one block (between its two lengths). Out: small parsed values; damaged or absurd contents give the
defaults. Next: `pcapng.py` keeps them in the CaptureInfo.

Option lists end at the block's end, whatever their lengths claim, and after MAX_OPTIONS options.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field

from classifier.capture.model import MAX_COMMENT_CHARACTERS, MAX_COMMENTS, MAX_NAME_CHARACTERS, Interface

SECTION_BLOCK = 0x0A0D0D0A
INTERFACE_BLOCK = 1
NAMES_BLOCK = 4
STATISTICS_BLOCK = 5

MAX_OPTIONS = 256
INT64_MAX = 2**63 - 1

# how ticks become nanoseconds (the kernel `ticks_to_ns`)
MULTIPLY, DIVIDE, SHIFT = 0, 1, 2

_COMMENT = 1


def clean(text: bytes, limit: int) -> str:
    """UTF-8 text of a file, at most `limit` characters, without trailing zeros; what is no UTF-8 is replaced."""
    return text[: 4 * limit].decode("utf-8", "replace").rstrip("\0")[:limit]


def has_more_options(body: bytes, at: int, order: str) -> bool:
    """Whether there are more options from `at` on than `options` gives."""
    return len(body) - at > 4 * MAX_OPTIONS and len(list(options(body, at, order, MAX_OPTIONS + 1))) > MAX_OPTIONS


def options(body: bytes, at: int, order: str, most: int = MAX_OPTIONS) -> Iterator[tuple[int, bytes]]:
    """(code, value) of the options from `at` on, `most` at most."""
    for _ in range(most):
        if at + 4 > len(body):
            return
        code, length = _number(body, at, 2, order), _number(body, at + 2, 2, order)
        if code == 0 or at + 4 + length > len(body):
            return
        yield code, body[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def _number(body: bytes, at: int, size: int, order: str, *, signed: bool = False) -> int:
    return int.from_bytes(body[at : at + size], "big" if order == "big" else "little", signed=signed)


@dataclass(slots=True)
class Section:
    """What a Section Header Block says."""

    major: int
    minor: int
    hardware: str = ""
    os: str = ""
    application: str = ""
    comments: list[bytes] = field(default_factory=list)


def parse_section(body: bytes, order: str) -> Section:
    """A Section Header Block's body (16 bytes at least); its section length is not used."""
    section = Section(_number(body, 4, 2, order), _number(body, 6, 2, order))
    for code, value in options(body, 16, order):
        if code == _COMMENT:
            _add_comment(section.comments, value)
        elif code == 2:
            section.hardware = clean(value, MAX_NAME_CHARACTERS)
        elif code == 3:
            section.os = clean(value, MAX_NAME_CHARACTERS)
        elif code == 4:
            section.application = clean(value, MAX_NAME_CHARACTERS)
    return section


def _add_comment(comments: list[bytes], value: bytes) -> None:
    if len(comments) <= MAX_COMMENTS:  # one more than is kept, so that it is told
        comments.append(value[: 4 * MAX_COMMENT_CHARACTERS])


@dataclass(slots=True)
class InterfaceBlock:
    """What an Interface Description Block says, with the numbers that make nanoseconds of its ticks."""

    interface: Interface
    mode: int = MULTIPLY
    factor: int = 1000
    offset_ns: int = 0
    problem: str = ""
    comments: list[bytes] = field(default_factory=list)


def parse_interface(body: bytes, order: str) -> InterfaceBlock:
    """An Interface Description Block's body; missing parts are taken as 0."""
    interface = Interface(_number(body, 0, 2, order), _number(body, 4, 4, order))
    parsed = InterfaceBlock(interface)
    for code, value in options(body, 8, order):
        if code == _COMMENT:
            _add_comment(parsed.comments, value)
        elif code == 2:
            interface.name = clean(value, MAX_NAME_CHARACTERS)
        elif code == 3:
            interface.description = clean(value, MAX_NAME_CHARACTERS)
        elif code == 9 and value:
            _resolution(parsed, value[0])
        elif code == 11 and value:
            interface.filter = clean(value[1:], MAX_NAME_CHARACTERS) if value[0] == 0 else ""
        elif code == 12:
            interface.os = clean(value, MAX_NAME_CHARACTERS)
        elif code == 14 and len(value) == 8:
            _offset(parsed, _number(value, 0, 8, order, signed=True))
    return parsed


def _resolution(parsed: InterfaceBlock, value: int) -> None:
    """if_tsresol: the power of 10 (or, with the highest bit, of 2) that one tick is a part of a second."""
    power = value & 0x7F
    if value & 0x80 and power:
        parsed.mode, parsed.factor = SHIFT, power
        parsed.interface.resolution = f"2^-{power}"
        return
    parsed.interface.resolution = f"1e-{power:02d}"
    if power <= 9:
        parsed.mode, parsed.factor = MULTIPLY, 10 ** (9 - power)
    else:
        parsed.mode = DIVIDE
        parsed.factor = 10 ** (power - 9) if power <= 27 else 0


def _offset(parsed: InterfaceBlock, seconds: int) -> None:
    """if_tsoffset: seconds to add."""
    parsed.interface.offset_s = seconds
    nanoseconds = seconds * 1_000_000_000
    if abs(nanoseconds) > INT64_MAX:
        parsed.problem = f"a time offset of {seconds} seconds is beyond what can be kept; it is not used"
        return
    parsed.offset_ns = nanoseconds


def parse_statistics(body: bytes, order: str) -> tuple[int, int | None, int | None]:
    """Interface number, packets received, packets dropped (interface and operating system) of a statistics block."""
    received: int | None = None
    dropped: int | None = None
    for code, value in options(body, 12, order):
        if len(value) != 8:
            continue
        if code == 4:
            received = _number(value, 0, 8, order)
        elif code in (5, 7):
            dropped = (dropped or 0) + _number(value, 0, 8, order)
    return _number(body, 0, 4, order), received, dropped


def parse_names(body: bytes, order: str, names: dict[str, str], limit: int) -> None:
    """Put the names of a Name Resolution Block into `names` (address -> first name), up to `limit` addresses."""
    at = 0
    while at + 4 <= len(body) and len(names) < limit:
        kind, length = _number(body, at, 2, order), _number(body, at + 2, 2, order)
        value = body[at + 4 : at + 4 + length]
        size = {1: 4, 2: 16}.get(kind, 0)
        if kind == 0 or len(value) < length:
            return
        if size and length > size:
            name = clean(value[size:].split(b"\0")[0], MAX_NAME_CHARACTERS)
            if name:
                names.setdefault(str(ipaddress.ip_address(value[:size])), name)
        at += 4 + (length + 3) // 4 * 4
