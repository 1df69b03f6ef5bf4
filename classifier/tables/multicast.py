"""Multicast groups: who sends, who joined, how much.

In: `Facts` (flows to groups, IGMP and MLD memberships). Out: columns. Next: `classifier.report`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from classifier.decode.protocols import protocol_name
from classifier.flows.table import address_words
from classifier.tables.facts import Array, Columns, Facts, bps, highest, lowest, sums

GROUPS_LISTED = 10_000
NAMES_LISTED = 256
"""Addresses in one cell (senders or members of a group)."""

_IGMP, _ICMPV6 = 2, 58


def multicast(facts: Facts) -> Columns:
    """One row per group, port and protocol with packets, and per group that was only joined (0 packets).

    What manages groups and neighbours (IGMP, ICMPv6) is no row of its own; limited broadcast is no group.
    """
    flows, addresses, labels = facts.read.flows, facts.addresses, facts.labels
    broadcast = (addresses.version == 4) & (addresses.words[:, 3] == 0xFFFFFFFF)
    group = addresses.group & ~broadcast
    managing = (flows.proto == _IGMP) | ((flows.proto == _ICMPV6) & (flows.version == 6))
    chosen = np.flatnonzero(group[addresses.resp] & ~managing)
    key = addresses.resp[chosen] << 24 | flows.proto[chosen].astype("i8") << 16 | flows.resp_port[chosen]
    keys, at = np.unique(key, return_inverse=True)
    packets, wire = sums(at, flows.packets[chosen], len(keys)), sums(at, flows.wire[chosen], len(keys))
    first, last = lowest(at, flows.first_ns[chosen], len(keys)), highest(at, flows.last_ns[chosen], len(keys))
    ttl = flows.orig_ttl[chosen].astype("i8")
    lowest_ttl = lowest(at, np.where(ttl > 0, ttl, 256), len(keys))
    owner = _most(at, labels.component[chosen].astype("i8"), flows.packets[chosen])
    members = _members(facts)
    order = np.lexsort((keys, -wire))[:GROUPS_LISTED]
    senders = _senders(facts, chosen, at, order)

    rows: list[dict[str, Any]] = []
    with_traffic = set(addresses.texts(np.unique(keys >> 24)).tolist()) if len(keys) else set()
    for k in order.tolist():
        number = int(keys[k])
        name = addresses.text(number >> 24)
        rows.append(
            {
                "group": name,
                "port": number & 0xFFFF,
                "protocol": protocol_name(number >> 16 & 255),
                "component": labels.components[owner[k]],
                "senders": senders[k],
                "members": members.get(name, []),
                "packets": int(packets[k]),
                "wire_bytes": int(wire[k]),
                "mean_bps": bps(int(wire[k]), facts.seconds),
                "ttl": int(lowest_ttl[k]) if lowest_ttl[k] < 256 else None,
                "first_ns": int(first[k]),
                "last_ns": int(last[k]),
            }
        )
    silent = sorted((name for name in members if name not in with_traffic), key=address_words)
    times: dict[str, list[int]] = {}
    for m in facts.read.memberships:
        times.setdefault(m.group, []).append(m.ts_ns)
    for name in silent[: GROUPS_LISTED - len(rows)]:
        rows.append(
            {
                "group": name,
                "port": 0,
                "protocol": "",
                "component": "",
                "senders": [],
                "members": members[name],
                "packets": 0,
                "wire_bytes": 0,
                "mean_bps": 0.0,
                "ttl": None,
                "first_ns": min(times[name]),
                "last_ns": max(times[name]),
            }
        )
    facts.limit("multicast", len(rows), len(keys) + len(silent))
    names = (
        "group", "port", "protocol", "component", "senders", "members", "packets", "wire_bytes", "mean_bps", "ttl",
        "first_ns", "last_ns",
    )  # fmt: skip
    return {name: [row[name] for row in rows] for name in names}


def _most(key: Array, choice: Array, weight: Array) -> dict[int, int]:
    """Per key the choice with the greatest sum of weights (the lower number on a tie)."""
    if not len(key):
        return {}
    top = int(choice.max()) + 1
    pairs, at = np.unique(key * top + choice, return_inverse=True)
    heavy = sums(at, weight, len(pairs))
    out: dict[int, int] = {}
    for k in np.lexsort((pairs, -heavy)).tolist():
        out.setdefault(int(pairs[k]) // top, int(pairs[k]) % top)
    return out


def _senders(facts: Facts, chosen: Array, at: Array, order: Array) -> dict[int, list[str]]:
    """Per group key in `order` the addresses that sent to it, most packets first, at most `NAMES_LISTED`."""
    flows, addresses = facts.read.flows, facts.addresses
    n = len(addresses)
    listed = np.zeros(int(at.max()) + 1 if len(at) else 0, bool)
    listed[order] = True
    keep = listed[at] & (flows.orig_packets[chosen] > 0)
    key = at[keep] * n + addresses.orig[chosen[keep]]
    pairs, number = np.unique(key, return_inverse=True)
    packets = sums(number, flows.orig_packets[chosen[keep]], len(pairs))
    out: dict[int, list[str]] = {int(k): [] for k in order}
    most = 0
    if len(pairs):
        row = pairs // n
        ranked = np.lexsort((pairs, -packets, row))
        row = row[ranked]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        most = int(place.max()) + 1
        ranked = ranked[place < NAMES_LISTED]
        for k, name in zip((pairs[ranked] // n).tolist(), addresses.texts(pairs[ranked] % n).tolist(), strict=True):
            out[k].append(name)
    facts.limit("multicast.senders", NAMES_LISTED, most)
    return out


def _members(facts: Facts) -> dict[str, list[str]]:
    """Per group the hosts that joined it, in numerical order; link-local IPv6 node groups are left out."""
    joined: dict[str, set[str]] = {}
    for m in facts.read.memberships:
        if m.kind == "join" and not m.group.startswith("ff02::1:ff"):
            joined.setdefault(m.group, set()).add(m.host)
    most = max((len(names) for names in joined.values()), default=0)
    facts.limit("multicast.members", NAMES_LISTED, most)
    return {group: sorted(names, key=address_words)[:NAMES_LISTED] for group, names in joined.items()}
