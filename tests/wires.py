"""A little network for tests: payloads in, a capture file out, and what the report says of it.

In: what hosts say to each other. Out: `Wire.report()`. Frames are built here by hand: Ethernet, IPv4, TCP and UDP with
right lengths and sequence numbers; checksums stay zero, which nothing reads.
"""

from __future__ import annotations

import ipaddress
import struct
from pathlib import Path
from typing import Any

from capture_files import T0, pcap_header, pcap_record

from classifier import Report, classify

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

SERVER, CLIENT, CAMERA, OTHER = "10.0.0.1", "10.0.0.50", "10.0.0.20", "10.0.0.77"


def frame(source: str, target: str, protocol: int, content: bytes, padding: int = 0) -> bytes:
    """An Ethernet frame with an IPv4 packet."""
    a, b = ipaddress.IPv4Address(source), ipaddress.IPv4Address(target)
    mac = b"\x01\x00\x5e" + b.packed[1:] if b.is_multicast else b"\x02\0" + b.packed
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(content), 0, 0, 64, protocol, 0) + a.packed + b.packed
    return mac + b"\x02\0" + a.packed + b"\x08\0" + head + content + bytes(padding)


class Wire:
    """Packets in order of time, a millisecond apart."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, bytes]] = []
        self.now = float(T0)

    def put(self, data: bytes) -> None:
        self.now += 0.001
        self.frames.append((self.now, data))

    def udp(self, source: str, port: int, target: str, target_port: int, data: bytes) -> None:
        self.put(frame(source, target, 17, struct.pack(">HHHH", port, target_port, 8 + len(data), 0) + data))

    def tcp(self, client: str, port: int, server: str, server_port: int, *, handshake: bool = True) -> Talk:
        """A connection, opened unless `handshake` is false."""
        talk = Talk(self, (client, port), (server, server_port))
        if handshake:
            talk.open()
        return talk

    def write(self, path: Path, start: int = 0, end: int | None = None, snaplen: int = 65535) -> Path:
        """Packets `start` to `end` as a pcap file."""
        records = [
            pcap_record(data[:snaplen], int(at), round(at % 1 * 1e6), wire=len(data))
            for at, data in self.frames[start:end]
        ]
        path.write_bytes(pcap_header() + b"".join(records))
        return path

    def report(self, folder: Path, **options: Any) -> Report:
        return classify(self.write(folder / "wire.pcap"), **options)


class Talk:
    """A TCP connection. Side 0 is the client."""

    def __init__(self, wire: Wire, client: tuple[str, int], server: tuple[str, int]) -> None:
        self.wire, self.ends, self.next = wire, (client, server), [1000, 0xFFFFFF00]

    def segment(self, side: int, flags: int, data: bytes = b"") -> None:
        (source, port), (target, target_port) = self.ends[side], self.ends[1 - side]
        head = struct.pack(
            ">HHIIBBHHH", port, target_port, self.next[side], self.next[1 - side], 0x50, flags, 999, 0, 0
        )
        self.wire.put(frame(source, target, 6, head + data))
        self.next[side] = (self.next[side] + len(data) + (flags & (SYN | FIN) != 0)) % (1 << 32)

    def open(self) -> Talk:
        self.segment(0, SYN)
        self.segment(1, SYN | ACK)
        self.segment(0, ACK)
        return self

    def client(self, data: bytes, *, pieces: int = 1) -> Talk:
        return self._say(0, data, pieces)

    def server(self, data: bytes, *, pieces: int = 1) -> Talk:
        return self._say(1, data, pieces)

    def _say(self, side: int, data: bytes, pieces: int) -> Talk:
        size = -(-len(data) // pieces)
        for start in range(0, len(data), size):
            self.segment(side, PSH | ACK, data[start : start + size])
        return self


def flow(report: Report, port: int, address: str = "") -> dict[str, Any]:
    """The one flow to a responder's port (and address)."""
    found = [
        row
        for row in report.rows("flows")
        if row["resp_port"] == port and (not address or row["resp_address"] == address)
    ]
    assert len(found) == 1, found
    return found[0]


def owner(report: Report, port: int, address: str = "") -> tuple[str, str]:
    """Component and grade of the flow to a responder's port."""
    row = flow(report, port, address)
    return row["component"], row["grade"]


def learned(report: Report) -> list[tuple[str, str, int, str]]:
    """(component, address, port, by) of every learned endpoint."""
    return [(row["component"], row["address"], row["port"], row["by"]) for row in report.rows("learned")]


def codes(report: Report) -> set[str]:
    """Codes of the problems of the pass."""
    return {problem.code for problem in report.problems}
