"""Small captures whose flows are known: we and `agreement.py`'s reading of tshark must both find them.

The second is what makes the corpus test worth something: it must know a later fragment's flow and never take a quoted
header for the frame's own.
"""

from __future__ import annotations

from pathlib import Path

import agreement
import pytest
from agreement import COUNTS, Difference, Flows, Opinion
from capture_files import pcap_header, pcap_record
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

import classifier

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
A, B = "10.0.0.1", "10.0.0.2"
A6, B6 = "2001:db8::1", "2001:db8::2"


def ip4(**more: int | str) -> Packet:
    return IP(src=A, dst=B, **more)


def begins(port: int, number: int = 7) -> Packet:
    """The first of three fragments of a datagram from port 5000 to `port`."""
    return ip4(id=number, flags="MF", proto=17) / Raw(bytes(UDP(sport=5000, dport=port, len=56)) + bytes(16))


def goes_on(offset: int, number: int = 7, *, last: bool = False) -> Packet:
    return ip4(id=number, flags=0 if last else "MF", frag=offset // 8, proto=17) / Raw(bytes(16))


def part6(offset: int, body: bytes, *, more: bool, nh: int = 17) -> Packet:
    return IPv6(src=A6, dst=B6) / IPv6ExtHdrFragment(nh=nh, id=9, offset=offset // 8, m=int(more)) / Raw(body)


def udp4(port: int, packets: int, *, sport: int = 5000, size: int = 0) -> Flows:
    return {("udp", (A, sport), (B, port)): (packets, size)}


DATAGRAM = bytes(UDP(sport=5000, dport=6000, len=56)) + bytes(16)
QUOTED = IP(src=B, dst=A) / UDP(sport=6000, dport=5000) / Raw(b"quoted")

CASES: dict[str, tuple[list[Packet], dict[tuple[str, tuple[str, int], tuple[str, int]], int]]] = {
    "both directions are one flow": (
        [ip4() / UDP(sport=5000, dport=6000), IP(src=B, dst=A) / UDP(sport=6000, dport=5000) / Raw(b"back")],
        {("udp", (A, 5000), (B, 6000)): 2},
    ),
    "a port used again": (
        [ip4() / TCP(sport=5000, dport=80, seq=isn, flags="S") for isn in (1, 900_000)],
        {("tcp", (A, 5000), (B, 80)): 2},
    ),
    "fragments in order": ([begins(6000), goes_on(24), goes_on(40, last=True)], {("udp", (A, 5000), (B, 6000)): 3}),
    "fragments in disorder": ([goes_on(40, last=True), goes_on(24), begins(6000)], {("udp", (A, 5000), (B, 6000)): 3}),
    "no first fragment": ([goes_on(24), goes_on(40, last=True)], {("udp", (A, 0), (B, 0)): 2}),
    "an identification used again": (
        [begins(6000), goes_on(24), goes_on(40, last=True), begins(7000), goes_on(24), goes_on(40, last=True)],
        {("udp", (A, 5000), (B, 6000)): 3, ("udp", (A, 5000), (B, 7000)): 3},
    ),
    "datagrams interleaved": (
        [begins(6000, 1), begins(7000, 2), goes_on(24, 1), goes_on(24, 2)],
        {("udp", (A, 5000), (B, 6000)): 2, ("udp", (A, 5000), (B, 7000)): 2},
    ),
    "IPv6 fragments": (
        [part6(24, bytes(16), more=False), part6(0, DATAGRAM, more=True)],
        {("udp", (A6, 5000), (B6, 6000)): 2},
    ),
    "IPv6 fragments, options behind the fragment header": (
        [
            part6(0, bytes(IPv6ExtHdrDestOpt(nh=17)) + DATAGRAM, more=True, nh=60),
            part6(32, bytes(16), more=False, nh=60),
        ],
        {("udp", (A6, 5000), (B6, 6000)): 2},
    ),
    "an IPv6 fragment that is all there is": (
        [part6(0, bytes(UDP(sport=5000, dport=6000, len=8)), more=False)],
        {("udp", (A6, 5000), (B6, 6000)): 1},
    ),
    "fragments inside a tunnel": (
        [
            IP(src="192.0.2.1", dst="192.0.2.2", id=7) / UDP(sport=1234, dport=4789) / VXLAN(flags=8) / ETHER / inner
            for inner in (begins(6000), goes_on(24), goes_on(40, last=True))
        ],
        {("udp", (A, 5000), (B, 6000)): 3},
    ),
    "a tunnel's datagram in fragments": (
        [
            IP(src="192.0.2.1", dst="192.0.2.2", id=7, proto=17, flags=more, frag=offset // 8) / Raw(body)
            for more, offset, body in (
                ("MF", 0, bytes(UDP(sport=1234, dport=4789, len=88) / VXLAN(flags=8) / ETHER / ip4() / UDP(DATAGRAM))),
                (0, 80, bytes(8)),
            )
        ],
        {("udp", (A, 5000), (B, 6000)): 2},
    ),
    "a fragment in a tunnel's first fragment": (
        [
            IP(src="192.0.2.1", dst="192.0.2.2", id=7, proto=4, flags="MF") / goes_on(24),
            IP(src="192.0.2.1", dst="192.0.2.2", id=7, proto=4, frag=36 // 8) / Raw(bytes(8)),
            IP(src="192.0.2.1", dst="192.0.2.2", id=8) / begins(6000),
        ],
        {("udp", (A, 5000), (B, 6000)): 3},
    ),
    "a tunnel in a tunnel": (
        [IP(src="192.0.2.1", dst="192.0.2.2") / IPv6(src=A6, dst=B6) / ip4() / TCP(sport=5000, dport=80)],
        {("tcp", (A, 5000), (B, 80)): 1},
    ),
    "ARP in a tunnel": ([ip4() / UDP(sport=1234, dport=4789) / VXLAN(flags=8) / ETHER / ARP()], {}),
    "an ICMP error quotes": ([ip4() / ICMP(type=3, code=3) / QUOTED], {}),
    "an ICMPv6 error quotes": (
        [IPv6(src=A6, dst=B6) / ICMPv6DestUnreach() / IPv6(src=B6, dst=A6) / UDP(sport=6000, dport=5000)],
        {},
    ),
    "an ICMP error in a tunnel quotes": (
        [ip4() / UDP(sport=1234, dport=4789) / VXLAN(flags=8) / ETHER / ip4() / ICMP(type=11) / QUOTED],
        {},
    ),
}


@pytest.mark.tshark
@pytest.mark.parametrize("case", list(CASES))
def test_both_find_the_flows_that_were_sent(tmp_path: Path, case: str) -> None:
    packets, expected = CASES[case]
    frames = [bytes(ETHER / Dot1Q(vlan=5) / packet) for packet in packets]
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap_header() + b"".join(pcap_record(frame) for frame in frames))
    theirs = agreement.tshark_opinion(path)
    ours = agreement.our_opinion(classifier.classify(path))
    assert {key: sums[0] for key, sums in theirs.flows.items()} == expected
    assert ours == theirs
    assert ours.wire_bytes == sum(map(len, frames))
    if sum(expected.values()) == len(frames):
        assert sum(sums[1] for sums in ours.flows.values()) == ours.wire_bytes


@pytest.mark.tshark
def test_a_file_that_tshark_refuses_has_no_packets(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(b"no capture")
    assert agreement.tshark_opinion(path) == Opinion() == agreement.our_opinion(None)


KEY = ("tcp", (A, 1), (B, 2))
OTHER = ("udp", (A, 1), (B, 2))


def test_how_far_opinions_are_apart() -> None:
    ours = Opinion(3, 300, {KEY: (2, 200), OTHER: (1, 100)})
    assert not agreement.compare(ours, ours)
    assert agreement.compare(ours, Opinion(4, 300, {KEY: (2, 200), OTHER: (2, 100)})) == Difference(
        packets=(3, 4), flows=((1, 1, 100), (1, 2, 100))
    )
    assert agreement.compare(ours, Opinion(3, 300, {KEY: (2, 200)})) == Difference(flows=((1, 1, 100), (0, 0, 0)))
    same_counts = Opinion(3, 300, {KEY: (2, 201), OTHER: (1, 99)})
    assert agreement.compare(ours, same_counts) == Difference(flows=((2, 3, 300), (2, 3, 300)))


def test_the_list_must_be_true() -> None:
    apart, nothing = Difference(packets=(1, 2)), Difference()
    listed = {"a": (apart, "reason")}
    assert agreement.complaints({"a": apart, "b": nothing}, listed) == []
    assert agreement.complaints({}, listed) == []  # a file that is not in this corpus
    for found in ({"a": nothing}, {"a": Difference(packets=(1, 3))}, {"a": Difference(wire_bytes=(1, 2))}):
        assert len(agreement.complaints(found, listed)) == 1, "stale"
    assert len(agreement.complaints({"a": apart, "b": apart}, listed)) == 1, "new"


def test_the_list_is_written_as_it_is_read(tmp_path: Path) -> None:
    listed = {
        'x/"y"/z': (Difference(packets=(1, 2), flows=((0, 0, 0), (3, 9, 99))), "it's\ta \\ reason"),
        "a/b/c": (Difference(wire_bytes=(1, 2)), ""),
    }
    path = tmp_path / "list.toml"
    path.write_text(agreement.written(listed))
    assert agreement.read_list(path) == listed


def test_every_entry_of_the_list_has_a_reason() -> None:
    for file, (difference, reason) in agreement.read_list().items():
        assert len(reason) > 30 and reason[0] != " ", file
        assert any(getattr(difference, name) for name in COUNTS), file
