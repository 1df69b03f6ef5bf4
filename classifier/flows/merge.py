"""Two tallies of consecutive parts of a capture become one.

In: the rows of a later part. Out: the earlier part's rows, with sums added, firsts kept and lasts moved on, as if one
pass had read both. Parts are merged in reading order; any grouping gives the same result.
"""

from __future__ import annotations

from typing import Any

from classifier.columns import LINK_PROTO, SEEN_A_ACK, SEEN_A_DATA, SEEN_B_ACK, SEEN_B_DATA, SEEN_UNRESOLVED
from classifier.flows.hashing import row_hash, share_row, shared_slot
from classifier.flows.probe import merge_probes, swap_probes
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
def turn_row(rows: Any, i: int) -> None:
    """Exchange the sums of both sides of a row (not its key, which is compared either way)."""
    g = rows[i]
    packets = i64(g["a_packets"])
    g["a_packets"] = g["b_packets"]
    g["b_packets"] = packets
    wire = i64(g["a_wire"])
    g["a_wire"] = g["b_wire"]
    g["b_wire"] = wire
    ip = i64(g["a_ip"])
    g["a_ip"] = g["b_ip"]
    g["b_ip"] = ip
    payload = i64(g["a_payload"])
    g["a_payload"] = g["b_payload"]
    g["b_payload"] = payload
    ttl = i64(g["a_ttl"])
    g["a_ttl"] = g["b_ttl"]
    g["b_ttl"] = ttl
    mac = i64(g["a_mac"])
    g["a_mac"] = g["b_mac"]
    g["b_mac"] = mac
    isn = i64(g["a_isn"])
    g["a_isn"] = g["b_isn"]
    g["b_isn"] = isn
    flags = i64(g["a_flags"])
    g["a_flags"] = g["b_flags"]
    g["b_flags"] = flags
    syns = i64(g["a_syns"])
    g["a_syns"] = g["b_syns"]
    g["b_syns"] = syns
    synacks = i64(g["a_synacks"])
    g["a_synacks"] = g["b_synacks"]
    g["b_synacks"] = synacks
    hints = i64(g["a_hints"])
    g["a_hints"] = g["b_hints"]
    g["b_hints"] = hints
    seen = i64(g["seen"])
    turned = seen & SEEN_UNRESOLVED
    if seen & SEEN_A_ACK:
        turned |= SEEN_B_ACK
    if seen & SEEN_B_ACK:
        turned |= SEEN_A_ACK
    if seen & SEEN_A_DATA:
        turned |= SEEN_B_DATA
    if seen & SEEN_B_DATA:
        turned |= SEEN_A_DATA
    g["seen"] = turned


@kernel
def add_row(flows: Any, row: int, later: Any, i: int) -> None:
    """Add row i of the later part to `row`, side A to side A."""
    f = flows[row]
    g = later[i]
    if g["first_ns"] < f["first_ns"]:
        f["first_ns"] = g["first_ns"]
    if g["last_ns"] > f["last_ns"]:
        f["last_ns"] = g["last_ns"]
    f["captured"] += g["captured"]
    f["fragments"] += g["fragments"]
    f["stopped"] += g["stopped"]
    if f["syn_ns"] == 0:
        f["syn_ns"] = g["syn_ns"]
    if f["synack_ns"] == 0:
        f["synack_ns"] = g["synack_ns"]
    f["seen"] = i64(f["seen"]) | i64(g["seen"])
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
    f["a_hints"] = i64(f["a_hints"]) | i64(g["a_hints"])
    f["b_flags"] = i64(f["b_flags"]) | i64(g["b_flags"])
    f["b_hints"] = i64(f["b_hints"]) | i64(g["b_hints"])
    f["a_syns"] = min(i64(f["a_syns"]) + i64(g["a_syns"]), 0xFFFF)
    f["a_synacks"] = min(i64(f["a_synacks"]) + i64(g["a_synacks"]), 0xFFFF)
    f["a_sniffed"] = max(i64(f["a_sniffed"]), i64(g["a_sniffed"]))
    f["b_syns"] = min(i64(f["b_syns"]) + i64(g["b_syns"]), 0xFFFF)
    f["b_synacks"] = min(i64(f["b_synacks"]) + i64(g["b_synacks"]), 0xFFFF)
    f["b_sniffed"] = max(i64(f["b_sniffed"]), i64(g["b_sniffed"]))
    f["a_packets"] += g["a_packets"]
    f["a_wire"] += g["a_wire"]
    f["a_ip"] += g["a_ip"]
    f["a_payload"] += g["a_payload"]
    f["b_packets"] += g["b_packets"]
    f["b_wire"] += g["b_wire"]
    f["b_ip"] += g["b_ip"]
    f["b_payload"] += g["b_payload"]


@kernel
def add_probe(flows: Any, row: int, later: Any, i: int, turned: int, probes: Any) -> None:
    """Add what row i of the later part shows of media. Its probes stand behind ours in `probes`."""
    ours = i64(flows[row]["probe"])
    theirs = i64(later[i]["probe"])
    if theirs == 0:
        return
    if ours == 0:
        ours = theirs
        flows[row]["probe"] = ours
        if turned:
            swap_probes(probes, ours)
        return
    merge_probes(probes, ours, theirs + turned)
    merge_probes(probes, ours + 1, theirs + 1 - turned)


@kernel
def merge_rows(flows: Any, slots: Any, probes: Any, state: Any, later: Any, m: int, moved: Any) -> None:
    """Add rows `later[0:m]`, using them up; `moved[i]` becomes `row * 2 + turned`. There is room for m more rows."""
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
                later[i]["a_hints"] = 0  # what one flow says is not true of the others
                later[i]["b_hints"] = 0
                later[i]["probe"] = 0
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
            if turned:
                turn_row(later, i)
            add_row(flows, row, later, i)
            add_probe(flows, row, later, i, turned, probes)
        moved[i] = row * 2 + turned
