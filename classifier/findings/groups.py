"""Multicast groups as rules look at them: who sends what when, who joined, left and asked.

In: a Case (UDP flows to groups, their time bins, IGMP and MLD messages). Out: `Groups`, as `Case.groups`. Next: the
rules about multicast.

Everything that grows with flows is a column, ordered once by group, port and sender, so that each of these is a slice;
a `Group` is made for those that a rule looks at. Times of activity are those of the time bins (100 ms, wider in very
long captures: `Groups.width_ns`), clipped to the first and the last packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from classifier.arrays import distinct
from classifier.findings.model import FLOWS_OF_A_FINDING
from classifier.flows.stream_table import KIND_RTP
from classifier.flows.table import address_words
from classifier.tables.facts import sums

if TYPE_CHECKING:
    from classifier.evidence.collect import Membership
    from classifier.findings.case import Array, Case

GROUPS_LOOKED_AT = 1000
"""Groups that rules about any group look at, those with most bytes first."""
MEDIA, ANNOUNCEMENT = "digifort.multicast_media", "digifort.announcement"

SOURCE = np.dtype(
    [
        ("group", "i8"), ("sender", "i8"),  # address numbers
        ("port", "i8"),
        ("packets", "i8"), ("wire", "i8"),
        ("first_ns", "i8"), ("last_ns", "i8"),
        ("ttl", "i8"),  # lowest seen, 0 = none
        ("low", "i8"), ("high", "i8"),  # its flows: `Groups.flows[low:high]`
    ]
)  # fmt: skip
"""One sender to one port of one group."""

_UDP = 17
_SECOND = 1_000_000_000


class Groups:
    """All groups of a capture. `flows`: UDP flows to groups by (group, port, sender); `sources`: SOURCE rows.

    Fragments whose first one is not there have no port and are left out.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.width_ns = case.read.bin_width_ns
        flows, addresses = case.flows, case.addresses
        broadcast = (addresses.version == 4) & (addresses.words[:, 3] == 0xFFFFFFFF)
        to_group = (addresses.group & ~broadcast)[addresses.resp]
        chosen = np.flatnonzero(to_group & (flows.proto == _UDP) & (flows.orig_packets > 0) & ~flows.unresolved)
        group, sender = addresses.resp[chosen], addresses.orig[chosen]
        port = flows.resp_port[chosen].astype("i8")
        order = np.lexsort((flows.first_ns[chosen], sender, port, group))
        self.flows: Array = chosen[order]
        self.sources: Array = self._sources(group[order], port[order], sender[order])

    def _sources(self, group: Array, port: Array, sender: Array) -> Array:
        n = len(group)
        new = (np.diff(group) != 0) | (np.diff(port) != 0) | (np.diff(sender) != 0)
        low = np.concatenate(([0], np.flatnonzero(new) + 1)).astype("i8") if n else np.zeros(0, "i8")
        out = np.zeros(len(low), SOURCE)
        if n:
            flows = self.case.flows
            out["group"], out["port"], out["sender"] = group[low], port[low], sender[low]
            out["packets"] = np.add.reduceat(flows.orig_packets[self.flows], low)
            out["wire"] = np.add.reduceat(flows.orig_wire[self.flows], low)
            out["first_ns"] = np.minimum.reduceat(flows.first_ns[self.flows], low)
            out["last_ns"] = np.maximum.reduceat(flows.last_ns[self.flows], low)
            ttl = flows.orig_ttl[self.flows].astype("i8")
            out["ttl"] = np.minimum.reduceat(np.where(ttl > 0, ttl, 256), low) & 0xFF
            out["low"], out["high"] = low, np.append(low[1:], n)
        return out

    # -- groups

    def get(self, address: str) -> Group:
        """A group, also one that nobody sent to or joined (then it is empty)."""
        number = self.case.addresses.find(address)
        first, last = np.searchsorted(self.sources["group"], [number, number + 1]) if number >= 0 else (0, 0)
        return Group(self, address, self.sources[first:last])

    @cached_property
    def all(self) -> list[Group]:
        """Groups with traffic, most bytes first, then those only joined, most often first: `GROUPS_LOOKED_AT`."""
        numbers, at = np.unique(self.sources["group"], return_inverse=True)
        order = np.lexsort((numbers, -sums(at, self.sources["wire"], len(numbers))))[:GROUPS_LOOKED_AT]
        heard = self.case.addresses.texts(numbers[order]).tolist() if len(order) else []
        joined = sorted(set(self.messages) - set(heard), key=lambda name: (-len(self.messages[name]), name))
        return [self.get(address) for address in (*heard, *joined[: GROUPS_LOOKED_AT - len(heard)])]

    def of(self, component: str) -> list[Group]:
        """The groups of a component (by signature or by the user's word) that anybody sent to or joined."""
        return [group for group in map(self.get, self.addresses_of(component)) if group.packets or group.messages]

    def addresses_of(self, component: str) -> tuple[str, ...]:
        """The group addresses of a component."""
        signature = self.case.facts.signatures.get(component)
        return signature.groups if signature is not None else ()

    @cached_property
    def known_services(self) -> frozenset[str]:
        """Groups of curated services (SSDP, mDNS, ...): joined by every computer, whether anybody sends or not."""
        return frozenset(group for item in self.case.facts.signatures.services for group in item.groups)

    # -- who said what

    @cached_property
    def messages(self) -> dict[str, list[Membership]]:
        """Joins and leaves by group, in order of time. Without the groups of single IPv6 nodes."""
        said: dict[str, list[Membership]] = {}
        for item in self.case.read.memberships:
            if item.kind != "query" and not item.group.startswith("ff02::1:ff"):
                said.setdefault(item.group, []).append(item)
        for items in said.values():
            items.sort(key=lambda item: item.ts_ns)
        return said

    @cached_property
    def queries(self) -> list[Membership]:
        """All queries in order of time, IGMP and MLD."""
        return sorted((item for item in self.case.read.memberships if item.kind == "query"), key=lambda q: q.ts_ns)

    @cached_property
    def unread(self) -> str:
        """Why IGMP or MLD messages may be missing although the capture has them; empty when all were read."""
        flows = self.case.flows
        if any(problem.code == "evidence_cap" for problem in self.case.read.problems):
            return "some IGMP messages were not looked at: too many payloads"
        if int(flows.stopped[flows.proto == 2].sum()):
            return "some IGMP messages are cut or damaged"
        return ""

    def flow_ids(self, sources: Array, most: int = FLOWS_OF_A_FINDING) -> list[int]:
        """Flows of some SOURCE rows, at most `most`."""
        out: list[int] = []
        for low, high in zip(sources["low"].tolist(), sources["high"].tolist(), strict=True):
            out += self.flows[low : min(high, low + most - len(out))].tolist()
            if len(out) >= most:
                break
        return out

    # -- over time

    @cached_property
    def _bins(self) -> tuple[Array, Array, Array, Array]:
        """(place in `flows`, start_ns, packets, wire) of the time bins of all flows to groups, by place, then time."""
        facts, bins = self.case.facts, self.case.read.bins
        place_of_row = np.full(len(facts.owner), -1, "i8")
        place_of_row[self.case.flows.row[self.flows]] = np.arange(len(self.flows))
        place = place_of_row[bins["flow"]]
        kept = np.flatnonzero(place >= 0)
        place, bins = place[kept], bins[kept]
        start = bins["bin_ns"] - bins["bin_ns"] % self.width_ns
        order = np.lexsort((start, place))
        wire = (bins["a_wire"] + bins["b_wire"])[order]
        return place[order], start[order], bins["packets"].astype("i8")[order], wire

    def over_time(self, sources: Array) -> tuple[Array, Array, Array]:
        """(start_ns, packets, wire) of some SOURCE rows together, per time bin that holds packets, in order."""
        place, start, packets, wire = self._bins
        first, last = np.searchsorted(place, sources["low"]), np.searchsorted(place, sources["high"])
        before = np.cumsum(last - first) - (last - first)
        rows = np.arange(int((last - first).sum())) + np.repeat(first - before, last - first)
        times, at = np.unique(start[rows], return_inverse=True)
        return times, sums(at, packets[rows], len(times)), sums(at, wire[rows], len(times))

    def runs(self, sources: Array, gap_ns: int) -> list[tuple[int, int]]:
        """(first, last) of each time in which some SOURCE rows sent, without a pause longer than `gap_ns`."""
        start, _, _ = self.over_time(sources)
        if not len(start):
            return []
        breaks = np.flatnonzero(np.diff(start) > gap_ns + self.width_ns)
        first, last = int(sources["first_ns"].min()), int(sources["last_ns"].max())
        begins = np.maximum(start[np.concatenate(([0], breaks + 1))], first)
        ends = np.minimum(start[np.append(breaks, len(start) - 1)] + self.width_ns, last)
        return list(zip(begins.tolist(), ends.tolist(), strict=True))

    def most_ports_at_once(self, sources: Array) -> tuple[int, int]:
        """(ports, when): the most ports that SOURCE rows of one group sent to within one second, and when first."""
        place, start, _, _ = self._bins
        source_of = np.repeat(np.arange(len(self.sources)), self.sources["high"] - self.sources["low"])
        source, second = source_of[place], start // _SECOND
        port = np.where(
            np.isin(source, np.searchsorted(self.sources["low"], sources["low"])), self.sources["port"][source], -1
        )
        kept = port >= 0
        if not kept.any():
            return 0, 0
        pairs = distinct(second[kept] * 65536 + port[kept])
        seconds, count = np.unique(pairs // 65536, return_counts=True)
        return int(count.max()), int(seconds[count.argmax()]) * _SECOND

    @cached_property
    def ssrcs(self) -> dict[int, list[Any]]:
        """STREAM rows of RTP by flow."""
        rows = self.case.read.streams.rows
        flow = self.case.facts.flow_of_row[rows["where"] >> 1] if len(rows) else np.zeros(0, "i8")
        out: dict[int, list[Any]] = {}
        for k in np.flatnonzero((rows["kind"] == KIND_RTP) & np.isin(flow, self.flows)).tolist():
            out.setdefault(int(flow[k]), []).append(rows[k])
        return out

    def with_rtp(self, sources: Array) -> list[int]:
        """Which SOURCE rows of one group (places in `sources`) carry RTP."""
        if not len(sources) or not self.ssrcs:
            return []
        places = np.flatnonzero(np.isin(self.flows, list(self.ssrcs)))
        inside = places[(places >= sources["low"][0]) & (places < sources["high"][-1])]
        return [int(k) for k in distinct(np.searchsorted(sources["low"], inside, side="right") - 1)]


class Group:
    """One group. `sources`: its SOURCE rows, by port and sender."""

    def __init__(self, groups: Groups, address: str, sources: Array) -> None:
        self.groups = groups
        self.address = address
        self.sources = sources

    @property
    def packets(self) -> int:
        return int(self.sources["packets"].sum())

    @property
    def wire(self) -> int:
        return int(self.sources["wire"].sum())

    @property
    def first_ns(self) -> int:
        """Of the data; only with packets."""
        return int(self.sources["first_ns"].min())

    @property
    def last_ns(self) -> int:
        return int(self.sources["last_ns"].max())

    @property
    def ports(self) -> list[int]:
        """Destination ports, ascending."""
        return [int(port) for port in distinct(self.sources["port"])]

    @property
    def messages(self) -> list[Membership]:
        """Joins and leaves, in order of time."""
        return self.groups.messages.get(self.address, [])

    @property
    def joins(self) -> list[Membership]:
        return [item for item in self.messages if item.kind == "join"]

    @property
    def leaves(self) -> list[Membership]:
        return [item for item in self.messages if item.kind == "leave"]

    @property
    def members(self) -> list[str]:
        """Hosts that joined, in order of their first join."""
        return list(dict.fromkeys(item.host for item in self.joins))

    @cached_property
    def senders(self) -> list[int]:
        """Address numbers of the senders, most packets first."""
        numbers, at = np.unique(self.sources["sender"], return_inverse=True)
        packets = sums(at, self.sources["packets"], len(numbers))
        return [int(numbers[k]) for k in np.lexsort((numbers, -packets))]

    def of_sender(self, sender: int) -> Array:
        """The SOURCE rows of a sender."""
        rows: Array = self.sources[self.sources["sender"] == sender]
        return rows

    def flow_ids(self, sources: Array | None = None, most: int = FLOWS_OF_A_FINDING) -> list[int]:
        """Flows of some SOURCE rows (all of them without any), at most `most`."""
        return self.groups.flow_ids(self.sources if sources is None else sources, most)

    def macs(self, sources: Array) -> list[int]:
        """MAC addresses that SOURCE rows were sent from."""
        macs = self.groups.case.flows.orig_mac[self.flow_ids(sources)]
        return [int(mac) for mac in distinct(macs) if mac]

    def vlans(self, sources: Array | None = None) -> list[int]:
        """VLANs of the flows, `NO_VLAN` for none."""
        return [int(vlan) for vlan in distinct(self.groups.case.flows.vlan[self.flow_ids(sources)])]

    def sent_by(self, hosts: Iterable[str]) -> list[str]:
        """Those of some hosts that send to the group."""
        named = list(hosts)
        sends = np.isin([self.groups.case.addresses.find(host) for host in named], self.sources["sender"])
        return [host for host, does in zip(named, sends.tolist(), strict=True) if does]

    def pps(self, sources: Array | None = None) -> float:
        """Packets per second while it was sent to."""
        rows = self.sources if sources is None else sources
        return float(rows["packets"].sum()) / lasted_s(rows)

    @property
    def bps(self) -> float:
        """Bits per second while it was sent to; only with packets."""
        return self.wire * 8 / lasted_s(self.sources)


def lasted_s(sources: Array) -> float:
    """Seconds from the first to the last packet of SOURCE rows, one at least: what mean rates are over."""
    return max(float(sources["last_ns"].max() - sources["first_ns"].min()) / 1e9, 1.0)


def group_mac(address: str) -> int:
    """The MAC address that a group's packets go to: RFC 1112 6.4, RFC 2464 7."""
    version, words = address_words(address)
    return 0x01005E000000 | words[3] & 0x7FFFFF if version == 4 else 0x333300000000 | words[3]


def is_link_local(address: str) -> bool:
    """224.0.0.x and ff02:: and below: never leave their network, and snooping switches send them everywhere."""
    return address[3] in "012" if ":" in address else address.startswith("224.0.0.")


def not_link_local(groups: Iterable[Group]) -> Iterator[Group]:
    """The groups that switches may filter."""
    return (group for group in groups if not is_link_local(group.address))
