"""A network without either product: what its neighbours look like, on or near the products' ports.

Two points of capture in one file: the office network (interface 0) and an underlay that carries VXLAN (interface 1).
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from . import labels, payloads
from .addresses import checksum
from .site import MS, US, Host, Interface, Label, S, Site
from .tcp import Conversation, attempt

START_NS = 1_720_000_000 * S
UNDERLAY = 1


@dataclass(frozen=True)
class Options:
    """What may vary: the seed and the length."""

    seed: int = 4789
    seconds: int = 60
    name: str = "neighbours.pcapng"
    snaplen: int = 0
    network: str = "192.168.50"


class Cast:
    """Who is on the network."""

    def __init__(self, site: Site, network: str) -> None:
        def host(name: str, last: int, *roles: str, ttl: int = 64) -> Host:
            return site.host(name, f"{network}.{last}", *roles, ttl=ttl, ip6=f"fe80::50:{last:x}")

        self.router = host("router", 1)
        self.names = host("names", 2, "DNS server", "time server")
        self.web = host("web", 3, "web server", "SSH server")
        self.sql = host("sql", 4, "SQL Server", ttl=128)
        self.printer = host("printer", 5)
        self.camera = host("camera", 6)
        self.controller = host("controller", 7, "Modbus server")
        self.desk1 = host("desk1", 21, "remote desktop host", ttl=128)
        self.desk2 = host("desk2", 22, ttl=128)
        self.desk3 = host("desk3", 23)
        self.stun = site.host("stun", "203.0.113.78")
        self.peer = site.host("peer", "203.0.113.45")
        self.cloud = site.host("cloud", "198.51.100.30", "web server")
        self.tunnel1 = site.host("tunnel1", "172.16.9.1")
        self.tunnel2 = site.host("tunnel2", "172.16.9.2")
        self.inner1 = site.host("inner1", "10.77.0.1", "web server", "DNS server")
        self.inner2 = site.host("inner2", "10.77.0.2")


def build(options: Options | None = None) -> Site:
    """The whole network."""
    options = options or Options()
    interfaces = (Interface("office", options.snaplen, 6), Interface("underlay", options.snaplen, 9))
    site = Site(options.name, options.seed, START_NS, interfaces)
    cast = Cast(site, options.network)
    end = options.seconds * S
    ground_traffic(site, cast, end)
    browsing(site, cast)
    names_and_time(site, cast)
    media_range(site, cast, end)
    tunnel(site, cast)
    lone_sql_server(site, cast)
    unlucky_ports(site, cast)
    discovery(site, cast)
    return site


def ground_traffic(site: Site, cast: Cast, end: int) -> None:
    """ARP, IPv6 neighbour discovery, spanning tree, LLDP, IGMP for mDNS."""
    site.spanning_tree(200 * MS, end, "00:1b:21:0c:00:01")
    for at in range(5 * S, end, 30 * S):
        site.lldp(at, "00:1b:21:0c:00:11", "office-switch", "Gi1/0/17")
    for number, (asker, owner) in enumerate(
        ((cast.desk1, cast.web), (cast.desk2, cast.router), (cast.router, cast.desk3), (cast.desk1, cast.sql))
    ):
        site.arp(50 * MS + number * 7 * S, asker, owner)
    site.igmp_query(6 * S, cast.router)
    site.igmp_join(7 * S, cast.printer, ["224.0.0.251"], change=False)
    neighbour_discovery(site, 11 * S, cast.desk3, cast.printer)
    for number in range(4):
        site.ping(20 * S + number * S, cast.desk2, cast.router, number + 1)


def neighbour_discovery(site: Site, at: int, asker: Host, owner: Host) -> None:
    """Neighbour solicitation and advertisement (RFC 4861)."""
    target = ipaddress.IPv6Address(owner.ip6).packed
    group = str(ipaddress.IPv6Address(b"\xff\x02" + bytes(9) + b"\x01\xff" + target[13:]))
    label = Label("network.icmpv6")
    for kind, src, dst, flags, mac, at_ in (
        (135, asker, group, 0, "33:33:ff:" + ":".join(f"{byte:02x}" for byte in target[13:]), at),
        (136, owner, asker.ip6, 0x60000000, asker.mac, at + 400 * US),
    ):
        option = bytes((1 if kind == 135 else 2, 1)) + bytes.fromhex(src.mac.replace(":", ""))
        message = struct.pack("!BBHI", kind, 0, 0, flags) + target + option
        header = IPv6(src=src.ip6, dst=dst, nh=58, hlim=255)
        pseudo = ipaddress.IPv6Address(src.ip6).packed + ipaddress.IPv6Address(dst).packed
        pseudo += struct.pack("!II", len(message), 58)
        message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
        flow = site.flow("icmpv6", src.ip6, 0, dst, 0, label)
        site.put(
            at_, site.ethernet(src.mac, mac, header / Raw(message)), label.component, flow, payload=len(message) - 8
        )


def browsing(site: Site, cast: Cast) -> None:
    """80 and 443 of web servers, QUIC-like datagrams on 443/udp, SSH."""
    for number, (client, port) in enumerate(((cast.desk1, 50_200), (cast.desk3, 41_777))):
        talk = Conversation(site, client, port, cast.web, 80, Label("other.http", candidates=("digifort.web",)))
        page = b"<html><body>" + b"<p>ordinary page</p>" * 120 + b"</body></html>"
        at = talk.open((2 + 4 * number) * S)
        for path in ("/", "/style.css", "/logo.png"):
            question = payloads.http_request("GET", path, "intranet.example")
            kind = {"/": "text/html", "/style.css": "text/css"}.get(path, "application/octet-stream")
            at = talk.ask(at + 30 * MS, question, payloads.http_reply("200 OK", page, kind))
        talk.close(at + 3 * S)
    for number, client in enumerate((cast.desk1, cast.desk2)):
        label = Label("other.https", candidates=("digital_sentry.mobile",))
        talk = Conversation(site, client, 50_300 + number, cast.cloud, 443, label, rtt_ns=14 * MS)
        at = talk.open((3 + 5 * number) * S)
        at = talk.ask(
            at, payloads.tls_client_hello(site.rng, "www.example.com", "h2"), payloads.tls_server_hello(site.rng)
        )
        at = talk.send(at, 0, payloads.tls_finished(site.rng))
        for _ in range(4):
            at = talk.ask(at + S, payloads.tls_data(site.rng, 300), payloads.tls_data(site.rng, 3000))
        talk.close(at + S, 1)
    for count in range(12):  # short-header QUIC packets: the connection is older than the capture
        at = 12 * S + count * 180 * MS
        data = bytes((0x40 | site.rng.getrandbits(6),)) + site.rng.randbytes(60 if count % 3 else 700)
        if count % 3:
            site.udp(at, cast.desk1, 58_800, cast.cloud, 443, data, labels.QUIC)
        else:
            site.udp(at, cast.cloud, 443, cast.desk1, 58_800, data, labels.QUIC)
    shell = Conversation(site, cast.desk3, 44_022, cast.web, 22, labels.SSH)
    at = shell.send(shell.open(14 * S), 1, b"SSH-2.0-OpenSSH_9.2\r\n")
    at = shell.send(at + 5 * MS, 0, b"SSH-2.0-OpenSSH_9.6\r\n")
    shell.close(at + 6 * S)
    attempt(site, 40 * S, cast.desk3, 46_100, cast.web, 8080, (), refused=True)


def names_and_time(site: Site, cast: Cast) -> None:
    """DNS answers to ports in 3000-5000 and elsewhere, over IPv6 too; NTP."""
    for number, (client, port) in enumerate(
        ((cast.desk1, 3456), (cast.desk2, 4021), (cast.desk3, 39_011), (cast.desk1, 18_779), (cast.desk2, 8660))
    ):
        ident = site.rng.getrandbits(16)
        at = (1 + 3 * number) * S
        site.udp(at, client, port, cast.names, 53, payloads.dns_query(ident, "www.example.com"), labels.DNS)
        answer = payloads.dns_answer(ident, "www.example.com", bytes((198, 51, 100, 30)))
        site.udp(at + 900 * US, cast.names, 53, client, port, answer, labels.DNS)
    query = payloads.dns_query(7, "www.example.com", kind=28)
    site.udp6(9 * S, cast.desk3, 40_404, cast.names, 53, query, labels.DNS)
    answer = payloads.dns_answer(7, "www.example.com", bytes.fromhex("20010db8000000000000000000000030"), kind=28)
    site.udp6(9 * S + MS, cast.names, 53, cast.desk3, 40_404, answer, labels.DNS)
    for number, client in enumerate((cast.desk1, cast.sql, cast.camera)):
        at = (8 + 9 * number) * S
        seconds = (site.start_ns + at) // S
        port = 4_123 if client is cast.camera else 123  # a small client that asks from inside 3000-5000
        site.udp(at, client, port, cast.names, 123, payloads.ntp(3, seconds), labels.NTP)
        site.udp(at + 400 * US, cast.names, 123, client, port, payloads.ntp(4, seconds, stratum=2), labels.NTP)


def media_range(site: Site, cast: Cast, end: int) -> None:
    """3000-5000/udp as others use it: STUN, IPsec NAT-T, RDP, BFD, and a protocol nobody knows."""
    address = int.from_bytes(bytes((192, 168, 50, 21)), "big")
    for number in range(6):
        at = (4 + 8 * number) * S
        request = payloads.stun_request(site.rng)
        site.udp(at, cast.desk1, 3478 if number % 2 else 60_100, cast.stun, 3478, request, labels.STUN)
        reply = payloads.stun_reply(request, address, 60_100)
        site.udp(at + 22 * MS, cast.stun, 3478, cast.desk1, 3478 if number % 2 else 60_100, reply, labels.STUN)
    for count in range(60):  # ESP in UDP (RFC 3948): SPI, sequence number, ciphertext
        spi = 0xC1A2B3C4 if count % 2 else 0xC9D8E7F6
        data = struct.pack("!II", spi, count // 2 + 1) + site.rng.randbytes(80 + 4 * (site.rng.getrandbits(8)))
        ends = (cast.desk2, cast.peer) if count % 2 else (cast.peer, cast.desk2)
        site.udp(6 * S + count * 700 * MS, ends[0], 4500, ends[1], 4500, data, labels.IPSEC)
    for at in range(9 * S, end, 20 * S):
        site.udp(at, cast.desk2, 4500, cast.peer, 4500, b"\xff", labels.IPSEC)  # NAT keep-alive
    for count in range(40):
        at = 15 * S + count * 90 * MS
        data = struct.pack("!IHH", 0xFFFFFFFF if count < 2 else count, 64, 0x0200) + site.rng.randbytes(220)
        if count % 2:
            site.udp(at, cast.desk1, 3389, cast.desk2, 51_515, data, labels.RDP)
        else:
            site.udp(at, cast.desk2, 51_515, cast.desk1, 3389, data, labels.RDP)
    for count in range(30):
        at = 2 * S + count * 900 * MS + site.later(0, 30 * MS)
        site.udp(at, cast.router, 49_152, cast.web, 3784, payloads.bfd(0x11, 0x22), labels.BFD, ttl=255)
    for count in range(24):  # no service of this name: it stays unknown
        data = b"\x07\x00" + count.to_bytes(2, "big") + site.rng.randbytes(90)
        label = Label("unclassified.udp", candidates=("digifort.media_input",))
        site.udp(21 * S + count * 310 * MS, cast.controller, 40_112, cast.desk3, 3777, data, label)


def tunnel(site: Site, cast: Cast) -> None:
    """VXLAN on 4789 with a web page, an ARP exchange and a DNS question inside: the inner packets count."""
    outer_port = 49_152 + site.rng.getrandbits(12)
    sides = {cast.inner1.mac: (cast.tunnel1, cast.tunnel2), cast.inner2.mac: (cast.tunnel2, cast.tunnel1)}

    def wrap(inner: Packet) -> Packet:
        src, dst = sides[inner[Ether].src]
        header = bytes.fromhex("0800000000004d00")  # VNI 77
        packet = IP(src=src.ip, dst=dst.ip, proto=17, ttl=64, id=site.ip_id(src), flags="DF")
        datagram = UDP(sport=outer_port, dport=4789, chksum=0) / Raw(header + bytes(inner))
        return Ether(src=src.mac, dst=dst.mac, type=0x0800) / packet / datagram

    ask = ARP(op=1, hwsrc=cast.inner2.mac, psrc=cast.inner2.ip, hwdst="00:00:00:00:00:00", pdst=cast.inner1.ip)
    frame = Ether(src=cast.inner2.mac, dst="ff:ff:ff:ff:ff:ff", type=0x0806) / ask
    site.put(30 * S, frame, "network.arp", interface=UNDERLAY, wrap=wrap)
    tell = ARP(op=2, hwsrc=cast.inner1.mac, psrc=cast.inner1.ip, hwdst=cast.inner2.mac, pdst=cast.inner2.ip)
    frame = Ether(src=cast.inner1.mac, dst=cast.inner2.mac, type=0x0806) / tell
    site.put(30 * S + 700 * US, frame, "network.arp", interface=UNDERLAY, wrap=wrap)
    label = Label("other.http", candidates=("digifort.web",))
    talk = Conversation(
        site,
        cast.inner2,
        45_800,
        cast.inner1,
        80,
        label,
        mss=1400,
        interface=UNDERLAY,
        wrap=wrap,
        encapsulation="vxlan",
    )
    at = talk.open(31 * S)
    for _ in range(3):
        question = payloads.http_request("GET", "/report", "inner.example")
        at = talk.ask(at + S, question, payloads.http_reply("200 OK", b"line of a report\r\n" * 260, "text/plain"))
    talk.close(at + S)
    question = payloads.dns_query(99, "inner.example")
    where = {"interface": UNDERLAY, "wrap": wrap, "encapsulation": "vxlan"}
    site.udp(33 * S, cast.inner2, 47_100, cast.inner1, 53, question, labels.DNS, **where)  # type: ignore[arg-type]
    answer = payloads.dns_answer(99, "inner.example", bytes((10, 77, 0, 1)))
    site.udp(33 * S + MS, cast.inner1, 53, cast.inner2, 47_100, answer, labels.DNS, **where)  # type: ignore[arg-type]


def lone_sql_server(site: Site, cast: Cast) -> None:
    """SSRP and SQL without any Digital Sentry host: generic services."""
    label = Label("other.ssrp", candidates=("digital_sentry.sql_discovery",))
    site.udp(17 * S, cast.desk1, 50_999, cast.sql, 1434, payloads.ssrp_request("PAYROLL"), label)
    reply = payloads.ssrp_reply("SQL", "PAYROLL", "15.0.2000.5", 1433)
    site.udp(17 * S + 1100 * US, cast.sql, 1434, cast.desk1, 50_999, reply, label)
    talk = Conversation(
        site, cast.desk1, 51_000, cast.sql, 1433, Label("other.mssql", candidates=("digital_sentry.sql",))
    )
    asked = payloads.tds_prelogin(bytes.fromhex("0f0007d00000"))
    at = talk.ask(talk.open(17 * S + 40 * MS), asked, payloads.tds_prelogin(bytes.fromhex("0f0007d00000"), reply=True))
    for _ in range(6):
        at = talk.ask(at + 2 * S, payloads.tds_batch("select 1 from Payroll"), payloads.tds_done(1))
    talk.close(at + S)


def unlucky_ports(site: Site, cast: Cast) -> None:
    """Clients whose own port is one of the products': the SYN says who serves."""
    for number, port in enumerate((8600, 18_772)):
        label = Label("other.https", candidates=("digital_sentry.mobile",))
        talk = Conversation(site, cast.desk2, port, cast.cloud, 443, label, rtt_ns=12 * MS)
        at = talk.open((23 + 7 * number) * S)
        at = talk.ask(at, payloads.tls_client_hello(site.rng, "mail.example.com"), payloads.tls_server_hello(site.rng))
        for _ in range(3):
            at = talk.ask(at + S, payloads.tls_data(site.rng, 200), payloads.tls_data(site.rng, 1700))
        talk.close(at + S)
    talk = Conversation(site, cast.desk3, 8610, cast.controller, 502, labels.MODBUS)
    at = talk.open(26 * S)
    for count in range(5):
        question = struct.pack("!HHHBBHH", count, 0, 6, 1, 3, 0, 2)
        at = talk.ask(at + 2 * S, question, struct.pack("!HHHBBBHH", count, 0, 7, 1, 3, 4, 230, 50))
    talk.close(at + S)


def discovery(site: Site, cast: Cast) -> None:
    """mDNS, LLMNR, SSDP and WS-Discovery; 225.0.0.100 used by somebody else, on another port."""
    query = payloads.dns_query(0, "_ipp._tcp.local", kind=12, recursion=False)
    site.udp(4 * S, cast.desk3, 5353, "224.0.0.251", 5353, query, labels.MDNS, ttl=255)
    site.udp6(4 * S + MS, cast.desk3, 5353, "ff02::fb", 5353, query, labels.MDNS)
    name = payloads.dns_query(4242, "fileserver", recursion=False)
    site.udp(13 * S, cast.desk1, 55_355, "224.0.0.252", 5355, name, labels.LLMNR, ttl=1)
    site.udp(18 * S, cast.desk1, 52_001, "239.255.255.250", 1900, payloads.ssdp_search("ssdp:all"), labels.SSDP, ttl=4)
    answer = payloads.ssdp_reply(cast.printer.ip, "Printer/1.0 UPnP/1.0", payloads.uuid_text(site.rng))
    site.udp(18 * S + 210 * MS, cast.printer, 1900, cast.desk1, 52_001, answer, labels.SSDP)
    for number, port in enumerate((3702, 3333)):
        probe = payloads.uuid_text(site.rng)
        at = (27 + number) * S
        message = payloads.onvif_probe(probe)
        site.udp(at, cast.desk2, port, "239.255.255.250", 3702, message, labels.WS_DISCOVERY, ttl=1)
        match = payloads.onvif_match(payloads.uuid_text(site.rng), probe, cast.camera.ip)
        site.udp(at + 30 * MS, cast.camera, 3702, cast.desk2, port, match, labels.WS_DISCOVERY)
    label = Label("unclassified.udp", candidates=("digifort.announcement",))
    for count in range(5):
        data = b"cluster " + count.to_bytes(2, "big") + site.rng.randbytes(30)
        site.udp(22 * S + count * 3 * S, cast.web, 40_225, "225.0.0.100", 6789, data, label, ttl=1)
