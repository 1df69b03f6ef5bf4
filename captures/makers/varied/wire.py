"""Frames of a generated site, built byte by byte: hosts, datagrams, TCP conversations, each packet with its flow.

In: calls of the scenes (`digifort`, `sentry`, `background`, `decoys`). Out: `Network.packets` and `Network.flows`.
Next: `seen` decides which packets the capture has, `truth` what it can tell. Lengths are right, checksums are zero.
Times are nanoseconds since the site's start.
"""

from __future__ import annotations

import ipaddress
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

US, MS, S = 1_000, 1_000_000, 1_000_000_000
MTU = 1500
SMALLEST_FRAME = 60

_IP = struct.Struct("!BBHHHBBH4s4s").pack
_UDP = struct.Struct("!HHHH").pack
_TCP = struct.Struct("!HHIIBBHHH").pack
SYN_OPTIONS = bytes.fromhex("020405b40103030801010402")
FLAGS = {"S": 2, "SA": 18, "A": 16, "PA": 24, "FA": 17, "R": 4, "RA": 20}

Endpoint = tuple[str, int]


class Fact(NamedTuple):
    """What a payload proves. `need`: how many of its bytes must be captured for that; with `least` of them it may be
    told already. A name that ends in a question mark is a fact that is never sure."""

    name: str
    need: int
    endpoint: Endpoint | None = None  # where it puts the component, when that is not this flow's listener
    least: int = 0  # 0: all that it needs


@dataclass(eq=False, slots=True)
class Host:
    """One address."""

    name: str
    ip: str
    mac: bytes
    packed: bytes
    ttl: int = 64
    stamps: bool = False  # sends TCP timestamps (RFC 7323), which move the payload
    ident: int = 1
    servers: bool = False  # behind the link that a one-way capture watches


@dataclass(eq=False, slots=True)
class Flow:
    """One flow and what its maker knows of it.

    `component`: what it is. `listener`: the serving endpoint. `others`: who owns it where the product cannot be known;
    empty: anybody but a product. `may`: components that the ports alone allow, at most `may_grade`, though they are not
    there.
    """

    protocol: str
    orig: str
    orig_port: int
    resp: str
    resp_port: int
    component: str
    others: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    may_grade: str = "probable"
    forward: bool = True  # the listener is the responder
    facts: set[str] = field(default_factory=set)  # those that the capture shows; filled by `seen`
    orig_packets: int = 0
    resp_packets: int = 0
    wire_bytes: int = 0

    @property
    def listener(self) -> Endpoint:
        """The serving endpoint."""
        return (self.resp, self.resp_port) if self.forward else (self.orig, self.orig_port)

    @property
    def peer(self) -> str:
        """The other end's address."""
        return self.orig if self.forward else self.resp

    @property
    def packets(self) -> int:
        """Packets in the capture."""
        return self.orig_packets + self.resp_packets


class Packet(NamedTuple):
    """One frame. `head`: where its payload begins. `early`: from before a capture that starts in the middle."""

    at: int
    order: int
    frame: bytes
    head: int
    flow: Flow | None
    src: Host
    dst: Host | None
    early: bool
    shows: tuple[Fact, ...]


Wrap = Callable[[bytes, Host], bytes]


class Network:
    """Hosts and what they send."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.packets: list[Packet] = []
        self.flows: list[Flow] = []
        self.by_ip: dict[str, Host] = {}
        self._open: dict[tuple[str, frozenset[Endpoint]], Flow] = {}

    def host(self, name: str, ip: str, *, windows: bool = False, servers: bool = False) -> Host:
        """The host at an address, a new one where there is none."""
        if ip in self.by_ip:
            return self.by_ip[ip]
        packed = ipaddress.IPv4Address(ip).packed
        host = Host(name, ip, b"\x02\x00" + packed, packed, 128 if windows else 64, not windows, servers=servers)
        host.ident = self.rng.getrandbits(15)
        self.by_ip[ip] = host
        return host

    def flow(self, protocol: str, src: Host, sport: int, dst: str, dport: int, component: str) -> Flow:
        """The flow of a five-tuple in either direction."""
        key = (protocol, frozenset(((src.ip, sport), (dst, dport))))
        flow = self._open.get(key)
        if flow is None:
            flow = self._open[key] = Flow(protocol, src.ip, sport, dst, dport, component)
            self.flows.append(flow)
        elif flow.component != component:
            raise ValueError(f"{key} is {flow.component}, not {component}")
        return flow

    def put(
        self,
        at: int,
        src: Host,
        dst: Host | str,
        upper: bytes,
        proto: int,
        head: int,
        flow: Flow | None,
        *,
        early: bool = False,
        shows: tuple[Fact, ...] = (),
        ttl: int = 0,
        fragment: int = 0x4000,
        wrap: Wrap | None = None,
    ) -> None:
        """One IPv4 packet in one frame; `head`: length of the transport header."""
        target = dst if isinstance(dst, Host) else None
        to, mac = (dst.packed, dst.mac) if isinstance(dst, Host) else group(dst)
        if not fragment & 0x3FFF:
            src.ident = (src.ident + 1) & 0xFFFF
        header = _IP(0x45, 0, 20 + len(upper), src.ident, fragment, ttl or src.ttl, proto, 0, src.packed, to)
        frame = mac + src.mac + b"\x08\x00" + header + upper
        head += 34
        if wrap is not None:
            outer = wrap(frame, src)
            head += len(outer) - len(frame)
            frame = outer
        if len(frame) < SMALLEST_FRAME:
            frame += bytes(SMALLEST_FRAME - len(frame))
        self.packets.append(Packet(at, len(self.packets), frame, head, flow, src, target, early, shows))

    def link(self, at: int, src: Host, mac: bytes, kind: int, body: bytes) -> None:
        """A frame without IP."""
        frame = (mac + src.mac + struct.pack("!H", kind) + body).ljust(SMALLEST_FRAME, b"\0")
        self.packets.append(Packet(at, len(self.packets), frame, len(frame), None, src, None, False, ()))

    def udp(
        self,
        at: int,
        src: Host,
        sport: int,
        dst: Host | str,
        dport: int,
        data: bytes,
        component: str,
        *shows: Fact,
        early: bool = False,
        ttl: int = 0,
        wrap: Wrap | None = None,
    ) -> Flow:
        """One datagram, in fragments above the MTU."""
        flow = self.flow("udp", src, sport, dst.ip if isinstance(dst, Host) else dst, dport, component)
        upper = _UDP(sport, dport, 8 + len(data), 0) + data
        if len(upper) <= MTU - 20:
            self.put(at, src, dst, upper, 17, 8, flow, early=early, shows=shows, ttl=ttl, wrap=wrap)
            return flow
        src.ident = (src.ident + 1) & 0xFFFF
        step = (MTU - 20) // 8 * 8
        for cut in range(0, len(upper), step):
            bits = cut // 8 | (0x2000 if cut + step < len(upper) else 0)
            piece = upper[cut : cut + step]
            head = 0 if cut else 8
            self.put(at + cut * 8, src, dst, piece, 17, head, flow, early=early, shows=() if cut else shows,
                     ttl=ttl, fragment=bits)  # fmt: skip
        return flow

    def icmp(self, at: int, src: Host, dst: Host | str, kind: int, body: bytes, proto: int = 1) -> None:
        """One ICMP or IGMP message; the body has an even length."""
        name = {1: "icmp", 2: "igmp"}[proto]
        flow = self.flow(name, src, 0, dst.ip if isinstance(dst, Host) else dst, 0, f"network.{name}")
        words = struct.unpack(f"!{len(body) // 2}H", body)
        total = (kind << 8) + sum(words)
        total = (total & 0xFFFF) + (total >> 16)
        message = struct.pack("!BBH", kind, 0, ~(total + (total >> 16)) & 0xFFFF) + body
        self.put(at, src, dst, message, proto, 8, flow, ttl=1 if proto == 2 else 0)


class Talk:
    """One TCP connection; `client` opened it. Times returned are after the last packet."""

    def __init__(
        self,
        net: Network,
        client: Host,
        client_port: int,
        server: Host,
        server_port: int,
        component: str,
        *,
        rtt_ns: int = 0,
        wrap: Wrap | None = None,
    ) -> None:
        self.net, self.hosts, self.ports, self.wrap = net, (client, server), (client_port, server_port), wrap
        self.flow = net.flow("tcp", client, client_port, server.ip, server_port, component)
        self.next = [net.rng.getrandbits(32), net.rng.getrandbits(32)]
        self.rtt = rtt_ns or 200 * US + net.rng.getrandbits(20)
        self.stamps = client.stamps and server.stamps
        self.mss = (1360 if wrap else 1460) - 12 * self.stamps

    def segment(self, at: int, side: int, flags: str, data: bytes = b"", early: bool = False,
                shows: tuple[Fact, ...] = ()) -> None:  # fmt: skip
        """One segment of `side` (0 client, 1 server)."""
        bits = FLAGS[flags]
        if bits & 2:
            options = SYN_OPTIONS
        elif self.stamps:
            options = b"\x01\x01\x08\x0a" + struct.pack("!II", at // MS & 0xFFFFFFFF, at // MS & 0xFFFFFFFF)
        else:
            options = b""
        ack = self.next[1 - side] if bits & 16 else 0
        head = 20 + len(options)
        upper = _TCP(self.ports[side], self.ports[1 - side], self.next[side], ack, head << 2, bits, 1026, 0, 0)
        self.net.put(at, self.hosts[side], self.hosts[1 - side], upper + options + data, 6, head, self.flow,
                     early=early, shows=shows, wrap=self.wrap)  # fmt: skip
        self.next[side] = (self.next[side] + len(data) + (bits & 2 != 0) + (bits & 1)) & 0xFFFFFFFF

    def open(self, at: int) -> int:
        """The handshake."""
        self.segment(at, 0, "S", early=True)
        self.segment(at + self.rtt // 2, 1, "SA", early=True)
        self.segment(at + self.rtt, 0, "A", early=True)
        return at + self.rtt + 60 * US

    def send(self, at: int, side: int, data: bytes, *shows: Fact, early: bool = False) -> int:
        """Data in segments; every second one and the last are acknowledged. The first segment shows the facts."""
        pieces = range(0, len(data), self.mss)
        for number, cut in enumerate(pieces):
            last = number == len(pieces) - 1
            piece = data[cut : cut + self.mss]
            self.segment(at, side, "PA" if last else "A", piece, early, shows if not cut else ())
            at += 15 * US
            if number % 2 or last:
                at += self.rtt // 2
                self.segment(at, 1 - side, "A", early=early)
                at += 20 * US
        return at

    def ask(self, at: int, question: bytes, answer: bytes, *shows: Fact, told: tuple[Fact, ...] = (),
            early: bool = False) -> int:  # fmt: skip
        """A question that shows `shows` and an answer that shows `told`."""
        at = self.send(at, 0, question, *shows, early=early)
        return self.send(at + 500 * US + self.net.rng.getrandbits(21), 1, answer, *told, early=early)

    def close(self, at: int, side: int = 0) -> int:
        """FIN both ways."""
        for turn, flags in ((side, "FA"), (1 - side, "A"), (1 - side, "FA"), (side, "A")):
            self.segment(at, turn, flags)
            at += self.rtt // 2
        return at


def group(address: str) -> tuple[bytes, bytes]:
    """A group or broadcast address: four bytes, and its MAC (RFC 1112)."""
    packed = ipaddress.IPv4Address(address).packed
    if packed[0] >> 4 == 14:
        return packed, bytes((1, 0, 0x5E, packed[1] & 127, packed[2], packed[3]))
    return packed, b"\xff" * 6
