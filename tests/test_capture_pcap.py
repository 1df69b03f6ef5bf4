"""pcap files of every flavour: magic numbers, byte orders, odd record headers, link types, lengths."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from capture_files import T0, codes, frames, pcap_header, pcap_record, read, simple_pcap

from classifier.capture import open_capture
from classifier.columns import RECORD

SPEEDS = pytest.mark.parametrize("compiled", [False, True], ids=["interpreted", "compiled"])


@SPEEDS
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)], ids=["us", "ns"])
def test_magic_numbers_give_byte_order_and_time_unit(compiled: bool, order: str, magic: int, unit: int) -> None:
    data = pcap_header(magic=magic, order=order) + b"".join(
        pcap_record(f, T0 + i, 123_456 + i, order=order, wire=len(f) + i) for i, f in enumerate(frames(5))
    )
    found, info = read(data, compiled=compiled)
    assert [r.frame for r in found] == frames(5)
    assert [r.ts_ns for r in found] == [(T0 + i) * 10**9 + (123_456 + i) * unit for i in range(5)]
    assert [r.wire for r in found] == [len(f) + i for i, f in enumerate(frames(5))]
    assert (info.format, info.complete, info.problems, info.link_types) == ("pcap", True, [], ["ETHERNET"])
    assert (info.first_ns, info.last_ns) == (found[0].ts_ns, found[-1].ts_ns)


def test_times_that_run_backwards_give_earliest_and_latest() -> None:
    data = pcap_header() + b"".join(pcap_record(b"x" * 60, s) for s in (T0 + 5, T0, T0 + 9, T0 + 2))
    _, info = read(data)
    assert (info.first_ns, info.last_ns) == (T0 * 10**9, (T0 + 9) * 10**9)


def test_times_from_1970_to_2106() -> None:
    data = pcap_header() + pcap_record(b"x" * 60, 0) + pcap_record(b"y" * 60, 0xFFFFFFFF, 999_999)
    found, info = read(data)
    assert [r.ts_ns for r in found] == [0, 0xFFFFFFFF * 10**9 + 999_999_000]
    assert info.complete


@SPEEDS
@pytest.mark.parametrize(
    ("magic", "extra", "variant"),
    [
        (0xA1B2CD34, 8, "modified"),
        (0xA1B2CD34, 12, "modified"),
        (0xA1B2C3D4, 8, "modified"),
        (0xA1B2C3D4, 4, "nokia"),
    ],
    ids=["kuznetzov-24", "kuznetzov-28", "kuznetzov-24-old-magic", "nokia-20"],
)
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_longer_record_headers_are_recognised(compiled: bool, magic: int, extra: int, variant: str, order: str) -> None:
    more = struct.pack(order + "IHBBI", 2, 0x0800, 4, 1, 0)[:extra]
    data = pcap_header(magic=magic, order=order) + b"".join(
        pcap_record(f, T0 + i, i, order=order, extra=more) for i, f in enumerate(frames(6))
    )
    found, info = read(data, compiled=compiled)
    assert [r.frame for r in found] == frames(6)
    assert (info.variant, info.complete) == (variant, True)


def test_standard_headers_with_odd_contents_stay_standard() -> None:
    """Fractions of a second that are too large and snaplens that are exceeded make no other variant."""
    data = pcap_header(snaplen=20) + b"".join(pcap_record(f, T0, 1_200_000) for f in frames(6))
    found, info = read(data)
    assert [r.frame for r in found] == frames(6)
    assert (info.variant, info.complete) == ("", True)
    assert found[0].ts_ns == T0 * 10**9 + 1_200_000_000


@pytest.mark.parametrize("version", [(2, 1), (543, 0), (2, 3)])
def test_old_versions_have_the_lengths_swapped(version: tuple[int, int]) -> None:
    data = pcap_header(version=version) + b"".join(
        struct.pack("<IIII", T0, 0, len(f) + 100, len(f)) + f for f in frames(4)
    )
    found, _ = read(data)
    assert [(len(r.frame), r.wire) for r in found] == [(len(f), len(f) + 100) for f in frames(4)]


def test_version_2_2_is_aix_with_nanoseconds_and_interface_types() -> None:
    data = pcap_header(version=(2, 2), network=6) + struct.pack("<IIII", T0, 5, 60, 60) + b"x" * 60
    found, info = read(data)
    assert (found[0].ts_ns, found[0].link, info.variant) == (T0 * 10**9 + 5, 1, "aix")


@pytest.mark.parametrize("bits", [0x04000000, 0x44000000, 0xF8000000])
def test_fcs_bits_are_no_part_of_the_link_type(bits: int) -> None:
    found, info = read(pcap_header(network=bits | 113) + pcap_record(b"x" * 60))
    assert (found[0].link, info.link_types, info.problems) == (113, ["LINUX_SLL"], [])


def test_reserved_bits_of_the_link_type_are_named_and_read_over() -> None:
    found, info = read(pcap_header(network=0x00200001) + pcap_record(b"x" * 60))
    assert (found[0].link, codes(info), info.complete) == (1, ["header"], True)


def test_unknown_link_types_are_named_by_number() -> None:
    _, info = read(pcap_header(network=4000) + pcap_record(b"x" * 60))
    assert info.link_types == ["4000"]


@pytest.mark.parametrize(("link", "less"), [(123, 4), (144, 16), (204, 1), (201, 4), (1, 0)])
def test_wire_length_leaves_pseudo_headers_out_and_the_frame_keeps_them(link: int, less: int) -> None:
    found, _ = read(pcap_header(network=link) + pcap_record(b"x" * 60))
    assert (found[0].wire, len(found[0].frame)) == (60 - less, 60)
    found, _ = read(pcap_header(network=link) + pcap_record(b"", wire=0) + pcap_record(b"x" * 60))
    assert found[0].wire == 0


def test_captured_may_exceed_wire_and_snaplen() -> None:
    """Some programs write such files; Wireshark believes them, and the frame's length is the wire length."""
    data = pcap_header(snaplen=10) + b"".join(pcap_record(f, wire=20) for f in frames(5))
    found, info = read(data)
    assert [(len(r.frame), r.wire) for r in found] == [(len(f), 20) for f in frames(5)]
    assert info.complete


def test_wire_lengths_end_at_31_bits() -> None:
    found, _ = read(pcap_header() + pcap_record(b"x" * 60, wire=0xFFFFFFFF) + pcap_record(b"x" * 60))
    assert [r.wire for r in found] == [0x7FFFFFFF, 60]


@pytest.mark.parametrize(
    ("link", "size", "fits"),
    [(1, 262_144, True), (1, 262_145, False), (231, 300_000, True), (189, 300_000, True), (279, 300_000, True)],
)
def test_largest_record_depends_on_the_link_type(link: int, size: int, fits: bool) -> None:
    found, info = read(pcap_header(network=link) + pcap_record(bytes(size)))
    assert (len(found), info.complete) == ((1, True) if fits else (0, False))


def test_header_alone_is_an_empty_capture() -> None:
    found, info = read(pcap_header())
    assert (found, info.packets, info.first_ns, info.last_ns, info.complete) == ([], 0, None, None, True)


def test_small_captures_are_told_from_large_ones() -> None:
    def opened(data: bytes) -> tuple[bool, bool]:
        with open_capture(io.BytesIO(data)) as reader:
            return reader.small, reader.compiled

    assert opened(simple_pcap(10)) == (True, False)
    assert opened(pcap_header() + pcap_record(b"x" * 60) * 5000) == (False, True)
    assert opened(pcap_header() + pcap_record(bytes(60_000)) * 30) == (False, True)  # more than a chunk


def test_both_speeds_and_all_batch_sizes_give_the_same() -> None:
    data = simple_pcap(300)
    expected, _ = read(data, compiled=False)
    assert len(expected) == 300
    for compiled in (False, True):
        for batch in (1, 7, 256, 4096):
            assert read(data, compiled=compiled, batch=batch)[0] == expected


def test_scapy_writes_what_we_read(tmp_path: Path) -> None:
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.utils import PcapNgWriter, PcapWriter

    packets = [Ether() / IP(dst="10.0.0.1") / UDP(dport=i) / bytes(i) for i in range(1, 40)]
    for i, packet in enumerate(packets):
        packet.time = T0 + i / 2
    writers = {
        "a.pcap": PcapWriter,
        "b.pcap": lambda path: PcapWriter(path, nano=True),
        "c.pcap": lambda path: PcapWriter(path, endianness=">"),
        "d.pcap.gz": lambda path: PcapWriter(path, gz=True),
        "e.pcapng": PcapNgWriter,
    }
    for name, writer in writers.items():
        path = str(tmp_path / name)
        with writer(path) as opened:  # type: ignore[operator]
            opened.write(packets)
        found, info = read(path)
        assert [r.frame for r in found] == [bytes(p) for p in packets], name
        assert [r.ts_ns for r in found] == [T0 * 10**9 + i * 500_000_000 for i in range(len(packets))], name
        assert info.complete and info.problems == []


def test_rows_are_the_documented_columns() -> None:
    with open_capture(io.BytesIO(simple_pcap(3))) as reader:
        (batch,) = reader.batches()
    assert batch.records.dtype == RECORD
    assert (batch.first_record, batch.base) == (1, 0)
    with pytest.raises(RuntimeError, match="read once"):
        next(reader.batches())
