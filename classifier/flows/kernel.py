"""The flow kernel: packets in, flow rows and time bins out.

In: a batch of PACKET rows in reading order. Out: updated FLOW and BIN rows, the batch's evidence candidates and,
when asked, which flow each record went to. The arrays belong to `flows.tally.Tally`, which makes room before each
batch: a kernel never allocates. Later fragments get their flow from `flows.fragments`.

The flow table is an open-addressing hash table: `slots[h]` holds `hash << 32 | row + 1`, 0 when free. The hash is
symmetrical, so both directions of a five-tuple meet in one row; side A is whoever sent the first packet.
"""

from __future__ import annotations

from typing import Any

from classifier.columns import (
    FRAG_AROUND,
    FRAG_MORE,
    LINK_PROTO,
    SEEN_A_ACK,
    SEEN_A_DATA,
    SEEN_B_ACK,
    SEEN_B_DATA,
    SEEN_UNRESOLVED,
    TCP_ACK,
    TCP_RST,
    TCP_SYN,
)
from classifier.decode.network import datagram_key
from classifier.flows.candidates import (
    RTSP_BITS,
    candidate_kind,
    note_hint,
    offer_candidate,
    report_due,
    speaks_for_hosts,
)
from classifier.flows.fragments import (
    enter_datagram,
    follow_first,
    free_held,
    hold_packet,
    lead_around,
    remember_first,
    take_waiting,
)
from classifier.flows.hashing import flow_hash, is_shared, row_hash, share_row, shared_slot
from classifier.flows.state import (
    BIN_WIDTH,
    BINS,
    CANDIDATES,
    FLOWS,
    FLOWS_CAP,
    FOLLOW,
    FOLLOWING,
    FRAG_LOST,
    JOINED,
    KIND_REPORT,
    LOG_ON,
    LOGGED,
    OVERFLOW,
)
from classifier.flows.tcp import list_followed, track_segment
from classifier.jit import MASK32, i64, inlined, kernel

_TCP = 6
_UDP = 17


@inlined
def flow_side(flows: Any, row: int, packets: Any, i: int) -> int:
    """0: the packet was sent by side A of the row, 1: by side B, -1: another five-tuple."""
    f = flows[row]
    p = packets[i]
    if f["proto"] != p["proto"] or f["version"] != p["version"]:
        return -1
    if (
        f["a3"] == p["src3"]
        and f["b3"] == p["dst3"]
        and f["a_port"] == p["src_port"]
        and f["b_port"] == p["dst_port"]
        and f["a2"] == p["src2"]
        and f["b2"] == p["dst2"]
        and f["a1"] == p["src1"]
        and f["b1"] == p["dst1"]
        and f["a0"] == p["src0"]
        and f["b0"] == p["dst0"]
    ):
        return 0
    if (
        f["a3"] == p["dst3"]
        and f["b3"] == p["src3"]
        and f["a_port"] == p["dst_port"]
        and f["b_port"] == p["src_port"]
        and f["a2"] == p["dst2"]
        and f["b2"] == p["src2"]
        and f["a1"] == p["dst1"]
        and f["b1"] == p["src1"]
        and f["a0"] == p["dst0"]
        and f["b0"] == p["src0"]
    ):
        return 1
    return -1


@kernel
def is_reuse(flows: Any, row: int, side: int, seq: int) -> bool:
    """Whether a SYN without ACK opens a new connection on a five-tuple that is already known.

    The same initial sequence number is a retransmission, another one a new connection; a SYN after
    segments of an unknown start, of either side, is new as well (but not one that its own SYN-ACK
    overtook).
    """
    f = flows[row]
    if side == 0:
        numbered = i64(f["a_syns"]) + i64(f["a_synacks"]) > 0
        same = f["a_isn"] == seq
        sent = i64(f["a_packets"])
        stale = i64(f["b_synacks"]) == 0 and i64(f["b_packets"]) > i64(f["b_syns"])
    else:
        numbered = i64(f["b_syns"]) + i64(f["b_synacks"]) > 0
        same = f["b_isn"] == seq
        sent = i64(f["b_packets"])
        stale = i64(f["a_synacks"]) == 0 and i64(f["a_packets"]) > i64(f["a_syns"])
    if numbered:
        return not same
    return sent > 0 or stale


@kernel
def start_flow(flows: Any, row: int, packets: Any, i: int, previous: int) -> None:
    """Fill a fresh (zeroed) flow row from its first packet; the counting comes after."""
    f = flows[row]
    p = packets[i]
    f["a0"] = p["src0"]
    f["a1"] = p["src1"]
    f["a2"] = p["src2"]
    f["a3"] = p["src3"]
    f["b0"] = p["dst0"]
    f["b1"] = p["dst1"]
    f["b2"] = p["dst2"]
    f["b3"] = p["dst3"]
    f["proto"] = p["proto"]
    f["version"] = p["version"]
    f["a_port"] = p["src_port"]
    f["b_port"] = p["dst_port"]
    f["vlan"] = p["vlan"]
    f["encap"] = p["encap"]
    f["capture"] = p["capture"]
    f["first_record"] = p["record"]
    f["first_ns"] = p["ts_ns"]
    f["last_ns"] = p["ts_ns"]
    f["bin_ns"] = p["ts_ns"]  # no bin open: bin_packets is 0
    f["previous"] = previous


@inlined
def find_flow(flows: Any, slots: Any, state: Any, packets: Any, i: int, h: int) -> int:
    """Row and side of a packet's flow, as `row * 2 + side`; makes the row when there is none. `h` is its hash.

    Beyond the cap on rows, packets of new flows share rows (`shared_row`), and a new connection is added to the
    earlier one of its five-tuple; the report says so.
    """
    mask = len(slots) - 1
    at = h & mask
    previous = -1
    while True:
        entry = i64(slots[at])
        if entry == 0:
            break
        if (entry >> 32) == h:
            row = (entry & MASK32) - 1
            side = flow_side(flows, row, packets, i)
            if side >= 0:
                p = packets[i]
                if p["proto"] == _TCP and (i64(p["tcp_flags"]) & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_SYN:
                    if is_reuse(flows, row, side, i64(p["seq"])):
                        previous = row
                        break
                return row * 2 + side
        at = (at + 1) & mask
    if i64(state[FLOWS]) >= i64(state[FLOWS_CAP]):
        if previous >= 0:
            state[JOINED] += 1
            return previous * 2 + flow_side(flows, previous, packets, i)
        if packets[i]["proto"] < LINK_PROTO:
            return shared_row(flows, slots, state, packets, i) * 2
    row = i64(state[FLOWS])
    state[FLOWS] = row + 1
    start_flow(flows, row, packets, i, previous)
    slots[at] = (h << 32) | (row + 1)
    return row * 2


@kernel
def shared_row(flows: Any, slots: Any, state: Any, packets: Any, i: int) -> int:
    """The row that a packet beyond the cap on flows is counted in; the packet keeps its addresses, for the parsers."""
    p = packets[i]
    state[OVERFLOW] += 1
    at = shared_slot(flows, slots, i64(p["proto"]), i64(p["version"]))
    if slots[at] != 0:
        return (i64(slots[at]) & MASK32) - 1
    row = i64(state[FLOWS])
    state[FLOWS] = row + 1
    start_flow(flows, row, packets, i, -1)
    share_row(flows, slots, row, at)
    return row


@inlined
def close_bin(flows: Any, row: int, bins: Any, state: Any) -> None:
    """Append the row's open time bin to the log."""
    f = flows[row]
    if f["bin_packets"] == 0:
        return
    at = i64(state[BINS])
    state[BINS] = at + 1
    b = bins[at]
    b["bin_ns"] = f["bin_ns"]
    b["a_wire"] = f["bin_a_wire"]
    b["b_wire"] = f["bin_b_wire"]
    b["packets"] = f["bin_packets"]
    b["flow"] = row
    f["bin_packets"] = 0
    f["bin_a_wire"] = 0
    f["bin_b_wire"] = 0


@inlined
def is_group_of(f: Any) -> bool:
    """Whether side B of a flow is a multicast group."""
    return i64(f["b3"]) >> 28 == 14 if f["version"] == 4 else i64(f["b0"]) >> 24 == 0xFF


@inlined
def account(flows: Any, slots: Any, bins: Any, log: Any, state: Any, packets: Any, i: int, h: int) -> int:
    """Count one packet in its flow; returns `row * 2 + side`. Needs room for one flow and one bin."""
    where = find_flow(flows, slots, state, packets, i, h)
    row = where >> 1
    f = flows[row]
    p = packets[i]
    ts = i64(p["ts_ns"])
    wire = i64(p["wire"])
    width = i64(state[BIN_WIDTH])
    offset = ts - i64(f["bin_ns"])
    if f["bin_packets"] == 0 or offset < 0 or offset >= width:
        close_bin(flows, row, bins, state)
        f["bin_ns"] = ts - ts % width
    f["bin_packets"] += 1
    if ts < f["first_ns"]:
        f["first_ns"] = ts
    if ts > f["last_ns"]:
        f["last_ns"] = ts
    f["captured"] += p["captured"]
    if p["stop"] != 0:
        f["stopped"] += 1
    if p["frag_offset"] != 0 or p["frag_more"] != 0:
        f["fragments"] += 1
    if where & 1:
        f["bin_b_wire"] += wire
        f["b_packets"] += 1
        f["b_wire"] += wire
        f["b_ip"] += p["ip"]
        f["b_payload"] += p["payload"]
        if f["b_packets"] == 1:
            f["b_mac"] = p["src_mac"]
            f["b_ttl"] = p["ttl"]
        elif p["ttl"] < f["b_ttl"]:
            f["b_ttl"] = p["ttl"]
    else:
        f["bin_a_wire"] += wire
        f["a_packets"] += 1
        f["a_wire"] += wire
        f["a_ip"] += p["ip"]
        f["a_payload"] += p["payload"]
        if f["a_packets"] == 1:
            f["a_mac"] = p["src_mac"]
            if f["b_packets"] == 0 and is_group_of(f):
                f["b_mac"] = p["dst_mac"]  # a group sends nothing: where its packets went tells how they were sent
            f["a_ttl"] = p["ttl"]
        elif p["ttl"] < f["a_ttl"]:
            f["a_ttl"] = p["ttl"]
    if p["proto"] == _TCP and p["frag_offset"] == 0:
        account_tcp(flows, row, where & 1, packets, i)
    if state[LOG_ON] != 0:
        at = i64(state[LOGGED])
        state[LOGGED] = at + 1
        log[at]["record"] = p["record"]
        log[at]["capture"] = p["capture"]
        log[at]["flow"] = row
    return where


@inlined
def account_tcp(flows: Any, row: int, side: int, packets: Any, i: int) -> None:
    """TCP state of one segment: sums, ors and firsts only."""
    f = flows[row]
    p = packets[i]
    flags = i64(p["tcp_flags"])
    seen = i64(f["seen"])
    plain_ack = (flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK
    if side == 0:
        f["a_flags"] = i64(f["a_flags"]) | flags
        if plain_ack:
            seen |= SEEN_A_ACK
        if p["payload"] > 0:
            seen |= SEEN_A_DATA
    else:
        f["b_flags"] = i64(f["b_flags"]) | flags
        if plain_ack:
            seen |= SEEN_B_ACK
        if p["payload"] > 0:
            seen |= SEEN_B_DATA
    f["seen"] = seen
    if flags & TCP_SYN:
        if side == 0:
            if i64(f["a_syns"]) + i64(f["a_synacks"]) == 0:
                f["a_isn"] = p["seq"]
        elif i64(f["b_syns"]) + i64(f["b_synacks"]) == 0:
            f["b_isn"] = p["seq"]
        if flags & TCP_ACK:
            if side == 0:
                f["a_synacks"] = min(i64(f["a_synacks"]) + 1, 0xFFFF)
            else:
                f["b_synacks"] = min(i64(f["b_synacks"]) + 1, 0xFFFF)
            if f["synack_ns"] == 0:
                f["synack_ns"] = p["ts_ns"]
        else:
            if side == 0:
                f["a_syns"] = min(i64(f["a_syns"]) + 1, 0xFFFF)
            else:
                f["b_syns"] = min(i64(f["b_syns"]) + 1, 0xFFFF)
            if f["syn_ns"] == 0:
                f["syn_ns"] = p["ts_ns"]


@kernel
def release_held(
    flows: Any, slots: Any, bins: Any, log: Any, state: Any, table: Any, held: Any, links: Any, released: int
) -> None:
    """Count the packets of the list `released`, which waited for a first fragment, and those that waited for them."""
    while released >= 0:
        at = released
        released = i64(links[at])
        p = held[at]
        if i64(p["frag_more"]) & FRAG_AROUND:
            released = lead_around(table, held, links, state, held, at, released)
        where = account(flows, slots, bins, log, state, held, at, flow_hash(held, at))
        f = flows[where >> 1]
        if f["capture"] == p["capture"] and p["record"] < f["first_record"]:
            f["first_record"] = p["record"]  # it came before the first fragment
            f["vlan"] = p["vlan"]
            f["encap"] = p["encap"]
        if i64(p["frag_more"]) & FRAG_LOST:
            f["seen"] = i64(f["seen"]) | SEEN_UNRESOLVED
        free_held(links, state, at)


@kernel
def account_fragment(
    flows: Any, slots: Any, bins: Any, log: Any, state: Any, table: Any, held: Any, links: Any, packets: Any, i: int
) -> int:
    """`account` for a fragment; -1 when it waits for its first one. Also counts the packets that waited for it."""
    p = packets[i]
    ts = i64(p["ts_ns"])
    pieces = i64(p["frag_more"])
    released = -1
    lost = 0
    if p["frag_offset"] != 0:
        entry, released = enter_datagram(table, held, links, state, datagram_key(p), ts, released)
        if table[entry]["known"] != 0:
            follow_first(packets, i, table, entry)
        elif hold_packet(table, held, links, state, entry, packets, i) >= 0:
            release_held(flows, slots, bins, log, state, table, held, links, released)
            return -1
        else:
            lost = 1
    elif pieces & FRAG_MORE:
        key = datagram_key(p)
        entry, released = enter_datagram(table, held, links, state, key, ts, released)
        remember_first(table, entry, key, packets, i, 0)
        released = take_waiting(table, held, links, entry, released, 1)
    if pieces & FRAG_AROUND:
        released = lead_around(table, held, links, state, packets, i, released)
    where = account(flows, slots, bins, log, state, packets, i, flow_hash(packets, i))
    if lost != 0:
        flows[where >> 1]["seen"] = i64(flows[where >> 1]["seen"]) | SEEN_UNRESOLVED
    release_held(flows, slots, bins, log, state, table, held, links, released)
    return where


@kernel
def tally_batch(
    packets: Any,
    n: int,
    flows: Any,
    slots: Any,
    bins: Any,
    log: Any,
    candidates: Any,
    limiter: Any,
    probes: Any,
    media: Any,
    tcp: Any,
    followed: Any,
    table: Any,
    held: Any,
    links: Any,
    ahead: Any,
    state: Any,
) -> None:
    """Count `packets[0:n]`. `flows`, `bins` and `log` have room for n rows plus all held packets."""
    streams, places, logged, counts = media
    state[CANDIDATES] = 0
    state[FOLLOWING] = 0
    follow = state[FOLLOW] != 0
    stride = len(ahead)
    for i in range(n):
        p = packets[i]
        if stride > 0:
            if i % stride == 0:
                look_ahead(packets, i, min(i + stride, n), flows, slots, tcp, ahead, follow)
            h = i64(ahead[i % stride])
        else:
            h = flow_hash(packets, i)
        if p["frag_offset"] != 0 or p["frag_more"] != 0:
            where = account_fragment(flows, slots, bins, log, state, table, held, links, packets, i)
            if where < 0:
                continue
        else:
            where = account(flows, slots, bins, log, state, packets, i, h)
        if p["proto"] < LINK_PROTO:
            if follow and p["proto"] == _TCP and p["frag_offset"] == 0:
                track_segment(flows, where >> 1, where & 1, tcp, state, packets, i)
            hint = i64(p["hint"])
            kind = candidate_kind(flows, where, hint, packets, i)
            if (hint != 0 or kind != 0) and is_shared(flows, where >> 1):
                hint = 0  # what one flow says is not true of the others
                kind = kind if speaks_for_hosts(kind) else 0
            if hint != 0:
                note_hint(flows, where, hint, probes, streams, places, logged, counts, state, packets, i)
            if follow and p["proto"] == _TCP and p["payload"] > 0 and p["frag_offset"] == 0:
                f = flows[where >> 1]
                if (i64(f["a_hints"]) | i64(f["b_hints"])) & RTSP_BITS:
                    list_followed(flows, where, tcp, followed, state, i)
            if kind == KIND_REPORT and not report_due(flows, where, probes, packets, i):
                kind = 0
            if kind != 0:
                offer_candidate(flows, where, state, candidates, limiter, kind, hint, packets, i)


@inlined
def look_ahead(packets: Any, start: int, stop: int, flows: Any, slots: Any, tcp: Any, ahead: Any, follow: bool) -> None:
    """Hash `packets[start:stop]` and touch what they will need.

    The loads of these loops do not wait for each other, so the memory fetches many at once: with 200,000 flows
    the table lies outside the cache and each packet would otherwise wait for its slot, then for its row.
    """
    mask = len(slots) - 1
    for i in range(start, stop):
        h = flow_hash(packets, i)
        ahead[i - start] = (i64(slots[h & mask]) & MASK32) << 32 | h
    for i in range(start, stop):
        value = i64(ahead[i - start])
        row = (value >> 32) - 1
        at = 0
        touched = 0
        if row >= 0:
            touched = i64(flows[row]["a3"]) + i64(flows[row]["captured"]) + i64(flows[row]["b_packets"])
            if follow and flows[row]["proto"] == _TCP:
                at = i64(flows[row]["probe"])
        ahead[i - start] = value & 0x7FFFFFFF | at << 32 | (touched & 1) << 62
    for i in range(start, stop):
        value = i64(ahead[i - start])
        at = (value >> 32) & 0x3FFFFFFF
        touched = 0
        if at > 0:
            touched = i64(tcp[at]["last_ns"]) + i64(tcp[at]["silence_ns"])
            touched += i64(tcp[at + 1]["last_ns"]) + i64(tcp[at + 1]["silence_ns"])
        ahead[i - start] = value & 0x7FFFFFFF | (touched & 1) << 40
    for i in range(start, stop):
        ahead[i - start] = i64(ahead[i - start]) & 0x7FFFFFFF


@kernel
def flush_held(
    flows: Any, slots: Any, bins: Any, log: Any, table: Any, held: Any, links: Any, state: Any, entries: Any
) -> None:
    """At the end: count what still waits for the first fragment of these `entries`."""
    for others in range(2):  # first what others wait for in their turn
        for k in range(len(entries)):
            if others != 0 or leads_others(table, held, links, i64(entries[k])):
                released = take_waiting(table, held, links, i64(entries[k]), -1, 0)
                release_held(flows, slots, bins, log, state, table, held, links, released)


@kernel
def leads_others(table: Any, held: Any, links: Any, entry: int) -> bool:
    """Whether a packet that waits at an entry is the first fragment of a tunnel's datagram."""
    at = i64(table[entry]["held"])
    while at >= 0:
        if i64(held[at]["frag_more"]) & FRAG_AROUND:
            return True
        at = i64(links[at])
    return False


@kernel
def rehash(flows: Any, slots: Any, n: int) -> None:
    """Enter rows 0..n-1 into an empty, larger slot array: later flows of a five-tuple in front."""
    mask = len(slots) - 1
    for row in range(n - 1, -1, -1):
        h = row_hash(flows, row)
        at = h & mask
        while slots[at] != 0:
            at = (at + 1) & mask
        slots[at] = (h << 32) | (row + 1)
