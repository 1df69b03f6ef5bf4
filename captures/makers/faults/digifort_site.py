"""Scenes of Digifort's ports, discovery, distributed servers, passwords and clients."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from scapy.layers.inet import ICMP, TCP
from scapy.packet import Raw

from classifier.findings.settings import Settings

from .. import payloads
from ..digifort import SSDP_GROUP, ask_camera
from ..media import RtpStream, film
from ..site import MS, Host, Record, S, Site
from ..streams import Way
from ..tcp import Conversation, attempt
from .digifort_media import CLIENT, SERVER, Build, camera_of, server_of
from .scene import ANY, digifort_at_work

ADMIN, ANALYTICS, LPR = "10.1.0.41", "10.1.0.11", "10.1.0.12"
NAMES = {ADMIN: "admin", ANALYTICS: "analytics", LPR: "lpr", CLIENT: "client", SERVER: "server"}


def host(site: Site, address: str) -> Host:
    """A host by its address, made when it is new."""
    return site.hosts.get(address) or site.host(NAMES.get(address, f"host{address}"), address)


# -- ports


def greeted(port: int, *, at: int = 0, server: str = SERVER, client: str = CLIENT) -> Build:
    """A Digifort server that greets on this port."""

    def build(site: Site) -> None:
        talk = Conversation(site, host(site, client), 51_000 + port % 1000, host(site, server), port, ANY)
        now = talk.send(talk.open(at * S), 1, payloads.digifort_login(site.rng))
        for _ in range(4):
            now = talk.ask(now + 100 * MS, site.rng.randbytes(60), site.rng.randbytes(300))

    return build


def analytics(
    client: str, *, at: int = 0, server: str = ANALYTICS, port: int = 8610, version: str = "", seconds: int = 4
) -> Build:
    """A connection to an Analytics (or LPR) server, which names its version, or only pings."""

    def build(site: Site) -> None:
        talk = Conversation(site, host(site, client), 52_000 + port % 1000, host(site, server), port, ANY)
        ping = payloads.digifort_ping("CMD_LPR_PING" if port == 8611 else "CMD_ANALYTICS_PING")
        text = payloads.digifort_params("Version", version.ljust(20))
        hello = payloads.digifort_frame("CMD_ANALYTICS_VERSION", text) if version else ping
        now = talk.send(talk.open(at * S), 1, hello)
        for second in range(seconds):
            now = talk.ask(max(now, (at + second) * S), site.rng.randbytes(900), site.rng.randbytes(40))

    return build


def asks(
    path: str,
    *,
    port: int = 8601,
    at: int = 1,
    times: int = 1,
    client: str = CLIENT,
    server: str = SERVER,
    headers: Sequence[str] = (),
    body: bytes = b"RESPONSE_CODE=0\r\n",
    kind: str = "text/plain",
) -> Build:
    """HTTP requests, each on a connection of its own."""

    def build(site: Site) -> None:
        for number in range(times):
            source = 53_000 + 10 * (port % 100) + number
            talk = Conversation(site, host(site, client), source, host(site, server), port, ANY)
            question = payloads.http_request("GET", path, f"{server}:{port}", *headers)
            now = talk.ask(talk.open(at * S + number * 200 * MS), question, payloads.http_reply("200 OK", body, kind))
            talk.close(now)

    return build


def web_page(size: int, *, pictures: bool = False) -> Build:
    """Port 80: first the refusal with Digifort's realm, then a page of `size` bytes, or a stream of pictures."""

    def build(site: Site) -> None:
        client, server = host(site, CLIENT), server_of(site)
        talk = Conversation(site, client, 54_000, server, 80, ANY)
        talk.ask(talk.open(S), payloads.http_request("GET", "/", SERVER), payloads.digifort_refusal())
        talk = Conversation(site, client, 54_001, server, 80, ANY)
        question = payloads.http_request("GET", "/viewer.cab", SERVER)
        answer = payloads.http_reply("200 OK", site.rng.randbytes(size), "application/octet-stream")
        if pictures:
            head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=picture\r\n\r\n"
            answer = head.encode() + payloads.jpeg(site.rng, size)
        talk.close(talk.ask(talk.open(2 * S), question, answer), 1)

    return build


def phone(port: int) -> Build:
    """RTP from a telephone, no camera, to the server."""

    def build(site: Site) -> None:
        stream = RtpStream(site, host(site, "10.1.0.70"), 16_384, server_of(site), port, ANY)
        film(stream, 0, 5 * S, pictures_per_second=10, key_every=20, key_bytes=800, bytes_between=300)

    return build


# -- discovery


def searches(*, at: int = 2, wait: int = 3, port: int = 8660) -> Build:
    """The Administration Client looks for devices, three times."""

    def build(site: Site) -> None:
        for number in range(3):
            search = payloads.ssdp_search("upnp:rootdevice", wait)
            site.udp(at * S + number * 300 * MS, host(site, ADMIN), port, SSDP_GROUP, 1900, search, ANY, ttl=4)

    return build


def answers(port: int = 8660, *, at: int = 3, to: str = ADMIN) -> Build:
    """Two cameras answer."""

    def build(site: Site) -> None:
        for number in (1, 2):
            device = camera_of(site, number)
            text = payloads.ssdp_reply(device.ip, "Linux/3.4 UPnP/1.0 Camera/5.51", payloads.uuid_text(site.rng))
            site.udp(at * S + number * 100 * MS, device, 1900, host(site, to), port, text, ANY)

    return build


def announces(number: int = 1) -> Build:
    """A camera announces itself by SSDP."""

    def build(site: Site) -> None:
        device = camera_of(site, number)
        text = payloads.ssdp_notify(device.ip, "Linux/3.4 UPnP/1.0 Camera/5.51", payloads.uuid_text(site.rng))
        site.udp(S, device, 49_301, SSDP_GROUP, 1900, text, ANY, ttl=4)

    return build


def refuses(*, sender: str = ADMIN, code: int = 3, at: int = 3) -> Build:
    """An ICMP error about each answer to 8660, of the client's host or of a firewall before it."""

    def build(site: Site) -> None:
        asker, from_ = host(site, ADMIN), host(site, sender)
        for number in (1, 2):
            device = camera_of(site, number)
            quoted = struct.pack("!BBHHHBBH", 0x45, 0, 300, number, 0, 64, 17, 0)
            quoted += bytes(int(part) for part in f"{device.ip}.{asker.ip}".split("."))
            quoted += struct.pack("!HHHH", 1900, 8660, 280, 0)
            error = site.ip(from_, device.ip, 1, ICMP(type=3, code=code) / Raw(quoted))
            frame = site.ethernet(from_.mac, device.mac, error)
            site.put(at * S + number * 100 * MS + MS, frame, "any")

    return build


# -- clients


def watches(
    *, seconds: int = 14, closed: int = 0, quiet: int = 0, again: int = 0, port: int = 55_000, ip: str = CLIENT
) -> Build:
    """Live video on 8600, 50 kB a second. From second 5 on: the client's window is closed for `closed` seconds, or the
    server sends nothing for `quiet`. `again`: segments that the server sends twice."""

    def build(site: Site) -> None:
        talk = Conversation(site, host(site, ip), port, server_of(site), 8600, ANY)
        now = talk.send(talk.open(0), 1, payloads.digifort_login(site.rng))
        for tenth in range(seconds * 10):
            at = tenth * 100 * MS
            if tenth == 50 and closed:
                window(talk, max(now, at), 0, 0)
                window(talk, max(now, at) + closed * S, 0, 1026)
            if 50 <= tenth < 50 + 10 * max(closed, quiet):
                continue
            if again and tenth % 10 == 7 and tenth // 10 < again:
                before = talk.next[1]
                talk.segment(max(now, at), 1, "PA", site.rng.randbytes(1400))
                talk.next[1] = before
                now = talk.send(max(now, at) + 40 * MS, 1, site.rng.randbytes(1400))
            now = talk.send(max(now, at), 1, site.rng.randbytes(5000))

    return build


def window(talk: Conversation, at: int, side: int, size: int) -> None:
    """An acknowledgement that announces this window."""
    src, dst = talk.hosts[side], talk.hosts[1 - side]
    header = TCP(
        sport=talk.ports[side],
        dport=talk.ports[1 - side],
        seq=talk.next[side],
        ack=talk.next[1 - side],
        flags="A",
        window=size,
    )
    frame = talk.site.ethernet(src.mac, dst.mac, talk.site.ip(src, dst.ip, 6, header, flags="DF"))
    talk.site.put(at, frame, talk.label.component, talk.flow, from_orig=side == 0)


# -- many ports


def many_ports(count: int, *, at_once: bool) -> Build:
    """Media to `count` ports of the range, two datagrams each, all at the same time or one after the other."""

    def build(site: Site) -> None:
        for number in range(count):
            way = Way("10.1.0.31", 6970, SERVER, 3000 + number)
            begin = number * MS if at_once else number * 5 * MS
            for at in (begin, begin + (4 * S if at_once else MS)):
                frame = way.frame(b"\x01\x02" + bytes(30), number, 0)  # its own bytes: scapy would take seconds
                site.records.append(Record(site.start_ns + at, len(site.records), 0, frame, "", None))

    return build


# -- cameras


def ends(number: int, *, end: int, teardown: bool = False, retries: bool = False) -> Build:
    """A camera asked by RTSP whose stream ends at `end`; with TEARDOWN, or with the server's vain attempts after it."""

    def build(site: Site) -> None:
        device, server = camera_of(site, number), server_of(site)
        talk = ask_camera(site, device, server, 40_000 + number, 3000 + 2 * number, 6970, 0)
        stream = RtpStream(site, device, 6970, server, 3000 + 2 * number, ANY)
        film(stream, S, end * S, pictures_per_second=12, key_every=20, key_bytes=800, bytes_between=300)
        if teardown:
            url = f"rtsp://{device.ip}/media/1"
            ask = payloads.rtsp_request("TEARDOWN", url, 5, "Session: 12345678")
            talk.close(talk.ask(end * S, ask, payloads.rtsp_reply(5)))
        if retries:
            for turn in (0, 1):
                attempt(site, (end + 4 + turn * 12) * S, server, 41_000 + turn, device, 554, (), refused=False)

    return build


def restarting(times: int) -> Build:
    """A camera that begins anew, with another SSRC, every four seconds."""

    def build(site: Site) -> None:
        for number in range(times + 1):
            stream = RtpStream(site, camera_of(site, 1), 6970, server_of(site), 3000, ANY)
            start = number * 4 * S
            film(stream, start, start + 3 * S, pictures_per_second=10, key_every=20, key_bytes=800, bytes_between=300)

    return build


def refuses_rtsp(number: int, statuses: Sequence[str], *, times: int = 1) -> Build:
    """The server asks a camera by RTSP; the replies have these statuses, one after the other."""

    def build(site: Site) -> None:
        device, server = camera_of(site, number), server_of(site)
        for turn in range(times):
            talk = Conversation(site, server, 42_000 + 10 * number + turn, device, 554, ANY)
            now = talk.open((1 + 3 * turn) * S)
            for count, status in enumerate(statuses, 1):
                method = ("DESCRIBE", "DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER")[count - 1]
                question = payloads.rtsp_request(method, f"rtsp://{device.ip}/live", count)
                now = talk.ask(now, question, payloads.rtsp_reply(count, status=status))
            talk.close(now)

    return build


def second_server() -> Build:
    """Another Digifort server, 10.1.0.6, with a client."""
    return lambda site: digifort_at_work(site, site.host("second", "10.1.0.6"), host(site, CLIENT))


def setting(code: str, name: str, value: float) -> dict[str, object]:
    """Options of `classify` with one threshold."""
    return {"settings": Settings({(code, name): value})}


API = "/Interface/Cameras/GetSnapshot?Camera=Yard"
SAFE = f"{API}&AuthSession=77&AuthData=0123456789abcdef0123456789abcdef"
LOGIN = "Authorization: Basic UkVEQUNULU1FOlJFREFDVC1NRQ=="  # REDACT-ME:REDACT-ME
