"""From records to packets: the loop over a frame's layers.

In: RECORD rows and the buffer they point into. Out: PACKET rows, one per record. Next: the flow table.

`simple.decode_simple` takes the common case (Ethernet, up to two VLAN tags, IP without options, TCP or UDP) in one
go; everything else goes through `decode_layers`, one layer kernel per step. Both give the same row.

The innermost layer that is there whole owns the packet: its addresses are written over those of the layers
around it only then, together with the encapsulation, VLAN and MAC addresses known at that point.

The first fragment of a tunnel's datagram is followed inside like any other packet. The datagram's other fragments
show nothing but the tunnel's addresses, so the row keeps the key they share (`around`, FRAG_AROUND). When fragmented
datagrams lie in one another, it is the key of the outermost that the frame is the first fragment of; the innermost
IP header's fragmentation is in the row's own fields.
"""

from __future__ import annotations

from typing import Any

from classifier.columns import FRAG_AROUND, LINK_PROTO, NO_VLAN
from classifier.decode.fields import be16, be48
from classifier.decode.labels import label_layer
from classifier.decode.layers import (
    COOKED,
    COOKED2,
    DONE,
    E_4IN6,
    E_6IN4,
    E_6IN6,
    E_IPIP,
    E_OTHER,
    E_VLAN,
    ETHERIP,
    ETHERNET,
    FDDI,
    GRE,
    HALTED,
    IP,
    IPV4,
    IPV6,
    LABEL,
    LAYER_BITS,
    LINK_CODE,
    LINK_KIND,
    LINK_TYPE_COUNT,
    LINK_VALUE,
    MAX_LAYERS,
    MAX_TUNNELS,
    MPLS,
    NAMED,
    RADIO,
    RAW_LINK,
    SERIAL,
    STOPPED,
    SWITCH_TAG,
    TOKEN_RING,
    TRANSPORT,
    TUNNEL,
    VLAN,
    WLAN,
)
from classifier.decode.link import lan_layer
from classifier.decode.network import (
    authentication_header,
    clear_transport,
    datagram_key,
    ip_version,
    ipv4_header,
    ipv6_extension,
    ipv6_header,
    is_extension,
    set_payload,
)
from classifier.decode.protocols import LAST_WEAK, LINK_CODES, STOP_CUT, STOP_DEPTH, STOP_SHORT
from classifier.decode.pseudo import pseudo_layer
from classifier.decode.serial import serial_layer
from classifier.decode.simple import decode_simple
from classifier.decode.transport import icmp_header, ported_header_size, ports_header, tcp_header
from classifier.decode.tunnels import tunnel_layer, udp_tunnel
from classifier.decode.wlan import is_wlan_data, radio_layer, wlan_destination, wlan_source
from classifier.jit import i64, kernel

_ETHERNET_LINK = 1
_TCP = 6
_UDP = 17
_ARP = LINK_CODES["arp"]
_IPV4_CUT = LINK_CODES["ipv4_cut"]
_IPV6_CUT = LINK_CODES["ipv6_cut"]
_MACSEC = LINK_CODES["macsec"]
_WLAN_ENCRYPTED = LINK_CODES["wlan_encrypted"]
_NO_ROUTING_BIT = 0x7FFFFFFFFFFF
_ROOM_FOR_TAGS = 1 << (LAYER_BITS * (MAX_LAYERS - 2))
_FULL = 1 << (LAYER_BITS * (MAX_LAYERS - 1))


@kernel
def clear_packet(row: Any) -> None:
    """An empty PACKET row: every field that a decoder may leave alone."""
    clear_transport(row)
    row["ip"] = 0
    row["payload"] = 0
    row["payload_at"] = 0
    row["payload_captured"] = 0
    row["encap"] = 0
    row["src_mac"] = 0
    row["dst_mac"] = 0
    row["src0"] = 0
    row["src1"] = 0
    row["src2"] = 0
    row["src3"] = 0
    row["dst0"] = 0
    row["dst1"] = 0
    row["dst2"] = 0
    row["dst3"] = 0
    row["proto"] = LINK_PROTO
    row["vlan"] = NO_VLAN
    row["version"] = 0
    row["ttl"] = 0
    row["stop"] = 0
    row["around"] = 0


@kernel
def own_link(row: Any, code: int, encap: int, vlan: int, src_mac: int, dst_mac: int) -> None:
    """Give the packet to a link protocol: no IP fields."""
    clear_packet(row)
    row["proto"] = LINK_PROTO + code
    row["encap"] = encap
    row["vlan"] = vlan
    row["src_mac"] = src_mac
    row["dst_mac"] = dst_mac


@kernel
def own_lower(row: Any, encap: int, vlan: int, src_mac: int, dst_mac: int) -> None:
    """Note the layers below the IP header that now owns the packet."""
    row["encap"] = encap
    row["vlan"] = vlan
    row["src_mac"] = src_mac
    row["dst_mac"] = dst_mac


@kernel
def transport_layer(
    buffer: Any, protocol: int, version: int, at: int, end: int, limit: int, row: Any
) -> tuple[int, int, int, int, int]:
    """What an IP packet carries; leads on to extension headers and to what is tunnelled in IP."""
    row["proto"] = protocol
    set_payload(row, at, end, limit)
    if protocol == _TCP:
        return HALTED, tcp_header(buffer, at, end, limit, row), at, limit, 0
    if protocol == _UDP:
        stop = ports_header(buffer, at, end, limit, row, 8)
        if stop != 0:
            return HALTED, stop, at, limit, 0
        kind = udp_tunnel(i64(row["src_port"]), i64(row["dst_port"]))
        return kind, 1 if kind == GRE else 0, at + 8, limit, 0
    if protocol == 1 or protocol == 2 or (protocol == 58 and version == 6):
        return HALTED, icmp_header(buffer, at, end, limit, row), at, limit, 0
    header = ported_header_size(protocol)
    if header != 0:
        return HALTED, ports_header(buffer, at, end, limit, row, header), at, limit, 0
    if version == 6 and is_extension(protocol):
        return ipv6_extension(buffer, protocol, at, end, limit, row)
    if protocol == 51:
        return authentication_header(buffer, at, end, limit)
    if protocol == 50:
        row["opaque"] = 1
    elif protocol == 4:
        return IPV4, 0, at, limit, E_IPIP if version == 4 else E_4IN6
    elif protocol == 41:
        return IPV6, 0, at, limit, E_6IN4 if version == 4 else E_6IN6
    elif protocol == 47:
        return GRE, 0, at, limit, 0
    elif protocol == 137:
        return MPLS, 0, at, limit, 0
    elif protocol == 97:
        return ETHERIP, 0, at, limit, 0
    elif protocol == 143:
        return ETHERNET, 0, at, limit, E_OTHER
    return DONE, 0, at, limit, 0


@kernel
def inner_layer(buffer: Any, kind: int, value: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """One step through a layer that writes nothing: link layers and tunnel headers."""
    if kind == RAW_LINK:
        if 0 <= value < LINK_TYPE_COUNT and LINK_KIND[value] != DONE:
            return i64(LINK_KIND[value]), i64(LINK_VALUE[value]), at, limit, 0
        return NAMED, i64(LINK_CODE[value]) if 0 <= value < LINK_TYPE_COUNT else 0, at, limit, 0
    if kind < COOKED or kind in (FDDI, TOKEN_RING):
        return lan_layer(buffer, kind, value, at, end, limit)
    if kind >= TUNNEL:
        return tunnel_layer(buffer, kind, value, at, end, limit)
    if kind >= LABEL:
        return label_layer(buffer, kind, value, at, end, limit)
    if kind >= RADIO:
        return radio_layer(buffer, kind, value, at, end, limit)
    if kind >= SERIAL:
        return serial_layer(buffer, kind, value, at, end, limit)
    return pseudo_layer(buffer, kind, value, at, end, limit)


@kernel
def decode_layers(buffer: Any, link: int, at: int, captured: int, wire: int, row: Any) -> None:
    """Follow a frame's layers one by one and fill its PACKET row (all but time and lengths)."""
    clear_packet(row)
    captured_end = at + captured
    limit = at + max(wire, captured)
    end = captured_end
    kind = RAW_LINK
    value = link
    if link == _ETHERNET_LINK:
        kind = ETHERNET
    encap = 0
    vlan = NO_VLAN
    src_mac = 0
    dst_mac = 0
    version = 0  # of the IP header that owns the packet
    tunnels = 0
    stop = 0
    around = 0  # key of the outermost datagram that this frame is the first fragment of
    while kind != DONE:
        begin = at
        this = kind
        layer = 0
        leads = around  # what it is once an inner layer takes the row
        if version != 0 and around == 0 and row["frag_more"] != 0:
            leads = datagram_key(row)
        if kind == IP:
            kind = ip_version(buffer, at, end)
            continue
        if kind == IPV4:
            kind, value, at, limit, layer = ipv4_header(buffer, at, end, limit, row)
            if kind == STOPPED:
                if version == 0:
                    own_link(row, _IPV4_CUT, encap, vlan, src_mac, dst_mac)
            else:
                version = 4
                around = leads
                own_lower(row, encap, vlan, src_mac, dst_mac)
        elif kind == IPV6:
            kind, value, at, limit, layer = ipv6_header(buffer, at, end, limit, row)
            if kind == STOPPED:
                if version == 0:
                    own_link(row, _IPV6_CUT, encap, vlan, src_mac, dst_mac)
            else:
                version = 6
                around = leads
                own_lower(row, encap, vlan, src_mac, dst_mac)
        elif kind == ETHERNET and 0 < encap < _ROOM_FOR_TAGS and decode_simple(buffer, at, end - at, row):
            tags = i64(row["encap"])  # a simple frame in a tunnel: most of a mirror port's traffic
            row["encap"] = encap << (0 if tags == 0 else LAYER_BITS if tags == E_VLAN else 2 * LAYER_BITS) | tags
            if row["vlan"] == NO_VLAN:
                row["vlan"] = vlan
            around = leads
            kind = DONE
        elif kind == TRANSPORT:
            kind, value, at, limit, layer = transport_layer(buffer, value, version, at, end, limit, row)
        else:
            kind, value, at, limit, layer = inner_layer(buffer, kind, value, at, end, limit)
            if kind != STOPPED:
                if this == ETHERNET:
                    dst_mac = be48(buffer, begin)
                    src_mac = be48(buffer, begin + 6)
                elif this == VLAN:
                    vlan = be16(buffer, begin) & 0x0FFF
                elif this == COOKED:
                    if be16(buffer, begin + 4) == 6:
                        src_mac = be48(buffer, begin + 6)
                elif this == COOKED2:
                    if i64(buffer[begin + 11]) == 6:
                        src_mac = be48(buffer, begin + 12)
                elif this == FDDI:
                    dst_mac = be48(buffer, begin + 1)
                    src_mac = be48(buffer, begin + 7)
                elif this == TOKEN_RING:
                    dst_mac = be48(buffer, begin + 2)
                    src_mac = be48(buffer, begin + 8) & _NO_ROUTING_BIT
                elif this == SWITCH_TAG:
                    dst_mac = be48(buffer, begin)
                    src_mac = be48(buffer, begin + 6)
                elif this == WLAN:
                    if is_wlan_data(buffer, begin, captured_end):
                        dst_mac = wlan_destination(buffer, begin)
                        src_mac = wlan_source(buffer, begin)
        end = min(end, limit)
        if layer != 0:
            if encap < _FULL:
                encap = encap << LAYER_BITS | layer
            if layer != E_VLAN:
                tunnels += 1
                if tunnels > MAX_TUNNELS:
                    kind = HALTED
                    value = STOP_DEPTH
            if kind == TRANSPORT:  # an authentication header belongs to the IP header before it
                row["encap"] = encap
        if kind == NAMED:
            whole = end - at >= 28 if value == _ARP else version == 0 or end > at
            if version == 0 or (value > LAST_WEAK and whole):
                own_link(row, value, encap, vlan, src_mac, dst_mac)
                version = 0
                around = leads
                if value in (_MACSEC, _WLAN_ENCRYPTED):
                    row["opaque"] = 1
            kind = DONE
            if not whole:
                kind = STOPPED
                value = STOP_CUT
        if kind in (STOPPED, HALTED):
            stop = value
            if stop == STOP_CUT and end >= limit:
                stop = STOP_SHORT
            kind = DONE
    row["stop"] = stop
    row["around"] = around
    if around != 0:
        row["frag_more"] = i64(row["frag_more"]) | FRAG_AROUND


@kernel
def decode_batch(buffer: Any, records: Any, n: int, packets: Any) -> None:
    """Decode `records[0:n]` (RECORD) of `buffer` into `packets[0:n]` (PACKET): one row per record, always.

    `buffer` is a uint8 array or memoryview that holds every record's `captured` bytes at its `offset`.
    `record` and `capture` of the rows are left as they are: the engine sets them.
    """
    for i in range(n):
        record = records[i]
        row = packets[i]
        at = i64(record["offset"])
        captured = i64(record["captured"])
        wire = i64(record["wire"])
        link = i64(record["link"])
        row["ts_ns"] = record["ts_ns"]
        row["wire"] = wire
        row["captured"] = captured
        if link != _ETHERNET_LINK or not decode_simple(buffer, at, captured, row):
            decode_layers(buffer, link, at, captured, wire, row)
