"""Fragments from outside: every fragment of a datagram, also of a tunnel's, is counted in the flow of its content."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.erspan import ERSPAN_II
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, PadN, fragment6
from scapy.layers.ipsec import AH
from scapy.layers.l2 import GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

import classifier

Frame = tuple[int, bytes]  # microseconds, frame

START_S = 1_700_000_000
NOTHING_LISTENS = {"tcp": np.zeros(65536, bool), "udp": np.zeros(65536, bool)}
A, B, A6, B6 = "10.1.1.1", "10.2.2.2", "2001:db8::1", "2001:db8::2"
OUTER, OUTER6 = {"src": "192.0.2.1", "dst": "192.0.2.2"}, {"src": "2001:db8:ff::1", "dst": "2001:db8:ff::2"}

eth = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
inner_eth = Ether(src="02:00:00:00:0a:01", dst="02:00:00:00:0a:02")
BODY = bytes(range(256)) * 12  # 3,072 bytes
video = IP(src=A, dst=B, id=77, ttl=9) / UDP(sport=4000, dport=5000) / Raw(BODY)
video6 = IPv6(src=A6, dst=B6, hlim=9) / UDP(sport=4000, dport=5000) / Raw(BODY)
ip4, ip6 = IP(**OUTER, id=9), IPv6(**OUTER6)

TUNNELS: dict[str, tuple[Packet, Packet]] = {
    "vxlan": (ip4, UDP(sport=3, dport=4789) / VXLAN(flags=8) / inner_eth / video),
    "gre": (ip4, GRE() / video),
    "nvgre": (ip4, GRE(key_present=1, key=5, proto=0x6558) / inner_eth / video),
    "erspan": (ip4, GRE(seqnum_present=1, proto=0x88BE) / ERSPAN_II() / inner_eth / video),
    "geneve": (ip4, UDP(sport=3, dport=6081) / GENEVE(proto=0x6558) / inner_eth / video),
    "gtpu": (ip4, UDP(sport=3, dport=2152) / GTP_U_Header(teid=1, gtp_type=255) / video),
    "ipip": (ip4, video),
    "6in4": (ip4, video6),
    "ah": (ip4, AH(spi=1, icv=bytes(12), payloadlen=4, nh=17) / UDP(sport=4000, dport=5000) / Raw(BODY)),
    "4in6": (ip6, video),
    "vxlan over ipv6": (ip6, UDP(sport=3, dport=4789) / VXLAN(flags=8) / inner_eth / video6),
    "vlan": (ip4, UDP(sport=3, dport=4789) / VXLAN(flags=8) / inner_eth / Dot1Q(vlan=12) / video),
}


def pieces(outer: Packet, content: Packet, size: int = 1400) -> list[bytes]:
    """Ethernet frames of the datagram's fragments, by scapy, `size` bytes of content at most."""
    if outer.version == 4:
        return [bytes(eth / part) for part in fragment(outer / content, size // 8 * 8)]
    whole = outer / IPv6ExtHdrFragment(id=9) / content
    return [bytes(eth / IPv6(bytes(part))) for part in fragment6(whole, size)]


def write_pcap(path: Path, frames: Sequence[Frame]) -> Path:
    content = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
    for at, data in frames:
        seconds, rest = START_S + at // 10**6, at % 10**6
        content += b"".join(n.to_bytes(4, "little") for n in (seconds, rest, len(data), len(data))) + data
    path.write_bytes(content)
    return path


def timed(frames: Sequence[bytes]) -> list[Frame]:
    return [(1000 * n, data) for n, data in enumerate(frames)]


WORDS = ("protocol", "orig_address", "orig_port", "resp_address", "resp_port", "vlan", "encapsulation")
SUMS = ("orig_packets", "orig_wire_bytes", "orig_ip_bytes", "orig_payload_bytes", "resp_packets")


def flows(path: Path | list[Path], compiled: bool | None = None) -> list[dict[str, Any]]:
    """What the report says of the flows, without times and numbers of records, which depend on the order."""
    frame = classifier.classify(path, compiled=compiled).flows
    return sorted(({name: row[name] for name in (*WORDS, *SUMS)} for row in frame.to_dict("records")), key=str)


@pytest.mark.parametrize("name", TUNNELS)
def test_fragments_of_a_tunnel_follow_into_the_tunnel(name: str, tmp_path: Path) -> None:
    """One flow: that of the packet inside, with every frame once and the inner packet's lengths once."""
    outer, content = TUNNELS[name]
    frames = pieces(outer, content)
    assert len(frames) == 3
    (flow,) = flows(write_pcap(tmp_path / "f.pcap", timed(frames)))
    ends = (A, B) if "10.1.1.1" in repr(content) else (A6, B6) if name != "ah" else tuple(OUTER.values())
    assert (flow["orig_address"], flow["resp_address"], flow["orig_port"], flow["resp_port"]) == (*ends, 4000, 5000)
    assert (flow["protocol"], flow["orig_packets"], flow["resp_packets"]) == ("udp", 3, 0)
    assert flow["orig_wire_bytes"] == sum(map(len, frames))
    if name != "ah":
        assert flow["orig_payload_bytes"] == len(BODY)
        assert flow["orig_ip_bytes"] == len(video6 if ends[0] == A6 else video)
    expected = {"vxlan over ipv6": "vxlan", "vlan": "vxlan+vlan"}.get(name, name)
    assert flow["encapsulation"] == expected
    assert flow["vlan"] == (12 if name == "vlan" else None)


@functools.cache
def nested() -> list[bytes]:
    """An inner datagram in three fragments, each in a VXLAN datagram that is fragmented again."""
    frames: list[bytes] = []
    for number, part in enumerate(fragment(video, 1480)):
        inside = UDP(sport=3, dport=4789) / VXLAN(flags=8) / inner_eth / part
        frames += pieces(IP(**OUTER, id=100 + number), inside, 1000)
    return frames


@functools.cache
def destination_options() -> list[bytes]:
    """IPv6 fragments whose header names destination options, the last extension before UDP."""
    options = IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
    return pieces(IPv6(src=A6, dst=B6), options / UDP(sport=4000, dport=5000) / Raw(BODY))


@functools.cache
def mixture() -> list[bytes]:
    """All of it, and packets of the same endpoints that are no fragments."""
    frames = nested() + destination_options() + pieces(*TUNNELS["gre"]) + pieces(IP(src=A, dst=B, id=5), video[UDP])
    frames.append(bytes(eth / IP(src=B, dst=A) / UDP(sport=5000, dport=4000) / Raw(b"back")))
    frames.append(bytes(eth / ip4 / UDP(sport=3, dport=4789) / VXLAN(flags=8) / inner_eth / video6))
    return frames


def test_fragments_inside_fragments_are_one_flow(tmp_path: Path) -> None:
    frames = nested()
    assert len(frames) == 5
    (flow,) = flows(write_pcap(tmp_path / "f.pcap", timed(frames)))
    assert (flow["orig_address"], flow["orig_port"], flow["encapsulation"]) == (A, 4000, "vxlan")
    assert (flow["orig_packets"], flow["orig_wire_bytes"]) == (5, sum(map(len, frames)))
    assert flow["orig_payload_bytes"] == len(BODY)


def test_ipv6_fragments_meet_though_they_name_different_next_headers(tmp_path: Path) -> None:
    frames = destination_options()
    (flow,) = flows(write_pcap(tmp_path / "f.pcap", timed(frames)))
    assert (flow["protocol"], flow["orig_port"], flow["orig_packets"]) == ("udp", 4000, len(frames))
    assert flow["orig_payload_bytes"] == len(BODY)


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    found = flows(write_pcap(tmp_path_factory.mktemp("order") / "f.pcap", timed(mixture())))
    assert [(f["protocol"], f["orig_packets"] + f["resp_packets"]) for f in found] == [("udp", 12), ("udp", 4)]
    return found


def either_way(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Flows whose first packet may have come from either side: endpoints sorted, packets of both added."""
    return sorted(
        (
            row["protocol"],
            *sorted([(row["orig_address"], row["orig_port"]), (row["resp_address"], row["resp_port"])]),
            row["orig_packets"] + row["resp_packets"],
        )
        for row in rows
    )


@given(order=st.permutations(range(len(mixture()))), compiled=st.booleans())
@settings(max_examples=60)
def test_every_order_of_fragments_gives_the_same_flows(
    order: list[int], compiled: bool, in_order: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    frames = mixture()
    path = write_pcap(tmp_path_factory.getbasetemp() / "permuted.pcap", timed([frames[k] for k in order]))
    assert either_way(flows(path, compiled)) == either_way(in_order)


@pytest.mark.parametrize("make", [nested, destination_options, lambda: pieces(*TUNNELS["vxlan"])])
def test_reversed_fragments_give_the_same_row(make: Any, tmp_path: Path) -> None:
    """Lengths, encapsulation and VLAN too: one sender, so the row is the same in every order."""
    frames = make()
    forward = flows(write_pcap(tmp_path / "f.pcap", timed(frames)))
    assert flows(write_pcap(tmp_path / "r.pcap", timed(frames[::-1]))) == forward
    assert len(forward) == 1


@given(cut=st.integers(0, len(mixture())), order=st.permutations(range(len(mixture()))))
@settings(max_examples=25)
def test_two_files_are_one_pass(
    cut: int, order: list[int], in_order: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    frames = timed([mixture()[k] for k in order])
    base = tmp_path_factory.getbasetemp()
    paths = [write_pcap(base / "one.pcap", frames[:cut]), write_pcap(base / "two.pcap", frames[cut:])]
    assert either_way(flows(paths)) == either_way(in_order)


def test_duplicated_and_overlapping_fragments_count_once_each(tmp_path: Path) -> None:
    first, middle, last = pieces(IP(src=A, dst=B, id=5), video[UDP])
    overlap = bytes(eth / IP(src=A, dst=B, id=5, flags="MF", frag=100, proto=17) / Raw(bytes(800)))
    frames = [first, middle, middle, overlap, last, first]
    (flow,) = flows(write_pcap(tmp_path / "f.pcap", timed(frames)))
    assert (flow["orig_packets"], flow["orig_wire_bytes"]) == (6, sum(map(len, frames)))


@pytest.mark.parametrize("turned", [False, True])
def test_without_a_whole_inner_header_all_fragments_stay_with_the_tunnel(turned: bool, tmp_path: Path) -> None:
    frames = pieces(ip4, TUNNELS["vxlan"][1], 40)  # UDP, VXLAN, Ethernet and 10 bytes of the inner IP header
    (flow,) = flows(write_pcap(tmp_path / "f.pcap", timed(frames[::-1] if turned else frames)))
    assert (flow["orig_address"], flow["resp_port"], flow["orig_packets"]) == ("192.0.2.1", 4789, len(frames))
    assert flow["encapsulation"] == ""


def test_a_missing_first_fragment_leaves_the_others_together(tmp_path: Path) -> None:
    """Outer fragments without their first stay outside; inner ones without theirs lead what is around them."""
    report = classifier.classify(write_pcap(tmp_path / "f.pcap", timed(pieces(*TUNNELS["gre"])[1:])))
    assert report.flows[["orig_address", "protocol", "orig_packets"]].values.tolist() == [["192.0.2.1", "gre", 2]]
    inner_lost = nested()[2:]  # the second inner fragment in two frames, the third in one
    for frames in (inner_lost, inner_lost[::-1]):
        (flow,) = flows(write_pcap(tmp_path / "g.pcap", timed(frames)))
        assert (flow["orig_address"], flow["orig_port"], flow["orig_packets"]) == (A, 0, 3)


def test_frames_without_ip_in_a_fragmented_tunnel_stay_one_frame_protocol(tmp_path: Path) -> None:
    routing = Ether(src="02:00:00:00:0a:01", dst="09:00:2b:00:00:05", type=0x88CC) / Raw(bytes(1500))
    frames = pieces(ip4, UDP(sport=3, dport=4789) / VXLAN(flags=8) / routing)
    report = classifier.classify(write_pcap(tmp_path / "f.pcap", timed(frames)))
    assert len(report.flows) == 0
    assert report.protocols[["protocol", "packets"]].values.tolist() == [["lldp", 2]]


def test_tcp_in_a_fragmented_tunnel_keeps_its_handshake(tmp_path: Path) -> None:
    def carried(packet: Packet, number: int, back: bool = False) -> list[bytes]:
        ends = {"src": OUTER["dst"], "dst": OUTER["src"]} if back else OUTER
        return pieces(IP(**ends, id=number), GRE() / packet, 48)

    there, here = IP(src=A, dst=B), IP(src=B, dst=A)
    frames = [
        *carried(there / TCP(sport=40000, dport=8600, seq=1, flags="S"), 1),
        *carried(here / TCP(sport=8600, dport=40000, seq=9, ack=2, flags="SA"), 2, True),
        *carried(there / TCP(sport=40000, dport=8600, seq=2, ack=10, flags="PA") / Raw(bytes(200)), 3),
    ]
    row = classifier.classify(write_pcap(tmp_path / "f.pcap", timed(frames))).flows.iloc[0]
    assert (row.orig_address, row.tcp_state, row.direction_basis) == (A, "established", "syn")
    assert row.orig_packets + row.resp_packets == len(frames) > 3
    assert (row.orig_payload_bytes, row.resp_payload_bytes) == (200, 0)


@pytest.mark.tshark
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("name", [name for name in TUNNELS if name != "ah"])
def test_tshark_reassembles_the_same_frames_into_the_same_flow(name: str, tmp_path: Path) -> None:
    """Each fragment is counted where tshark, which puts the datagram together, finds its content."""
    outer, content = TUNNELS[name]
    path = write_pcap(tmp_path / "f.pcap", timed(pieces(outer, content)))
    assert by_tshark(path) == either_way(flows(path))


def by_tshark(path: Path) -> list[tuple[Any, ...]]:
    """Flows as `either_way` gives them: each fragment belongs to the frame that it is reassembled in."""
    fields = ("ip.reassembled_in", "ipv6.reassembled.in", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst")
    command = ["tshark", "-2", "-n", "-r", str(path), "-T", "fields", "-E", "aggregator=|"]
    for field in ("frame.protocols", *fields, "udp.srcport", "udp.dstport"):
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    count: Counter[tuple[Any, ...]] = Counter()
    for line in lines:
        target = line[1] or line[2]
        layers, _, _, src4, src6, dst4, dst6, src_ports, dst_ports = lines[int(target) - 1] if target else line
        inner = [layer for layer in layers.split(":") if layer in ("ip", "ipv6")][-1]
        src, dst = (src4, dst4) if inner == "ip" else (src6, dst6)
        ends = zip((src, dst), (src_ports, dst_ports), strict=True)
        count["udp", *sorted((address.split("|")[-1], int(port.split("|")[-1])) for address, port in ends)] += 1
    return sorted((*key, packets) for key, packets in count.items())
