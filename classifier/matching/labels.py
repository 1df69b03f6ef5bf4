"""Labels while they are being given: who owns each flow, on what it rests, and what could not own it.

In: rows that a rule claims. Out: plain arrays, one entry per flow, and the candidates. Next: `attribution`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from classifier.arrays import distinct
from classifier.flows.table import DIRECTION_BASES, FAILED_TCP_STATES, TCP_STATES, FlowTable, is_group
from classifier.matching.hosts import HostRoles, host_keys, keys_of, member
from classifier.matching.model import GRADES, LISTENER, PEER, Array, Signature, SignatureSet, Support

# On what a label rests (Labels.how), weakest first.
HOWS = (
    "none",  # unclassified
    "protocol",  # an IP protocol without ports that we know
    "service",  # the curated table
    "alone",  # port and role of a signature
    "stream",  # range of a signature, and it looks like the stream that goes there
    "companion",  # RTCP beside an owned RTP port
    "supported",  # port and role, and a host that holds a role elsewhere
    "group",  # multicast address
    "learned",  # an endpoint that content named
    "content",  # what the payload proves
)
NONE, PROTOCOL, SERVICE, ALONE, STREAM, COMPANION, SUPPORTED, GROUP, LEARNED, CONTENT = range(len(HOWS))

# Why a component is only a candidate (Candidates.reason).
REASONS = (
    "unsupported",  # a generic port, and no host that supports it
    "failed",  # a TCP attempt that never got through
    "ambiguous",  # two signatures fit equally well
    "undecided",  # nothing tells which side listens
    "fan_in",  # the other side looks like the server
    "excluded",  # a port that another service owns
    "group_port",  # the group on a port that is not the signature's
    "content_only",  # a port that never counts without content
    "contradicted",  # the payload is something else
    "opened",  # a generic port that a host of the product opened, instead of listening on it
)
UNSUPPORTED, FAILED, AMBIGUOUS, UNDECIDED, FAN_IN, EXCLUDED, GROUP_PORT, CONTENT_ONLY = range(8)
CONTRADICTED, OPENED = 8, 9

BY_CONTENT = 0x7FFFFFFF
"""Labels.support of a flow that needs no host, because its content is enough at its port."""

SWAPPED = 1  # flags: the component's own side is not the listening end
UNEXPECTED_PORT = 2  # flags: on the signature's group, outside its ports

STRONG_BASES = tuple(DIRECTION_BASES.index(name) for name in ("syn", "syn_ack", "content"))
FAILED_STATES = tuple(TCP_STATES.index(name) for name in FAILED_TCP_STATES)


def said_support(number: int) -> int:
    """The `support` of a flow whose listening host the user gave to component `number` (see HostRoles.supported)."""
    return number * 4


@dataclass(slots=True)
class Claim:
    """Flows that a signature's port and role fit: `rows` of the flow table, all with the same listening end."""

    number: int  # index of the signature in its set
    rows: Array
    end: int  # 0: the responder is the listening end, 1: the originator


class Labels:
    """The state of attribution."""

    def __init__(self, flows: FlowTable, signatures: SignatureSet) -> None:
        n = len(flows)
        self.flows = flows
        self.signatures = signatures
        self.components: list[str] = [
            *(item.id for item in signatures.signatures),
            *(item.component for item in signatures.services),
        ]
        self.numbers = {name: number for number, name in enumerate(self.components)}
        self.component = np.full(n, -1, "i2")
        self.grade = np.zeros(n, "u1")
        self.how = np.zeros(n, "u1")
        self.end = np.zeros(n, "u1")
        self.flags = np.zeros(n, "u1")
        self.support = np.full(n, -1, "i4")
        self.reserved = np.zeros(n, bool)  # flows at learned endpoints: not for port rules
        self.vetoes: dict[int, int] = {}  # per signature: evidence bits that speak against it
        self.to_group: Array = is_group(flows.resp_addr, flows.version)
        self.failed: Array = np.isin(flows.tcp_state, FAILED_STATES) & (flows.proto == 6)
        self.strong: Array = np.isin(flows.direction_basis, STRONG_BASES)
        self.roles = HostRoles(
            self.numbers,
            [item.id for item in signatures.signatures if item.alone != "probable" or item.is_learned],
        )
        self.said: dict[int, Array] = self._said()
        self._shown: dict[int, Array] = {}
        self._candidates: list[tuple[int, int, Array]] = []

    def _said(self) -> dict[int, Array]:
        """Sorted host keys per component that the user says they listen for; they hold that role."""
        said: dict[int, list[str]] = {}
        for host in self.signatures.hosts:
            said.setdefault(self.numbers[host.component], []).append(host.address)
        keys = {number: distinct(keys_of(addresses)) for number, addresses in said.items()}
        for number, items in keys.items():
            self.roles.add(number, LISTENER, items)
        return keys

    def supported(self, number: int, supports: Iterable[Support], listener: Array, peer: Array) -> Array:
        """`HostRoles.supported`, and what the user says: the listening host is the component's own."""
        found = self.roles.supported(supports, listener, peer)
        said = self.said.get(number)
        if said is not None:
            found[member(listener, said)] = said_support(number)
        return found

    def shown(self, number: int) -> Array:
        """Sorted keys of the hosts that finished labels, without the user's word, show to listen for a component."""
        known = self._shown.get(number)
        if known is None:
            rows = np.flatnonzero((self.component == number) & (self.support != said_support(number)))
            side = self.own_side(rows)
            keys = [self.keys(rows[side == here], here) for here in (0, 1)]
            known = self._shown[number] = distinct(np.concatenate(keys))
        return known

    def is_present(self, address: str) -> bool:
        """Whether a flow has this address at one of its ends."""
        key = keys_of([address])
        rows = np.arange(len(self.flows))
        return any(bool(member(self.keys(rows, side), key).any()) for side in (0, 1))

    def number(self, component: str) -> int:
        """Index of a component id; a new one is added to the end."""
        known = self.numbers.get(component)
        if known is None:
            known = self.numbers[component] = len(self.components)
            self.components.append(component)
        return known

    def own(
        self, rows: Array, component: int, grade: int, how: int, *, end: Array | int = 0, support: Array | int = -1
    ) -> None:
        """Give flows to a component: the last word on them."""
        products = self.signatures.signatures
        if component >= len(products) or not (
            products[component].either_initiates or products[component].server_is == "sender"
        ):
            self.flags[rows] &= ~np.uint8(SWAPPED)
        self.component[rows] = component
        self.grade[rows] = grade
        self.how[rows] = how
        self.end[rows] = end
        self.support[rows] = support

    def grade_of(self, signature: Signature, grade: int) -> int:
        """A grade, no higher than the signature allows."""
        return min(grade, GRADES.index(signature.max_grade))

    def candidate(self, rows: Array, component: int, reason: int) -> None:
        """Flows that a component cannot be given, with the reason."""
        if len(rows):
            self._candidates.append((component, reason, rows.astype("i4")))

    def free(self, transport: int) -> Array:
        """Flows of an IP protocol that port rules may claim: nobody's yet, no failed attempts, no lone fragments."""
        flows = self.flows
        open_ = (flows.proto == transport) & (self.component < 0) & ~flows.unresolved & ~self.reserved
        if transport == 6:
            open_ &= ~self.failed
        return np.flatnonzero(open_)

    def keys(self, rows: Array, side: int) -> Array:
        """Host keys of responders (side 0) or originators (side 1)."""
        flows = self.flows
        words = flows.orig_addr if side else flows.resp_addr
        return host_keys(words[rows], flows.version[rows])

    def end_keys(self, claim: Claim) -> tuple[Array, Array]:
        """Host keys of the listening ends and of the peers of a claim."""
        return self.keys(claim.rows, claim.end), self.keys(claim.rows, 1 - claim.end)

    def own_side(self, rows: Array) -> Array:
        """Per owned flow the side that is the component itself (its server, as a rule): 0 responder, 1 originator.

        Mostly the listening end; a Digifort server that reads a camera's port is not.
        """
        side: Array = self.end[rows] ^ ((self.flags[rows] & SWAPPED) != 0)
        return side

    def hold_roles(self, rows: Array, component: int, end: int) -> bool:
        """The hosts of owned flows hold the component's roles from now on; true when that is new."""
        rows = rows[~self.flows.unresolved[rows]]
        listening = np.where((self.flags[rows] & SWAPPED) != 0, 1 - end, end)
        fresh = False
        for side in (0, 1):
            for role in (LISTENER, PEER):
                here = rows[(listening == side) == (role == LISTENER)]
                if side == 0:
                    here = here[~self.to_group[here]]  # a group is no host
                    if role == LISTENER:
                        here = here[~self._silent(here, component)]
                if len(here):
                    fresh |= self.roles.add(component, role, self.keys(here, side))
        return fresh

    def _silent(self, rows: Array, component: int) -> Array:
        """Responders that never sent a packet: who is only asked by UDP proves nothing (it may be a broadcast)."""
        signature = self.signatures.signatures[component] if component < len(self.signatures.signatures) else None
        if signature is not None and signature.transport == "udp" and signature.match == "responder":
            silent: Array = self.flows.resp_packets[rows] == 0
            return silent
        return np.zeros(len(rows), bool)

    def finished_candidates(self) -> tuple[Array, Array, Array]:
        """`(component i2, flow i4, reason u1)`, sorted by flow, then component; one per pair."""
        if not self._candidates:
            return np.zeros(0, "i2"), np.zeros(0, "i4"), np.zeros(0, "u1")
        flow = np.concatenate([rows for _, _, rows in self._candidates])
        component = np.concatenate([np.full(len(rows), number, "i2") for number, _, rows in self._candidates])
        reason = np.concatenate([np.full(len(rows), code, "u1") for _, code, rows in self._candidates])
        mine = self.component[flow] != component  # a later rule may have given it the flow after all
        flow, component, reason = flow[mine], component[mine], reason[mine]
        order = np.lexsort((component, flow))
        flow, component, reason = flow[order], component[order], reason[order]
        first = np.ones(len(flow), bool)
        first[1:] = (flow[1:] != flow[:-1]) | (component[1:] != component[:-1])
        return component[first], flow[first], reason[first]
