"""Media streams with a known fate: what was sent, what the path did to it, what a capture must therefore show.

In: a `Sender` (pictures, sound or transport stream) and a `Fate` (which packets are lost, late, copied, resent). Out:
records of a capture and, beside them, `Truth`: every figure counted from the sender's own packet numbers, which
run on without wrapping and are never looked up in the packets. Formats: RFC 3550, 6184, 3551, ISO 13818-1 2.4.3.2.
"""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import payloads
from .addresses import checksum, group_mac, packed
from .site import MS, US, Interface, Label, Record, S, Site
from .tcp import Conversation

START_NS = 1_730_455_200 * S  # 2024-11-01 10:00:00 UTC

Frame = Callable[[bytes, int, int], bytes]
"""An RTP packet, an IP identification and how many routers it has passed, as a frame."""


@dataclass(frozen=True)
class Sent:
    """One packet as its sender made it; `number` and `stamp` run on without wrapping."""

    number: int
    stamp: int
    at: int  # ns after the capture's start
    data: bytes
    mark: bool = False
    key: bool = False  # of a picture that needs no other
    continuity: tuple[tuple[int, int], ...] = ()  # transport stream: PID and counter of each cell with payload


@dataclass(frozen=True)
class Fate:
    """What happens between the sender and the point of capture, by the sender's packet count (from 0).

    `late`, `mirrored`, `routed`, `resent`: nanoseconds after the packet's own time. A mirrored copy is the same frame
    again; a routed one has passed a router (TTL, MAC addresses); a resent one is the same RTP packet in a new datagram.
    """

    lost: frozenset[int] = frozenset()
    late: Mapping[int, int] = field(default_factory=dict)
    mirrored: Mapping[int, int] = field(default_factory=dict)
    routed: Mapping[int, int] = field(default_factory=dict)
    resent: Mapping[int, int] = field(default_factory=dict)


@dataclass
class Truth:
    """What a capture shows of one stream; what is lost before its first or after its last packet shows nowhere."""

    src: str
    sport: int
    dst: str
    dport: int
    ssrc: int
    payload_type: int
    clock: int
    packets: int = 0
    wire_bytes: int = 0
    expected: int = 0
    missing: int = 0
    duplicates: int = 0
    reordered: int = 0
    restarts: int = 0
    longest_gap: int = 0
    longest_gap_ns: int = 0  # when the packet behind the longest gap came; 0 without a gap
    gaps: int = 0
    first_ns: int = 0
    last_ns: int = 0
    silence_ns: int = 0
    pictures: int = 0  # stamps of packets that came in order: what only came late was too late to be shown
    keys_ns: list[int] = field(default_factory=list)  # first packet of each key picture
    arrivals: list[tuple[int, int]] = field(default_factory=list)  # (ns, stamp) in order of capture, without copies
    continuity_lost: dict[int, int] = field(default_factory=dict)

    def jitter_ms(self, *, per_picture: bool) -> tuple[float, float, float]:
        """(last, mean, highest) interarrival jitter, RFC 3550 6.4.1, in ms; of each picture's first packet when asked.

        The first packet has none.

        Exact, not in whole ticks: where packets come at multiples of 100 us (90 kHz) or 125 us (8 kHz) nobody rounds.
        """
        jitter, every, seen = 0.0, [], set()
        previous: tuple[int, int] | None = None
        for ns, stamp in self.arrivals:
            if per_picture and stamp in seen:
                continue
            seen.add(stamp)
            if previous is not None:
                apart = abs((ns - previous[0]) * self.clock - (stamp - previous[1]) * S) / (self.clock * MS)
                jitter += (apart - jitter) / 16
                every.append(jitter)
            previous = ns, stamp
        return jitter, sum(every) / len(every), max(every)


# -- what is sent


def pictures(
    count: int,
    *,
    seed: int = 1,
    rate: int = 25,
    key_every: int = 25,
    sizes: tuple[int, int] = (9_000, 2_500),
    largest: int = 1_200,
    number: int = 1_000,
    stamp: int = 90_000,
    start: int = 0,
    spacing: int = 100 * US,
) -> list[Sent]:
    """H.264 at `rate` pictures a second, 90 kHz: key pictures with parameter sets, FU-A above `largest` bytes."""
    rng = random.Random(seed)
    out: list[Sent] = []
    for n in range(count):
        key = n % key_every == 0
        at, when = start + n * S // rate, stamp + n * 90_000 // rate
        units = payloads.h264_picture(rng, sizes[0 if key else 1], key=key, largest=largest)
        for place, unit in enumerate(units):
            out.append(Sent(number + len(out), when, at + place * spacing, unit, place == len(units) - 1, key))
    return out


def sound(count: int, *, seed: int = 2, number: int = 5_000, stamp: int = 16_000, start: int = 0) -> list[Sent]:
    """G.711 in packets of 20 ms: 160 bytes, 160 ticks of 8 kHz (RFC 3551 4.5.14)."""
    rng = random.Random(seed)
    return [
        Sent(number + n, stamp + n * 160, start + n * 20 * MS, rng.randbytes(160), mark=n == 0) for n in range(count)
    ]


def transport(
    count: int,
    *,
    seed: int = 3,
    pids: Sequence[int] = (256, 257),
    skipped: Mapping[int, int] | None = None,
    number: int = 30_000,
    stamp: int = 0,
    start: int = 0,
) -> list[Sent]:
    """MPEG-TS, seven cells of 188 bytes a packet, PIDs in turn, 10 ms apart.

    `skipped`: per cell (counted from 0) how many cells of the same PID never entered the multiplex before it.
    """
    rng = random.Random(seed)
    counters = dict.fromkeys(pids, 0)
    out: list[Sent] = []
    for n in range(count):
        cells, held = b"", []
        for place in range(7):
            cell = n * 7 + place
            pid = pids[cell % len(pids)]
            counters[pid] += (skipped or {}).get(cell, 0)
            cells += payloads.ts_cell(rng, pid, counters[pid] % 16)
            held.append((pid, counters[pid]))
            counters[pid] += 1
        out.append(Sent(number + n, stamp + n * 900, start + n * 10 * MS, cells, continuity=tuple(held)))
    return out


def restarted(first: Sequence[Sent], then: Sequence[Sent], pause: int = S) -> list[Sent]:
    """`then` after `first`, `pause` ns later: the sender began anew with other numbers."""
    return [*first, *(replace(packet, at=packet.at + first[-1].at + pause) for packet in then)]


def unsteady(sent: Sequence[Sent], delays: Sequence[int]) -> list[Sent]:
    """Each picture (packets of one stamp) later by the next of `delays` (ns), over and over."""
    stamps = list(dict.fromkeys(packet.stamp for packet in sent))
    delay = {stamp: delays[place % len(delays)] for place, stamp in enumerate(stamps)}
    return [replace(packet, at=packet.at + delay[packet.stamp]) for packet in sent]


# -- the way it takes


@dataclass(frozen=True)
class Way:
    """Addresses and layers of a stream's frames."""

    src: str = "10.50.0.20"
    sport: int = 20_000
    dst: str = "10.50.0.5"
    dport: int = 3_456
    ttl: int = 64
    vlan: int | None = None
    vxlan: bool = False

    def frame(self, message: bytes, identification: int, routers: int) -> bytes:
        """An RTP packet as a frame."""
        inner = _ethernet(self.src, self.dst, _udp(self, message, identification, routers), self.vlan, routers)
        if not self.vxlan:
            return inner
        outer = Way("10.99.0.1", 49_152, "10.99.0.2", 4_789)
        return _ethernet(outer.src, outer.dst, _udp(outer, bytes.fromhex("0800000000004d00") + inner, 1, 0), None, 0)


def _udp(way: Way, message: bytes, identification: int, routers: int) -> bytes:
    datagram = struct.pack("!HHHH", way.sport, way.dport, 8 + len(message), 0) + message
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), identification, 0, way.ttl - routers, 17, 0,
        packed(way.src), packed(way.dst),
    )  # fmt: skip
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + datagram


def _ethernet(src: str, dst: str, packet: bytes, vlan: int | None, routers: int) -> bytes:
    def mac(address: str, place: int) -> bytes:
        return bytes((2, 0, 0x5E, place)) + packed(address)[2:]

    group = packed(dst)[0] >> 4 == 14
    target = bytes.fromhex(group_mac(dst).replace(":", "")) if group else mac(dst, 0)
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    frame = target + mac(src, routers) + tag + b"\x08\x00" + packet
    return frame + bytes(max(0, 60 - len(frame)))


# -- the capture


class Capture:
    """Streams in one capture: `add` as many as wanted, `records` for the file, `truths` for the tests."""

    def __init__(self, name: str = "streams.pcap", start_ns: int = START_NS) -> None:
        self.site = Site(name, 7, start_ns, interfaces=(Interface("eth0", digits=9),))
        self.truths: list[Truth] = []

    def add(
        self,
        sent: Sequence[Sent],
        way: Way | None = None,
        fate: Fate | None = None,
        *,
        ssrc: int = 0x51_00_00_01,
        payload_type: int = 96,
        clock: int = 90_000,
    ) -> Truth:
        """One RTP stream over UDP; its truth."""
        way, fate = way or Way(), fate or Fate()
        truth = Truth(way.src, way.sport, way.dst, way.dport, ssrc, payload_type, clock)
        seen: list[tuple[int, int, Sent]] = []
        for count, packet in enumerate(sent):
            if count in fate.lost:
                continue
            message = payloads.rtp(
                payload_type, packet.number % 65536, packet.stamp % 2**32, ssrc, packet.data, mark=packet.mark
            )
            own = packet.at + fate.late.get(count, 0)
            times = [(own, count % 65536, 0)]
            times += [(own + fate.mirrored[count], count % 65536, 0)] if count in fate.mirrored else []
            times += [(own + fate.routed[count], count % 65536, 1)] if count in fate.routed else []
            times += [(own + fate.resent[count], (count + 30_000) % 65536, 0)] if count in fate.resent else []
            for at, identification, routers in times:
                frame = way.frame(message, identification, routers)
                self._record(at, frame)
                truth.wire_bytes += len(frame)
                seen.append((self.site.start_ns + at, len(self.site.records), packet))
        self._judge(truth, seen)
        return truth

    def add_interleaved(self, sent: Sequence[Sent], *, ssrc: int = 0x51_00_00_02, payload_type: int = 96) -> Truth:
        """One RTP stream inside an RTSP connection (RFC 2326 10.12), with the session that sets it up."""
        site = self.site
        client, camera = site.host("viewer", "10.50.0.40"), site.host("camera", "10.50.0.21")
        talk = Conversation(site, client, 50_100, camera, 554, Label("other.rtsp"))
        url = f"rtsp://{camera.ip}/stream1"
        description = payloads.sdp(camera.ip, payload_type, "H264")
        at = talk.open(0)
        at = talk.ask(at, payloads.rtsp_request("DESCRIBE", url, 1), payloads.rtsp_reply(1, body=description))
        transport_line = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
        at = talk.ask(
            at,
            payloads.rtsp_request("SETUP", f"{url}/trackID=1", 2, transport_line),
            payloads.rtsp_reply(2, transport_line, "Session: 4711"),
        )
        at = talk.ask(at, payloads.rtsp_request("PLAY", url, 3, "Session: 4711"), payloads.rtsp_reply(3))
        truth = Truth(camera.ip, 554, client.ip, 50_100, ssrc, payload_type, 90_000)
        seen = []
        for packet in sent:
            message = payloads.rtp(
                payload_type, packet.number % 65536, packet.stamp % 2**32, ssrc, packet.data, mark=packet.mark
            )
            when = at + 10 * MS + packet.at
            talk.segment(when, 1, "PA", b"$\0" + struct.pack("!H", len(message)) + message)
            seen.append((site.start_ns + when, len(site.records), packet))
        self._judge(truth, seen)
        return truth

    def _record(self, at: int, frame: bytes) -> None:
        records = self.site.records
        records.append(Record(self.site.start_ns + at, len(records), 0, frame, "", None))

    def _judge(self, truth: Truth, seen: list[tuple[int, int, Sent]]) -> None:
        """Count what the capture shows, in its order."""
        seen.sort(key=lambda one: one[:2])
        self.truths.append(truth)
        truth.packets = len(seen)
        arrived: dict[int, tuple[int, int]] = {}
        for ns, _, packet in seen:
            arrived.setdefault(id(packet), (ns, packet.stamp))
        truth.arrivals = list(arrived.values())
        truth.first_ns, truth.last_ns = seen[0][0], seen[-1][0]
        truth.silence_ns = max((b[0] - a[0] for a, b in itertools.pairwise(seen)), default=0)
        keys = dict.fromkeys(packet.stamp for _, _, packet in seen if packet.key)
        truth.keys_ns = [next(ns for ns, _, packet in seen if packet.stamp == stamp) for stamp in keys]
        runs: list[list[tuple[int, int]]] = [[]]
        for ns, _, packet in seen:
            if runs[-1] and abs(packet.number - runs[-1][-1][0]) >= 3_000:  # only a sender that began anew jumps so far
                runs.append([])
            runs[-1].append((packet.number, ns))
        truth.restarts = len(runs) - 1
        stamps = {packet.number: packet.stamp for _, _, packet in seen}
        in_order: set[int] = set()
        for run in runs:
            self._judge_run(truth, run)
            best = -1
            for number, _ in run:
                if number > best:
                    best = number
                    in_order.add(stamps[number])
        truth.pictures = len(in_order)
        counters: dict[int, set[int]] = {}
        for _, _, packet in seen:
            for pid, counter in packet.continuity:
                counters.setdefault(pid, set()).add(counter)
        truth.continuity_lost = {pid: max(found) - min(found) + 1 - len(found) for pid, found in counters.items()}

    @staticmethod
    def _judge_run(truth: Truth, run: list[tuple[int, int]]) -> None:
        numbers = {number for number, _ in run}
        truth.expected += max(numbers) - min(numbers) + 1
        truth.missing += max(numbers) - min(numbers) + 1 - len(numbers)
        truth.duplicates += len(run) - len(numbers)
        highest, had = min(numbers) - 1, set()
        for number, _ in run:
            truth.reordered += number < highest and number not in had
            had.add(number)
            highest = max(highest, number)
        ordered = sorted(numbers)
        for before, after in itertools.pairwise(ordered):
            gap = after - before - 1
            truth.gaps += gap > 0
            if gap > truth.longest_gap:
                truth.longest_gap = gap
                truth.longest_gap_ns = next(ns for number, ns in run if number == after)
