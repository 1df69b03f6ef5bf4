"""Scenes of the rules about Digital Sentry: its ports and its audio, and those of its database."""

from __future__ import annotations

from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Raw

from ..site import MS, S
from ..tcp import Conversation
from . import sentry_discovery, sentry_sql
from .scene import ANY, Scene
from .sentry_site import CLIENTS, ICMP_ERROR, ROUTER, SERVER, stage

# the other ports


def port_tried(port: int, state: str, *, sentry: bool = True, others: bool = False) -> bytes:
    """A client tries a port of the server: "works", "refused" or "silent"; perhaps another client gets through."""
    cast = stage()
    if sentry:
        cast.video(cast.clients[0], seconds=20)
    if state == "works" or others:
        talk = Conversation(cast.site, cast.clients[1], cast.port(), cast.server, port, ANY)
        talk.ask(talk.open(1 * S), b"\x33" * 40, b"\x33" * 300)
    if state != "works":
        for at in (2 * S, 6 * S):
            cast.fail(at, cast.clients[0], cast.server, port, refused=state == "refused")
    cast.site.udp(
        19 * S, cast.clients[0], 50_000, cast.router, 53, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01", ANY
    )
    cast.site.udp(20 * S, cast.router, 53, cast.clients[0], 50_000, b"\x12\x34\x81\x83\0\x01\0\0\0\0\0\0\x01a\0", ANY)
    return cast.done()


def directions(there: str, back: str) -> bytes:
    """18772/tcp from the client to the server and back: "works", "silent", "refused" or not tried ("")."""
    cast = stage()
    cast.video(cast.clients[1], seconds=20)
    client = cast.clients[0]
    for state, backward in ((there, False), (back, True)):
        ends = (cast.server, client) if backward else (client, cast.server)
        if state == "works":
            cast.video(client, at=1 * S, back=backward)
        elif state:
            for at in (3 * S, 9 * S):
                cast.fail(at, *ends, 18_772, refused=state == "refused")
    return cast.done()


PORTS = [
    Scene(
        "DS-DIAG-BLOCKED",
        "no answer",
        lambda: port_tried(17_772, "silent", others=True),
        says=(CLIENTS[0], SERVER, "17772/tcp", "Systems tab", f"works from {CLIENTS[1]}", "Video on 18772/tcp"),
        severity="info",
    ),
    Scene("DS-DIAG-BLOCKED", "refused", lambda: port_tried(17_772, "refused"), says=("refused",), severity="info"),
    Scene("DS-DIAG-BLOCKED", "works", lambda: port_tried(17_772, "works"), fires=0),
    Scene(
        "DS-DIAG-BLOCKED",
        "no Digital Sentry",
        lambda: port_tried(17_772, "refused", sentry=False),
        fires=0,
        skipped="Digital Sentry",
    ),
    Scene(
        "DS-MOBILE",
        "refused",
        lambda: port_tried(443, "refused"),
        says=(CLIENTS[0], SERVER, "443/tcp", "DSWebService"),
        severity="warning",
    ),
    Scene("DS-MOBILE", "no answer", lambda: port_tried(443, "silent"), says=("no answer",), severity="warning"),
    Scene("DS-MOBILE", "works", lambda: port_tried(443, "works"), fires=0),
    Scene("DS-MOBILE", "another host", lambda: port_tried(443, "refused", sentry=False), fires=0, skipped="Sentry"),
    Scene(
        "DS-VIDEO-DIR",
        "server to client",
        lambda: directions("works", "silent"),
        says=(f"server to client: {SERVER} does not reach {CLIENTS[0]}", f"1 connection from {CLIENTS[0]}"),
        severity="warning",
        packets=6,
    ),
    Scene(
        "DS-VIDEO-DIR",
        "client to server",
        lambda: directions("silent", "works"),
        says=(f"{CLIENTS[0]} does not reach {SERVER}", f"1 connection from {SERVER}"),
        severity="warning",
    ),
    Scene(
        "DS-VIDEO-DIR",
        "ControlPoint does not run",
        lambda: directions("", "refused"),
        says=("may just not run", "No connection the other way"),
        severity="info",
    ),
    Scene("DS-VIDEO-DIR", "both ways", lambda: directions("works", "works"), fires=0),
    Scene("DS-VIDEO-DIR", "one way only tried", lambda: directions("works", ""), fires=0),
    Scene("DS-VIDEO-DIR", "blocked altogether", lambda: directions("silent", ""), fires=0),
]


# audio


def audio(
    *streams: tuple[int, int, int, int], sentry: bool = True, error: tuple[int, str] | None = None, closed: bool = False
) -> bytes:
    """Sound from the server: (client's number, port, from second, to second); and an ICMP error (code, by whom)."""
    cast = stage()
    if sentry:
        for client in cast.clients:
            cast.video(client, seconds=30)
    for number, port, start, end in streams:
        for count in range((end - start) * 4):
            at = start * S + count * 250 * MS + number * MS
            data = b"\x01\x00" + count.to_bytes(2, "big") + cast.site.rng.randbytes(480)
            cast.site.udp(at, cast.server, 61_500, cast.clients[number], port, data, ANY)
    if error:
        code, by = error
        number, port, start, end = streams[0]
        client = cast.clients[number]
        sender = client if by == "client" else cast.router
        quoted = IP(src=SERVER, dst=client.ip, proto=17) / UDP(sport=61_500, dport=port)
        data = bytes(ICMP(type=3, code=code) / Raw(bytes(quoted)))
        for second in (end - start,) if closed else range(3):
            at = (start + second) * S + 2 * MS
            cast.site.ip_protocol(at, sender, SERVER, cast.server.mac, "icmp", 1, data, ICMP_ERROR)
    return cast.done()


AUDIO = [
    Scene(
        "DS-AUDIO-PORTS",
        "three clients",
        lambda: audio((0, 18_778, 1, 9), (1, 18_779, 2, 9), (2, 18_780, 3, 9)),
        says=(
            "18778-18780/udp",
            f"{CLIENTS[0]} on 18778 (32 packets)",
            f"{CLIENTS[2]} on 18780",
            "the next one 18781",
            "send nothing back",
        ),
        never=("Not seen",),
        severity="info",
        packets=84,
    ),
    Scene("DS-AUDIO-PORTS", "a gap", lambda: audio((1, 18_780, 1, 9)), says=("18778-18780/udp", "Not seen: 18778")),
    Scene("DS-AUDIO-PORTS", "no audio", lambda: audio(), fires=0),
    Scene(
        "DS-AUDIO-PORTS",
        "another program's",
        lambda: audio((0, 18_778, 1, 9), sentry=False),
        fires=0,
        skipped="nothing else here shows Digital Sentry",
    ),
    Scene(
        "DS-AUDIO-ODD",
        "one client, two ports",
        lambda: audio((0, 18_778, 1, 12), (0, 18_779, 3, 12)),
        says=(f"{CLIENTS[0]} gets audio", "2 ports at once: 18778 and 18779"),
        severity="warning",
        packets=80,
    ),
    Scene(
        "DS-AUDIO-ODD",
        "two clients, one port",
        lambda: audio((0, 18_778, 1, 12), (1, 18_778, 3, 12)),
        says=(f"2 clients get audio of {SERVER} on port 18778", f"{CLIENTS[0]} and {CLIENTS[1]}"),
        severity="warning",
    ),
    Scene(
        "DS-AUDIO-ODD",
        "above the range",
        lambda: audio((0, 18_799, 1, 9), (1, 18_801, 1, 9)),
        says=("up to port 18801", CLIENTS[1], "--map digital_sentry.audio=18778-18801/udp"),
        severity="warning",
        packets=32,
    ),
    Scene("DS-AUDIO-ODD", "one each", lambda: audio((0, 18_778, 1, 9), (1, 18_779, 1, 9)), fires=0),
    Scene("DS-AUDIO-ODD", "one after the other", lambda: audio((0, 18_778, 1, 6), (0, 18_779, 9, 15)), fires=0),
    Scene("DS-AUDIO-ODD", "a port used again", lambda: audio((0, 18_778, 1, 6), (1, 18_778, 9, 15)), fires=0),
    Scene(
        "DS-AUDIO-ODD",
        "in turns",
        lambda: audio((0, 18_778, 1, 6), (0, 18_779, 9, 15), (0, 18_778, 18, 24)),
        fires=0,
    ),
    Scene(
        "DS-AUDIO-BLOCKED",
        "the client does not listen",
        lambda: audio((0, 18_778, 1, 9), error=(3, "client")),
        says=(CLIENTS[0], f"{SERVER} sends to {CLIENTS[0]} on 18778/udp", "Nothing listens", "3 times"),
        severity="warning",
    ),
    Scene(
        "DS-AUDIO-BLOCKED",
        "a router filters",
        lambda: audio((0, 18_778, 1, 9), error=(13, "router")),
        says=(f"{ROUTER} answers unreachable", "a device on the way", "type 3 code 13"),
        never=("Nothing listens",),
        severity="warning",
    ),
    Scene(
        "DS-AUDIO-BLOCKED", "was closed", lambda: audio((0, 18_778, 1, 9), error=(3, "client"), closed=True), fires=0
    ),
    Scene("DS-AUDIO-BLOCKED", "arrives", lambda: audio((0, 18_778, 1, 9)), fires=0),
]

SCENES: list[Scene] = [*sentry_discovery.SCENES, *sentry_sql.SCENES, *PORTS, *AUDIO]
