"""Scenes of the rules about multicast: Digifort's groups, and what switches do with any group."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from classifier.matching.site import Site as Known

from ..digifort import ANNOUNCE_GROUP, GROUP
from ..files import capture_bytes
from ..media import RtpStream
from ..payloads import digifort_login, rtcp_receiver_report
from ..site import MS, Host, S, Site
from ..tcp import Conversation
from .scene import ANY, Scene, digifort_at_work, lan

VIDEO = bytes(600)


def send(
    site: Site,
    host: Host,
    group: str,
    port: int,
    start: int,
    end: int,
    *,
    every: int = 100 * MS,
    ttl: int = 1,
    sport: int = 0,
) -> None:
    """Datagrams to a group at a steady pace."""
    for at in range(start, end, every):
        site.udp(at, host, sport or 52_000 + port % 1000, group, port, VIDEO, ANY, ttl=ttl)


def announce(site: Site, host: Host, end: int, *, start: int = 0, every: int = 10 * S, ttl: int = 1) -> None:
    """A service announcement now and then."""
    for at in range(start, end, every):
        site.udp(at, host, 56_000, ANNOUNCE_GROUP, 8650, b"\x02" + host.name.encode().ljust(63, b"\0"), ANY, ttl=ttl)


def greeted(site: Site, client: Host, server: Host, at: int, port: int = 8600) -> None:
    """A connection to the server port, with the greeting."""
    talk = Conversation(site, client, 50_123 + at // S, server, port, ANY)
    talk.send(talk.open(at), 1, digifort_login(site.rng))


def made(build: Callable[[Site], None], *, vlan: int | None = None) -> Callable[[], bytes]:
    """A capture of an empty network that `build` fills."""

    def make() -> bytes:
        site = lan()
        site.vlan = vlan
        build(site)
        return capture_bytes(site)

    return make


# -- one group, two servers


def two_servers(
    group: str = GROUP, *, ports: tuple[int, int] = (1025, 1025), second_at: int = 4 * S
) -> Callable[[Site], None]:
    """Two servers send for ten seconds each; the second begins at `second_at`."""

    def build(site: Site) -> None:
        first, second = site.host("first", "10.1.0.5"), site.host("second", "10.1.0.6")
        send(site, first, group, ports[0], 0, 10 * S)
        send(site, second, group, ports[1], second_at, second_at + 10 * S)

    return build


def one_machine(site: Site) -> None:
    """One server with two addresses on one card; it announces itself from the first."""
    first = site.host("first", "10.1.0.5")
    second = dataclasses.replace(first, ip="10.1.0.6")
    send(site, first, GROUP, 1025, 0, 10 * S)
    send(site, second, GROUP, 1026, 0, 10 * S)
    announce(site, first, 10 * S, every=3 * S)


def two_behind_a_router(site: Site) -> None:
    """Two servers of another network: their packets come from one MAC, the router's, and both announce themselves."""
    first = site.host("first", "10.1.0.5")
    second = dataclasses.replace(first, ip="10.1.0.6")
    for host in (first, second):
        send(site, host, GROUP, 1025, 0, 10 * S, ttl=31)
        announce(site, host, 10 * S, every=3 * S, ttl=31)


def relayed(site: Site) -> None:
    """A relay sends the same RTP stream on from its own address."""
    sender, relay = site.host("server", "10.1.0.5"), site.host("relay", "10.1.0.7")
    stream = RtpStream(site, sender, 52_000, GROUP, 1025, ANY, ttl=16)
    again = RtpStream(site, relay, 40_000, GROUP, 1025, ANY, ttl=16)
    again.ssrc, again.sequence, again.base = stream.ssrc, stream.sequence, stream.base
    for at in range(0, 6 * S, 100 * MS):
        stream.h264_picture(at, 500, key=False)
        again.h264_picture(at + 2 * MS, 500, key=False)


def routed_copies(site: Site) -> None:
    """A mirror of two networks shows every packet twice, the second time behind the router."""
    server, router = site.host("server", "10.1.0.5"), site.host("router", "10.1.0.1")
    behind = dataclasses.replace(server, mac=router.mac)
    for at in range(0, 6 * S, 50 * MS):
        site.udp(at, server, 52_000, GROUP, 1025, VIDEO, ANY, ttl=16)
        site.udp(at + MS, behind, 52_000, GROUP, 1025, VIDEO, ANY, ttl=15)


def receivers_report(site: Site) -> None:
    """Clients that receive the server's RTP send their RTCP reports to the group, one port up."""
    server = site.host("server", "10.1.0.5")
    stream = RtpStream(site, server, 52_000, GROUP, 1025, ANY, ttl=16)
    clients = [site.host(f"client{n}", f"10.1.0.{n}") for n in (40, 41)]
    for number, at in enumerate(range(0, 15 * S, 250 * MS)):
        stream.h264_picture(at, 500, key=False)
        for client in clients:
            if number % 4 == 0:
                report = rtcp_receiver_report(int(client.ip[-2:]), stream.ssrc, 0, stream.highest, 40, client.name)
                site.udp(at + MS, client, 52_001, GROUP, 1026, report, ANY, ttl=16)


def two_vlans(ttl: int) -> Callable[[Site], None]:
    """A trunk: one server in each of two VLANs, with the same group."""

    def build(site: Site) -> None:
        for vlan in (10, 20):
            site.vlan = vlan
            send(site, site.host(f"server{vlan}", f"10.{vlan}.0.5"), GROUP, 1025, 0, 5 * S, ttl=ttl)

    return build


SHARED = [
    Scene(
        "DGF-MC-SHARED",
        "two servers, one port",
        made(two_servers()),
        says=(
            "2 servers share the media group 225.5.10.1: 10.1.0.5 and 10.1.0.6",
            "sent 100 packets to 1 port",
            "from 07:33:24.000 UTC, for 5.90 s",
            "Worse: on port 1025",
        ),
        severity="error",
        packets=200,
    ),
    Scene(
        "DGF-MC-SHARED",
        "two servers, ports of their own",
        made(two_servers(ports=(1025, 2000))),
        says=("No port had two senders at the same time",),
        never=("Worse",),
    ),
    Scene(
        "DGF-MC-SHARED",
        "a group the user names",
        made(two_servers("239.1.2.3")),
        says=("media group 239.1.2.3",),
        options={"site": Known.of(maps=["digifort.multicast_media=239.1.2.3"])},
    ),
    Scene("DGF-MC-SHARED", "in a VLAN", made(two_servers(), vlan=20), packets=200),
    Scene("DGF-MC-SHARED", "two servers behind a router", made(two_behind_a_router)),
    Scene(
        "DGF-MC-SHARED",
        "failover: the second begins when the first has ended",
        made(two_servers(second_at=10 * S)),
        fires=0,
    ),
    Scene("DGF-MC-SHARED", "receivers' reports", made(receivers_report), fires=0),
    Scene("DGF-MC-SHARED", "two VLANs that routers may join", made(two_vlans(8))),
    Scene("DGF-MC-SHARED", "two VLANs, TTL 1", made(two_vlans(1)), fires=0),
    Scene("DGF-MC-SHARED", "one machine with two addresses", made(one_machine), fires=0),
    Scene("DGF-MC-SHARED", "a relay sends the same stream on", made(relayed), fires=0),
    Scene("DGF-MC-SHARED", "routed copies of one server's packets", made(routed_copies), fires=0),
    Scene(
        "DGF-MC-SHARED",
        "another group",
        made(two_servers("239.1.2.3")),
        fires=0,
        skipped="--map digifort.multicast_media=GROUP",
    ),
]


# -- addresses and ports


def aliases(second: str, *, joined_only: bool = False) -> Callable[[Site], None]:
    """The media group, and a second one in use."""

    def build(site: Site) -> None:
        server, other, member = (
            site.host(name, f"10.1.0.{n}") for name, n in (("server", 5), ("other", 6), ("pc", 40))
        )
        send(site, server, GROUP, 1025, 0, 3 * S)
        if joined_only:
            site.igmp_join(S, member, [second])
        else:
            send(site, other, second, 5004, 0, 3 * S)

    return build


def on_ports(*ports: int, each: int = 2 * S) -> Callable[[Site], None]:
    """Streams of one server, each on its port, one after another by a second."""

    def build(site: Site) -> None:
        server = site.host("server", "10.1.0.5")
        for number, port in enumerate(ports):
            send(site, server, GROUP, port, number * S, number * S + each)

    return build


def mixed(*, together: bool) -> Callable[[Site], None]:
    """Two RTP sources on one port of one server, at the same time or one after the other."""

    def build(site: Site) -> None:
        server = site.host("server", "10.1.0.5")
        for number in range(2):
            stream = RtpStream(site, server, 52_000 + number, GROUP, 1025, ANY, ttl=1)
            start = 0 if together else number * 5 * S
            for at in range(start, start + 5 * S, 100 * MS):
                stream.h264_picture(at + number * MS, 500, key=False)

    return build


ADDRESSES = [
    Scene(
        "DGF-MC-MACALIAS",
        "the group beside it",
        made(aliases("226.5.10.1")),
        says=("225.5.10.1 and 226.5.10.1 share one MAC address, 01:00:5e:05:0a:01",),
        severity="warning",
        packets=30,
    ),
    Scene("DGF-MC-MACALIAS", "the second half of the range", made(aliases("225.133.10.1")), severity="warning"),
    Scene(
        "DGF-MC-MACALIAS",
        "only joined",
        made(aliases("239.5.10.1", joined_only=True)),
        says=("was joined by 1 host",),
        severity="info",
    ),
    Scene("DGF-MC-MACALIAS", "other last bits", made(aliases("225.6.10.1")), fires=0),
    Scene(
        "DGF-MC-PORTS",
        "three streams",
        made(on_ports(1025, 1026, 1027)),
        says=("uses 3 ports, 1025 to 1027", "At most 2 ports in one second"),
        never=("wrapped",),
        severity="info",
        packets=60,
    ),
    Scene(
        "DGF-MC-PORTS",
        "the numbers wrap",
        made(on_ports(65533, 65534, 1025, 1026)),
        says=("The numbers wrapped: port 65534 came into use at 07:33:20.000 UTC, then port 1025 at 07:33:22.000 UTC",),
    ),
    Scene("DGF-MC-PORTS", "reports are no stream", made(receivers_report), says=("uses port 1025",)),
    Scene("DGF-MC-PORTS", "only ports of others", made(on_ports(500)), fires=0),
    Scene(
        "DGF-MC-BADPORT",
        "below and above",
        made(on_ports(1024, 1025, 65535)),
        says=("2 ports: 1024 and 65535", "40 packets from 10.1.0.5"),
        severity="info",
    ),
    Scene("DGF-MC-BADPORT", "one port", made(on_ports(1025, 123)), says=("1 port: 123",), packets=20),
    Scene("DGF-MC-BADPORT", "first and last port", made(on_ports(1025, 65534)), fires=0),
    Scene(
        "DGF-MC-PORTMIX",
        "two sources at once",
        made(mixed(together=True)),
        says=("2 streams of 10.1.0.5 on one port of the media group: 225.5.10.1:1025", "50 packets"),
        severity="warning",
        packets=100,
    ),
    Scene("DGF-MC-PORTMIX", "a new source after a restart", made(mixed(together=False)), fires=0),
]


# -- announcements


def services(
    site: Site,
    *,
    announcing: bool,
    length: int = 320 * S,
    every: int = 60 * S,
    paused: bool = False,
) -> tuple[Host, Host]:
    """A server with its client for `length`, captured at the server, which also sends other multicast."""
    server, client = site.host("server", "10.1.0.5"), site.host("client", "10.1.0.40")
    digifort_at_work(site, server, client, seconds=5)
    digifort_at_work(site, server, site.host("second client", "10.1.0.41"), seconds=5)
    greeted(site, client, server, length)
    if announcing:
        announce(site, server, length, start=S, every=every)
    site.udp(2 * S, server, 5353, "224.0.0.251", 5353, bytes(40), ANY, ttl=255)
    for at in range(30 * S, 0 if paused else length, 30 * S):
        site.arp(at, server, client)
    return server, client


def unannounced(length: int, *, announcing: bool = False, paused: bool = False) -> Callable[[Site], None]:
    def build(site: Site) -> None:
        services(site, announcing=announcing, length=length, paused=paused)

    return build


def waiting(site: Site) -> None:
    """A client joins the announcements' group, where another program talks on a port of its own."""
    _, client = services(site, announcing=False, length=20 * S)
    site.igmp_join(2 * S, client, [ANNOUNCE_GROUP])
    send(site, site.host("other", "10.1.0.7"), ANNOUNCE_GROUP, 9001, 3 * S, 5 * S)


def out_of_reach(site: Site) -> None:
    """Captured at a client: nothing says that the server's multicast would reach it."""
    client = site.host("client", "10.2.0.40")
    for number in (5, 6, 7):
        digifort_at_work(site, site.host(f"server{number}", f"10.1.0.{number}"), client, seconds=3)
    for number in (5, 6, 7):
        greeted(site, client, site.hosts[f"10.1.0.{number}"], 320 * S + number * S)
    for at in range(30 * S, 320 * S, 30 * S):
        site.arp(at, client, site.hosts["10.1.0.5"])


def listed_hosts(site: Site) -> None:
    """One server in use and announced, one only announced, one only in use; one announcement is late."""
    server, client = services(site, announcing=False, length=60 * S)
    for at in (0, 10 * S, 20 * S, 30 * S, 50 * S, 60 * S):
        announce(site, server, at + 1, start=at)
    announce(site, site.host("forgotten", "10.1.0.9"), 30 * S, start=2 * S, every=7 * S)
    greeted(site, client, site.host("unannounced", "10.1.0.8"), 3 * S)


def scope(ttl: int, *, client_ttl: int) -> Callable[[Site], None]:
    """A client whose packets come with `client_ttl`, and a server that announces itself with `ttl`."""

    def build(site: Site) -> None:
        server = site.host("server", "10.1.0.5", ttl=128)
        digifort_at_work(site, server, site.host("far", "10.2.0.40", ttl=client_ttl), seconds=3)
        digifort_at_work(site, server, site.host("near", "10.1.0.40", ttl=128), at=S, seconds=3)
        announce(site, server, 60 * S, ttl=ttl)

    return build


ANNOUNCEMENTS = [
    Scene(
        "DGF-ANN-NONE",
        "five minutes without one",
        made(unannounced(320 * S)),
        says=("No announcement from 10.1.0.5 in 5 min 20 s", "Digifort server"),
        severity="info",
    ),
    Scene("DGF-ANN-NONE", "announced", made(unannounced(320 * S, announcing=True)), fires=0),
    Scene("DGF-ANN-NONE", "too short", made(unannounced(200 * S)), fires=0, skipped="the claim needs 300 s"),
    Scene(
        "DGF-ANN-NONE",
        "five minutes, mostly not captured",
        made(unannounced(320 * S, paused=True)),
        fires=0,
        skipped="long without pauses of 5 min",
    ),
    Scene("DGF-ANN-NONE", "captured elsewhere", made(out_of_reach), fires=0, skipped="reaches the point of capture"),
    Scene(
        "DGF-ANN-LIST",
        "used, forgotten and silent servers",
        made(listed_hosts),
        says=(
            "2 hosts announce Digifort services: 10.1.0.5 and 10.1.0.9",
            "10.1.0.5: 6 packets, every 10.0 s (longest gap 20.0 s from 07:33:50.000 UTC), TTL 1",
            "10.1.0.9: 4 packets, every 7.00 s (longest gap 7.00 s from 07:33:22.000 UTC), none after 07:33:43.000 UTC",
            "Announced, but no connection to a Digifort service of it in this capture: 10.1.0.9",
            "In use, but never announced in this capture: 10.1.0.8 (Digifort server)",
        ),
        severity="info",
        packets=10,
    ),
    Scene("DGF-ANN-LIST", "a client waits, nobody announces", made(waiting), fires=0),
    Scene("DGF-ANN-LIST", "nobody", made(unannounced(30 * S)), fires=0, skipped="nobody sends to or joins"),
    Scene(
        "DGF-ANN-SCOPE",
        "a client behind a router",
        made(scope(1, client_ttl=126)),
        says=("Announcements of 10.1.0.5 cannot reach 1 host behind a router", "TTL 1", "10.2.0.40"),
        never=("10.1.0.40",),
        severity="warning",
    ),
    Scene("DGF-ANN-SCOPE", "nobody behind a router", made(scope(1, client_ttl=128)), fires=0),
    Scene("DGF-ANN-SCOPE", "a TTL that gets there", made(scope(16, client_ttl=126)), fires=0),
]

SCENES: list[Scene] = [*SHARED, *ADDRESSES, *ANNOUNCEMENTS]
