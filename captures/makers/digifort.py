"""A Digifort site: every row of the ports document in use, among the ordinary traffic of a small network.

`build()` gives the sample capture; other seeds, lengths and ports give variations of it.
The point of capture is the server's switch port and the switch itself (everything is seen once).
What is not publicly known is opaque noise: Digifort's messages after the greeting, announcements, one of the
multicast streams.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from . import labels, payloads
from .media import RtpStream, film
from .site import MS, US, Host, Interface, Label, S, Site
from .tcp import Conversation, attempt

GROUP = "225.5.10.1"
ANNOUNCE_GROUP = "225.0.0.100"
SSDP_GROUP = "239.255.255.250"
START_NS = 1_700_000_000 * S

PORTS = {"server": 8600, "http_api": 8601, "web": 80, "analytics": 8610, "lpr": 8611}


@dataclass(frozen=True)
class Options:
    """What may vary: the seed, the length, the ports that can be moved."""

    seed: int = 8600
    seconds: int = 60
    ports: dict[str, int] = field(default_factory=lambda: dict(PORTS))
    name: str = "digifort_site.pcapng"
    snaplen: int = 384
    network: str = "10.10.0"


class Cast:
    """Who is on the network."""

    def __init__(self, site: Site, network: str) -> None:
        def host(name: str, last: int, *roles: str, ttl: int = 128, content_roles: tuple[str, ...] = ()) -> Host:
            return site.host(name, f"{network}.{last}", *roles, ttl=ttl, content_roles=content_roles)

        self.router = host("router", 1, ttl=64)
        self.names = host("names", 2, "DNS server", "time server", ttl=64)
        self.server = host(
            "server",
            10,
            "Digifort server",
            "Digifort HTTP API",
            "Digifort web server",
            "Digifort media receiver",
            "Digifort multicast sender",
            "Digifort announcer",
            "Digifort Analytics client",
            "Digifort LPR client",
        )
        self.analytics = host("analytics", 11, "Digifort Analytics server", "Digifort announcer")
        self.lpr = host("lpr", 12, "Digifort LPR server", "Digifort announcer")
        self.watch1 = host("watch1", 21, "Digifort client")
        self.watch2 = host("watch2", 22, "Digifort client")
        self.admin = host(
            "admin",
            23,
            "Digifort client",
            "Digifort Administration Client",
            "Digifort Analytics client",
            "Digifort LPR client",
        )
        self.doors = host("doors", 24, "Digifort API client")
        self.phone = host("phone", 25, "Digifort API client", ttl=64)
        self.browser = host("browser", 26, "Digifort web browser")
        self.camera1 = host("camera1", 31, "camera", "RTSP server", "UPnP device", ttl=64)
        self.camera2 = host("camera2", 32, "camera", "RTSP server", "UPnP device", ttl=64)
        self.camera3 = host("camera3", 33, "camera", ttl=64)
        self.camera4 = host(
            "camera4", 34, "RTSP server", "web server", "UPnP device", ttl=64, content_roles=("camera",)
        )


def build(options: Options | None = None) -> Site:
    """The whole site."""
    options = options or Options()
    site = Site(options.name, options.seed, START_NS, (Interface("eth1", options.snaplen, 9),))
    cast = Cast(site, options.network)
    end = options.seconds * S
    ground_traffic(site, cast, end)
    surveillance(site, cast, options.ports, end)
    http_api(site, cast, options.ports, end)
    web(site, cast, options.ports)
    camera_media(site, cast, end)
    multicast(site, cast, end)
    discovery(site, cast)
    distributed_servers(site, cast, options.ports, end)
    failures(site, cast, options.ports)
    return site


def noise(site: Site, low: int, high: int) -> bytes:
    """Opaque bytes of a length in `low` .. `high`."""
    return site.rng.randbytes(low + site.rng.getrandbits(20) % (high - low))


def ground_traffic(site: Site, cast: Cast, end: int) -> None:
    """What every network has: ARP, spanning tree, LLDP, DNS, NTP, ping."""
    site.spanning_tree(120 * MS, end, "00:1b:21:0a:00:01")
    for at in range(3 * S, end, 30 * S):
        site.lldp(at, "00:1b:21:0a:00:05", "site-switch", "Gi1/0/5")
    pairs = (
        (cast.watch1, cast.server),
        (cast.server, cast.camera1),
        (cast.server, cast.camera2),
        (cast.admin, cast.lpr),
    )
    for number, (asker, owner) in enumerate(pairs):
        site.arp(40 * MS + number * 60 * MS, asker, owner)
    site.arp(end - 8 * S, cast.server, cast.router)
    for number, host in enumerate((cast.watch1, cast.phone, cast.doors, cast.server)):
        # the server's old Windows takes its ports from 1024-5000: this answer goes to 3456
        port = 3456 if host is cast.server else 50_000 + site.rng.getrandbits(12)
        ident = site.rng.getrandbits(16)
        at = 700 * MS + number * 1300 * MS
        name = "vms.site.example" if host is not cast.server else "time.site.example"
        site.udp(at, host, port, cast.names, 53, payloads.dns_query(ident, name), labels.DNS)
        answer = payloads.dns_answer(ident, name, bytes((10, 10, 0, 10)))
        site.udp(at + 800 * US, cast.names, 53, host, port, answer, labels.DNS)
    for host in (cast.server, cast.camera1, cast.camera2):
        at = site.later(4 * S, 20 * S)
        seconds = (site.start_ns + at) // S
        site.udp(at, host, 123, cast.names, 123, payloads.ntp(3, seconds), labels.NTP)
        site.udp(at + 400 * US, cast.names, 123, host, 123, payloads.ntp(4, seconds, stratum=2), labels.NTP)
    for number in range(3):
        site.ping(10 * S + number * S, cast.server, cast.camera3, number + 1)


def surveillance(site: Site, cast: Cast, ports: dict[str, int], end: int) -> None:
    """8600: two clients watch, one administers; one client comes back with the same source port."""
    watchers = ((cast.watch1, 50_312, 1 * S, end - 3 * S), (cast.watch2, 61_007, 4 * S, 24 * S))
    for client, port, start, stop in watchers:
        talk = greeted(site, client, port, cast.server, ports["server"], start)
        at = start + 60 * MS
        at = talk.ask(at, noise(site, 90, 160), noise(site, 200, 420))
        while at < stop:
            at = talk.send(at + site.later(900 * MS, 1300 * MS), 1, noise(site, 1100, 2600))
            if site.rng.random() < 0.15:
                at = talk.send(at + 30 * MS, 0, noise(site, 30, 60))
        talk.close(stop + 2 * S)
    again = greeted(
        site, cast.watch2, 61_007, cast.server, ports["server"], 31 * S
    )  # the same five-tuple, a new connection
    at = again.ask(31 * S + 40 * MS, noise(site, 90, 160), noise(site, 2000, 4000))
    again.reset(at + 4 * S, 0)
    admin = greeted(site, cast.admin, 49_820, cast.server, ports["server"], 6 * S)
    at = 6 * S + 80 * MS
    for _ in range(9):
        at = admin.ask(at + site.later(400 * MS, 3 * S), noise(site, 40, 300), noise(site, 100, 1900))
    admin.close(at + 5 * S)


def greeted(site: Site, client: Host, port: int, server: Host, server_port: int, at: int) -> Conversation:
    """An open conversation on the server port: the server has spoken first."""
    talk = Conversation(site, client, port, server, server_port, labels.SERVER)
    talk.send(talk.open(at), 1, payloads.digifort_login(site.rng))
    return talk


def http_api(site: Site, cast: Cast, ports: dict[str, int], end: int) -> None:
    """8601: an access control system asks for snapshots, a phone watches a JPEG stream."""
    port = ports["http_api"]
    where = f"{cast.server.ip}:{port}"
    for number, start in enumerate(range(5 * S, end - 6 * S, 16 * S)):
        talk = Conversation(site, cast.doors, 52_100 + number, cast.server, port, labels.HTTP_API)
        path = (
            f"/Interface/Cameras/GetSnapshot?Camera=Door{number + 1}&Width=320&AuthUser=doors&AuthPass={payloads.FAKE}"
        )
        question = payloads.http_request("GET", path, where, "Connection: close", agent="AccessControl/2.1")
        picture = payloads.jpeg(site.rng, 4200)
        at = talk.open(start)
        at = talk.ask(at, question, payloads.http_reply("200 OK", picture, "image/jpeg", "Connection: close"))
        talk.close(at + 3 * MS, 1)
    talk = Conversation(site, cast.phone, 44_210, cast.server, port, labels.HTTP_API, rtt_ns=9 * MS)
    path = f"/interface/server/getinfo?ResponseFormat=JSON&AuthUser=phone&AuthPass={payloads.FAKE}"
    body = b'{"Response":{"Code":0,"Message":"OK","Data":{"Info":{"Name":"SITE","Version":"6.5.0.0"}}}}'
    at = talk.ask(
        talk.open(12 * S),
        payloads.http_request("GET", path, where, agent="Mobile/1.0"),
        payloads.http_reply("200 OK", body, "application/json"),
    )
    path = f"/Interface/Cameras/GetJPEGStream?Camera=Yard&FPS=1&AuthUser=phone&AuthPass={payloads.FAKE}"
    at = talk.send(at + 200 * MS, 0, payloads.http_request("GET", path, where, agent="Mobile/1.0"))
    head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=picture\r\n\r\n"
    at = talk.send(at + 5 * MS, 1, head.encode())
    for _ in range(8):
        picture = payloads.jpeg(site.rng, 2200)
        part = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
        at = talk.send(at + site.later(950 * MS, 1050 * MS), 1, part + picture + b"\r\n")
    talk.reset(at + 300 * MS, 0)


def web(site: Site, cast: Cast, ports: dict[str, int]) -> None:
    """80: a browser loads the ActiveX page. The server in turn reads a camera's page: that one is not Digifort's."""
    where = cast.server.ip
    talk = Conversation(site, cast.browser, 51_044, cast.server, ports["web"], labels.WEB)
    at = talk.ask(talk.open(8 * S), payloads.http_request("GET", "/", where), payloads.digifort_refusal())
    talk.close(at + MS, 1)
    talk = Conversation(site, cast.browser, 51_045, cast.server, ports["web"], labels.WEB)
    fake = "Authorization: Basic UkVEQUNULU1FOlJFREFDVC1NRQ=="  # REDACT-ME:REDACT-ME
    page = b"<html><head><title>Surveillance</title></head><body>" + b"<object></object>" * 40 + b"</body></html>"
    at = talk.open(11 * S)
    at = talk.ask(at, payloads.http_request("GET", "/", where, fake), payloads.http_reply("200 OK", page, "text/html"))
    control = payloads.http_reply("200 OK", site.rng.randbytes(11_000), "application/octet-stream")
    at = talk.ask(at + 80 * MS, payloads.http_request("GET", "/viewer.cab", where, fake), control)
    talk.close(at + 2 * S, 1)
    page_of_camera = Label("other.http", candidates=("digifort.web",))
    talk = Conversation(site, cast.server, 4_711, cast.camera4, 80, page_of_camera)
    question = payloads.http_request("GET", "/axis-cgi/param.cgi?action=list", cast.camera4.ip, agent="Recorder")
    answer = payloads.http_reply("200 OK", b"root.Brand.Brand=EXAMPLE\r\nroot.Image.I0.Enabled=yes\r\n", "text/plain")
    at = talk.ask(talk.open(2 * S), question, answer)
    talk.close(at + MS, 1)


def camera_media(site: Site, cast: Cast, end: int) -> None:
    """3000-5000: two cameras asked by RTSP on 554, one that was running before; a fourth sends inside RTSP (TCP)."""
    for number, (camera, port, source) in enumerate(((cast.camera1, 3000, 6970), (cast.camera2, 3002, 49_170))):
        start = (2 + 3 * number) * S
        rtsp = ask_camera(site, camera, cast.server, 4_800 + number, port, source, start)
        losses = frozenset({40, 41, 77}) if number else frozenset()
        stream = RtpStream(
            site,
            camera,
            source,
            cast.server,
            port,
            labels.MEDIA_INPUT,
            lost=losses,
            first_sequence=65_500 - number * 9000,
        )
        film(
            stream,
            start + 500 * MS,
            end - (6 - 3 * number) * S,
            pictures_per_second=2,
            key_every=20,
            key_bytes=4200,
            bytes_between=380,
            cname=camera.name,
            receiver=number == 0,
        )
        url = f"rtsp://{camera.ip}/media/1"
        at = end - (5 - 3 * number) * S
        session = ("Session: 12345678",)
        at = rtsp.ask(at, payloads.rtsp_request("TEARDOWN", url, 5, *session), payloads.rtsp_reply(5, *session))
        rtsp.close(at + 10 * MS)
    running = RtpStream(
        site, cast.camera3, 30_200, cast.server, 4998, labels.MEDIA_INPUT_UNASKED, payload_type=26, largest=2600
    )
    for at in range(300 * MS, end, 4 * S):
        running.jpeg_picture(at, 5000)  # datagrams above the MTU: IP fragments
        if at % (20 * S) == 300 * MS:
            running.sender_report(at + 20 * MS, cast.camera3.name)
    interleaved(site, cast, end)


def ask_camera(
    site: Site, camera: Host, server: Host, port: int, media_port: int, source: int, start: int
) -> Conversation:
    """OPTIONS, DESCRIBE, SETUP with UDP ports, PLAY: the server is the client of the camera."""
    talk = Conversation(site, server, port, camera, 554, labels.RTSP)
    url = f"rtsp://{camera.ip}/media/1"
    at = talk.open(start)
    public = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
    at = talk.ask(at, payloads.rtsp_request("OPTIONS", url, 1), payloads.rtsp_reply(1, public))
    described = payloads.rtsp_reply(2, body=payloads.sdp(camera.ip, 96, "H264"))
    at = talk.ask(at, payloads.rtsp_request("DESCRIBE", url, 2, "Accept: application/sdp"), described)
    transport = f"Transport: RTP/AVP;unicast;client_port={media_port}-{media_port + 1}"
    answer = payloads.rtsp_reply(3, f"{transport};server_port={source}-{source + 1}", "Session: 12345678;timeout=60")
    at = talk.ask(at, payloads.rtsp_request("SETUP", f"{url}/trackID=1", 3, transport), answer)
    play = payloads.rtsp_request("PLAY", url, 4, "Session: 12345678", "Range: npt=0-")
    talk.ask(at, play, payloads.rtsp_reply(4, "Session: 12345678"))
    return talk


def interleaved(site: Site, cast: Cast, end: int) -> None:
    """RTP inside the RTSP connection (RFC 2326 10.12): its bytes are on 554, not in the media range."""
    talk = Conversation(site, cast.server, 4_900, cast.camera4, 554, labels.RTSP)
    url = f"rtsp://{cast.camera4.ip}/live"
    transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
    at = talk.open(4 * S)
    described = payloads.rtsp_reply(1, body=payloads.sdp(cast.camera4.ip, 96, "H264"))
    at = talk.ask(at, payloads.rtsp_request("DESCRIBE", url, 1), described)
    answer = payloads.rtsp_reply(2, transport, "Session: 7")
    at = talk.ask(at, payloads.rtsp_request("SETUP", f"{url}/trackID=1", 2, transport), answer)
    at = talk.ask(at, payloads.rtsp_request("PLAY", url, 3, "Session: 7"), payloads.rtsp_reply(3, "Session: 7"))
    sequence, ssrc = site.rng.getrandbits(15), site.rng.getrandbits(32)
    while at < end - 10 * S:
        at += site.later(1900 * MS, 2100 * MS)
        stamp = (at * 90_000 // S) % 2**32
        header = bytes((0x80, 0xE0)) + (sequence % 65536).to_bytes(2, "big") + stamp.to_bytes(4, "big")
        data = header + ssrc.to_bytes(4, "big") + bytes.fromhex("419a381be0db903d09bcf4") + noise(site, 300, 700)
        at = talk.send(at, 1, b"$\0" + len(data).to_bytes(2, "big") + data)
        sequence += 1


def multicast(site: Site, cast: Cast, end: int) -> None:
    """225.5.10.1, one port per stream from 1025 on; joins in IGMPv2 and v3; announcements on 225.0.0.100:8650."""
    for at in (S, end - 12 * S):
        site.igmp_query(at, cast.router)
    site.igmp_join(2 * S, cast.watch1, [GROUP], version=2)
    site.igmp_join(2500 * MS, cast.watch2, [GROUP, ANNOUNCE_GROUP])
    for number, host in enumerate((cast.server, cast.admin)):
        site.igmp_join(3 * S + number * 700 * MS, host, [ANNOUNCE_GROUP], change=False)
    site.igmp_leave(end - 9 * S, cast.watch1, GROUP)
    site.igmp_query(end - 9 * S + 2 * MS, cast.router, GROUP)
    site.igmp_join(end - 9 * S + 400 * MS, cast.watch2, [GROUP], change=False)
    for number, (start, stop) in enumerate(((3 * S, end - S), (15 * S, 40 * S))):
        stream = RtpStream(site, cast.server, 52_001 + number, GROUP, 1025 + number, labels.MULTICAST_MEDIA, ttl=1)
        film(
            stream,
            start,
            stop,
            pictures_per_second=1.5,
            key_every=15,
            key_bytes=3600,
            bytes_between=420,
        )
    for at in range(20 * S, 50 * S, 1500 * MS):  # the third stream is not RTP
        data = b"\x01\x00" + noise(site, 300, 900)
        site.udp(at, cast.server, 52_003, GROUP, 1027, data, labels.MULTICAST_MEDIA, ttl=1)
    for number, host in enumerate((cast.server, cast.analytics, cast.lpr)):
        text = b"\x02" + host.name.upper().encode().ljust(24, b"\0") + site.rng.randbytes(40)
        for at in range((1 + number) * S, end, 10 * S):
            at += site.later(0, 40 * MS)
            site.udp(at, host, 56_000 + number, ANNOUNCE_GROUP, 8650, text, labels.ANNOUNCEMENT, ttl=1)


def discovery(site: Site, cast: Cast) -> None:
    """The administration client searches from 8660 and is answered there; other searches are nobody's."""
    cameras = (cast.camera1, cast.camera2, cast.camera4)
    serials = {camera: payloads.uuid_text(site.rng) for camera in cameras}
    product = "Linux/3.4 UPnP/1.0 Camera/5.51"
    for number in range(2):
        at = 27 * S + number * 500 * MS
        site.udp(at, cast.admin, 8660, SSDP_GROUP, 1900, payloads.ssdp_search("upnp:rootdevice"), labels.UPNP, ttl=4)
        for camera in cameras:
            source = 49_300 if camera is cast.camera2 else 1900
            answer = payloads.ssdp_reply(camera.ip, product, serials[camera])
            site.udp(at + site.later(50 * MS, 2500 * MS), camera, source, cast.admin, 8660, answer, labels.UPNP)
    site.udp(9 * S, cast.watch1, 51_999, SSDP_GROUP, 1900, payloads.ssdp_search("ssdp:all"), labels.SSDP, ttl=4)
    answer = payloads.ssdp_reply(cast.camera1.ip, product, serials[cast.camera1])
    site.udp(9 * S + 320 * MS, cast.camera1, 1900, cast.watch1, 51_999, answer, labels.SSDP)
    notice = payloads.ssdp_notify(cast.camera2.ip, product, serials[cast.camera2])
    site.udp(14 * S, cast.camera2, 49_301, SSDP_GROUP, 1900, notice, labels.SSDP, ttl=4)
    # WS-Discovery of the server, from a port in 1024-5000: the answers go to 3333 of a Digifort server
    probe = payloads.uuid_text(site.rng)
    site.udp(16 * S, cast.server, 3333, SSDP_GROUP, 3702, payloads.onvif_probe(probe), labels.WS_DISCOVERY, ttl=1)
    for camera in (cast.camera1, cast.camera3):
        match = payloads.onvif_match(payloads.uuid_text(site.rng), probe, camera.ip)
        at = 16 * S + site.later(5 * MS, 90 * MS)
        site.udp(at, camera, 3702, cast.server, 3333, match, labels.WS_DISCOVERY)


def distributed_servers(site: Site, cast: Cast, ports: dict[str, int], end: int) -> None:
    """8610 and 8611: the server sends data to process, the administration client configures."""
    rows = (
        (
            cast.analytics,
            ports["analytics"],
            labels.ANALYTICS,
            payloads.digifort_analytics_version(),
            "CMD_ANALYTICS_PING",
        ),
        (cast.lpr, ports["lpr"], labels.LPR, payloads.digifort_ping("CMD_LPR_PING"), "CMD_LPR_PING"),
    )
    for number, (host, port, label, greeting, ping) in enumerate(rows):
        talk = Conversation(site, cast.server, 4_300 + number, host, port, label)
        at = talk.send(talk.open((5 + number) * S), 1, greeting)
        turn = 0
        while at < end - 12 * S:
            at = talk.send(at + site.later(3 * S, 5 * S), 0, noise(site, 1800, 3600))
            at = talk.send(at + 20 * MS, 1, payloads.digifort_ping(ping) if turn % 4 == 3 else noise(site, 40, 200))
            turn += 1
        admin = Conversation(site, cast.admin, 49_830 + number, host, port, label)
        at = admin.send(admin.open((18 + 5 * number) * S), 1, greeting)
        for _ in range(3):
            at = admin.ask(at + site.later(200 * MS, 900 * MS), noise(site, 40, 200), noise(site, 100, 600))
        admin.close(at + S)


def failures(site: Site, cast: Cast, ports: dict[str, int]) -> None:
    """Attempts that came to nothing: they belong to no product."""
    attempt(site, 33 * S, cast.phone, 44_300, cast.analytics, ports["http_api"], ("digifort.http_api",), refused=True)
    attempt(site, 36 * S, cast.watch1, 50_400, cast.lpr, ports["server"], ("digifort.server",), refused=False)


__all__ = ["PORTS", "Cast", "Label", "Options", "build"]
