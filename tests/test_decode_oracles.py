"""The decoder against scapy and tshark: innermost addresses and ports of the same frames."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from agreement import tshark_frames
from decode_frames import RAW, VECTORS, Vector, decode, eth, inner_eth
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Dot1AD, Dot1Q
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

# What tshark 4.0 says otherwise, and why ours stays.
TSHARK_DIFFERS = {
    "offload ipv6": "takes payload length 0 as it stands",
    "mpls control word": "takes the control word for an address",
    "mpls no control word": "takes the address for a control word",
    "mpls, address like ipv6": "takes the address for an IPv6 header",
    "vxlan of linux": "does not know port 8472",
    "teredo is only named": "decodes Teredo, which we name only",
    "jumbogram": "refuses records of this size",
    "wlan aggregated, two parts": "lists the layers of both parts; we count the frame once, in the first part's flow",
}
# Link types that tshark 4.0 does not read, or not the pseudo-header of this test.
TSHARK_LINKS_UNREAD = {8, 182, 219, 285, 300, 70000, 128, 163, 6, 274, 117, 109, 197, 166}

ports = st.integers(1, 65535).filter(lambda port: port not in {4789, 8472, 2152, 3386, 6081, 37008, 4754, 4790, 6635})
four = st.integers(1, 2**32 - 1).map(lambda value: str(ip_address(value)))
six = st.integers(2**64, 2**128 - 1).map(lambda value: str(ip_address(value)))


@st.composite
def stacks(draw: st.DrawFn) -> tuple[Packet, dict[str, Any]]:
    """A frame of random layers and what must come out of it: scapy builds the lengths and checksums."""

    def network() -> Packet:
        if draw(st.booleans()):
            return IP(src=draw(four), dst=draw(four), ttl=draw(st.integers(0, 255)))
        return IPv6(src=draw(six), dst=draw(six), hlim=draw(st.integers(0, 255)))

    frame = eth
    names: list[str] = []
    for _ in range(draw(st.integers(0, 3))):
        frame = frame / draw(st.sampled_from([Dot1Q, Dot1AD]))(vlan=draw(st.integers(0, 4094)))
        names.append("vlan")
    for _ in range(draw(st.integers(0, 3))):
        around = network()
        frame = frame / around
        kind = draw(st.sampled_from(["gre", "vxlan", "ip"]))
        if kind == "gre":
            frame = frame / GRE()
            names.append("gre")
        elif kind == "vxlan":
            frame = frame / UDP(sport=draw(ports), dport=4789) / VXLAN(flags=8) / inner_eth
            names.append("vxlan")
        else:
            names.append("ip")
    inner = network()
    body = draw(st.binary(max_size=40))
    kind = draw(st.sampled_from([TCP, UDP, ICMP])) if isinstance(inner, IP) else draw(st.sampled_from([TCP, UDP]))
    transport = kind() if kind is ICMP else kind(sport=draw(ports), dport=draw(ports))
    expect = {
        "src": str(ip_address(inner.src)),
        "dst": str(ip_address(inner.dst)),
        "proto": kind.__name__.lower(),
        "src_port": 0 if kind is ICMP else transport.sport,
        "dst_port": 0 if kind is ICMP else transport.dport,
        "payload": len(body),
        "ttl": inner.ttl if isinstance(inner, IP) else inner.hlim,
        "depth": len(names),
        "stop": "",
    }
    return frame / inner / transport / Raw(body), expect


@given(stacks())
@settings(max_examples=150)
def test_random_stacks_by_scapy(stack: tuple[Packet, dict[str, Any]]) -> None:
    frame, expect = stack
    row = decode(1, bytes(frame), compiled=False)
    row["depth"] = len(row["encap"].split("+")) if row["encap"] else 0
    assert {key: row[key] for key in expect} == expect


@pytest.mark.tshark
def test_vectors_by_tshark(tmp_path: Path) -> None:
    by_link: dict[int, list[Vector]] = {}
    for vector in VECTORS:
        if vector.link not in TSHARK_LINKS_UNREAD and len(vector.data) < 65536:
            by_link.setdefault(vector.link, []).append(vector)
    wrong = {}
    for link, vectors in by_link.items():
        path = tmp_path / f"{link}.pcap"
        content = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
        for vector in vectors:
            size = len(vector.data)
            content += struct.pack("<IIII", 0, 0, size, size) + vector.data
        path.write_bytes(content)
        frames = tshark_frames(path)
        assert len(frames) == len(vectors), path
        for vector, (_, theirs) in zip(vectors, frames, strict=True):
            row = decode(vector.link, vector.data)
            ported = row["proto"] in ("tcp", "udp") and row["frag_offset"] == 0
            transport = "" if theirs.follows else theirs.transport
            ours = (row["proto"] if ported else "", row["src"], row["dst"])
            ours += (row["src_port"], row["dst_port"]) if ported else (0, 0)
            if ours != (transport, theirs.src, theirs.dst, theirs.src_port, theirs.dst_port):
                wrong[vector.name] = (ours, theirs)
    unlisted = [f"{name}: {found}" for name, found in wrong.items() if name not in TSHARK_DIFFERS]
    assert not unlisted, "\n".join(unlisted)
    tried = {vector.name for vectors in by_link.values() for vector in vectors}
    assert {name for name in TSHARK_DIFFERS if name in tried} <= set(wrong), "an entry of TSHARK_DIFFERS is stale"


def test_raw_link_is_no_ethernet() -> None:
    """The same bytes mean another thing under another link type."""
    packet = bytes(IP(src="1.2.3.4", dst="5.6.7.8") / UDP(sport=1, dport=2))
    assert decode(RAW, packet)["src"] == "1.2.3.4"
    assert decode(1, packet)["src"] == ""
