"""A plain, slow flow table: what the kernels must agree with, written from the RFCs and the contract, not from them.

In: frames of an Ethernet capture as `(ts_ns, wire length, bytes)`. Out: `Flow` objects in order of first packet. One
dictionary, no numpy, no scapy. It knows Ethernet, VLAN tags, IPv4, IPv6, IP in IP, TCP, UDP and fragments; that is
enough to check the flow rules on captures that `test_reference` makes up.
"""

from __future__ import annotations

import ipaddress
import struct
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

SYN, RST, ACK = 0x02, 0x04, 0x10
TCP, UDP = 6, 17
ICMP_LIKE = (1, 2, 58)  # ICMP, IGMP, ICMPv6: an 8-byte header
VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
IPV6_CHAIN = (0, 43, 60)  # hop-by-hop, routing, destination options
IP_IN_IP = {4: 4, 41: 6}  # protocol number, version of what is inside
FRAGMENT_TIMEOUT_NS = 30 * 10**9

Frame = tuple[int, int, bytes]
Datagram = tuple[object, ...]  # what all its fragments share


@dataclass
class Packet:
    """One IP packet."""

    record: int
    ts_ns: int
    wire: int
    version: int
    protocol: int
    source: str
    target: str
    ip_bytes: int
    source_port: int = 0
    target_port: int = 0
    flags: int = 0
    sequence: int = 0
    payload_bytes: int = 0
    vlan: int | None = None
    fragment: tuple[int, int, bool] | None = None  # identification, offset, more
    datagram: Datagram | None = None  # of the innermost header, when it is a fragment
    around: list[Datagram] = field(default_factory=list)  # datagrams around it that this is the first fragment of


@dataclass
class Side:
    """What one end of a flow sent."""

    address: str
    port: int
    packets: int = 0
    wire_bytes: int = 0
    ip_bytes: int = 0
    payload_bytes: int = 0
    first_sequence: int | None = None  # of the first SYN or SYN-ACK
    syns: int = 0
    synacks: int = 0


@dataclass
class Flow:
    """One five-tuple; `sides[0]` sent the first packet."""

    protocol: int
    sides: tuple[Side, Side]
    first_record: int
    first_ns: int
    last_ns: int
    vlan: int | None
    bins: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # wire bytes per second


def decode(record: int, frame: Frame) -> Packet | None:
    """The IP packet in an Ethernet frame; None when there is none or its header is not all there."""
    ts_ns, wire, data = frame
    at, vlan = 12, None
    while True:
        if len(data) < at + 2:
            return None
        (kind,) = struct.unpack_from(">H", data, at)
        at += 2
        if kind not in VLAN_TAGS:
            break
        if len(data) < at + 2:
            return None
        vlan = struct.unpack_from(">H", data, at)[0] & 0xFFF
        at += 2
    if kind == 0x0800:
        packet = decode_ipv4(record, ts_ns, wire, data, at)
    elif kind == 0x86DD:
        packet = decode_ipv6(record, ts_ns, wire, data, at)
    else:
        return None
    if packet is not None:
        packet.vlan = vlan
    return packet


def decode_ipv4(record: int, ts_ns: int, wire: int, data: bytes, at: int) -> Packet | None:
    """RFC 791."""
    if len(data) < at + 20 or data[at] >> 4 != 4:
        return None
    header = (data[at] & 15) * 4
    if header < 20 or len(data) < at + header:
        return None
    total, ident, fragment = struct.unpack_from(">HHH", data, at + 2)
    if total == 0:  # segmentation offload
        total = wire - at
    more, offset = bool(fragment & 0x2000), (fragment & 0x1FFF) * 8
    packet = Packet(
        record,
        ts_ns,
        wire,
        4,
        data[at + 9],
        str(ipaddress.IPv4Address(data[at + 12 : at + 16])),
        str(ipaddress.IPv4Address(data[at + 16 : at + 20])),
        total,
    )
    if more or offset:
        packet.fragment = (ident, offset, more)
        packet.datagram = (4, packet.source, packet.target, packet.protocol, ident)
    return carried(packet, data[: at + total], at + header, total - header)


def decode_ipv6(record: int, ts_ns: int, wire: int, data: bytes, at: int) -> Packet | None:
    """RFC 8200."""
    if len(data) < at + 40 or data[at] >> 4 != 6:
        return None
    length, following = struct.unpack_from(">HB", data, at + 4)
    packet = Packet(
        record,
        ts_ns,
        wire,
        6,
        following,
        str(ipaddress.IPv6Address(data[at + 8 : at + 24])),
        str(ipaddress.IPv6Address(data[at + 24 : at + 40])),
        length + 40,
    )
    at, left = at + 40, length
    while following in (*IPV6_CHAIN, 44):
        if len(data) < at + 8:
            break
        size = 8 if following == 44 else (data[at + 1] + 1) * 8
        if following == 44:
            word, ident = struct.unpack_from(">HI", data, at + 2)
            if word & 0xFFF9:
                packet.fragment = (ident, word & 0xFFF8, bool(word & 1))
                packet.datagram = (6, packet.source, packet.target, ident)
        following = data[at]
        at, left = at + size, left - size
        if packet.fragment and packet.fragment[1]:
            break
    packet.protocol = following
    return carried(packet, data[: at + left], at, left)


def carried(packet: Packet, data: bytes, at: int, length: int) -> Packet:
    """The packet with its transport, or the packet inside it when there is a whole IP header; `data` ends with it."""
    later = packet.fragment is not None and packet.fragment[1] > 0
    if packet.protocol in IP_IN_IP and not later:
        decode_inner = decode_ipv4 if IP_IN_IP[packet.protocol] == 4 else decode_ipv6
        inner = decode_inner(packet.record, packet.ts_ns, packet.wire, data, at)
        if inner is not None:
            if packet.datagram is not None:
                inner.around.append(packet.datagram)
            return inner
    transport(packet, data, at, length)
    return packet


def transport(packet: Packet, data: bytes, at: int, length: int) -> None:
    """Ports, flags and payload; a later fragment's whole content is payload and has no ports."""
    packet.payload_bytes = max(length, 0)
    if packet.fragment and packet.fragment[1]:
        return
    if packet.protocol in ICMP_LIKE:
        packet.payload_bytes = max(length - 8, 0)
    elif packet.protocol == UDP and len(data) >= at + 8:
        packet.source_port, packet.target_port = struct.unpack_from(">HH", data, at)
        packet.payload_bytes = max(length - 8, 0)
    elif packet.protocol == TCP and len(data) >= at + 20:
        packet.source_port, packet.target_port, packet.sequence = struct.unpack_from(">HHI", data, at)
        packet.flags = data[at + 13]
        packet.payload_bytes = max(length - (data[at + 12] >> 4) * 4, 0)


def resolve_fragments(packets: list[Packet]) -> list[Packet]:
    """Give later fragments the flow of their datagram's first fragment, whichever came first.

    Returns the packets in the order in which their flows are known: what waits for a first fragment comes after it.

    Of several first fragments it is the latest before the later one, else the next after it. A later fragment inside a
    tunnel can itself be in the first fragment of the tunnel's datagram: then it leads when its own flow is known, or in
    the end.
    """
    firsts: dict[Datagram, Packet] = {}
    waiting: dict[Datagram, list[Packet]] = {}
    settled: list[Packet] = []

    def settle(packet: Packet, tunnel: bool, first: Packet | None) -> None:
        """`packet` belongs to the flow of `first`, or (None) to its own; `tunnel`: it is a later fragment around it."""
        if first is not None:
            packet.version, packet.protocol, packet.vlan = first.version, first.protocol, first.vlan
            packet.source, packet.source_port = first.source, first.source_port
            packet.target, packet.target_port = first.target, first.target_port
        if tunnel:  # the inner header's length has told of its content
            packet.ip_bytes = packet.payload_bytes = 0
        settled.append(packet)
        leads = list(packet.around)
        if packet.datagram is not None and packet.fragment is not None and packet.fragment[1] == 0:
            leads.append(packet.datagram)
        for datagram in leads:
            firsts[datagram] = packet
            for other in waiting.pop(datagram, []):
                settle(other, datagram in packet.around, packet)

    for packet in packets:
        datagram = packet.datagram
        if datagram is None or packet.fragment is None or packet.fragment[1] == 0:
            settle(packet, False, None)
        elif datagram in firsts and abs(firsts[datagram].ts_ns - packet.ts_ns) <= FRAGMENT_TIMEOUT_NS:
            settle(packet, datagram in firsts[datagram].around, firsts[datagram])
        else:
            waiting.setdefault(datagram, []).append(packet)
    for leading in (True, False):
        for datagram in list(waiting):
            if datagram in waiting and leading == any(packet.around for packet in waiting[datagram]):
                for packet in waiting.pop(datagram):
                    settle(packet, False, None)
    return settled


def opens_anew(flow: Flow, number: int, packet: Packet) -> bool:
    """Whether a segment begins another connection on the same five-tuple.

    A SYN (without ACK) does when its side had another number before, or sent something without having had one, or when
    the other side has been talking without a handshake.
    """
    if packet.protocol != TCP or packet.flags & (SYN | RST | ACK) != SYN:
        return False
    if packet.fragment and packet.fragment[1]:
        return False
    side, other = flow.sides[number], flow.sides[1 - number]
    if side.first_sequence is not None:
        return side.first_sequence != packet.sequence
    return side.packets > 0 or (other.synacks == 0 and other.packets > other.syns)


def flows(frames: Iterable[Frame]) -> tuple[list[Flow], list[Frame]]:
    """The flow table of some frames, and the frames that are not IP."""
    packets, others = [], []
    for record, frame in enumerate(frames, 1):
        packet = decode(record, frame)
        if packet is None:
            others.append(frame)
        else:
            packets.append(packet)
    result: list[Flow] = []
    current: dict[tuple[object, ...], Flow] = {}
    for packet in resolve_fragments(packets):
        a, b = (packet.source, packet.source_port), (packet.target, packet.target_port)
        key = (packet.version, packet.protocol, *sorted((a, b)))
        flow = current.get(key)
        number = 0
        if flow is not None:
            number = 0 if a == (flow.sides[0].address, flow.sides[0].port) else 1
            if opens_anew(flow, number, packet):
                flow, number = None, 0
        if flow is None:
            sides = (Side(*a), Side(*b))
            flow = Flow(packet.protocol, sides, packet.record, packet.ts_ns, packet.ts_ns, packet.vlan)
            current[key] = flow
            result.append(flow)
        side = flow.sides[number]
        side.packets += 1
        side.wire_bytes += packet.wire
        side.ip_bytes += packet.ip_bytes
        side.payload_bytes += packet.payload_bytes
        if packet.protocol == TCP and packet.flags & SYN:
            if side.first_sequence is None:
                side.first_sequence = packet.sequence
            if packet.flags & ACK:
                side.synacks += 1
            else:
                side.syns += 1
        if packet.record < flow.first_record:
            flow.first_record, flow.vlan = packet.record, packet.vlan
        flow.first_ns = min(flow.first_ns, packet.ts_ns)
        flow.last_ns = max(flow.last_ns, packet.ts_ns)
        flow.bins[packet.ts_ns // 10**9] += packet.wire
    return result, others
