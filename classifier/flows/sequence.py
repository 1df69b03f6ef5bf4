"""The sequence numbers of one RTP source: RFC 3550 A.1 and A.3, and which numbers never came.

In: STREAM rows and numbers in the order of arrival. Out: the rows' counters: received, duplicates, late ones, restarts,
longest run of numbers that never came. A window of 100 numbers (MAX_MISORDER: older ones are not believed any more)
tells a late number from a repeated one; a number is lost when it leaves the window unseen.

Unlike A.1, the first packet begins a run, without probation, and a late number before the run's first one extends the
run backwards: where the first packets came in another order, none is left out. What never becomes a stream is told at
the end (`stream_table.is_stream`). Next: `flows.streams`.
"""

from __future__ import annotations

from typing import Any

from classifier.flows.stream_table import MAX_DROPOUT, MAX_MISORDER
from classifier.jit import i64, inlined, kernel

_HALF = 50  # bits of the window in each of its two words
ALL_CAME = (1 << _HALF) - 1
_SEQ_MOD = 1 << 16

# what a number is
REFUSED = 0
LATE = 1
IN_ORDER = 2
RESTART = 3
DUPLICATE = 4


@kernel
def begin_run(s: Any, seq: int, before: int) -> None:
    """init_seq of A.1 and the packet that caused it; `before`: 1 when the number before it came as well."""
    s["base_seq"] = seq - before
    s["max_seq"] = seq
    s["bad_seq"] = -1
    s["cycles"] = 0
    s["received"] = 1 + before
    s["seen0"] = 1 | before << 1
    s["seen1"] = 0
    s["burst"] = 0


@kernel
def note_bit(s: Any, came: int) -> None:
    """The oldest number of the window leaves it: it came, or never will."""
    if came != 0:
        s["burst"] = 0
    else:
        s["burst"] += 1
        if s["burst"] > s["longest_burst"]:
            s["longest_burst"] = s["burst"]


@kernel
def leave_window(s: Any, count: int) -> None:
    """`count` (at most 100) of the window's oldest numbers leave it; those before the run's first are none."""
    span = i64(s["cycles"]) + i64(s["max_seq"]) - i64(s["base_seq"]) + 1
    for k in range(count):
        bit = MAX_MISORDER - 1 - k
        if bit < span:
            if bit >= _HALF:
                note_bit(s, i64(s["seen1"]) >> (bit - _HALF) & 1)
            else:
                note_bit(s, i64(s["seen0"]) >> bit & 1)


@kernel
def advance_window(s: Any, delta: int) -> None:
    """The highest number is `delta` (1 to 2,999) higher."""
    leave_window(s, min(delta, MAX_MISORDER))
    seen0, seen1 = i64(s["seen0"]), i64(s["seen1"])
    if delta >= MAX_MISORDER:
        s["burst"] += delta - MAX_MISORDER  # these numbers are between, and too old already
        if s["burst"] > s["longest_burst"]:
            s["longest_burst"] = s["burst"]
        s["seen0"] = 1
        s["seen1"] = 0
    elif delta >= _HALF:
        s["seen1"] = (seen0 << (delta - _HALF)) & ALL_CAME
        s["seen0"] = 1
    else:
        s["seen1"] = (seen1 << delta | seen0 >> (_HALF - delta)) & ALL_CAME
        s["seen0"] = (seen0 << delta | 1) & ALL_CAME


@inlined
def accept_number(s: Any, seq: int) -> int:
    """The next number through A.1."""
    highest = i64(s["max_seq"])
    if highest < 0:
        begin_run(s, seq, 0)
        return IN_ORDER
    delta = (seq - highest) & 0xFFFF
    if delta == 1:  # nearly always
        seen0, seen1 = i64(s["seen0"]), i64(s["seen1"])
        if seen1 >> (_HALF - 1) & 1 != 0:
            s["burst"] = 0
        else:
            leave_window(s, 1)
        s["seen1"] = (seen1 << 1 | seen0 >> (_HALF - 1)) & ALL_CAME
        s["seen0"] = (seen0 << 1 | 1) & ALL_CAME
        if seq == 0:
            s["cycles"] += _SEQ_MOD
        s["max_seq"] = seq
        s["received"] += 1
        return IN_ORDER
    if delta < MAX_DROPOUT:
        s["received"] += 1
        if delta == 0:
            s["duplicates"] += 1
            return DUPLICATE
        advance_window(s, delta)
        s["bin_lost"] += delta - 1
        if seq < i64(s["max_seq"]):
            s["cycles"] += _SEQ_MOD
        s["max_seq"] = seq
        return IN_ORDER
    if delta <= _SEQ_MOD - MAX_MISORDER:
        if seq != i64(s["bad_seq"]):
            s["bad_seq"] = (seq + 1) & 0xFFFF
            s["refused"] += 1
            return REFUSED
        s["restarts"] += 1
        s["earlier_expected"] += i64(s["cycles"]) + i64(s["max_seq"]) - i64(s["base_seq"]) + 1
        s["earlier_received"] += s["received"]
        leave_window(s, MAX_MISORDER)
        s["refused"] -= 1  # the packet before this one, with which the run begins
        begin_run(s, seq, 1)
        return RESTART
    s["received"] += 1
    back = _SEQ_MOD - delta
    word = i64(s["seen1"]) if back >= _HALF else i64(s["seen0"])
    bit = 1 << (back - _HALF if back >= _HALF else back)
    if word & bit != 0:
        s["duplicates"] += 1
        return DUPLICATE
    s["reordered"] += 1
    span = i64(s["cycles"]) + highest - i64(s["base_seq"]) + 1
    if back < span:
        s["bin_lost"] -= 1
    else:
        s["bin_lost"] += back - span
        s["base_seq"] = i64(s["base_seq"]) - (back - span + 1)
    if back >= _HALF:
        s["seen1"] = word | bit
    else:
        s["seen0"] = word | bit
    return LATE
