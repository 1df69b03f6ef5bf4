"""What the scenes about connections are made of: attempts that fail in every way, errors, quiet networks."""

from __future__ import annotations

from dataclasses import replace

from scapy.layers.inet import ICMP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from ..site import MS, Host, Label, S, Site
from ..tcp import Conversation, attempt
from .scene import ANY

ERROR = Label("network.icmp")


class Net:
    """A network with a router, and hosts by their last number: `net.host(5)` is 10.1.0.5."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.router = site.host("router", "10.1.0.1")
        self._hosts: dict[str, Host] = {}
        self._port = 51_000

    def host(self, number: int, network: str = "10.1.0") -> Host:
        """The host of this number."""
        address = f"{network}.{number}"
        if address not in self._hosts:
            self._hosts[address] = self.site.host(f"h{number}", address, ttl=128)
        return self._hosts[address]

    def port(self) -> int:
        """A client port that was not used yet."""
        self._port += 1
        return self._port

    def opened(self, at: int, client: Host, server: Host, port: int, *, rtt_ns: int = MS) -> tuple[Conversation, int]:
        """A connection after its handshake, and the time."""
        talk = Conversation(self.site, client, self.port(), server, port, ANY, rtt_ns=rtt_ns)
        return talk, talk.open(at)

    def works(self, at: int, client: Host, server: Host, port: int) -> None:
        """A connection with a question and an answer, closed by the client."""
        talk, now = self.opened(at, client, server, port)
        talk.close(talk.ask(now, self.site.rng.randbytes(60), self.site.rng.randbytes(900)))

    def refused(self, at: int, client: Host, server: Host, port: int) -> None:
        """Answered by RST."""
        attempt(self.site, at, client, self.port(), server, port, (), refused=True)

    def silent(self, at: int, client: Host, server: Host, port: int) -> None:
        """Three SYNs in nine seconds, and no answer."""
        attempt(self.site, at, client, self.port(), server, port, (), refused=False)

    def syn(self, at: int, client: Host, server: Host, port: int, *, source: int = 0) -> Packet:
        """One SYN, not answered; its IP packet. SYNs from one `source` are one attempt."""
        header = TCP(sport=source or self.port(), dport=port, seq=source or 7, flags="S")
        packet = self.site.ip(client, server.ip, 6, header)
        self.frame(at, client, server, packet)
        return packet

    def frame(self, at: int, src: Host, dst: Host, packet: Packet) -> None:
        """An IP packet on the wire."""
        self.site.put(at, self.site.ethernet(src.mac, dst.mac, packet), "any")

    def error(self, at: int, by: Host, to: Host, about: Packet, kind: int, code: int, mtu: int = 0) -> None:
        """An ICMP error that quotes a packet's first bytes."""
        message = ICMP(type=kind, code=code, nexthopmtu=mtu) if mtu else ICMP(type=kind, code=code)
        self.frame(at, by, to, self.site.ip(by, to.ip, 1, message / Raw(bytes(about)[:28])))

    def forbidden(self, at: int, client: Host, server: Host, port: int, *, code: int = 13) -> None:
        """Two SYNs that the router rejects."""
        source = self.port()
        for wait in (0, S):
            packet = self.syn(at + wait, client, server, port, source=source)
            self.error(at + wait + MS, self.router, client, packet, 3, code)

    def deaf(self, at: int, client: Host, server: Host, port: int, *, again: bool = True) -> None:
        """The server's SYN-ACK never arrives: it is sent three times, and so is the SYN (`again`)."""
        talk = Conversation(self.site, client, self.port(), server, port, ANY)
        first = list(talk.next)
        for wait in (0, S, 3 * S):
            if again or not wait:
                talk.next[0] = first[0]
                talk.segment(at + wait, 0, "S", ack=False)
            talk.next[1] = first[1]
            talk.segment(at + wait + MS, 1, "SA")

    def dropped(self, at: int, client: Host, server: Host, port: int) -> None:
        """Accepted, asked something, reset."""
        talk, now = self.opened(at, client, server, port)
        talk.segment(now, 0, "PA", self.site.rng.randbytes(40))
        talk.reset(now + 5 * MS, 1)

    def big(self, at: int, src: Host, dst: Host, errors: int, kind: int, code: int, *, by: Host | None = None) -> None:
        """Packets of 1,400 bytes, each with an ICMP error of the router (or `by`) one millisecond later."""
        source = self.port()
        for k in range(errors):
            data = UDP(sport=source, dport=9000) / Raw(bytes(1400))
            packet = self.site.ip(src, dst.ip, 17, data, flags="DF")
            self.frame(at + k * S, src, dst, packet)
            self.error(
                at + k * S + MS, by or self.router, src, packet, kind, code, 1280 if (kind, code) == (3, 4) else 0
            )


def window(talk: Conversation, at: int, side: int, size: int) -> None:
    """A bare ACK with this window."""
    src, dst = talk.hosts[side], talk.hosts[1 - side]
    ports = talk.ports[side], talk.ports[1 - side]
    header = TCP(sport=ports[0], dport=ports[1], seq=talk.next[side], ack=talk.next[1 - side], flags="A", window=size)
    packet = talk.site.ip(src, dst.ip, 6, header)
    talk.site.put(at, talk.site.ethernet(src.mac, dst.mac, packet), "any", talk.flow, from_orig=side == 0)


def resend(talk: Conversation, at: int, side: int, data: bytes, *, copies: int = 2) -> None:
    """One segment of `data`, sent `copies` times, 300 ms apart, and acknowledged."""
    start = talk.next[side]
    for copy in range(copies):
        talk.next[side] = start
        talk.segment(at + copy * 300 * MS, side, "PA", data)
    talk.segment(at + copies * 300 * MS, 1 - side, "A")


def mirrored_twice(site: Site) -> None:
    """Every frame once more, 20 microseconds later, byte for byte."""
    copies = [replace(record, ts_ns=record.ts_ns + 20_000, order=record.order + 1_000_000) for record in site.records]
    site.records += copies


def one_way(site: Site, source: Host) -> None:
    """Only what a host sent is in the capture."""
    mac = bytes.fromhex(source.mac.replace(":", ""))
    site.records = [record for record in site.records if record.frame[6:12] == mac]


def syn6(site: Site, at: int, client: str, server: str, source: int, port: int, *, refused: bool) -> None:
    """A SYN over IPv6, sent three times, or answered by RST."""
    macs = "02:00:00:00:06:01", "02:00:00:00:06:02"
    for wait in (0,) if refused else (0, S, 3 * S):
        packet = IPv6(src=client, dst=server, nh=6, hlim=64) / TCP(sport=source, dport=port, seq=7, flags="S")
        site.put(at + wait, site.ethernet(*macs, packet), "any")
    if refused:
        packet = IPv6(src=server, dst=client, nh=6, hlim=64) / TCP(sport=port, dport=source, ack=8, flags="RA")
        site.put(at + MS, site.ethernet(macs[1], macs[0], packet), "any")


__all__ = ["Net", "mirrored_twice", "one_way", "resend", "syn6", "window"]
