"""Multicast groups: who sends, who joined and left, who asks, how much.

In: `Facts` (flows to groups, IGMP and MLD memberships). Out: columns. Next: `classifier.report`.

Members, joins, leaves and queriers are a group's, not a port's: they repeat in each of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from classifier.arrays import distinct
from classifier.columns import MULTICAST
from classifier.decode.protocols import protocol_name
from classifier.flows.table import address_words
from classifier.tables.facts import Array, Columns, Facts, bps, highest, lowest, sums
from classifier.tables.rates import Rates

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
    said, queriers = _said(facts)
    order = np.lexsort((keys, -wire))[:GROUPS_LISTED]
    senders, ttls = _senders(facts, chosen, at, order)
    rates = _rates(facts, chosen, at)
    streams = sums(at, _streams(facts)[chosen], len(keys))

    rows: list[dict[str, Any]] = []
    with_traffic = set(addresses.texts(distinct(keys >> 24)).tolist()) if len(keys) else set()
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
                "packets": int(packets[k]),
                "wire_bytes": int(wire[k]),
                "mean_bps": bps(int(wire[k]), facts.seconds),
                "ttl": int(lowest_ttl[k]) if lowest_ttl[k] < 256 else None,
                "first_ns": int(first[k]),
                "last_ns": int(last[k]),
                "sender_ttls": ttls[k],
                "peak_bps": round(rates.peak_and_p95(k)[0], 3),
                "streams": int(streams[k]),
                **said.get(name, _NOTHING).row(),
                **_asked(queriers, name),
            }
        )
    silent = sorted((name for name in said if said[name].members and name not in with_traffic), key=address_words)
    for name in silent[: GROUPS_LISTED - len(rows)]:
        rows.append(
            {
                "group": name,
                "port": 0,
                "protocol": "",
                "component": "",
                "senders": [],
                "packets": 0,
                "wire_bytes": 0,
                "mean_bps": 0.0,
                "ttl": None,
                "first_ns": said[name].first_ns,
                "last_ns": said[name].last_ns,
                "sender_ttls": [],
                "peak_bps": 0.0,
                "streams": 0,
                **said[name].row(),
                **_asked(queriers, name),
            }
        )
    facts.limit("multicast", len(rows), len(keys) + len(silent))
    return {column.name: [row[column.name] for row in rows] for column in MULTICAST}


def _streams(facts: Facts) -> Array:
    """(flows,) i8: media streams that each flow carries."""
    flow = facts.flow_of_row[facts.read.streams.rows["where"] >> 1]
    return np.bincount(flow[flow >= 0], minlength=len(facts.read.flows))


def _rates(facts: Facts, chosen: Array, at: Array) -> Rates:
    """Rates over time by group key; `at`: the key of each chosen flow."""
    owner = np.full(len(facts.owner), -1, "i8")
    owner[facts.read.flows.row[chosen]] = at
    totals, bins = facts.totals, facts.read.bins
    bins = np.compress(owner[bins["flow"]] >= 0, bins) if len(chosen) else bins[:0]
    return Rates(bins, facts.read.bin_width_ns, owner, totals["first_ns"], totals["last_ns"])


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


def _senders(facts: Facts, chosen: Array, at: Array, order: Array) -> tuple[dict[int, list[str]], dict[int, list[int]]]:
    """Per group key in `order` the addresses that sent to it, most packets first, at most `NAMES_LISTED`, and the
    lowest TTL of each (0: none seen)."""
    flows, addresses = facts.read.flows, facts.addresses
    n = len(addresses)
    listed = np.zeros(int(at.max()) + 1 if len(at) else 0, bool)
    listed[order] = True
    keep = listed[at] & (flows.orig_packets[chosen] > 0)
    key = at[keep] * n + addresses.orig[chosen[keep]]
    pairs, number = np.unique(key, return_inverse=True)
    packets = sums(number, flows.orig_packets[chosen[keep]], len(pairs))
    ttl = flows.orig_ttl[chosen[keep]].astype("i8")
    ttls = lowest(number, np.where(ttl > 0, ttl, 256), len(pairs)) & 0xFF
    out: dict[int, list[str]] = {int(k): [] for k in order}
    out_ttls: dict[int, list[int]] = {int(k): [] for k in order}
    most = 0
    if len(pairs):
        row = pairs // n
        ranked = np.lexsort((pairs, -packets, row))
        row = row[ranked]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        most = int(place.max()) + 1
        ranked = ranked[place < NAMES_LISTED]
        names = addresses.texts(pairs[ranked] % n).tolist()
        for k, name, least in zip((pairs[ranked] // n).tolist(), names, ttls[ranked].tolist(), strict=True):
            out[k].append(name)
            out_ttls[k].append(least)
    facts.limit("multicast.senders", NAMES_LISTED, most)
    return out, out_ttls


@dataclass
class _Said:
    """What IGMP and MLD messages say of one group, over the whole capture."""

    last: dict[str, tuple[int, str]] = field(default_factory=dict)  # per host: time and kind of its last report
    members: set[str] = field(default_factory=set)
    joins: list[int] = field(default_factory=list)  # times
    leaves: list[int] = field(default_factory=list)

    @property
    def first_ns(self) -> int:
        return min(self.joins + self.leaves)

    @property
    def last_ns(self) -> int:
        return max(self.joins + self.leaves)

    def row(self) -> dict[str, Any]:
        left = [host for host in self.members if self.last[host][1] == "leave"]
        return {
            "members": sorted(self.members, key=address_words)[:NAMES_LISTED],
            "left": sorted(left, key=address_words)[:NAMES_LISTED],
            "joins": len(self.joins),
            "leaves": len(self.leaves),
            "first_join_ns": min(self.joins, default=None),
            "last_join_ns": max(self.joins, default=None),
            "first_leave_ns": min(self.leaves, default=None),
            "last_leave_ns": max(self.leaves, default=None),
        }


_NOTHING = _Said()


def _said(facts: Facts) -> tuple[dict[str, _Said], dict[str, dict[str, set[int]]]]:
    """What was said about each group, and per asked group ("4" and "6": all groups) the queriers with their versions.

    Link-local IPv6 node groups are left out.
    """
    said: dict[str, _Said] = {}
    queriers: dict[str, dict[str, set[int]]] = {}
    for m in facts.read.memberships:
        if m.kind == "query":
            asked = m.group or ("6" if ":" in m.host else "4")
            queriers.setdefault(asked, {}).setdefault(m.host, set()).add(m.version)
        elif not m.group.startswith("ff02::1:ff"):
            group = said.setdefault(m.group, _Said())
            if m.kind == "join":
                group.members.add(m.host)
            (group.joins if m.kind == "join" else group.leaves).append(m.ts_ns)
            if m.ts_ns >= group.last.get(m.host, (m.ts_ns, ""))[0]:
                group.last[m.host] = (m.ts_ns, m.kind)
    most = max((len(group.members) for group in said.values()), default=0)
    facts.limit("multicast.members", NAMES_LISTED, most)
    return said, queriers


def _asked(queriers: dict[str, dict[str, set[int]]], group: str) -> dict[str, Any]:
    """Who asked for a group's members, by a general query or one for it, and in which protocol versions."""
    family = "6" if ":" in group else "4"
    hosts: dict[str, set[int]] = {}
    for asked in (family, group):
        for host, versions in queriers.get(asked, {}).items():
            hosts.setdefault(host, set()).update(versions)
    protocol = "MLDv" if family == "6" else "IGMPv"
    spoken = sorted(set().union(*hosts.values()))
    return {
        "queriers": sorted(hosts, key=address_words)[:NAMES_LISTED],
        "querier_version": ", ".join(f"{protocol}{version}" for version in spoken),
    }
