"""The Digifort part of a generated site: servers, analytics, LPR, clients, cameras, groups, discovery.

In: `Play`. Out: packets and flows on its network, each with what its payload proves. Messages after the greeting,
announcements and, where the content is opaque, everything, are noise: their real form is not public.
"""

from __future__ import annotations

from .. import payloads
from .play import ANNOUNCE_GROUP, END, GROUP, REGISTERED, SSDP_GROUP, Play
from .wire import MS, US, Fact, Host, S, Talk, group

# the magic number alone (4 bytes) may be enough, the frame's name surely is
LOGIN, ANALYTICS, LPR = (Fact("content", need, least=4) for need in (15, 23, 17))
PATH = Fact("content", 15)
SSDP = Fact("content", 19)
TLS = Fact("tls", 6)  # only the web server is surely not itself with it


class Cast:
    """Who takes part."""

    def __init__(self, play: Play, server: Host) -> None:
        rng = play.rng
        self.servers = [server]
        if rng.random() < 0.4:
            self.servers.append(play.host("server2", windows=True, servers=True))
        self.analytics = play.host("analytics", windows=True, servers=True)
        self.lpr = play.host("lpr", windows=True, servers=True)
        self.watchers = [play.client(f"watch{i}", windows=True) for i in range(rng.randrange(2, 5))]
        self.admin = play.host("admin", windows=True)
        self.apps = [play.client(f"app{i}") for i in range(rng.randrange(1, 4))]
        self.browser = play.client("browser", windows=True)
        self.cameras = [play.host(f"camera{i}") for i in range(rng.randrange(3, 8))]
        # what clients call the servers: their address, or the router's when its ports are forwarded
        self.door = play.net.host("outside", f"203.0.113.{250 + rng.randrange(4)}", servers=True)


def play_digifort(play: Play, server: Host) -> Cast:
    """All scenes."""
    cast = Cast(play, server)
    surveillance(play, cast)
    http_api(play, cast)
    web(play, cast)
    cameras(play, cast)
    camera_pages(play, cast)
    groups(play, cast)
    discovery(play, cast)
    distributed(play, cast)
    rtsp_server(play, cast)
    return cast


def proof(payload: bytes, words: bytes) -> Fact:
    """The payload proves its component as soon as these words are captured."""
    return Fact("content", payload.index(words) + len(words))


def called(play: Play, cast: Cast, server: Host, name: str) -> tuple[Host, int]:
    """The address and port that a client calls: the server's own, or forwarded ones."""
    if play.options.addresses == "nat" and play.rng.random() < 0.5:
        return cast.door, play.outer[name]
    return server, play.ports[name]


def greeted(play: Play, client: Host, server: Host, component: str, port: int, greeting: bytes, fact: Fact,
            at: int) -> Talk:  # fmt: skip
    """A connection on which the server has spoken first."""
    talk = Talk(play.net, client, play.port(client), server, port, component)
    at = talk.open(at)
    if not play.options.opaque:
        talk.send(at, 1, greeting, fact, early=True)
    return talk


def surveillance(play: Play, cast: Cast) -> None:
    """Clients watch, one administers; in some sites one has been watching since before the capture."""
    for number, server in enumerate(cast.servers):
        watchers = cast.watchers if not number else cast.watchers[:1]
        for client in watchers:
            target, port = called(play, cast, server, "server") if not number else (server, play.ports["server"])
            at = play.later(0, 8 * S)
            greeting = payloads.digifort_login(play.rng)
            talk = greeted(play, client, target, "digifort.server", port, greeting, LOGIN, at)
            at += 30 * MS
            at = talk.ask(at, play.noise(60, 200), play.noise(150, 900))
            play.stream(talk, 1, at, END - 2 * S, play.share(0.2 / len(cast.watchers)))
    greeting = payloads.digifort_login(play.rng)
    talk = greeted(play, cast.admin, cast.servers[0], "digifort.server", play.ports["server"], greeting, LOGIN, 2 * S)
    at = 2 * S + 50 * MS
    for _ in range(6):
        at = talk.ask(at + play.later(S, 6 * S), play.noise(30, 300), play.noise(80, 1500))
    talk.close(at + S)


def http_api(play: Play, cast: Cast) -> None:
    """Systems that poll snapshots on one connection, and apps that watch a stream of pictures."""
    component = "digifort.http_api"
    for number, client in enumerate(cast.apps):
        target, port = called(play, cast, cast.servers[0], "http_api")
        where = f"{target.ip}:{port}"
        talk = Talk(play.net, client, play.port(client), target, port, component)
        at = talk.open(play.later(S, 9 * S))
        if play.options.opaque:
            play.tls(talk, at, "vms.site.example", play.share(0.05) // 6, TLS)
            continue
        folder = "interface" if play.rng.random() < 0.3 else "Interface"
        login = f"AuthUser=app&AuthPass={payloads.FAKE}"
        if number % 2:
            path = f"/{folder}/Cameras/GetJPEGStream?Camera=Yard&FPS=2&{login}"
            at = talk.send(at, 0, payloads.http_request("GET", path, where), PATH, early=True)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=picture\r\n\r\n"
            at = talk.send(at + 2 * MS, 1, head, early=True)
            for turn in range(play.share(0.05) // 4):
                picture = payloads.jpeg(play.rng, 2500)
                part = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
                talk.send(at + turn * 300 * MS, 1, part + picture + b"\r\n")
            continue
        for turn in range(play.share(0.05) // 6):
            path = f"/{folder}/Cameras/GetSnapshot?Camera=Door{turn}&{login}"
            question = payloads.http_request("GET", path, where, agent="AccessControl/2.1")
            answer = payloads.http_reply("200 OK", payloads.jpeg(play.rng, 3000), "image/jpeg")
            at = talk.ask(at + 400 * MS, question, answer, PATH)


def web(play: Play, cast: Cast) -> None:
    """A browser is refused, then loads the page."""
    component = "digifort.web"
    target, port = called(play, cast, cast.servers[0], "web")
    page = b"<html><body>" + b"<object></object>" * 60 + b"</body></html>"
    for number in range(2):
        talk = Talk(play.net, cast.browser, play.port(cast.browser), target, port, component)
        at = talk.open((7 + 4 * number) * S)
        if play.options.opaque:
            play.tls(talk, at, "vms.site.example", 4, TLS)
            continue
        request = payloads.http_request("GET", "/", target.ip)
        if not number:
            refusal = payloads.digifort_refusal()
            at = talk.ask(at, request, refusal, told=(proof(refusal, b'Digifort"'),), early=True)
        for turn in range(1 if not number else 5):
            request = payloads.http_request("GET", f"/part{turn}.cab", target.ip)
            answer = payloads.http_reply("200 OK", page, "text/html")
            at = talk.ask(at + 300 * MS, request, answer)
        talk.close(at + S, 1)


def cameras(play: Play, cast: Cast) -> None:
    """RTSP on 554, media by UDP into 3000-5000 or inside the connection; the server is the client."""
    opaque = play.options.opaque
    part = 0.35 / len(cast.cameras)
    next_port = {server: play.rng.randrange(3000, 4900) // 2 * 2 for server in cast.servers}
    for number, camera in enumerate(cast.cameras):
        server = play.rng.choice(cast.servers)
        source = play.rng.choice((6970, 50_000, 30_200, 5004)) + 2 * number
        inside = number == 1 or play.rng.random() < 0.15
        port = next_port[server]
        while {port, port + 1} & REGISTERED:
            port += 2
        next_port[server] = port + 2
        start = play.later(S, 12 * S)
        rtsp = "other.rtsps" if opaque else "other.rtsp"
        own = play.port(server, 1100, 2900) if play.rng.random() < 0.5 else play.port(server)
        talk = Talk(play.net, server, own, camera, 322 if opaque else 554, rtsp)
        at = talk.open(start)
        if opaque:
            at = play.tls(talk, at, camera.name, 3 if not inside else play.share(part) // 4)
            if inside:
                continue
        else:
            at = set_up(play, talk, at, server, camera, port, source, inside)
        if inside:
            interleaved(play, talk, at, play.share(part))
            continue
        fragments = play.rng.random() < 0.25
        play.rtp(
            camera, source, server, port, start + S, END - play.later(0, 5 * S), play.share(part),
            "digifort.media_input", noise=opaque, kind=26 if fragments else play.rng.choice((96, 97, 98)),
            size=1600 if fragments else 900, reports=number % 2 == 0,
        )  # fmt: skip


def set_up(play: Play, talk: Talk, at: int, server: Host, camera: Host, port: int, source: int, inside: bool) -> int:
    """OPTIONS, DESCRIBE (sometimes refused first), SETUP, PLAY; the answer to SETUP names the ports."""
    url = f"rtsp://{camera.ip}/stream/{play.rng.randrange(1, 4)}"
    request, reply = payloads.rtsp_request, payloads.rtsp_reply
    at = talk.ask(at, request("OPTIONS", url, 1), reply(1, "Public: OPTIONS, DESCRIBE, SETUP, PLAY"), early=True)
    if play.rng.random() < 0.4:
        refusal = reply(2, 'WWW-Authenticate: Digest realm="camera", nonce="0"', status="401 Unauthorized")
        at = talk.ask(at, request("DESCRIBE", url, 2), refusal, early=True)
    session = f"Session: {play.rng.getrandbits(30)}"
    at = talk.ask(at, request("DESCRIBE", url, 3, "Accept: application/sdp"),
                  reply(3, body=payloads.sdp(camera.ip, 96, "H264")), early=True)  # fmt: skip
    wanted = answered = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
    ports: tuple[int, ...] = ()
    if not inside:
        wanted = f"Transport: RTP/AVP;unicast;client_port={port}-{port + 1}"
        answered = f"{wanted};server_port={source}-{source + 1}"
        ports = (port, port + 1)
    question = request("SETUP", f"{url}/trackID=1", 4, wanted)
    answer = reply(4, answered, session)
    asked, told = (
        tuple(Fact(name, text.index(wanted.encode()) + len(wanted) + 1, (server.ip, number)) for number in ports)
        for name, text in (("media?", question), ("media", answer))
    )
    at = talk.ask(at, question, answer, *asked, told=told, early=True)
    at = talk.ask(at, request("PLAY", url, 5, session, "Range: npt=0-"), reply(5, session), early=True)
    for turn in range(2):
        alive = request("GET_PARAMETER", url, 6 + turn, session)
        at = talk.ask(at + play.later(8 * S, 15 * S), alive, reply(6 + turn, session))
    return at


def interleaved(play: Play, talk: Talk, at: int, packets: int) -> None:
    """RTP inside the RTSP connection (RFC 2326, 10.12)."""
    sequence, ssrc = play.rng.getrandbits(15), play.rng.getrandbits(32)
    count = packets // 3
    step = max(MS, (END - at - S) // count)
    for number in range(count):
        stamp = number * step * 9 // 100_000
        message = payloads.rtp(96, sequence + number & 0xFFFF, stamp, ssrc, play.noise(500, 1200), mark=True)
        talk.send(at + number * step, 1, b"$\0" + len(message).to_bytes(2, "big") + message)


def camera_pages(play: Play, cast: Cast) -> None:
    """The server reads cameras' settings: ONVIF calls and parameter pages on the cameras' port 80."""
    for camera in cast.cameras[:3]:
        server = cast.servers[0]
        talk = Talk(play.net, server, play.port(server), camera, 80, "other.http")
        at = talk.open(play.later(S, 20 * S))
        for turn in range(4):
            if turn % 2:
                question = payloads.http_request("GET", "/cgi-bin/param.cgi?action=list", camera.ip, agent="Recorder")
            else:
                body = payloads.soap("GetCapabilities")
                question = payloads.http_post("/onvif/device_service", camera.ip, body, "application/soap+xml")
            answer = payloads.http_reply("200 OK", b"root.Brand.Brand=EXAMPLE\r\n" * 20, "text/plain")
            at = talk.ask(at + 700 * MS, question, answer)
        talk.close(at + S)


def groups(play: Play, cast: Cast) -> None:
    """Announcements of every server, and media streams to 225.5.10.1, a port for each."""
    for number, host in enumerate((*cast.servers, cast.analytics, cast.lpr)):
        text = b"\x02" + host.name.encode().ljust(24, b"\0") + play.rng.randbytes(40)
        own = play.port(host)
        for at in range(play.later(0, 8 * S), END, 8 * S):
            play.net.udp(at + number * MS, host, own, ANNOUNCE_GROUP, 8650, text, "digifort.announcement", ttl=1)
    first = play.rng.choice((1025, 1025, 65_533))
    streams = play.rng.randrange(2, 5)
    server = cast.servers[0]
    for number in range(streams):
        port = 1025 + (first - 1025 + number) % 64_510
        play.rtp(server, play.port(server), GROUP, port, play.later(0, 10 * S), END, play.share(0.1 / streams),
                 "digifort.multicast_media", noise=play.options.opaque, ttl=1)  # fmt: skip
    for host, address in ((cast.admin, GROUP), (cast.admin, ANNOUNCE_GROUP), (server, ANNOUNCE_GROUP)):
        record = bytes.fromhex("0000000104000000") + group(address)[0]
        play.net.icmp(play.later(S, 5 * S), host, "224.0.0.22", 0x22, record, proto=2)


def discovery(play: Play, cast: Cast) -> None:
    """The Administration Client searches from 8660; cameras answer there, from 1900 or another port."""
    component = "digifort.upnp_discovery"
    product = "Linux/3.4 UPnP/1.0 Camera/5.51"
    for turn in range(2):
        at = (20 + 10 * turn) * S
        flow = play.net.udp(at, cast.admin, 8660, SSDP_GROUP, 1900, payloads.ssdp_search("upnp:rootdevice"), component,
                            SSDP, ttl=4)  # fmt: skip
        flow.forward = False  # the Administration Client listens on 8660
        for number, camera in enumerate(cast.cameras[:4]):
            answer = payloads.ssdp_reply(camera.ip, product, payloads.uuid_text(play.rng))
            port = 1900 if number % 2 else 49_300 + number
            play.net.udp(at + play.later(50 * MS, 2 * S), camera, port, cast.admin, 8660, answer, component, SSDP)
    probe = payloads.uuid_text(play.rng)
    own = play.port(cast.servers[0], 3000, 3300)  # an old Windows: the answers come to the media range
    name = "other.ws_discovery"
    play.net.udp(9 * S, cast.servers[0], own, SSDP_GROUP, 3702, payloads.onvif_probe(probe), name, ttl=1)
    for camera in cast.cameras[:2]:
        match = payloads.onvif_match(payloads.uuid_text(play.rng), probe, camera.ip)
        play.net.udp(9 * S + play.later(MS, 90 * MS), camera, 3702, cast.servers[0], own, match, name)


def distributed(play: Play, cast: Cast) -> None:
    """The servers send to Analytics and LPR what is to be processed; the Administration Client configures."""
    rows = (
        (cast.analytics, "analytics", payloads.digifort_analytics_version(), ANALYTICS),
        (cast.lpr, "lpr", payloads.digifort_ping("CMD_LPR_PING"), LPR),
    )
    for host, name, greeting, fact in rows:
        component, port = f"digifort.{name}", play.ports[name]
        for client, packets in ((cast.servers[0], play.share(0.04)), (cast.admin, 12)):
            start = play.later(S, 10 * S)
            talk = greeted(play, client, host, component, port, greeting, fact, start)
            play.stream(talk, 0, start + 200 * MS, END - 3 * S, packets)


def rtsp_server(play: Play, cast: Cast) -> None:
    """A client takes a stream from Digifort's RTSP server, inside the connection."""
    client, server = cast.watchers[0], cast.servers[0]
    opaque = play.options.opaque
    talk = Talk(play.net, client, play.port(client), server, play.ports["rtsp"], "digifort.rtsp")
    at = talk.open(play.later(3 * S, 9 * S))
    if opaque:
        play.tls(talk, at, "vms.site.example", 5)
        return
    url = f"rtsp://{server.ip}:{play.ports['rtsp']}/Interface/Cameras/Media?Camera=Yard"
    request, reply = payloads.rtsp_request, payloads.rtsp_reply
    refusal = reply(1, 'WWW-Authenticate: Basic realm="Digifort RTSP Server"', status="401 Unauthorized")
    question = request("DESCRIBE", url, 1)
    asked = proof(question, b"/Interface/Cameras/Media")
    at = talk.ask(at, question, refusal, asked, told=(proof(refusal, b'Server"'),), early=True)
    described = reply(2, body=payloads.sdp(server.ip, 96, "H264", name="Digifort Media"))
    at = talk.ask(at, request("DESCRIBE", url, 2), described, asked, early=True)
    how = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
    at = talk.ask(at, request("SETUP", f"{url}/trackID=1", 3, how), reply(3, how, "Session: 1"), early=True)
    at = talk.ask(at, request("PLAY", url, 4, "Session: 1"), reply(4, "Session: 1"), early=True)
    interleaved(play, talk, at + 20 * US, play.share(0.03))
