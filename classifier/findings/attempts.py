"""What became of connections: of every TCP connection and UDP request, and rolled up by service and pair of hosts.

In: a Case. Out: `Attempts` (`case.attempts`): an outcome per flow, and `Pair`s: one client, one server, one port.
Next: the rules about connections, `findings.ports`.

An attempt without an answer tells of the network only where the capture would have shown the answer: it must have some
packet to the client, or some packet of the server. Otherwise the attempt is *half seen*, and nothing is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from classifier.columns import TCP_FIN, TCP_RST
from classifier.findings.idle import IDLE_NS, idle_cuts
from classifier.findings.rejections import Rejections
from classifier.flows.table import TCP_STATES

if TYPE_CHECKING:
    from classifier.findings.case import Array, Case
    from classifier.findings.scans import Scan

TCP, UDP = 6, 17
SECOND = 1_000_000_000

OUTCOMES = (
    "",  # no connection: other protocols, UDP to groups and to ports where nobody has to answer
    "established",  # handshake seen, data may flow
    "midstream",  # began before the capture
    "answered",  # a SYN-ACK that the client made no use of; or UDP in both directions
    "idle_cut",  # worked, and was dead after a long silence
    "dropped",  # accepted, then reset before the server sent anything
    "refused",  # the target answered the SYN with RST
    "rejected",  # an ICMP error says that it did not get there
    "unanswered",  # SYNs sent again and again, or UDP requests, and no answer
    "ignored",  # the server sends its SYN-ACK again: the client did not get it, or its ACK got lost
    "inconclusive",  # a SYN without an answer, too few or too late in the capture to tell
    "half_seen",  # the capture shows one direction only
)
"""What may become of a flow (`Attempts.outcome`)."""
(
    NONE,
    ESTABLISHED,
    MIDSTREAM,
    ANSWERED,
    IDLE_CUT,
    DROPPED,
    REFUSED,
    REJECTED,
    UNANSWERED,
    IGNORED,
    INCONCLUSIVE,
    HALF_SEEN,
) = range(len(OUTCOMES))
WORKED = (ESTABLISHED, MIDSTREAM, ANSWERED, IDLE_CUT)
"""The service was reached."""
FAILED = (REFUSED, REJECTED, UNANSWERED, IGNORED)
"""It was not."""

WAIT_NS = 5 * SECOND
"""So long after its first SYN an attempt without an answer counts as unanswered (ours)."""
RETRY_NS = SECOND // 2
"""SYNs so far apart are no copies of one (RFC 6298 2.1: a second at first; half of it for coarse clocks, ours)."""
ANSWERING = (53, 88, 111, 123, 137, 161, 389, 500, 1434, 1812, 3478)
"""UDP ports whose services answer every request that they like (DNS, Kerberos, rpcbind, NTP, NetBIOS names, SNMP, LDAP,
IKE, SSRP, RADIUS, STUN): silence there means something."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What one client got from one port of one server. `counts`: flows by index of OUTCOMES.

    `component`: index into the labels' components of who listens there, or would; -1 unknown. `first_ns`: of the
    first packet.
    """

    number: int
    proto: int
    port: int
    client: str
    server: str
    component: int
    counts: tuple[int, ...]
    first_ns: int

    @property
    def worked(self) -> int:
        """Flows that reached the service."""
        return sum(self.counts[k] for k in WORKED)

    @property
    def failed(self) -> int:
        """Flows that surely did not."""
        return sum(self.counts[k] for k in FAILED)

    @property
    def state(self) -> int:
        """The outcome that tells most of the pair: it works, or how it fails, or why nobody can tell."""
        order = (*WORKED, DROPPED, *FAILED, INCONCLUSIVE, HALF_SEEN)
        if self.worked:
            return next(k for k in order if self.counts[k])
        failing = max((DROPPED, *FAILED), key=lambda k: self.counts[k])
        return failing if self.counts[failing] else INCONCLUSIVE if self.counts[INCONCLUSIVE] else HALF_SEEN


class Attempts:
    """Outcomes. `outcome`: (n flows,) u1 index into OUTCOMES. Columns of pairs have m rows."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rejections = Rejections(case)
        self.outcome: Array = _outcomes(case, self.return_seen, self.rejections)
        self._roll_up()

    # -- can the capture tell?

    @cached_property
    def return_seen(self) -> Array:
        """(n flows,) bool: the capture would have shown an answer: it has packets to the client, or of the server."""
        case, flows = self.case, self.case.flows
        orig, resp = case.addresses.orig, case.addresses.resp
        group = case.everybody
        sends, receives = np.zeros(len(group), bool), np.zeros(len(group), bool)
        there, back = (flows.orig_packets > 0) & ~group[resp], flows.resp_packets > 0
        sends[orig[there]] = receives[resp[there]] = True
        sends[resp[back]] = receives[orig[back]] = True
        seen: Array = receives[orig] | sends[resp]
        return seen & (case.vantage.both_directions is not False)

    @cached_property
    def scans(self) -> list[Scan]:
        """Hosts that try many ports or many hosts in vain."""
        from classifier.findings.scans import scans

        return scans(self.case)

    @cached_property
    def scanned(self) -> Array:
        """(m pairs,) bool: part of a scan."""
        part = np.zeros(len(self), bool)
        for scan in self.scans:
            part[scan.pairs] = True
        return part

    @cached_property
    def in_vain(self) -> Array:
        """(m pairs,) bool: an attempt surely failed, and it was no scan."""
        vain: Array = self.counts[:, list(FAILED)].any(axis=1) & ~self.scanned
        return vain

    # -- roll-up

    def _roll_up(self) -> None:
        case, flows, labels = self.case, self.case.flows, self.case.labels
        rows = np.flatnonzero(self.outcome != NONE)
        turned = labels.listening_end(rows) == 1
        orig, resp = case.addresses.orig[rows], case.addresses.resp[rows]
        client, server = np.where(turned, resp, orig), np.where(turned, orig, resp)
        port = np.where(turned, flows.orig_port[rows], flows.resp_port[rows]).astype("i8")
        size = max(len(case.addresses), 1)
        hosts, pair = np.unique(server * size + client, return_inverse=True)
        key = (pair.astype("i8") << 17) | port << 1 | (flows.proto[rows] == UDP)
        keys, group = np.unique(key, return_inverse=True)
        self.rows = rows[np.argsort(group, kind="stable")]
        """Flows, pair by pair and in order of time: those of pair k from `starts[k]` to `starts[k + 1]`."""
        m = len(keys)
        self.starts = np.concatenate(([0], np.cumsum(np.bincount(group, minlength=m)))).astype("i8")
        self.server, self.client = np.divmod(hosts[keys >> 17], size) if m else (keys, keys)
        self.port = keys >> 1 & 0xFFFF
        self.proto = np.where(keys & 1, UDP, TCP)
        wide = len(OUTCOMES)
        self.counts = np.bincount(group * wide + self.outcome[rows], minlength=m * wide).reshape(m, wide)
        self.syns = np.bincount(group, flows.orig_syns[rows], m).astype("i8")
        self.first_ns, self.last_ns = np.zeros(m, "i8"), np.zeros(m, "i8")
        if m:
            self.first_ns = np.minimum.reduceat(flows.first_ns[self.rows], self.starts[:-1])
            self.last_ns = np.maximum.reduceat(flows.last_ns[self.rows], self.starts[:-1])
        self.component = self._components(group, rows, m)
        self._settle()

    def _components(self, group: Array, rows: Array, m: int) -> Array:
        """(m,) index of the component that listens, or would; products before services; -1 unknown."""
        labels, signatures = self.case.labels, self.case.facts.signatures
        nobody = len(labels.components)
        named = np.full(len(self.case.flows), nobody, "i8")
        known = len(signatures.signatures) + len(signatures.services)
        owned = labels.component[rows].astype("i8")
        named[rows] = np.where((owned >= 0) & (owned < known), owned, nobody)
        would = labels.candidates
        missed = np.isin(self.outcome[would.flow], (*FAILED, INCONCLUSIVE, HALF_SEEN)) & (named[would.flow] == nobody)
        np.minimum.at(named, would.flow[missed], would.component[missed].astype("i8"))
        found = np.full(m, nobody, "i8")
        np.minimum.at(found, group, named[rows])
        for proto, name in ((TCP, "tcp"), (UDP, "udp")):
            open_ = np.flatnonzero((found == nobody) & (self.proto == proto))
            service = signatures.service_table[name][self.port[open_]]
            found[open_] = np.where(service >= 0, service + len(signatures.signatures), nobody)
        return np.where(found == nobody, -1, found)

    def _settle(self) -> None:
        """Attempts with one SYN each are as good as one attempt with several."""
        enough = (self.syns >= 2) & (self.last_ns - self.first_ns >= RETRY_NS) & (self.proto == TCP)
        enough &= self.case.start_ns + self.case.duration_ns - self.first_ns >= WAIT_NS
        enough &= (self.counts[:, INCONCLUSIVE] > 0) & ~self.counts[:, WORKED].any(axis=1)
        for k in np.flatnonzero(enough & (self.counts.sum(axis=1) < 1000)).tolist():
            flows = self.flows(k)
            silent = flows[(self.outcome[flows] == INCONCLUSIVE) & (self.case.flows.resp_packets[flows] == 0)]
            self.outcome[silent] = UNANSWERED
            self.counts[k, INCONCLUSIVE] -= len(silent)
            self.counts[k, UNANSWERED] += len(silent)

    def __len__(self) -> int:
        return len(self.port)

    def flows(self, pair: int) -> Array:
        """Flow ids of a pair, in order of time."""
        return self.rows[self.starts[pair] : self.starts[pair + 1]]

    def flows_of(self, pairs: Array, *outcomes: int) -> Array:
        """Flow ids of some pairs with one of these outcomes (all without any named), in order of time."""
        sizes = self.starts[pairs + 1] - self.starts[pairs]
        before = np.cumsum(sizes) - sizes
        rows = np.sort(self.rows[np.arange(int(sizes.sum())) + np.repeat(self.starts[pairs] - before, sizes)])
        return rows[np.isin(self.outcome[rows], outcomes)] if outcomes else rows

    @cached_property
    def pair_of(self) -> Array:
        """(n flows,) i8: the number of each flow's pair, -1 for flows that are in none."""
        pair = np.full(len(self.case.flows), -1, "i8")
        pair[self.rows] = np.repeat(np.arange(len(self)), np.diff(self.starts))
        return pair

    def pair(self, number: int) -> Pair:
        """One row of the roll-up."""
        return Pair(
            number=int(number),
            proto=int(self.proto[number]),
            port=int(self.port[number]),
            client=self.case.addresses.text(int(self.client[number])),
            server=self.case.addresses.text(int(self.server[number])),
            component=int(self.component[number]),
            counts=tuple(self.counts[number].tolist()),
            first_ns=int(self.first_ns[number]),
        )

    def find(
        self,
        *,
        client: str | None = None,
        server: str | None = None,
        port: int | None = None,
        proto: int | None = None,
        component: str | None = None,
    ) -> Array:
        """Numbers of the pairs that fit, in order of server, client, port."""
        hit = np.ones(len(self), bool)
        if client is not None:
            hit &= self.client == self.case.addresses.find(client)
        if server is not None:
            hit &= self.server == self.case.addresses.find(server)
        if port is not None:
            hit &= self.port == port
        if proto is not None:
            hit &= self.proto == proto
        if component is not None:
            names = self.case.labels.components
            hit &= self.component == (names.index(component) if component in names else -2)
        return np.flatnonzero(hit)

    def pairs(self, **which: str | int | None) -> list[Pair]:
        """`find`, as records."""
        return [self.pair(int(k)) for k in self.find(**which)]  # type: ignore[arg-type]

    def to(self, address: str, port: int, proto: int = TCP) -> list[Pair]:
        """Who tried a service, one record per client."""
        return self.pairs(server=address, port=port, proto=proto)

    def service(self, pair: Pair) -> str:
        """`8600/tcp (Digifort Server)`; without a name where nothing tells one."""
        text = f"{pair.port}/{'udp' if pair.proto == UDP else 'tcp'}"
        if pair.component < 0:
            return text
        return f"{text} ({self.case.facts.signatures.name_of(self.case.labels.components[pair.component])})"


def _outcomes(case: Case, return_seen: Array, rejections: Rejections) -> Array:
    flows = case.flows
    end_ns = case.start_ns + case.duration_ns
    out = np.zeros(len(flows), "u1")
    tcp = (flows.proto == TCP) & ~flows.unresolved & ~((flows.orig_port == 0) & (flows.resp_port == 0))
    udp = (flows.proto == UDP) & ~flows.unresolved & (flows.resp_port != 0) & ~case.addresses.group[case.addresses.resp]
    both = (flows.orig_packets > 0) & (flows.resp_packets > 0)

    def of(*names: str) -> Array:
        wanted = np.array([name in names for name in TCP_STATES])
        hit: Array = tcp & wanted[flows.tcp_state]
        return hit

    span = flows.last_ns - flows.first_ns
    orig_reset, resp_reset = (flows.orig_flags & TCP_RST) != 0, (flows.resp_flags & TCP_RST) != 0
    went_on = flows.orig_packets > flows.orig_syns + orig_reset  # the client did more than ask
    out[of("established", "closed", "half_closed", "reset")] = ESTABLISHED
    out[of("midstream", "midstream_closed", "midstream_reset")] = MIDSTREAM
    out[of("reset") & ~went_on] = ANSWERED
    idle = idle_cuts(case, IDLE_NS)
    out[idle.flow] = IDLE_CUT
    closed = (flows.orig_flags & TCP_FIN) != 0
    dropped = of("reset") & went_on & resp_reset & ~orig_reset & ~closed & (flows.resp_synacks > 0)
    out[dropped & (flows.resp_payload == 0) & (span < IDLE_NS)] = DROPPED
    out[of("syn_ack_only")] = ANSWERED
    out[of("syn_ack_only") & (flows.resp_synacks >= 2) & (span >= RETRY_NS)] = IGNORED
    out[tcp & ~both & (out != NONE)] = HALF_SEEN
    out[of("refused")] = REFUSED

    waiting = of("attempt")
    silent = flows.resp_packets == 0
    long_enough = end_ns - flows.first_ns >= WAIT_NS
    out[waiting] = INCONCLUSIVE
    out[waiting & silent & long_enough & (flows.orig_syns >= 2) & (span >= RETRY_NS)] = UNANSWERED
    out[waiting & silent & ~return_seen] = HALF_SEEN

    expects = np.zeros(65536, bool)
    expects[list(ANSWERING)] = True
    asked = udp & silent & expects[flows.resp_port] & (flows.orig_port != flows.resp_port)
    asked &= ~case.everybody[case.addresses.resp]
    out[udp & both] = ANSWERED
    out[asked] = HALF_SEEN
    out[asked & return_seen] = INCONCLUSIVE
    out[asked & return_seen & long_enough] = UNANSWERED
    found = case.discovery
    out[found.rows[list(found.elsewhere(WAIT_NS))]] = ANSWERED  # from another address: DS-SSRP-OTHERIP
    out[(waiting | udp) & silent & (rejections.error_of_flow >= 0)] = REJECTED
    return out
