#!/usr/bin/env python3
"""Make large captures for the benchmarks: seeded, so the same arguments give the same file on every machine.

    python benchmarks/generate.py video                     # 1,000,000 packets of about 1,200 bytes, 300 flows
    python benchmarks/generate.py small                     # 5,000,000 packets of 130 bytes, 200,000 flows
    python benchmarks/generate.py sites                     # 1,000,000 packets of whole sites, one after another
    python benchmarks/generate.py video --packets 10000 -o /tmp/v.pcap

In: the kind and sizes. Out: a pcap file (microseconds, little endian, Ethernet) in `benchmarks/data/`, which git
ignores.

`video` is a recording server's mirror port: cameras send RTP over UDP to the server, the server sends streams over
TCP port 8600 to its clients, who acknowledge. `small` is the worst case for a flow table: short packets, each of
a flow picked at random out of many, TCP with a real handshake and UDP. `sites` are the generated sites of
`captures/makers/varied`, one seed after another: the traffic that payload evidence is made for. IP header checksums
are right (zero in `sites`), transport checksums are left out (0 for UDP, which means "none"; 0 for TCP, as a capture on
an offloading sender shows).
"""

from __future__ import annotations

import argparse
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "captures"))

from makers import varied
from makers.varied import seen

Ints = npt.NDArray[np.int64]

DATA = Path(__file__).resolve().parent / "data"
START_S = 1_750_000_000
CHUNK = 8192
RECORD_HEADER, ETHERNET, IPV4, UDP, TCP, RTP = 16, 14, 20, 8, 20, 12
TCP_PROTO, UDP_PROTO = 6, 17
SYN, ACK, PSH = 2, 16, 8
ACK_FRAME = 66
"""A bare acknowledgement, with 12 bytes of TCP options."""
FIRST_A, FIRST_B = 1_000_000, 2_000_000  # initial sequence numbers, and the flow's number


@dataclass
class Plan:
    """The packets to write: flow columns (one row per flow) and packet columns (one row per packet)."""

    proto: Ints  # per flow
    a_address: Ints
    b_address: Ints
    a_port: Ints
    b_port: Ints
    rtp: npt.NDArray[np.bool_]
    flow: Ints  # per packet
    backward: npt.NDArray[np.bool_]
    frame: Ints  # frame length
    flags: Ints  # TCP flags
    rank: Ints  # number of the packet inside its flow, from 0
    gap_us: Ints  # since the packet before
    seq: Ints = field(init=False)  # TCP, modulo 2^32 when written
    ack: Ints = field(init=False)


def ranks(flow: Ints) -> Ints:
    """For each packet, how many packets of the same flow came before it."""
    order = np.argsort(flow, kind="stable")
    ordered = flow[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(flow)])
    result = np.empty(len(flow), np.int64)
    result[order] = np.arange(len(flow)) - np.repeat(starts, lengths)
    return result


def handshake(plan: Plan) -> None:
    """Turn the first three packets of every TCP flow into SYN, SYN-ACK, ACK without content."""
    tcp = plan.proto[plan.flow] == TCP_PROTO
    for rank, (backward, flags) in enumerate(((False, SYN), (True, SYN | ACK), (False, ACK))):
        chosen = tcp & (plan.rank == rank)
        plan.backward[chosen] = backward
        plan.flags[chosen] = flags
        plan.frame[chosen] = ETHERNET + IPV4 + TCP


def content(plan: Plan) -> Ints:
    """Payload bytes of TCP packets: none in the handshake, none in bare acknowledgements (12 bytes of options)."""
    length = plan.frame - ETHERNET - IPV4 - TCP
    return np.where((plan.rank < 3) | (plan.frame == ACK_FRAME), 0, length)


def number(plan: Plan) -> None:
    """Sequence and acknowledgement numbers: what each side has sent, and what it has got, until then."""
    order = np.argsort(plan.flow, kind="stable")
    sent = content(plan) + (plan.rank < 2)  # SYN and SYN-ACK count as one byte
    flow, backward = plan.flow[order], plan.backward[order]
    starts = np.r_[True, flow[1:] != flow[:-1]]
    before = []
    for side in (False, True):
        mine = np.where(backward == side, sent[order], 0)
        whole = np.cumsum(mine) - mine
        before.append(whole - np.repeat(whole[starts], np.diff(np.r_[np.flatnonzero(starts), len(flow)])))
    plan.seq, plan.ack = np.empty_like(plan.flow), np.empty_like(plan.flow)
    plan.seq[order] = np.where(backward, before[1], before[0]) + flow + np.where(backward, FIRST_B, FIRST_A)
    plan.ack[order] = np.where(backward, before[0], before[1]) + flow + np.where(backward, FIRST_A, FIRST_B)


def plan_video(packets: int, flows: int, size: int, rng: np.random.Generator) -> Plan:
    """Cameras to the server by RTP (three flows in five), server to clients by TCP with acknowledgements."""
    index = np.arange(flows)
    camera = index % 5 < 3
    server = (10 << 24) + (20 << 16) + 10
    a_address = np.where(camera, (10 << 24) + (20 << 16) + (1 << 8) + index, (10 << 24) + (30 << 16) + 1 + index)
    flow = rng.integers(0, flows, packets)
    rank = ranks(flow)
    rtp = camera[flow]
    backward = ~rtp & (rng.random(packets) < 0.7)  # the server's data; the rest are the clients' acknowledgements
    frame = np.where(rtp | backward, rng.integers(size - 100, size + 101, packets), ACK_FRAME)
    plan = Plan(
        proto=np.where(camera, UDP_PROTO, TCP_PROTO),
        a_address=a_address,
        b_address=np.full(flows, server),
        a_port=np.where(camera, 20000 + index, 49152 + index),
        b_port=np.where(camera, 3000 + (2 * index) % 2000, 8600),
        rtp=camera,
        flow=flow,
        backward=backward,
        frame=frame,
        flags=np.where(backward, ACK | PSH, ACK),
        rank=rank,
        gap_us=rng.integers(0, 120, packets),
    )
    handshake(plan)
    return plan


def plan_small(packets: int, flows: int, size: int, rng: np.random.Generator) -> Plan:
    """Many flows between many hosts, every packet of the same size, the next flow picked at random."""
    index = np.arange(flows)
    ports = np.array([443, 80, 53, 8600, 3389, 1433, 554, 123, 5060, 18772])
    flow = rng.integers(0, flows, packets)
    flow[: min(flows, packets)] = index[:packets]  # every flow occurs
    plan = Plan(
        proto=np.where(rng.random(flows) < 0.6, TCP_PROTO, UDP_PROTO),
        a_address=(10 << 24) + rng.integers(1, 1 << 16, flows),
        b_address=(172 << 24) + (16 << 16) + rng.integers(1, 1 << 12, flows),
        a_port=1024 + (index * 7919) % 64000,
        b_port=ports[rng.integers(0, len(ports), flows)],
        rtp=np.zeros(flows, np.bool_),
        flow=flow,
        backward=rng.random(packets) < 0.5,
        frame=np.full(packets, size),
        flags=np.full(packets, ACK | PSH),
        rank=ranks(flow),
        gap_us=rng.integers(0, 24, packets),
    )
    handshake(plan)
    plan.frame[:] = size  # the handshake is padded: the IP length says it has no content
    return plan


PLANS = {"video": (plan_video, 1_000_000, 300, 1200), "small": (plan_small, 5_000_000, 200_000, 130)}


def put(rows: npt.NDArray[np.uint8], at: int, width: int, values: Ints | int, order: str = "big") -> None:
    """Write integers into `width` bytes of every row, from column `at`."""
    for i in range(width):
        shift = 8 * (width - 1 - i if order == "big" else i)
        rows[:, at + i] = (np.asarray(values) >> shift) & 255


def fill(rows: npt.NDArray[np.uint8], plan: Plan, part: slice, time_us: Ints) -> None:
    """Write headers of the packets in `part` over `rows` (one row each, payload already in place)."""
    flow, backward, frame = plan.flow[part], plan.backward[part], plan.frame[part]
    put(rows, 0, 4, time_us // 1_000_000, "little")
    put(rows, 4, 4, time_us % 1_000_000, "little")
    put(rows, 8, 4, frame, "little")
    put(rows, 12, 4, frame, "little")
    source = np.where(backward, plan.b_address[flow], plan.a_address[flow])
    target = np.where(backward, plan.a_address[flow], plan.b_address[flow])
    at = RECORD_HEADER
    put(rows, at, 2, 0x0200)  # locally administered addresses made of the IP addresses
    put(rows, at + 2, 4, target)
    put(rows, at + 6, 2, 0x0200)
    put(rows, at + 8, 4, source)
    put(rows, at + 12, 2, 0x0800)
    at += ETHERNET
    proto = plan.proto[flow]
    put(rows, at, 1, 0x45)
    put(rows, at + 1, 1, 0)
    empty = (proto == TCP_PROTO) & (plan.rank[part] < 3)
    put(rows, at + 2, 2, np.where(empty, IPV4 + TCP, frame - ETHERNET))
    put(rows, at + 4, 2, plan.rank[part])
    put(rows, at + 6, 2, 0x4000)
    put(rows, at + 8, 1, 64)
    put(rows, at + 9, 1, proto)
    put(rows, at + 10, 2, 0)
    put(rows, at + 12, 4, source)
    put(rows, at + 16, 4, target)
    words = rows[:, at : at + IPV4].astype(np.int64)
    total = (words[:, 0::2] * 256 + words[:, 1::2]).sum(axis=1)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    put(rows, at + 10, 2, 0xFFFF - total)
    at += IPV4
    put(rows, at, 2, np.where(backward, plan.b_port[flow], plan.a_port[flow]))
    put(rows, at + 2, 2, np.where(backward, plan.a_port[flow], plan.b_port[flow]))
    udp = proto == UDP_PROTO
    some = rows[udp]
    put(some, at + 4, 2, frame[udp] - ETHERNET - IPV4)
    put(some, at + 6, 2, 0)
    rtp = plan.rtp[flow[udp]]
    media = some[rtp]
    if len(media):
        rank = plan.rank[part][udp][rtp]
        put(media, at + UDP, 1, 0x80)
        put(media, at + UDP + 1, 1, 96 | np.where(rank % 20 == 19, 0x80, 0))  # the marker ends a picture
        put(media, at + UDP + 2, 2, rank)
        put(media, at + UDP + 4, 4, rank // 20 * 3000)  # 90 kHz clock, 30 pictures a second
        put(media, at + UDP + 8, 4, flow[udp][rtp] + 0x5EED0000)
        some[rtp] = media
    rows[udp] = some
    some = rows[~udp]
    rank = plan.rank[part][~udp]
    bare = (frame[~udp] == ACK_FRAME) & (rank > 2)
    put(some, at + 4, 4, plan.seq[part][~udp])
    put(some, at + 8, 4, np.where(plan.flags[part][~udp] & ACK, plan.ack[part][~udp], 0))
    put(some, at + 12, 1, np.where(bare, 0x80, 0x50))
    options = some[bare]
    options[:, at + TCP : at + TCP + 12] = 1  # no operation
    some[bare] = options
    put(some, at + 13, 1, plan.flags[part][~udp])
    put(some, at + 14, 2, 0xFFFF)
    put(some, at + 16, 4, 0)
    rows[~udp] = some


def generate(kind: str, path: Path, *, packets: int, flows: int, size: int, seed: int) -> int:
    """Write the capture to `path` and return its length in bytes."""
    rng = np.random.default_rng(seed)
    plan = PLANS[kind][0](packets, flows, size, rng)
    number(plan)
    time_us = START_S * 1_000_000 + np.cumsum(plan.gap_us)
    width = RECORD_HEADER + int(plan.frame.max())
    noise = rng.integers(0, 256, (CHUNK, width), np.uint8)
    column = np.arange(width)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for start in range(0, packets, CHUNK):
            part = slice(start, min(start + CHUNK, packets))
            frame = plan.frame[part]
            rows = noise[: len(frame)].copy()
            fill(rows, plan, part, time_us[part])
            out.write(rows[column < (frame + RECORD_HEADER)[:, None]].tobytes())
    partial.replace(path)
    return path.stat().st_size


SITE_PACKETS = 20_000
SITE_NS = 100_000_000_000  # each is watched for a minute, and ends before this


def generate_sites(path: Path, *, packets: int, seed: int) -> int:
    """Write whole sites to `path`, one after another, until there are so many packets; its length in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    options = varied.Options(packets=SITE_PACKETS)
    with partial.open("wb") as out:
        number, left = 0, packets
        while left > 0:
            made = varied.make_site(seed * 100_000 + number, options).packets[:left]
            data = seen.pcap(made, options, seen.START_NS + number * SITE_NS)
            out.write(data if number == 0 else data[seen.PCAP_HEADER_BYTES :])
            left -= len(made)
            number += 1
    partial.replace(path)
    return path.stat().st_size


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make a large capture for the benchmarks.")
    parser.add_argument("kind", choices=[*sorted(PLANS), "sites"])
    parser.add_argument("--packets", type=int)
    parser.add_argument("--flows", type=int)
    parser.add_argument("--size", type=int, help="frame length in bytes (video: the mean)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args(arguments)
    path = given.output or DATA / f"{given.kind}.pcap"
    if given.kind == "sites":
        length = generate_sites(path, packets=given.packets or 1_000_000, seed=given.seed)
        print(f"{path}: {length:,} bytes", file=sys.stderr)
        return 0
    _, packets, flows, size = PLANS[given.kind]
    length = generate(
        given.kind,
        path,
        packets=given.packets or packets,
        flows=given.flows or flows,
        size=given.size or size,
        seed=given.seed,
    )
    print(f"{path}: {length:,} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
