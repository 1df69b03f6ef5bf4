"""What a payload begins with, and what is a media stream: plain twins of `decode.sniff` and `flows.probe`.

In: bytes. Out: `hint_of`, `Media`. Written from the layouts (RFC 9112, 2326, 8446, 3550, 8489, 9000, MS-TDS,
ISO 13818-1, nmap's Digifort probes) with regular expressions and slices, not from the kernels.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

TCP, UDP = 6, 17

_CUT = re.compile(rb"[^ ]{1,24} (?:(/)|(http|rtsp)[:s])", re.IGNORECASE | re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_RTSP_METHODS = (b"DESC", b"SETU", b"PLAY", b"PAUS", b"TEAR", b"ANNO", b"RECO", b"REDI", b"GET_", b"SET_")
_HTTP_METHODS = (b"GET ", b"POST", b"HEAD", b"PUT ", b"DELE", b"CONN", b"PATC", b"OPTI")
_FOREIGN_TCP = (b"220 ", b"220-", b"+OK ", b"* OK")
_FOREIGN_TEXT = (b"SSH-", b"RFB ", b"BJNP", b"MFNP")

Hint = tuple[str, bool]
"""Name of the hint ("" none), and whether this very payload is wanted."""

NOTHING: Hint = ("", False)


def hint_of(protocol: int, data: bytes, size: int) -> Hint:
    """The hint of a payload of `size` bytes, of which `data` was captured."""
    if len(data) < 4:
        return NOTHING
    if protocol == UDP:
        return _udp(data, size), False
    return _tcp(data, size) if protocol == TCP else NOTHING


def _udp(data: bytes, size: int) -> str:
    if data[0] >> 6 == 2:
        return _media(data, size)
    if data[0] >> 6 == 3:
        return "quic" if _is_quic(data) else ""
    if data[0] == 0x47:
        synced = all(data[at] == 0x47 for at in range(0, len(data), 188))
        return "mpegts" if size and size % 188 == 0 and synced else ""
    if data[0] < 0x40 and data[4:8] == bytes.fromhex("2112a442") and len(data) >= 20:
        length = int.from_bytes(data[2:4], "big")
        return "stun" if length % 4 == 0 and size >= 20 + length else ""
    if data[:4] in (b"M-SE", b"NOTI", b"HTTP"):
        return "httpu" if len(data) >= 8 and data.startswith((b"M-SEARCH", b"NOTIFY *", b"HTTP/1.")) else ""
    if data[:1] == b"<":
        return "soap" if data[:4] == b"<?xm" or _is_envelope(data) else ""
    if 20 <= data[0] <= 25 and data[1:3] in (b"\xfe\xff", b"\xfe\xfd"):
        return "tls"
    return "foreign" if data[:4] in (b"BJNP", b"MFNP") else ""


def _is_quic(data: bytes) -> bool:
    """RFC 9000 17.2: version, then both connection ids behind their lengths."""
    if data[1:5] not in (bytes(4), b"\0\0\0\1", bytes.fromhex("6b3343cf")) or len(data) < 7:
        return False
    source = data[6 + data[5] : 7 + data[5]]
    return data[5] <= 20 and source != b"" and source[0] <= 20 and data[5] + source[0] > 0


def _is_envelope(data: bytes) -> bool:
    """The first capital E within the first 24 bytes begins the word Envelope."""
    at = data.find(b"E", 1, 24)
    return at >= 0 and at + 8 < len(data) and data[at : at + 8] == b"Envelope"


def _media(data: bytes, size: int) -> str:
    if len(data) < 8:
        return ""
    if 192 <= data[1] <= 213:
        return "rtcp" if data[1] in (200, 201) and not data[0] & 0x20 and _is_compound(data, size) else ""
    kind = data[1] & 0x7F
    if len(data) < 12 or 35 <= kind <= 95:
        return ""
    head = 12 + 4 * (data[0] & 15)
    if data[0] & 0x10:
        extension = data[head : head + 4]
        head += 4 + (4 * int.from_bytes(extension[2:], "big") if len(extension) == 4 else 0)
    return "rtp" if head <= size else ""


def _is_compound(data: bytes, size: int) -> bool:
    """RTCP packets one behind the other that fill the datagram, as far as it was captured."""
    at = 0
    while at < size:
        head = data[at : at + 4]
        if len(head) < 4:
            return len(data) < size
        if head[0] >> 6 != 2:
            return False
        at += 4 + 4 * int.from_bytes(head[2:], "big")
    return at == size


def _tcp(data: bytes, size: int) -> Hint:
    if 0x41 <= data[0] <= 0x5A:
        return _text(data)
    if data[:4] == bytes.fromhex("d151f027"):
        whole = len(data) >= 8
        return ("digifort", False) if not whole or 6 <= int.from_bytes(data[4:8], "big") <= 1 << 26 else NOTHING
    if 20 <= data[0] <= 23:
        if len(data) < 5 or data[1] != 3 or data[2] > 4 or not 1 <= int.from_bytes(data[3:5], "big") <= 16384 + 2048:
            return NOTHING
        return "tls", data[0] == 22 and data[5:6] == b"\x01"
    if data[0] in (0x12, 0x04):
        name = "tds_request" if data[0] == 0x12 else "tds_reply"
        return (name, False) if _is_prelogin(data, size) else NOTHING
    if data[:4] in _FOREIGN_TCP or (data[0] == 0 and data[4:8] in (b"\xffSMB", b"\xfeSMB", b"\xfdSMB")):
        return "foreign", False
    return NOTHING


def _is_prelogin(data: bytes, size: int) -> bool:
    """[MS-TDS] 2.2.3.1 and 2.2.6.5: header, then VERSION first in a list of five-byte options that FFh ends."""
    if len(data) < 14:
        return False
    _, status, length, _, _, window, token, offset, count = struct.unpack_from(">BBHHBBBHH", data)
    if status > 1 or window or token or count != 6 or not 20 <= length <= size:
        return False
    if offset < 6 or (offset - 1) % 5 or 8 + offset + 6 > length:
        return False
    return data[7 + offset : 8 + offset] in (b"", b"\xff")


def _text(data: bytes) -> Hint:
    word = data[:4]
    if word == b"HTTP":
        return ("http_reply", data[9:12] == b"401" and len(data) >= 12) if data[4:5] in (b"", b"/") else NOTHING
    if word == b"RTSP":
        return ("rtsp_reply", False) if data[4:5] in (b"", b"/") else NOTHING
    if word in _FOREIGN_TEXT:
        return "foreign", False
    protocol = _protocol(data)
    if word in _RTSP_METHODS:
        return ("rtsp_request", word == b"SETU") if protocol in ("RTSP", "either") else NOTHING
    if word not in _HTTP_METHODS:
        return NOTHING
    if protocol == "RTSP":
        return "rtsp_request", False
    if protocol == "HTTP" or (protocol == "either" and word != b"OPTI"):
        return "http_request", _asks_interface(data)
    return NOTHING


def _asks_interface(data: bytes) -> bool:
    """The first space among bytes 3 to 7, then `/Interface/` or what looks like it (only letters' case may differ)."""
    at = data.find(b" ", 3, 8)
    path = data[at + 1 : at + 12]
    return at >= 0 and len(path) == 11 and path[:1] == b"/" and bytes(b | 0x20 for b in path[1:9]) == b"interfac"


def _protocol(data: bytes) -> str:
    """What the first line ends with; "either" for a path whose line is not all there."""
    window = data[:1024]
    ends = [at for at in (window.find(b"\r"), window.find(b"\n")) if at >= 0]
    line = window[: min(ends, default=len(window))]
    if _CONTROL.search(line):
        return ""
    if ends:
        whole = re.fullmatch(rb".{4,} (HTTP|RTSP)/1\..", line, re.DOTALL)
        return whole[1].decode() if whole else ""
    cut = _CUT.match(line)
    if cut is None:
        return ""
    return "either" if cut[1] else cut[2].upper().decode()


@dataclass
class Media:
    """What one direction of a flow shows of media, from all its payloads."""

    hits: int = 0
    reports: int = 0
    datagrams: int = 0
    _last: tuple[int, ...] | None = field(default=None, repr=False)

    def add(self, data: bytes, size: int) -> None:
        """The next payload of this direction."""
        name, _ = hint_of(UDP, data, size)
        self.reports += name == "rtcp"
        self.datagrams += name == "mpegts"
        if name != "rtp":
            return
        kind, seq, stamp, ssrc = struct.unpack_from(">xBHII", data)
        now = (kind & 0x7F, seq, stamp, ssrc)
        if (
            self._last is not None
            and (now[0], now[3]) == (self._last[0], self._last[3])
            and now[1] == (self._last[1] + 1) % 65536
        ):
            self.hits += (stamp - self._last[2]) % (1 << 32) < 1 << 31
        self._last = now
