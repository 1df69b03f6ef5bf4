"""pcapng files: block walk, sections and interfaces, search for the next block after damage.

In: bytes of a Source. Out: RECORD rows, by `PcapngWalker.walk`; interfaces, names, comments and drop counts in the
CaptureInfo. Next: `reader.py` makes RecordBatches of the rows.

Format: draft-ietf-opsawg-pcapng. The kernel reads packet blocks (enhanced, simple, obsolete) and skips what nobody
needs; it hands section, interface, statistics and name blocks to `blocks.py`. Section lengths are not believed:
sections end where the next one begins. Every block must end with the length it began with.
"""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt

from classifier.capture import linktypes
from classifier.capture.blocks import (
    INTERFACE_BLOCK,
    MAX_OPTIONS,
    SECTION_BLOCK,
    STATISTICS_BLOCK,
    clean,
    has_more_options,
    parse_interface,
    parse_names,
    parse_section,
    parse_statistics,
)
from classifier.capture.model import (
    HEADER,
    INTERFACE,
    LIMIT,
    MAX_BLOCK,
    MAX_COMMENT_CHARACTERS,
    MAX_COMMENTS,
    MAX_INTERFACES,
    MAX_NAMES,
    MAX_STATISTICS,
    TIMESTAMP,
    CaptureInfo,
    Comment,
    Rows,
    counted,
)
from classifier.capture.pcapng_kernels import (
    DROPPED,
    ENHANCED_BLOCK,
    FIRST_INTERFACE,
    IF_COLUMNS,
    IN_SECTION,
    INTERFACES,
    MISMATCHED,
    NOTES,
    PACKET_BLOCK,
    PREVIOUS_NS,
    SIMPLE_BLOCK,
    SKIP,
    SKIP_INTERFACES,
    SKIP_NAMES,
    SKIP_STATISTICS,
    STATES,
    UNDESCRIBED,
    UNKNOWN_NS,
    UNTIMED,
)
from classifier.capture.source import Source, Window
from classifier.capture.walker import BIG, BLOCK, DAMAGED, FULL, MORE, NEED, POSITION, STATUS, Walker, capture_u32
from classifier.columns import RECORD

LOOK = 65_536
"""Bytes at the beginning in which a time is looked for, for records without one."""
CUSTOM_BLOCKS = (0xBAD, 0x40000BAD)


def is_section(head: bytes) -> bool:
    """Whether a file that starts with these bytes (12) is a pcapng file."""
    return head[:4] == b"\x0a\x0d\x0d\x0a" and head[8:12] in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a")


class PcapngWalker(Walker):
    """Walks the blocks of a pcapng file."""

    def __init__(self, info: CaptureInfo, source: Source, compiled: bool) -> None:
        super().__init__(info, source, compiled, STATES)
        info.format = "pcapng"
        self._interfaces: npt.NDArray[np.int64] = np.zeros((16, IF_COLUMNS), np.int64)
        self._notes: npt.NDArray[np.int64] = np.zeros((MAX_COMMENTS, 3), np.int64)
        self.state[PREVIOUS_NS] = UNKNOWN_NS
        self._timed = False
        while source.prompt and source.end - source.start < LOOK and source.more():
            pass
        self._statistics_left = MAX_STATISTICS
        self._told: set[str] = set()
        self._crowded = 0

    def walk(self, records: Rows, limit: int) -> int:
        source, state = self.source, self.state
        n = 0
        while True:
            n = self.kernels.walk_pcapng(
                self.memory(), source.start, source.end, records, n, limit, state, self._interfaces, self._notes
            )
            source.start = int(state[POSITION])
            self.records_before = n
            if state[NOTES]:
                self._keep_comments()
            if state[STATUS] != BLOCK:
                break
            self._block()
            if state[STATUS] != BLOCK:
                break
        if state[UNTIMED] and not self._timed:
            self._time_first(records[:n])
        return int(n)

    def _time_first(self, records: Rows) -> None:
        """Records without a time that come before any with one get that one's; 0 where none is near.

        Only the first LOOK bytes of the file are looked at, so that the answer does not depend on batches.
        """
        self._timed = True
        times, source = records["ts_ns"], self.source
        unknown = times == UNKNOWN_NS
        near = ~unknown & (records["offset"] + source.offset < LOOK)
        first = int(times[near][0]) if near.any() else self._next_time()
        times[unknown] = first
        if self.state[PREVIOUS_NS] == UNKNOWN_NS:
            self.state[PREVIOUS_NS] = first

    def _next_time(self) -> int:
        """The first time in what is left of the first LOOK bytes: a copy of this walker goes ahead."""
        source = self.source
        ahead = copy.copy(self)
        ahead.state, ahead.info, ahead._told = self.state.copy(), copy.deepcopy(self.info), set(self._told)
        ahead._notes = np.zeros((0, 3), np.int64)
        ahead.source = Window(source.buffer, source.start, min(source.end, LOOK - source.offset), source.offset)
        records = np.zeros(256, RECORD)
        while True:
            times = records["ts_ns"][: ahead.walk(records, len(records))]
            known = times[times != UNKNOWN_NS]
            if len(known):
                return int(known[0])
            if ahead.state[STATUS] != FULL:
                return 0

    def _once(self, what: str, code: str, message: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.problem(code, self.source.offset + self.source.start, message, complete=True)

    def _keep_comments(self) -> None:
        for row, place, length in self._notes[: int(self.state[NOTES])].tolist():
            text = self.source.buffer[place : place + min(length, 4 * MAX_COMMENT_CHARACTERS)].tobytes()
            self._comment("packet", self.info.packets + row + 1, text)
        self.state[NOTES] = 0
        if len(self.info.comments) >= MAX_COMMENTS:
            self._notes = np.zeros((0, 3), np.int64)

    def _comment(self, about: str, number: int, text: bytes) -> None:
        if len(self.info.comments) < MAX_COMMENTS:
            self.info.comments.append(Comment(about, number, clean(text, MAX_COMMENT_CHARACTERS)))
        else:
            self._once("comments", LIMIT, f"only the first {MAX_COMMENTS} comments are kept")

    def _block(self) -> None:
        """Read the block at the window's start and step over it; leaves STATUS as BLOCK when that is done."""
        source, state = self.source, self.state
        at = source.start
        view = source.buffer.data
        if capture_u32(view, at, 0) == SECTION_BLOCK:
            self._section(view, at)
            return
        big = int(state[BIG])
        kind, total = capture_u32(view, at, big), capture_u32(view, at + 4, big)
        body = bytes(view[at + 8 : at + total - 4])
        order = "big" if big else "little"
        if kind == INTERFACE_BLOCK:
            self._interface(body, order)
        elif kind == STATISTICS_BLOCK:
            self._statistics(body, order)
        else:
            parse_names(body, order, self.info.names, MAX_NAMES)
            if len(self.info.names) >= MAX_NAMES:
                state[SKIP] |= SKIP_NAMES
                self._once("names", LIMIT, f"only the first {MAX_NAMES} names of the capture are kept")
        source.start = at + (total + 3) // 4 * 4

    def _section(self, view: memoryview, at: int) -> None:
        source, state = self.source, self.state
        if at + 28 > source.end:
            state[STATUS], state[NEED] = MORE, 28
            return
        magic = bytes(view[at + 8 : at + 12])
        big = magic == b"\x1a\x2b\x3c\x4d"
        total = capture_u32(view, at + 4, big)
        if (not big and magic != b"\x4d\x3c\x2b\x1a") or not 28 <= total <= MAX_BLOCK:
            state[STATUS] = DAMAGED
            return
        following = at + (total + 3) // 4 * 4
        if following > source.end:
            state[STATUS], state[NEED] = MORE, following - at
            return
        if capture_u32(view, following - 4, big) != total:
            state[STATUS] = DAMAGED
            return
        order = "big" if big else "little"
        body = bytes(view[at + 8 : at + total - 4])
        section = parse_section(body, order)
        self._crowded += has_more_options(body, 16, order)
        info = self.info
        info.sections += 1
        if info.sections == 1:
            info.hardware, info.os, info.application = section.hardware, section.os, section.application
        for comment in section.comments:
            self._comment("section", info.sections, comment)
        if section.major != 1:
            self._once("version", HEADER, f"pcapng version {section.major}.{section.minor} is read as version 1.0")
        state[BIG] = big
        state[IN_SECTION] = 1
        state[FIRST_INTERFACE] = len(info.interfaces)
        state[INTERFACES] = 0
        source.start = following

    def _interface(self, body: bytes, order: str) -> None:
        state, info = self.state, self.info
        row = int(state[FIRST_INTERFACE] + state[INTERFACES])
        state[INTERFACES] += 1
        if row >= MAX_INTERFACES or row != len(info.interfaces):
            state[SKIP] |= SKIP_INTERFACES
            self._once(
                "interfaces",
                LIMIT,
                f"more than {MAX_INTERFACES} interfaces; records of the others are counted and not decoded",
            )
            return
        parsed = parse_interface(body, order)
        self._crowded += has_more_options(body, 8, order)
        interface = parsed.interface
        if parsed.problem:
            self._once("offset", TIMESTAMP, f"interface {row}: {parsed.problem}")
        for comment in parsed.comments:
            self._comment("interface", row, comment)
        info.interfaces.append(interface)
        name = linktypes.link_type_name(interface.link)
        if name not in info.link_types and len(info.link_types) < 256:
            info.link_types.append(name)
        if row >= len(self._interfaces):
            grown = np.zeros((2 * len(self._interfaces), IF_COLUMNS), np.int64)
            grown[: len(self._interfaces)] = self._interfaces
            self._interfaces = grown
        self._interfaces[row] = (
            interface.link,
            interface.snaplen,
            parsed.mode,
            parsed.factor,
            parsed.offset_ns,
            linktypes.max_record(interface.link),
            linktypes.PSEUDO_HEADERS.get(interface.link, 0),
        )

    def _statistics(self, body: bytes, order: str) -> None:
        self._statistics_left -= 1
        if self._statistics_left <= 0:
            self.state[SKIP] |= SKIP_STATISTICS
            self._once("statistics", LIMIT, f"only the first {MAX_STATISTICS} interface statistics were looked at")
        number, received, dropped = parse_statistics(body, order)
        self._crowded += has_more_options(body, 12, order)
        row = int(self.state[FIRST_INTERFACE]) + number
        if number >= self.state[INTERFACES] or row >= len(self.info.interfaces):
            return
        interface = self.info.interfaces[row]
        if received is not None:
            interface.received = received
        if dropped is not None:
            interface.dropped = dropped

    def resync_kernel(self, ended: bool, stop: int) -> None:
        kernels, memory = self.fast()
        kernels.resync_pcapng(memory, self.source.start, stop, self.source.end, ended, self.state)

    def suspect(self) -> bool:
        source, state = self.source, self.state
        view, at, big = source.buffer.data, source.start, int(state[BIG])
        if source.end - at < 12:
            return False
        kind, total = capture_u32(view, at, big), capture_u32(view, at + 4, big)
        if kind not in (ENHANCED_BLOCK, PACKET_BLOCK):
            return total > 65_536 or not (1 <= kind <= 12 or kind in CUSTOM_BLOCKS)
        if source.end - at < 28:
            return total > 2 * linktypes.MAX_RECORD
        captured, wire = capture_u32(view, at + 20, big), capture_u32(view, at + 24, big)
        return captured > wire or total - captured > 65_536

    def finish(self) -> None:
        info, state = self.info, self.state
        info.dropped = int(state[DROPPED]) + sum(interface.dropped or 0 for interface in info.interfaces)
        mismatched = int(state[MISMATCHED])
        if mismatched:
            self.problem(
                HEADER,
                0,
                f"{counted(mismatched, 'block')} with a wrong closing length; read nevertheless",
                complete=True,
            )
        if self._crowded:
            self.problem(
                LIMIT,
                0,
                f"{counted(self._crowded, 'block')} with more than {MAX_OPTIONS} options; the rest was not looked at",
                complete=True,
            )
        undescribed = int(state[UNDESCRIBED])
        if undescribed:
            self.problem(
                INTERFACE,
                0,
                f"{counted(undescribed, 'record')} of interfaces that are not described; counted, not decoded",
            )
        untimed = int(state[UNTIMED])
        if untimed:
            self.problem(
                TIMESTAMP,
                0,
                f"{counted(untimed, 'record')} without a time (simple packet blocks); the one before tells it",
                complete=True,
            )

    def anchor(self) -> None:
        pass

    def following(self) -> int:
        raise NotImplementedError  # a block's two lengths leave no doubt

    def describe(self) -> str:
        source = self.source
        if source.end - source.start < 8:
            return "block header"
        kind = capture_u32(source.buffer.data, source.start, int(self.state[BIG]))
        return "packet block" if kind in (PACKET_BLOCK, SIMPLE_BLOCK, ENHANCED_BLOCK) else "block"

    def damage(self) -> str:
        view, at = self.source.buffer.data, self.source.start
        big = int(self.state[BIG])
        kind, total = capture_u32(view, at, big), capture_u32(view, at + 4, big)
        return f"a block of type 0x{kind:x} and {total} bytes is damaged"
