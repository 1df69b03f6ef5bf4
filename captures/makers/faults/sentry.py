"""Scenes of the rules about Digital Sentry: how its database is found and reached, its ports, its audio."""

from __future__ import annotations

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet, Raw

from classifier.matching.site import Site as Known

from ..files import capture_bytes
from ..payloads import ssrp_reply, ssrp_request, tds_batch, tds_done, tds_prelogin
from ..site import MS, Host, Label, S, Site
from ..tcp import Conversation, attempt
from .scene import ANY, Scene, lan

SERVER, DATABASE = "10.30.0.10", "10.30.0.11"
CLIENTS = ("10.30.0.21", "10.30.0.22", "10.30.0.23")
ROUTER = "10.30.0.1"
VERSION = "10.50.1600.1"
ICMP_ERROR = Label("network.icmp")
LISTED = {"site": Known.of(hosts=[f"{DATABASE}=digital_sentry.sql_discovery"])}


class Cast:
    """A Digital Sentry server, its database on a host of its own, three ControlPoints and a router."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.server = site.host("server", SERVER, ttl=128)
        self.database = site.host("database", DATABASE, ttl=128)
        self.clients = [site.host(f"control{k}", address, ttl=128) for k, address in enumerate(CLIENTS, 1)]
        self.router = site.host("router", ROUTER)
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


# 1434/udp is not answered


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
SILENCE = [
    Scene(
        SILENT,
        "no answer at all",
        lambda: silent(),
        says=(CLIENTS[0], DATABASE, "instance SITESQL", "6 requests", "07:33:21.000 UTC", "filtered without a word"),
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
    Scene(SILENT, "the port is known otherwise", known_port, says=("nevertheless",), severity="warning"),
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
    Scene("NET-SSRP-SILENT", "a scan", inventory, fires=0),
    Scene("NET-SSRP-SILENT", "Digital Sentry's", lambda: silent(), fires=0),
]

# what it answers


def record(name: str, ports: str, server: str = "DATABASE") -> bytes:
    """A reply with one record; `ports` is what follows the version, such as `tcp;49731;`."""
    return reply_of(f"ServerName;{server};InstanceName;{name};IsClustered;No;Version;{VERSION};{ports};")


def reply_of(text: str) -> bytes:
    """SVR_RESP with this text."""
    return b"\x05" + len(text).to_bytes(2, "little") + text.encode("ascii")


def answered(
    data: bytes, *, request: bytes = b"", snaplen: int = 0, everybody: bool = False, sentry: bool = True, after: int = 0
) -> bytes:
    """A ControlPoint with video asks its database and gets this reply, `after` (1.3 ms) later."""
    cast = stage(snaplen)
    client = cast.clients[0]
    if sentry:
        cast.video(client, seconds=20)
    asked = "255.255.255.255" if everybody else cast.database
    port = cast.ask(2 * S, client, asked, request or ssrp_request("SITESQL"))
    cast.answer(2 * S + (after or 1300_000), cast.database, client, port, data)
    return cast.done()


def other_address(*, accepted: bool = False, late: bool = False) -> bytes:
    """A cluster: the reply comes from the node, not from the address that was asked."""
    cast = stage()
    client, node = cast.clients[0], cast.site.host("node", "10.30.0.12")
    cast.video(client, seconds=30)
    port = cast.ask(2 * S, client, cast.database, ssrp_request("SITESQL"))
    cast.answer(2 * S + (9 * S if late else MS), node, client, port, ssrp_reply("NODE", "SITESQL", VERSION, 49_731))
    if accepted:
        cast.sql(3 * S, client, cast.database)
    return cast.done()


ANSWERS = [
    Scene(
        "DS-SSRP-NOTCP",
        "no tcp",
        lambda: answered(record("SITESQL", "np;\\\\DB\\pipe\\sql\\query;")),
        says=("SITESQL", DATABASE, CLIENTS[0], "asked for this very instance", "TCP/IP"),
        severity="error",
        packets=2,
    ),
    Scene("DS-SSRP-NOTCP", "tcp;0", lambda: answered(record("SITESQL", "tcp;0;")), severity="error"),
    Scene(
        "DS-SSRP-NOTCP",
        "one of two, asked for all",
        lambda: answered(record("SITESQL", "tcp;0;") + record("B", "tcp;2000;")[3:], request=b"\x03"),
        says=("Nobody asked for SITESQL by name",),
        severity="info",
    ),
    Scene("DS-SSRP-NOTCP", "with tcp", lambda: answered(record("SITESQL", "tcp;49731;")), fires=0),
    Scene("DS-SSRP-NOTCP", "cut off", lambda: answered(record("SITESQL", "tcp;49731;"), snaplen=130), fires=0),
    Scene(
        "DS-SSRP-NOTCP",
        "an office computer hears a broadcast",
        lambda: answered(record("SQLEXPRESS", "np;x;"), request=b"\x02", everybody=True),
        fires=0,
    ),
    Scene(
        "DS-SSRP-NOTCP",
        "no Digital Sentry",
        lambda: answered(record("SITESQL", "tcp;0;"), sentry=False),
        fires=0,
        skipped="shows Digital Sentry",
    ),
    Scene(
        "DS-SSRP-OTHERIP",
        "a cluster",
        other_address,
        says=(f"{DATABASE} is asked for the SQL port, 10.30.0.12 answers", CLIENTS[0], "1 time"),
        severity="warning",
        packets=2,
    ),
    Scene(
        "DS-SSRP-OTHERIP", "and it works", lambda: other_address(accepted=True), says=("gets through",), severity="info"
    ),
    Scene("DS-SSRP-OTHERIP", "another conversation", lambda: other_address(late=True), fires=0),
    Scene("DS-SSRP-OTHERIP", "a broadcast", lambda: broadcast(answered=True), fires=0),
    Scene("DS-SSRP-SILENT", "another address answers", other_address, fires=0),
    Scene(
        "DS-SSRP-SLOW",
        "a slow line",
        lambda: answered(record("SITESQL", "tcp;49731;"), after=1400 * MS),
        says=(f"at {DATABASE} answers after 1.4", CLIENTS[0], "1 answer"),
        severity="warning",
        packets=2,
    ),
    Scene("DS-SSRP-SLOW", "asked twice, answered at once", lambda: silent(answered=True), fires=0),
]


# the SQL port


def known_sql(state: str, *, works: bool = False, seconds: int = 20) -> bytes:
    """The port is named, and then: "works", "refused", "silent", "filtered" by the router, "never" used, "early"."""
    cast = stage()
    client = cast.clients[0]
    cast.video(client, seconds=seconds)
    if state == "early":
        talk = cast.sql(1 * S, client, cast.database)
    cast.discover(2 * S, client, cast.database)
    if state == "works":
        cast.sql(3 * S, client, cast.database)
    elif state == "early":
        talk.ask(9 * S, tds_batch("select 1"), tds_done(1))
    elif state in ("refused", "silent"):
        cast.fail(3 * S, client, cast.database, 49_731, refused=state == "refused")
    elif state == "filtered":
        port = cast.fail(3 * S, client, cast.database, 49_731)
        cast.error(3 * S + MS, cast.router, client, 13, (port, 49_731), cast.database, tcp=True)
    if works:
        cast.discover(4 * S, cast.clients[1], cast.database)
        cast.sql(5 * S, cast.clients[1], cast.database)
    return cast.done()


def two_ports(first: int, second: int, *, name: str = "SITESQL") -> bytes:
    """Two questions, two answers; the second for instance `name`."""
    cast = stage()
    client = cast.clients[0]
    cast.video(client)
    cast.discover(1 * S, client, cast.database, first)
    cast.discover(8 * S, client, cast.database, second, name=name)
    cast.sql(9 * S, client, cast.database, second)
    return cast.done()


def uses_another(*, listed: bool = False) -> bytes:
    """The client is told one port and connects to 1433; perhaps another instance has that one."""
    cast = stage()
    client = cast.clients[0]
    cast.video(client)
    cast.discover(1 * S, client, cast.database)
    if listed:
        cast.discover(2 * S, client, cast.database, 1433, name="MSSQLSERVER")
    cast.sql(3 * S, client, cast.database, 1433)
    return cast.done()


def database_at(*, own_host: bool, video: bool = True) -> bytes:
    """SQL on a host of its own, or on the server that has the video."""
    cast = stage()
    client = cast.clients[0]
    host = cast.database if own_host else cast.server
    if video:
        cast.video(client)
    else:
        talk = Conversation(cast.site, client, cast.port(), cast.server, 17_772, ANY)
        talk.ask(talk.open(0), b"\x33" * 40, b"\x33" * 200)
    cast.discover(1 * S, client, host)
    cast.sql(2 * S, client, host)
    return cast.done()


SQL = [
    Scene(
        "DS-SQL-BLOCKED",
        "refused",
        lambda: known_sql("refused"),
        says=(CLIENTS[0], DATABASE, "49731/tcp", "instance SITESQL", "1 attempt", "A RST came back"),
        severity="error",
        packets=2,
    ),
    Scene(
        "DS-SQL-BLOCKED", "no answer", lambda: known_sql("silent"), says=("unanswered",), severity="error", packets=3
    ),
    Scene(
        "DS-SQL-BLOCKED",
        "filtered, not for everybody",
        lambda: known_sql("filtered", works=True),
        says=(f"{ROUTER} answers", "type 3 code 13", f"From {CLIENTS[1]} it works"),
        severity="error",
    ),
    Scene("DS-SQL-BLOCKED", "never tried", lambda: known_sql("never"), says=("did not use it",), severity="info"),
    Scene("DS-SQL-BLOCKED", "works", lambda: known_sql("works"), fires=0),
    Scene("DS-SQL-BLOCKED", "was connected before", lambda: known_sql("early"), fires=0),
    Scene("DS-SQL-BLOCKED", "the capture ends", lambda: known_sql("never", seconds=6), fires=0),
    Scene(
        "DS-SQL-PORT",
        "named and used",
        lambda: known_sql("works"),
        says=("49731/tcp now", "SITESQL", DATABASE, f"1 client: {CLIENTS[0]}", f"here: {CLIENTS[0]}"),
        severity="info",
    ),
    Scene("DS-SQL-PORT", "nobody was told", lambda: silent(), fires=0),
    Scene("DS-SQL-PORT", "an office", lambda: broadcast(answered=True), fires=0),
    Scene(
        "DS-SQL-CHANGED",
        "restarted",
        lambda: two_ports(49_731, 50_112),
        says=("from 49731 to 50112", DATABASE, "SITESQL"),
        severity="warning",
        packets=4,
    ),
    Scene(
        "DS-SQL-CHANGED", "a fixed port", uses_another, says=("is told SQL port 49731", "uses 1433"), severity="warning"
    ),
    Scene("DS-SQL-CHANGED", "the same port", lambda: two_ports(49_731, 49_731), fires=0),
    Scene("DS-SQL-CHANGED", "two instances", lambda: two_ports(49_731, 50_112, name="OTHER"), fires=0),
    Scene("DS-SQL-CHANGED", "the other instance's port", lambda: uses_another(listed=True), fires=0),
    Scene(
        "DS-SQL-OFFBOX",
        "a host of its own",
        lambda: database_at(own_host=True),
        says=(f"off-box: {DATABASE}", SERVER, "1434/udp and 49731/tcp"),
        severity="info",
    ),
    Scene("DS-SQL-OFFBOX", "one host", lambda: database_at(own_host=False), fires=0),
    Scene("DS-SQL-OFFBOX", "no video", lambda: database_at(own_host=True, video=False), fires=0, skipped="18772/tcp"),
]

SCENES: list[Scene] = [*SILENCE, *ANSWERS, *SQL]
