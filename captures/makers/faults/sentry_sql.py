"""Scenes about Digital Sentry's database: what SQL Server Browsers answer, and whether the port works."""

from __future__ import annotations

from ..payloads import ssrp_reply, ssrp_request, tds_batch, tds_done
from ..site import MS, S
from ..tcp import Conversation
from .scene import ANY, Scene
from .sentry_discovery import broadcast, silent
from .sentry_site import CLIENTS, DATABASE, ROUTER, SERVER, VERSION, stage

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
    Scene("DS-PORTS", "another address answers", other_address, fires=0),
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
        "DS-SQL-BLOCKED",
        "no answer",
        lambda: known_sql("silent"),
        says=("unanswered", "filtered, or nothing listens"),
        severity="error",
        packets=3,
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

SCENES = [*ANSWERS, *SQL]
