"""pcap files: header, record walk, search for the next record after damage.

In: bytes of a Source. Out: RECORD rows, by `PcapWalker.walk`. Next: `reader.py` makes RecordBatches of them.

Format: draft-ietf-opsawg-pcap (micro- and nanoseconds, both byte orders). Also read, as Wireshark reads them: the
"modified" record headers of Alexey Kuznetzov's patches (24 or 28 bytes), Nokia's (20 bytes), AIX's (version 2.2, times
in nanoseconds, interface types as link types) and the old versions in which the two lengths are swapped.
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.capture import linktypes
from classifier.capture.model import HEADER, CaptureInfo, Interface, Rows
from classifier.capture.pcap_kernels import (
    HEADER_BYTES,
    MAYBE_SWAPPED,
    SNAPLEN,
    STATES,
    SWAP,
    SWAPPED,
    TICK,
)
from classifier.capture.source import Source
from classifier.capture.walker import ANCHOR, BIG, LAST_NS, LINK, MAXIMUM, POSITION, PSEUDO, Walker, capture_u32

FILE_HEADER = 24

_MAGICS = {
    0xA1B2C3D4: "",
    0xA1B23C4D: "nanoseconds",
    0xA1B2CD34: "modified",
}

_AIX_LINK_TYPES = {6: 1, 9: 6, 15: 10, 24: 108}  # interface types of the SNMP registry: Ethernet, ring, FDDI, loopback
_TRIES = 4
LOOK = 65_536
"""Bytes of records that are looked at to tell the length of their headers."""


@dataclass(frozen=True)
class PcapHeader:
    """What the 24 bytes at the beginning of a pcap file say."""

    big: bool
    variant: str
    version: tuple[int, int]
    snaplen: int
    network: int

    @property
    def link(self) -> int:
        return self.network & 0xFFFF


def parse_header(head: bytes) -> PcapHeader | None:
    """The file header at the front of `head` (24 bytes), None if it is no pcap header."""
    if len(head) < FILE_HEADER:
        return None
    for order in ("little", "big"):
        variant = _MAGICS.get(int.from_bytes(head[:4], order))
        if variant is None:
            continue
        number = [int.from_bytes(head[i : i + 4], order) for i in (16, 20)]
        version = [int.from_bytes(head[i : i + 2], order) for i in (4, 6)]
        return PcapHeader(order == "big", variant, (version[0], version[1]), number[0], number[1])
    return None


class PcapWalker(Walker):
    """Walks the records of a pcap file."""

    format = "pcap"

    def __init__(self, info: CaptureInfo, source: Source, header: PcapHeader, compiled: bool) -> None:
        super().__init__(info, source, compiled, STATES)
        self.header = header
        info.format = "pcap"
        info.variant = header.variant
        info.sections = 1
        state = self.state
        state[BIG] = header.big
        state[TICK] = 1 if header.variant == "nanoseconds" else 1000
        state[HEADER_BYTES] = 24 if header.variant == "modified" else 16
        major, minor = header.version
        if major == 543 or (major == 2 and minor < 3):
            state[SWAP] = SWAPPED
        elif major == 2 and minor == 3:
            state[SWAP] = MAYBE_SWAPPED
        link = header.link
        if (major, minor) == (2, 2) and header.variant == "":
            info.variant = "aix"
            state[TICK] = 1
            link = _AIX_LINK_TYPES.get(link, link)
        state[LINK] = link
        state[MAXIMUM] = linktypes.max_record(link)
        state[PSEUDO] = linktypes.PSEUDO_HEADERS.get(link, 0)
        state[SNAPLEN] = header.snaplen
        resolution = "1e-09" if state[TICK] == 1 else "1e-06"
        info.interfaces.append(Interface(link, header.snaplen, resolution=resolution))
        info.link_types.append(linktypes.link_type_name(link))
        if header.network & 0x03FF0000:
            self.problem(
                HEADER,
                source.offset + source.start + 20,
                f"reserved bits of the link type field are set (0x{header.network:08x}); link type {link} is assumed",
                complete=True,
            )
        source.start += FILE_HEADER
        while source.prompt and source.end - source.start < LOOK and source.more():
            pass
        self._choose_variant()

    def _choose_variant(self) -> None:
        """Record header length by trial on the first records, where the magic number leaves it open."""
        candidates = {"": (16, 20, 24), "modified": (24, 28)}.get(self.info.variant, ())
        if not candidates:
            return
        size = min(candidates, key=lambda size: self._faults(size, candidates))  # the first of equals
        self.state[HEADER_BYTES] = size
        if size == 20:
            self.info.variant = "nokia"
        elif size > 20:
            self.info.variant = "modified"

    def _faults(self, size: int, candidates: tuple[int, ...]) -> int:
        """How badly the first records fit this header length."""
        source, state = self.source, self.state
        view, big = source.buffer.data, int(state[BIG])
        at, faults, records = source.start, 0, 0
        end = min(source.end, source.start + LOOK)
        whole = source.finished and end == source.end
        for _ in range(_TRIES):
            if at + size > end:
                faults += 4 * (whole and at != end)
                break
            fraction, captured, wire = (capture_u32(view, at + place, big) for place in (4, 8, 12))
            if int(state[SWAP]) == SWAPPED or (int(state[SWAP]) == MAYBE_SWAPPED and captured > wire):
                captured, wire = wire, captured
            if captured > state[MAXIMUM]:
                return faults + 100
            faults += (
                4 * (captured > wire)
                + 4 * (wire > linktypes.MAX_RECORD)
                + 2 * (fraction * int(state[TICK]) >= 1_000_000_000)
            )
            faults += captured > state[SNAPLEN] > 0
            records += 1
            at += size + captured
            if at > end:
                faults += 4 * whole
                break
        if records < 2 and size != candidates[0]:  # two headers in a row are the only evidence there is
            faults += 8
        return faults

    def walk(self, records: Rows, limit: int) -> int:
        source = self.source
        n: int = self.kernels.walk_pcap(self.memory(), source.start, source.end, records, 0, limit, self.state)
        source.start = int(self.state[POSITION])
        return n

    def resync_kernel(self, ended: bool, stop: int) -> None:
        kernels, memory = self.fast()
        kernels.resync_pcap(memory, self.source.start, stop, self.source.end, ended, self.state)

    def _lengths(self) -> tuple[int, int]:
        """Captured and wire bytes as the record header at the window's start has them."""
        view, at, big = self.source.buffer.data, self.source.start, int(self.state[BIG])
        captured, wire = capture_u32(view, at + 8, big), capture_u32(view, at + 12, big)
        if self.state[SWAP] == SWAPPED or (self.state[SWAP] == MAYBE_SWAPPED and captured > wire):
            return wire, captured
        return captured, wire

    def suspect(self) -> bool:
        if self.source.end - self.source.start < self.state[HEADER_BYTES]:
            return False
        captured, wire = self._lengths()
        return bool(captured > wire or captured > self.state[SNAPLEN] > 0)

    def following(self) -> int:
        return self.source.start + int(self.state[HEADER_BYTES]) + self._lengths()[0]

    def anchor(self) -> None:
        last = int(self.state[LAST_NS])
        self.state[ANCHOR] = last // 1_000_000_000 if self.info.packets else -1

    def describe(self) -> str:
        return "record header" if self.source.end - self.source.start < self.state[HEADER_BYTES] else "record"

    def damage(self) -> str:
        view = self.source.buffer.data
        captured = capture_u32(view, self.source.start + 8, int(self.state[BIG]))
        return f"a record of {captured} captured bytes cannot be"
