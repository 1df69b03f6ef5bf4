"""ICMP errors: the packet they quote is kept, and is never the error's own flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    PadN,
)
from scapy.layers.l2 import GRE, Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap

from classifier import engine
from classifier.evidence.icmp import parse_quoted
from classifier.matching import load_signatures

KNOWN = load_signatures()
CLIENT, SERVER, ROUTER = "10.1.0.50", "10.1.0.5", "10.1.0.254"
CLIENT6, SERVER6, ROUTER6 = "2001:db8::50", "2001:db8::5", "2001:db8::fe"

syn = TCP(sport=50123, dport=18772, seq=0xFFFFFFF0, flags="S")
error = IP(src=ROUTER, dst=CLIENT)
error6 = IPv6(src=ROUTER6, dst=CLIENT6)


def read(tmp_path: Path, *packets: Packet, compiled: bool = False) -> engine.Pass:
    path = tmp_path / "errors.pcap"
    wrpcap(str(path), [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet for packet in packets])
    return engine.read(path, signatures=KNOWN, compiled=compiled)


def told(result: engine.Pass) -> list[tuple[Any, ...]]:
    return [
        (e.sender, e.icmp_type, e.icmp_code, q.proto, q.src, q.src_port, q.dst, q.dst_port, q.seq, e.packets)
        for e in result.quoted
        for q in [e.quoted]
    ]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (
            error / ICMP(type=3, code=13) / IP(src=CLIENT, dst=SERVER) / syn,
            (ROUTER, 3, 13, 6, CLIENT, 50123, SERVER, 18772, 0xFFFFFFF0, 1),
        ),
        (
            error / ICMP(type=3, code=3) / IP(src=CLIENT, dst=SERVER, options=[b"\x94\x04\0\0"]) / UDP(dport=1434),
            (ROUTER, 3, 3, 17, CLIENT, 53, SERVER, 1434, None, 1),
        ),
        (
            error / ICMP(type=11, code=0) / IP(src=CLIENT, dst=SERVER, proto=17, frag=5) / Raw(b"12345678"),
            (ROUTER, 11, 0, 17, CLIENT, 0, SERVER, 0, None, 1),
        ),
        (
            IP(src="192.0.2.1", dst="192.0.2.2")
            / GRE()
            / error
            / ICMP(type=3, code=1)
            / IP(src=CLIENT, dst=SERVER)
            / syn,
            (ROUTER, 3, 1, 6, CLIENT, 50123, SERVER, 18772, 0xFFFFFFF0, 1),
        ),
        (
            error6 / ICMPv6DestUnreach(code=1) / IPv6(src=CLIENT6, dst=SERVER6) / syn,
            (ROUTER6, 1, 1, 6, CLIENT6, 50123, SERVER6, 18772, 0xFFFFFFF0, 1),
        ),
        (
            error6
            / ICMPv6TimeExceeded(code=1)
            / IPv6(src=CLIENT6, dst=SERVER6)
            / IPv6ExtHdrFragment(m=1, id=3)
            / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
            / UDP(sport=5, dport=6),
            (ROUTER6, 3, 1, 17, CLIENT6, 5, SERVER6, 6, None, 1),
        ),
    ],
    ids=["tcp", "udp after options", "later fragment", "in a tunnel", "ipv6", "ipv6 extension headers"],
)
def test_the_quoted_packet_is_kept(tmp_path: Path, packet: Packet, expected: tuple[Any, ...], compiled: bool) -> None:
    result = read(tmp_path, packet, compiled=compiled)
    assert told(result) == [expected]
    assert result.flows.proto.tolist() == [1 if ":" not in expected[0] else 58]
    assert result.flows.orig_port.tolist() == result.flows.resp_port.tolist() == [0]


def test_the_same_error_again_is_counted_not_kept_again(tmp_path: Path) -> None:
    one = error / ICMP(type=3, code=13) / IP(src=CLIENT, dst=SERVER) / syn
    other = error / ICMP(type=3, code=13) / IP(src=CLIENT, dst=SERVER) / TCP(sport=50124, dport=18772, seq=9, flags="S")
    result = read(tmp_path, one, other, one, one)
    assert [(e.quoted.src_port, e.packets, e.record) for e in result.quoted] == [(50123, 3, 1), (50124, 1, 2)]
    first = result.quoted[0]
    assert first.first_ns <= first.last_ns
    assert (first.receiver, first.version, first.capture) == (CLIENT, 4, 0)


def test_the_next_hop_mtu_is_kept(tmp_path: Path) -> None:
    quoted = IP(src=CLIENT, dst=SERVER) / syn
    result = read(
        tmp_path,
        error / ICMP(type=3, code=4, nexthopmtu=1400) / quoted,
        error6 / ICMPv6PacketTooBig(mtu=1280) / IPv6(src=CLIENT6, dst=SERVER6) / syn,
    )
    assert [e.quoted.mtu for e in result.quoted] == [1400, 1280]


def test_what_is_no_error_quotes_nothing(tmp_path: Path) -> None:
    result = read(tmp_path, error / ICMP(type=8) / Raw(bytes(IP() / syn)), error6 / ICMPv6EchoRequest(data=bytes(60)))
    assert result.quoted == []


def test_a_flood_of_errors_is_bounded_and_the_rest_named(tmp_path: Path) -> None:
    """One router that refuses a scan must not take what all evidence shares."""
    packets = [
        error / ICMP(type=3, code=13) / IP(src=CLIENT, dst=SERVER) / TCP(sport=50000, dport=port, flags="S")
        for port in range(1, 401)
    ]
    result = read(tmp_path, *packets)
    assert len(result.quoted) == 250
    assert result.flows.packets.sum() == 400
    assert any("150" in problem.message for problem in result.problems)


def test_a_quote_cut_anywhere_gives_what_is_there() -> None:
    message = bytes(ICMP(type=3, code=3) / IP(src=CLIENT, dst=SERVER) / syn)
    for size in range(len(message) + 1):
        found = parse_quoted(message[:size], 4)
        if size < 28:
            assert found is None
        else:
            assert found is not None
            assert (found.src, found.dst, found.proto) == (CLIENT, SERVER, 6)
            assert found.src_port == (50123 if size >= 32 else 0)
            assert found.seq == (0xFFFFFFF0 if size >= 36 else None)


@given(st.binary(max_size=120), st.sampled_from((4, 6)))
def test_no_message_makes_the_parser_raise(data: bytes, version: int) -> None:
    for head in (b"", b"\x03\x04\0\0\0\0\0\0\x45", b"\x01\0\0\0\0\0\0\0\x60\0\0\0\0\0\x2c" + bytes(33)):
        parse_quoted(head + data, version)
