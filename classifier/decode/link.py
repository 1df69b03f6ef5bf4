"""Local networks: Ethernet II and 802.3, VLAN tags, LLC and SNAP, FDDI, token ring.

In: the place of a header. Out: what follows (see `layers`), by EtherType or LLC address.
Next: `network` for IP, `tunnels` for EtherTypes that carry frames, or a link protocol's name.
IEEE 802.1Q, 802.1ad, 802.2, 802.3, 802.5; IANA "IEEE 802 Numbers".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from classifier.decode.fields import be16, be24
from classifier.decode.layers import (
    E_VLAN,
    ETHERNET,
    ETHERTYPE,
    FDDI,
    IP,
    IPV4,
    IPV6,
    LLC,
    MACSEC,
    MPLS,
    NAMED,
    NSH,
    PBB,
    PPPOE,
    SHIM,
    STOPPED,
    TOKEN_RING,
    TRILL,
    VLAN,
)
from classifier.decode.protocols import ETHERTYPES, LINK_CODES, STOP_CUT
from classifier.jit import i64, kernel

_KEYS = np.array(sorted(ETHERTYPES), np.int64)
_CODES = np.array([LINK_CODES[ETHERTYPES[key]] for key in sorted(ETHERTYPES)], np.int64)
_COUNT = len(_KEYS)

_LINK = LINK_CODES["link"]
_LLC = LINK_CODES["llc"]
_STP = LINK_CODES["stp"]
_IPX = LINK_CODES["ipx"]
_ARP = LINK_CODES["arp"]
_NETBEUI = LINK_CODES["netbeui"]
_ISIS = LINK_CODES["isis"]
_ESIS = LINK_CODES["esis"]
_CLNP = LINK_CODES["clnp"]
_CDP = LINK_CODES["cdp"]
_VTP = LINK_CODES["vtp"]
_DTP = LINK_CODES["dtp"]
_UDLD = LINK_CODES["udld"]
_PAGP = LINK_CODES["pagp"]
_LACP = LINK_CODES["lacp"]
_OAM = LINK_CODES["ethernet_oam"]
_ESMC = LINK_CODES["esmc"]
_SLOW = LINK_CODES["slow_protocols"]
_APPLETALK = LINK_CODES["appletalk"]
_AARP = LINK_CODES["aarp"]


@kernel
def ethertype_code(value: int) -> int:
    """Link protocol of an EtherType, 0 when it has no name here."""
    low = 0
    high = _COUNT
    while low < high:
        middle = (low + high) >> 1
        if _KEYS[middle] < value:
            low = middle + 1
        else:
            high = middle
    if low < _COUNT and _KEYS[low] == value:
        return i64(_CODES[low])
    return 0


@kernel
def is_vlan(value: int) -> bool:
    """Whether an EtherType announces a VLAN tag: 802.1Q, 802.1ad, and the older numbers for stacked tags."""
    return value in (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)


@kernel
def ethertype_layer(buffer: Any, value: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """What an EtherType (or an 802.3 length) announces."""
    if value == 0x0800:
        if at < end and i64(buffer[at]) >> 4 == 4:
            return IPV4, 0, at, limit, 0
        return IP, 0, at, limit, 0
    if value == 0x86DD:
        return IPV6, 0, at, limit, 0
    if is_vlan(value):
        return VLAN, value, at, limit, 0
    if value <= 1500:
        return LLC, 0, at, min(limit, at + value), 0
    if value == 0x8847 or value == 0x8848:
        return MPLS, 0, at, limit, 0
    if value == 0x8864:
        return PPPOE, 0, at, limit, 0
    if value == 0x6558:
        return ETHERNET, 0, at, limit, 0
    if value == 0x88E7:
        return PBB, 4, at, limit, 0
    if value == 0x8903:  # FabricPath, the same idea
        return PBB, 2, at, limit, 0
    if value == 0x88E5:
        return MACSEC, 0, at, limit, 0
    if value == 0x892F:
        return SHIM, 6, at, limit, 0
    if value == 0x8926:
        return SHIM, 6, at, limit, 0
    if value == 0x893F:
        return SHIM, 8, at, limit, 0
    if value == 0x8909:
        return SHIM, 8, at, limit, 0
    if value == 0x894F:
        return NSH, 0, at, limit, 0
    if value == 0x22F3:
        return TRILL, 0, at, limit, 0
    if value == 0x8809 and at < end:
        subtype = i64(buffer[at])
        if subtype == 1 or subtype == 2:
            return NAMED, _LACP, at, limit, 0
        if subtype == 3:
            return NAMED, _OAM, at, limit, 0
        if subtype == 10:
            return NAMED, _ESMC, at, limit, 0
        return NAMED, _SLOW, at, limit, 0
    return NAMED, ethertype_code(value), at, limit, 0


@kernel
def ethernet_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Ethernet: two addresses and an EtherType or length."""
    if end - at < 14:
        return STOPPED, STOP_CUT, at, limit, 0
    return ethertype_layer(buffer, be16(buffer, at + 12), at + 14, end, limit)


@kernel
def vlan_tag(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """A VLAN tag after its EtherType: priority and id, then the next EtherType."""
    if end - at < 4:
        return STOPPED, STOP_CUT, at, limit, 0
    return ETHERTYPE, be16(buffer, at + 2), at + 4, limit, E_VLAN


@kernel
def llc_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """802.2: by service access point, or SNAP; FF FF is Novell's IPX straight in 802.3."""
    if end - at < 3:
        return STOPPED, STOP_CUT, at, limit, 0
    dsap = i64(buffer[at])
    ssap = i64(buffer[at + 1])
    control = i64(buffer[at + 2])
    if dsap == 0xAA and ssap == 0xAA and control == 3:
        return snap_header(buffer, at + 3, end, limit)
    if dsap == 0xFF and ssap == 0xFF:
        return NAMED, _IPX, at, limit, 0
    size = 3
    if control & 3 != 3:
        size = 4
    after = at + size
    if dsap == 0x42:
        return NAMED, _STP, after, limit, 0
    if dsap == 0x06 and control == 3:
        return IP, 0, after, limit, 0
    if dsap == 0xE0:
        return NAMED, _IPX, after, limit, 0
    if dsap & 0xFE == 0xF0:
        return NAMED, _NETBEUI, after, limit, 0
    if dsap == 0x98:
        return NAMED, _ARP, after, limit, 0
    if dsap == 0xFE and after < end:
        return NAMED, osi_code(i64(buffer[after])), after, limit, 0
    return NAMED, _LLC, after, limit, 0


@kernel
def osi_code(nlpid: int) -> int:
    """Link protocol of an OSI network layer protocol id (ISO/IEC TR 9577)."""
    if nlpid == 0x83:
        return _ISIS
    if nlpid == 0x82:
        return _ESIS
    if nlpid == 0x81:
        return _CLNP
    return _LLC


@kernel
def snap_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """SNAP: an organisation and its protocol number."""
    if end - at < 5:
        return STOPPED, STOP_CUT, at, limit, 0
    organisation = be24(buffer, at)
    protocol = be16(buffer, at + 3)
    after = at + 5
    code = _LLC
    if organisation == 0 or organisation == 0x0000F8:
        if protocol > 1500:
            return ETHERTYPE, protocol, after, limit, 0
    elif organisation == 0x00000C:
        if protocol == 0x2000:
            code = _CDP
        elif protocol == 0x2003:
            code = _VTP
        elif protocol == 0x2004:
            code = _DTP
        elif protocol == 0x0111:
            code = _UDLD
        elif protocol == 0x0104:
            code = _PAGP
        elif protocol == 0x010B:
            code = _STP
    elif organisation == 0x0080C2:
        if protocol == 0x0001 or protocol == 0x0007:  # bridged Ethernet, with and without checksum
            if end - after >= 2 and be16(buffer, after) == 0:
                after += 2
            return ETHERNET, 0, after, limit, 0
        if protocol == 0x000E:
            code = _STP
    elif organisation == 0x080007:
        if protocol == 0x809B:
            code = _APPLETALK
        elif protocol == 0x80F3:
            code = _AARP
    return NAMED, code, after, limit, 0


@kernel
def fddi_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """FDDI: frame control, two addresses, LLC (frame control 0x50 to 0x5F)."""
    if end - at < 13:
        return STOPPED, STOP_CUT, at, limit, 0
    if i64(buffer[at]) & 0xF0 == 0x50:
        return LLC, 0, at + 13, limit, 0
    return NAMED, _LINK, at + 13, limit, 0


@kernel
def token_ring_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Token ring: access and frame control, two addresses, source routing when the source's top bit is set, LLC."""
    if end - at < 16:
        return STOPPED, STOP_CUT, at, limit, 0
    after = at + 14
    if i64(buffer[at + 8]) & 0x80:
        after += i64(buffer[at + 14]) & 31
    if i64(buffer[at + 1]) & 0xC0 != 0x40:
        return NAMED, _LINK, after, limit, 0
    return LLC, 0, after, limit, 0


@kernel
def lan_layer(buffer: Any, kind: int, value: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """One step through a layer of this module."""
    if kind == ETHERTYPE:
        return ethertype_layer(buffer, value, at, end, limit)
    if kind == ETHERNET:
        return ethernet_header(buffer, at, end, limit)
    if kind == VLAN:
        return vlan_tag(buffer, at, end, limit)
    if kind == LLC:
        return llc_header(buffer, at, end, limit)
    if kind == FDDI:
        return fddi_header(buffer, at, end, limit)
    if kind == TOKEN_RING:
        return token_ring_header(buffer, at, end, limit)
    return NAMED, _LINK, at, limit, 0
