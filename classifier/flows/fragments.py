"""Which flow a later IP fragment belongs to.

In: PACKET rows of fragments. Out: the entry of their datagram in a fixed, 4-way set-associative table, so that neither
memory nor time can be made to grow; the oldest entry of a set gives way. An entry is found by the key that all
fragments of the datagram share (`decode.network.datagram_key`) and holds the flow of the first one: its innermost
addresses, protocol and ports, which the others take over. Fragments that come before their first one wait in a
fixed pool.

A packet can be a later fragment itself and at the same time lie in the first fragment of a tunnel's datagram
(FRAG_AROUND): then it leads the tunnel's other fragments as soon as its own flow is known. The outermost and the
innermost fragmented datagram of a frame are kept; later fragments of one between them count as unresolved.
"""

from __future__ import annotations

from typing import Any

from classifier.columns import FRAG_MORE
from classifier.flows.state import (
    FORGOTTEN,
    FRAG_LOST,
    FRAGMENT_TIMEOUT_NS,
    FRAGMENT_WAYS,
    HELD_FREE,
    HELD_FULL,
    HELD_USED,
)
from classifier.jit import i64, kernel


@kernel
def datagram_set(table: Any, key: int) -> int:
    """First entry of the set that a datagram belongs to."""
    return ((key >> 31) % (len(table) // FRAGMENT_WAYS)) * FRAGMENT_WAYS


@kernel
def find_datagram(table: Any, key: int, ts_ns: int) -> int:
    """The entry of a datagram, -1 when it is not known (or too long ago)."""
    base = datagram_set(table, key)
    for entry in range(base, base + FRAGMENT_WAYS):
        if table[entry]["key"] == key:
            age = ts_ns - i64(table[entry]["ts_ns"])
            if -FRAGMENT_TIMEOUT_NS <= age <= FRAGMENT_TIMEOUT_NS:
                return entry
    return -1


@kernel
def oldest_datagram(table: Any, key: int) -> int:
    """The entry that a new datagram may take: a free one, else the oldest of its set."""
    base = datagram_set(table, key)
    oldest = base
    for entry in range(base, base + FRAGMENT_WAYS):
        if table[entry]["key"] == 0:
            return entry
        if table[entry]["ts_ns"] < table[oldest]["ts_ns"]:
            oldest = entry
    return oldest


@kernel
def count_forgotten(table: Any, entry: int, state: Any, ts_ns: int) -> None:
    """Note that the datagram of an entry gives way before its time and before its last fragment came."""
    e = table[entry]
    if e["key"] != 0 and e["done"] == 0:
        age = ts_ns - i64(e["ts_ns"])
        if -FRAGMENT_TIMEOUT_NS <= age <= FRAGMENT_TIMEOUT_NS:
            state[FORGOTTEN] += 1


@kernel
def enter_datagram(
    table: Any, held: Any, links: Any, state: Any, key: int, ts_ns: int, released: int
) -> tuple[int, int]:
    """The entry of a datagram, and the list `released` with the packets in front that waited for the one it replaced.

    A new entry expects its first fragment.
    """
    entry = find_datagram(table, key, ts_ns)
    if entry < 0:
        entry = oldest_datagram(table, key)
        count_forgotten(table, entry, state, ts_ns)
        released = take_waiting(table, held, links, entry, released, 0)
        e = table[entry]
        e["key"] = key
        e["ts_ns"] = ts_ns
        e["known"] = 0
        e["done"] = 0
    return entry, released


@kernel
def take_waiting(table: Any, held: Any, links: Any, entry: int, released: int, resolved: int) -> int:
    """Put the packets that wait for an entry's first fragment in front of the list `released`; returns its new head.

    They are given the flow of the first fragment, or (unresolved) marked as lost.
    """
    head = i64(table[entry]["held"])
    if head < 0:
        return released
    table[entry]["held"] = -1
    at = head
    while True:
        if resolved != 0:
            follow_first(held, at, table, entry)
        else:
            held[at]["frag_more"] = i64(held[at]["frag_more"]) | FRAG_LOST
        if links[at] < 0:
            break
        at = i64(links[at])
    links[at] = released
    return head


@kernel
def lead_around(table: Any, held: Any, links: Any, state: Any, packets: Any, i: int, released: int) -> int:
    """Note packet i, whose flow is known now, as first fragment of the tunnel's datagram around it.

    Returns the list `released` with the packets in front that waited for it.
    """
    key = i64(packets[i]["around"])
    entry, released = enter_datagram(table, held, links, state, key, i64(packets[i]["ts_ns"]), released)
    remember_first(table, entry, key, packets, i, 1)
    return take_waiting(table, held, links, entry, released, 1)


@kernel
def remember_first(table: Any, entry: int, key: int, packets: Any, i: int, inside: int) -> None:
    """Note the flow of a datagram's first fragment, packet i. `inside`: it is a tunnel's, and the flow inside."""
    e = table[entry]
    p = packets[i]
    e["key"] = key
    e["ts_ns"] = p["ts_ns"]
    e["src0"] = p["src0"]
    e["src1"] = p["src1"]
    e["src2"] = p["src2"]
    e["src3"] = p["src3"]
    e["dst0"] = p["dst0"]
    e["dst1"] = p["dst1"]
    e["dst2"] = p["dst2"]
    e["dst3"] = p["dst3"]
    e["proto"] = p["proto"]
    e["version"] = p["version"]
    e["src_port"] = p["src_port"]
    e["dst_port"] = p["dst_port"]
    e["encap"] = p["encap"]
    e["vlan"] = p["vlan"]
    e["ttl"] = p["ttl"]
    e["inside"] = inside
    e["known"] = 1
    e["done"] = 0


@kernel
def follow_first(packets: Any, i: int, table: Any, entry: int) -> None:
    """Give a later fragment the flow of its first one.

    What a tunnel's later fragment carries is the rest of a packet whose own length has counted it already.
    """
    e = table[entry]
    p = packets[i]
    p["src0"] = e["src0"]
    p["src1"] = e["src1"]
    p["src2"] = e["src2"]
    p["src3"] = e["src3"]
    p["dst0"] = e["dst0"]
    p["dst1"] = e["dst1"]
    p["dst2"] = e["dst2"]
    p["dst3"] = e["dst3"]
    p["proto"] = e["proto"]
    p["version"] = e["version"]
    p["src_port"] = e["src_port"]
    p["dst_port"] = e["dst_port"]
    p["encap"] = e["encap"]
    p["vlan"] = e["vlan"]
    if i64(p["frag_more"]) & FRAG_MORE == 0:
        e["done"] = 1
    if e["inside"] != 0:
        p["ttl"] = e["ttl"]
        p["ip"] = 0
        p["payload"] = 0
        p["payload_captured"] = 0


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
