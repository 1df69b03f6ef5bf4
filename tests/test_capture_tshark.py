"""Counted as tshark counts: hand-made files of every kind. Whole captures of others: `test_corpus`."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest
from capture_files import (
    T0,
    block,
    enhanced,
    frames,
    interface,
    obsolete,
    option,
    pcap_header,
    pcap_record,
    read,
    section,
    simple,
    simple_pcap,
    simple_pcapng,
)

FRAME = bytes(range(60))
KUZNETZOV = struct.pack("<IHBB", 2, 0x0800, 4, 0)

pytestmark = pytest.mark.tshark


def resolution(power: int, offset: int = 0) -> bytes:
    return option(9, bytes([power])) + option(14, struct.pack("<q", offset))


FILES: dict[str, bytes] = {
    "pcap": simple_pcap(20),
    "pcap-big-endian": pcap_header(order=">") + b"".join(pcap_record(f, T0, 5, order=">") for f in frames(5)),
    "pcap-nanoseconds": pcap_header(magic=0xA1B23C4D) + pcap_record(FRAME, T0, 123_456_789) * 3,
    "pcap-modified": pcap_header(magic=0xA1B2CD34) + pcap_record(FRAME, T0, 5, extra=KUZNETZOV) * 5,
    "pcap-modified-28": pcap_header(magic=0xA1B2CD34) + pcap_record(FRAME, T0, 5, extra=KUZNETZOV + bytes(4)) * 5,
    "pcap-modified-old-magic": pcap_header() + pcap_record(FRAME, T0, 5, extra=KUZNETZOV) * 5,
    "pcap-nokia": pcap_header() + pcap_record(FRAME, T0, 5, extra=b"\1\2\3\4") * 5,
    "pcap-aix": pcap_header(version=(2, 2), network=6) + struct.pack("<IIII", T0, 5, 60, 60) + FRAME,
    "pcap-swapped": pcap_header(version=(2, 1)) + struct.pack("<IIII", T0, 5, 100, 60) + FRAME,
    "pcap-fcs-bits": pcap_header(network=0x44000001) + pcap_record(FRAME) * 2,
    "pcap-captured-above-wire": pcap_header() + pcap_record(FRAME, wire=20) * 3,
    "pcap-captured-above-snaplen": pcap_header(snaplen=10) + pcap_record(FRAME) * 3,
    "pcap-huge-wire": pcap_header() + pcap_record(FRAME, wire=0xF0000000) * 2,
    "pcap-cut": simple_pcap(20)[:-3],
    "pcap-cut-header": simple_pcap(20) + b"\0" * 15,
    "pcap-sunatm": pcap_header(network=123) + pcap_record(FRAME) * 2,
    "pcap-ppp-with-direction": pcap_header(network=204) + pcap_record(FRAME) * 2,
    "pcap-largest": pcap_header(network=1, snaplen=262_144) + pcap_record(bytes(262_144)),
    "pcap-dbus-large": pcap_header(network=231, snaplen=300_000) + pcap_record(bytes(300_000)),
    "pcapng": simple_pcapng(20),
    "pcapng-big-endian": section(">") + interface(order=">") + enhanced(FRAME, order=">") * 3,
    "pcapng-two-orders": simple_pcapng(3) + section(">") + interface(order=">") + enhanced(FRAME, order=">"),
    "pcapng-lying-section": section(length=3) + interface() + enhanced(FRAME) * 3,
    "pcapng-old-blocks": section() + interface() + obsolete(FRAME, drops=4) * 3,
    "pcapng-simple": section() + interface(snaplen=20) + simple(FRAME[:20], wire=500) * 2 + enhanced(FRAME),
    "pcapng-unknown": section() + interface() + (block(0x777, b"abc") + enhanced(FRAME)) * 3,
    "pcapng-secrets": section() + interface() + block(10, struct.pack("<II", 0x544C534B, 3) + b"abc") + enhanced(FRAME),
    "pcapng-snaplen": section() + interface(snaplen=10) + enhanced(FRAME) * 3,
    "pcapng-nanoseconds": section() + interface(options=resolution(9)) + enhanced(FRAME, T0 * 10**9 + 7),
    "pcapng-binary-time": section() + interface(options=resolution(0x94, -3600)) + enhanced(FRAME, (T0 << 20) + 99),
    "pcapng-seconds": section() + interface(options=resolution(0, 86_400)) + enhanced(FRAME, T0),
    "pcapng-picoseconds": section() + interface(options=resolution(12, T0)) + enhanced(FRAME, 5_012_345_678_901),
    "pcapng-interfaces": section() + interface(1) + interface(113) + enhanced(FRAME, number=1) + enhanced(FRAME),
    "pcapng-cut": simple_pcapng(20)[:-3],
    "pcapng-pseudo-header": section() + interface(204) + enhanced(FRAME),
}


def tshark_rows(path: Path) -> list[tuple[int, int, int | None]]:
    """(frame length, captured length, time in ns) of every frame; the time only where there is one."""
    fields = ["-e", "frame.len", "-e", "frame.cap_len", "-e", "frame.time_epoch"]
    done = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-T", "fields", *fields], capture_output=True, text=True, check=False
    )
    rows = []
    for line in done.stdout.splitlines():
        wire, captured, time = line.split("\t")
        seconds, _, fraction = time.partition(".")
        rows.append((int(wire), int(captured), int(seconds) * 10**9 + int(fraction) if time else None))
    return rows


@pytest.mark.parametrize("kind", list(FILES))
def test_hand_made_files_read_as_tshark_reads_them(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.cap"
    path.write_bytes(FILES[kind])
    theirs = tshark_rows(path)
    assert theirs, "tshark must read the file, else it proves nothing"
    found, info = read(path)
    pseudo = {"pcap-sunatm": 4, "pcap-ppp-with-direction": 1, "pcapng-pseudo-header": 1}.get(kind, 0)
    ours = [(r.wire, len(r.frame) - pseudo, r.ts_ns) for r in found]
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine[:2] == other[:2]
        assert other[2] is None or mine[2] == other[2]
    assert info.complete == ("cut" not in kind)
