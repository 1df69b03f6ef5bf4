"""A Digital Sentry site: every row of the support article in use, seen on a tagged port of the switch (VLAN 130).

The SQL Server is off-box: ControlPoint asks it by SSRP and connects to the port it is told; one SQL connection was
there before the capture began. What is not publicly known is opaque noise: video, diagnostics, audio.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from . import labels, payloads
from .site import MS, US, Host, Interface, Label, S, Site
from .tcp import Conversation, attempt

START_NS = 1_710_000_000 * S + 123_456_789
INSTANCE = "SITESQL"
SQL_VERSION = "10.50.1600.1"
PORTS = {"sql": 49_731, "diagnostics": 17_772, "video": 18_772, "mobile": 443, "audio": 18_778}


@dataclass(frozen=True)
class Options:
    """What may vary: the seed, the length, the ports that can be moved."""

    seed: int = 18_772
    seconds: int = 60
    ports: dict[str, int] = field(default_factory=lambda: dict(PORTS))
    name: str = "digital_sentry_site.pcap"
    snaplen: int = 0
    network: str = "10.30.0"
    vlan: int | None = 130


class Cast:
    """Who is on the network."""

    def __init__(self, site: Site, network: str) -> None:
        def host(name: str, last: int, *roles: str, ttl: int = 128) -> Host:
            return site.host(name, f"{network}.{last}", *roles, ttl=ttl)

        self.router = host("router", 1, "web server", ttl=64)
        self.names = host("names", 2, "DNS server", "time server", ttl=64)
        self.recorder = host(
            "recorder", 10, "Digital Sentry server", "Digital Sentry web service", "Digital Sentry SQL client"
        )
        self.database = host("database", 11, "Digital Sentry SQL host")
        self.control1 = host("control1", 21, "DS ControlPoint client", "Digital Sentry SQL client")
        self.control2 = host("control2", 22, "DS ControlPoint client", "Digital Sentry SQL client")
        self.control3 = host("control3", 23, "DS ControlPoint client")
        self.phone = host("phone", 50, "Pelco Mobile client", ttl=64)
        self.office = host("office", 60)
        self.controls = (self.control1, self.control2, self.control3)


def build(options: Options | None = None) -> Site:
    """The whole site."""
    options = options or Options()
    site = Site(options.name, options.seed, START_NS, (Interface("eth0", options.snaplen, 9),), vlan=options.vlan)
    cast = Cast(site, options.network)
    end = options.seconds * S
    ground_traffic(site, cast, end)
    database(site, cast, options.ports, end)
    video(site, cast, options.ports, end)
    diagnostics(site, cast, options.ports)
    mobile(site, cast, options.ports)
    audio(site, cast, options.ports)
    return site


def noise(site: Site, low: int, high: int) -> bytes:
    """Opaque bytes of a length in `low` .. `high`; the first is no TLS, TDS or RTP version."""
    return b"\x33" + site.rng.randbytes(low + site.rng.getrandbits(20) % (high - low))


def ground_traffic(site: Site, cast: Cast, end: int) -> None:
    """What every network has: ARP, spanning tree, LLDP, DNS, NTP, web."""
    site.spanning_tree(400 * MS, end, "00:1b:21:0b:00:01")
    for at in range(2 * S, end, 30 * S):
        site.lldp(at, "00:1b:21:0b:00:18", "core", "Gi1/0/24")
    for number, control in enumerate(cast.controls):
        site.arp(80 * MS + number * 90 * MS, control, cast.recorder)
    site.arp(500 * MS, cast.control1, cast.database)
    site.arp(12 * S, cast.router, cast.phone)
    site.arp(40 * S, cast.router, cast.names, answered=False)
    for number, (host, name) in enumerate(
        ((cast.control1, "database.site.example"), (cast.phone, "dsweb.site.example"), (cast.office, "www.example.net"))
    ):
        ident, port = site.rng.getrandbits(16), 51_000 + site.rng.getrandbits(10)
        at = 600 * MS + number * 9 * S
        site.udp(at, host, port, cast.names, 53, payloads.dns_query(ident, name), labels.DNS)
        answer = payloads.dns_answer(ident, name, bytes((10, 30, 0, 11 - number)))
        site.udp(at + 700 * US, cast.names, 53, host, port, answer, labels.DNS)
    for host in (cast.recorder, cast.database):
        at = site.later(5 * S, 30 * S)
        seconds = (site.start_ns + at) // S
        site.udp(at, host, 123, cast.names, 123, payloads.ntp(3, seconds), labels.NTP)
        site.udp(at + 300 * US, cast.names, 123, host, 123, payloads.ntp(4, seconds, stratum=1), labels.NTP)
    # an office computer reads an encrypted page of the router: 443 of a host that is no product's
    talk = Conversation(
        site, cast.office, 50_777, cast.router, 443, Label("other.https", candidates=("digital_sentry.mobile",))
    )
    encrypted(site, talk, 25 * S, "router.site.example", 3, 900)
    site.ping(33 * S, cast.control2, cast.recorder, 1)
    site.ping(34 * S, cast.control2, cast.recorder, 2)


def database(site: Site, cast: Cast, ports: dict[str, int], end: int) -> None:
    """1434/udp asks, the answer names the port, SQL follows; one connection is older than capture and answer."""
    old = Conversation(site, cast.recorder, 50_020, cast.database, ports["sql"], labels.SQL)
    for at in range(300 * MS, end, 9 * S):
        old.ask(at, payloads.tds_batch("select count(*) from Events"), payloads.tds_done(1))
    for number, control in enumerate((cast.control1, cast.control2)):
        at = (1 + 6 * number) * S
        port = 52_310 + number
        label = labels.SQL_DISCOVERY
        site.udp(at, control, port, cast.database, 1434, payloads.ssrp_request(INSTANCE), label)
        reply = payloads.ssrp_reply("DATABASE", INSTANCE, SQL_VERSION, ports["sql"])
        site.udp(at + 1300 * US, cast.database, 1434, control, port, reply, label)
        if not number:
            site.learned.append(
                {
                    "component": "digital_sentry.sql",
                    "address": cast.database.ip,
                    "port": ports["sql"],
                    "by": "ssrp",
                    "instance": INSTANCE,
                    "version": SQL_VERSION,
                    "first_ns": site.start_ns + at + 1300 * US,
                }
            )
        talk = Conversation(site, control, 53_400 + number, cast.database, ports["sql"], labels.SQL)
        asked = payloads.tds_prelogin(bytes.fromhex("0a0006400000"))
        told = payloads.tds_prelogin(bytes.fromhex("0a3206400000"), reply=True)
        at = talk.ask(talk.open(at + 40 * MS), asked, told)
        for _ in range(7):
            question = payloads.tds_batch("select Name, Address from Cameras where Site = 1")
            at = talk.ask(at + site.later(S, 4 * S), question, payloads.tds_done(16))
        if number:
            talk.close(at + S)


def video(site: Site, cast: Cast, ports: dict[str, int], end: int) -> None:
    """18772/tcp, opened by clients and, once, by the server towards a client."""
    for number, (control, start, stop) in enumerate(
        ((cast.control1, 3 * S, end - 2 * S), (cast.control2, 9 * S, 40 * S), (cast.control3, 15 * S, end - 10 * S))
    ):
        talk = Conversation(site, control, 54_100 + number, cast.recorder, ports["video"], labels.VIDEO)
        at = talk.ask(talk.open(start), noise(site, 60, 120), noise(site, 100, 200))
        while at < stop:
            at = talk.send(at + site.later(1800 * MS, 2600 * MS), 1, noise(site, 700, 2300))
        if number == 1:
            talk.close(at + 200 * MS, 1)
    back = Conversation(site, cast.recorder, 50_140, cast.control3, ports["video"], labels.VIDEO)
    at = back.open(18 * S)
    for _ in range(8):
        at = back.send(at + site.later(900 * MS, 2 * S), 0, noise(site, 500, 2000))
        at = back.send(at + 3 * MS, 1, noise(site, 10, 30))
    back.close(at + S)


def diagnostics(site: Site, cast: Cast, ports: dict[str, int]) -> None:
    """17772/tcp: one client reads the version, another one's attempts are swallowed."""
    talk = Conversation(site, cast.control1, 55_010, cast.recorder, ports["diagnostics"], labels.DIAGNOSTICS)
    at = talk.open(5 * S)
    for _ in range(4):
        at = talk.ask(at + 150 * MS, noise(site, 30, 60), noise(site, 120, 700))
    talk.close(at + 2 * S)
    blocked = ("digital_sentry.diagnostics",)
    attempt(site, 20 * S, cast.control3, 55_200, cast.recorder, ports["diagnostics"], blocked, refused=False)


def mobile(site: Site, cast: Cast, ports: dict[str, int]) -> None:
    """443/tcp of the recorder: Pelco Mobile through DSWebService."""
    for number, start in enumerate((14 * S, 30 * S)):
        talk = Conversation(
            site, cast.phone, 41_100 + number, cast.recorder, ports["mobile"], labels.MOBILE, rtt_ns=8 * MS
        )
        encrypted(site, talk, start, "dsweb.site.example", 6, 2600)


def encrypted(site: Site, talk: Conversation, at: int, name: str, turns: int, largest: int) -> None:
    """A TLS connection (resumed session) with some requests."""
    at = talk.ask(talk.open(at), payloads.tls_client_hello(site.rng, name), payloads.tls_server_hello(site.rng))
    at = talk.send(at, 0, payloads.tls_finished(site.rng))
    for _ in range(turns):
        size = largest // 3 + site.rng.getrandbits(16) % largest
        at = talk.ask(
            at + site.later(300 * MS, 2 * S), payloads.tls_data(site.rng, 240), payloads.tls_data(site.rng, size)
        )
    talk.close(at + S)


def audio(site: Site, cast: Cast, ports: dict[str, int]) -> None:
    """18778, 18779, 18780/udp: one port per client, 60 ms of sound in a datagram."""
    for number, control in enumerate(cast.controls):
        start = (12 + 11 * number) * S
        for count in range(90 - 15 * number):
            at = start + count * 60 * MS + site.later(0, 2 * MS)
            data = b"\x01\x00" + count.to_bytes(2, "big") + site.rng.randbytes(480)
            site.udp(at, cast.recorder, 61_500, control, ports["audio"] + number, data, labels.AUDIO)
