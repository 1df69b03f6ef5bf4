"""Scenes of media streams: cameras of a Digifort server, and streams of no known system."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from classifier.findings.settings import Settings

from .. import payloads
from ..digifort import ask_camera
from ..files import capture_bytes
from ..media import RtpStream, film
from ..site import MS, Host, S, Site
from ..streams import Capture, Fate, Way, pictures, sound, transport, unsteady
from ..tcp import Conversation
from .scene import ANY, Scene, digifort_at_work, lan

Build = Callable[[Site], None]
SERVER, CLIENT = "10.1.0.5", "10.1.0.40"


def made(*builders: Build) -> Callable[[], bytes]:
    """A capture of what the builders do, one after the other, on one network."""

    def make() -> bytes:
        site = lan()
        for build in builders:
            build(site)
        return capture_bytes(site)

    return make


def tagged(*builders: Build, snaplen: int = 0) -> Callable[[], bytes]:
    """The same in a VLAN, with a limit of bytes per packet."""

    def make() -> bytes:
        site = lan(snaplen=snaplen)
        site.vlan = 12
        for build in builders:
            build(site)
        return capture_bytes(site)

    return make


def over_ipv6(lost: Iterable[int]) -> Build:
    """A stream of no known system over IPv6."""
    gone = set(lost)

    def build(site: Site) -> None:
        sender = site.host("sender", "10.1.0.60", ip6="fd00::60")
        receiver = site.host("receiver", "10.1.0.61", ip6="fd00::61")
        for number in range(150):
            text = payloads.rtp(96, number, number * 3600, 0x77, b"\x41\x9a" + bytes(60), mark=True)
            if number not in gone:
                site.udp6(number * 40 * MS, sender, 5004, receiver, 20_000, text, ANY)

    return build


def at_work(seconds: int = 10) -> Build:
    """The Digifort server and a client, talking for so long."""
    return lambda site: digifort_at_work(site, server_of(site), site.host("client", CLIENT), seconds=seconds)


def server_of(site: Site) -> Host:
    """The server, the same in all builders."""
    return site.hosts.get(SERVER) or site.host("server", SERVER)


def camera_of(site: Site, number: int) -> Host:
    """Camera `number`: 10.1.0.31 and so on."""
    address = f"10.1.0.{30 + number}"
    return site.hosts.get(address) or site.host(f"camera{number}", address)


def camera(
    number: int = 1,
    *,
    start: int = 0,
    end: int = 10,
    lost: Iterable[int] = (),
    asked: bool = False,
    keys: int = 20,
    to: str = "",
    source: int = 6970,
    port: int = 0,
) -> Build:
    """A camera's stream, 10 pictures a second of one packet each; a key picture (every `keys`) has three."""

    def build(site: Site) -> None:
        host, server = camera_of(site, number), site.hosts[to] if to else server_of(site)
        target = port or 2998 + 2 * number
        if asked:
            ask_camera(site, host, server, 40_000 + number, target, source, start * S)
        stream = RtpStream(site, host, source, server, target, ANY, lost=frozenset(lost))
        film(
            stream,
            start * S + 500 * MS,
            end * S,
            pictures_per_second=10,
            key_every=keys,
            key_bytes=800,
            bytes_between=500,
        )

    return build


def reported(fraction: int, lost_there: int, *, lost: Iterable[int] = ()) -> Build:
    """A camera whose receiver reports every two seconds: `fraction` of 256 lost lately, `lost_there` in all."""

    def build(site: Site) -> None:
        stream = RtpStream(site, camera_of(site, 1), 6970, server_of(site), 3000, ANY, lost=frozenset(lost))
        for number in range(150):
            at = number * 100 * MS
            stream.h264_picture(at, 500, key=number % 20 == 0)
            if number % 20 == 19:
                word = fraction << 24 | lost_there
                text = payloads.rtcp_receiver_report(77, stream.ssrc, word, stream.highest, 40, "receiver")
                site.udp(at + 20 * MS, server_of(site), 3001, stream.src, 6971, text, ANY)

    return build


def inside_rtsp(skipped: Iterable[int]) -> Build:
    """Media inside an RTSP connection, whose numbers jump over `skipped`: the camera left them out."""
    gone = set(skipped)

    def build(site: Site) -> None:
        host, server = camera_of(site, 1), server_of(site)
        talk = Conversation(site, server, 40_001, host, 554, ANY)
        url, line = f"rtsp://{host.ip}/live", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
        described = payloads.rtsp_reply(1, body=payloads.sdp(host.ip, 96, "H264"))
        at = talk.ask(talk.open(0), payloads.rtsp_request("DESCRIBE", url, 1), described)
        asked = payloads.rtsp_request("SETUP", f"{url}/trackID=1", 2, line)
        at = talk.ask(at, asked, payloads.rtsp_reply(2, line, "Session: 7"))
        at = talk.ask(at, payloads.rtsp_request("PLAY", url, 3, "Session: 7"), payloads.rtsp_reply(3, "Session: 7"))
        for number in range(200):
            if number in gone:
                continue
            stamp = 90_000 + number * 9_000
            message = payloads.rtp(96, 100 + number, stamp, 0x5150, b"\x41\x9a" + site.rng.randbytes(400), mark=True)
            when = at + (number + 1) * 50 * MS
            talk.send(when, 1, b"$\0" + len(message).to_bytes(2, "big") + message)

    return build


def plain(*streams: tuple[str, tuple[object, ...]]) -> Callable[[], bytes]:
    """Streams of no known system (`makers.streams`): (kind, arguments of `Capture.add`)."""

    def make() -> bytes:
        capture = Capture()
        for number, (kind, more) in enumerate(streams):
            way = Way(src=f"10.50.0.{20 + number}", dport=20_000 + 2 * number)
            fate = more[0] if more else None
            assert fate is None or isinstance(fate, Fate)
            ssrc = 0x51_00_00_01 + number
            if kind == "pictures":
                capture.add(pictures(60), way, fate, ssrc=ssrc)
            elif kind == "unsteady":
                capture.add(unsteady(pictures(150), [0, 220 * MS]), way, fate, ssrc=ssrc)
            elif kind == "sound":
                capture.add(sound(200), way, fate, ssrc=ssrc, payload_type=0, clock=8000)
            elif kind == "torn":
                skips = {70 * k: 3 for k in range(1, 20)}
                capture.add(transport(150, skipped=skips), way, fate, ssrc=ssrc, payload_type=33)
        return capture_bytes(capture.site)

    return make


def bare_transport(*, copies: bool, skips: dict[int, int]) -> Callable[[], bytes]:
    """A transport stream in UDP without RTP; with `copies` every datagram was captured twice."""

    def make() -> bytes:
        site = lan()
        sender, receiver = site.host("encoder", "10.1.0.60"), site.host("decoder", "10.1.0.61")
        for packet in transport(150, skipped=skips):
            for late in (0, 200_000) if copies else (0,):
                site.udp(packet.at + late, sender, 5000, receiver, 20_000, packet.data, ANY)
        return capture_bytes(site)

    return make


def paused(stop: int, again: int) -> Build:
    """A camera that sends from 0 to `stop` and, in the same stream, from `again` for ten seconds."""

    def build(site: Site) -> None:
        stream = RtpStream(site, camera_of(site, 1), 6970, server_of(site), 3000, ANY)
        for start, end in ((0, stop), (again, again + 10)):
            for number in range(start * 10, end * 10):
                stream.h264_picture(number * 100 * MS, 500, key=number % 20 == 0)

    return build


def later_talk(start: int) -> Build:
    """The client talks on, from `start` seconds."""
    return lambda site: digifort_at_work(site, server_of(site), site.hosts[CLIENT], at=start * S)


def late_by_turns(delay: int) -> Build:
    """Every second picture comes so much later than it was taken."""

    def build(site: Site) -> None:
        stream = RtpStream(site, camera_of(site, 1), 6970, server_of(site), 3000, ANY)
        for number in range(150):
            at = number * 200 * MS
            unit = payloads.h264_picture(site.rng, 300, key=number % 20 == 0, largest=1200)[-1]
            stream.packet(at + delay * (number % 2), stream.stamp(at), unit, mark=True)

    return build


LOST = (30, 31, 32, 50, 61)

SCENES: list[Scene] = [
    Scene(
        "DGF-MEDIA-LOSS",
        "one camera of three loses packets",
        made(at_work(), camera(1, lost=LOST), camera(2), camera(3)),
        says=("10.1.0.31 to 10.1.0.5: ", "5, at most 3 in a row", "to port 3000"),
        never=("10.1.0.32", "too few streams"),
        severity="warning",
    ),
    Scene("DGF-MEDIA-LOSS", "three cameras, nothing lost", made(at_work(), camera(1), camera(2), camera(3)), fires=0),
    Scene(
        "DGF-MEDIA-LOSS",
        "the same in a VLAN, 96 bytes of each packet",
        tagged(at_work(), camera(1, lost=LOST), camera(2), camera(3), snaplen=96),
        says=("10.1.0.31 to 10.1.0.5: ", "5, at most 3 in a row", "to port 3000"),
        never=("10.1.0.32",),
    ),
    Scene(
        "DGF-MEDIA-LOSS",
        "one camera alone: it may be the capture",
        made(at_work(), camera(1, lost=LOST)),
        says=("by the capture itself: there are too few streams to tell",),
    ),
    Scene(
        "DGF-MEDIA-LOSS",
        "all streams have the same gap",
        made(at_work(), *(camera(number, end=12, lost=range(40, 46)) for number in (1, 2, 3, 4))),
        says=("Gaps in 4 streams are most likely the capture's own",),
        never=("do not arrive",),
        severity="info",
    ),
    Scene(
        "DGF-MEDIA-LOSS",
        "four cameras lose, each for itself",
        made(at_work(), *(camera(number, lost=[15 * number + 20 * k for k in range(3)]) for number in (1, 2, 3, 4))),
        says=("4 of 4 senders to 10.1.0.5 deliver badly", "Begin with what these senders share"),
        severity="warning",
    ),
    Scene(
        "DGF-MEDIA-LOSS",
        "the server reports what is not missing here",
        made(at_work(), reported(26, 40)),
        says=("receiver misses 10.2 % behind the point of capture", "here 0.0 % are missing"),
    ),
    Scene(
        "DGF-MEDIA-LOSS",
        "the server reports nothing lost: the capture's gap",
        made(at_work(), reported(0, 0, lost=LOST)),
        says=("the capture's own", "7 reports name no loss, so it had them"),
        severity="info",
    ),
    Scene(
        "DGF-MEDIA-LOSS",
        "media inside RTSP with numbers left out",
        made(at_work(), inside_rtsp((40, 41, 90, 130))),
        says=("2.0 % of a stream's packets were never sent", "the sender left these packets out"),
    ),
    Scene("DGF-MEDIA-LOSS", "media inside RTSP, whole", made(at_work(), inside_rtsp(())), fires=0),
    Scene(
        "DGF-MEDIA-LOSS",
        "a camera silent for ten seconds",
        made(at_work(30), paused(10, 20)),
        says=("a stream stood still for 10.", "from 07:33:30.000 UTC on", "no number is missing: the sender paused"),
    ),
    Scene(
        "DGF-MEDIA-LOSS",
        "ten seconds of a camera's packets did not come",
        made(at_work(30), camera(1, end=30, lost=range(120, 240))),
        says=("a stream was cut off for 11", "its numbers went on too (120 missing): it was sent and did not come"),
        never=("do not arrive",),
    ),
    Scene(
        "DGF-MEDIA-LOSS",
        "everything silent: the capture was interrupted",
        made(at_work(10), paused(10, 20), later_talk(20)),
        fires=0,
    ),
    Scene(
        "DGF-MEDIA-LOSS",
        "pictures late by turns",
        made(at_work(30), late_by_turns(180 * MS)),
        says=("packets arrive unsteadily, jitter 16", "jitter of the pictures"),
    ),
    Scene("DGF-MEDIA-LOSS", "pictures a little late", made(at_work(30), late_by_turns(40 * MS)), fires=0),
    Scene(
        "DGF-MEDIA-LOSS",
        "a lossy camera, and the limit set higher",
        made(at_work(), camera(1, lost=LOST)),
        fires=0,
        options={"settings": Settings({("DGF-MEDIA-LOSS", "share"): 0.2})},
    ),
    Scene(
        "NET-MEDIA-LOSS",
        "one of three streams loses packets",
        plain(("pictures", (Fate(lost=frozenset(range(60, 70))),)), ("pictures", ()), ("sound", ())),
        says=("10.50.0.20 to 10.50.0.5: ", "10, at most 10 in a row"),
        never=("10.50.0.21", "10.50.0.22"),
        severity="warning",
    ),
    Scene(
        "NET-MEDIA-LOSS",
        "over IPv6",
        made(over_ipv6((40, 41, 90))),
        says=("fd00::60 to fd00::61: 2.0 % of a stream's packets", "3, at most 2 in a row"),
    ),
    Scene("NET-MEDIA-LOSS", "streams without a fault", plain(("pictures", ()), ("sound", ())), fires=0),
    Scene(
        "NET-MEDIA-LOSS",
        "a transport stream torn before it was sent as RTP",
        plain(("torn", ())),
        says=("the transport stream is torn", "torn before it was sent"),
    ),
    Scene(
        "NET-MEDIA-LOSS",
        "a transport stream without RTP, torn",
        bare_transport(copies=False, skips={70 * k: 3 for k in range(1, 14)}),
        says=("10.1.0.60 to 10.1.0.61", "the transport stream is torn", "13 breaks"),
    ),
    Scene(
        "NET-MEDIA-LOSS",
        "a transport stream captured twice",
        bare_transport(copies=True, skips={}),
        fires=0,
    ),
    Scene("NET-MEDIA-LOSS", "Digifort's streams are not its", made(at_work(), camera(1, lost=LOST)), fires=0),
]
