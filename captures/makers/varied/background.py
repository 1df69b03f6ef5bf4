"""What every generated site has besides: the traffic of an office and of systems that are no product of ours.

In: `Play`, the hosts that are already there. Out: packets and flows of `other.*` and `network.*` components.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from .. import payloads
from .play import END, MDNS_GROUP, SSDP_GROUP, START_NS, Play
from .wire import MS, Host, S, Talk, Wrap

EVERYONE = "255.255.255.255"
INNER_PORTS = 88  # bytes of a frame up to the ports inside the tunnel; cut earlier, nobody could tell the flows inside


def play_background(play: Play, there: Sequence[Host]) -> None:
    """All of it; `there` are hosts that ask for names and time too."""
    desks = [play.host(f"desk{i}", windows=i % 2 == 0) for i in range(play.rng.randrange(2, 5))]
    names = play.host("names")
    ground(play, [*desks, *there], names)
    browsing(play, desks)
    files(play, desks)
    intercom(play, desks[0])
    discovery(play, desks)
    odds(play, desks, names)
    if not 0 < play.options.snaplen < INNER_PORTS:
        tunnel(play)


def ground(play: Play, hosts: Sequence[Host], names: Host) -> None:
    """ARP, DNS, NTP, ping."""
    own_ports = {"dns": (49_152, 65_000), "old": (3000, 4900)}
    for number, host in enumerate(hosts):
        at = play.later(0, 20 * S)
        other = play.rng.choice(hosts)
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + host.mac + host.packed + bytes(6) + other.packed
        play.net.link(at, host, b"\xff" * 6, 0x0806, body)
        ident = play.rng.getrandbits(16)
        low, high = own_ports["old" if number % 3 == 0 else "dns"]
        question = payloads.dns_query(ident, f"host{number}.site.example")
        answer = payloads.dns_answer(ident, f"host{number}.site.example", other.packed)
        play.udp_talk(at + MS, host, play.port(host, low, high), names, 53, question, answer, "other.dns")
        seconds = (START_NS + at) // S
        play.udp_talk(at + 9 * MS, host, 123, names, 123, payloads.ntp(3, seconds), payloads.ntp(4, seconds, stratum=2),
                      "other.ntp")  # fmt: skip
    for number in range(3):
        body = struct.pack("!HH", 7, number) + bytes(48)
        play.net.icmp(30 * S + number * S, hosts[0], names, 8, body)
        play.net.icmp(30 * S + number * S + MS, names, hosts[0], 0, body)


def browsing(play: Play, desks: Sequence[Host]) -> None:
    """HTTPS with names, an intranet page, QUIC, SSH."""
    cloud = play.net.host("cloud", f"198.51.100.{play.rng.randrange(2, 250)}")
    for desk in desks:
        talk = Talk(play.net, desk, play.port(desk), cloud, 443, "other.https", rtt_ns=14 * MS)
        play.tls(talk, talk.open(play.later(0, 20 * S)), "www.example.com", max(3, play.share(0.02) // 6))
        own = play.port(desk)
        for turn in range(12):
            at = 12 * S + turn * 150 * MS
            data = payloads.quic_initial(play.rng) if turn < 2 else b"\x41" + play.noise(60, 900)
            ends = (desk, own, cloud, 443) if turn % 2 == 0 else (cloud, 443, desk, own)
            play.net.udp(at, *ends, data, "other.quic")
    intranet = play.host("intranet")
    talk = Talk(play.net, desks[0], play.port(desks[0]), intranet, 80, "other.http")
    at = talk.open(4 * S)
    for _ in range(4):
        page = payloads.http_reply("200 OK", b"<p>ordinary page</p>" * 90, "text/html")
        at = talk.ask(at + S, payloads.http_request("GET", "/", "intranet.example"), page)
    talk = Talk(play.net, desks[1], play.port(desks[1]), intranet, 22, "other.ssh")
    at = talk.send(talk.open(7 * S), 1, b"SSH-2.0-OpenSSH_9.2\r\n", early=True)
    at = talk.send(at, 0, b"SSH-2.0-OpenSSH_9.6\r\n", early=True)
    for _ in range(5):
        at = talk.ask(at + S, play.noise(40, 90), play.noise(60, 400))


def files(play: Play, desks: Sequence[Host]) -> None:
    """SMB to a file server; in some sites a desk's own port is one of the products'."""
    server = play.host("files", windows=True)
    for number, desk in enumerate(desks):
        own = (8600, 18772, 8610)[number % 3] if play.rng.random() < 0.5 else play.port(desk)
        if play.options.start == "midstream" or play.options.directions != "both":
            own = play.port(desk)  # without a handshake nobody could tell
        talk = Talk(play.net, desk, own, server, 445, "other.smb")
        at = talk.open(play.later(0, 15 * S))
        for _ in range(5):
            question = payloads.smb(play.rng, play.later(60, 100))
            at = talk.ask(at + S, question, payloads.smb(play.rng, play.later(200, 3000)))


def intercom(play: Play, desk: Host) -> None:
    """A door station calls by SIP; sound is RTP that no product has to do with."""
    station = play.host("intercom")
    own, there = 16_384 + play.rng.randrange(500) * 2, 26_000 + play.rng.randrange(500) * 2
    call = f"{play.rng.getrandbits(40):x}"
    offer = payloads.sdp(station.ip, 0, "PCMU").replace(b"m=video 0", f"m=audio {own}".encode())
    invite = payloads.sip("INVITE sip:desk@site.example SIP/2.0", call, 1, body=offer)
    answer = payloads.sdp(desk.ip, 0, "PCMU").replace(b"m=video 0", f"m=audio {there}".encode())
    play.udp_talk(8 * S, station, 5060, desk, 5060, invite, payloads.sip("SIP/2.0 200 OK", call, 1, body=answer),
                  "other.sip", early=True)  # fmt: skip
    count = play.share(0.02)
    for src, sport, dst, dport in ((station, own, desk, there), (desk, there, station, own)):
        end = 9 * S + count * 20 * MS
        flow = play.rtp(src, sport, dst, dport, 9 * S, end, count, "other.rtp", kind=0, size=160, clock=8000)
        flow.others = ("other.rtp", "unclassified.udp")


def discovery(play: Play, desks: Sequence[Host]) -> None:
    """mDNS, SSDP, WS-Discovery, DHCP."""
    for number, desk in enumerate(desks):
        at = play.later(S, 30 * S)
        query = payloads.dns_query(0, "_ipp._tcp.local", kind=12, recursion=False)
        play.net.udp(at, desk, 5353, MDNS_GROUP, 5353, query, "other.mdns", ttl=255)
        search = payloads.ssdp_search("ssdp:all")
        play.net.udp(at + S, desk, play.port(desk), SSDP_GROUP, 1900, search, "other.ssdp", ttl=4)
        probe = payloads.onvif_probe(payloads.uuid_text(play.rng))
        play.net.udp(at + 2 * S, desk, play.port(desk), SSDP_GROUP, 3702, probe, "other.ws_discovery", ttl=1)
        play.net.udp(at + 3 * S, desk, 68, EVERYONE, 67, payloads.dhcp(3, number, desk.mac), "other.dhcp")


def odds(play: Play, desks: Sequence[Host], names: Host) -> None:
    """STUN, and a DNS answer to a port that the media range has."""
    peer = play.net.host("stun", "203.0.113.249")
    for turn in range(4):
        request = payloads.stun_request(play.rng)
        own = 60_100 if turn % 2 else 3478
        reply = payloads.stun_reply(request, int.from_bytes(desks[0].packed, "big"), own)
        play.udp_talk((6 + 9 * turn) * S, desks[0], own, peer, 3478, request, reply, "other.stun")
    ident = play.rng.getrandbits(16)
    for port in (3456, 4021):
        question = payloads.dns_query(ident, "www.example.com")
        answer = payloads.dns_answer(ident, "www.example.com", names.packed)
        play.udp_talk(play.later(S, END), desks[1], port, names, 53, question, answer, "other.dns")


def tunnel(play: Play) -> None:
    """VXLAN with an ordinary page inside."""
    ends = [play.net.host(f"tunnel{i}", f"172.31.255.{i + 1}") for i in range(2)]
    inner = [play.net.host(f"inner{i}", f"10.255.77.{i + 1}") for i in range(2)]
    own = 49_152 + play.rng.getrandbits(12)

    def wrap(frame: bytes, src: Host) -> bytes:
        near, far = (ends[0], ends[1]) if src is inner[0] else (ends[1], ends[0])
        body = bytes.fromhex("0800000000004d00") + frame
        datagram = struct.pack("!HHHH", own, 4789, 8 + len(body), 0) + body
        header = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 0, 0x4000, 64, 17, 0, near.packed, far.packed
        )
        return far.mac + near.mac + b"\x08\x00" + header + datagram

    inside: Wrap = wrap
    talk = Talk(play.net, inner[0], play.port(inner[0]), inner[1], 80, "other.http", wrap=inside)
    at = talk.open(14 * S)
    for _ in range(3):
        page = payloads.http_reply("200 OK", b"line of a report\r\n" * 200, "text/plain")
        at = talk.ask(at + S, payloads.http_request("GET", "/report", "inner.example"), page)
