"""Two tallies of consecutive parts of a capture become one.

In: the rows of a later part. Out: the earlier part's rows, with sums added, firsts kept and lasts moved on, as if one
pass had read both. Parts are merged in reading order; any grouping gives the same result.
"""

from __future__ import annotations

from typing import Any

from classifier.columns import LINK_PROTO, SEEN_A_ACK, SEEN_A_DATA, SEEN_B_ACK, SEEN_B_DATA, SEEN_UNRESOLVED
from classifier.flows.hashing import row_hash, share_row, shared_slot
from classifier.flows.state import FLOWS, FLOWS_CAP, JOINED, OVERFLOW
from classifier.jit import MASK32, i64, kernel

_TCP = 6


@kernel
def row_side(flows: Any, row: int, later: Any, i: int) -> int:
    """0: row i of `later` has the same five-tuple in the same sense, 1: turned round, -1: another one."""
    f = flows[row]
    g = later[i]
    if f["proto"] != g["proto"] or f["version"] != g["version"]:
        return -1
    if (
        f["a3"] == g["a3"] and f["a2"] == g["a2"] and f["a1"] == g["a1"] and f["a0"] == g["a0"]
        and f["b3"] == g["b3"] and f["b2"] == g["b2"] and f["b1"] == g["b1"] and f["b0"] == g["b0"]
        and f["a_port"] == g["a_port"] and f["b_port"] == g["b_port"]
    ):  # fmt: skip
        return 0
    if (
        f["a3"] == g["b3"] and f["a2"] == g["b2"] and f["a1"] == g["b1"] and f["a0"] == g["b0"]
        and f["b3"] == g["a3"] and f["b2"] == g["a2"] and f["b1"] == g["a1"] and f["b0"] == g["a0"]
        and f["a_port"] == g["b_port"] and f["b_port"] == g["a_port"]
    ):  # fmt: skip
        return 1
    return -1


@kernel
def opens_anew(flows: Any, row: int, later: Any, i: int, turned: int) -> bool:
    """Whether row i of the later part is another connection than `row`, the latest of that five-tuple so far.

    A row with a SYN begins with it (`kernel.is_reuse` splits there), so the SYN's number decides.
    """
    f = flows[row]
    g = later[i]
    for side in range(2):
        if side == 0:
            syns = i64(g["a_syns"])
            isn = i64(g["a_isn"])
        else:
            syns = i64(g["b_syns"])
            isn = i64(g["b_isn"])
        if syns == 0:
            continue
        mine = side if turned == 0 else 1 - side
        if mine == 0:
            numbered = i64(f["a_syns"]) + i64(f["a_synacks"]) > 0
            same = i64(f["a_isn"]) == isn
            sent = i64(f["a_packets"])
            stale = i64(f["b_synacks"]) == 0 and i64(f["b_packets"]) > i64(f["b_syns"])
        else:
            numbered = i64(f["b_syns"]) + i64(f["b_synacks"]) > 0
            same = i64(f["b_isn"]) == isn
            sent = i64(f["b_packets"])
            stale = i64(f["a_synacks"]) == 0 and i64(f["a_packets"]) > i64(f["a_syns"])
        if numbered:
            if not same:
                return True
        elif sent > 0 or stale:
            return True
    return False


@kernel
def add_row(flows: Any, row: int, later: Any, i: int, turned: int) -> None:
    """Add row i of the later part to `row`; `turned`: its side A is our side B."""
    f = flows[row]
    g = later[i]
    if g["first_ns"] < f["first_ns"]:
        f["first_ns"] = g["first_ns"]
    if g["last_ns"] > f["last_ns"]:
        f["last_ns"] = g["last_ns"]
    f["captured"] += g["captured"]
    f["fragments"] += g["fragments"]
    f["stopped"] += g["stopped"]
    f["evidence"] = i64(f["evidence"]) | i64(g["evidence"])
    if f["syn_ns"] == 0:
        f["syn_ns"] = g["syn_ns"]
    if f["synack_ns"] == 0:
        f["synack_ns"] = g["synack_ns"]
    seen = i64(g["seen"])
    if turned:
        ours = seen & SEEN_UNRESOLVED
        if seen & SEEN_A_ACK:
            ours |= SEEN_B_ACK
        if seen & SEEN_B_ACK:
            ours |= SEEN_A_ACK
        if seen & SEEN_A_DATA:
            ours |= SEEN_B_DATA
        if seen & SEEN_B_DATA:
            ours |= SEEN_A_DATA
        seen = ours
    f["seen"] = i64(f["seen"]) | seen
    if turned == 0:
        if g["a_packets"] > 0 and (f["a_packets"] == 0 or g["a_ttl"] < f["a_ttl"]):
            f["a_ttl"] = g["a_ttl"]
        if g["b_packets"] > 0 and (f["b_packets"] == 0 or g["b_ttl"] < f["b_ttl"]):
            f["b_ttl"] = g["b_ttl"]
        if f["a_packets"] == 0:
            f["a_mac"] = g["a_mac"]
        if f["b_packets"] == 0:
            f["b_mac"] = g["b_mac"]
        if i64(f["a_syns"]) + i64(f["a_synacks"]) == 0:
            f["a_isn"] = g["a_isn"]
        if i64(f["b_syns"]) + i64(f["b_synacks"]) == 0:
            f["b_isn"] = g["b_isn"]
        f["a_flags"] = i64(f["a_flags"]) | i64(g["a_flags"])
        f["b_flags"] = i64(f["b_flags"]) | i64(g["b_flags"])
        f["a_syns"] = min(i64(f["a_syns"]) + i64(g["a_syns"]), 0xFFFF)
        f["b_syns"] = min(i64(f["b_syns"]) + i64(g["b_syns"]), 0xFFFF)
        f["a_synacks"] = min(i64(f["a_synacks"]) + i64(g["a_synacks"]), 0xFFFF)
        f["b_synacks"] = min(i64(f["b_synacks"]) + i64(g["b_synacks"]), 0xFFFF)
        f["a_packets"] += g["a_packets"]
        f["b_packets"] += g["b_packets"]
        f["a_wire"] += g["a_wire"]
        f["b_wire"] += g["b_wire"]
        f["a_ip"] += g["a_ip"]
        f["b_ip"] += g["b_ip"]
        f["a_payload"] += g["a_payload"]
        f["b_payload"] += g["b_payload"]
    else:
        if g["b_packets"] > 0 and (f["a_packets"] == 0 or g["b_ttl"] < f["a_ttl"]):
            f["a_ttl"] = g["b_ttl"]
        if g["a_packets"] > 0 and (f["b_packets"] == 0 or g["a_ttl"] < f["b_ttl"]):
            f["b_ttl"] = g["a_ttl"]
        if f["a_packets"] == 0:
            f["a_mac"] = g["b_mac"]
        if f["b_packets"] == 0:
            f["b_mac"] = g["a_mac"]
        if i64(f["a_syns"]) + i64(f["a_synacks"]) == 0:
            f["a_isn"] = g["b_isn"]
        if i64(f["b_syns"]) + i64(f["b_synacks"]) == 0:
            f["b_isn"] = g["a_isn"]
        f["a_flags"] = i64(f["a_flags"]) | i64(g["b_flags"])
        f["b_flags"] = i64(f["b_flags"]) | i64(g["a_flags"])
        f["a_syns"] = min(i64(f["a_syns"]) + i64(g["b_syns"]), 0xFFFF)
        f["b_syns"] = min(i64(f["b_syns"]) + i64(g["a_syns"]), 0xFFFF)
        f["a_synacks"] = min(i64(f["a_synacks"]) + i64(g["b_synacks"]), 0xFFFF)
        f["b_synacks"] = min(i64(f["b_synacks"]) + i64(g["a_synacks"]), 0xFFFF)
        f["a_packets"] += g["b_packets"]
        f["b_packets"] += g["a_packets"]
        f["a_wire"] += g["b_wire"]
        f["b_wire"] += g["a_wire"]
        f["a_ip"] += g["b_ip"]
        f["b_ip"] += g["a_ip"]
        f["a_payload"] += g["b_payload"]
        f["b_payload"] += g["a_payload"]


@kernel
def merge_rows(flows: Any, slots: Any, state: Any, later: Any, m: int, moved: Any) -> None:
    """Add rows `later[0:m]`; `moved[i]` becomes `row * 2 + turned`. There is room for m more rows."""
    mask = len(slots) - 1
    for i in range(m):
        h = row_hash(later, i)
        at = h & mask
        row = -1
        turned = 0
        while slots[at] != 0:
            entry = i64(slots[at])
            if (entry >> 32) == h:
                found = (entry & MASK32) - 1
                side = row_side(flows, found, later, i)
                if side >= 0:
                    row = found
                    turned = side
                    break
            at = (at + 1) & mask
        previous = row
        if row >= 0 and later[i]["proto"] == _TCP:
            if opens_anew(flows, row, later, i, turned):
                row = -1
        shared = 0
        if row < 0 and state[FLOWS] >= state[FLOWS_CAP]:
            if previous >= 0:
                row = previous
                state[JOINED] += 1
            elif later[i]["proto"] < LINK_PROTO:
                shared = 1
                turned = 0
                state[OVERFLOW] += i64(later[i]["a_packets"]) + i64(later[i]["b_packets"])
                at = shared_slot(flows, slots, i64(later[i]["proto"]), i64(later[i]["version"]))
                row = (i64(slots[at]) & MASK32) - 1  # -1: not there yet
        if row < 0:
            row = i64(state[FLOWS])
            state[FLOWS] = row + 1
            flows[row] = later[i]
            flows[row]["previous"] = previous
            if shared != 0:
                share_row(flows, slots, row, at)
            else:
                slots[at] = (h << 32) | (row + 1)
            turned = 0
        else:
            add_row(flows, row, later, i, turned)
        moved[i] = row * 2 + turned
