"""Capture files by hand, byte for byte: what the capture tests write.

In: frames and times. Out: bytes of pcap and pcapng files. Next: the `test_capture_*` modules.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

from classifier.capture import CaptureInfo, open_capture

T0 = 1_700_000_000


@dataclass(frozen=True)
class Record:
    """A record as a reader gave it."""

    ts_ns: int
    wire: int
    link: int
    interface: int
    frame: bytes


def pcap_header(
    *,
    magic: int = 0xA1B2C3D4,
    order: str = "<",
    version: tuple[int, int] = (2, 4),
    snaplen: int = 65535,
    network: int = 1,
) -> bytes:
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, network)


def pcap_record(
    frame: bytes,
    seconds: int = T0,
    fraction: int = 0,
    *,
    order: str = "<",
    wire: int | None = None,
    captured: int | None = None,
    extra: bytes = b"",
) -> bytes:
    captured = len(frame) if captured is None else captured
    return (
        struct.pack(order + "IIII", seconds, fraction, captured, len(frame) if wire is None else wire) + extra + frame
    )


def frames(count: int, size: int = 60) -> list[bytes]:
    """Different frames; their sizes differ too."""
    return [bytes((i * 7 + k) & 0xFF for k in range(size + i % 5)) for i in range(count)]


def simple_pcap(count: int, size: int = 60) -> bytes:
    """Microseconds, little-endian, Ethernet, one frame a second."""
    return pcap_header() + b"".join(pcap_record(f, T0 + i, i) for i, f in enumerate(frames(count, size)))


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def block(kind: int, body: bytes, order: str = "<", *, tail: int | None = None) -> bytes:
    body += b"\0" * (-len(body) % 4)
    total = 12 + len(body)
    return struct.pack(order + "II", kind, total) + body + struct.pack(order + "I", total if tail is None else tail)


def section(order: str = "<", options: bytes = b"", length: int = -1, version: tuple[int, int] = (1, 0)) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, length) + options, order)


def interface(link: int = 1, snaplen: int = 0, options: bytes = b"", order: str = "<") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def enhanced(
    frame: bytes,
    ticks: int = T0 * 1_000_000,
    *,
    number: int = 0,
    wire: int | None = None,
    captured: int | None = None,
    options: bytes = b"",
    order: str = "<",
    tail: int | None = None,
) -> bytes:
    head = struct.pack(
        order + "IIIII",
        number,
        ticks >> 32,
        ticks & 0xFFFFFFFF,
        len(frame) if captured is None else captured,
        len(frame) if wire is None else wire,
    )
    return block(6, head + frame + b"\0" * (-len(frame) % 4) + options, order, tail=tail)


def simple(frame: bytes, wire: int | None = None, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", len(frame) if wire is None else wire) + frame, order)


def obsolete(
    frame: bytes,
    ticks: int = T0 * 1_000_000,
    *,
    number: int = 0,
    drops: int = 0xFFFF,
    order: str = "<",
    options: bytes = b"",
) -> bytes:
    head = struct.pack(order + "HHIIII", number, drops, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(2, head + frame + b"\0" * (-len(frame) % 4) + options, order)


def simple_pcapng(count: int, size: int = 60) -> bytes:
    """One section, one Ethernet interface, microseconds, one frame a second."""
    rows = (enhanced(f, (T0 + i) * 1_000_000 + i) for i, f in enumerate(frames(count, size)))
    return section() + interface() + b"".join(rows)


def read(source: Any, **options: Any) -> tuple[list[Record], CaptureInfo]:
    """All records of a capture (bytes, path or stream), each checked against the promises of RecordBatch."""
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    found: list[Record] = []
    with open_capture(source, **options) as reader:
        for batch in reader.batches():
            assert batch.first_record == len(found) + 1
            assert len(batch) > 0
            assert batch.base >= 0
            rows = batch.records
            assert (rows["captured"] >= 0).all() and (rows["wire"] >= 0).all()
            assert (rows["offset"] >= 0).all()
            assert (rows["offset"] + rows["captured"] <= len(batch.buffer)).all()
            data = batch.buffer.tobytes()
            for row in rows.tolist():
                ts_ns, offset, captured, wire, link, number = row
                found.append(Record(ts_ns, wire, link, number, data[offset : offset + captured]))
    info = reader.info
    assert info.packets == len(found)
    assert info.wire_bytes == sum(r.wire for r in found)
    assert info.captured_bytes == sum(len(r.frame) for r in found)
    return found, info


def codes(info: CaptureInfo) -> list[str]:
    return [problem.code for problem in info.problems]
