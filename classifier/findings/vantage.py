"""Where the capture was taken, and so what it can and cannot show.

In: the facts of a report. Out: `Vantage`, as `Case.vantage`. Next: the rules, and the line on top of the report.

What is looked at, all of it on the flow table at once:

* Unicast between hosts. When one address is an end of nearly all of it, the capture was taken on that host or on a
  mirror of its port; when one MAC address is and many IP addresses are behind it, on the port of a router; otherwise
  on a mirror of several ports or a trunk. Without any unicast, on a port where only broadcast and multicast arrive.
* What only the capturing host itself shows: Linux' cooked capture, frames before Ethernet's padding, frames before
  they are cut into segments (`flows.watch`).
* TTLs: one that is an initial value passed no router.
* TCP connections that prove two directions (there are acknowledgements) and show one.

None of it is certain, and the text says so: "unknown" is an answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from classifier.columns import TCP_ACK, TCP_RST
from classifier.findings.case import once
from classifier.findings.sides import LOOPBACK, Sides
from classifier.units import counted, number, percent, size, span

if TYPE_CHECKING:
    from classifier.findings.case import Array, Case

HOST, PORT, PAIR, ROUTER, MANY, BYSTANDER, UNKNOWN = "host", "port", "pair", "router", "many", "bystander", "unknown"
PLACES = {
    HOST: "on a host itself",
    PORT: "on a host, or on a mirror of its port",
    PAIR: "at one of two hosts, or on a mirror of its port",
    ROUTER: "on the port of a router, or on a mirror of it",
    MANY: "on a mirror of several ports, or on a trunk",
    BYSTANDER: "on a port where only broadcast and multicast of others arrive",
    UNKNOWN: "unknown",
}

MOST = 0.98
"""Share of the unicast packets that one host must be an end of (ours)."""
BOTH_MOST = 0.1
"""Share of one-sided connections up to which both directions count as seen (ours)."""
UNSEEN_SHARE = 0.001
"""Share of the TCP payload, acknowledged and not captured, from which a capture counts as lossy (ours)."""
SEGMENTS = 3
"""Segments of one direction from which a connection is judged: one or two may be its rest."""
NO_LIMIT = 65_535
"""A snapshot length from here on cuts nothing that a network carries."""


@dataclass(frozen=True)
class Vantage:
    """What the capture can show. Addresses are texts.

    `hosts`: what the capture was taken on or right at, several when it has several addresses, empty when that is no
    host; with `PAIR` it is one of the two.
    `one_sided_share`: share of `judged` TCP connections of which only one direction is there, None without any.
    `others_unicast`: packets between two hosts that are not `hosts`. `reporters`: hosts whose IGMP or MLD reports are
    here. `dropped`: packets that the capturing program says it lost, None when no file says. `unseen_bytes`: TCP
    payload that was acknowledged and is not here. `moments`: instants at which many media streams lost packets.
    `snaplen`: bytes of a packet that were kept, None without a limit that matters; `cut_share`: of the bytes, missing.
    """

    place: str
    hosts: tuple[str, ...]
    reasons: tuple[str, ...]
    judged: int
    one_sided: int
    others_unicast: int
    reporters: frozenset[str]
    dropped: int | None
    unseen_bytes: int
    tcp_payload_bytes: int
    moments: int
    snaplen: int | None
    cut_share: float
    duration_ns: int
    packets: int
    _sides: Sides = field(repr=False)

    @property
    def one_sided_share(self) -> float | None:
        """Share of the judged TCP connections of which only one direction was captured."""
        return self.one_sided / self.judged if self.judged else None

    @property
    def loopback(self) -> bool:
        """Whether all traffic is a host's with itself."""
        return LOOPBACK in self.reasons

    @property
    def both_directions(self) -> bool | None:
        """Whether both directions were captured; None when nothing tells."""
        share = self.one_sided_share
        if share is not None:
            return share <= BOTH_MOST
        return True if self._sides.answered else None

    @cached_property
    def loss(self) -> tuple[str, ...]:
        """What shows that the capture lost packets, in words; empty when nothing does."""
        said = []
        if self.dropped:
            said.append(f"the capturing program dropped {counted(self.dropped, 'packet')}")
        if self.unseen_bytes > UNSEEN_SHARE * self.tcp_payload_bytes and self.both_directions is not False:
            said.append(f"{size(self.unseen_bytes)} were acknowledged by their receivers and are not in the capture")
        if self.moments:
            said.append(f"many media streams lost packets together at {counted(self.moments, 'instant')}")
        return tuple(said)

    @property
    def lossy(self) -> bool:
        """Whether something shows that the capture lost packets."""
        return bool(self.loss)

    def sees_host(self, address: str) -> bool:
        """Whether all packets that a host sends or receives pass here, as far as can be told.

        True for the host that the capture was taken on; on a mirror of several ports for hosts that talk both ways
        with two or more others. What a host does not send to the capture's port, such as multicast that nobody here
        joined, is part of what `hears` asks.
        """
        if self.place in (HOST, PORT):
            return address in self.hosts
        return self.place == MANY and self._sides.peers_of(address) >= 2

    def both_ways(self, address: str) -> bool:
        """Whether unicast from and to a host is here: what it did not answer, it did not answer."""
        return self._sides.both_ways(address) and self.both_directions is not False

    def hears(self, address: str) -> bool:
        """Whether broadcast or multicast sent by a host is here."""
        return self._sides.hears(address)

    @property
    def sees_other_reports(self) -> bool:
        """Whether IGMP or MLD reports of hosts are here that the capture was not taken on."""
        return bool(self.reporters - set(self.hosts))

    def is_local(self, address: str) -> bool | None:
        """Whether no router lies between here and a host, by its packets' TTL; None when it sent no unicast."""
        return self._sides.is_local(address)

    @cached_property
    def sentence(self) -> str:
        """One line: what this capture can and cannot show."""
        if not self.packets:
            return "Vantage point unknown: the capture holds no packets."
        said = [_where(self), *_shown(self)]
        return f"{'; '.join(said)}."

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        share = self.one_sided_share
        return {
            "place": self.place,
            "hosts": list(self.hosts),
            "sentence": self.sentence,
            "reasons": list(self.reasons),
            "both_directions": self.both_directions,
            "one_sided_share": None if share is None else round(share, 6),
            "tcp_judged": self.judged,
            "others_unicast_packets": self.others_unicast,
            "sees_other_reports": self.sees_other_reports,
            "dropped_packets": self.dropped,
            "unseen_bytes": self.unseen_bytes,
            "loss": list(self.loss),
            "snaplen": self.snaplen,
            "cut_share": round(self.cut_share, 9),
        }


def vantage(case: Case) -> Vantage:
    """The vantage point of a report's captures."""
    sides = Sides(case)
    place, hosts, reasons = sides.place(MOST)
    judged, one_sided = _directions(case, sides)
    totals = case.facts.totals
    interfaces = [item for info in case.read.captures for item in info.interfaces]
    lengths = [item.snaplen for item in interfaces if 0 < item.snaplen < NO_LIMIT]
    missing = totals["wire_bytes"] - totals["captured_bytes"]
    tcp = case.read.tcp
    losses = case.facts.losses
    ends = np.array([case.addresses.find(host) for host in hosts], "i8")
    others = sides.unicast & ~np.isin(case.addresses.orig, ends) & ~np.isin(case.addresses.resp, ends)
    return Vantage(
        place=place,
        hosts=hosts,
        reasons=reasons,
        judged=judged,
        one_sided=one_sided,
        others_unicast=int(case.flows.packets[others].sum()),
        reporters=frozenset(item.host for item in case.read.memberships if item.kind != "query"),
        dropped=_dropped(case),
        unseen_bytes=int(tcp.orig["unseen_bytes"].sum() + tcp.resp["unseen_bytes"].sum()),
        tcp_payload_bytes=int((case.flows.orig_payload + case.flows.resp_payload)[case.flows.proto == 6].sum()),
        moments=losses.moments if losses is not None else 0,
        snaplen=min(lengths) if lengths and missing > 0 else None,
        cut_share=max(missing, 0) / totals["wire_bytes"] if totals["wire_bytes"] else 0.0,
        duration_ns=case.duration_ns,
        packets=int(totals["packets"]),
        _sides=sides,
    )


def _directions(case: Case, sides: Sides) -> tuple[int, int]:
    """TCP connections that must have two directions, and those of them of which one is here."""
    flows = case.flows
    tcp = (flows.proto == 6) & sides.unicast
    both = tcp & (flows.orig_packets > 0) & (flows.resp_packets > 0)
    failed = ((flows.orig_flags | flows.resp_flags) & TCP_ACK) == 0
    one_sided = int(one_sided_flows(case).sum())
    return int((both & ~failed).sum()) + one_sided, one_sided


@once
def one_sided_flows(case: Case) -> Array:
    """(n flows,) bool: TCP connections of one direction whose segments acknowledge what the other sent."""
    flows = case.flows
    alone = (flows.proto == 6) & ((flows.orig_packets == 0) | (flows.resp_packets == 0))
    flags = flows.orig_flags | flows.resp_flags
    answers = ((flags & TCP_ACK) != 0) & (flags != TCP_ACK | TCP_RST)
    one: Array = alone & answers & (flows.packets >= SEGMENTS)
    return one


def _dropped(case: Case) -> int | None:
    """Packets that the files say were dropped; None when they say nothing."""
    said = [info for info in case.read.captures if info.dropped or any(i.dropped is not None for i in info.interfaces)]
    return sum(info.dropped for info in said) if said else None


def _where(view: Vantage) -> str:
    name = view.hosts[0] if view.hosts else ""
    if len(view.hosts) > 1 and view.place != PAIR:
        name += f" (also {view.hosts[1]})"
    return {
        HOST: f"Taken on {name} itself" if name else "Taken on a host itself",
        PORT: f"Taken on {name} or on a mirror of its port",
        PAIR: f"Taken at {' or '.join(view.hosts)} or on a mirror of its port",
        ROUTER: "Taken on a router's port or on a mirror of it",
        MANY: "Taken on a mirror of several ports or on a trunk",
        BYSTANDER: "Taken on a port that gets only broadcast and multicast of others",
        UNKNOWN: "Vantage point unknown",
    }[view.place]


def _shown(view: Vantage) -> list[str]:
    said = []
    share = view.one_sided_share
    if view.both_directions is False and share is not None:
        said.append(f"one direction only in {percent(share)} of {counted(view.judged, 'TCP connection')}")
    elif view.both_directions:
        said.append("both directions")
    elif view.place != BYSTANDER:
        said.append("whether both directions are here is unknown")
    if view.place in (HOST, PORT, PAIR) and not view.others_unicast:
        said.append("nothing of what other hosts say to each other")
    if view.place == BYSTANDER:
        said.append("nothing of connections between hosts")
    said.append(span(view.duration_ns))
    if view.cut_share > 0.01:
        limit = f" at {number(view.snaplen)} bytes" if view.snaplen else ""
        said.append(f"packets cut{limit}")
    if view.loss:
        said.append(f"packets lost while capturing ({', '.join(view.loss)})")
    elif view.dropped is None:
        said.append("drops unknown")
    else:
        said.append("no drops reported")
    return said
