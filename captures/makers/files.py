"""Writing a site's records as pcap or pcapng, byte for byte the same on every run."""

from __future__ import annotations

import struct
from pathlib import Path

from .site import Record, Site

PCAP_MICROSECONDS = 0xA1B2C3D4
PCAP_NANOSECONDS = 0xA1B23C4D
ETHERNET = 1
NO_LIMIT = 262144  # what tcpdump writes when there is no snaplen


def ordered(site: Site) -> list[Record]:
    """The records in the order of the file: by time, then as built."""
    return sorted(site.records, key=lambda record: (record.ts_ns, record.order))


def kept(site: Site, record: Record) -> bytes:
    """The part of a frame that the interface's snaplen lets through."""
    limit = site.interfaces[record.interface].snaplen
    return record.frame[:limit] if limit else record.frame


def pcap_bytes(site: Site) -> bytes:
    """A little-endian pcap of a site with one interface."""
    (interface,) = site.interfaces
    nano = interface.digits == 9
    magic = PCAP_NANOSECONDS if nano else PCAP_MICROSECONDS
    out = [struct.pack("<IHHiIII", magic, 2, 4, 0, 0, interface.snaplen or NO_LIMIT, ETHERNET)]
    for record in ordered(site):
        seconds, rest = divmod(record.ts_ns, 10**9)
        data = kept(site, record)
        out.append(struct.pack("<IIII", seconds, rest if nano else rest // 1000, len(data), len(record.frame)) + data)
    return b"".join(out)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def pcapng_bytes(site: Site) -> bytes:
    """A little-endian pcapng: one section, its interfaces, enhanced packet blocks, interface statistics."""
    end = _option(0, b"")
    out = [_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(4, b"vms-classifier samples") + end)]
    for interface in site.interfaces:
        options = _option(2, interface.name.encode()) + _option(9, bytes([interface.digits])) + end
        out.append(_block(1, struct.pack("<HHI", ETHERNET, 0, interface.snaplen or NO_LIMIT) + options))
    records = ordered(site)
    for record in records:
        stamp = record.ts_ns // 10 ** (9 - site.interfaces[record.interface].digits)
        data = kept(site, record)
        head = struct.pack("<IIIII", record.interface, stamp >> 32, stamp & 0xFFFFFFFF, len(data), len(record.frame))
        out.append(_block(6, head + data + bytes(-len(data) % 4)))
    for number, interface in enumerate(site.interfaces):
        stamp = records[-1].ts_ns // 10 ** (9 - interface.digits)
        received = sum(record.interface == number for record in records)
        counters = _option(4, struct.pack("<Q", received)) + _option(5, struct.pack("<Q", 0)) + end
        out.append(_block(5, struct.pack("<III", number, stamp >> 32, stamp & 0xFFFFFFFF) + counters))
    return b"".join(out)


def capture_bytes(site: Site) -> bytes:
    """The capture in the format its name's suffix asks for."""
    return pcapng_bytes(site) if Path(site.name).suffix == ".pcapng" else pcap_bytes(site)
