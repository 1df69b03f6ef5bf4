"""Scenes about the search for Digital Sentry's database: SQL Server Browsers that do not answer."""

from __future__ import annotations

from classifier.matching.site import Site as Known

from ..payloads import ssrp_reply, ssrp_request
from ..site import MS, S
from .scene import ANY, Scene
from .sentry_site import CLIENTS, DATABASE, ROUTER, VERSION, stage

LISTED = {"site": Known.of(hosts=[f"{DATABASE}=digital_sentry.sql_discovery"])}


def silent(
    code: int | None = None, *, by: str = "", answered: bool = False, snaplen: int = 0, vlan: bool = False
) -> bytes:
    """A ControlPoint sees video, and asks its database in vain: three times, then a second time."""
    cast = stage(snaplen, vlan=vlan)
    client = cast.clients[0]
    cast.video(client, seconds=20)
    for at in (1 * S, 7 * S):
        port = cast.port()
        for again in range(3 if code is None else 1):
            cast.ask(at + again * S, client, cast.database, ssrp_request("SITESQL"), port=port)
        if code is not None:
            sender = cast.router if by == "router" else cast.database
            cast.error(at + 400_000, sender, client, code, (port, 1434), cast.database)
        if answered:
            reply = ssrp_reply("DATABASE", "SITESQL", VERSION, 49_731)
            cast.answer(at + 2 * S + 5 * MS, cast.database, client, port, reply)
    return cast.done()


def silent_at_the_end() -> bytes:
    """The question comes two seconds before the capture's end."""
    cast = stage()
    cast.video(cast.clients[0], seconds=20)
    cast.ask(18 * S, cast.clients[0], cast.database, ssrp_request("SITESQL"))
    return cast.done()


def one_direction() -> bytes:
    """Only what clients send is in the capture."""
    cast = stage()
    client = cast.clients[0]
    for at in range(0, 20 * S, 2 * S):
        cast.ask(at, client, cast.database, ssrp_request("SITESQL"))
        cast.site.udp(at, client, 50_000, cast.server, 53, b"\0" * 30, ANY)
    return cast.done()


def half_a_mirror() -> bytes:
    """The mirror shows only what the client sends, of its video connections too."""
    cast = stage()
    client = cast.clients[0]
    cast.video(client, seconds=20)
    cast.video(client, seconds=20)
    for at in (1 * S, 7 * S):
        cast.ask(at, client, cast.database, ssrp_request("SITESQL"))
    cast.site.udp(2 * S, cast.router, 53, client, 50_000, bytes(40), ANY)
    mac = bytes.fromhex(cast.server.mac.replace(":", ""))
    cast.site.records[:] = [item for item in cast.site.records if item.frame[6:12] != mac]
    return cast.done()


def over_ipv6(*, answered: bool = False) -> bytes:
    """The database has an IPv6 address; the instance's name is meant to hurt whoever prints it."""
    cast = stage()
    client = cast.site.host("six", "10.30.0.66", ip6="fd00::66")
    database = cast.site.host("base", "10.30.0.67", ip6="fd00::67")
    for at in (1 * S, 7 * S, 20 * S):
        cast.site.udp6(at, client, 50_000, cast.server_six, 53, bytes(40), ANY)
        cast.site.udp6(at + MS, cast.server_six, 53, client, 50_000, bytes(60), ANY)
        if at < 20 * S:
            cast.site.udp6(at + 2 * MS, client, 52_500 + at // S, database, 1434, b"\x04\x1b[2J;<b>\0", ANY)
        if at < 20 * S and answered:
            reply = ssrp_reply("BASE", "DS", VERSION, 49_731)
            cast.site.udp6(at + 4 * MS, database, 1434, client, 52_500 + at // S, reply, ANY)
    return cast.done()


def answers_others() -> bytes:
    """Two clients are answered, the third one is not."""
    cast = stage()
    for client in cast.clients:
        cast.video(client, seconds=20)
    for client in cast.clients[:2]:
        cast.discover(2 * S, client, cast.database)
    cast.ask(3 * S, cast.clients[2], cast.database, ssrp_request("SITESQL"))
    cast.ask(9 * S, cast.clients[2], cast.database, ssrp_request("SITESQL"))
    return cast.done()


def unknown_instance(*, one_port: bool = False) -> bytes:
    """The browser answers for one instance and ignores the other; from one client port or from two."""
    cast = stage()
    client = cast.clients[0]
    cast.video(client, seconds=20)
    cast.discover(2 * S, client, cast.database)
    port = 52_001 if one_port else cast.port()
    if one_port:
        port = cast._port
    cast.ask(3 * S, client, cast.database, ssrp_request("OLDSQL"), port=port)
    cast.ask(4 * S, client, cast.database, ssrp_request("OLDSQL"), port=port)
    return cast.done()


def known_port() -> bytes:
    """1434/udp is silent, and the client has a SQL connection all the same."""
    cast = stage()
    client = cast.clients[0]
    cast.video(client, seconds=20)
    cast.ask(2 * S, client, cast.database, ssrp_request("SITESQL"))
    cast.sql(3 * S, client, cast.database, 1433)
    return cast.done()


def only_discovery(*, video_tried: bool = False, scan: bool = False) -> bytes:
    """Nothing but the search for a database, beside names that are resolved; perhaps attempts at 18772."""
    cast = stage()
    client = cast.clients[0]
    for at in (1 * S, 8 * S, 15 * S, 22 * S):
        cast.site.udp(at, client, 50_000, cast.router, 53, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01", ANY)
        cast.site.udp(
            at + MS, cast.router, 53, client, 50_000, b"\x12\x34\x81\x83\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01", ANY
        )
        if at < 20 * S:
            cast.ask(at + 2 * MS, client, cast.database, ssrp_request("SITESQL"))
    if video_tried:
        cast.fail(3 * S, client, cast.server, 18_772)
    if scan:
        for port in range(18_760, 18_790):
            cast.fail(3 * S, client, cast.server, port, refused=True)
    return cast.done()


def inventory() -> bytes:
    """A management station asks a whole subnet; few have a SQL Server."""
    cast = stage()
    cast.video(cast.clients[0], seconds=20)
    for last in range(100, 160):
        host = cast.site.host(f"pc{last}", f"10.30.0.{last}")
        port = cast.ask(last * 10 * MS, cast.router, host, b"\x03")
        if last % 20 == 0:
            cast.answer(last * 10 * MS + 800_000, host, cast.router, port, ssrp_reply("PC", "X", VERSION, 1433))
    return cast.done()


def broadcast(*, answered: bool) -> bytes:
    """A ControlPoint asks everybody."""
    cast = stage()
    client = cast.clients[0]
    cast.video(client, seconds=20)
    port = cast.ask(2 * S, client, "255.255.255.255", b"\x02")
    if answered:
        cast.answer(2 * S + MS, cast.database, client, port, ssrp_reply("DATABASE", "SITESQL", VERSION, 49_731))
        cast.answer(2 * S + 2 * MS, cast.server, client, port, ssrp_reply("SERVER", "DS", VERSION, 1433))
    return cast.done()


SILENT = "DS-SSRP-SILENT"
SCENES = [
    Scene(
        SILENT,
        "no answer at all",
        lambda: silent(),
        says=(
            CLIENTS[0],
            DATABASE,
            "instance SITESQL",
            "6 requests",
            "07:33:21.000 UTC",
            "filtered without a word",
            "the server is down",
        ),
        severity="error",
        packets=6,
    ),
    Scene(SILENT, "in a VLAN", lambda: silent(vlan=True), says=("6 requests",), severity="error", packets=6),
    Scene(
        SILENT,
        "nothing listens",
        lambda: silent(3),
        says=("nothing listens there", "ICMP type 3 code 3", "SQL Server Browser is not running", "start the service"),
        severity="error",
        packets=2,
    ),
    Scene(
        SILENT,
        "a router filters",
        lambda: silent(13, by="router"),
        says=("filtered on the way", f"from {ROUTER}", "ICMP type 3 code 13", "this device filters"),
        never=("not running",),
        severity="error",
    ),
    Scene(
        SILENT,
        "host unreachable",
        lambda: silent(1, by="router"),
        says=("unreachable", "ICMP type 3 code 1"),
        severity="error",
    ),
    Scene(SILENT, "requests cut off", lambda: silent(snaplen=42), says=("6 requests",), never=("instance SITESQL",)),
    Scene(SILENT, "an answer in the end", lambda: silent(answered=True), fires=0),
    Scene(SILENT, "too late to tell", silent_at_the_end, fires=0, skipped="less than 5 s before the end"),
    Scene(SILENT, "one direction", one_direction, fires=0, skipped="no packet to these clients", options=LISTED),
    Scene(SILENT, "half a mirror", half_a_mirror, fires=0, skipped="one direction only"),
    Scene(
        SILENT,
        "answers others",
        answers_others,
        says=(f"{CLIENTS[2]} gets no answer", f"It answered {CLIENTS[0]} and {CLIENTS[1]}"),
        severity="error",
        packets=2,
    ),
    Scene(SILENT, "unknown instance", unknown_instance, says=("instance OLDSQL", "1434/udp is open"), severity="error"),
    Scene(
        SILENT,
        "unknown instance, one port",
        lambda: unknown_instance(one_port=True),
        says=("instance OLDSQL", "1434/udp is open"),
        severity="error",
    ),
    Scene(
        SILENT, "the port is known otherwise", known_port, says=("nevertheless", "The server is up"), severity="warning"
    ),
    Scene(SILENT, "attempts at 18772 besides", lambda: only_discovery(video_tried=True), severity="error"),
    Scene(SILENT, "the user says what it is", only_discovery, severity="error", options=LISTED),
    Scene(SILENT, "a port scan besides", lambda: only_discovery(scan=True), fires=0, skipped="shows Digital Sentry"),
    Scene(SILENT, "an inventory", inventory, fires=0),
    Scene(SILENT, "a broadcast", lambda: broadcast(answered=False), says=("own subnet",), severity="info", packets=1),
    Scene(SILENT, "a broadcast with answers", lambda: broadcast(answered=True), fires=0),
    Scene(
        "NET-SSRP-SILENT",
        "nothing else of Digital Sentry",
        only_discovery,
        says=(CLIENTS[0], DATABASE, "3 requests", "--host 10.30.0.11=digital_sentry.sql_discovery"),
        severity="warning",
        packets=3,
    ),
    Scene("NET-SSRP-SILENT", "over IPv6", over_ipv6, says=("fd00::66", "fd00::67", "2 requests"), packets=2),
    Scene("NET-SSRP-SILENT", "over IPv6, answered", lambda: over_ipv6(answered=True), fires=0),
    Scene("NET-CONN-FAIL", "NET-SSRP-SILENT says it", only_discovery, fires=0),
    Scene("NET-SSRP-SILENT", "a scan", inventory, fires=0),
    Scene("NET-SSRP-SILENT", "Digital Sentry's", lambda: silent(), fires=0),
]
