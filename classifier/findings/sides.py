"""Which hosts' packets a capture holds, address by address, and where it must have been taken for that.

In: a case's flow table. Out: `Sides`. Next: `findings.vantage`. Columns over addresses, computed when asked for.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from classifier.arrays import distinct
from classifier.tables.addresses import mac_text
from classifier.units import counted, percent

if TYPE_CHECKING:
    from classifier.findings.case import Array, Case

INITIAL_TTLS = (32, 64, 128, 255)
"""What systems send with (observed; RFC 1700 recommends 64)."""
COOKED = ("LINUX_SLL", "LINUX_SLL2")
FLOODED = 0.05
"""Share of the packets up to which unicast without any answer may be what a switch sent everywhere (ours)."""
ENOUGH = 10
"""Packets between hosts from which the place can be told (ours)."""
LOOPBACK = "loopback addresses: taken on the host itself"
LINK = 2
"""Hosts that a link between two has: more are heard on a port of a switch."""
FRAMES = 3
"""Frames without padding, and with it, from which they tell who captured (ours)."""


class Sides:
    """Facts per address number of `case.addresses`."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.flows, self.addresses = case.flows, case.addresses
        self.n = len(self.addresses)

    @cached_property
    def unicast(self) -> Array:
        """(n flows,) bool: between two hosts. `x.x.x.255` that never answers is taken for a subnet's broadcast."""
        flows, addresses = self.flows, self.addresses
        group = addresses.group[addresses.orig] | addresses.group[addresses.resp]
        broadcast = self.case.everybody[addresses.resp] & (flows.resp_packets == 0)
        hosts: Array = ~group & ~(broadcast & (flows.proto != 6))
        return hosts

    @cached_property
    def _two_way(self) -> Array:
        two: Array = self.unicast & (self.flows.orig_packets > 0) & (self.flows.resp_packets > 0)
        return two

    @property
    def answered(self) -> bool:
        """Whether any unicast was answered."""
        return bool(self._two_way.any())

    def both_ways(self, address: str) -> bool:
        """Whether a host has sent and received unicast of one flow."""
        number = self.addresses.find(address)
        return number >= 0 and bool(self._has_two_way[number])

    @cached_property
    def _has_two_way(self) -> Array:
        return self._marked(self.addresses.orig[self._two_way], self.addresses.resp[self._two_way])

    def _marked(self, *numbers: Array) -> Array:
        has = np.zeros(self.n, bool)
        for each in numbers:
            has[each] = True
        return has

    def hears(self, address: str) -> bool:
        """Whether a host has sent broadcast or multicast."""
        number = self.addresses.find(address)
        return number >= 0 and bool(self.senders_to_groups[number])

    @cached_property
    def senders_to_groups(self) -> Array:
        """(n addresses,) bool."""
        flows, addresses = self.flows, self.addresses
        other = ~self.unicast & (addresses.orig != addresses.resp)
        has = self._marked(
            addresses.orig[other & (flows.orig_packets > 0)], addresses.resp[other & (flows.resp_packets > 0)]
        )
        has[addresses.group] = False
        return has

    def peers_of(self, address: str) -> int:
        """Hosts that a host talked with both ways."""
        number = self.addresses.find(address)
        return 0 if number < 0 else int(self._peers[number])

    @cached_property
    def _peers(self) -> Array:
        orig, resp = self.addresses.orig[self._two_way], self.addresses.resp[self._two_way]
        pairs = distinct(np.minimum(orig, resp) * self.n + np.maximum(orig, resp))
        low, high = (pairs // self.n, pairs % self.n) if self.n else (pairs, pairs)
        return np.bincount(low, minlength=self.n) + np.bincount(high, minlength=self.n)

    def is_local(self, address: str) -> bool | None:
        """Whether a host's unicast arrives with a TTL that it could have been sent with; None when it sent none."""
        number = self.addresses.find(address)
        ttl = int(self._ttl[number]) if number >= 0 else 0
        return None if not ttl else ttl in INITIAL_TTLS

    @cached_property
    def _ttl(self) -> Array:
        """(n addresses,) u1: the highest of its flows' lowest TTLs; 0 = none."""
        flows, addresses = self.flows, self.addresses
        ttl = np.zeros(self.n, "u1")
        np.maximum.at(ttl, addresses.orig[self.unicast], flows.orig_ttl[self.unicast])
        np.maximum.at(ttl, addresses.resp[self.unicast], flows.resp_ttl[self.unicast])
        return ttl

    # -- the place

    def place(self, most: float) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """`(place, hosts, reasons)`: one of `vantage.PLACES`. `most`: share of the packets that one end must have."""
        own, mac = self._capturing_host()
        center, hosts, reason = self._center(most)
        if not own:
            return center, hosts, (reason,)
        senders = self._senders_from(mac) if mac else ()
        named = tuple(host for host in hosts if host in senders) if mac else hosts
        if len(named) != 1:
            named = senders if len(senders) == 1 else ()
        return "host", named, (own, reason)

    def _senders_from(self, mac: int) -> tuple[str, ...]:
        """Addresses that send unicast from a MAC address."""
        return tuple(self.addresses.texts(self._behind(mac, np.flatnonzero(self.unicast))).tolist())

    def _capturing_host(self) -> tuple[str, int]:
        """What only the host that captured shows, empty without; its MAC address, 0 when it is not known."""
        names = {name for info in self.case.read.captures for name in info.link_types}
        if names & set(COOKED):
            return "Linux' cooked capture: taken on a host", 0
        words = self.addresses.words
        loop = np.where(
            self.addresses.version == 4,
            words[:, 3] >> 24 == 127,
            (words[:, 3] == 1) & ~words[:, :3].any(axis=1),
        )
        if self.n and loop.all():
            return LOOPBACK, 0
        return self._unsent_frames()

    def _unsent_frames(self) -> tuple[str, int]:
        """Frames as they are before a network card pads or cuts them."""
        watched = self.case.read.watched
        if watched is None:
            return "", 0
        rows = [(int(row["mac"]), int(row["bare"]), int(row["padded"])) for row in watched.macs]
        bare = [row for row in rows if row[1]]
        padded = sum(row[2] for row in rows if not row[1])
        if len(bare) == 1 and bare[0][1] >= FRAMES and not bare[0][2] and padded >= FRAMES:
            name = mac_text(bare[0][0])
            text = f"frames of {name} are without the padding that all others have: taken on that host"
            return text, bare[0][0]
        if watched.beyond_jumbo >= FRAMES and len(watched.giant_macs) == 1:
            name = mac_text(watched.giant_macs[0])
            text = f"packets up to {watched.largest:,} bytes, all from or to {name}: taken on that host, with offload"
            return text, watched.giant_macs[0]
        return "", 0

    def _center(self, most: float) -> tuple[str, tuple[str, ...], str]:
        flows, addresses = self.flows, self.addresses
        chosen = np.flatnonzero(self._two_way if self.answered else self.unicast)
        packets = flows.packets[chosen]
        everything = int(flows.packets.sum())
        senders = int(self.senders_to_groups.sum())
        if not len(chosen) or (not self.answered and senders > LINK and packets.sum() < FLOODED * everything):
            if senders > LINK:
                text = f"no conversation between hosts, broadcast or multicast of {counted(senders, 'host')}"
                return "bystander", (), text
            return "unknown", (), "no conversation between hosts"
        if packets.sum() < ENOUGH:
            return "unknown", (), "too few packets between hosts to tell"
        orig, resp = addresses.orig[chosen], addresses.resp[chosen]
        ends = _of_ends(orig, resp, packets, self.n)
        often = _of_ends(orig, resp, np.ones(len(chosen)), self.n)
        central = np.flatnonzero((ends >= most * packets.sum()) & (often >= most * len(chosen)))
        if len(central) == 1:
            name = addresses.text(int(central[0]))
            share = percent(float(ends[central[0]]) / float(packets.sum()))
            return "port", (name,), f"{name} is an end of {share} of the packets between hosts"
        if len(central) == 2:
            return self._pair(central)
        return self._shared_port(chosen, packets, most)

    def _pair(self, central: Array) -> tuple[str, tuple[str, ...], str]:
        names = tuple(self.addresses.texts(central).tolist())
        local = [name for name in names if self.is_local(name)]
        if len(local) == 1 and all(self.is_local(name) is not None for name in names):
            return (
                "port",
                tuple(local),
                f"only {names[0]} and {names[1]} talk, and only {local[0]} is not behind a router",
            )
        return "pair", names, f"only {names[0]} and {names[1]} talk"

    def _shared_port(self, chosen: Array, packets: Array, most: float) -> tuple[str, tuple[str, ...], str]:
        flows, addresses = self.flows, self.addresses
        a, b = flows.orig_mac[chosen], flows.resp_mac[chosen]
        known = (a != 0) | (b != 0)
        if not known.any():
            return "unknown", (), "many hosts talk, and there are no MAC addresses to tell whose port this is"
        macs, at = np.unique(np.concatenate([a, b]), return_inverse=True)
        by_mac = _of_ends(at[: len(chosen)], at[len(chosen) :], packets, len(macs))
        ends = macs[(by_mac >= most * packets.sum()) & (macs != 0)]
        behind = [self._behind(int(mac), chosen) for mac in ends]
        hosts = [numbers for numbers in behind if self._is_one_host(numbers)]
        if len(hosts) == 1:
            names = tuple(addresses.texts(hosts[0]).tolist())
            return "port", names, f"{' and '.join(names)} send from one MAC address, an end of nearly everything"
        if behind:
            largest = max(range(len(behind)), key=lambda k: len(behind[k]))
            text = f"{len(behind[largest]):,} addresses send from {mac_text(int(ends[largest]))}"
            return "router", (), f"{text}, an end of nearly everything"
        pairs = int((macs != 0).sum())
        if pairs <= LINK:
            return "unknown", (), "many addresses talk between two MAC addresses or fewer"
        vlans = distinct(flows.vlan[chosen])
        tags = f", in {len(vlans[vlans >= 0]):,} VLANs" if (vlans >= 0).sum() > 1 else ""
        return "many", (), f"hosts with {pairs:,} MAC addresses talk to each other{tags}, none is an end of all"

    def _behind(self, mac: int, chosen: Array) -> Array:
        """Numbers of the addresses that send from a MAC address."""
        orig = chosen[(self.flows.orig_mac[chosen] == mac) & (self.flows.orig_packets[chosen] > 0)]
        resp = chosen[(self.flows.resp_mac[chosen] == mac) & (self.flows.resp_packets[chosen] > 0)]
        return distinct(np.concatenate([self.addresses.orig[orig], self.addresses.resp[resp]]))

    def _is_one_host(self, numbers: Array) -> bool:
        """Whether addresses may be those of one network card: an IPv4 address or two, and a few of IPv6."""
        four = int((self.addresses.version[numbers] == 4).sum())
        return len(numbers) > 0 and four <= 2 and len(numbers) - four <= 4


def _of_ends(orig: Array, resp: Array, weight: Array, size: int) -> Array:
    """(size,) sums of `weight` over the flows that a number is an end of."""
    total: Array = np.bincount(orig, weight, size) + np.bincount(resp, weight, size) * 1.0
    twice = orig == resp
    if twice.any():
        total -= np.bincount(orig[twice], weight[twice], size)
    return total
