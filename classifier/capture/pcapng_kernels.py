"""Kernels of the pcapng walk: packet blocks into rows, and the search for the next block after damage.

In: bytes of a window, a walker's state, the table of interfaces. Out: RECORD rows. Next: `pcapng.PcapngWalker`.
"""

from __future__ import annotations

from typing import Any

from classifier.capture.blocks import (
    DIVIDE,
    INTERFACE_BLOCK,
    MULTIPLY,
    NAMES_BLOCK,
    SECTION_BLOCK,
    STATISTICS_BLOCK,
)
from classifier.capture.linktypes import MAX_RECORD
from classifier.capture.model import MAX_BLOCK
from classifier.capture.walker import (
    BIG,
    BLOCK,
    CAPTURED,
    CLAMPED,
    DAMAGED,
    ENDED,
    FIRST_NS,
    FULL,
    INT64_MAX,
    LAST_NS,
    MAX_WIRE,
    MORE,
    NEED,
    POSITION,
    STATE,
    STATUS,
    WIRE,
    capture_u16,
    capture_u32,
    past_zeros,
)
from classifier.jit import i64, inlined, kernel

# walker state of this format
FIRST_INTERFACE = STATE  # row of the section's interface 0
INTERFACES = STATE + 1  # number of interfaces in the section
DROPPED = STATE + 2  # sum of the packets' own drop counts
UNDESCRIBED = STATE + 3  # records whose interface the section does not describe
NOTES = STATE + 4  # comments noted
IN_SECTION = STATE + 5  # 0 before the first section header
PREVIOUS_NS = STATE + 6  # time of the last record that has one
UNTIMED = STATE + 7  # records without a time
MISMATCHED = STATE + 8  # blocks whose closing length is wrong
SKIP = STATE + 9  # SKIP_* bits: blocks that need not be read any more
STATES = STATE + 10
SKIP_INTERFACES, SKIP_STATISTICS, SKIP_NAMES = 1, 2, 4

# columns of the interface table (i8)
IF_LINK = 0
IF_SNAPLEN = 1
IF_MODE = 2  # how to make nanoseconds of ticks: MULTIPLY, DIVIDE, SHIFT
IF_FACTOR = 3  # of MULTIPLY and DIVIDE, or the power of two of SHIFT
IF_OFFSET = 4  # nanoseconds to add
IF_MAXIMUM = 5  # most captured bytes that are believed
IF_PSEUDO = 6  # bytes at the front of a frame that were never on the wire
IF_COLUMNS = 7

PACKET_BLOCK = 2  # obsolete
SIMPLE_BLOCK = 3
ENHANCED_BLOCK = 6
UNDESCRIBED_LINK = -1
BYTE_ORDER_MAGIC = 0x1A2B3C4D
UNKNOWN_NS = -INT64_MAX - 1
MAX_OPTIONS = 64  # looked at, per packet


@kernel
def ticks_to_ns(high: int, low: int, mode: int, factor: int, offset: int) -> int:
    """Nanoseconds since 1970 of the unsigned 64-bit tick count high:low; INT64_MAX when that does not fit."""
    if mode == MULTIPLY:
        if high >= 0x80000000:
            return INT64_MAX
        ticks = high << 32 | low
        if ticks > INT64_MAX // factor:
            return INT64_MAX
        ns = ticks * factor
    else:
        half = high << 31 | low >> 1
        odd = low & 1
        if mode == DIVIDE:
            if factor == 0:  # finer than anything that 64 bits of it could count up to a nanosecond
                ns = 0
            else:
                ns = 2 * (half // factor) + (2 * (half % factor) + odd) // factor
        else:
            power = factor
            if power > 63:
                down = power - 63
                if down > 62:
                    down = 62
                half = half >> down
                odd = 0
                power = 63
            seconds = half >> (power - 1)
            if seconds > 9_223_372_035:
                return INT64_MAX
            fraction = (half & ((1 << (power - 1)) - 1)) << 1 | odd
            upper = (fraction >> 32) * 1_000_000_000 + ((fraction & 0xFFFFFFFF) * 1_000_000_000 >> 32)
            if power >= 32:
                ns = seconds * 1_000_000_000 + (upper >> (power - 32))
            else:
                ns = seconds * 1_000_000_000 + (fraction * 1_000_000_000 >> power)
    if offset > 0 and ns > INT64_MAX - offset:
        return INT64_MAX
    return ns + offset


@kernel
def packet_options(buffer: Any, at: int, end: int, record: int, state: Any, notes: Any) -> int:
    """Read the options of a packet block: drop counts are added up, the places of comments are noted."""
    big = i64(state[BIG])
    for _ in range(MAX_OPTIONS):
        if at + 4 > end:
            return 0
        code = capture_u16(buffer, at, big)
        length = capture_u16(buffer, at + 2, big)
        if code == 0 or at + 4 + length > end:
            return 0
        if code == 4 and length == 8:
            a = capture_u32(buffer, at + 4, big)
            b = capture_u32(buffer, at + 8, big)
            if big:
                a, b = b, a
            if b == 0:  # more than four thousand million dropped between two packets is no count
                state[DROPPED] = i64(state[DROPPED]) + a
        elif code == 1:
            kept = i64(state[NOTES])
            if kept < len(notes):
                notes[kept, 0] = record
                notes[kept, 1] = at + 4
                notes[kept, 2] = length
                state[NOTES] = kept + 1
        at += 4 + (length + 3) // 4 * 4
    return 0


@inlined
def plausible_block(buffer: Any, at: int, end: int, state: Any) -> int:
    """1 if a block that we know begins at `at`; 0 if not; -1 if bytes after `end` would tell. 12 bytes are there."""
    big = i64(state[BIG])
    kind = capture_u32(buffer, at, big)
    if kind == SECTION_BLOCK:
        magic = capture_u32(buffer, at + 8, 0)
        if magic != BYTE_ORDER_MAGIC and magic != 0x4D3C2B1A:
            return 0
        big = magic != BYTE_ORDER_MAGIC
    elif i64(state[IN_SECTION]) == 0 or kind == 0 or kind > 0x0C:
        return 0
    total = capture_u32(buffer, at + 4, big)
    if total < 12 or total > MAX_BLOCK or total % 4 != 0:
        return 0
    if kind == ENHANCED_BLOCK:
        if total < 32:
            return 0
        if at + 24 <= end and capture_u32(buffer, at + 20, big) > total - 32:
            return 0
        if capture_u32(buffer, at + 8, big) >= i64(state[INTERFACES]):
            return 0
    if at + total > end:
        return -1
    if capture_u32(buffer, at + total - 4, big) != total:
        return 0
    return 1


@kernel
def walk_pcapng(
    buffer: Any,
    start: int,
    end: int,
    records: Any,
    first: int,
    limit: int,
    state: Any,
    interfaces: Any,
    notes: Any,
) -> int:
    """Fill records[first:limit] from the packet blocks of buffer[start:end]; the number of rows filled in all.

    Stops before a block that Python reads (STATUS BLOCK; the block is whole in the window, a section header need not
    be). state (i8) as in `walk_pcap`; interfaces (n, IF_COLUMNS) i8; notes (m, 3) i8: comments found, as row of
    `records`, place in the buffer, length.
    """
    big = i64(state[BIG])
    base_row = i64(state[FIRST_INTERFACE])
    count = i64(state[INTERFACES])
    rows = len(interfaces)
    wire_sum = i64(state[WIRE])
    captured_sum = i64(state[CAPTURED])
    first_ns = i64(state[FIRST_NS])
    last_ns = i64(state[LAST_NS])
    previous_ns = i64(state[PREVIOUS_NS])
    untimed = i64(state[UNTIMED])
    skip = i64(state[SKIP])
    status = FULL
    need = 12
    at = start
    n = first
    while n < limit:
        if at + 12 > end:
            status = MORE
            need = 12
            break
        kind = capture_u32(buffer, at, big)
        if kind == SECTION_BLOCK:
            status = BLOCK
            break
        total = capture_u32(buffer, at + 4, big)
        packet = kind in (ENHANCED_BLOCK, PACKET_BLOCK)
        if total < 12 or (total > MAX_BLOCK and not packet) or i64(state[IN_SECTION]) == 0:
            status = DAMAGED
            break
        following = at + (total + 3) // 4 * 4
        body = at + 8
        interface = 0
        captured = 0
        wire = 0
        frame = 0
        maximum = MAX_RECORD
        if packet:
            if total < 32:
                status = DAMAGED
                break
            if at + 28 > end:
                status = MORE
                need = total
                break
            if kind == ENHANCED_BLOCK:
                interface = capture_u32(buffer, body, big)
            else:
                interface = capture_u16(buffer, body, big)
            captured = capture_u32(buffer, body + 12, big)
            wire = capture_u32(buffer, body + 16, big)
            frame = body + 20
            if interface < count and base_row + interface < rows:
                maximum = i64(interfaces[base_row + interface, IF_MAXIMUM])
            if captured > total - 32 or captured > maximum or total - captured > MAX_BLOCK:
                status = DAMAGED
                break
        elif kind == SIMPLE_BLOCK:
            if total < 16:
                status = DAMAGED
                break
            wire = capture_u32(buffer, body, big)
            captured = wire
            if count > 0 and base_row < rows:
                snaplen = i64(interfaces[base_row, IF_SNAPLEN])
                if snaplen > 0 and captured > snaplen:
                    captured = snaplen
            frame = body + 4
            if captured > total - 16:
                captured = total - 16
        if wire > MAX_WIRE:
            wire = MAX_WIRE
        if following > end:
            status = MORE
            need = following - at
            break
        if capture_u32(buffer, following - 4, big) != total:
            # a wrong closing length alone does not matter if a good block comes next
            verdict = 0
            if following + 12 <= end:
                verdict = plausible_block(buffer, following, end, state)
            elif following == end or i64(state[ENDED]) == 0:
                verdict = -1
            if verdict < 0 and i64(state[ENDED]) == 0:
                status = MORE
                break
            if verdict == 0:
                status = DAMAGED
                break
            state[MISMATCHED] = i64(state[MISMATCHED]) + 1
        if frame == 0:
            if (
                (kind == INTERFACE_BLOCK and skip & SKIP_INTERFACES == 0)
                or (kind == STATISTICS_BLOCK and skip & SKIP_STATISTICS == 0)
                or (kind == NAMES_BLOCK and skip & SKIP_NAMES == 0)
            ):
                status = BLOCK
                break
            if kind == INTERFACE_BLOCK:
                count += 1
                state[INTERFACES] = count
            at = following
            continue
        link = UNDESCRIBED_LINK
        row_number = base_row + interface
        ts_ns = 0
        if interface < count and row_number < rows:
            link = i64(interfaces[row_number, IF_LINK])
            wire -= i64(interfaces[row_number, IF_PSEUDO])
            if wire < 0:
                wire = 0
            if kind != SIMPLE_BLOCK:
                ts_ns = ticks_to_ns(
                    capture_u32(buffer, body + 4, big),
                    capture_u32(buffer, body + 8, big),
                    i64(interfaces[row_number, IF_MODE]),
                    i64(interfaces[row_number, IF_FACTOR]),
                    i64(interfaces[row_number, IF_OFFSET]),
                )
        else:
            row_number = -1
            state[UNDESCRIBED] = i64(state[UNDESCRIBED]) + 1
            if kind != SIMPLE_BLOCK:
                ts_ns = ticks_to_ns(
                    capture_u32(buffer, body + 4, big), capture_u32(buffer, body + 8, big), MULTIPLY, 1000, 0
                )
        if kind == PACKET_BLOCK:
            drops = capture_u16(buffer, body + 2, big)
            if drops != 0xFFFF:
                state[DROPPED] = i64(state[DROPPED]) + drops
        if kind == SIMPLE_BLOCK:  # it has no time: that of the record before it is the nearest
            ts_ns = previous_ns
            untimed += 1
        else:
            if ts_ns == INT64_MAX:
                state[CLAMPED] = i64(state[CLAMPED]) + 1
            previous_ns = ts_ns
            if ts_ns < first_ns:
                first_ns = ts_ns
            if ts_ns > last_ns:
                last_ns = ts_ns
        row = records[n]
        row["ts_ns"] = ts_ns
        row["offset"] = frame
        row["captured"] = captured
        row["wire"] = wire
        row["link"] = link
        row["interface"] = row_number
        wire_sum += wire
        captured_sum += captured
        options = frame + (captured + 3) // 4 * 4
        if kind != SIMPLE_BLOCK and options + 8 <= following:
            packet_options(buffer, options, following - 4, n, state, notes)
        n += 1
        at = following
    state[WIRE] = wire_sum
    state[CAPTURED] = captured_sum
    state[FIRST_NS] = first_ns
    state[LAST_NS] = last_ns
    state[PREVIOUS_NS] = previous_ns
    state[UNTIMED] = untimed
    state[POSITION] = at
    state[STATUS] = status
    state[NEED] = need
    return n


@kernel
def resync_pcapng(buffer: Any, start: int, stop: int, end: int, ended: bool, state: Any) -> int:
    """Where the next whole block begins, from `start` on and before `stop`; POSITION and STATUS as in `resync_pcap`."""
    at = start
    top = 0 if i64(state[BIG]) else 3  # the highest byte of a type is 0, but for a section's: most places fail here
    while at < stop and at + 12 <= end:
        if buffer[at + top] != 0 and buffer[at + top] != 0x0A:
            at += 1
            continue
        if buffer[at] == 0 and buffer[at + 1] == 0 and buffer[at + 2] == 0 and buffer[at + 3] == 0:
            at = past_zeros(buffer, at + 4, end) - 3
            continue
        verdict = plausible_block(buffer, at, end, state)
        if verdict == 1:
            state[POSITION] = at
            state[STATUS] = FULL
            return 1
        if verdict < 0 and not ended:
            state[POSITION] = at
            state[STATUS] = MORE
            return 0
        at += 1
    state[POSITION] = min(at, stop)
    state[STATUS] = MORE
    return 0
