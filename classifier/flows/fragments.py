"""Which flow a later IP fragment belongs to.

In: PACKET rows of fragments. Out: the entry of their datagram in a fixed, 4-way set-associative table, keyed by
addresses, protocol and identification (RFC 791, RFC 8200), so that neither memory nor time can be made to grow;
the oldest entry of a set gives way. Fragments that come before their first one wait in a fixed pool.
"""

from __future__ import annotations

from typing import Any

from classifier.flows.state import FRAGMENT_TIMEOUT_NS, FRAGMENT_WAYS, HELD_FREE, HELD_FULL, HELD_USED
from classifier.jit import MASK32, i64, kernel


@kernel
def fragment_set(table: Any, packets: Any, i: int) -> int:
    """First entry of the set that a fragment's datagram belongs to."""
    p = packets[i]
    h = i64(p["frag_id"])
    for word in (i64(p["src3"]), i64(p["dst3"]), i64(p["src2"]), i64(p["dst2"]), i64(p["src1"]), i64(p["src0"])):
        h = ((h ^ word) * 0x2C1B3C6D) & MASK32
        h ^= h >> 15
    return (h % (len(table) // FRAGMENT_WAYS)) * FRAGMENT_WAYS


@kernel
def lookup_first(table: Any, packets: Any, i: int) -> int:
    """The entry of a fragment's datagram, -1 when it is not known (or too long ago)."""
    base = fragment_set(table, packets, i)
    p = packets[i]
    for entry in range(base, base + FRAGMENT_WAYS):
        e = table[entry]
        if (
            e["used"] != 0
            and e["frag_id"] == p["frag_id"]
            and e["src3"] == p["src3"]
            and e["dst3"] == p["dst3"]
            and e["proto"] == p["proto"]
            and e["version"] == p["version"]
            and e["src0"] == p["src0"]
            and e["src1"] == p["src1"]
            and e["src2"] == p["src2"]
            and e["dst0"] == p["dst0"]
            and e["dst1"] == p["dst1"]
            and e["dst2"] == p["dst2"]
        ):
            age = i64(p["ts_ns"]) - i64(e["ts_ns"])
            if -FRAGMENT_TIMEOUT_NS <= age <= FRAGMENT_TIMEOUT_NS:
                return entry
    return -1


@kernel
def forget_oldest(table: Any, packets: Any, i: int) -> int:
    """The entry that a new datagram may take: its own outdated one, a free one, else the oldest of the set."""
    base = fragment_set(table, packets, i)
    oldest = base
    for entry in range(base, base + FRAGMENT_WAYS):
        if table[entry]["used"] == 0:
            return entry
        if table[entry]["ts_ns"] < table[oldest]["ts_ns"]:
            oldest = entry
    return oldest


@kernel
def remember_first(table: Any, entry: int, packets: Any, i: int, known: int) -> None:
    """Note a datagram; `known`: packet i is its first fragment and holds the ports."""
    e = table[entry]
    p = packets[i]
    e["ts_ns"] = p["ts_ns"]
    e["src0"] = p["src0"]
    e["src1"] = p["src1"]
    e["src2"] = p["src2"]
    e["src3"] = p["src3"]
    e["dst0"] = p["dst0"]
    e["dst1"] = p["dst1"]
    e["dst2"] = p["dst2"]
    e["dst3"] = p["dst3"]
    e["frag_id"] = p["frag_id"]
    e["proto"] = p["proto"]
    e["version"] = p["version"]
    e["src_port"] = p["src_port"]
    e["dst_port"] = p["dst_port"]
    e["known"] = known
    e["used"] = 1


@kernel
def hold_packet(table: Any, held: Any, links: Any, state: Any, entry: int, packets: Any, i: int) -> int:
    """Keep a later fragment until its first one comes; returns its place, -1 when the pool is full."""
    at = i64(state[HELD_FREE])
    if at >= 0:
        state[HELD_FREE] = links[at]
    else:
        at = i64(state[HELD_USED])
        if at >= len(held):
            state[HELD_FULL] += 1
            return -1
        state[HELD_USED] = at + 1
    held[at] = packets[i]
    links[at] = table[entry]["held"]
    table[entry]["held"] = at
    return at


@kernel
def free_held(links: Any, state: Any, at: int) -> None:
    """Give a place of the pool back."""
    links[at] = state[HELD_FREE]
    state[HELD_FREE] = at
