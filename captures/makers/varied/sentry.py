"""The Digital Sentry part of a generated site: SQL with its discovery, diagnostics, video, mobile, audio.

In: `Play`. Out: packets and flows on its network, each with what its payload proves. Video, diagnostics and audio are
noise: their real form is not public.
"""

from __future__ import annotations

from .. import payloads
from .play import AUDIO, END, Play
from .wire import MS, Fact, Host, S, Talk

SSRP_ASKED, SSRP_TOLD = Fact("content", 2), Fact("content", 14, least=4)
PRELOGIN = Fact("content", 34, least=14)


class Cast:
    """Who takes part."""

    def __init__(self, play: Play, server: Host, database: Host) -> None:
        self.server, self.database = server, database
        self.controls = [play.client(f"control{i}", windows=True) for i in range(play.rng.randrange(2, 5))]
        self.phone = play.client("phone")


def play_sentry(play: Play, server: Host, database: Host) -> Cast:
    """All scenes."""
    cast = Cast(play, server, database)
    sql(play, cast)
    video(play, cast)
    diagnostics(play, cast)
    mobile(play, cast)
    audio(play, cast)
    return cast


def sql(play: Play, cast: Cast) -> None:
    """1434/udp asks, the answer names the port, SQL follows; the server's own connection is older than the capture."""
    port = play.port(cast.database, 49_152, 60_000)
    instance = play.rng.choice(("SITESQL", "DSSQL", "SQLEXPRESS", "MSSQLSERVER"))
    version = play.rng.choice(("10.50.1600.1", "11.0.7001.0", "14.0.2037.2"))
    opaque = play.options.opaque
    if cast.server is not cast.database:
        old = Talk(play.net, cast.server, play.port(cast.server), cast.database, port, "digital_sentry.sql")
        for at in range(300 * MS, END, 7 * S):
            batch = play.noise(60, 120) if opaque else payloads.tds_batch("select count(*) from Events")
            old.ask(at, batch, play.noise(60, 90) if opaque else payloads.tds_done(1))
    for number, client in enumerate(cast.controls):
        at = play.later(S, 8 * S) + number * 200 * MS
        own = play.port(client)
        question = payloads.ssrp_request(instance)
        reply = payloads.ssrp_reply("DATABASE", instance, version, port)
        learned = Fact("sql", reply.index(b";tcp;") + 5 + len(f"{port};"), (cast.database.ip, port))
        where = "digital_sentry.sql_discovery"
        if not opaque:
            play.net.udp(at, client, own, cast.database, 1434, question, where, SSRP_ASKED, early=True)
            play.net.udp(at + 2 * MS, cast.database, 1434, client, own, reply, where, SSRP_TOLD, learned,
                         early=True)  # fmt: skip
        talk = Talk(play.net, client, play.port(client), cast.database, port, "digital_sentry.sql")
        at = talk.open(at + 30 * MS)
        if opaque:
            # TDS 8.0 is encrypted from the first byte
            play.tls(talk, at, "database.site.example", 6)
            continue
        asked = payloads.tds_prelogin(bytes.fromhex("0a0006400000"))
        told = payloads.tds_prelogin(bytes.fromhex("0a3206400000"), reply=True)
        at = talk.ask(at, asked, told, PRELOGIN, told=(PRELOGIN,), early=True)
        for _ in range(6):
            batch = payloads.tds_batch("select Name, Address from Cameras where Site = 1")
            at = talk.ask(at + play.later(S, 6 * S), batch, payloads.tds_done(16))


def video(play: Play, cast: Cast) -> None:
    """18772/tcp: clients open it, and in some sites the server opens it to a client."""
    component, port = "digital_sentry.video", play.ports["video"]
    part = 0.15 / len(cast.controls)
    for client in cast.controls:
        talk = Talk(play.net, client, play.port(client), cast.server, port, component)
        at = talk.open(play.later(0, 9 * S))
        at = talk.ask(at, play.noise(60, 120), play.noise(100, 200))
        play.stream(talk, 1, at, END - S, play.share(part))
    if play.options.addresses == "plain" and play.rng.random() < 0.6:
        back = Talk(play.net, cast.server, play.port(cast.server), cast.controls[-1], port, component)
        play.stream(back, 0, back.open(6 * S), END - 5 * S, play.share(0.02))


def diagnostics(play: Play, cast: Cast) -> None:
    """17772/tcp: the version for the Systems tab."""
    client = cast.controls[0]
    talk = Talk(
        play.net, client, play.port(client), cast.server, play.ports["diagnostics"], "digital_sentry.diagnostics"
    )
    at = talk.open(5 * S)
    for _ in range(5):
        at = talk.ask(at + 300 * MS, play.noise(30, 60), play.noise(120, 700))


def mobile(play: Play, cast: Cast) -> None:
    """443/tcp: Pelco Mobile through DSWebService."""
    for _ in range(2):
        talk = Talk(
            play.net, cast.phone, play.port(cast.phone), cast.server, play.ports["mobile"], "digital_sentry.mobile"
        )
        at = talk.open(play.later(2 * S, 12 * S))
        play.tls(talk, at, "dsweb.site.example", play.share(0.02) // 6, largest=4000)


def audio(play: Play, cast: Cast) -> None:
    """18778/udp and up: one port for each client."""
    own = play.port(cast.server)
    for number, client in enumerate(cast.controls):
        start = play.later(2 * S, 20 * S)
        count = max(20, play.share(0.06) // len(cast.controls))
        for turn in range(count):
            data = b"\x01\x00" + turn.to_bytes(2, "big") + play.rng.randbytes(480)
            at = start + turn * 60 * MS + play.later(0, 2 * MS)
            play.net.udp(at, cast.server, own, client, AUDIO + number, data, "digital_sentry.audio")
