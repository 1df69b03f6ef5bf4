"""pcapng files: packet blocks, sections, interfaces, time resolutions, statistics, names, comments, odd blocks."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest
from capture_files import (
    T0,
    block,
    codes,
    enhanced,
    interface,
    obsolete,
    option,
    read,
    section,
    simple,
    simple_pcapng,
)
from hypothesis import example, given
from hypothesis import strategies as st

from classifier.capture import Comment, model
from classifier.capture.blocks import parse_interface
from classifier.capture.pcapng_kernels import ticks_to_ns
from classifier.jit import speed

SPEEDS = pytest.mark.parametrize("compiled", [False, True], ids=["interpreted", "compiled"])
FRAME = bytes(range(61))


@SPEEDS
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_all_packet_blocks_in_both_byte_orders(compiled: bool, order: str) -> None:
    ticks = T0 * 1_000_000 + 7
    data = (
        section(order)
        + interface(1, 100, order=order)
        + interface(113, order=order)
        + enhanced(FRAME, ticks, wire=1500, order=order)
        + obsolete(FRAME, ticks + 1, number=1, order=order)
        + simple(FRAME[:20], order=order)
    )
    found, info = read(data, compiled=compiled)
    assert [(r.ts_ns, r.wire, r.link, r.interface, r.frame) for r in found] == [
        (ticks * 1000, 1500, 1, 0, FRAME),
        ((ticks + 1) * 1000, 61, 113, 1, FRAME),
        ((ticks + 1) * 1000, 20, 1, 0, FRAME[:20]),
    ]
    assert (info.format, info.complete, info.link_types) == ("pcapng", True, ["ETHERNET", "LINUX_SLL"])


def test_simple_packets_are_cut_at_the_snaplen() -> None:
    data = section() + interface(snaplen=20) + enhanced(FRAME) + simple(FRAME[:20], wire=1000)
    found, _ = read(data)
    assert (found[1].wire, found[1].frame) == (1000, FRAME[:20])


def test_simple_packets_before_any_time_get_the_first_one() -> None:
    data = section() + interface() + simple(FRAME) + enhanced(FRAME)
    found, info = read(data)
    assert [r.ts_ns for r in found] == [T0 * 10**9] * 2
    assert (info.first_ns, info.complete, codes(info)) == (T0 * 10**9, True, ["timestamp"])
    found, info = read(section() + interface() + simple(FRAME) * 3)
    assert [r.ts_ns for r in found] == [0, 0, 0]
    assert (info.first_ns, info.last_ns) == (0, 0)


@SPEEDS
def test_sections_of_different_byte_order_have_their_own_interfaces(compiled: bool) -> None:
    data = (
        section("<")
        + interface(1)
        + enhanced(FRAME)
        + section(">", length=4)  # a lie
        + interface(113, order=">")
        + interface(101, order=">")
        + enhanced(FRAME, number=1, order=">")
        + section("<", length=2**40)
        + interface(0)
        + enhanced(FRAME)
    )
    found, info = read(data, compiled=compiled)
    assert [(r.link, r.interface) for r in found] == [(1, 0), (101, 2), (0, 3)]
    assert (info.sections, len(info.interfaces), info.complete, info.problems) == (3, 4, True, [])


def interface_block(resolution: int, offset: int) -> bytes:
    return struct.pack("<HHI", 1, 0, 0) + option(9, bytes([resolution])) + option(14, struct.pack("<q", offset))


@given(
    resolution=st.integers(0, 255),
    ticks=st.integers(0, 2**64 - 1) | st.integers(0, 2**40),
    offset=st.integers(-(2**33), 2**33) | st.integers(-(2**63), 2**63 - 1),
)
@example(resolution=0x80 | 63, ticks=2**63 + 2**62, offset=0)
@example(resolution=12, ticks=2**63 + 5, offset=0)
@example(resolution=9, ticks=2**63 + 5, offset=0)
@example(resolution=0x8A, ticks=1024 * 5 + 512, offset=1000)
@example(resolution=0, ticks=2**64 - 1, offset=0)
@example(resolution=0x81, ticks=2**64 - 1, offset=0)
def test_ticks_become_nanoseconds_exactly(resolution: int, ticks: int, offset: int) -> None:
    parsed = parse_interface(interface_block(resolution, offset), "little")
    arguments = (ticks >> 32, ticks & 0xFFFFFFFF, parsed.mode, parsed.factor, parsed.offset_ns)
    power = resolution & 0x7F
    unit = Fraction(1, 2**power) if resolution & 0x80 else Fraction(1, 10**power)
    expected = int(ticks * unit * 10**9 // 1)
    if abs(offset * 10**9) <= 2**63 - 1:
        limit = 2**63 - 1
        expected = limit if expected >= limit else min(expected + offset * 10**9, limit)
    else:
        assert parsed.problem
        expected = min(expected, 2**63 - 1)
    for compiled in (False, True):
        assert speed(compiled).ticks_to_ns(*arguments) == expected
    assert ticks_to_ns(*arguments) == expected


@pytest.mark.parametrize(("resolution", "text"), [(6, "1e-06"), (9, "1e-09"), (0x94, "2^-20"), (0x80, "1e-00")])
def test_resolution_is_kept_for_the_report(resolution: int, text: str) -> None:
    assert parse_interface(interface_block(resolution, -3600), "little").interface.resolution == text
    assert parse_interface(interface_block(resolution, -3600), "little").interface.offset_s == -3600


def test_times_beyond_64_bits_are_clamped_and_named() -> None:
    options = option(9, b"\x09")
    found, info = read(section() + interface(options=options) + enhanced(FRAME, 2**64 - 1) + enhanced(FRAME, 5))
    assert [r.ts_ns for r in found] == [2**63 - 1, 5]
    assert (codes(info), info.complete) == (["timestamp"], True)


def test_interface_descriptions_are_kept() -> None:
    options = (
        option(2, b"eth0")
        + option(3, b"uplink \xff")
        + option(11, b"\0port 8600")
        + option(12, b"Linux 6.1")
        + option(1, b"mirror of port 7")
    )
    _, info = read(section(options=option(3, b"Windows") + option(4, b"dumpcap")) + interface(1, 96, options))
    (described,) = info.interfaces
    assert (described.name, described.description, described.filter, described.os, described.snaplen) == (
        "eth0",
        "uplink \ufffd",
        "port 8600",
        "Linux 6.1",
        96,
    )
    assert (info.os, info.application) == ("Windows", "dumpcap")
    assert info.comments == [Comment("interface", 0, "mirror of port 7")]


def test_drop_counts_are_summed() -> None:
    def statistics(number: int, received: int, dropped: int, os_dropped: int) -> bytes:
        return block(
            5,
            struct.pack("<III", number, 0, 0)
            + option(4, struct.pack("<Q", received))
            + option(5, struct.pack("<Q", dropped))
            + option(7, struct.pack("<Q", os_dropped)),
        )

    data = (
        section()
        + interface()
        + interface()
        + enhanced(FRAME, options=option(2, b"\0\0\0\0") + option(4, struct.pack("<Q", 11)) + option(0, b""))
        + enhanced(FRAME, options=option(4, struct.pack("<Q", 2**63)))  # no count
        + obsolete(FRAME, drops=3)
        + obsolete(FRAME, drops=0xFFFF)  # unknown
        + statistics(0, 50, 5, 1)
        + statistics(0, 100, 10, 2)  # later ones replace earlier ones
        + statistics(1, 7, 100, 0)
        + statistics(9, 1, 1, 1)  # no such interface
    )
    _, info = read(data)
    assert [(i.received, i.dropped) for i in info.interfaces] == [(100, 12), (7, 100)]
    assert info.dropped == 11 + 3 + 12 + 100


def test_names_and_comments_are_kept_bounded() -> None:
    def name(kind: int, value: bytes) -> bytes:
        return struct.pack("<HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)

    names = name(1, bytes([10, 0, 0, 1]) + b"server\0other\0") + name(2, bytes(15) + b"\x01" + b"six\0") + name(0, b"")
    many = b"".join(name(1, i.to_bytes(4, "big") + b"n\0") for i in range(model.MAX_NAMES + 10))
    comment = enhanced(FRAME, options=option(1, b"look here") + option(0, b""))
    data = section() + interface() + block(4, names) + comment * (model.MAX_COMMENTS + 5) + block(4, many)
    found, info = read(data)
    assert len(found) == model.MAX_COMMENTS + 5
    assert (info.names["10.0.0.1"], info.names["::1"], len(info.names)) == ("server", "six", model.MAX_NAMES)
    assert info.comments == [Comment("packet", i + 1, "look here") for i in range(model.MAX_COMMENTS)]
    assert set(codes(info)) == {"limit"} and info.complete


def test_long_comments_are_shortened() -> None:
    _, info = read(section() + interface() + enhanced(FRAME, options=option(1, "ä".encode() * 20_000)))
    assert [c.text for c in info.comments] == ["ä" * model.MAX_COMMENT_CHARACTERS]


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_a_comment_says_what_it_is_about(batch: int) -> None:
    noted = enhanced(FRAME, options=option(1, b"look here") + option(0, b""))
    second = section(options=option(1, b"the second")) + interface() + interface(options=option(1, b"port 7"))
    _, info = read(simple_pcapng(3) + noted + second + enhanced(FRAME) + noted, batch=batch)
    assert info.comments == [
        Comment("packet", 4, "look here"),
        Comment("section", 2, "the second"),
        Comment("interface", 2, "port 7"),
        Comment("packet", 6, "look here"),
    ]


def test_other_blocks_are_skipped() -> None:
    others = [
        block(0x777, b"unknown"),
        block(0xBAD, struct.pack("<I", 32473) + b"custom"),
        block(9, b"MESSAGE=journal\n"),
        block(10, struct.pack("<II", 0x544C534B, 6) + b"secret"),
        block(0x80000001, b""),
    ]
    data = section() + interface() + b"".join(b + enhanced(FRAME) for b in others)
    found, info = read(data)
    assert (len(found), info.complete, info.problems) == (len(others), True, [])


def test_records_of_undescribed_interfaces_are_counted() -> None:
    found, info = read(section() + enhanced(FRAME) + interface() + enhanced(FRAME, number=5) + enhanced(FRAME))
    assert [(r.link, r.interface, r.ts_ns) for r in found] == [
        (-1, -1, T0 * 10**9),
        (-1, -1, T0 * 10**9),
        (1, 0, T0 * 10**9),
    ]
    assert (codes(info), info.complete) == (["interface"], False)


def test_interfaces_are_bounded() -> None:
    data = section() + interface(113) * (model.MAX_INTERFACES + 500)
    data += enhanced(FRAME, number=model.MAX_INTERFACES - 1) + enhanced(FRAME, number=model.MAX_INTERFACES + 1)
    found, info = read(data + section() + interface() + enhanced(FRAME))
    assert [r.link for r in found] == [113, -1, -1]
    assert len(info.interfaces) == model.MAX_INTERFACES
    assert codes(info) == ["limit", "interface"]


def test_option_lists_end_where_their_block_ends() -> None:
    endless = struct.pack("<HH", 2, 0xFFFF)
    empty = option(1, b"") * 400
    data = section(options=endless) + interface(options=endless) + enhanced(FRAME, options=endless) * 2
    found, info = read(data + enhanced(FRAME, options=empty))
    assert (len(found), info.complete) == (3, True)


def test_both_speeds_and_all_batch_and_chunk_sizes_give_the_same() -> None:
    data = simple_pcapng(150) + section(">") + interface(order=">") + enhanced(FRAME, order=">") * 20
    expected, _ = read(data, compiled=False)
    assert len(expected) == 170
    for compiled in (False, True):
        for batch in (1, 7, 4096):
            for chunk in (40, 333, 4096, 1 << 20):
                assert read(data, compiled=compiled, batch=batch, chunk=chunk)[0] == expected


def test_unpadded_lengths_are_rounded_up() -> None:
    body = struct.pack("<IIIII", 0, 0, 5, 59, 59) + FRAME[:59] + b"\0"
    odd = struct.pack("<II", 6, 91) + body + struct.pack("<I", 91)
    found, info = read(section() + interface() + odd + enhanced(FRAME))
    assert ([r.frame for r in found], info.complete) == ([FRAME[:59], FRAME], True)


def test_a_wrong_closing_length_alone_loses_nothing() -> None:
    data = section() + interface() + enhanced(FRAME, tail=0) + enhanced(FRAME) + enhanced(FRAME, tail=5)
    for chunk in (50, 1 << 20):
        found, info = read(data, chunk=chunk)
        assert (len(found), codes(info), info.complete) == (3, ["header"], True)


def test_large_packets_only_where_the_link_type_allows_them() -> None:
    large = bytes(17 * 1024 * 1024)
    found, info = read(section() + interface(231) + enhanced(large) + enhanced(FRAME))
    assert ([len(r.frame) for r in found], info.complete) == ([len(large), len(FRAME)], True)
    large = bytes(262_145)
    found, info = read(section() + interface(1) + enhanced(large) + enhanced(FRAME))
    assert ([r.frame for r in found], codes(info)) == ([FRAME], ["damaged"])


def test_statistics_blocks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from classifier.capture import pcapng

    monkeypatch.setattr(pcapng, "MAX_STATISTICS", 5)
    blocks = b"".join(block(5, struct.pack("<III", 0, 0, 0) + option(5, struct.pack("<Q", i))) for i in range(20))
    found, info = read(section() + interface() + blocks + enhanced(FRAME))
    assert (len(found), info.dropped, codes(info), info.complete) == (1, 4, ["limit"], True)
