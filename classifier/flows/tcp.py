"""TCP per direction: what was sent again, came out of order, was never captured, and when nothing came.

In: the segments of a flow in reading order. Out: TCP_SIDE rows, two per flow (side A's, then side B's). Next:
`flows.tcp_table`, which gives them as columns.

Sequence numbers are compared modulo 2^32 (RFC 9293, 3.4). What is a retransmission, out of order, a keep-alive or a
duplicate ACK follows Wireshark's definitions, so that both give the same numbers; docs/tcp.md tells them.
Beyond those:

* A copy of a segment that a mirror made (same IP identification, not 0; same numbers, length and flags; within 5 ms)
  is counted as a duplicate and nowhere else.
* Bytes that the numbers tell of and no segment brought are *holes*, at most four at a time; a segment that brings them
  later fills them. What is left of a hole and was acknowledged reached the receiver: the capture lost it.
"""

from __future__ import annotations

from typing import Any

from classifier.columns import FRAG_MORE, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN
from classifier.decode.protocols import STOP_LENGTH
from classifier.flows.hashing import mix
from classifier.flows.state import FOLLOWING, TCP_CAP, TCP_FULL, TCP_HOLES, TCP_RECENT, TCP_ROWS
from classifier.jit import MASK32, i64, inlined, kernel

_TWO_31 = 0x80000000
_FARTHEST = 1 << 30  # no window is larger (RFC 7323, 2.3): a jump beyond it is another connection's, or damage
_COPY_US = 5_000
_REORDER_NS = 3_000_000  # until the handshake told the round-trip time
_FAST_NS = 20_000_000
_ENDS = TCP_SYN | TCP_FIN | TCP_RST

# bits of `known`
NUMBERED = 1  # `next` and `top` hold numbers
SPOKE = 2  # `ack`, `window` and `last_ns` are those of a segment
ACKED = 4  # `acked` holds a number
LAST_KEPT = 8  # its last segment was a keep-alive
CLOSED = 16  # its window is zero since `zero_ns`
ENDED = 32  # it sent FIN or RST


@inlined
def ahead_of(a: int, b: int) -> int:
    """How far number `a` is ahead of `b`, -2^31 to 2^31 - 1."""
    return ((a - b + _TWO_31) & MASK32) - _TWO_31


@kernel
def settle_hole(side: Any, start: int, end: int) -> None:
    """Count the bytes of a hole that will not be filled: acknowledged ones are the capture's loss."""
    size = ahead_of(end, start)
    seen = 0
    if i64(side["known"]) & ACKED:
        seen = min(max(ahead_of(i64(side["acked"]), start), 0), size)
    side["unseen_bytes"] += seen
    side["gap_bytes"] += size - seen


@kernel
def drop_hole(side: Any, k: int) -> None:
    """Forget hole number `k`."""
    holes = side["holes"]
    count = i64(side["n_holes"]) - 1
    side["n_holes"] = count
    for j in range(2 * k, 2 * count):
        holes[j] = holes[j + 2]


@kernel
def add_hole(side: Any, start: int, end: int) -> None:
    """Note bytes that were passed over; when there are too many holes, the oldest is settled."""
    holes = side["holes"]
    if side["n_holes"] == TCP_HOLES:
        settle_hole(side, i64(holes[0]), i64(holes[1]))
        drop_hole(side, 0)
    at = 2 * i64(side["n_holes"])
    holes[at] = start
    holes[at + 1] = end
    side["n_holes"] += 1


@kernel
def fill_holes(side: Any, start: int, end: int) -> int:
    """Take what a segment brings out of the holes; returns how many of its bytes are new."""
    holes = side["holes"]
    new = 0
    k = 0
    while k < i64(side["n_holes"]):
        low = i64(holes[2 * k])
        high = i64(holes[2 * k + 1])
        size = ahead_of(high, low)
        a = max(ahead_of(start, low), 0)
        b = min(ahead_of(end, low), size)
        if a >= b:
            k += 1
            continue
        new += b - a
        if a == 0 and b == size:
            drop_hole(side, k)
            continue
        if a == 0:
            holes[2 * k] = (low + b) & MASK32
        elif b == size:
            holes[2 * k + 1] = (low + a) & MASK32
        elif i64(side["n_holes"]) < TCP_HOLES:
            count = i64(side["n_holes"])
            for j in range(2 * count - 1, 2 * k + 1, -1):
                holes[j + 2] = holes[j]
            side["n_holes"] = count + 1
            holes[2 * k + 1] = (low + a) & MASK32
            holes[2 * k + 2] = (low + b) & MASK32
            holes[2 * k + 3] = high
            k += 1
        else:
            settle_hole(side, low, (low + a) & MASK32)
            holes[2 * k] = (low + b) & MASK32
        k += 1
    return new


@kernel
def settle_side(side: Any) -> None:
    """Settle all holes of a direction: its numbers begin anew, or the capture ends."""
    holes = side["holes"]
    for k in range(i64(side["n_holes"])):
        settle_hole(side, i64(holes[2 * k]), i64(holes[2 * k + 1]))
    side["n_holes"] = 0


@kernel
def finish_tcp(rows: Any, n: int) -> None:
    """Settle what is open at the end of rows 2..n-1."""
    for at in range(2, n):
        side = rows[at]
        settle_side(side)
        if i64(side["known"]) & CLOSED:
            last = max(i64(rows[at]["last_ns"]), i64(rows[at ^ 1]["last_ns"]))
            side["zero_window_ns"] += max(last - i64(side["zero_ns"]), 0)
            side["known"] = i64(side["known"]) & ~CLOSED


@kernel
def begin_numbers(side: Any, seq: int, ts: int) -> None:
    """A direction's numbers begin at `seq`: its first segment, or a SYN."""
    settle_side(side)
    side["next"] = seq
    side["top"] = seq
    side["next_ns"] = ts
    side["known"] = (i64(side["known"]) | NUMBERED) & ~ACKED


@kernel
def open_tcp(flows: Any, row: int, rows: Any, state: Any) -> int:
    """Rows for a flow, with what its SYN told; 0 when there is no room."""
    f = flows[row]
    at = i64(state[TCP_ROWS])
    if at + 2 > i64(state[TCP_CAP]):
        state[TCP_FULL] += 1
        return 0
    state[TCP_ROWS] = at + 2
    f["probe"] = at
    if f["a_syns"] != 0:
        sent = i64(f["a_payload"]) if f["a_packets"] == 1 else 0  # with the SYN: TCP Fast Open
        begin_numbers(rows[at], (i64(f["a_isn"]) + 1 + sent) & MASK32, i64(f["syn_ns"]))
    if f["b_syns"] != 0:
        sent = i64(f["b_payload"]) if f["b_packets"] == 1 else 0
        begin_numbers(rows[at + 1], (i64(f["b_isn"]) + 1 + sent) & MASK32, i64(f["syn_ns"]))
    return at


@kernel
def is_first_number(f: Any, number: int, seq: int) -> bool:
    """Whether a SYN or SYN-ACK has the number that its side began with."""
    return bool(f["b_isn"] == seq if number else f["a_isn"] == seq)


@kernel
def is_copy(side: Any, packets: Any, i: int) -> bool:
    """Whether a mirror showed this segment twice; remembers it."""
    p = packets[i]
    if p["frag_id"] == 0:
        return False
    h = i64(p["seq"]) * 0x2C1B3C6D ^ i64(p["ack"]) * 0x297A2D39  # products that do not wait for each other
    h ^= i64(p["frag_id"]) * 0x165667B1 ^ (i64(p["payload"]) & MASK32) * 0x5BD1E995
    h ^= (i64(p["tcp_flags"]) << 16 | i64(p["window"])) * 0x27D4EB2F
    h = mix(h & MASK32, h >> 32) | 1
    recent = side["recent"]
    now = (i64(p["ts_ns"]) // 1000) & MASK32
    for k in range(0, 2 * TCP_RECENT, 2):
        if recent[k] == h and -_COPY_US <= ahead_of(now, i64(recent[k + 1])) <= _COPY_US:
            return True
    at = 2 * (i64(side["newest"]) % TCP_RECENT)
    side["newest"] = at // 2 + 1
    recent[at] = h
    recent[at + 1] = now
    return False


@kernel
def note_silence(first: Any, me: Any, peer: Any, ts: int) -> None:
    """The longest time without any segment, kept in side A's row."""
    last = -1
    if i64(me["known"]) & SPOKE:
        last = i64(me["last_ns"])
    if i64(peer["known"]) & SPOKE:
        last = max(last, i64(peer["last_ns"]))
    if last >= 0 and ts - last > i64(first["silence_ns"]):
        first["silence_ns"] = ts - last
        first["silence_at_ns"] = last


@kernel
def note_window(side: Any, window: int, flags: int, ts: int) -> None:
    """Zero windows: how often, and for how long together."""
    known = i64(side["known"])
    if window == 0 and flags & _ENDS == 0:
        side["zero_windows"] += 1
        if known & CLOSED == 0:
            side["known"] = known | CLOSED
            side["zero_ns"] = ts
    elif known & CLOSED:
        side["known"] = known & ~CLOSED
        side["zero_window_ns"] += max(ts - i64(side["zero_ns"]), 0)


@kernel
def note_ack(peer: Any, ack: int) -> None:
    """What an ACK tells of the other direction: bytes beyond all that were seen are a hole. Counts ACKs of holes."""
    known = i64(peer["known"])
    if known & NUMBERED == 0:
        return
    beyond = ahead_of(ack, i64(peer["top"]))
    if beyond >= _FARTHEST:
        return
    if beyond > 0:
        add_hole(peer, i64(peer["top"]), ack)
        peer["top"] = ack
    before = i64(peer["acked"])
    if known & ACKED and ahead_of(ack, before) <= 0:
        return
    holes = peer["holes"]
    new = False
    for k in range(i64(peer["n_holes"])):
        if ahead_of(ack, i64(holes[2 * k])) > 0 and (known & ACKED == 0 or ahead_of(i64(holes[2 * k + 1]), before) > 0):
            new = True
    if new:
        peer["unseen_acks"] += 1
    peer["acked"] = ack
    peer["known"] = known | ACKED


@kernel
def is_out_of_order(me: Any, peer: Any, seq: int, end: int, ts: int, round_trip: int) -> bool:
    """Of a segment before the next expected number: late, not sent again."""
    if i64(peer["known"]) & SPOKE and peer["dup_run"] >= 2 and peer["ack"] == seq:
        if 0 <= ts - i64(peer["last_ns"]) < _FAST_NS:
            return False  # a fast retransmission
    return 0 <= ts - i64(me["next_ns"]) < round_trip and me["next"] != end


@kernel
def is_resent(me: Any, peer: Any, seq: int, size: int, end: int, ts: int, round_trip: int) -> int:
    """Of a segment with data: 0 new, 1 sent again, 2 out of order."""
    if i64(peer["known"]) & SPOKE and peer["ack"] != 0 and ahead_of(seq + size, i64(peer["ack"])) <= 0:
        return 1
    back = ahead_of(i64(me["next"]), seq)
    if i64(me["known"]) & NUMBERED == 0 or back <= 0 or (size > 1 and back == 1):
        return 0
    return 2 if is_out_of_order(me, peer, seq, end, ts, round_trip) else 1


@kernel
def track_segment(flows: Any, row: int, number: int, rows: Any, state: Any, packets: Any, i: int) -> None:
    """Note one segment of side `number` of a flow, which the flow row has counted already.

    A flow gets its rows with the first segment that is neither a SYN nor a RST, so that a scan takes none.
    """
    f = flows[row]
    p = packets[i]
    flags = i64(p["tcp_flags"])
    if p["stop"] != 0 and (flags == 0 or p["stop"] == STOP_LENGTH):
        return  # the header is not whole
    at = i64(f["probe"])
    if at == 0:
        if flags & TCP_RST or flags & (TCP_SYN | TCP_ACK) == TCP_SYN:
            return
        if f["a_port"] == 0 and f["b_port"] == 0:
            return  # the row that flows beyond the cap share
        at = open_tcp(flows, row, rows, state)
        if at == 0:
            return
    me = rows[at + number]
    peer = rows[at + 1 - number]
    ts = i64(p["ts_ns"])
    if is_copy(me, packets, i):
        me["duplicates"] += 1
        return
    if i64(p["frag_more"]) & FRAG_MORE:
        settle_side(me)  # how long the whole segment is, no single packet tells
        me["known"] = i64(me["known"]) & ~NUMBERED
        return
    if flags & TCP_SYN == 0 and (i64(me["known"]) | i64(peer["known"])) & ENDED == 0:
        note_silence(rows[at], me, peer, ts)
    size = i64(p["payload"])
    seq = i64(p["seq"])
    end = (seq + size) & MASK32
    if flags & (TCP_SYN | TCP_FIN):
        end = (end + 1) & MASK32
    window = i64(p["window"])
    if flags & TCP_SYN and (i64(me["known"]) & NUMBERED == 0 or not is_first_number(f, number, seq)):
        begin_numbers(me, seq, ts)
    numbered = i64(me["known"]) & NUMBERED != 0
    offset = ahead_of(seq, i64(me["next"]))
    probe = numbered and size == 1 and offset == 0 and i64(peer["known"]) & SPOKE != 0 and peer["window"] == 0
    kept = False
    if not probe:
        note_window(me, window, flags, ts)
        if numbered and offset > 0 and flags & TCP_RST == 0:
            me["gaps"] += 1
        kept = numbered and size <= 1 and offset == -1 and flags & _ENDS == 0
        if kept:
            me["keep_alives"] += 1
        repeats = size == 0 and window != 0 and numbered and offset == 0 and flags & _ENDS == 0
        if repeats and i64(me["known"]) & SPOKE and me["window"] == window and me["ack"] == p["ack"]:
            if i64(peer["known"]) & LAST_KEPT == 0:
                me["duplicate_acks"] += 1
                me["dup_run"] = min(i64(me["dup_run"]) + 1, 3)
    if i64(me["known"]) & SPOKE == 0 or me["ack"] != p["ack"]:
        me["dup_run"] = 0
    if flags & TCP_ACK:
        note_ack(peer, i64(p["ack"]))
        if flags & _ENDS == 0 and f["synack_ns"] != 0 and rows[at]["opened_ns"] == 0:
            if (f["b_synacks"] != 0) == (number == 0):
                rows[at]["opened_ns"] = ts
    if size > 0:
        me["segments"] += 1
        if not kept:
            note_data(f, rows[at], me, peer, seq, size, end, ts)
    note_numbers(me, seq, size, end, flags, ts, probe)
    me["window"] = window
    me["ack"] = p["ack"]
    me["last_ns"] = ts
    known = i64(me["known"]) | SPOKE
    if flags & (TCP_FIN | TCP_RST):
        known |= ENDED
    elif flags & TCP_SYN:
        known &= ~ENDED
    me["known"] = known | LAST_KEPT if kept else known & ~LAST_KEPT


@kernel
def note_data(f: Any, first: Any, me: Any, peer: Any, seq: int, size: int, end: int, ts: int) -> None:
    """Whether a segment with data was sent again or late."""
    round_trip = _REORDER_NS
    if first["opened_ns"] != 0 and i64(f["a_syns"]) + i64(f["b_syns"]) == 1:
        round_trip = i64(first["opened_ns"]) - i64(f["syn_ns"])
    what = is_resent(me, peer, seq, size, end, ts, round_trip)
    if what == 1:
        me["retransmitted"] += 1
        again = size
        if i64(me["known"]) & NUMBERED:
            again = min(max(ahead_of(i64(me["next"]), seq), 0), size)
        me["retransmitted_bytes"] += again
    elif what == 2:
        me["out_of_order"] += 1


@kernel
def note_numbers(me: Any, seq: int, size: int, end: int, flags: int, ts: int, probe: bool) -> None:
    """Move on to the next expected number; holes, and how long nothing new came."""
    new = 0
    if i64(me["known"]) & NUMBERED == 0:
        begin_numbers(me, seq, ts)
        new = size
    elif flags & TCP_RST == 0:
        beyond = ahead_of(seq, i64(me["top"]))
        if beyond >= _FARTHEST:
            settle_side(me)
            me["top"] = seq
            beyond = 0
        if beyond > 0:
            add_hole(me, i64(me["top"]), seq)
            me["top"] = seq
        elif beyond < 0 and seq != end:
            new = fill_holes(me, seq, end)
        new += max(ahead_of(end, i64(me["top"])), 0)
    if flags & TCP_RST == 0 and ahead_of(end, i64(me["top"])) > 0:
        me["top"] = end
    if not probe and ahead_of(end, i64(me["next"])) > 0:
        me["next"] = end
        me["next_ns"] = ts
    if size > 0 and new > 0 and not probe:
        if me["new_ns"] != 0 and ts - i64(me["new_ns"]) > i64(me["stall_ns"]):
            me["stall_ns"] = ts - i64(me["new_ns"])
            me["stall_at_ns"] = me["new_ns"]
        me["new_ns"] = max(ts, i64(me["new_ns"]))


@kernel
def list_followed(flows: Any, where: int, tcp: Any, followed: Any, state: Any, i: int) -> None:
    """Note a segment with data of an RTSP connection, for `flows.interleaved`."""
    at = i64(flows[where >> 1]["probe"])
    if at == 0:
        return
    at += where & 1
    item = followed[state[FOLLOWING]]
    state[FOLLOWING] += 1
    item["packet"] = i
    item["flow"] = where >> 1
    item["side"] = where & 1
    item["tcp"] = at
    item["acked"] = i64(tcp[at]["acked"]) if i64(tcp[at]["known"]) & ACKED else -1


__all__ = ["finish_tcp", "list_followed", "track_segment"]
