"""Kernels of the pcap walk: records into rows, and the search for the next record after damage.

In: bytes of a window, a walker's state. Out: RECORD rows. Next: `pcap.PcapWalker`, which calls them.
"""

from __future__ import annotations

from typing import Any

from classifier.capture.linktypes import MAX_RECORD
from classifier.capture.walker import (
    ANCHOR,
    BELIEVED,
    BIG,
    CAPTURED,
    CHAIN,
    DAMAGED,
    DOUBTFUL,
    DOUBTS,
    ENDED,
    FIRST_NS,
    FULL,
    LAST_NS,
    LINK,
    MAX_WIRE,
    MAXIMUM,
    MORE,
    NEED,
    POSITION,
    PSEUDO,
    STATE,
    STATUS,
    WIRE,
    capture_u32,
    past_zeros,
)
from classifier.jit import i64, inlined, kernel

# walker state of this format
HEADER_BYTES = STATE  # record header: 16, 20, 24 or 28
TICK = STATE + 1  # nanoseconds per unit of the time's fraction
SWAP = STATE + 2  # 0: captured, wire; 1: wire, captured; 2: the smaller one is captured
SNAPLEN = STATE + 3
STATES = STATE + 4

NOT_SWAPPED, SWAPPED, MAYBE_SWAPPED = 0, 1, 2

NEAR_S = 30 * 86_400
"""After damage, times within so many seconds of the last good one are believed."""


@kernel
def walk_pcap(buffer: Any, start: int, end: int, records: Any, first: int, limit: int, state: Any) -> int:
    """Fill records[first:limit] from buffer[start:end]; the number of rows filled in all.

    state (i8): sums and bounds are added to, POSITION is where it stopped, STATUS why, NEED how many bytes from there
    the next record takes.
    """
    big = i64(state[BIG])
    header = i64(state[HEADER_BYTES])
    tick = i64(state[TICK])
    swap = i64(state[SWAP])
    link = i64(state[LINK])
    maximum = i64(state[MAXIMUM])
    snaplen = i64(state[SNAPLEN])
    believed = i64(state[BELIEVED])
    pseudo = i64(state[PSEUDO])
    doubts = i64(state[DOUBTS])
    wire_sum = i64(state[WIRE])
    captured_sum = i64(state[CAPTURED])
    first_ns = i64(state[FIRST_NS])
    last_ns = i64(state[LAST_NS])
    status = FULL
    need = header
    at = start
    n = first
    while n < limit:
        if at + header > end:
            status = MORE
            break
        captured = capture_u32(buffer, at + 8, big)
        wire = capture_u32(buffer, at + 12, big)
        if swap == SWAPPED or (swap == MAYBE_SWAPPED and captured > wire):
            captured, wire = wire, captured
        if captured > maximum:
            status = DAMAGED
            break
        following = at + header + captured
        if following > end:
            status = MORE
            need = header + captured
            break
        seconds = capture_u32(buffer, at, big)
        if captured == 0 and wire == 0 and seconds == 0 and capture_u32(buffer, at + 4, big) == 0:
            status = DAMAGED  # blocks of a file that were never written are zeros, not records
            break
        if (captured > wire or captured > snaplen > 0) and at != believed and doubts > 0:
            if following + header <= end:
                after = capture_u32(buffer, following + 8, big)
                if swap != NOT_SWAPPED:
                    other = capture_u32(buffer, following + 12, big)
                    if swap == SWAPPED or after > other:
                        after = other
                second = capture_u32(buffer, following, big)
                if after > maximum or second < seconds - NEAR_S or second > seconds + NEAR_S:
                    status = DOUBTFUL
                    break
            elif i64(state[ENDED]) == 0:
                status = MORE
                break
        if wire > MAX_WIRE:
            wire = MAX_WIRE
        wire -= pseudo
        if wire < 0:
            wire = 0
        ts_ns = seconds * 1_000_000_000 + capture_u32(buffer, at + 4, big) * tick
        row = records[n]
        row["ts_ns"] = ts_ns
        row["offset"] = at + header
        row["captured"] = captured
        row["wire"] = wire
        row["link"] = link
        row["interface"] = 0
        wire_sum += wire
        captured_sum += captured
        if ts_ns < first_ns:
            first_ns = ts_ns
        if ts_ns > last_ns:
            last_ns = ts_ns
        n += 1
        at = following
    state[WIRE] = wire_sum
    state[CAPTURED] = captured_sum
    state[FIRST_NS] = first_ns
    state[LAST_NS] = last_ns
    state[POSITION] = at
    state[STATUS] = status
    state[NEED] = need
    return n


@inlined
def plausible_pcap(buffer: Any, at: int, state: Any) -> int:
    """Length of the record at `at` with its header if that looks like one, else -1; its header is in the window."""
    big = i64(state[BIG])
    header = i64(state[HEADER_BYTES])
    swap = i64(state[SWAP])
    captured = capture_u32(buffer, at + 8, big)
    wire = capture_u32(buffer, at + 12, big)
    if swap == SWAPPED or (swap == MAYBE_SWAPPED and captured > wire):
        captured, wire = wire, captured
    if captured > i64(state[MAXIMUM]) or captured > wire or captured == 0:
        return -1
    snaplen = i64(state[SNAPLEN])
    if wire > MAX_RECORD or captured > snaplen > 0:
        return -1
    if capture_u32(buffer, at + 4, big) * i64(state[TICK]) >= 1_000_000_000:
        return -1
    anchor = i64(state[ANCHOR])
    second = capture_u32(buffer, at, big)
    if anchor >= 0 and (second < anchor - NEAR_S or second > anchor + NEAR_S):
        return -1
    return header + captured


@kernel
def resync_pcap(buffer: Any, start: int, stop: int, end: int, ended: bool, state: Any) -> int:
    """Where CHAIN plausible records in a row begin (or fewer that reach the end of the file), from `start` on and
    before `stop`.

    POSITION is set to the place found, or to where the search must go on; STATUS to FULL when found, else MORE.
    """
    header = i64(state[HEADER_BYTES])
    top = 8 if i64(state[BIG]) else 11  # the highest bytes of both lengths are 0: most places fail on one look
    at = start
    while at < stop and at + header <= end:
        if buffer[at + top] != 0 or buffer[at + top + 4] != 0:
            at += 1
            continue
        if buffer[at + 8] == 0 and buffer[at + 9] == 0 and buffer[at + 10] == 0 and buffer[at + 11] == 0:
            at = past_zeros(buffer, at + 12, end) - 11
            continue
        place = at
        links = 0
        while True:
            if place + header > end:
                if ended and place != end and (place > end or links < CHAIN - 1):
                    links = -1
                break
            length = plausible_pcap(buffer, place, state)
            if length < 0:
                links = -1
                break
            place += length
            links += 1
            if links == CHAIN:
                break
        if links == CHAIN or (ended and links > 0):
            state[POSITION] = at
            state[STATUS] = FULL
            return 1
        if links >= 0 and not ended:  # what would decide is not there yet
            state[POSITION] = at
            state[STATUS] = MORE
            state[NEED] = place + header - at
            return 0
        at += 1
    state[POSITION] = min(at, stop)
    state[STATUS] = MORE
    state[NEED] = header
    return 0
