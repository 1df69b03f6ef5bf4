"""Labels and tags that a network puts around frames: PPPoE, MPLS and pseudowires, provider and fabric headers, MACsec.

In: the place of the header. Out: what is inside (see `layers`). Next: `link`, `serial` and `network`.
RFC 2516, 3032, 4385, 6325; IEEE 802.1AE, 802.1ah, 802.1BR; IEC 62439-3.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.fields import be16
from classifier.decode.layers import (
    E_MACSEC,
    E_MPLS,
    E_OTHER,
    E_PBB,
    E_PPPOE,
    ETHERNET,
    ETHERTYPE,
    IPV4,
    IPV6,
    MACSEC,
    MPLS,
    NAMED,
    PBB,
    PPP,
    PPPOE,
    PW_ETHERNET,
    SHIM,
    STOPPED,
    TRILL,
)
from classifier.decode.link import ethertype_code, is_vlan
from classifier.decode.protocols import LINK_CODES, STOP_CUT
from classifier.jit import i64, kernel

_LINK = LINK_CODES["link"]
_PPPOE = LINK_CODES["pppoe"]
_MPLS = LINK_CODES["mpls"]
_MACSEC = LINK_CODES["macsec"]


@kernel
def pppoe_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """PPPoE session: its length bounds the PPP frame inside. A wrong version or code is overlooked before IP."""
    if end - at < 6:
        return STOPPED, STOP_CUT, at, limit, 0
    if i64(buffer[at]) != 0x11 or i64(buffer[at + 1]) != 0:
        inside = be16(buffer, at + 6) if end - at >= 8 else 0
        if not (inside == 0x0021 and is_ipv4_like(buffer, at + 8, end, limit)) and not (
            inside == 0x0057 and is_ipv6_like(buffer, at + 8, end, limit)
        ):
            return NAMED, _PPPOE, at, limit, 0
    return PPP, 0, at + 6, min(limit, at + 6 + be16(buffer, at + 4)), E_PPPOE


@kernel
def mpls_stack(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """All labels down to the bottom of the stack; what follows is told by the label or by the first nibble."""
    label = -1
    bottom = 0
    while bottom == 0:
        if end - at < 4:
            return STOPPED, STOP_CUT, at, limit, 0
        label = be16(buffer, at) << 4 | i64(buffer[at + 2]) >> 4
        bottom = i64(buffer[at + 2]) & 1
        at += 4
    if at >= end:
        return STOPPED, STOP_CUT, at, limit, 0
    if label == 0:
        return IPV4, 0, at, limit, E_MPLS
    if label == 2:
        return IPV6, 0, at, limit, E_MPLS
    nibble = i64(buffer[at]) >> 4
    if not is_ethernet_with_ip(buffer, at, end, limit):
        if nibble == 4 and (is_ipv4_like(buffer, at, end, limit) or not is_ethernet_like(buffer, at, end, limit)):
            return IPV4, 0, at, limit, E_MPLS
        if nibble == 6 and (is_ipv6_like(buffer, at, end, limit) or not is_ethernet_like(buffer, at, end, limit)):
            return IPV6, 0, at, limit, E_MPLS
    return PW_ETHERNET, 0, at, limit, E_MPLS


@kernel
def is_ipv4_like(buffer: Any, at: int, end: int, limit: int) -> bool:
    """Whether this can be an IPv4 header: version, header length, total length."""
    if end - at < 4 or i64(buffer[at]) >> 4 != 4 or i64(buffer[at]) & 15 < 5:
        return False
    total = be16(buffer, at + 2)
    return total == 0 or 20 <= total <= limit - at


@kernel
def is_ipv6_like(buffer: Any, at: int, end: int, limit: int) -> bool:
    """Whether this can be an IPv6 header: version and payload length."""
    return end - at >= 6 and i64(buffer[at]) >> 4 == 6 and be16(buffer, at + 4) <= limit - at - 40


@kernel
def is_ethernet_with_ip(buffer: Any, at: int, end: int, limit: int) -> bool:
    """Whether an Ethernet header with an IP header behind it is here: far stronger than an address's first nibble."""
    if end - at < 15:
        return False
    value = be16(buffer, at + 12)
    if value == 0x0800:
        return is_ipv4_like(buffer, at + 14, end, limit)
    return value == 0x86DD and is_ipv6_like(buffer, at + 14, end, limit)


@kernel
def is_ethernet_like(buffer: Any, at: int, end: int, limit: int) -> bool:
    """Whether this can be an Ethernet header: an EtherType that we know and that fits what follows."""
    if end - at < 15:
        return False
    value = be16(buffer, at + 12)
    if value == 0x0800:
        return i64(buffer[at + 14]) >> 4 == 4
    if value == 0x86DD:
        return i64(buffer[at + 14]) >> 4 == 6
    if value <= 1500:
        sap = i64(buffer[at + 14])
        return value <= limit - at - 14 and sap in (0xAA, 0x42, 0xFE, 0xE0, 0xF0)
    return is_vlan(value) or value in (0x8847, 0x8848, 0x8864, 0x88E7, 0x88E5) or ethertype_code(value) != 0


@kernel
def pseudowire_layer(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Ethernet under a label, with control word (RFC 4385: first nibble 0) or without: whichever looks like it."""
    if i64(buffer[at]) >> 4 == 0 and is_ethernet_like(buffer, at + 4, end, limit):
        return ETHERNET, 0, at + 4, limit, 0
    if is_ethernet_like(buffer, at, end, limit):
        return ETHERNET, 0, at, limit, 0
    return NAMED, _MPLS, at, limit, 0


@kernel
def macsec_tag(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """MACsec: only authenticated frames can be followed; encrypted ones are named."""
    if end - at < 6:
        return STOPPED, STOP_CUT, at, limit, 0
    control = i64(buffer[at])
    if control & 0x8C != 0:
        return NAMED, _MACSEC, at, limit, 0
    size = 14 if control & 0x20 else 6
    if end - at < size + 2:
        return STOPPED, STOP_CUT, at, limit, 0
    return ETHERTYPE, be16(buffer, at + size), at + size + 2, limit - 16, E_MACSEC


@kernel
def shim_tag(buffer: Any, size: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """A tag of fixed size that ends with the next EtherType: HSR, VN-Tag, E-Tag, Cisco metadata."""
    if end - at < size:
        return STOPPED, STOP_CUT, at, limit, 0
    return ETHERTYPE, be16(buffer, at + size - 2), at + size, limit, E_OTHER


@kernel
def trill_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """TRILL: six bytes and options, then Ethernet."""
    if end - at < 6:
        return STOPPED, STOP_CUT, at, limit, 0
    return ETHERNET, 0, at + 6 + (be16(buffer, at) >> 6 & 31) * 4, limit, E_OTHER


@kernel
def label_layer(buffer: Any, kind: int, value: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """One step through a layer of this module."""
    if kind == MPLS:
        return mpls_stack(buffer, at, end, limit)
    if kind == PPPOE:
        return pppoe_header(buffer, at, end, limit)
    if kind == PW_ETHERNET:
        return pseudowire_layer(buffer, at, end, limit)
    if kind == PBB:
        if end - at < value:
            return STOPPED, STOP_CUT, at, limit, 0
        return ETHERNET, 0, at + value, limit, E_PBB
    if kind == MACSEC:
        return macsec_tag(buffer, at, end, limit)
    if kind == SHIM:
        return shim_tag(buffer, value, at, end, limit)
    if kind == TRILL:
        return trill_header(buffer, at, end, limit)
    return NAMED, _LINK, at, limit, 0
