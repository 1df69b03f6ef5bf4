"""Scenes of the rules about what a capture can show."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from classifier.limits import Limits

from ..files import ETHERNET, NO_LIMIT, PCAP_NANOSECONDS, capture_bytes, ordered, pcapng_bytes
from ..media import RtpStream
from ..site import MS, US, Host, Record, S, Site
from ..tcp import Conversation, attempt
from .scene import ANY, Scene, digifort_at_work, lan

# -- how files come about


def short_packets(snaplen: int) -> bytes:
    """A server and its client, captured up to `snaplen` bytes a packet (0: whole)."""
    site = lan(snaplen=snaplen)
    digifort_at_work(site, site.host("server", "10.1.0.5"), site.host("client", "10.1.0.40"))
    return capture_bytes(site)


def pcap_as_is(records: Sequence[Record]) -> bytes:
    """A pcap of records in the order given, whatever their times."""
    out = [struct.pack("<IHHiIII", PCAP_NANOSECONDS, 2, 4, 0, 0, NO_LIMIT, ETHERNET)]
    for record in records:
        seconds, rest = divmod(record.ts_ns, 10**9)
        out.append(struct.pack("<IIII", seconds, rest, len(record.frame), len(record.frame)) + record.frame)
    return b"".join(out)


def pcapng(site: Site, *, dropped: int = 0, capture_filter: str = "") -> bytes:
    """A pcapng whose interface says how many packets it dropped (received: as many and those there), and its filter."""
    made, out, at = pcapng_bytes(site), [], 0
    while at < len(made):
        kind, size = struct.unpack_from("<II", made, at)
        body = made[at + 8 : at + size - 4]
        if kind == 1 and capture_filter:
            text = b"\0" + capture_filter.encode()
            option = struct.pack("<HH", 11, len(text)) + text + bytes(-len(text) % 4)
            body = body[:8] + option + body[8:]
        if kind == 5:
            body = body[:12] + struct.pack("<HHQHHQHH", 4, 8, len(site.records) + dropped, 5, 8, dropped, 0, 0)
        whole = struct.pack("<I", len(body) + 12)
        out.append(struct.pack("<I", kind) + whole + body + whole)
        at += size
    return b"".join(out)


# -- what happens in them


def talks(site: Site, count: int = 6, *, mss: int = 1460, size: int = 6000) -> tuple[Host, list[Conversation]]:
    """A server that `count` clients each get `size` bytes from, four times."""
    server, made = site.host("server", "10.1.0.5"), []
    for number in range(count):
        client = site.host(f"client{number}", f"10.1.0.{40 + number}")
        talk = Conversation(site, client, 50_000 + number, server, 9000, ANY, mss=mss)
        now = talk.open(number * 50 * MS)
        for _ in range(4):
            now = talk.ask(now + 20 * MS, site.rng.randbytes(80), site.rng.randbytes(size))
        made.append(talk)
    return server, made


def sent_by(record: Record, host: Host) -> bool:
    """Whether a frame comes from a host."""
    return record.frame[6:12] == bytes.fromhex(host.mac.replace(":", ""))


def one_direction(connections: int) -> bytes:
    """The server's packets of `connections` connections are missing."""
    site = lan()
    server, made = talks(site)
    silent = {id(talk.flow) for talk in made[:connections]}
    site.records = [item for item in site.records if not (id(item.flow) in silent and sent_by(item, server))]
    return capture_bytes(site)


def unanswered_attempts() -> bytes:
    """Connections whose answer is not missing: there was none."""
    site = lan()
    server, _ = talks(site, 2)
    for number in range(8):
        attempt(site, number * S, site.hosts["10.1.0.40"], 51_000 + number, server, 9100 + number, (), refused=False)
    return capture_bytes(site)


def groups_only(seconds: int, *, conversation: bool = False) -> bytes:
    """Hosts that announce themselves to everybody; with a conversation also two that talk."""
    site = lan()
    for number in range(5):
        host = site.host(f"host{number}", f"10.1.0.{10 + number}")
        for second in range(seconds):
            site.udp(second * S + number * MS, host, 1900, "239.255.255.250", 1900, b"NOTIFY * HTTP/1.1\r\n\r\n", ANY)
    if conversation:
        talks(site, 2)
    return capture_bytes(site)


def data_not_captured(*, missing: int, one_sided: bool = False) -> bytes:
    """The capture lost `missing` of the server's segments with data; the clients acknowledged them."""
    site = lan()
    server, _ = talks(site)
    data = [item for item in site.records if sent_by(item, server) and len(item.frame) > 1000]
    lost = {item.order for item in data[3 :: max(1, len(data) // max(missing, 1))][:missing]} if missing else set()
    site.records = [item for item in site.records if item.order not in lost]
    if one_sided:
        site.records = [item for item in site.records if not sent_by(item, server)]
    return capture_bytes(site)


def cameras(*, together: bool) -> bytes:
    """Four cameras; six packets in a row are missing: of all at the same time, or of each at another one."""
    site = lan()
    recorder = site.host("recorder", "10.1.0.5")
    for number in range(4):
        gap = 60 if together else 30 + 25 * number
        camera = site.host(f"camera{number}", f"10.1.0.{20 + number}")
        lost = frozenset(range(gap, gap + 6))
        stream = RtpStream(site, camera, 20_000, recorder, 6000 + 2 * number, ANY, lost=lost, first_sequence=100)
        for count in range(150):
            at = count * 40 * MS + number * MS
            stream.packet(at, stream.stamp(count * 40 * MS), site.rng.randbytes(500), mark=True)
    return capture_bytes(site)


def mirrored(kind: str, share: int = 1) -> bytes:
    """Every `share`th packet once more: `exact`, in another `vlan`, or `routed` (TTL, MAC addresses)."""
    site = lan()
    talks(site, 3)
    for record in list(site.records)[::share]:
        frame = Ether(record.frame)
        if kind == "vlan":
            copy = record.frame[:12] + bytes.fromhex("81000014") + record.frame[12:]
        elif kind == "routed":
            frame.src, frame.dst = "02:00:5e:00:00:01", "02:00:5e:00:00:02"
            frame[IP].ttl -= 1
            del frame[IP].chksum
            copy = bytes(frame)
        else:
            copy = record.frame
        site.records.append(replace(record, ts_ns=record.ts_ns + 3 * US, order=len(site.records), frame=copy))
    return capture_bytes(site)


def sent_again() -> bytes:
    """Segments that TCP itself sends again, with a new identification, at once."""
    site = lan()
    server, made = site.host("server", "10.1.0.5"), site.host("client", "10.1.0.40")
    talk = Conversation(site, made, 50_000, server, 9000, ANY)
    now = talk.open(0)
    for _ in range(30):
        before = list(talk.next)
        data = site.rng.randbytes(700)
        talk.segment(now, 1, "PA", data)
        talk.next = before
        talk.segment(now + 900 * US, 1, "PA", data)
        talk.segment(now + MS, 0, "A")
        now += 30 * MS
    return capture_bytes(site)


def two_files(shift_ns: int) -> list[bytes]:
    """The same conversations, captured by two computers whose clocks are `shift_ns` apart."""
    site = lan()
    talks(site, 40, size=20_000)
    first = ordered(site)
    return [pcap_as_is(first), pcap_as_is([replace(item, ts_ns=item.ts_ns + shift_ns) for item in first])]


def two_directions(shift_ns: int) -> list[bytes]:
    """Each direction in a file of its own; the clock of the server's is `shift_ns` behind."""
    site = lan()
    server, _ = talks(site)
    there = [item for item in ordered(site) if not sent_by(item, server)]
    back = [replace(item, ts_ns=item.ts_ns - shift_ns) for item in ordered(site) if sent_by(item, server)]
    return [pcap_as_is(there), pcap_as_is(back)]


def stepping_clock(back_ns: int, times: int = 1) -> bytes:
    """A clock that is set back `times` times, by `back_ns`."""
    site = lan()
    digifort_at_work(site, site.host("server", "10.1.0.5"), site.host("client", "10.1.0.40"), seconds=30)
    records, behind = [], 0
    for number, record in enumerate(ordered(site)):
        if number and number % 25 == 0 and behind < times * back_ns:
            behind += back_ns
        records.append(replace(record, ts_ns=record.ts_ns - behind))
    return pcap_as_is(records)


def late_packet() -> bytes:
    """One packet that was written 60 ms too late."""
    site = lan()
    digifort_at_work(site, site.host("server", "10.1.0.5"), site.host("client", "10.1.0.40"))
    records = ordered(site)
    records[20] = replace(records[20], ts_ns=records[19].ts_ns - 60 * MS)
    return pcap_as_is(records)


def silent_for(seconds: int) -> bytes:
    """Nothing at all between two conversations."""
    site = lan()
    server, client = site.host("server", "10.1.0.5"), site.host("client", "10.1.0.40")
    digifort_at_work(site, server, client, seconds=3)
    digifort_at_work(site, server, client, at=(3 + seconds) * S, seconds=3)
    return capture_bytes(site)


def digifort_for(seconds: int) -> bytes:
    """A Digifort server and its client, who talk a little every ten seconds."""
    site = lan()
    server, client = site.host("server", "10.1.0.5"), site.host("client", "10.1.0.40")
    for at in range(0, seconds, 10):
        digifort_at_work(site, server, client, at=at * S, seconds=1)
    return capture_bytes(site)


def joins() -> bytes:
    """A host that joins a group, and its sender."""
    site = lan()
    viewer, camera = site.host("viewer", "10.1.0.40"), site.host("camera", "10.1.0.20")
    site.igmp_join(0, viewer, ["239.1.1.1"])
    for second in range(10):
        site.udp(second * S, camera, 5000, "239.1.1.1", 5000, site.rng.randbytes(200), ANY)
    return capture_bytes(site)


def cut(missing: int) -> bytes:
    """A file that ends inside a record."""
    whole = short_packets(0)
    return whole[: len(whole) - missing]


def many_flows() -> bytes:
    """Forty flows."""
    site = lan()
    talks(site, 40)
    return capture_bytes(site)


def through_erspan(wrapped: int) -> bytes:
    """The first `wrapped` of six conversations came through an ERSPAN session (type II)."""
    site = lan()
    switch, probe = site.host("switch", "10.9.0.1"), site.host("probe", "10.9.0.2")

    def wrap(inner: Packet) -> Packet:
        head = bytes.fromhex("100088be00000001" + "1001000a00000000")
        packet = IP(src=switch.ip, dst=probe.ip, proto=47, ttl=64, id=site.ip_id(switch)) / Raw(head + bytes(inner))
        return Ether(src=switch.mac, dst=probe.mac, type=0x0800) / packet

    server = site.host("server", "10.1.0.5")
    for number in range(6):
        client = site.host(f"client{number}", f"10.1.0.{40 + number}")
        how = {"wrap": wrap, "encapsulation": "erspan"} if number < wrapped else {}
        talk = Conversation(site, client, 50_000 + number, server, 9000, ANY, **how)  # type: ignore[arg-type]
        talk.ask(talk.open(number * 100 * MS), site.rng.randbytes(100), site.rng.randbytes(5000))
    return capture_bytes(site)


def noted(dropped: int = 0, capture_filter: str = "") -> bytes:
    """A pcapng with what its interface says."""
    site = lan()
    talks(site, 3)
    return pcapng(site, dropped=dropped, capture_filter=capture_filter)


def plain() -> bytes:
    """Conversations in a pcap, with nothing wrong."""
    site = lan()
    talks(site, 3)
    return capture_bytes(site)


def large_segments(mss: int) -> bytes:
    """Conversations in segments of up to `mss` bytes."""
    site = lan()
    talks(site, 3, mss=mss, size=60_000)
    return capture_bytes(site)


SCENES: list[Scene] = [
    Scene(
        "CAP-SNAPLEN",
        "96 bytes a packet",
        lambda: short_packets(96),
        says=("of the bytes were not captured", "limit is 96 bytes"),
        severity="info",
    ),
    Scene("CAP-SNAPLEN", "whole packets", lambda: short_packets(0), fires=0),
    Scene(
        "CAP-ONE-SIDED",
        "the server's packets are missing",
        lambda: one_direction(6),
        says=("one direction of 100.0 %", "6 connections of 6", "sent by 10.1.0.5."),
        severity="warning",
    ),
    Scene(
        "CAP-ONE-SIDED", "in half of the connections", lambda: one_direction(3), says=("50.0 %", "3 connections of 6")
    ),
    Scene("CAP-ONE-SIDED", "both directions", lambda: one_direction(0), fires=0),
    Scene("CAP-ONE-SIDED", "nobody answers", unanswered_attempts, fires=0),
    Scene("CAP-BYSTANDER", "groups only", lambda: groups_only(10), says=("multicast of 5",), severity="warning"),
    Scene("CAP-BYSTANDER", "and a conversation", lambda: groups_only(10, conversation=True), fires=0),
    Scene("CAP-BYSTANDER", "two seconds", lambda: groups_only(2), fires=0, skipped="shorter than 5 s"),
    Scene("CAP-FILTER", "a port", lambda: noted(capture_filter="tcp port 8600"), says=("“tcp port 8600”",)),
    Scene("CAP-FILTER", "none", noted, fires=0),
    Scene(
        "CAP-DROPS",
        "statistics",
        lambda: noted(500),
        says=("lost 500 packets", "500 on eth0 of "),
        severity="warning",
    ),
    Scene("CAP-DROPS", "nothing dropped", noted, fires=0),
    Scene("CAP-DROPS", "a pcap cannot say", plain, fires=0, skipped="no place for it"),
    Scene(
        "CAP-UNSEEN",
        "three segments",
        lambda: data_not_captured(missing=3),
        says=("4.38 kB of TCP data arrived and are not in the capture",),
        severity="warning",
    ),
    Scene("CAP-UNSEEN", "all there", lambda: data_not_captured(missing=0), fires=0),
    Scene(
        "CAP-UNSEEN",
        "one direction",
        lambda: data_not_captured(missing=0, one_sided=True),
        fires=0,
        skipped="one direction",
    ),
    Scene("CAP-GAPS", "together", lambda: cameras(together=True), says=("24 packets of 4 streams", "at 1 instant")),
    Scene("CAP-GAPS", "each for itself", lambda: cameras(together=False), fires=0),
    Scene(
        "CAP-COPIES",
        "exact",
        lambda: mirrored("exact"),
        says=("50.0 % of the packets are copies", "exact", "editcap -d"),
        never=("TTL,", "another TTL"),
        severity="warning",
    ),
    Scene("CAP-COPIES", "in a VLAN", lambda: mirrored("vlan"), says=("50.0 %", "of them with another VLAN")),
    Scene(
        "CAP-COPIES",
        "routed",
        lambda: mirrored("routed", 4),
        says=("33 packets of 162", "before and after a router (another TTL)"),
    ),
    Scene("CAP-COPIES", "in two files", lambda: two_files(10 * US), says=("in another file", "read one of them")),
    Scene("CAP-COPIES", "sent again by TCP", sent_again, fires=0),
    Scene(
        "CAP-COPIES",
        "--fast",
        lambda: mirrored("exact"),
        fires=0,
        skipped="--fast does not look for copies",
        options={"limits": Limits(follow=False)},
    ),
    Scene(
        "CAP-GIANTS",
        "offload",
        lambda: large_segments(20_000),
        says=("captured with offload", "the largest of 20,040 bytes"),
        severity="info",
    ),
    Scene("CAP-GIANTS", "jumbo frames", lambda: large_segments(8960), says=("offload or jumbo frames",)),
    Scene("CAP-GIANTS", "usual segments", lambda: large_segments(1460), fires=0),
    Scene(
        "CAP-CLOCK",
        "set back by 5 s",
        lambda: stepping_clock(5 * S),
        says=("Time goes back once, by up to", "at record 26"),
        severity="warning",
        packets=1,
    ),
    Scene("CAP-CLOCK", "three times", lambda: stepping_clock(5 * S, 3), says=("3 times",), packets=3),
    Scene("CAP-CLOCK", "a packet written late", late_packet, fires=0),
    Scene(
        "CAP-PAUSE",
        "200 s",
        lambda: silent_for(200),
        says=("Nothing was captured for 3 min 2", "1 pause"),
        severity="info",
    ),
    Scene("CAP-PAUSE", "40 s", lambda: silent_for(40), fires=0),
    Scene(
        "CAP-CLOCKS", "two files", lambda: two_files(5 * S), says=("differ by 5.00 s", "scene1.pcap is 5.00 s ahead")
    ),
    Scene(
        "CAP-CLOCKS", "answers first", lambda: two_directions(2 * S), says=("6 TCP connections", "by 2.00 s (median)")
    ),
    Scene("CAP-CLOCKS", "20 ms", lambda: two_files(20 * MS), fires=0),
    Scene("CAP-CLOCKS", "directions that fit", lambda: two_directions(0), fires=0),
    Scene(
        "CAP-SHORT",
        "a minute",
        lambda: digifort_for(60),
        says=("Digifort service stopped", "idle connections"),
        never=("IGMP",),
        severity="info",
    ),
    Scene("CAP-SHORT", "groups", joins, says=("IGMP or MLD querier", "forgets members"), never=("Digifort",)),
    Scene("CAP-SHORT", "long enough", lambda: digifort_for(330), fires=0),
    Scene(
        "CAP-DAMAGED", "cut", lambda: cut(7), says=("Not all of scene0.pcap was read", "1 problem."), severity="warning"
    ),
    Scene("CAP-DAMAGED", "whole", lambda: cut(0), fires=0),
    Scene(
        "CAP-LIMITS",
        "more flows than are kept",
        many_flows,
        says=("of further flows than the 10 that are kept",),
        severity="info",
        options={"limits": Limits(flows=10)},
    ),
    Scene("CAP-LIMITS", "all fit", many_flows, fires=0),
    Scene(
        "CAP-TUNNEL", "ERSPAN", lambda: through_erspan(6), says=("100.0 % of the packets", "(ERSPAN)"), severity="info"
    ),
    Scene("CAP-TUNNEL", "none", lambda: through_erspan(0), fires=0),
]
