"""Tunnels over IP: GRE and what rides on it (ERSPAN, PPTP, EoIP, WCCP), VXLAN, Geneve, GTP-U, TZSP, EtherIP, NSH.

In: the place of the tunnel's header. Out: what is inside (see `layers`), or DONE when the bytes are not what the
port or number promised: then the packet stays with the flow around the tunnel. Next: `link` and `network`.
RFC 2784, 2890, 2637, 7637, 7348, 8926, 3378, 8086, 8300; ERSPAN draft-foschiano-erspan-03; GTP-U 3GPP TS 29.281.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.fields import be16
from classifier.decode.labels import is_ethernet_like
from classifier.decode.layers import (
    DONE,
    E_EOIP,
    E_ERSPAN,
    E_GENEVE,
    E_GRE,
    E_GRE_UDP,
    E_GTPU,
    E_NVGRE,
    E_OTHER,
    E_TZSP,
    E_VXLAN,
    ERSPAN,
    ETHERIP,
    ETHERNET,
    ETHERTYPE,
    GENEVE,
    GRE,
    GTP0,
    GTPU,
    IP,
    IPV4,
    IPV6,
    MPLS,
    NAMED,
    NSH,
    PPP,
    RAW_LINK,
    STOPPED,
    TZSP,
    VXLAN,
    VXLAN_GPE,
    WCCP,
)
from classifier.decode.protocols import LINK_CODES, STOP_CUT, STOP_LENGTH
from classifier.jit import i64, kernel

_LINK = LINK_CODES["link"]

_GRE_CHECKSUM, _GRE_ROUTING, _GRE_KEY, _GRE_SEQUENCE, _GRE_ACK = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080


@kernel
def udp_tunnel(src_port: int, dst_port: int) -> int:
    """Kind of the tunnel that a UDP port announces, DONE for none; the tunnel's kernel checks its header.

    Tunnels send to their port; some also answer from it.
    """
    kind = port_tunnel(dst_port)
    if kind == DONE:
        kind = port_tunnel(src_port)
    return kind


@kernel
def port_tunnel(port: int) -> int:
    """Kind of the tunnel that has this UDP port, DONE for none."""
    if port < 2152 or port > 37008:
        return DONE
    if port == 4789 or port == 8472:  # 8472: Linux before the assignment, and what builds on it
        return VXLAN
    if port == 2152:
        return GTPU
    if port == 3386:
        return GTP0
    if port == 6081:
        return GENEVE
    if port == 37008:
        return TZSP
    if port == 4754:
        return GRE
    if port == 4790:
        return VXLAN_GPE
    if port == 6635:
        return MPLS
    return DONE


@kernel
def gre_header(buffer: Any, in_udp: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """GRE version 0, and version 1 for PPTP and EoIP. ERSPAN without sequence number is its type I."""
    if end - at < 4:
        return STOPPED, STOP_CUT, at, limit, 0
    flags = be16(buffer, at)
    protocol = be16(buffer, at + 2)
    layer = E_GRE_UDP if in_udp == 1 else E_GRE
    if flags & 7 == 1:
        return gre_version_1(buffer, flags, protocol, at, end, limit)
    if flags & 7 != 0 or (in_udp == 1 and flags & 0x4FF8 != 0):
        return DONE, 0, at, limit, 0
    after = at + 4
    if flags & (_GRE_CHECKSUM | _GRE_ROUTING):
        after += 4
    if flags & _GRE_KEY:
        after += 4
    if flags & _GRE_SEQUENCE:
        after += 4
    if flags & _GRE_ROUTING:
        while True:  # source route entries (RFC 1701), up to an empty one
            if end - after < 4:
                return STOPPED, STOP_CUT, at, limit, 0
            size = i64(buffer[after + 3])
            family = be16(buffer, after)
            after += 4 + size
            if family == 0 and size == 0:
                break
    if after > end:
        return STOPPED, STOP_CUT, at, limit, 0
    if protocol == 0x88BE:
        if flags & _GRE_SEQUENCE:
            return ERSPAN, 0, after, limit, 0
        return ETHERNET, 0, after, limit, E_ERSPAN
    if protocol == 0x22EB:
        return ERSPAN, 0, after, limit, 0
    if protocol == 0x6558:
        if in_udp == 0 and flags & (_GRE_KEY | _GRE_CHECKSUM | _GRE_SEQUENCE) == _GRE_KEY:
            layer = E_NVGRE
        return ETHERNET, 0, after, limit, layer
    if protocol == 0x880B:
        return PPP, 1, after, limit, layer
    if protocol == 0x883E:
        return WCCP, 0, after, limit, layer
    if protocol > 1500:
        return ETHERTYPE, protocol, after, limit, layer
    return DONE, 0, after, limit, 0


@kernel
def gre_version_1(
    buffer: Any, flags: int, protocol: int, at: int, end: int, limit: int
) -> tuple[int, int, int, int, int]:
    """Enhanced GRE (RFC 2637, PPTP) and MikroTik's EoIP: the key field holds a payload length."""
    if end - at < 8:
        return STOPPED, STOP_CUT, at, limit, 0
    if flags & _GRE_KEY == 0:
        return DONE, 0, at, limit, 0
    size = be16(buffer, at + 4)
    if protocol == 0x6400:
        return ETHERNET, 0, at + 8, min(limit, at + 8 + size), E_EOIP
    if protocol != 0x880B or flags & _GRE_SEQUENCE == 0:  # without sequence number: an acknowledgement only
        return DONE, 0, at, limit, 0
    after = at + 12
    if flags & _GRE_ACK:
        after += 4
    if after > end:
        return STOPPED, STOP_CUT, at, limit, 0
    return PPP, 1, after, min(limit, after + size), E_GRE


@kernel
def erspan_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """ERSPAN type II (version 1, 8 bytes) and III (version 2, 12 bytes and an optional subheader of 8)."""
    if end - at < 8:
        return STOPPED, STOP_CUT, at, limit, 0
    version = i64(buffer[at]) >> 4
    if version == 1:
        return ETHERNET, 0, at + 8, limit, E_ERSPAN
    if version != 2:
        return DONE, 0, at, limit, 0
    if end - at < 12:
        return STOPPED, STOP_CUT, at, limit, 0
    tail = be16(buffer, at + 10)
    after = at + 12
    if tail & 1:
        after += 8
    if after > end:
        return STOPPED, STOP_CUT, at, limit, 0
    frame_type = tail >> 10 & 31
    if frame_type == 0:
        return ETHERNET, 0, after, limit, E_ERSPAN
    if frame_type == 2:
        return IP, 0, after, limit, E_ERSPAN
    return DONE, 0, at, limit, 0


@kernel
def vxlan_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """VXLAN: flag "network id is valid" set and last byte 0, or else what follows must look like Ethernet."""
    if end - at < 8:
        return STOPPED, STOP_CUT, at, limit, 0
    if i64(buffer[at]) & 0x08 == 0 or i64(buffer[at + 7]) != 0:
        if not is_ethernet_like(buffer, at + 8, end, limit):
            return DONE, 0, at, limit, 0
    return ETHERNET, 0, at + 8, limit, E_VXLAN


@kernel
def vxlan_gpe_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """VXLAN with a next protocol number (Generic Protocol Extension); its flag P is not always set."""
    if end - at < 8:
        return STOPPED, STOP_CUT, at, limit, 0
    if i64(buffer[at]) & 0x38 != 0x08:
        return DONE, 0, at, limit, 0
    return numbered_layer(i64(buffer[at + 3]), at + 8, limit, E_VXLAN)


@kernel
def numbered_layer(number: int, at: int, limit: int, layer: int) -> tuple[int, int, int, int, int]:
    """Next protocol numbers that VXLAN-GPE and NSH share."""
    if number == 1:
        return IPV4, 0, at, limit, layer
    if number == 2:
        return IPV6, 0, at, limit, layer
    if number == 3:
        return ETHERNET, 0, at, limit, layer
    if number == 4:
        return NSH, 0, at, limit, layer
    if number == 5:
        return MPLS, 0, at, limit, layer
    return NAMED, _LINK, at, limit, 0


@kernel
def geneve_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Geneve: version 0, options, an EtherType. Another version only with an Ethernet header inside."""
    if end - at < 8:
        return STOPPED, STOP_CUT, at, limit, 0
    first = i64(buffer[at])
    protocol = be16(buffer, at + 2)
    after = at + 8 + (first & 0x3F) * 4
    if protocol <= 1500:
        return DONE, 0, at, limit, 0
    if first >> 6 != 0 and (protocol != 0x6558 or not is_ethernet_like(buffer, after, end, limit)):
        return DONE, 0, at, limit, 0
    if after > end:
        return STOPPED, STOP_CUT, at, limit, 0
    return ETHERTYPE, protocol, after, limit, E_GENEVE


@kernel
def gtpu_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """GTP-U version 1 with a user packet (type 255), extension headers skipped; only IP inside is followed."""
    if end - at < 8:
        return STOPPED, STOP_CUT, at, limit, 0
    flags = i64(buffer[at])
    if flags & 0xF0 != 0x30 or i64(buffer[at + 1]) != 0xFF:
        return DONE, 0, at, limit, 0
    after = at + 8
    if flags & 7:
        if end - after < 4:
            return STOPPED, STOP_CUT, at, limit, 0
        extension = i64(buffer[after + 3]) if flags & 4 else 0
        after += 4
        while extension != 0:
            if after >= end:
                return STOPPED, STOP_CUT, at, limit, 0
            size = i64(buffer[after]) * 4
            if size == 0:
                return STOPPED, STOP_LENGTH, at, limit, 0
            after += size
            if after > end:
                return STOPPED, STOP_CUT, at, limit, 0
            extension = i64(buffer[after - 1])
    if after >= end:
        return STOPPED, STOP_CUT, at, limit, 0
    version = i64(buffer[after]) >> 4
    if version != 4 and version != 6:
        return DONE, 0, at, limit, 0
    return IP, 0, after, limit, E_GTPU


@kernel
def gtp0_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """GTP version 0 with a user packet (3GPP TS 29.060): 20 bytes."""
    if end - at < 20:
        return STOPPED, STOP_CUT, at, limit, 0
    if i64(buffer[at]) & 0xF0 != 0x10 or i64(buffer[at + 1]) != 0xFF:
        return DONE, 0, at, limit, 0
    return IP, 0, at + 20, limit, E_GTPU


@kernel
def tzsp_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """TZSP (MikroTik sniffer, some access points): tagged fields up to an end tag, then the frame."""
    if end - at < 4:
        return STOPPED, STOP_CUT, at, limit, 0
    if i64(buffer[at]) != 1 or i64(buffer[at + 1]) > 1:
        return DONE, 0, at, limit, 0
    inside = be16(buffer, at + 2)
    after = at + 4
    while True:
        if after >= end:
            return STOPPED, STOP_CUT, at, limit, 0
        tag = i64(buffer[after])
        after += 1
        if tag == 1:
            break
        if tag != 0:
            if after >= end:
                return STOPPED, STOP_CUT, at, limit, 0
            after += 1 + i64(buffer[after])
    if inside == 1:
        return ETHERNET, 0, after, limit, E_TZSP
    if inside == 18:
        return RAW_LINK, 105, after, limit, E_TZSP
    if inside == 119:
        return RAW_LINK, 119, after, limit, E_TZSP
    if inside == 127:
        return RAW_LINK, 163, after, limit, E_TZSP
    return DONE, 0, at, limit, 0


@kernel
def nsh_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Network service header: its length in words, a next protocol number."""
    if end - at < 8:
        return STOPPED, STOP_CUT, at, limit, 0
    size = (be16(buffer, at) & 0x3F) * 4
    if size < 8:
        return STOPPED, STOP_LENGTH, at, limit, 0
    if end - at < size:
        return STOPPED, STOP_CUT, at, limit, 0
    return numbered_layer(i64(buffer[at + 3]), at + size, limit, E_OTHER)


@kernel
def wccp_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Cisco WCCP redirection: version 2 puts four bytes before the IP header."""
    if end - at < 1:
        return STOPPED, STOP_CUT, at, limit, 0
    if i64(buffer[at]) >> 4 != 4:
        at += 4
    return IPV4, 0, at, limit, 0


@kernel
def tunnel_layer(buffer: Any, kind: int, value: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """One step through a layer of this module."""
    if kind == GRE:
        return gre_header(buffer, value, at, end, limit)
    if kind == VXLAN:
        return vxlan_header(buffer, at, end, limit)
    if kind == ERSPAN:
        return erspan_header(buffer, at, end, limit)
    if kind == GENEVE:
        return geneve_header(buffer, at, end, limit)
    if kind == GTPU:
        return gtpu_header(buffer, at, end, limit)
    if kind == GTP0:
        return gtp0_header(buffer, at, end, limit)
    if kind == TZSP:
        return tzsp_header(buffer, at, end, limit)
    if kind == VXLAN_GPE:
        return vxlan_gpe_header(buffer, at, end, limit)
    if kind == NSH:
        return nsh_header(buffer, at, end, limit)
    if kind == WCCP:
        return wccp_header(buffer, at, end, limit)
    if kind == ETHERIP:
        if end - at < 2:
            return STOPPED, STOP_CUT, at, limit, 0
        if i64(buffer[at]) >> 4 != 3:
            return DONE, 0, at, limit, 0
        return ETHERNET, 0, at + 2, limit, E_OTHER
    return NAMED, _LINK, at, limit, 0
