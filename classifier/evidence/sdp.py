"""Session descriptions: which media a server offers, in which codecs, under which URLs.

In: the body of an RTSP reply or ANNOUNCE. Out: `parse_sdp`. Next: `rtsp`, which joins the media to the SETUPs that ask
for them. Sources: RFC 8866 (SDP), RFC 2326 appendix C (control), RFC 3551 tables 4 and 5 (types without rtpmap).

Lines that are not whole do not count. Codec parameters (`a=fmtp`) and keys (`k=`, `a=crypto`) are not kept.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NamedTuple

from classifier.evidence.urls import clean_url

MAX_BYTES = 16_384
MAX_LINES = 512
MAX_MEDIA = 32
MAX_FORMATS = 32
MAX_TEXT = 256

DIGIFORT_SESSION = "digifort media"
"""Session name of Digifort's RTSP server, lower case (a public test fixture of its dialogue)."""

_ADDRESS = re.compile(r"IN IP([46]) ([^ /]{1,255})(?:/([0-9]{1,3}))?(?:/[0-9]{1,5})?")
_MEDIA = re.compile(r"([A-Za-z0-9_.-]{1,32}) ([0-9]{1,5})(?:/([0-9]{1,5}))? ([A-Za-z0-9/_.-]{1,64})((?: [^ ]+)*)")
_RTPMAP = re.compile(r"([0-9]{1,3}) +([^/ ]{1,64})/([0-9]{1,9})(?:/([0-9]{1,3}))?")


class Codec(NamedTuple):
    """Name as written, clock in Hz, channels (1 where none are told)."""

    codec: str
    clock: int
    channels: int


STATIC = {
    0: Codec("PCMU", 8000, 1),
    3: Codec("GSM", 8000, 1),
    4: Codec("G723", 8000, 1),
    8: Codec("PCMA", 8000, 1),
    9: Codec("G722", 8000, 1),
    10: Codec("L16", 44100, 2),
    11: Codec("L16", 44100, 1),
    14: Codec("MPA", 90000, 1),
    18: Codec("G729", 8000, 1),
    26: Codec("JPEG", 90000, 1),
    31: Codec("H261", 90000, 1),
    32: Codec("MPV", 90000, 1),
    33: Codec("MP2T", 90000, 1),
    34: Codec("H263", 90000, 1),
}


@dataclass(frozen=True, slots=True)
class Connection:
    """A `c=` line: address (or host name) and, of an IPv4 group, its TTL (0: none told)."""

    address: str
    ttl: int

    @property
    def is_multicast(self) -> bool:
        try:
            return ipaddress.ip_address(self.address).is_multicast
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Media:
    """An `m=` block. `port`: usually 0 in RTSP; `rtpmap`: payload type -> codec, static types included; `control`: as
    it stands, without credentials and query; `connection`: its own, or the session's."""

    kind: str
    port: int
    port_count: int
    profile: str
    payload_types: tuple[int, ...]
    rtpmap: dict[int, Codec]
    control: str
    connection: Connection | None


@dataclass(frozen=True, slots=True)
class Session:
    """A session description. `control`: of the whole session; `cut`: there was more than the bounds let in."""

    name: str
    connection: Connection | None
    control: str
    media: tuple[Media, ...]
    cut: bool

    @property
    def is_digifort(self) -> bool:
        return self.name.strip().lower() == DIGIFORT_SESSION


@dataclass(slots=True)
class _Block:
    """What is gathered while the lines of a session or a medium are read."""

    head: re.Match[str] | None = None
    control: str = ""
    connection: Connection | None = None
    rtpmap: dict[int, Codec] | None = None


def parse_sdp(text: bytes, *, whole: bool = False) -> Session | None:
    """The description that begins with `text`, None where none does.

    `whole`: the text ends where the body ends, so its last line counts even without a line end.
    """
    window = text[:MAX_BYTES].lstrip(b"\r\n ")
    if not window.startswith(b"v=0"):
        return None
    if not whole or len(text) > MAX_BYTES:
        window = window[: window.rfind(b"\n") + 1]
    lines = window.split(b"\n", MAX_LINES)
    cut = len(text) > MAX_BYTES or len(lines) > MAX_LINES
    name = ""
    session = _Block()
    blocks: list[_Block] = []
    block: _Block | None = session
    for raw in lines[:MAX_LINES]:
        key, value = raw[:2], raw[2:].strip().decode("utf-8", "backslashreplace")
        if key == b"m=":
            block = None
            if found := _MEDIA.fullmatch(value):
                if len(blocks) == MAX_MEDIA:
                    cut = True
                    break
                block = _Block(found)
                blocks.append(block)
        elif key == b"s=" and block is session:
            name = value[:MAX_TEXT]
        elif block is not None:  # lines of a medium that cannot be read belong to nobody
            _take(block, key, value)
    media = tuple(_media(each, session) for each in blocks)
    return Session(name, session.connection, session.control, media, cut)


def _take(block: _Block, key: bytes, value: str) -> None:
    if key == b"c=":
        block.connection = _connection(value) or block.connection
    elif key == b"a=":
        attribute, _, rest = value.partition(":")
        if attribute == "control":
            block.control = clean_control(rest)
        elif attribute == "rtpmap" and (found := _RTPMAP.match(rest.strip())):
            known = block.rtpmap if block.rtpmap is not None else {}
            if int(found[1]) <= 127 and len(known) < MAX_FORMATS:
                known[int(found[1])] = Codec(found[2], int(found[3]), int(found[4] or 1))
                block.rtpmap = known


def clean_control(text: str) -> str:
    """A control URL, absolute or relative, as it may be kept and compared: without origin, credentials and query."""
    return clean_url(text).target


def _connection(value: str) -> Connection | None:
    found = _ADDRESS.fullmatch(value)
    if found is None:
        return None
    ttl = int(found[3]) if found[3] and found[1] == "4" else 0
    return Connection(found[2], ttl if ttl <= 255 else 0)


def _media(block: _Block, session: _Block) -> Media:
    assert block.head is not None
    kind, port, count, profile, formats = block.head.groups()
    types = []
    if profile.upper().startswith("RTP/"):
        for word in formats.split()[:MAX_FORMATS]:
            if word.isascii() and word.isdigit() and len(word) <= 3 and int(word) <= 127:
                types.append(int(word))
    rtpmap = {number: STATIC[number] for number in types if number in STATIC}
    rtpmap.update(block.rtpmap or {})
    return Media(
        kind=kind.lower(),
        port=int(port) if int(port) <= 65535 else 0,
        port_count=int(count or 1),
        profile=profile,
        payload_types=tuple(types),
        rtpmap=rtpmap,
        control=block.control,
        connection=block.connection or session.connection,
    )
