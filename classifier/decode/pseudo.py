"""Headers that capture programs and systems put before a frame or packet: cooked, loopback, firewall logs, switch tags.

In: the place of a header. Out: what follows (see `layers`). Next: `link`, `network` or `wlan`.
LINKTYPE_ registry of the libpcap file format: LINUX_SLL, LINUX_SLL2, NULL, LOOP, ENC, PFLOG, NFLOG, PKTAP, ERF, DSA.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.fields import be16, be32, le16, le32
from classifier.decode.layers import (
    ARCNET,
    COOKED,
    COOKED2,
    ENC,
    ERF,
    ETHERNET,
    ETHERTYPE,
    IPOIB,
    IPV4,
    IPV6,
    LLC,
    LOOP_FAMILY,
    NAMED,
    NFLOG,
    NULL_FAMILY,
    PFLOG,
    PKTAP,
    PRISM,
    RADIOTAP,
    RAW_LINK,
    SKIP,
    STOPPED,
    SWITCH_TAG,
    WLAN,
)
from classifier.decode.protocols import LINK_CODES, STOP_CUT, STOP_LENGTH
from classifier.jit import i64, kernel

_LINK = LINK_CODES["link"]
_IPX = LINK_CODES["ipx"]
_CLNP = LINK_CODES["clnp"]
_APPLETALK = LINK_CODES["appletalk"]
_NETLINK = LINK_CODES["netlink"]
_ARP = LINK_CODES["arp"]
_RARP = LINK_CODES["rarp"]
_CAN = LINK_CODES["can"]

# Linux interface types (ARPHRD_) that decide what a cooked header is followed by
_ARPHRD_CAN = 280
_ARPHRD_WLAN = 801
_ARPHRD_PRISM = 802
_ARPHRD_RADIOTAP = 803
_ARPHRD_NETLINK = 824


@kernel
def cooked_protocol(
    buffer: Any, hardware: int, value: int, at: int, end: int, limit: int
) -> tuple[int, int, int, int, int]:
    """What follows a Linux cooked header: by interface type first, then by EtherType or Linux's own numbers."""
    if hardware == _ARPHRD_NETLINK:
        return NAMED, _NETLINK, at, limit, 0
    if hardware == _ARPHRD_WLAN:
        return WLAN, 0, at, limit, 0
    if hardware == _ARPHRD_RADIOTAP:
        return RADIOTAP, 0, at, limit, 0
    if hardware == _ARPHRD_PRISM:
        return PRISM, 0, at, limit, 0
    if hardware == _ARPHRD_CAN or value == 0x000C or value == 0x000D:
        return NAMED, _CAN, at, limit, 0
    if value == 0x0001:
        return NAMED, _IPX, at, limit, 0
    if value == 0x0004:
        return LLC, 0, at, limit, 0
    if value <= 1500:
        return NAMED, _LINK, at, limit, 0
    return ETHERTYPE, value, at, limit, 0


@kernel
def cooked_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Linux cooked capture, version 1 (16 bytes)."""
    if end - at < 16:
        return STOPPED, STOP_CUT, at, limit, 0
    return cooked_protocol(buffer, be16(buffer, at + 2), be16(buffer, at + 14), at + 16, end, limit)


@kernel
def cooked2_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Linux cooked capture, version 2 (20 bytes)."""
    if end - at < 20:
        return STOPPED, STOP_CUT, at, limit, 0
    return cooked_protocol(buffer, be16(buffer, at + 8), be16(buffer, at), at + 20, end, limit)


@kernel
def family_layer(family: int, at: int, limit: int) -> tuple[int, int, int, int, int]:
    """What an address family number announces; IPv6 has another number on each system."""
    if family == 2:
        return IPV4, 0, at, limit, 0
    if family in (10, 23, 24, 26, 28, 30):
        return IPV6, 0, at, limit, 0
    if family == 7:
        return NAMED, _CLNP, at, limit, 0
    if family == 16:
        return NAMED, _APPLETALK, at, limit, 0
    if 0x600 <= family <= 0xFFFF:
        return ETHERTYPE, family, at, limit, 0
    return NAMED, _LINK, at, limit, 0


@kernel
def host_family(buffer: Any, at: int) -> int:
    """An address family in the byte order of the writing machine: the reading that gives a small number."""
    family = be32(buffer, at)
    if family & 0xFFFF0000:
        family = le32(buffer, at)
    return family


@kernel
def enc_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """OpenBSD's view into IPsec: address family, SPI, flags."""
    if end - at < 12:
        return STOPPED, STOP_CUT, at, limit, 0
    return family_layer(host_family(buffer, at), at + 12, limit)


@kernel
def pflog_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """BSD packet filter log: length of the header, address family; padded to four bytes."""
    if end - at < 2:
        return STOPPED, STOP_CUT, at, limit, 0
    size = (i64(buffer[at]) + 3) & ~3
    if size < 4:
        return STOPPED, STOP_LENGTH, at, limit, 0
    if end - at < size:
        return STOPPED, STOP_CUT, at, limit, 0
    return family_layer(i64(buffer[at + 1]), at + size, limit)


@kernel
def nflog_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Linux netfilter log: family, then attributes in the writer's byte order; number 9 holds the packet."""
    if end - at < 4:
        return STOPPED, STOP_CUT, at, limit, 0
    family = i64(buffer[at])
    at += 4
    while end - at >= 4:
        size = le16(buffer, at)
        kind = le16(buffer, at + 2)
        if size < 4 or size > limit - at:
            size = be16(buffer, at)
            kind = be16(buffer, at + 2)
        if size < 4:
            return STOPPED, STOP_LENGTH, at, limit, 0
        if kind & 0x7FFF == 9:
            limit = min(limit, at + size)
            if family == 2:
                return IPV4, 0, at + 4, limit, 0
            if family == 10:
                return IPV6, 0, at + 4, limit, 0
            return NAMED, _LINK, at + 4, limit, 0
        at += (size + 3) & ~3
    return STOPPED, STOP_CUT, at, limit, 0


@kernel
def pktap_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Darwin's pktap: length of the header, kind of record, link type of the packet."""
    if end - at < 12:
        return STOPPED, STOP_CUT, at, limit, 0
    size = le32(buffer, at)
    if size < 12 or le32(buffer, at + 4) != 1:
        return STOPPED, STOP_LENGTH, at, limit, 0
    if end - at < size:
        return STOPPED, STOP_CUT, at, limit, 0
    return RAW_LINK, le32(buffer, at + 8), at + size, limit, 0


@kernel
def arcnet_header(buffer: Any, size: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """ARCNET (RFC 1201): protocol id last in the hardware header, then split flag and sequence number."""
    if end - at < size + 3:
        return STOPPED, STOP_CUT, at, limit, 0
    protocol = i64(buffer[at + size - 1])
    split = i64(buffer[at + size])
    after = at + size + 3
    if split == 0 or (split & 1 and split != 0xFF):  # whole, or the first part
        if protocol == 0xD4:
            return IPV4, 0, after, limit, 0
        if protocol == 0xC4:
            return IPV6, 0, after, limit, 0
        if protocol == 0xD5:
            return NAMED, _ARP, after, limit, 0
        if protocol == 0xD6:
            return NAMED, _RARP, after, limit, 0
    return NAMED, _LINK, after, limit, 0


@kernel
def erf_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Endace record: 16 bytes, extension headers of 8 bytes each, then by type; Ethernet has two bytes before it."""
    if end - at < 16:
        return STOPPED, STOP_CUT, at, limit, 0
    kind = i64(buffer[at + 8])
    after = at + 16
    more = kind & 0x80
    while more:
        if end - after < 8:
            return STOPPED, STOP_CUT, at, limit, 0
        more = i64(buffer[after]) & 0x80
        after += 8
    kind &= 0x7F
    if kind in (2, 11, 16, 20):  # TYPE_ETH, and with colour or hash in place of the loss counter
        return ETHERNET, 0, after + 2, limit, 0
    if kind == 22:
        return IPV4, 0, after, limit, 0
    if kind == 23:
        return IPV6, 0, after, limit, 0
    return NAMED, _LINK, after, limit, 0


@kernel
def pseudo_layer(buffer: Any, kind: int, value: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """One step through a layer of this module."""
    if kind == COOKED:
        return cooked_header(buffer, at, end, limit)
    if kind == COOKED2:
        return cooked2_header(buffer, at, end, limit)
    if kind in (NULL_FAMILY, LOOP_FAMILY):
        if end - at < 4:
            return STOPPED, STOP_CUT, at, limit, 0
        if kind == LOOP_FAMILY:
            return family_layer(be32(buffer, at), at + 4, limit)
        return family_layer(host_family(buffer, at), at + 4, limit)
    if kind == NFLOG:
        return nflog_header(buffer, at, end, limit)
    if kind == ENC:
        return enc_header(buffer, at, end, limit)
    if kind == PFLOG:
        return pflog_header(buffer, at, end, limit)
    if kind == PKTAP:
        return pktap_header(buffer, at, end, limit)
    if kind == ERF:
        return erf_header(buffer, at, end, limit)
    if kind == ARCNET:
        return arcnet_header(buffer, value, at, end, limit)
    if kind == IPOIB:
        if end - at < 44:
            return STOPPED, STOP_CUT, at, limit, 0
        return ETHERTYPE, be16(buffer, at + 40), at + 44, limit, 0
    if kind == SKIP:
        if end - at < value:
            return STOPPED, STOP_CUT, at, limit, 0
        return ETHERNET, 0, at + value, limit, 0
    if kind == SWITCH_TAG:
        if end - at < 14 + value:
            return STOPPED, STOP_CUT, at, limit, 0
        return ETHERTYPE, be16(buffer, at + 12 + value), at + 14 + value, limit, 0
    return NAMED, _LINK, at, limit, 0
