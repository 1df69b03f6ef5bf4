"""Serial lines: PPP, HDLC framing, Cisco HDLC, Frame Relay and multilink Frame Relay, SLIP, ATM.

In: the place of a header. Out: what follows (see `layers`). Next: `network` for IP, or a link protocol's name.
RFC 1661, 1662, 2427 (Frame Relay), 2684 (ATM); IANA "PPP Numbers"; LINKTYPE_ registry for the pseudo-headers.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.fields import be16
from classifier.decode.layers import (
    E_NONE,
    E_PPP,
    ETHERNET,
    ETHERTYPE,
    FRAME_RELAY,
    HDLC,
    IP,
    IPV4,
    IPV6,
    LLC,
    MPLS,
    MULTILINK_FRAME_RELAY,
    NAMED,
    PPP,
    PPP_DIRECTION,
    SLIP,
    STOPPED,
    SUNATM,
)
from classifier.decode.link import osi_code, snap_header
from classifier.decode.protocols import LINK_CODES, STOP_CUT
from classifier.jit import i64, kernel

_LINK = LINK_CODES["link"]
_PPP = LINK_CODES["ppp"]
_CONTROL = LINK_CODES["ppp_control"]
_CDP = LINK_CODES["cdp"]
_IPX = LINK_CODES["ipx"]
_APPLETALK = LINK_CODES["appletalk"]
_SLARP = LINK_CODES["slarp"]
_FRAME_RELAY = LINK_CODES["frame_relay"]
_LMI = LINK_CODES["frame_relay_lmi"]


@kernel
def ppp_header(buffer: Any, value: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """PPP: protocol field of one or two bytes, after FF 03 where that was not negotiated away.

    `value` 1: inside another tunnel, where PPP is listed as a layer of its own.
    """
    layer = E_PPP if value == 1 else E_NONE
    if end - at >= 2 and i64(buffer[at]) == 0xFF and i64(buffer[at + 1]) == 0x03:
        at += 2
    if end - at < 1:
        return STOPPED, STOP_CUT, at, limit, 0
    protocol = i64(buffer[at])
    if protocol & 1:
        at += 1
    else:
        if end - at < 2:
            return STOPPED, STOP_CUT, at, limit, 0
        protocol = be16(buffer, at)
        at += 2
    if protocol == 0x0021:
        return IPV4, 0, at, limit, layer
    if protocol == 0x0057:
        return IPV6, 0, at, limit, layer
    if protocol == 0x0281 or protocol == 0x0283:
        return MPLS, 0, at, limit, layer
    if protocol == 0x0031:  # bridged frame: flags, MAC type
        if end - at < 2:
            return STOPPED, STOP_CUT, at, limit, 0
        if i64(buffer[at + 1]) == 1:
            return ETHERNET, 0, at + 2, limit, layer
    elif protocol == 0x0023 and at < end:
        return NAMED, osi_code(i64(buffer[at])), at, limit, layer
    elif protocol == 0x0029:
        return NAMED, _APPLETALK, at, limit, layer
    elif protocol == 0x002B:
        return NAMED, _IPX, at, limit, layer
    elif protocol == 0x0207:
        return NAMED, _CDP, at, limit, layer
    elif protocol >= 0x8000:
        return NAMED, _CONTROL, at, limit, layer
    return NAMED, _PPP, at, limit, layer


@kernel
def hdlc_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """HDLC framing: Cisco's when the address is unicast (0F) or broadcast (8F), else PPP's."""
    if end - at < 4:
        return STOPPED, STOP_CUT, at, limit, 0
    address = i64(buffer[at])
    if address == 0x0F or address == 0x8F:
        return cisco_protocol(buffer, be16(buffer, at + 2), at + 4, end, limit)
    return PPP, 0, at, limit, 0


@kernel
def cisco_protocol(buffer: Any, protocol: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """What Cisco's serial framings announce: EtherTypes and a few numbers of their own."""
    if protocol == 0x8035:
        return NAMED, _SLARP, at, limit, 0
    if protocol == 0x2000:
        return NAMED, _CDP, at, limit, 0
    if protocol == 0xFEFE:
        if end - at < 2:
            return STOPPED, STOP_CUT, at, limit, 0
        if i64(buffer[at]) == 0x03:
            at += 1
        return NAMED, osi_code(i64(buffer[at])), at, limit, 0
    if protocol > 1500:
        return ETHERTYPE, protocol, at, limit, 0
    return NAMED, _LINK, at, limit, 0


@kernel
def frame_relay_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Frame Relay: address of 2 to 4 bytes, then UI and NLPID (RFC 2427), or Cisco's EtherType."""
    if end - at < 2:
        return STOPPED, STOP_CUT, at, limit, 0
    dlci = i64(buffer[at]) >> 2 << 4 | i64(buffer[at + 1]) >> 4
    size = 1
    while size < 4 and at + size <= end and i64(buffer[at + size - 1]) & 1 == 0:
        size += 1
    at += size
    if end - at < 2:
        return STOPPED, STOP_CUT, at, limit, 0
    control = i64(buffer[at])
    if control != 0x03:
        protocol = be16(buffer, at)
        if protocol > 1500 and dlci != 0:
            return cisco_protocol(buffer, protocol, at + 2, end, limit)
        if dlci == 0 or dlci == 1023:
            return NAMED, _LMI, at, limit, 0
        return NAMED, _FRAME_RELAY, at, limit, 0
    at += 1
    if i64(buffer[at]) == 0 and end - at >= 2:
        at += 1
    nlpid = i64(buffer[at])
    at += 1
    if nlpid == 0xCC:
        return IPV4, 0, at, limit, 0
    if nlpid == 0x8E:
        return IPV6, 0, at, limit, 0
    if nlpid == 0x80:
        return snap_header(buffer, at, end, limit)
    if nlpid == 0xCF:
        return PPP, 0, at, limit, 0
    if nlpid == 0x08 or nlpid == 0x09:
        return NAMED, _LMI, at, limit, 0
    if 0x81 <= nlpid <= 0x83:
        return NAMED, osi_code(nlpid), at - 1, limit, 0
    return NAMED, _FRAME_RELAY, at, limit, 0


@kernel
def multilink_frame_relay_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """FRF.16: two bytes; a frame that is whole (begin and end set) goes on as Frame Relay."""
    if end - at < 2:
        return STOPPED, STOP_CUT, at, limit, 0
    flags = i64(buffer[at])
    if flags & 0xE0 == 0xC0:
        return FRAME_RELAY, 0, at + 2, limit, 0
    return NAMED, _FRAME_RELAY, at + 2, limit, 0


@kernel
def sun_atm_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """SunATM's four bytes: kind of traffic, VPI, VCI; LLC and LAN emulation go on."""
    if end - at < 4:
        return STOPPED, STOP_CUT, at, limit, 0
    traffic = i64(buffer[at]) & 0x0F
    if traffic == 1:  # LAN emulation: a two-byte id before the Ethernet header; its control frames begin FF00
        if end - at >= 6 and be16(buffer, at + 4) != 0xFF00:
            return ETHERNET, 0, at + 6, limit, 0
    elif traffic == 2:
        return LLC, 0, at + 4, limit, 0
    return NAMED, _LINK, at + 4, limit, 0


@kernel
def serial_layer(buffer: Any, kind: int, value: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """One step through a layer of this module."""
    if kind == PPP:
        return ppp_header(buffer, value, at, end, limit)
    if kind == HDLC:
        return hdlc_header(buffer, at, end, limit)
    if kind == FRAME_RELAY:
        return frame_relay_header(buffer, at, end, limit)
    if kind == MULTILINK_FRAME_RELAY:
        return multilink_frame_relay_header(buffer, at, end, limit)
    if kind == SUNATM:
        return sun_atm_header(buffer, at, end, limit)
    if kind == SLIP:
        if end - at < 16:
            return STOPPED, STOP_CUT, at, limit, 0
        return IP, 0, at + 16, limit, 0
    if kind == PPP_DIRECTION:  # a direction byte before or in place of the address byte
        if end - at < 2:
            return STOPPED, STOP_CUT, at, limit, 0
        if i64(buffer[at + 1]) == 0x03:
            at += 1
        return PPP, 0, at + 1, limit, 0
    return NAMED, _LINK, at, limit, 0
