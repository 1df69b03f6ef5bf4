"""The flow table of the kernels is the flow table of the plain twin, for any mixture of packets."""

from __future__ import annotations

import ipaddress
import json
import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from classifier import engine
from classifier.flows.table import address_text
from classifier.matching import load_signatures

KNOWN = load_signatures()
START_NS = 1_700_000_000 * 10**9
HOSTS = ("10.0.0.1", "10.0.0.2", "192.168.1.77", "225.5.10.1", "fe80::1", "2001:db8::8600")
PORTS = (80, 1434, 3456, 8600, 8601, 49152, 60001)
FLAGS = (0x02, 0x12, 0x10, 0x18, 0x11, 0x14, 0x04, 0x00, 0x29)


def ethernet(ip: bytes, version: int, vlan: int | None, padding: int) -> bytes:
    """An Ethernet II frame around an IP packet."""
    kind = struct.pack(">H", 0x0800 if version == 4 else 0x86DD)
    tag = b"" if vlan is None else struct.pack(">HH", 0x8100, vlan)
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01" + tag + kind + ip + bytes(padding)


def ip(source: str, target: str, protocol: int, content: bytes, ident: int, offset: int, more: bool) -> bytes:
    """An IPv4 or IPv6 packet; a fragment when `offset` or `more`."""
    a, b = ipaddress.ip_address(source), ipaddress.ip_address(target)
    if a.version == 4:
        word = (0x2000 if more else 0) | offset // 8
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(content), ident, word, 64, protocol, 0)
        return head + a.packed + b.packed + content
    following = protocol
    if protocol == 17 and (more or offset) and ident == 3:  # destination options in what is fragmented
        content = content if offset else struct.pack(">BBBB4x", 17, 0, 1, 4) + content
        protocol = 60
    if more or offset:
        content = struct.pack(">BBHI", protocol, 0, offset | more, ident) + content
        following = 44
    return struct.pack(">IHBB", 0x60000000, len(content), following, 64) + a.packed + b.packed + content


PARTS = st.sampled_from(("whole", "whole", "first", "middle", "last"))


@st.composite
def hosts(draw: st.DrawFn) -> tuple[str, str]:
    family = draw(st.sampled_from((HOSTS[:4], HOSTS[4:])))
    return draw(st.sampled_from(family)), draw(st.sampled_from(family))


@st.composite
def frames(draw: st.DrawFn) -> reference.Frame:
    """One frame between few hosts and ports, so that flows meet, turn round and are reused."""
    source, target = draw(hosts())
    protocol = draw(st.sampled_from((6, 6, 6, 17, 17, 1, 89)))
    payload = bytes(draw(st.sampled_from((0, 1, 8, 40))))
    if protocol == 6:
        ports = draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS))
        sequence, flags = draw(st.sampled_from((1, 7, 0xFFFFFFFF))), draw(st.sampled_from(FLAGS))
        content = struct.pack(">HHIIBBHHH", *ports, sequence, 0, 0x50, flags, 1024, 0, 0) + payload
    elif protocol == 17:
        ports = draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS))
        content = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
    else:
        content = b"\x08\0\0\0\0\x01\0\x01" + payload
    part = draw(PARTS) if protocol == 17 else "whole"
    packet = ip(source, target, protocol, *piece(content, part, draw(st.integers(1, 3))))
    if draw(st.booleans()):  # in a tunnel
        around, beyond = draw(hosts())
        inside = 4 if ipaddress.ip_address(source).version == 4 else 41
        packet = ip(around, beyond, inside, *piece(packet, draw(PARTS), draw(st.integers(1, 3))))
        source = around
    frame = ethernet(packet, ipaddress.ip_address(source).version, draw(st.sampled_from((None, None, 5))), 0)
    frame = frame.ljust(draw(st.sampled_from((0, 60))), b"\0")
    wire = len(frame) + draw(st.sampled_from((0, 0, 0, 500)))  # cut by a snap length
    return START_NS + draw(st.integers(0, 25 * 10**6)) * 1000, wire, frame


def piece(content: bytes, part: str, ident: int) -> tuple[bytes, int, int, bool]:
    """Content, identification, offset and more-flag of a packet or of a fragment of one."""
    if part == "whole":
        return content, ident, 0, False
    if part == "first":
        return content.ljust(-len(content) % 8 + len(content), b"\0"), ident, 0, True
    return bytes(16), ident, 24, part == "middle"


def write_pcap(path: Path, some: Sequence[reference.Frame]) -> Path:
    """A nanosecond pcap file of Ethernet frames."""
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)]
    for ts_ns, wire, data in some:
        parts.append(struct.pack("<IIII", ts_ns // 10**9, ts_ns % 10**9, len(data), wire) + data)
    path.write_bytes(b"".join(parts))
    return path


def described(flow: reference.Flow) -> tuple[Any, ...]:
    sides = sorted((s.address, s.port, s.packets, s.wire_bytes, s.ip_bytes, s.payload_bytes) for s in flow.sides)
    return flow.first_record, flow.protocol, flow.first_ns, flow.last_ns, flow.vlan, *sides


def table(read: engine.Pass) -> list[tuple[Any, ...]]:
    """The engine's flows in the same words."""
    flows = read.flows
    result = []
    for i in range(len(flows)):
        version = int(flows.version[i])
        sides = sorted(
            (
                address_text(getattr(flows, f"{end}_addr")[i], version),
                *(int(getattr(flows, f"{end}_{name}")[i]) for name in ("port", "packets", "wire", "ip", "payload")),
            )
            for end in ("orig", "resp")
        )
        vlan = int(flows.vlan[i])
        result.append(
            (
                int(flows.first_record[i]),
                int(flows.proto[i]),
                int(flows.first_ns[i]),
                int(flows.last_ns[i]),
                None if vlan < 0 else vlan,
                *sides,
            )
        )
    return result


@pytest.mark.parametrize("compiled", [False, True])
@given(some=st.lists(frames(), max_size=40))
def test_the_flow_table_is_the_plain_twins(tmp_path_factory: Any, compiled: bool, some: list[reference.Frame]) -> None:
    path = write_pcap(tmp_path_factory.getbasetemp() / "made.pcap", some)
    read = engine.read(path, signatures=KNOWN, compiled=compiled)
    expected, others = reference.flows(some)
    assert sorted(table(read)) == sorted(described(flow) for flow in expected)
    assert int(read.links.packets.sum()) == len(others)
    assert sum(info.packets for info in read.captures) == len(some)


@given(some=st.lists(frames(), max_size=40))
def test_the_time_bins_hold_every_wire_byte(tmp_path_factory: Any, some: list[reference.Frame]) -> None:
    path = write_pcap(tmp_path_factory.getbasetemp() / "made.pcap", some)
    read = engine.read(path, signatures=KNOWN)
    seconds: Counter[int] = Counter()
    for row in read.bins:
        seconds[int(row["bin_ns"]) // 10**9] += int(row["a_wire"]) + int(row["b_wire"])
    expected: Counter[int] = Counter()
    for ts_ns, wire, _ in some:
        expected[ts_ns // 10**9] += wire
    assert seconds == expected
    assert not (read.bins["bin_ns"] % read.bin_width_ns).any()


@given(some=st.lists(frames(), max_size=60), batch=st.sampled_from((1, 2, 7, 4096)))
def test_the_batch_size_changes_nothing(tmp_path_factory: Any, some: list[reference.Frame], batch: int) -> None:
    path = write_pcap(tmp_path_factory.getbasetemp() / "made.pcap", some)
    assert table(engine.read(path, signatures=KNOWN, batch=batch)) == table(engine.read(path, signatures=KNOWN))


@given(some=st.lists(frames(), min_size=1, max_size=60))
def test_both_speeds_give_the_same_document(tmp_path_factory: Any, some: list[reference.Frame]) -> None:
    path = write_pcap(tmp_path_factory.getbasetemp() / "made.pcap", some)
    slow, fast = (engine.classify(path, compiled=compiled).to_dict(["flows"]) for compiled in (False, True))
    assert json.dumps(slow) == json.dumps(fast)


@given(some=st.lists(frames(), min_size=1, max_size=60))
def test_component_rows_sum_to_the_totals(tmp_path_factory: Any, some: list[reference.Frame]) -> None:
    path = write_pcap(tmp_path_factory.getbasetemp() / "made.pcap", some)
    report = engine.classify(path).to_dict()
    for name in ("packets", "wire_bytes"):
        assert sum(row[name] for row in report["components"]) == report["totals"][name]
    assert report["totals"]["packets"] == len(some)
    assert report["totals"]["wire_bytes"] == sum(wire for _, wire, _ in some)
