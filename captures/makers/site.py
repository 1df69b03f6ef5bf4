"""A network under construction: hosts send frames, each frame carries its label.

In: calls of a site module (`digifort.build`, ...). Out: `Site`, which `files.write_capture` turns into a capture and
`truth.truth_of` into the truth beside it. The truth comes from the labels given here, never from a classifier.

Times are integer nanoseconds since the site's start. All randomness comes from `Site.rng`.
"""

from __future__ import annotations

import ipaddress
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scapy.layers.inet import ICMP, IP, UDP, IPOption_Router_Alert, fragment
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, LLC, STP, Dot1Q, Dot3, Ether
from scapy.packet import Packet, Raw

from .addresses import checksum, group_mac, packed

US = 1_000
MS = 1_000_000
S = 1_000_000_000

SMALLEST_FRAME = 60  # Ethernet pads shorter frames (IEEE 802.3), the FCS is not captured


@dataclass(frozen=True)
class Host:
    """One machine: its addresses, its initial TTL and what it does. `roles` show in ports and directions alone,
    `content_roles` only in payloads."""

    name: str
    ip: str
    mac: str
    roles: tuple[str, ...] = ()
    ttl: int = 64
    ip6: str = ""
    content_roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Interface:
    """Where frames were captured. `digits`: decimal digits of the time resolution (6 microseconds, 9 nanoseconds)."""

    name: str
    snaplen: int = 0  # 0: no limit
    digits: int = 6


@dataclass
class Flow:
    """One flow with what is true of it. `grade` is what port, role and a corroborated host can give;
    `content_grade` what the payloads prove as well."""

    protocol: str
    orig: str
    orig_port: int
    resp: str
    resp_port: int
    component: str
    grade: str = ""
    content_grade: str = ""
    rests_on: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    encapsulation: str = ""
    tcp_state: str = ""
    vlan: int | None = None
    orig_packets: int = 0
    resp_packets: int = 0
    orig_wire_bytes: int = 0
    resp_wire_bytes: int = 0
    orig_payload_bytes: int = 0
    resp_payload_bytes: int = 0


@dataclass(frozen=True)
class Label:
    """What a flow is: given once, when its first packet is built."""

    component: str
    grade: str = ""
    content_grade: str = ""
    rests_on: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """One captured frame; `flow` is None for frames without IP."""

    ts_ns: int
    order: int
    interface: int
    frame: bytes
    component: str
    flow: Flow | None


@dataclass
class Membership:
    """A host's IGMP statement about a group, as built."""

    group: str
    host: str
    kind: str  # join, leave
    version: int


Wrap = Callable[[Packet], Packet]


@dataclass
class Site:
    """Hosts, records and flows of one capture."""

    name: str
    seed: int
    start_ns: int
    interfaces: tuple[Interface, ...] = (Interface("eth0"),)
    vlan: int | None = None
    rng: random.Random = field(init=False)
    hosts: dict[str, Host] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    memberships: list[Membership] = field(default_factory=list)
    queriers: list[str] = field(default_factory=list)
    learned: list[dict[str, object]] = field(default_factory=list)
    streams: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self._open: dict[tuple[object, ...], Flow] = {}
        self._ip_ids: dict[str, int] = {}

    # hosts and addresses

    def host(
        self,
        name: str,
        ip: str,
        *roles: str,
        ttl: int = 64,
        vendor: str = "02:00:5e",
        ip6: str = "",
        content_roles: tuple[str, ...] = (),
    ) -> Host:
        """A new host; its MAC address is locally administered unless `vendor` says otherwise."""
        number = int(ipaddress.IPv4Address(ip))
        mac = f"{vendor}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        host = Host(name, ip, mac, roles, ttl, ip6, content_roles)
        self.hosts[ip] = host
        return host

    def ip_id(self, host: Host) -> int:
        """The host's next IP identification."""
        number = self._ip_ids.get(host.ip)
        if number is None:
            number = self.rng.getrandbits(14) + 1
        self._ip_ids[host.ip] = (number + 1) % 65536
        return number

    def later(self, low_ns: int, high_ns: int) -> int:
        """A random span, `low_ns` <= span < `high_ns`."""
        return low_ns + int(self.rng.random() * (high_ns - low_ns))

    # flows

    def flow(
        self,
        protocol: str,
        orig: str,
        orig_port: int,
        resp: str,
        resp_port: int,
        label: Label,
        *,
        new: bool = False,
        encapsulation: str = "",
    ) -> Flow:
        """The flow of a five-tuple in either direction; `new` starts another one (a reused TCP five-tuple)."""
        ends = sorted([(orig, orig_port), (resp, resp_port)])
        key = (protocol, *ends)
        flow = None if new else self._open.get(key)
        if flow is None:
            layers = ([] if self.vlan is None else ["vlan"]) + ([encapsulation] if encapsulation else [])
            flow = Flow(
                protocol,
                orig,
                orig_port,
                resp,
                resp_port,
                label.component,
                label.grade,
                label.content_grade or label.grade,
                label.rests_on,
                label.candidates,
                "+".join(layers),
                vlan=self.vlan,
            )
            self._open[key] = flow
            self.flows.append(flow)
        elif flow.component != label.component:
            raise ValueError(f"{key} is {flow.component}, not {label.component}")
        return flow

    # frames

    def ethernet(self, src: str, dst: str, upper: Packet, *, tagged: bool = True) -> Packet:
        """An Ethernet frame, in the site's VLAN when there is one."""
        kind = {IP: 0x0800, IPv6: 0x86DD, ARP: 0x0806}.get(type(upper), 0)
        if self.vlan is not None and tagged:
            return Ether(src=src, dst=dst, type=0x8100) / Dot1Q(vlan=self.vlan, type=kind) / upper
        return Ether(src=src, dst=dst, type=kind) / upper

    def put(
        self,
        at: int,
        packet: Packet,
        component: str,
        flow: Flow | None = None,
        *,
        from_orig: bool = True,
        payload: int = 0,
        interface: int = 0,
        wrap: Wrap | None = None,
    ) -> None:
        """Record one frame and count it in its flow. `wrap` puts it into a tunnel."""
        frame = bytes(wrap(packet) if wrap else packet)
        frame += bytes(max(0, SMALLEST_FRAME - len(frame)))
        unit = 10 ** (9 - self.interfaces[interface].digits)
        ts_ns = (self.start_ns + at) // unit * unit
        self.records.append(Record(ts_ns, len(self.records), interface, frame, component, flow))
        if flow is None:
            return
        if from_orig:
            flow.orig_packets += 1
            flow.orig_wire_bytes += len(frame)
            flow.orig_payload_bytes += payload
        else:
            flow.resp_packets += 1
            flow.resp_wire_bytes += len(frame)
            flow.resp_payload_bytes += payload

    def ip(self, src: Host, dst: str, proto: int, upper: Packet, *, ttl: int = 0, flags: str = "", tos: int = 0) -> IP:
        """An IPv4 packet of `src`, with the host's next identification."""
        header = IP(src=src.ip, dst=dst, proto=proto, ttl=ttl or src.ttl, id=self.ip_id(src), flags=flags, tos=tos)
        return header / upper

    def udp(
        self,
        at: int,
        src: Host,
        sport: int,
        dst: Host | str,
        dport: int,
        data: bytes,
        label: Label,
        *,
        ttl: int = 0,
        mtu: int = 1500,
        interface: int = 0,
        wrap: Wrap | None = None,
        encapsulation: str = "",
    ) -> Flow:
        """One UDP datagram over IPv4, to a host or a group (or broadcast) address; fragmented above `mtu`."""
        address, mac = (dst.ip, dst.mac) if isinstance(dst, Host) else (dst, group_mac(dst))
        flow = self.flow("udp", src.ip, sport, address, dport, label, encapsulation=encapsulation)
        whole = self.ip(src, address, 17, UDP(sport=sport, dport=dport) / Raw(data), ttl=ttl)
        pieces = [whole] if len(data) + 28 <= mtu else fragment(IP(bytes(whole)), fragsize=mtu - 20)
        for number, piece in enumerate(pieces):
            content = len(bytes(piece)) - 20 - (0 if number else 8)
            self.put(
                at + number * 12 * US,
                self.ethernet(src.mac, mac, piece),
                label.component,
                flow,
                from_orig=flow.orig == src.ip and flow.orig_port == sport,
                payload=content,
                interface=interface,
                wrap=wrap,
            )
        return flow

    def udp6(self, at: int, src: Host, sport: int, dst: Host | str, dport: int, data: bytes, label: Label) -> Flow:
        """One UDP datagram over IPv6."""
        address = dst.ip6 if isinstance(dst, Host) else dst
        mac = dst.mac if isinstance(dst, Host) else group_mac(dst)
        flow = self.flow("udp", src.ip6, sport, address, dport, label)
        packet = IPv6(src=src.ip6, dst=address, nh=17, hlim=64) / UDP(sport=sport, dport=dport) / Raw(data)
        frame = self.ethernet(src.mac, mac, packet)
        self.put(at, frame, label.component, flow, from_orig=flow.orig == src.ip6, payload=len(data))
        return flow

    def ip_protocol(
        self, at: int, src: Host, dst: str, mac: str, protocol: str, number: int, data: Packet | bytes, label: Label
    ) -> Flow:
        """One IPv4 packet of a protocol without ports."""
        upper = data if isinstance(data, Packet) else Raw(data)
        flow = self.flow(protocol, src.ip, 0, dst, 0, label)
        frame = self.ethernet(src.mac, mac, self.ip(src, dst, number, upper))
        self.put(at, frame, label.component, flow, from_orig=flow.orig == src.ip, payload=len(bytes(upper)))
        return flow

    def ping(self, at: int, src: Host, dst: Host, number: int, *, answered: bool = True) -> None:
        """An ICMP echo and its reply."""
        data = bytes(range(97, 119)) + bytes(range(97, 107))
        label = Label("network.icmp")
        # ICMP has an 8-byte header: payload is what follows it
        echo = ICMP(type=8, id=1, seq=number) / Raw(data)
        flow = self.flow("icmp", src.ip, 0, dst.ip, 0, label)
        frame = self.ethernet(src.mac, dst.mac, self.ip(src, dst.ip, 1, echo))
        self.put(at, frame, label.component, flow, payload=len(data))
        if answered:
            reply = ICMP(type=0, id=1, seq=number) / Raw(data)
            frame = self.ethernet(dst.mac, src.mac, self.ip(dst, src.ip, 1, reply))
            self.put(
                at + self.later(300 * US, 900 * US), frame, label.component, flow, from_orig=False, payload=len(data)
            )

    def arp(self, at: int, asker: Host, owner: Host, *, answered: bool = True) -> None:
        """Who has `owner`? Tell `asker`."""
        ask = ARP(op=1, hwsrc=asker.mac, psrc=asker.ip, hwdst="00:00:00:00:00:00", pdst=owner.ip)
        self.put(at, self.ethernet(asker.mac, "ff:ff:ff:ff:ff:ff", ask), "network.arp")
        if answered:
            reply = ARP(op=2, hwsrc=owner.mac, psrc=owner.ip, hwdst=asker.mac, pdst=asker.ip)
            at += self.later(150 * US, 400 * US)
            self.put(at, self.ethernet(owner.mac, asker.mac, reply), "network.arp")

    def spanning_tree(self, start: int, end: int, bridge_mac: str) -> None:
        """A configuration BPDU every two seconds (IEEE 802.1D)."""
        bpdu = STP(rootid=32768, rootmac=bridge_mac, bridgeid=32768, bridgemac=bridge_mac, portid=0x8005)
        header = Dot3(src=bridge_mac, dst="01:80:c2:00:00:00", len=3 + 35)
        for at in range(start, end, 2 * S):
            self.put(at, header / LLC(dsap=0x42, ssap=0x42, ctrl=3) / bpdu, "network.stp")

    def lldp(self, at: int, mac: str, system: str, port: str) -> None:
        """One LLDP announcement (IEEE 802.1AB): chassis, port, time to live, system name."""
        pieces = b""
        for kind, value in (
            (1, b"\x04" + bytes.fromhex(mac.replace(":", ""))),
            (2, b"\x05" + port.encode()),
            (3, struct.pack("!H", 120)),
            (5, system.encode()),
            (0, b""),
        ):
            pieces += struct.pack("!H", kind << 9 | len(value)) + value
        self.put(at, Ether(src=mac, dst="01:80:c2:00:00:0e", type=0x88CC) / Raw(pieces), "network.lldp")

    # IGMP (RFC 2236, RFC 3376): TTL 1, TOS C0, Router Alert

    def igmp(self, at: int, src: Host, dst: str, message: bytes) -> None:
        """One IGMP message; its checksum is filled in."""
        message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
        label = Label("network.igmp")
        header = IP(
            src=src.ip, dst=dst, proto=2, ttl=1, tos=0xC0, id=self.ip_id(src), options=[IPOption_Router_Alert()]
        )
        flow = self.flow("igmp", src.ip, 0, dst, 0, label)
        packet = self.ethernet(src.mac, group_mac(dst), header / Raw(message))
        self.put(at, packet, label.component, flow, payload=max(0, len(message) - 8))

    def igmp_query(self, at: int, querier: Host, group: str = "0.0.0.0") -> None:
        """An IGMPv3 query, general or for one group."""
        message = struct.pack("!BBH4sBBH", 0x11, 100 if group == "0.0.0.0" else 10, 0, packed(group), 2, 125, 0)
        self.igmp(at, querier, "224.0.0.1" if group == "0.0.0.0" else group, message)
        if querier.ip not in self.queriers:
            self.queriers.append(querier.ip)

    def igmp_join(self, at: int, host: Host, groups: Sequence[str], *, version: int = 3, change: bool = True) -> None:
        """Report membership: v3 in one message to 224.0.0.22 (`change`: TO_EX, else IS_EX), v2 one per group."""
        if version == 3:
            records = b"".join(struct.pack("!BBH4s", 4 if change else 2, 0, 0, packed(group)) for group in groups)
            self.igmp(at, host, "224.0.0.22", struct.pack("!BBHHH", 0x22, 0, 0, 0, len(groups)) + records)
        else:
            for number, group in enumerate(groups):
                self.igmp(at + number * 40 * MS, host, group, struct.pack("!BBH4s", 0x16, 0, 0, packed(group)))
        self.memberships += [Membership(group, host.ip, "join", version) for group in groups]

    def igmp_leave(self, at: int, host: Host, group: str, *, version: int = 2) -> None:
        """Leave a group: v2 to 224.0.0.2, v3 as TO_IN without sources."""
        if version == 3:
            message = struct.pack("!BBHHHBBH4s", 0x22, 0, 0, 0, 1, 3, 0, 0, packed(group))
            self.igmp(at, host, "224.0.0.22", message)
        else:
            self.igmp(at, host, "224.0.0.2", struct.pack("!BBH4s", 0x17, 0, 0, packed(group)))
        self.memberships.append(Membership(group, host.ip, "leave", version))
