"""Packets that are in a capture more than once, frames larger than the network carries, and times that jump.

In: PACKET rows in reading order with the buffers that hold their payloads. Out: sums in `state`, EVENT and MAC rows.
Next: `flows.watch`, which owns the arrays and carries them from batch to batch.

A copy is what a mirror made of one packet. Two packets are copies when the innermost IP header (without TTL, checksum,
type of service), the transport header and the first `HEAD` payload bytes are equal, they are within `WINDOW` packets
and `WINDOW_NS` (both ours). TTLs tell copies of one place from copies before and after a router. A packet sent again
has a new IP identification; packets without one (IPv6, identification 0) cannot be told from what a host repeats and
are not judged, except RTP, which has numbers of its own. Frames without IP are not either.

It costs one look at each row: keys of 32 bits, compared with the ten before them; only where two are equal the
payloads are looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from classifier.decode.hints import RTP
from classifier.flows.hashing import mix
from classifier.jit import MASK32, i64, inlined, kernel

WINDOW = 10
"""Packets before one among which its copy is looked for."""
WINDOW_NS = 5_000_000
HEAD = 64
"""Payload bytes that are compared."""
_TRANSPORT = 8
"""Bytes before the payload that are compared too: the UDP or ICMP header, checksums and options of TCP."""
MTU = 1500
"""IP total length from which a packet is larger than Ethernet's standard."""
JUMBO = 9216
"""And than what network equipment carries as jumbo frame."""
SEGMENT = 1448
"""TCP payload of a full segment with time stamps: what a giant was cut into, about."""
SMALL = 42
"""IP packets below this are in frames that Ethernet pads; those of a tag that the card removed are still longer."""
STEP_NS = 100_000_000
GAP_NS = 10_000_000_000
"""Steps back and gaps from these on are noted; rules ask for more."""
MAX_EVENTS = 4096
MAX_MACS = 8
SLOTS = 1023
AGAIN, MATE, TAIL = 1, 2, 4
"""Marks: a packet whose key was there before, one that has it, one of the last of a batch."""

STEP, GAP = 1, 2
EVENT = np.dtype(
    [("before_ns", "i8"), ("ts_ns", "i8"), ("record", "i8"), ("capture", "i4"), ("kind", "i4")],
    align=True,
)
"""A time that is earlier than the one before it in its file (STEP), or much later than all before it (GAP)."""
MAC = np.dtype([("mac", "i8"), ("bare", "i8"), ("padded", "i8")], align=True)
"""A sender of small frames: those without Ethernet's padding and those with."""

PACKETS = 0  # looked at
JUDGED = 1  # whose copies would be found
EXACT = 2  # copies with the same TTL
EXACT_WIRE = 3
RELINKED = 4  # of these in another VLAN, tunnel or with other MAC addresses
ROUTED = 5  # copies with another TTL
ROUTED_WIRE = 6
ACROSS = 7  # copies of a packet in another capture
FIRST_CAPTURE = 8  # of the first copy
FIRST_RECORD = 9
GIANTS = 10
SEGMENTS = 11  # that they stand for, about
LARGEST = 12  # IP total length
BEYOND_JUMBO = 13
GIANT_A = 14  # MAC addresses that are an end of all giants beyond jumbo frames
GIANT_B = 15
EVENTS = 17
LATEST = 18  # time
MACS = 19
STATE_SIZE = 24


@inlined
def copy_key(packets: Any, i: int) -> int:
    """32 bits of what copies of a packet share, without its payload; 0: not judged."""
    p = packets[i]
    version = i64(p["version"])
    proto = i64(p["proto"])
    ident = i64(p["frag_id"])
    if version == 0 or (ident == 0 and p["hint"] != RTP):
        return 0
    key = (i64(p["src3"]) * 0x2C1B3C6D) & MASK32
    key ^= (i64(p["dst3"]) * 0x297A2D39) & MASK32
    key ^= ((i64(p["src_port"]) << 16 | i64(p["dst_port"])) * 0x5BD1E995) & MASK32
    key ^= (i64(p["seq"]) * 0x1B873593) & MASK32
    key ^= (i64(p["ack"]) * 0x38B34AE5) & MASK32
    key ^= ((ident ^ proto << 24) * 0x6C8E9CF5) & MASK32
    key ^= ((i64(p["ip"]) & MASK32) * 0x4CF5AD43) & MASK32
    key ^= ((i64(p["window"]) << 16 | i64(p["frag_offset"])) * 0x27D4EB2F) & MASK32
    key ^= ((i64(p["tcp_flags"]) << 2 | i64(p["frag_more"])) * 0x165667B1) & MASK32
    if version == 6:
        key = mix(mix(mix(key, i64(p["src2"])), i64(p["src1"])), i64(p["src0"]))
        key = mix(mix(mix(key, i64(p["dst2"])), i64(p["dst1"])), i64(p["dst0"]))
    return mix(key, version) | 1


@kernel
def note_event(p: Any, kind: int, before: int, state: Any, events: Any) -> None:
    """Note a time that jumps."""
    at = i64(state[EVENTS])
    if at < MAX_EVENTS:
        event = events[at]
        event["kind"] = kind
        event["before_ns"] = before
        event["ts_ns"] = p["ts_ns"]
        event["record"] = p["record"]
        event["capture"] = p["capture"]
    state[EVENTS] = at + 1


@kernel
def note_giant(p: Any, state: Any) -> None:
    """Count a packet that is larger than Ethernet's standard."""
    ip = min(i64(p["ip"]), i64(p["wire"]))
    payload = max(min(i64(p["payload"]), ip), 1)
    state[GIANTS] += 1
    state[SEGMENTS] += (payload + SEGMENT - 1) // SEGMENT
    state[LARGEST] = max(i64(state[LARGEST]), ip)
    if ip <= JUMBO:
        return
    a = i64(p["src_mac"])
    b = i64(p["dst_mac"])
    if state[BEYOND_JUMBO] == 0:
        state[GIANT_A] = a
        state[GIANT_B] = b
    if i64(state[GIANT_A]) != a and i64(state[GIANT_A]) != b:
        state[GIANT_A] = 0
    if i64(state[GIANT_B]) != a and i64(state[GIANT_B]) != b:
        state[GIANT_B] = 0
    state[BEYOND_JUMBO] += 1


@kernel
def note_small(p: Any, state: Any, macs: Any) -> None:
    """Count a packet so small that Ethernet pads its frame, by sender; with more than `MAX_MACS` nobody counts."""
    mac = i64(p["src_mac"])
    known = i64(state[MACS])
    at = 0
    while at < known and i64(macs[at]["mac"]) != mac:
        at += 1
    if at == known:
        state[MACS] = known + 1
        if known == MAX_MACS:
            return
        macs[at]["mac"] = mac
    if i64(p["wire"]) < SMALL + 14:
        macs[at]["bare"] += 1
    else:
        macs[at]["padded"] += 1


@kernel
def mark_equal(keys: Any, i: int, marks: Any) -> int:
    """Mark the packet at place `i` when it shares its key with one of the `WINDOW` before it, and those; 1: it does."""
    found = 0
    for back in range(1, WINDOW + 1):
        if keys[i - back] == keys[i]:
            found = 1
            if marks[i - back] == 0:
                marks[i - back] = MATE
    if found != 0:
        marks[i] = AGAIN
    return found


@kernel
def look_at_rows(
    packets: Any, n: int, keys: Any, slots: Any, marks: Any, state: Any, last: Any, events: Any, macs: Any
) -> int:
    """Look at `packets[0:n]`: marks those whose key one of the `WINDOW` before them has, and returns their number.

    `keys`, `marks`: packet k is at place WINDOW + k, behind the last ones of before; marks are zero. `slots`: the
    number (from 1) of the latest packet with a key of the same `SLOTS` low bits; when it is not among the last ones, no
    equal key is. `last`: (captures,) i8, time of the packet before in each file, the lowest number at first.
    """
    if n == 0:
        return 0
    if state[PACKETS] == 0:
        state[LATEST] = packets[0]["ts_ns"]
    latest = i64(state[LATEST])
    counted = i64(state[PACKETS])
    judged = 0
    found = 0
    for i in range(n):
        p = packets[i]
        ts = i64(p["ts_ns"])
        capture = i64(p["capture"])
        before = i64(last[capture])
        last[capture] = ts
        if ts < before:  # halves: two times may be farther apart than 64 bits hold
            if (before >> 1) - (ts >> 1) > STEP_NS >> 1:
                note_event(p, STEP, before, state, events)
        elif ts > latest:
            if (ts >> 1) - (latest >> 1) > GAP_NS >> 1:
                note_event(p, GAP, latest, state, events)
        if ts > latest:
            latest = ts
        key = copy_key(packets, i)
        keys[WINDOW + i] = key
        if key != 0:
            judged += 1
            counted += 1
            at = key >> 1 & SLOTS
            if counted - i64(slots[at]) <= WINDOW:
                found += mark_equal(keys, WINDOW + i, marks)
            slots[at] = counted
        else:
            counted += 1
        ip = i64(p["ip"])
        if ip > MTU and i64(p["wire"]) > MTU:
            note_giant(p, state)
        elif 0 < ip < SMALL and p["encap"] == 0 and p["src_mac"] != 0 and state[MACS] <= MAX_MACS:
            note_small(p, state, macs)
    state[LATEST] = latest
    state[JUDGED] += judged
    state[PACKETS] += n
    return found


@inlined
def head_hash(buffer: Any, start: int, end: int) -> int:
    """32 bits of some bytes."""
    value = 0x9E3779B1
    at = start
    while at + 4 <= end:
        word = i64(buffer[at]) | i64(buffer[at + 1]) << 8 | i64(buffer[at + 2]) << 16 | i64(buffer[at + 3]) << 24
        value = mix(value, word)
        at += 4
    while at < end:
        value = mix(value, i64(buffer[at]))
        at += 1
    return mix(value, end - start)


@inlined
def packet_head(buffer: Any, packets: Any, i: int) -> int:
    """Hash of what a packet's payload begins with, and of the bytes before it."""
    p = packets[i]
    held = i64(p["payload_captured"])
    length = min(held, HEAD)
    if held < HEAD and held < i64(p["payload"]):
        length = held // 16 * 16  # cut: the copy may be in a longer header and end a few bytes earlier
    at = i64(p["payload_at"])
    return head_hash(buffer, max(at - _TRANSPORT, 0), min(at + max(length, 0), len(buffer)))


@kernel
def hash_heads(buffer: Any, packets: Any, rows: Any, m: int, marks: Any, heads: Any) -> None:
    """Heads of those of `packets[rows[0:m]]` that are marked."""
    for k in range(m):
        i = i64(rows[k])
        if marks[WINDOW + i] != 0:
            heads[WINDOW + i] = packet_head(buffer, packets, i)


@kernel
def keep_last(buffer: Any, packets: Any, n: int, hashing: int, keys: Any, heads: Any, past: Any) -> None:
    """Move the last `WINDOW` packets to where the next batch looks for them; with `hashing` their heads are missing."""
    if hashing != 0:
        for i in range(max(n - WINDOW, 0), n):
            heads[WINDOW + i] = packet_head(buffer, packets, i)
    for j in range(WINDOW):
        keys[j] = keys[n + j]
        heads[j] = heads[n + j]
        if n + j < WINDOW:
            past[j] = past[n + j]
        else:
            past[j] = packets[n + j - WINDOW]


@kernel
def count_copies(packets: Any, n: int, past: Any, keys: Any, heads: Any, marks: Any, state: Any) -> None:
    """Count the marked packets that are copies. `past`: the `WINDOW` rows before `packets[0]`."""
    for i in range(n):
        if marks[WINDOW + i] & AGAIN == 0:
            continue
        p = packets[i]
        ts = i64(p["ts_ns"])
        ttl = i64(p["ttl"])
        kind = 0
        relinked = 0
        across = 0
        for back in range(1, WINDOW + 1):
            j = WINDOW + i - back
            if keys[j] != keys[WINDOW + i] or heads[j] != heads[WINDOW + i]:
                continue
            q = packets[j - WINDOW] if j >= WINDOW else past[j]
            apart = (ts >> 1) - (i64(q["ts_ns"]) >> 1)
            if apart > WINDOW_NS >> 1 or apart < -(WINDOW_NS >> 1):
                continue
            same = i64(q["ttl"]) == ttl
            if kind == 0 or (kind == ROUTED and same):
                kind = EXACT if same else ROUTED
                relinked = int(
                    i64(q["vlan"]) != i64(p["vlan"])
                    or i64(q["encap"]) != i64(p["encap"])
                    or i64(q["src_mac"]) != i64(p["src_mac"])
                    or i64(q["dst_mac"]) != i64(p["dst_mac"])
                )
                across = int(i64(q["capture"]) != i64(p["capture"]))
        if kind == 0:
            continue
        if state[EXACT] + state[ROUTED] == 0:
            state[FIRST_CAPTURE] = p["capture"]
            state[FIRST_RECORD] = p["record"]
        state[kind] += 1
        state[kind + 1] += i64(p["wire"])
        if kind == EXACT:
            state[RELINKED] += relinked
        state[ACROSS] += across
