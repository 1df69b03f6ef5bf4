"""The sniffer: what each packet's payload begins with.

In: PACKET rows and the buffer their payloads lie in. Out: `hint` (decode.hints) in each row; for what may be RTP also
its header, in fields that a UDP packet does not use (`seq` the SSRC, `ack` the timestamp, `window` the sequence number,
`tcp_flags` marker bit and payload type, `icmp_type` what its payload begins with). Next: the flow table.

Only what a few bytes can tell, for every packet at the same small cost; nothing here trusts a length of the payload.
Layouts: RFC 9112 and 2326 (first lines), RFC 8446 section 5.1, MS-TDS 2.2.3.1 and 2.2.6.5, RFC 3550 sections 5.1 and
6.4, ISO 13818-1 (sync bytes), RFC 8489 section 5, RFC 9000 section 17.2; Digifort frames: nmap's service probes.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.fields import be16, be24, be32
from classifier.decode.hints import (
    DIGIFORT,
    FOREIGN,
    HTTP_REPLY,
    HTTP_REQUEST,
    HTTPU,
    MPEGTS,
    NO_HINT,
    QUIC,
    RTCP,
    RTP,
    RTSP_REPLY,
    RTSP_REQUEST,
    SOAP,
    STUN,
    TDS_REPLY,
    TDS_REQUEST,
    TLS,
    WANTED,
)
from classifier.decode.payload_types import FITS_AVC, FITS_HEVC, KEY_AVC, KEY_HEVC
from classifier.jit import i64, inlined, kernel

_TCP = 6
_UDP = 17
_DIGIFORT_MAGIC = 0xD151F027
_SHORTEST_FRAME, _LONGEST_FRAME = 6, 1 << 26  # as in `evidence.digifort`
_FIRST_LINE = 1024
_LONGEST_METHOD = 24  # as in `evidence.message`
_EITHER = 1  # beside the words _HTTP and _RTSP: a request line that may be of both
_STUN_COOKIE = 0x2112A442
_LONGEST_RECORD = 16_384 + 2_048  # TLSCiphertext.length, RFC 5246 section 6.2.3
_TS_PACKET = 188
_AGGREGATED = 8


def _word(text: str) -> int:
    return int.from_bytes(text.encode("ascii"), "big")


_HTTP = _word("HTTP")
_RTSP = _word("RTSP")
_OPTI = _word("OPTI")
_GET_ = _word("GET_")
_SET_ = _word("SET_")
_GET = _word("GET ")
_POST = _word("POST")
_HEAD = _word("HEAD")
_PUT = _word("PUT ")
_DELE = _word("DELE")
_CONN = _word("CONN")
_PATC = _word("PATC")
_DESC = _word("DESC")
_SETU = _word("SETU")
_PLAY = _word("PLAY")
_PAUS = _word("PAUS")
_TEAR = _word("TEAR")
_ANNO = _word("ANNO")
_RECO = _word("RECO")
_REDI = _word("REDI")
_UNAUTHORIZED = 0x343031  # "401"
_VERSION_1 = 0x2F312E  # "/1."
_INTE = _word("inte")
_RFAC = _word("rfac")
_SSH = _word("SSH-")
_SMTP = _word("220 ")
_SMTP_LINES = _word("220-")
_POP = _word("+OK ")
_IMAP = _word("* OK")
_BJNP = _word("BJNP")
_MFNP = _word("MFNP")
_RFB = _word("RFB ")
_SMB1 = 0xFF534D42
_SMB2 = 0xFE534D42
_SMB3 = 0xFD534D42
_MSEARCH = _word("M-SE")
_NOTIFY = _word("NOTI")
_ARCH = _word("ARCH")
_FY_ALL = _word("FY *")
_XML = _word("<?xm")


@kernel
def sniff_batch(buffer: Any, packets: Any, n: int) -> None:
    """Set `hint` of `packets[0:n]`, whose payloads lie in `buffer`."""
    for i in range(n):
        row = packets[i]
        row["hint"] = NO_HINT
        have = i64(row["payload_captured"])
        if have < 4 or row["frag_offset"] != 0:
            continue
        proto = i64(row["proto"])
        if proto == _UDP:
            row["hint"] = sniff_udp(buffer, i64(row["payload_at"]), have, i64(row["payload"]), row)
        elif proto == _TCP:
            row["hint"] = sniff_tcp(buffer, i64(row["payload_at"]), have, i64(row["payload"]))


@inlined
def sniff_udp(buffer: Any, at: int, have: int, size: int, row: Any) -> int:
    """The hint of a UDP payload at `at`: `have` bytes captured of `size`."""
    first = i64(buffer[at])
    top = first & 0xC0
    if top == 0x80:
        return sniff_media(buffer, at, have, size, row)
    if top == 0xC0:
        return QUIC if have >= 7 and is_quic(buffer, at, have) else NO_HINT
    word = be32(buffer, at)
    if first == 0x47:
        return MPEGTS if is_mpegts(buffer, at, have, size) else NO_HINT
    if top == 0 and have >= 20 and be32(buffer, at + 4) == _STUN_COOKIE:
        return STUN if word & 0x3 == 0 and (word & 0xFFFF) + 20 <= size else NO_HINT
    if word in (_MSEARCH, _NOTIFY, _HTTP):
        return HTTPU if have >= 8 and is_httpu(word, be32(buffer, at + 4)) else NO_HINT
    if first == 0x3C:
        return SOAP if word == _XML or is_envelope(buffer, at, have) else NO_HINT
    if 20 <= first <= 25 and (word >> 8) & 0xFFFF in (0xFEFF, 0xFEFD):
        return TLS
    if word in (_BJNP, _MFNP):
        return FOREIGN
    return NO_HINT


@inlined
def sniff_tcp(buffer: Any, at: int, have: int, size: int) -> int:
    """The hint of a TCP payload at `at`: `have` bytes captured of `size`."""
    first = i64(buffer[at])
    if 0x41 <= first <= 0x5A:
        return sniff_text(buffer, at, have)
    word = be32(buffer, at)
    if word == _DIGIFORT_MAGIC:
        if have < 8 or _SHORTEST_FRAME <= be32(buffer, at + 4) <= _LONGEST_FRAME:
            return DIGIFORT
        return NO_HINT
    if 20 <= first <= 23:
        if (word >> 8) & 0xFFFF in (0x0300, 0x0301, 0x0302, 0x0303, 0x0304) and have >= 5:
            length = be16(buffer, at + 3)
            if length == 0 or length > _LONGEST_RECORD:
                return NO_HINT
            return TLS | WANTED if first == 22 and have > 5 and i64(buffer[at + 5]) == 1 else TLS
        return NO_HINT
    if first == 0x12:
        return TDS_REQUEST if is_prelogin(buffer, at, have, size) else NO_HINT
    if first == 0x04:
        return TDS_REPLY if is_prelogin(buffer, at, have, size) else NO_HINT
    if word in (_SMTP, _SMTP_LINES, _POP, _IMAP):
        return FOREIGN
    if first == 0 and have >= 8:
        smb = be32(buffer, at + 4)  # behind the length of a NetBIOS session message
        return FOREIGN if smb in (_SMB1, _SMB2, _SMB3) else NO_HINT
    return NO_HINT


@kernel
def sniff_text(buffer: Any, at: int, have: int) -> int:
    """The hint of a payload that begins with a capital letter."""
    word = be32(buffer, at)
    if word == _HTTP:
        if have < 12:
            return HTTP_REPLY if have < 5 or i64(buffer[at + 4]) == 0x2F else NO_HINT
        if i64(buffer[at + 4]) != 0x2F:
            return NO_HINT
        return HTTP_REPLY | WANTED if be24(buffer, at + 9) == _UNAUTHORIZED else HTTP_REPLY
    if word == _RTSP:
        return RTSP_REPLY if have < 5 or i64(buffer[at + 4]) == 0x2F else NO_HINT
    if word in (_DESC, _SETU, _PLAY, _PAUS, _TEAR, _ANNO, _RECO, _REDI, _GET_, _SET_):
        if line_protocol(buffer, at, have) not in (_RTSP, _EITHER):
            return NO_HINT
        return RTSP_REQUEST | WANTED if word == _SETU else RTSP_REQUEST
    if word in (_GET, _POST, _HEAD, _PUT, _DELE, _CONN, _PATC, _OPTI):
        protocol = line_protocol(buffer, at, have)
        if protocol == _RTSP:
            return RTSP_REQUEST
        if protocol == _HTTP or (protocol == _EITHER and word != _OPTI):
            return HTTP_REQUEST | WANTED if asks_interface(buffer, at, have) else HTTP_REQUEST
        return NO_HINT
    if word in (_SSH, _RFB, _BJNP, _MFNP):
        return FOREIGN
    return NO_HINT


@kernel
def asks_interface(buffer: Any, at: int, have: int) -> bool:
    """Whether an HTTP request asks for `/Interface/...`, in either case: the Digifort HTTP API."""
    for k in range(3, min(have, 8)):
        if i64(buffer[at + k]) == 0x20:
            path = at + k + 1
            if at + have - path < 11 or i64(buffer[path]) != 0x2F:
                return False
            low = be32(buffer, path + 1) | 0x20202020
            more = be32(buffer, path + 5) | 0x20202020
            return low == _INTE and more == _RFAC
    return False


@kernel
def line_protocol(buffer: Any, at: int, have: int) -> int:
    """The protocol that the first line ends with (` HTTP/1.x`, ` RTSP/1.x`), 0 for none.

    A line whose end is not there speaks by its target: a URL names the protocol, a path may be of `_EITHER`.
    """
    space = 0
    for k in range(min(have, _FIRST_LINE)):
        byte = i64(buffer[at + k])
        if byte == 13 or byte == 10:
            if k < 13 or i64(buffer[at + k - 9]) != 0x20 or be24(buffer, at + k - 4) != _VERSION_1:
                return 0
            word = be32(buffer, at + k - 8)
            return word if word in (_HTTP, _RTSP) else 0
        if byte < 32 and byte != 9:
            return 0
        if byte == 32 and space == 0:
            space = k
    if space == 0 or space > _LONGEST_METHOD or space + 1 >= have:
        return 0
    if i64(buffer[at + space + 1]) == 0x2F:
        return _EITHER
    if space + 6 > have or i64(buffer[at + space + 5]) not in (0x3A, 0x53, 0x73):  # ":", or "s:" of https and rtsps
        return 0
    scheme = be32(buffer, at + space + 1) & 0xDFDFDFDF
    return scheme if scheme in (_HTTP, _RTSP) else 0


@kernel
def is_prelogin(buffer: Any, at: int, have: int, size: int) -> bool:
    """A TDS message of type 18 or 4 whose option list begins with VERSION and ends where the data begin."""
    if have < 14 or i64(buffer[at + 1]) > 1 or i64(buffer[at + 7]) != 0:
        return False
    length = be16(buffer, at + 2)
    if length > size or length < 8 + 6 + 6 or i64(buffer[at + 8]) != 0 or be16(buffer, at + 11) != 6:
        return False
    options = be16(buffer, at + 9)  # where VERSION's data begin: right behind the list
    if options < 6 or options % 5 != 1 or 8 + options + 6 > length:
        return False
    return have < 8 + options or i64(buffer[at + 7 + options]) == 0xFF


@kernel
def sniff_media(buffer: Any, at: int, have: int, size: int, row: Any) -> int:
    """RTP or RTCP of version 2; what may be RTP leaves its header in the row."""
    if have < 8:
        return NO_HINT
    first, second = i64(buffer[at]), i64(buffer[at + 1])
    if 192 <= second <= 213:
        if second not in (200, 201) or first & 0x20 != 0:
            return NO_HINT
        step = 4 * (be16(buffer, at + 2) + 1)
        total = step
        while total < size and total + 4 <= have:
            if i64(buffer[at + total]) & 0xC0 != 0x80:
                return NO_HINT
            total += 4 * (be16(buffer, at + total + 2) + 1)
        return RTCP if total == size or (total < size and have < size) else NO_HINT
    kind = second & 0x7F
    if have < 12 or (kind > 34 and kind < 96):
        return NO_HINT
    head = 12 + 4 * (first & 0x0F)
    if first & 0x10 != 0:
        if head + 4 <= have:
            head += 4 + 4 * be16(buffer, at + head + 2)
        else:
            head += 4
    if head > size:
        return NO_HINT
    row["seq"] = be32(buffer, at + 8)
    row["ack"] = be32(buffer, at + 4)
    row["window"] = be16(buffer, at + 2)
    row["tcp_flags"] = second
    row["icmp_type"] = picture_kind(buffer, at + head, at + have) if kind >= 96 else 0
    return RTP


@inlined
def picture_kind(buffer: Any, at: int, end: int) -> int:
    """What an RTP payload of a dynamic type begins with, read as H.264 (RFC 6184 5.2) and as H.265 (RFC 7798 4.4)."""
    if end - at < 2:
        return 0
    first = i64(buffer[at])
    second = i64(buffer[at + 1])
    if first & 0x80 != 0:
        return 0
    kind = first & 0x1F
    if kind == 1:
        return FITS_AVC
    if kind == 28:  # FU-A
        inner = second & 0x1F
        if second & 0x20 != 0 or second >> 6 == 3 or inner not in (1, 5, 6, 7, 8):
            return 0
        return FITS_AVC | KEY_AVC if inner == 5 and second & 0x80 != 0 else FITS_AVC
    if kind in (5, 7, 8):
        if first >> 5 == 0:
            return 0
        return FITS_AVC if kind == 8 else FITS_AVC | KEY_AVC
    if kind == 24:  # STAP-A
        return aggregate_kind(buffer, at + 1, end)
    if end - at < 3 or first & 0x01 != 0 or second & 0xF8 != 0 or second & 7 == 0:
        return 0
    kind = first >> 1
    if kind == 48:  # AP
        inner = i64(buffer[at + 4]) >> 1 if end - at > 4 else 0
        return FITS_HEVC | KEY_HEVC if 16 <= inner <= 21 or 32 <= inner <= 34 else FITS_HEVC
    start = 1
    if kind == 49:  # FU
        third = i64(buffer[at + 2])
        if third >> 6 == 3:
            return 0
        start = third >> 7
        kind = third & 0x3F
    if 16 <= kind <= 21 or 32 <= kind <= 34:
        return FITS_HEVC | KEY_HEVC if start != 0 else FITS_HEVC
    return FITS_HEVC if kind <= 9 or kind in (35, 39, 40) else 0


@kernel
def aggregate_kind(buffer: Any, at: int, end: int) -> int:
    """The units of a STAP-A at `at`, the first few of them."""
    found = 0
    for _ in range(_AGGREGATED):
        if at + 3 > end:
            break
        size = be16(buffer, at)
        kind = i64(buffer[at + 2]) & 0x1F
        if size == 0:
            break
        if found == 0 and kind not in (1, 5, 6, 7, 8, 9):
            return 0
        found |= FITS_AVC
        if kind in (5, 7):
            found |= KEY_AVC
        at += 2 + size
    return found


@kernel
def is_mpegts(buffer: Any, at: int, have: int, size: int) -> bool:
    """Whole transport stream packets: a sync byte every 188 bytes."""
    if size < _TS_PACKET or size % _TS_PACKET != 0:
        return False
    sync = 0
    for k in range(0, have, _TS_PACKET):
        if i64(buffer[at + k]) == 0x47:
            sync += 1
    return sync * _TS_PACKET >= have


@kernel
def is_httpu(word: int, following: int) -> bool:
    """`M-SEARCH`, `NOTIFY *` or `HTTP/1.`: SIP notifies by UDP as well, but not everybody."""
    if word == _HTTP:
        return following >> 8 == _VERSION_1
    return following == (_ARCH if word == _MSEARCH else _FY_ALL)


@kernel
def is_quic(buffer: Any, at: int, have: int) -> bool:
    """A long header of version 1 or 2 or a version negotiation, with connection ids of at most 20 bytes."""
    version = be32(buffer, at + 1)
    if version not in (0, 1, 0x6B3343CF):
        return False
    target = i64(buffer[at + 5])
    if target > 20 or have < 7 + target:
        return False
    return i64(buffer[at + 6 + target]) <= 20 and target + i64(buffer[at + 6 + target]) > 0


@kernel
def is_envelope(buffer: Any, at: int, have: int) -> bool:
    """`<PREFIX:Envelope` or `<Envelope`, a SOAP message without an XML declaration."""
    for k in range(1, min(have - 8, 24)):
        if i64(buffer[at + k]) == 0x45:  # "E"
            return be32(buffer, at + k) == 0x456E7665 and be32(buffer, at + k + 4) == 0x6C6F7065
    return False
