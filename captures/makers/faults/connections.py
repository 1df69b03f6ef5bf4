"""How the scenes about connections are built, one function per fault and per look-alike."""

from __future__ import annotations

from collections.abc import Callable

from scapy.layers.l2 import Ether

from ..files import capture_bytes
from ..site import MS, S
from ..tcp import Conversation
from .connect import Net, mirrored_twice, one_way, resend, syn6, window
from .scene import ANY, digifort_at_work, lan

SERVER, CLIENT, OTHER, CAMERA = 5, 40, 41, 9


def made(build: Callable[[Net], None], *, digifort: bool = False, vlan: int | None = None) -> Callable[[], bytes]:
    """A capture of 20 s and more with what `build` adds; other traffic shows both directions of 10.1.0.40 and .41."""

    def make() -> bytes:
        site = lan()
        site.vlan = vlan
        net = Net(site)
        for client in (CLIENT, OTHER):
            net.works(0, net.host(client), net.host(8), 443)
            net.works(20 * S, net.host(client), net.host(8), 443)
        if digifort:
            digifort_at_work(site, net.host(SERVER), net.host(CLIENT), seconds=20)
        build(net)
        return capture_bytes(site)

    return make


def fails(how: str, server: int, port: int, *clients: int, works: tuple[int, ...] = ()) -> Callable[[Net], None]:
    """Each client tries once, at 3 s, 4 s, ...; the hosts of `works` get through at 2 s."""

    def build(net: Net) -> None:
        for client in works:
            net.works(2 * S, net.host(client), net.host(server), port)
        for k, client in enumerate(clients):
            getattr(net, how)((3 + k) * S, net.host(client), net.host(server), port)

    return build


def several(*builds: Callable[[Net], None]) -> Callable[[Net], None]:
    def build(net: Net) -> None:
        for each in builds:
            each(net)

    return build


def lost_once(port: int) -> Callable[[Net], None]:
    """The first SYN gets lost, the second is answered."""

    def build(net: Net) -> None:
        talk, now = net.opened(4 * S, net.host(CLIENT), net.host(SERVER), port)
        first = next(record for record in reversed(net.site.records) if record.ts_ns == net.site.start_ns + 4 * S)
        net.site.put(3 * S, Ether(first.frame), "any", talk.flow)
        talk.close(talk.ask(now, bytes(40), bytes(400)))

    return build


def too_late(net: Net) -> None:
    """Two SYNs in the capture's last seconds."""
    net.silent(19 * S, net.host(CLIENT), net.host(7), 8080)
    net.site.records = [item for item in net.site.records if item.ts_ns <= net.site.start_ns + 23 * S]


def only_sent() -> bytes:
    """A capture with the client's own packets only."""
    site = lan()
    net = Net(site)
    net.works(0, net.host(CLIENT), net.host(8), 443)
    net.silent(3 * S, net.host(CLIENT), net.host(7), 8080)
    net.works(20 * S, net.host(CLIENT), net.host(8), 443)
    one_way(site, net.host(CLIENT))
    return capture_bytes(site)


def over_ipv6(refused: bool) -> Callable[[Net], None]:
    def build(net: Net) -> None:
        syn6(net.site, 2 * S, "fd00::40", "fd00::8", 51_900, 443, refused=True)
        syn6(net.site, 4 * S, "fd00::40", "fd00::9", 51_901, 554, refused=refused)

    return build


def many_hosts(how: str, count: int, port: int) -> Callable[[Net], None]:
    """One client, `count` hosts from 10.1.0.100 on."""

    def build(net: Net) -> None:
        for k in range(count):
            getattr(net, how)(2 * S + k * 100 * MS, net.host(CLIENT), net.host(100 + k), port)

    return build


def many_ports(how: str, count: int) -> Callable[[Net], None]:
    """One client, one host, ports from 7000 on; 7003 is open."""

    def build(net: Net) -> None:
        for k in range(count):
            what = "works" if k == 3 else how
            getattr(net, what)(2 * S + k * 100 * MS, net.host(CLIENT), net.host(7), 7000 + k)

    return build


# -- what becomes of connections that came about


def talk_then(after: Callable[[Conversation, int], None], silence: int) -> Callable[[Net], None]:
    """A connection to 8600 that talks, is silent for so many seconds, and then `after`."""

    def build(net: Net) -> None:
        talk, now = net.opened(S, net.host(OTHER), net.host(SERVER), 8600)
        now = talk.ask(now, bytes(80), bytes(300))
        after(talk, now + silence * S)

    return build


def reset_back(talk: Conversation, at: int) -> None:
    """The client speaks, and gets a RST."""
    talk.segment(at, 0, "PA", bytes(50))
    talk.segment(at + MS, 1, "R", ack=False)


def no_answer(talk: Conversation, at: int) -> None:
    """The client speaks, four times, and gets nothing."""
    start = talk.next[0]
    for wait in (0, 300 * MS, 900 * MS, 2100 * MS):
        talk.next[0] = start
        talk.segment(at + wait, 0, "PA", bytes(50))


def own_reset(talk: Conversation, at: int) -> None:
    """The server ends the connection by RST, unasked."""
    talk.segment(at, 1, "RA")


def goes_on(talk: Conversation, at: int) -> None:
    """As if nothing had been."""
    talk.close(talk.ask(at, bytes(50), bytes(500)))


def answered_then_reset(net: Net) -> None:
    """The server says something before it resets; another client closes before the server resets."""
    talk, now = net.opened(3 * S, net.host(OTHER), net.host(SERVER), 8600)
    talk.reset(talk.ask(now, bytes(40), bytes(100)), 1)
    talk, now = net.opened(4 * S, net.host(OTHER), net.host(SERVER), 8600)
    talk.segment(now, 0, "FA")
    talk.reset(now + MS, 1)


def late_ack(net: Net) -> None:
    """The SYN-ACK is sent twice, and then acknowledged."""
    talk = Conversation(net.site, net.host(OTHER), net.port(), net.host(SERVER), 8600, ANY)
    talk.segment(3 * S, 0, "S", ack=False)
    start = talk.next[1]
    talk.segment(3 * S + MS, 1, "SA")
    talk.next[1] = start
    talk.segment(4 * S, 1, "SA")
    talk.segment(4 * S + MS, 0, "A")
    talk.close(talk.ask(5 * S, bytes(40), bytes(100)))


def video(lost: int, of: int = 100) -> Callable[[Net], None]:
    """`of` segments from the server to 10.1.0.41, the first `lost` of them sent twice."""

    def build(net: Net) -> None:
        talk, now = net.opened(S, net.host(OTHER), net.host(SERVER), 8600)
        for k in range(of):
            resend(talk, now + k * S, 1, net.site.rng.randbytes(1000), copies=2 if k < lost else 1)

    return build


def twice(build: Callable[[Net], None]) -> Callable[[Net], None]:
    """On a mirror that shows every frame twice."""

    def both(net: Net) -> None:
        build(net)
        mirrored_twice(net.site)

    return both


def closed_window(seconds: int, *, client: int = OTHER, filled: bool = True) -> Callable[[Net], None]:
    """The client closes its window for so long."""

    def build(net: Net) -> None:
        talk, now = net.opened(S, net.host(client), net.host(SERVER), 8600)
        now = talk.send(now, 1, net.site.rng.randbytes(30_000 if filled else 300))
        window(talk, now + MS, 0, 0)
        window(talk, now + seconds * S, 0, 1026)
        talk.close(talk.send(now + seconds * S + MS, 1, bytes(3000)))

    return build


def far_away(rtt_ms: int, count: int = 3) -> Callable[[Net], None]:
    def build(net: Net) -> None:
        for k in range(count):
            talk, now = net.opened((2 + 3 * k) * S, net.host(OTHER), net.host(SERVER), 8600, rtt_ns=rtt_ms * MS)
            talk.close(talk.ask(now, bytes(60), bytes(300)))

    return build


def traced(net: Net) -> None:
    """Six errors of each of four routers: a traceroute that goes on and on."""
    for hop in range(4):
        by = net.host(1, f"10.9.{hop}")
        net.big(2 * S + hop * 100 * MS, net.host(CLIENT), net.host(99, "10.7.0"), 6, 11, 0, by=by)


def errors(count: int, kind: int, code: int, source: int = CLIENT) -> Callable[[Net], None]:
    return lambda net: net.big(2 * S, net.host(source), net.host(99, "10.7.0"), count, kind, code)


# -- Digital Sentry


def sentry(build: Callable[[Net], None], *, diagnostics: bool = True) -> Callable[[], bytes]:
    """A ControlPoint (10.1.0.40) that sees video of a Digital Sentry server (10.1.0.5)."""

    def begin(net: Net) -> None:
        net.works(S, net.host(CLIENT), net.host(SERVER), 18_772)
        if diagnostics:
            net.works(S, net.host(CLIENT), net.host(SERVER), 17_772)
        build(net)

    return made(begin)


def nothing(net: Net) -> None:
    """Nothing more."""
