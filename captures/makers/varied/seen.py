"""What a point of capture lets through: from a network's packets to the frames of the capture files.

In: `Network`, options. Out: the packets in order of time, with their flows' counters and facts filled in; the bytes of
one or several pcap files. Next: `truth`.
"""

from __future__ import annotations

import random
import struct
from itertools import pairwise

from .options import Options
from .play import START_NS
from .wire import Fact, Flow, Network, Packet

Learned = dict[tuple[str, str, int], int]
"""(what, address, port) to the time it was first shown."""


def captured(net: Network, options: Options) -> list[Packet]:
    """The packets that the capture has, in order of time."""
    packets = net.packets
    if options.start == "midstream":
        packets = [packet for packet in packets if not packet.early]
    if options.directions != "both":
        packets = [packet for packet in packets if _passes(packet, options.directions)]
    return sorted(packets, key=lambda packet: (packet.at, packet.order))


def _passes(packet: Packet, directions: str) -> bool:
    """Whether a packet goes this way on the servers' link; between two servers it depends on who began."""
    from_server, to_server = packet.src.servers, packet.dst is not None and packet.dst.servers
    if from_server and to_server:
        assert packet.flow is not None
        return (packet.flow.orig == packet.src.ip) == (directions == "into")
    if directions == "into":
        return to_server or (packet.dst is None and not from_server)
    return from_server


def count(packets: list[Packet], options: Options) -> Learned:
    """Fill in what each flow has in the capture; what payloads show of other endpoints."""
    learned: Learned = {}
    limit = options.snaplen or 1 << 20
    for packet in packets:
        flow = packet.flow
        if flow is None:
            continue
        _count(flow, packet)
        for fact in packet.shows:
            _show(flow, fact, min(limit, len(packet.frame)) - packet.head, packet.at, learned)
    return learned


def _count(flow: Flow, packet: Packet) -> None:
    if packet.src.ip == flow.orig:
        flow.orig_packets += 1
    else:
        flow.resp_packets += 1
    flow.wire_bytes += len(packet.frame)


def _show(flow: Flow, fact: Fact, there: int, at: int, learned: Learned) -> None:
    """A fact is sure when all of its bytes are there, and may be one (a question mark) when the least are."""
    if there < (fact.least or fact.need):
        return
    name = fact.name if there >= fact.need else f"{fact.name}?"
    if fact.endpoint is None:
        flow.facts.add(name)
    else:
        learned.setdefault((name, *fact.endpoint), at)


PCAP_HEADER_BYTES = 24


def pcap(packets: list[Packet], options: Options, start_ns: int = START_NS) -> bytes:
    """A little-endian pcap with nanoseconds."""
    limit = options.snaplen or 262_144
    pack = struct.Struct("<IIII").pack
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, limit, 1)]
    for packet in packets:
        seconds, rest = divmod(start_ns + packet.at, 1_000_000_000)
        frame = packet.frame
        kept = frame if len(frame) <= limit else frame[:limit]
        out.append(pack(seconds, rest, len(kept), len(frame)))
        out.append(kept)
    return b"".join(out)


def rotated(packets: list[Packet], options: Options, files: int, seed: int) -> list[bytes]:
    """The capture as so many files one after the other, cut anywhere."""
    cuts = sorted(random.Random(seed).sample(range(1, len(packets)), files - 1))
    return [pcap(packets[low:high], options) for low, high in pairwise((0, *cuts, len(packets)))]
