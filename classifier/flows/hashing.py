"""Where a flow is in the hash table: the hash of its key, and the rows that flows beyond the cap share.

In: PACKET or FLOW rows. Out: hashes, places in `slots`. Next: `flows.kernel`.
"""

from __future__ import annotations

from typing import Any

from classifier.jit import MASK32, i64, inlined, kernel


@inlined
def mix(value: int, word: int) -> int:
    """One round of a 32-bit multiplicative hash."""
    value = ((value ^ word) * 0x2C1B3C6D) & MASK32
    return value ^ (value >> 15)


@inlined
def flow_hash(packets: Any, i: int) -> int:
    """31-bit hash of a packet's five-tuple, the same for both directions."""
    p = packets[i]
    source = mix(mix(0x9E3779B1, i64(p["src_port"])), i64(p["src3"]))
    target = mix(mix(0x9E3779B1, i64(p["dst_port"])), i64(p["dst3"]))
    if p["version"] == 6:
        source = mix(mix(mix(source, i64(p["src2"])), i64(p["src1"])), i64(p["src0"]))
        target = mix(mix(mix(target, i64(p["dst2"])), i64(p["dst1"])), i64(p["dst0"]))
    both = (source + target) & MASK32
    return mix(mix(both, 0x5BD1E995), i64(p["proto"]) + 1) & 0x7FFFFFFF


@kernel
def row_hash(flows: Any, row: int) -> int:
    """`flow_hash` of a row's own key."""
    f = flows[row]
    source = mix(mix(0x9E3779B1, i64(f["a_port"])), i64(f["a3"]))
    target = mix(mix(0x9E3779B1, i64(f["b_port"])), i64(f["b3"]))
    if f["version"] == 6:
        source = mix(mix(mix(source, i64(f["a2"])), i64(f["a1"])), i64(f["a0"]))
        target = mix(mix(mix(target, i64(f["b2"])), i64(f["b1"])), i64(f["b0"]))
    both = (source + target) & MASK32
    return mix(mix(both, 0x5BD1E995), i64(f["proto"]) + 1) & 0x7FFFFFFF


@kernel
def shared_slot(flows: Any, slots: Any, proto: int, version: int) -> int:
    """Place in `slots` of the row that flows of a protocol and IP version share beyond the cap; it may be free."""
    half = mix(mix(0x9E3779B1, 0), 0)
    if version == 6:
        half = mix(mix(mix(half, 0), 0), 0)
    h = mix(mix((half + half) & MASK32, 0x5BD1E995), proto + 1) & 0x7FFFFFFF
    mask = len(slots) - 1
    at = h & mask
    while slots[at] != 0:
        entry = i64(slots[at])
        if (entry >> 32) == h:
            f = flows[(entry & MASK32) - 1]
            if (
                f["proto"] == proto
                and f["version"] == version
                and f["a_port"] == 0
                and f["b_port"] == 0
                and f["a3"] == 0
                and f["b3"] == 0
                and f["a2"] == 0
                and f["b2"] == 0
                and f["a1"] == 0
                and f["b1"] == 0
                and f["a0"] == 0
                and f["b0"] == 0
            ):
                return at
        at = (at + 1) & mask
    return at


@inlined
def is_shared(flows: Any, row: int) -> bool:
    """Whether a row is one that flows beyond the cap share (`share_row`)."""
    f = flows[row]
    if f["a_port"] != 0 or f["b_port"] != 0:
        return False
    return i64(f["a3"]) == 0 and i64(f["b3"]) == 0 and i64(f["a0"]) == 0 and i64(f["b0"]) == 0


@kernel
def share_row(flows: Any, slots: Any, row: int, at: int) -> None:
    """Make a row that was filled from its first flow the shared one: without addresses and ports, at its slot."""
    f = flows[row]
    f["a0"] = 0
    f["a1"] = 0
    f["a2"] = 0
    f["a3"] = 0
    f["b0"] = 0
    f["b1"] = 0
    f["b2"] = 0
    f["b3"] = 0
    f["a_port"] = 0
    f["b_port"] = 0
    slots[at] = (row_hash(flows, row) << 32) | (row + 1)
