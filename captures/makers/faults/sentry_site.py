"""The hosts of a Digital Sentry site, and what they say to each other in scenes."""

from __future__ import annotations

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet, Raw

from ..files import capture_bytes
from ..payloads import ssrp_reply, ssrp_request, tds_batch, tds_done, tds_prelogin
from ..site import MS, Host, Label, S, Site
from ..tcp import Conversation, attempt
from .scene import ANY, lan

SERVER, DATABASE = "10.30.0.10", "10.30.0.11"
CLIENTS = ("10.30.0.21", "10.30.0.22", "10.30.0.23")
ROUTER = "10.30.0.1"
VERSION = "10.50.1600.1"
ICMP_ERROR = Label("network.icmp")


class Cast:
    """A Digital Sentry server, its database on a host of its own, three ControlPoints and a router."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.server = site.host("server", SERVER, ttl=128)
        self.database = site.host("database", DATABASE, ttl=128)
        self.clients = [site.host(f"control{k}", address, ttl=128) for k, address in enumerate(CLIENTS, 1)]
        self.router = site.host("router", ROUTER)
        self.server_six = site.host("names", "10.30.0.53", ip6="fd00::53")
        self._port = 52_000

    def port(self) -> int:
        """A client port that was not used yet."""
        self._port += 1
        return self._port

    def video(self, client: Host, *, at: int = 0, seconds: int = 12, port: int = 18_772, back: bool = False) -> None:
        """Video from the server to a ControlPoint, on a connection of the one or (`back`) the other."""
        ends = (self.server, client) if back else (client, self.server)
        talk = Conversation(self.site, ends[0], self.port(), ends[1], port, ANY)
        now = talk.open(at)
        for second in range(seconds):
            now = talk.send(max(now, at + second * S + 150 * MS), 0 if back else 1, self.site.rng.randbytes(1200))
            now = talk.send(now + MS, 1 if back else 0, self.site.rng.randbytes(40))

    def ask(self, at: int, client: Host, asked: Host | str, data: bytes, *, port: int = 0) -> int:
        """A request to 1434/udp; the client's port."""
        port = port or self.port()
        self.site.udp(at, client, port, asked, 1434, data, ANY)
        return port

    def answer(self, at: int, server: Host, client: Host, port: int, data: bytes) -> None:
        """A reply of a SQL Server Browser."""
        self.site.udp(at, server, 1434, client, port, data, ANY)

    def discover(
        self, at: int, client: Host, asked: Host, sql: int = 49_731, *, name: str = "SITESQL", by: Host | None = None
    ) -> None:
        """A question for an instance and its answer, 1.3 ms later."""
        port = self.ask(at, client, asked, ssrp_request(name))
        self.answer(at + 1300_000, by or asked, client, port, ssrp_reply("DATABASE", name, VERSION, sql))

    def sql(self, at: int, client: Host, server: Host, port: int = 49_731) -> Conversation:
        """A SQL connection that works."""
        talk = Conversation(self.site, client, self.port(), server, port, ANY)
        told = tds_prelogin(bytes.fromhex("0a3206400000"), reply=True)
        now = talk.ask(talk.open(at), tds_prelogin(bytes.fromhex("0a0006400000")), told)
        talk.ask(now + 100 * MS, tds_batch("select Name from Cameras"), tds_done(16))
        return talk

    def fail(self, at: int, client: Host, server: Host, port: int, *, refused: bool = False) -> int:
        """A connection that does not come about; the client's port."""
        own = self.port()
        attempt(self.site, at, client, own, server, port, (), refused=refused)
        return own

    def error(
        self, at: int, sender: Host, client: Host, code: int, ports: tuple[int, int], to: Host, *, tcp: bool = False
    ) -> None:
        """`sender` tells `client` that a datagram (or SYN) to `to` did not get there: ICMP type 3."""
        upper: Packet = TCP(sport=ports[0], dport=ports[1], flags="S") if tcp else UDP(sport=ports[0], dport=ports[1])
        quoted = IP(src=client.ip, dst=to.ip, proto=6 if tcp else 17) / upper
        data = bytes(ICMP(type=3, code=code) / Raw(bytes(quoted)))
        self.site.ip_protocol(at, sender, client.ip, client.mac, "icmp", 1, data, ICMP_ERROR)

    def done(self) -> bytes:
        """The capture."""
        return capture_bytes(self.site)


def stage(snaplen: int = 0, **options: object) -> Cast:
    """The hosts of a site, without any traffic."""
    site = lan(snaplen=snaplen)
    site.vlan = 130 if options.get("vlan") else None
    return Cast(site)
