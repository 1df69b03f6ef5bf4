"""Other services on the products' ports, each between hosts of its own.

In: `Play`. Out: packets and flows. Where a payload shows another protocol, no product may own the flow. Where it shows
nothing, `Flow.may` names the component that the port alone allows.
"""

from __future__ import annotations

from .. import payloads
from .play import ANNOUNCE_GROUP, AUDIO, END, GROUP, REGISTERED, SSDP_GROUP, STANDARD, Play
from .wire import MS, S, Talk

COMPONENTS = {
    "server": "digifort.server", "http_api": "digifort.http_api", "analytics": "digifort.analytics",
    "lpr": "digifort.lpr", "diagnostics": "digital_sentry.diagnostics", "video": "digital_sentry.video",
}  # fmt: skip
UNKNOWN = ("unclassified.tcp",)


def play_decoys(play: Play) -> None:
    """Decoys of the kind that the options ask for."""
    if play.options.decoys != "opaque":
        for name, component in COMPONENTS.items():
            if name != "http_api":
                web_page(play, STANDARD[name])
            shell(play, STANDARD[name], component)
        near_misses(play)
        other_recorder(play)
        sql_server(play)
        datagrams(play)
    else:
        for name, component in COMPONENTS.items():
            for speak in (unknown, encrypted):
                speak(play, STANDARD[name], component)
        web_page(play, STANDARD["http_api"], "digifort.http_api")
        groups_and_sound(play)


def talk_to(play: Play, port: int, component: str, name: str) -> Talk:
    """A connection between two hosts that do nothing else."""
    client, server = play.host(f"{name}-client{port}"), play.host(f"{name}-server{port}")
    return Talk(play.net, client, play.port(client), server, port, component)


def web_page(play: Play, port: int, may: str = "") -> None:
    """A web application that has nothing to do with the port's owner."""
    talk = talk_to(play, port, "other.http", "web")
    talk.flow.others = ("other.http", *UNKNOWN)
    talk.flow.may = (may,) if may else ()
    at = talk.open(play.later(0, 9 * S))
    for turn in range(play.share(0.02) // 6):
        question = payloads.http_request("GET", f"/app/v2/items?page={turn}", "app.example")
        answer = payloads.http_reply("200 OK", b'{"items":[]}' * 60, "application/json", "Server: nginx")
        at = talk.ask(at + 300 * MS, question, answer)


def shell(play: Play, port: int, may: str) -> None:
    """SSH on another port than its own; without its first lines nobody can tell."""
    talk = talk_to(play, port, "other.ssh", "shell")
    talk.flow.may = (may,) if play.options.start == "midstream" else ()
    talk.flow.others = ("other.ssh", *UNKNOWN)
    at = talk.send(talk.open(play.later(0, 9 * S)), 1, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
    at = talk.send(at, 0, b"SSH-2.0-PuTTY_Release_0.81\r\n")
    for _ in range(play.share(0.02) // 6):
        at = talk.ask(at + 400 * MS, play.noise(40, 90), play.noise(60, 900))


def unknown(play: Play, port: int, may: str) -> None:
    """Bytes that say nothing."""
    talk = talk_to(play, port, UNKNOWN[0], "unknown")
    talk.flow.may = (may,)
    at = talk.open(play.later(0, 9 * S))
    play.stream(talk, 1, talk.ask(at, play.noise(30, 90), play.noise(30, 200)), END - S, play.share(0.03))


def encrypted(play: Play, port: int, may: str) -> None:
    """TLS: whose, it does not say."""
    talk = talk_to(play, port, "other.tls", "encrypted")
    talk.flow.others = ("other.tls", "other.https", *UNKNOWN)
    talk.flow.may = (may,)
    play.tls(talk, talk.open(play.later(0, 9 * S)), "service.example", play.share(0.02) // 6)


def near_misses(play: Play) -> None:
    """What looks like the products' content, but is not: wrong side, wrong place, other paths, only quoted."""
    login = payloads.digifort_login(play.rng)
    for number, (side, data) in enumerate(((0, login), (1, b"x" + login), (1, login[:3] + b"\x28" + login[4:]))):
        talk = talk_to(play, 9_990 + number, UNKNOWN[0], "miss")
        at = talk.send(talk.open(play.later(0, 9 * S)), side, data)
        play.stream(talk, 1, at, END - S, 12)
    talk = talk_to(play, 8080, "other.http", "quoting")
    at = talk.open(2 * S)
    page = b'<p>WWW-Authenticate: Basic realm="Servidor HTTP Digifort" and /Interface/Cameras</p>' * 9
    for path in ("/Interfaces/list", "/docs/Interface/", "/interface-status"):
        at = talk.ask(at + S, payloads.http_request("GET", path, "wiki.example"),
                      payloads.http_reply("200 OK", page, "text/html"))  # fmt: skip


def other_recorder(play: Play) -> None:
    """Another make's recorder: RTSP to cameras, media by UDP into 3000-5000."""
    recorder = play.host("recorder", windows=True)
    for number in range(3):
        camera = play.host(f"othercamera{number}")
        ports = range(3600 + 100 * number, 3700 + 100 * number, 2)
        port = play.rng.choice([port for port in ports if not {port, port + 1} & REGISTERED])
        talk = Talk(play.net, recorder, play.port(recorder), camera, 554, "other.rtsp")
        url, how = f"rtsp://{camera.ip}/live", f"Transport: RTP/AVP;unicast;client_port={port}-{port + 1}"
        at = talk.open((2 + number) * S)
        at = talk.ask(
            at,
            payloads.rtsp_request("DESCRIBE", url, 1),
            payloads.rtsp_reply(1, body=payloads.sdp(camera.ip, 96, "H264")),
        )
        at = talk.ask(
            at, payloads.rtsp_request("SETUP", url, 2, how), payloads.rtsp_reply(2, f"{how};server_port=6970-6971")
        )
        at = talk.ask(at, payloads.rtsp_request("PLAY", url, 3), payloads.rtsp_reply(3))
        flow = play.rtp(camera, 6970, recorder, port, at, END, play.share(0.08), "other.rtp")
        flow.others = ("other.rtp", "unclassified.udp")


def sql_server(play: Play) -> None:
    """An ordinary SQL Server with a named instance: SSRP, then TDS on the announced port."""
    server, client = play.host("payroll", windows=True), play.host("accounts", windows=True)
    port = play.port(server, 49_152, 60_000)
    play.udp_talk(3 * S, client, play.port(client), server, 1434, payloads.ssrp_request("PAYROLL"),
                  payloads.ssrp_reply("PAYROLL", "PAYROLL", "15.0.2000.5", port), "other.ssrp")  # fmt: skip
    talk = Talk(play.net, client, play.port(client), server, port, "other.mssql")
    version = bytes.fromhex("0f0007d00000")
    at = talk.ask(
        talk.open(3 * S + 40 * MS), payloads.tds_prelogin(version), payloads.tds_prelogin(version, reply=True)
    )
    for _ in range(8):
        at = talk.ask(at + 2 * S, payloads.tds_batch("select 1 from Payroll"), payloads.tds_done(1))


def datagrams(play: Play) -> None:
    """UDP on the products' ports that shows what it is, and groups used by somebody else."""
    names, desk = play.host("resolver"), play.host("asker")
    for port in (3000, 3456, 4998, 8650, 8660, AUDIO, AUDIO + 1, 18_772):
        ident = play.rng.getrandbits(16)
        question = payloads.dns_query(ident, "www.example.com")
        play.udp_talk(play.later(0, END), desk, port, names, 53, question,
                      payloads.dns_answer(ident, "www.example.com", names.packed), "other.dns")  # fmt: skip
    printer = play.host("printer")
    for at in range(4 * S, END, 9 * S):
        for port in (8610, 8611):
            play.net.udp(at, desk, play.port(desk), printer, port, b"BJNP\1\1" + bytes(10), "other.canon_bjnp")
        play.net.udp(at, printer, 40_225, ANNOUNCE_GROUP, 6789, b"cluster " + play.noise(30, 60), "unclassified.udp")
        play.net.udp(at, printer, 40_226, "225.0.0.101", 8650, play.noise(30, 60), "unclassified.udp")
        play.net.udp(at, desk, 8660, printer, 8660, play.noise(30, 60), "unclassified.udp")
    play.net.udp(5 * S, desk, 51_900, SSDP_GROUP, 1900, payloads.ssdp_search("ssdp:all"), "other.ssdp")


def groups_and_sound(play: Play) -> None:
    """The products' groups, audio ports and search port, used by somebody else in a way that nobody can tell."""
    one, two, three, four, five = (play.host(f"odd{i}") for i in range(5))
    for at in range(2 * S, END, 5 * S):
        flow = play.net.udp(at, one, 40_100, ANNOUNCE_GROUP, 8650, play.noise(40, 90), "unclassified.udp")
        flow.may = ("digifort.announcement",)
    flow = play.rtp(two, 40_102, GROUP, 2000, S, END, play.share(0.05), "other.rtp")
    flow.may = ("digifort.multicast_media",)
    flow.others = ("other.rtp", "unclassified.udp")
    flow = play.rtp(three, 40_104, four, AUDIO + 1, S, END, play.share(0.05), "other.rtp", noise=True)
    flow.may = ("digital_sentry.audio",)
    flow.others = ("other.rtp", "unclassified.udp")
    search = payloads.ssdp_search("upnp:rootdevice")
    flow = play.net.udp(7 * S, five, 8660, SSDP_GROUP, 1900, search, "other.ssdp")
    flow.may, flow.may_grade = ("digifort.upnp_discovery",), "confirmed"
