"""Frames cut, bent and made up: no read past the end, no crash, both speeds alike, no wrong owner.

Interpreted kernels read a memoryview that ends with the frame, so that a read past its end raises IndexError.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from decode_frames import VECTORS, Vector, as_dict, decode, decode_rows, eth, inner_eth, outer, rows_equal, udp
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Dot1AD, Dot1Q
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from classifier.columns import FRAG_AROUND, FRAG_MORE, PACKET
from classifier.decode import STOPS
from classifier.decode.layers import LINK_KINDS
from classifier.decode.network import datagram_key
from classifier.decode.packet import decode_layers
from classifier.jit import view

LINKS = [*sorted(LINK_KINDS), 253, 300, -1]
ONE_HEADER = 4000  # bytes of a vector that are cut one by one


def check_bounds(row: Any, at: int, captured: int) -> None:
    """What holds for every row, whatever the frame was."""
    assert 0 <= row["payload_captured"] <= captured
    assert row["payload"] >= 0
    if row["payload_captured"]:
        assert at <= row["payload_at"] <= row["payload_at"] + row["payload_captured"] <= at + captured
        assert row["payload_captured"] <= row["payload"]
    assert row["stop"] < len(STOPS)
    assert row["frag_offset"] == 0 or (row["src_port"] == 0 and row["dst_port"] == 0)


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_cut_at_every_length(vector: Vector) -> None:
    """Each cut decodes without a read past its end, the same at both speeds, and says that it was cut."""
    lengths = range(min(len(vector.data), ONE_HEADER))
    frames = [(vector.link, vector.data[:size], len(vector.data)) for size in lengths]
    compiled = decode_rows(frames, True)
    for size, row in zip(lengths, compiled, strict=True):
        alone = decode_rows([frames[size]], False)[0]
        check_bounds(alone, 0, size)
        for name in PACKET.names or ():
            if name not in ("ts_ns", "payload_at"):
                assert alone[name] == row[name], (size, name)
        if not alone["stop"] and vector.expect.get("proto") != "link":
            whole = as_dict(decode_rows([(vector.link, vector.data, vector.wire)], False)[0])
            kept = as_dict(alone)
            same_flow = ("proto", "src", "dst", "src_port", "dst_port", "payload")
            if kept["version"]:
                assert [kept[key] for key in same_flow] == [whole[key] for key in same_flow], size


def test_cut_inner_header_leaves_the_tunnel_its_packet() -> None:
    """Until the inner IP header is whole the packet is the outer flow's, with the outer layers only."""
    frame = bytes(outer / UDP(sport=3, dport=4789) / VXLAN(flags=8) / inner_eth / udp)
    inner_at = 14 + 20 + 8 + 8 + 14
    for size in range(14 + 20 + 8, len(frame)):
        row = decode(1, frame[:size], len(frame))
        if size < inner_at + 20:
            assert (row["src"], row["dst_port"], row["encap"]) == ("192.0.2.1", 4789, "")
            assert row["src_mac"] == 0x020000000001
            assert row["stop"] == "cut"
        else:
            assert (row["src"], row["encap"], row["src_mac"]) == ("10.1.1.1", "vxlan", 0x020000000A01)
            assert row["src_port"] == (4000 if size >= inner_at + 24 else 0)
            assert row["stop"] == ("cut" if size < inner_at + 28 else "")


def test_frames_without_a_whole_ip_header_are_no_flows() -> None:
    frame = bytes(eth / udp)
    for size in range(len(frame)):
        row = decode(1, frame[:size], len(frame))
        expected = "link" if size < 14 else "ipv4_cut" if size < 34 else "udp"
        assert (row["proto"], row["stop"]) == (expected, "cut" if size < 42 else "")


@pytest.mark.parametrize(
    ("change", "proto", "stop"),
    [
        ({"version": 5}, "ipv4_cut", "version"),
        ({"ihl": 4}, "ipv4_cut", "length"),
        ({"len": 19}, "ipv4_cut", "length"),
        ({"ihl": 15, "len": 100}, "udp", "cut"),
        ({"len": 24}, "udp", "short"),
    ],
)
def test_headers_that_cannot_be_true(change: dict[str, int], proto: str, stop: str) -> None:
    row = decode(1, bytes(eth / IP(**change) / UDP(sport=1, dport=2)), 100 if "ihl" in change else 0)
    assert (row["proto"], row["stop"]) == (proto, stop)


def test_tcp_data_offset_beyond_the_packet() -> None:
    for offset in (0, 4, 15):
        row = decode(1, bytes(eth / IP() / TCP(sport=1, dport=2, dataofs=offset) / Raw(b"12345678")))
        assert (row["src_port"], row["dst_port"], row["payload"], row["stop"]) == (1, 2, 0, "length")


def test_total_length_beyond_the_frame_counts_as_payload_but_not_as_captured() -> None:
    """A file shortened by a tool that also rewrote the original lengths: the IP header knows better."""
    frame = bytes(eth / IP(len=1500) / UDP(sport=1, dport=2) / Raw(bytes(20)))
    row = decode(1, frame)
    assert (row["ip"], row["payload"], row["payload_captured"]) == (1500, 1472, 20)


def test_first_fragment_of_a_tunnel_is_decoded_inside_and_keeps_the_key_of_the_others() -> None:
    first = IP(src="192.0.2.1", dst="192.0.2.2", flags="MF", id=9) / UDP(sport=3, dport=4789, len=500)
    frame = bytes(eth / first / VXLAN(flags=8) / inner_eth / udp)
    row = decode(1, frame)
    assert (row["src"], row["dst_port"], row["encap"]) == ("10.1.1.1", 5000, "vxlan")
    assert (row["frag_offset"], row["frag_more"]) == (0, FRAG_AROUND)
    later = IP(src="192.0.2.1", dst="192.0.2.2", proto=17, frag=10, id=9) / Raw(b"12345678")
    assert row["around"] == datagram_key(decode_rows([(1, bytes(eth / later), 0)], False)[0])
    cut = decode(1, frame[: 14 + 20 + 8 + 8 + 14 + 19], len(frame))
    assert (cut["src"], cut["dst_port"], cut["frag_more"], cut["around"]) == ("192.0.2.1", 4789, FRAG_MORE, 0)


def test_tunnels_in_tunnels_end_at_the_depth_limit() -> None:
    packet = udp
    for _ in range(40):
        packet = IP(src="192.0.2.1", dst="192.0.2.2") / GRE() / packet
    row = decode(1, bytes(eth / packet))
    assert (row["stop"], row["proto"], row["src"]) == ("depth", "gre", "192.0.2.1")
    assert row["encap"] == "+".join(["gre"] * 12)


def test_vlan_stack_of_any_depth() -> None:
    frame = eth
    for tag in range(300):
        frame = frame / Dot1Q(vlan=tag + 1)
    row = decode(1, bytes(frame / udp))
    assert (row["src"], row["vlan"], row["stop"], row["encap"]) == ("10.1.1.1", 300, "", "+".join(["vlan"] * 12))


def by_layers(frame: tuple[int, bytes, int]) -> Any:
    """The row of a frame that is not allowed to take the short way."""
    link, data, wire = frame
    rows = np.zeros(1, PACKET)
    rows["wire"], rows["captured"] = wire or len(data), len(data)
    decode_layers(view(data, False), link, 0, len(data), wire or len(data), rows[0])
    return rows


def test_simple_frames_take_both_ways_to_the_same_row() -> None:
    """The short way for plain Ethernet, VLAN and IP gives what the layer loop gives."""
    tcp_part = TCP(sport=5, dport=6, options=[("MSS", 1460)])
    for head in (eth, eth / Dot1Q(vlan=3), eth / Dot1AD(vlan=4) / Dot1Q(vlan=5)):
        for network in (IP(src="1.2.3.4", id=7, ttl=9), IPv6(src="2001:db8::1", hlim=3)):
            for transport in (tcp_part, UDP(sport=5, dport=6), UDP(sport=5, dport=4789)):
                data = bytes(head / network / transport / Raw(b"xyz")) + b"trailer"
                for size in range(len(data) + 1):
                    frame = (1, data[:size], len(data))
                    assert rows_equal(decode_rows([frame], False), by_layers(frame)), size


@pytest.mark.parametrize("vector", [vector for vector in VECTORS if vector.link == 1], ids=str)
def test_a_frame_in_a_tunnel_decodes_as_it_does_alone(vector: Vector) -> None:
    """Around a whole IP header a tunnel changes nothing but the layers listed and the VLAN kept from outside."""
    around = bytes(eth / Dot1Q(vlan=77) / IP(len=0) / UDP(sport=3, dport=4789) / VXLAN(flags=8))
    for size in range(len(vector.data) + 1):
        alone = decode(1, vector.data[:size], len(vector.data))
        inside = decode(1, around + vector.data[:size], len(around) + len(vector.data))
        if not alone["version"]:
            continue
        assert inside["encap"] == "+".join(filter(None, ["vlan", "vxlan", alone["encap"]]))
        assert inside["vlan"] == (77 if alone["vlan"] < 0 else alone["vlan"])
        for key, value in alone.items():
            if key not in ("encap", "vlan", "wire", "captured", "payload_at"):
                assert inside[key] == value, (size, key)


@st.composite
def bent_frames(draw: st.DrawFn) -> tuple[int, bytes, int]:
    """A link type and bytes: noise, a vector with bytes changed, or the head of one with noise behind."""
    link = draw(st.sampled_from(LINKS))
    kind = draw(st.integers(0, 2))
    if kind == 0:
        data = draw(st.binary(max_size=120))
    else:
        vector = draw(st.sampled_from(VECTORS))
        link = draw(st.sampled_from([vector.link, link]))
        changed = bytearray(vector.data[:300])
        for _ in range(draw(st.integers(1, 6))):
            if changed:
                changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
        if kind == 2:
            cut = draw(st.integers(0, len(changed)))
            changed = changed[:cut] + draw(st.binary(max_size=80))
        data = bytes(changed)
    return link, data, draw(st.sampled_from([0, 0, len(data) + 30, 1, 2**32 - 1]))


@given(bent_frames())
def test_bent_frames_stay_in_bounds(frame: tuple[int, bytes, int]) -> None:
    row = decode_rows([frame], False)
    check_bounds(row[0], 0, len(frame[1]))
    assert rows_equal(row, by_layers(frame))


@given(st.lists(bent_frames(), min_size=1, max_size=40))
def test_both_speeds_agree(frames: list[tuple[int, bytes, int]]) -> None:
    slow, fast = decode_rows(frames, False), decode_rows(frames, True)
    assert rows_equal(slow, fast)
    at = 0
    for frame, row in zip(frames, fast, strict=True):
        check_bounds(row, at, len(frame[1]))
        at += len(frame[1])


def test_ipv6_inside_ipv4_ethertype_is_followed_by_its_version() -> None:
    row = decode(1, bytes(eth)[:12] + b"\x08\x00" + bytes(IPv6(src="2001:db8::1") / UDP(sport=1, dport=2)))
    assert (row["version"], row["src_port"]) == (6, 1)
