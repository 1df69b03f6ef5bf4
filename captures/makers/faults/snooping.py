"""Scenes of the rules about what the network does with multicast groups."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable

from scapy.layers.inet6 import ICMPv6MLQuery2, IPv6, IPv6ExtHdrHopByHop, RouterAlert

from classifier.findings import Settings

from ..digifort import ANNOUNCE_GROUP, GROUP
from ..site import MS, Host, S, Site
from .multicast import VIDEO, made, send
from .scene import ANY, Scene

CCTV = "239.10.20.30"
OTHER = "239.10.20.31"


def query(site: Site, at: int, host: Host, *, version: int = 3, interval: int = 125) -> None:
    """A general query."""
    head = struct.pack("!BBH4s", 0x11, 0 if version == 1 else 100, 0, bytes(4))
    site.igmp(at, host, "224.0.0.1", head + (struct.pack("!BBH", 2, interval, 0) if version == 3 else b""))


def chat(site: Site, host: Host, *others: str, at: int = 0) -> None:
    """Enough unicast with some hosts to show whose port this is."""
    for number, address in enumerate(others):
        other = site.hosts.get(address) or site.host(f"other{number}", address)
        for step in range(20):
            when = at + step * 100 * MS + number * MS
            site.udp(when, host, 40_000 + number, other, 7000, bytes(100), ANY)
            site.udp(when + 10 * MS, other, 7000, host, 40_000 + number, bytes(100), ANY)


def stay(site: Site, host: Host, end: int) -> None:
    """A last packet, so that the capture lasts until `end`."""
    chat(site, host, "10.1.0.90", at=end - 2 * S)


# -- queriers


def nobody_asks(
    length: int, *, group: str = CCTV, asks: bool = False, one_sided: bool = False, version: int = 3
) -> Callable[[Site], None]:
    """Two members join; with `asks` a querier asks once."""

    def build(site: Site) -> None:
        members = site.host("first", "10.1.0.40"), site.host("second", "10.1.0.41")
        for number, member in enumerate(members):
            site.igmp_join((1 + number) * S, member, [group], version=version)
        if asks:
            query(site, 20 * S, site.host("switch", "10.1.0.1"))
        if one_sided:
            for at in range(0, length, 10 * S):
                site.udp(at, members[0], 5000, "10.1.0.90", 7000, VIDEO, ANY)
                site.udp(at, members[1], 5000, "10.1.0.90", 7000, VIDEO, ANY)
        else:
            send(site, site.host("camera", "10.1.0.20"), group, 5004, 0, length, every=S)

    return build


def two_queriers(
    *, second: str = "10.1.0.2", polite: bool = False, same_device: bool = False
) -> Callable[[Site], None]:
    """Two routers ask every minute; a polite one stops when it hears the other."""

    def build(site: Site) -> None:
        first = site.host("first", "10.1.0.1")
        other = dataclasses.replace(first, ip=second) if same_device else site.host("second", second)
        for at in range(0, 300 * S, 60 * S):
            query(site, at + 5 * S, first)
            if not polite or at == 0:
                query(site, at + 4 * S, other)

    return build


def failover(version: int) -> Callable[[Site], None]:
    """The lower address dies; the higher one takes over and asks often."""

    def build(site: Site) -> None:
        first, second = site.host("first", "10.1.0.1"), site.host("second", "10.1.0.2")
        for at in range(0, 100 * S, 20 * S):
            query(site, at, first, version=version, interval=20)
        for at in range(130 * S, 300 * S, 20 * S):
            query(site, at, second, version=version, interval=20)

    return build


def mld_queriers(site: Site) -> None:
    """The same in IPv6: two routers send MLD queries every minute."""
    router = IPv6ExtHdrHopByHop(options=[RouterAlert()])
    for at in range(0, 300 * S, 60 * S):
        for number, source in enumerate(("fe80::1", "fe80::2")):
            ask = IPv6(src=source, dst="ff02::1", hlim=1) / router / ICMPv6MLQuery2(mrd=10_000, QRV=2, QQIC=125)
            frame = site.ethernet(f"02:00:00:00:00:0{number + 1}", "33:33:00:00:00:01", ask)
            site.put(at + number * S, frame, "network.icmpv6")


def no_address(*, other: bool) -> Callable[[Site], None]:
    """A switch without an address asks; with `other` a router as well."""

    def build(site: Site) -> None:
        switch, member = site.host("switch", "0.0.0.0"), site.host("member", "10.1.0.40")
        for at in range(0, 300 * S, 60 * S):
            query(site, at, switch)
            if other:
                query(site, at + S, site.hosts.get("10.1.0.1") or site.host("router", "10.1.0.1"))
            site.igmp_join(at + 2 * S, member, [CCTV], change=False)

    return build


def versions(*asked: int, reports: int) -> Callable[[Site], None]:
    """Queries of some versions, one a minute, each answered in version `reports`."""

    def build(site: Site) -> None:
        router, member = site.host("router", "10.1.0.1"), site.host("member", "10.1.0.40")
        for number, version in enumerate(asked):
            query(site, number * 60 * S, router, version=version)
            site.igmp_join(number * 60 * S + 12 * S, member, [CCTV], version=reports, change=False)

    return build


def two_networks(site: Site) -> None:
    """A mirror of two networks without tags: their queriers ask in versions of their own."""
    for number, version in enumerate((2, 3)):
        for at in range(0, 240 * S, 60 * S):
            query(site, at, site.host(f"router{number}", f"10.{number}.0.1"), version=version)


QUERIERS = [
    Scene(
        "NET-MC-NOQUERIER",
        "five minutes without a query",
        made(nobody_asks(300 * S)),
        says=("No multicast querier: 1 group joined, no IGMP query in 4 min 59 s", "2 hosts joined 239.10.20.30"),
        severity="warning",
        packets=2,
    ),
    Scene("NET-MC-NOQUERIER", "in a VLAN", made(nobody_asks(300 * S, version=2), vlan=20), says=("in VLAN 20",)),
    Scene(
        "NET-MC-NOQUERIER",
        "only discovery groups",
        made(nobody_asks(300 * S, group="239.255.255.250")),
        severity="info",
    ),
    Scene("NET-MC-NOQUERIER", "somebody asks", made(nobody_asks(300 * S, asks=True)), fires=0),
    Scene("NET-MC-NOQUERIER", "nothing but 224.0.0.x", made(nobody_asks(300 * S, group="224.0.0.251")), fires=0),
    Scene("NET-MC-NOQUERIER", "too short", made(nobody_asks(200 * S)), fires=0, skipped="the claim needs 260 s"),
    Scene(
        "NET-MC-NOQUERIER",
        "what the members send, and nothing else",
        made(nobody_asks(300 * S, one_sided=True)),
        fires=0,
        skipped="only what the members themselves sent",
    ),
    Scene(
        "NET-MC-QUERIERS",
        "two routers",
        made(two_queriers()),
        says=("2 multicast queriers: 10.1.0.1 and 10.1.0.2", "10.1.0.2 asked 5 times", "10.1.0.1, is the querier"),
        severity="warning",
        packets=10,
    ),
    Scene(
        "NET-MC-QUERIERS",
        "of two networks",
        made(two_queriers(second="10.2.0.1")),
        says=("of different networks",),
        severity="info",
    ),
    Scene(
        "NET-MC-QUERIERS", "in IPv6", made(mld_queriers), says=("fe80::1 and fe80::2",), severity="warning", packets=10
    ),
    Scene("NET-MC-QUERIERS", "the second takes over", made(failover(2)), fires=0),
    Scene("NET-MC-QUERIERS", "the second gives way", made(two_queriers(polite=True)), fires=0),
    Scene(
        "NET-MC-QUERIERS",
        "two addresses of one router",
        made(two_queriers(second="10.2.0.1", same_device=True)),
        fires=0,
    ),
    Scene(
        "NET-MC-NOADDRESS",
        "a switch asks from 0.0.0.0",
        made(no_address(other=False)),
        says=("queries come from 0.0.0.0", "5 general queries"),
        severity="info",
        packets=5,
    ),
    Scene("NET-MC-NOADDRESS", "a router asks too", made(no_address(other=True)), fires=0),
    Scene(
        "NET-MC-VERSION",
        "queries change their version",
        made(versions(3, 2, 3, reports=2)),
        says=("Queries of two IGMP versions: 10.1.0.1", "1 query of IGMPv2 and 2 queries of IGMPv3"),
        severity="info",
        packets=3,
    ),
    Scene(
        "NET-MC-VERSION",
        "newer answers",
        made(versions(2, 2, 2, reports=3)),
        says=("IGMPv3 reports although the querier asks in v2: 10.1.0.40", "3 reports"),
    ),
    Scene("NET-MC-VERSION", "two networks", made(two_networks), fires=0),
    Scene("NET-MC-VERSION", "older answers", made(versions(3, 3, 3, reports=2)), fires=0),
    Scene("NET-MC-VERSION", "one version", made(versions(3, 3, 3, reports=3)), fires=0),
]


# -- data and members


def members_only(
    *, length: int = 60 * S, data: bool = False, group: str = CCTV, leaves: int = 0, filtered: bool = False
) -> Callable[[Site], None]:
    """A member joins at one second; with `data` a camera sends."""

    def build(site: Site) -> None:
        member = site.host("member", "10.1.0.40")
        site.igmp_join(S, member, [group])
        if not filtered:
            site.udp(S, site.host("printer", "10.1.0.70"), 5353, "224.0.0.251", 5353, bytes(40), ANY, ttl=255)
        if leaves:
            site.igmp_leave(leaves, member, group)
        if data:
            send(site, site.host("camera", "10.1.0.20"), group, 5004, 20 * S, 30 * S, every=S)
        chat(site, member, "10.1.0.90", "10.1.0.91")
        stay(site, member, length)

    return build


def bystander(
    *, group: str = CCTV, every: int = 80 * MS, length: int = 14 * S, asks: bool = True, joined: bool = False
) -> Callable[[Site], None]:
    """An access port with nothing of its own: ARP, mDNS, perhaps a query, and a camera's multicast."""

    def build(site: Site) -> None:
        camera, pc = site.host("camera", "10.1.0.20"), site.host("pc", "10.1.0.30")
        send(site, camera, group, 5004, 0, length, every=every)
        site.arp(S, pc, camera, answered=False)
        for host in (pc, site.host("printer", "10.1.0.31")):
            site.udp(S, host, 5353, "224.0.0.251", 5353, bytes(40), ANY, ttl=255)
        if asks:
            query(site, S, site.host("switch", "10.1.0.1"))
        if joined:
            site.igmp_join(2 * S, pc, [group])

    return build


def at_a_port(*, asks: bool) -> Callable[[Site], None]:
    """The port of a PC that joined nothing and gets a camera's multicast."""

    def build(site: Site) -> None:
        pc = site.host("pc", "10.1.0.30")
        chat(site, pc, "10.1.0.90", "10.1.0.91")
        if asks:
            query(site, S, site.host("switch", "10.1.0.1"))
        send(site, site.host("camera", "10.1.0.20"), CCTV, 5004, 0, 14 * S, every=80 * MS)

    return build


def unheard(
    *, reported: bool = True, asks: bool = True, joined: bool = False, length: int = 300 * S
) -> Callable[[Site], None]:
    """A mirror on which reports of one group pass, and data of two."""

    def build(site: Site) -> None:
        camera, router, member = (site.host(n, f"10.1.0.{k}") for n, k in (("camera", 20), ("router", 1), ("pc", 40)))
        for number in range(3):
            chat(site, site.host(f"host{number}", f"10.1.0.{50 + number}"), "10.1.0.90", "10.1.0.91")
        for at in range(0, length, 60 * S):
            if asks:
                query(site, at, router)
            if reported:
                site.igmp_join(at + S, member, [OTHER, CCTV] if joined else [OTHER], change=False)
        send(site, camera, OTHER, 5006, 0, length, every=5 * S)
        send(site, camera, CCTV, 5004, 0, length, every=5 * S)

    return build


DATA = [
    Scene(
        "NET-MC-NODATA",
        "joined in vain",
        made(members_only()),
        says=("1 host joined 239.10.20.30, no data for it in 58.9 s",),
        severity="warning",
        packets=1,
    ),
    Scene("NET-MC-NODATA", "data come", made(members_only(data=True)), fires=0),
    Scene("NET-MC-NODATA", "a discovery group", made(members_only(group="239.255.255.250")), fires=0),
    Scene("NET-MC-NODATA", "a protocol's own group", made(members_only(group="224.0.1.60")), fires=0),
    Scene("NET-MC-NODATA", "a filter", made(members_only(filtered=True)), fires=0, skipped="but none for other groups"),
    Scene("NET-MC-NODATA", "announcements are rare", made(members_only(group=ANNOUNCE_GROUP)), fires=0),
    Scene("NET-MC-NODATA", "left again", made(members_only(leaves=20 * S)), fires=0, skipped="less than 30 s"),
    Scene(
        "NET-MC-FLOODED",
        "an access port",
        made(bystander()),
        says=(
            "Multicast floods a port that has no part in it",
            "239.10.20.30",
            "13 packets/s",
            "nobody at this port",
        ),
        severity="warning",
        packets=175,
    ),
    Scene(
        "NET-MC-FLOODED",
        "nobody asks for minutes",
        made(bystander(asks=False, length=270 * S, every=2 * S)),
        says=("No query was seen", "after 260 s"),
        severity="warning",
        options={"settings": Settings.of(["NET-MC-FLOODED.pps=0.4"])},
    ),
    Scene(
        "NET-MC-FLOODED",
        "the announcements' group",
        made(bystander(group=ANNOUNCE_GROUP)),
        says=("has the MAC address of a 224.0.0.x",),
        severity="info",
    ),
    Scene(
        "NET-MC-FLOODED",
        "the port of a PC",
        made(at_a_port(asks=True)),
        says=("the port of 10.1.0.30", "13 packets/s", "A query passed"),
    ),
    Scene("NET-MC-FLOODED", "few packets", made(bystander(every=500 * MS)), fires=0),
    Scene("NET-MC-FLOODED", "224.0.0.x", made(bystander(group="224.0.0.251")), fires=0),
    Scene("NET-MC-FLOODED", "somebody joined", made(bystander(joined=True)), fires=0),
    Scene(
        "NET-MC-FLOODED", "a member before the start", made(bystander(asks=False)), fires=0, skipped="must last 260 s"
    ),
    Scene("NET-MC-FLOODED", "nobody asked", made(at_a_port(asks=False)), fires=0, skipped="no query passed"),
    Scene(
        "NET-MC-NOLISTENER",
        "reports of another group only",
        made(unheard()),
        says=("Nobody joined 1 group", "239.10.20.30", "lives 260 s"),
        never=("239.10.20.31",),
        severity="info",
        packets=60,
    ),
    Scene("NET-MC-NOLISTENER", "joined", made(unheard(joined=True)), fires=0),
    Scene("NET-MC-NOLISTENER", "no reports pass", made(unheard(reported=False)), fires=0, skipped="keeps them away"),
    Scene("NET-MC-NOLISTENER", "nobody asks", made(unheard(asks=False)), fires=0, skipped="no reason to report"),
    Scene("NET-MC-NOLISTENER", "too short", made(unheard(length=100 * S)), fires=0, skipped="needs 260 s"),
]


# -- what switches do


def ageing(
    *, stop: int = 261 * S, asks: bool = False, left: int = 0, again: int = 300 * S, group: str = CCTV
) -> Callable[[Site], None]:
    """A member joins at one second; its data stop at `stop` and come back after a join at `again`."""

    def build(site: Site) -> None:
        camera, member = site.host("camera", "10.1.0.20"), site.host("member", "10.1.0.40")
        site.igmp_join(S, member, [group])
        if left:
            site.igmp_leave(left, member, group)
        if asks:
            query(site, 100 * S, site.host("switch", "10.1.0.1"))
        if again:
            site.igmp_join(again, member, [group])
        send(site, camera, group, 5004, S + 200 * MS, stop, every=S)
        send(site, camera, group, 5004, (again or stop + 40 * S) + 300 * MS, 320 * S, every=S)

    return build


def leaving(*, until: int, member: str = "10.1.0.30", again: int = 0) -> Callable[[Site], None]:
    """At the port of 10.1.0.30: `member` leaves after ten seconds, data go on until `until`."""

    def build(site: Site) -> None:
        pc = site.host("pc", "10.1.0.30")
        chat(site, pc, "10.1.0.90", "10.1.0.91")
        who = site.hosts.get(member) or site.host("member", member)
        site.igmp_join(S, who, [CCTV])
        site.igmp_leave(10 * S, who, CCTV)
        if again:
            site.igmp_join(again, who, [CCTV])
        send(site, site.host("camera", "10.1.0.20"), CCTV, 5004, S, until)
        stay(site, pc, 40 * S)

    return build


def across(ttl: int, *, member_vlan: int = 20) -> Callable[[Site], None]:
    """A camera in VLAN 10, a member in another one."""

    def build(site: Site) -> None:
        site.vlan = 10
        send(site, site.host("camera", "10.1.0.20"), CCTV, 5004, 0, 5 * S, ttl=ttl)
        site.vlan = member_vlan
        site.igmp_join(S, site.host("member", "10.2.0.40"), [CCTV])

    return build


def addressed(mac: str, *, group: str = CCTV) -> Callable[[Site], None]:
    """Frames to a group whose destination MAC address is `mac` (empty: the right one)."""

    def build(site: Site) -> None:
        camera = site.host("camera", "10.1.0.20")
        send(site, camera, group, 5004, 0, 2 * S)
        if mac:
            raw = bytes.fromhex(mac.replace(":", ""))
            site.records = [dataclasses.replace(record, frame=raw + record.frame[6:]) for record in site.records]

    return build


SWITCHES = [
    Scene(
        "NET-MC-AGED",
        "260 s after the join",
        made(ageing()),
        says=("239.10.20.30 stops 4 min 19 s after the last join", "new join at 07:38:20.000 UTC"),
        severity="warning",
    ),
    Scene("NET-MC-AGED", "the querier asks", made(ageing(asks=True)), fires=0),
    Scene("NET-MC-AGED", "the member left", made(ageing(left=259 * S)), fires=0),
    Scene("NET-MC-AGED", "no new join", made(ageing(again=0)), fires=0),
    Scene("NET-MC-AGED", "a stop after a minute", made(ageing(stop=60 * S)), fires=0),
    Scene(
        "NET-MC-LEAVE",
        "twenty seconds more",
        made(leaving(until=30 * S)),
        says=("239.10.20.30 goes on after 10.1.0.30 left it", "170 packets"),
        severity="info",
        packets=290,
    ),
    Scene("NET-MC-LEAVE", "stops in time", made(leaving(until=12 * S)), fires=0),
    Scene("NET-MC-LEAVE", "joined again", made(leaving(until=30 * S, again=12 * S)), fires=0),
    Scene("NET-MC-LEAVE", "another host's leave", made(leaving(until=30 * S, member="10.1.0.31")), fires=0),
    Scene(
        "NET-MC-TTL",
        "a member behind a router",
        made(across(1)),
        says=("is sent with TTL 1 in VLAN 10, its members are in VLAN 20", "10.2.0.40"),
        severity="warning",
        packets=50,
    ),
    Scene("NET-MC-TTL", "TTL 8", made(across(8)), fires=0),
    Scene("NET-MC-TTL", "one VLAN", made(across(1, member_vlan=10)), fires=0),
    Scene(
        "NET-MC-MAC",
        "turned into unicast",
        made(addressed("02:00:5e:01:00:28")),
        says=("sent to single hosts' MAC addresses: 239.10.20.30", "239.10.20.30 to 02:00:5e:01:00:28"),
        severity="info",
        packets=20,
    ),
    Scene("NET-MC-MAC", "another group's", made(addressed("01:00:5e:01:02:03")), severity="warning", packets=20),
    Scene("NET-MC-MAC", "the right one", made(addressed("")), fires=0),
    Scene("NET-MC-MAC", "the right one, upper half", made(addressed("", group="239.138.20.30"), vlan=7), fires=0),
]

DIGIFORT = [
    Scene(
        "DGF-MC-SWITCH",
        "the media age out",
        made(ageing(group=GROUP)),
        says=("Digifort's media group 225.5.10.1", "NET-MC-AGED", "NET-MC-NOQUERIER"),
        severity="warning",
    ),
    Scene(
        "DGF-MC-SWITCH",
        "the media flood a port",
        made(bystander(group=GROUP)),
        says=("it comes to a port without a member (NET-MC-FLOODED)",),
        severity="warning",
        packets=175,
    ),
    Scene(
        "DGF-MC-SWITCH",
        "announcements everywhere are no fault",
        made(bystander(group=ANNOUNCE_GROUP)),
        severity="info",
    ),
    Scene("DGF-MC-SWITCH", "all is well", made(nobody_asks(300 * S, group=GROUP, asks=True)), fires=0),
    Scene("DGF-MC-SWITCH", "another group", made(ageing()), fires=0, skipped="nobody sends to or joins"),
]

SCENES: list[Scene] = [*QUERIERS, *DATA, *SWITCHES, *DIGIFORT]
